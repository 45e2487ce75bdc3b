"""What lines of lists mean: an image by its name or path, by that of its mask, or by one that is
called alike; behind it perhaps its mask, or numbers.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cvtasks.data.formats.bases.names import LINE, distinct
from cvtasks.data.formats.listed import Called, Names, lines_of
from cvtasks.data.formats.listing import IMAGES, bare
from cvtasks.data.formats.mask_names import MaskPairs
from cvtasks.errors import DataError
from cvtasks.formats.reading import ALIKE
from cvtasks.media.safe_paths import ByLastParts, parts_of
from cvtasks.text import agreeing, encodable

BEHIND = "lines of lists have more behind the name of an image, which was passed over"
ABSENT = (
    "lines of lists name masks that are not there; those of the images' own names were taken for "
    "them"
)
"""Notes, each before a count."""

_NUMBERS = re.compile(r"(?P<image>\S.*?)(?:\s+|\s*[,;\t]\s*)[-+]?\d+(?:[\s,;]+[-+]?\d+)*")
_SHOWN = 3  # lines in a sentence


class _Meant(NamedTuple):
    """What a line means: an image, by its index; the mask that stands in it; what is to be said."""

    image: int | None
    mask: str = ""
    said: tuple[str, ...] = ()


class Lines(Names):
    """The images of masks, whether they have one mask or not, and how lines name them.

    Attributes:
        images: their files. masks: image → its mask, where it has one.
    """

    def __init__(self, found: MaskPairs, root: Path) -> None:
        self._root, self._known = root, dict[str, _Meant]()
        odd = [image for image, _ in found.several]
        odd += [image for _, images in found.shared for image in images]
        self.images = [*found.images, *dict.fromkeys(odd)]
        self.masks = {
            image: mask for image, mask in zip(found.images, found.masks, strict=True) if mask
        }
        super().__init__(distinct(self.images, root), self.images)
        self._spaced = {image.name for image in self.images if " " in image.name}
        self._several = {mask: image for image, masks in found.several for mask in masks}

    def find(self, line: str) -> int | None:
        """The index of the image that a line means."""
        return self._meant(line).image

    def notes(self, lines: list[str]) -> Iterator[str]:
        """What had to be passed over or guessed in lines, in a sentence each with its count."""
        counts = Counter(chain.from_iterable(self._meant(line).said for line in lines))
        yield from (f"{text}: {count}" for text, count in counts.items())

    def other_masks(self, path: Path) -> DataError | None:
        """The error for lines of a list that name another mask than their image's."""
        wrong = [line for line in lines_of(path) if self._other_mask(line, path) is False]
        if not wrong:
            return None
        first = self._meant(wrong[0])
        mask = self.masks[self.images[first.image or 0]]
        more = " …" if len(wrong) > _SHOWN else ""
        text = (
            f"the mask of a line must be that of its image, here {self._shown(mask)!r}; "
            f"{len(wrong)} of {str(path)!r} {agreeing(len(wrong), 'names', 'name')} another one: "
            f"{', '.join(repr(line.strip()[:200]) for line in wrong[:_SHOWN])}{more}. Correct "
            f"{agreeing(len(wrong), 'it', 'them')}, or move the masks away that are not meant."
        )
        return DataError(text, "list names another mask", len(wrong))

    def absent(self, path: Path) -> int:
        """How many lines of a list name a mask that is not there, and another folder or ending."""
        return sum(self._other_mask(line, path) is None for line in lines_of(path))

    def _other_mask(self, line: str, path: Path) -> bool | None:
        """Whether the mask that a line names, if any, is its image's: False where it is another
        one, None where it is not there and its name does not tell.
        """
        index, named, _ = self._meant(line)
        mask = self.masks.get(self.images[index]) if index is not None and named else None
        if mask is None:
            return True
        file, whole = self._file(named, path.parent)
        parts = parts_of(named) or [PurePosixPath(named.replace("\\", "/")).name]
        if file is not None:
            same = file == mask or (mask.is_file() and file.samefile(mask))
            return None if same and not whole else same
        if bare(parts[-1]) != bare(mask.name):
            return False
        return True if [*mask.parts[-len(parts) :]] == parts else None

    def _shown(self, file: Path) -> str:
        inside = file.is_relative_to(self._root)
        return str(file.relative_to(self._root)) if inside else str(file)

    def _meant(self, line: str) -> _Meant:
        if line not in self._known:
            self._known[line] = self._look(line)
        return self._known[line]

    def _look(self, line: str) -> _Meant:
        """What a line means: the whole of it, or what stands before the mask, label or numbers."""
        index = super().find(line)
        plain = line.strip().replace("\\", "/")
        if index is not None and PurePosixPath(plain).name in self._spaced:
            return _Meant(index)
        parted = LINE.fullmatch(plain)
        front, back = (parted[key].strip('"') for key in ("image", "label")) if parted else ("", "")
        of_image = PurePosixPath(back).suffix.lower() in IMAGES
        if of_image and self._is_image(back) and not self._is_image(front):
            return _Meant(self._exact(back), front)
        if of_image and (index := self._exact(front)) is not None:
            return _Meant(index, back)
        if of_image and not self._is_image(plain):
            texts: dict[str, tuple[str, ...]] = {front: ()}
        else:
            texts = {line: (), plain.strip('",; '): ()} | ({front: (BEHIND,)} if front else {})
        if numbers := _NUMBERS.fullmatch(plain):
            texts |= {numbers["image"].strip('"'): (BEHIND,)}
        ways = ((self._exact, ()), (self._of_mask, ()), (self._like, (ALIKE,)))
        for way, said in ways:
            for text, behind in texts.items():
                if (index := way(text)) is not None:
                    return (
                        _Meant(index, back, said) if of_image else _Meant(index, "", behind + said)
                    )
        return _Meant(None)

    def _exact(self, text: str) -> int | None:
        return super().find(text)

    def _is_image(self, text: str) -> bool:
        """Whether a path is that of an image which is there."""
        return self._file(text, self._root)[0] in self._image_set

    def _file(self, text: str, home: Path) -> tuple[Path | None, bool]:
        """The file that a path means, or its last parts, from the root or another folder; and
        whether it is all of the path.
        """
        parts = parts_of(text)
        for start in range(max(1, len(parts) - 1)):
            for place in (self._root, home):
                way = place.joinpath(*parts[start:])
                if parts and way.is_file():
                    return way, start == 0
        return (Path(text), True) if Path(text).is_file() else (None, False)

    @cached_property
    def _image_set(self) -> frozenset[Path]:
        return frozenset(self.images)

    def _of_mask(self, text: str) -> int | None:
        """The image whose mask a text names."""
        index = self._mask_names.find(text)
        return None if index is None else self._owner_list[index]

    @cached_property
    def _owner_list(self) -> list[int]:
        return [*self._owners.values()]

    @cached_property
    def _owners(self) -> Mapping[Path, int]:
        """Mask → the index of its image."""
        places = {image: index for index, image in enumerate(self.images)}
        every = {mask: image for image, mask in self.masks.items()} | self._several
        return {mask: places[image] for mask, image in every.items()}

    @cached_property
    def _mask_names(self) -> Names:
        masks = [*self._owners]
        return Names(distinct(masks, self._root), masks)

    def _like(self, text: str) -> int | None:
        """The one image that is called alike, but for the case of letters, accents or ending."""
        *folders, last = PurePosixPath(text.strip().replace("\\", "/")).parts or ("",)
        return self.nearest((*folders, bare(last)), self._alike)

    @cached_property
    def _alike(self) -> ByLastParts[Called]:
        return self._by_names(lambda image: (bare(encodable(image.name)),))
