"""Lists that are the splits of images and masks: `train.txt`, `val.txt` … at the root, or in
`ImageSets/` as Pascal VOC has them; a line is the name of an image, perhaps with its mask's.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from cvtasks.data.formats.bases.names import LINE
from cvtasks.data.formats.listed import Names, SplitLists, lines_of
from cvtasks.data.formats.listing import IMAGES, files_in
from cvtasks.data.formats.mask_layouts import Place
from cvtasks.data.formats.mask_names import MaskPairs
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, splits_among
from cvtasks.errors import Complain, CVTasksError, DataError
from cvtasks.text import encodable, some

_FOLDERS = ("", "ImageSets", "ImageSets/Segmentation")


def with_lists(places: Mapping[str, Place], root: Path) -> dict[str, Place]:
    """Split → where it lies; where all lies in one place, and lists of splits do too, these are the
    splits.
    """
    if places.keys() != {""}:
        return dict(places)
    for folder in _FOLDERS:
        lists = {one.stem: one for one in files_in(root / folder, ".txt") if is_split(one.stem)}
        if lists:
            return {name: replace(places[""], lists=lists) for name in lists}
    return dict(places)


def split_at(places: Mapping[str, Place], split: str, root: Path) -> tuple[str, Place]:
    """The split that is meant, and its place; of several lists, joined by "+", that of all.

    Raises:
        DataError: there is no such split.
    """
    joined = splits_among(split, places) if "+" in split else None
    if joined is not None and all(place.lists for place in places.values()):
        return joined, next(iter(places.values()))
    name = check_split(split, places, root)
    return name, places[name]


def listed_in(
    found: MaskPairs, place: Place, split: str, complain: Complain
) -> tuple[MaskPairs, tuple[str, ...]]:
    """The images of a split and their masks, and what is to be said of lists.

    Args:
        found: all that lie there.
        complain: about lines that name nothing of the data, another mask than their image's, and
            images that are named again or in two lists.

    Raises:
        DataError: a list names nothing of the data.
    """
    if not place.lists:
        return found, ()
    known = _Known(found)
    images, masks, names = known.images, known.masks, known.names
    parts = split.split("+")
    lines = {
        name: [
            known.image_in(line, path, complain if name in parts else _nothing)
            for line in lines_of(path)
        ]
        for name, path in place.lists.items()
    }
    lists = SplitLists(place.lists, lines)
    kept = {images[at] for name in parts for at in lists.named(name, names, complain)}
    every = {names.find(line) for own in lines.values() for line in own}
    left = [image.name for index, image in enumerate(images) if index not in every]
    lonely = [mask.name for mask in found.lonely]
    notes = (
        *([f"images in no list, and so not read: {_counted(left)}"] if left else []),
        *([f"masks without an image, passed over: {_counted(lonely)}"] if lonely else []),
    )
    own = [image for image in found.images if image in kept]
    return (
        MaskPairs(
            own,
            [masks.get(image) for image in own],
            several=[one for one in found.several if one[0] in kept],
            shared=[one for one in found.shared if kept & {*one[1]}],
            beside=found.beside,
        ),
        notes,
    )


class _Known:
    """Images, whether they have one mask or not, and how lines name them."""

    def __init__(self, found: MaskPairs) -> None:
        odd = [image for image, _ in found.several]
        odd += [image for _, images in found.shared for image in images]
        self.images = [*found.images, *dict.fromkeys(odd)]
        self.masks = {
            image: mask for image, mask in zip(found.images, found.masks, strict=True) if mask
        }
        self.names = Names([encodable(image.stem) for image in self.images], self.images)
        self._spaced = {image.name for image in self.images if " " in image.name}

    def image_in(self, line: str, path: Path, complain: Complain) -> str:
        """What of a line names its image: all, or what stands before the name of its mask.

        Args:
            complain: about a mask that is not the image's.
        """
        plain = line.strip().replace("\\", "/")
        match = LINE.fullmatch(plain)
        if not match or PurePosixPath(plain).name in self._spaced:
            return line
        image, other = (match[key].strip('"') for key in ("image", "label"))
        index = self.names.find(image)
        if index is None or PurePosixPath(other).suffix.lower() not in IMAGES:
            return line
        mask = self.masks.get(self.images[index])
        if mask is not None and PurePosixPath(other).stem != mask.stem:
            complain(
                DataError(
                    f"the mask of a line must be that of its image, here {mask.name!r}; "
                    f"{str(path)!r} has {line.strip()[:200]!r}. Correct it.",
                    "list names another mask",
                )
            )
        return image


def _nothing(error: CVTasksError) -> None:
    """What is wrong with another split's list is told there."""


def _counted(names: list[str]) -> str:
    return f"{len(names)}, such as {some(names, 3)}"
