"""What the formats of one kind of truth have in common: image-level labels, boxes, masks."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from cvtasks.answers import Boxes, Labels, Mask, Sample
from cvtasks.data.formats.mask_files import (
    OBJECT,
    TURNED_MASK,
    VOID,
    black_and_white,
    habit_of,
    is_stored,
    void_beside_ids,
)
from cvtasks.data.source import Source, present
from cvtasks.errors import Complain, CVTasksError, DataError
from cvtasks.formats.drawn import Size, habits
from cvtasks.formats.reading import read_text
from cvtasks.media.images import image_size, image_turn, read_image, read_mask, upright
from cvtasks.text import encodable


def counted_remarks(source: Source) -> list[str]:
    """The notes of a source, and what `remarks_of` says of its samples, each with a count."""
    counts: Counter[str] = Counter()
    for index in range(len(source)):
        with suppress(CVTasksError):  # a fault, and no remark
            counts.update(source.remarks_of(index))
    return [*source.notes, *(f"{remark}: {count}" for remark, count in counts.items())]


class LabelsSource(Source):
    """A source of images and the classes that they show. Subclasses set `classes` and say which an
    image shows.

    Equal truths are one object, so that a million images need no million arrays.
    """

    kind = Labels

    def __init__(self) -> None:
        self._known: dict[
            tuple[int, ...], Labels
        ] = {}  # threads may make the same truth twice; both times it is the same

    @abstractmethod
    def _shown(self, index: int) -> tuple[int, ...]:
        """Indices of the classes that one image shows."""

    def truth(self, index: int) -> Labels:
        """The labels of one sample; its image is not decoded."""
        shown = self._shown(index)
        if shown not in self._known:
            self._known[shown] = Labels.of(shown, self.classes)
        return self._known[shown]


class FileLabels(LabelsSource):
    """A source of image files. Subclasses set `files`, `names`, and `shown`: the indices of the
    classes of each.
    """

    names: Sequence[str]
    shown: Sequence[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample[Labels]:
        return Sample(read_image(self.files[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def faults(self, index: int) -> list[CVTasksError]:
        """What is wrong with the image's header."""
        try:
            image_size(self.files[index])
        except CVTasksError as error:
            return [error]
        return []

    def _shown(self, index: int) -> tuple[int, ...]:
        return self.shown[index]


class ArrayLabels(LabelsSource):
    """A source of small images of one size and one label each, held in memory.

    Subclasses set `images`, (n, h, w) or (n, h, w, 3) uint8, and `labels` (n,) uint8, and call
    `_check`. A sample is named after its split and its place there: `train-00017`.
    """

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Sample[Labels]:
        image = self.images[index]
        rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
        return Sample(rgb, self.truth(index), self.name(index))

    def name(self, index: int) -> str:
        """Its split and its place there."""
        return f"{self.split}-{index:05d}"

    def _shown(self, index: int) -> tuple[int, ...]:
        return (int(self.labels[index]),)

    def _check(self, root: Path, names: Path) -> None:
        """Raise DataError where there is no image, or a label is no class; `names` is the file that
        names the classes.
        """
        if not len(self.labels):
            raise DataError(
                f'a data set needs at least one image; "{self.split}" of {str(root)!r} has none.'
            )
        if self.labels.max() >= len(self.classes):
            raise DataError(
                f"every label must be below {len(self.classes)}, the number of classes; "
                f'"{self.split}" of {str(root)!r} has '
                f"{int(self.labels.max())}. Name all classes in {str(names)!r}, one a line."
            )


def class_names(path: Path) -> tuple[str, ...]:
    """The lines of a `classes.txt`, without empty ones.

    Raises:
        DataError: it cannot be read, names nothing, or a class twice.
    """
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"{str(path)!r} must name one class a line, each once; got "
            f"{', '.join(names) or 'none'}."
        )
    return names


Truth = tuple[Boxes, tuple[str, ...]]
"""The objects of an image, and a remark for each thing that was changed in reading them."""


@dataclass(frozen=True)
class Frame:
    """An image's (height, width) in pixels, upright, and the EXIF orientation, 1 to 8, that made it
    so.
    """

    size: tuple[int, int]
    turn: int


class BoxesSource(Source):
    """A source of images with boxes. Subclasses set `classes`, `images` and `names`, and read one
    truth at a time.

    A truth that was read is kept, a kilobyte or so each: it is asked for again in every epoch.
    """

    kind = Boxes
    images: list[Path]
    names: list[str]

    def __init__(self, complain: Complain) -> None:
        self._complain = complain
        self._known: dict[
            int, Truth
        ] = {}  # threads may read the same truth twice; both times it is the same

    @abstractmethod
    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        """Read the truth of one image; `complain` hears of objects that cannot be used."""

    def _declared(self, index: int) -> Size | None:
        """The size that the truth's file declares for its image, if it does."""
        return None

    def _habit(self) -> str:
        """Whether boxes are drawn on "upright" or "stored" pixels where EXIF tags turn images, by
        those that tell; or "".
        """
        return self._pixels

    @cached_property
    def _pixels(self) -> str:
        found: set[str] = set()
        for index, image in enumerate(self.images):
            with suppress(CVTasksError):  # a fault, which is told when its turn comes
                size, turn = image_turn(image)
                ways = habits(self._declared(index), size, turn) if turn >= 5 else []
                found.update(ways if len(ways) == 1 else [])
        return found.pop() if len(found) == 1 else ""

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample[Boxes]:
        return Sample(read_image(self.images[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def truth(self, index: int) -> Boxes:
        """The objects of one sample; its image is not decoded."""
        return self._look(index)[0]

    @property
    def files(self) -> list[Path]:  # type: ignore[override]  # set by other sources; here it follows from `images`
        """The images."""
        return self.images

    def faults(self, index: int) -> list[CVTasksError]:
        """An error for each object that cannot be used, or one where the file, or its image's
        header, cannot be.
        """
        found: list[CVTasksError] = []
        try:
            truth = self._read(index, Frame(*image_turn(self.images[index])), found.append)
        except CVTasksError as error:
            found.append(error)
        else:
            self._known.update({} if found else {index: truth})
        return found

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading one truth changed or passed over."""
        return self._look(index)[1]

    def remarks(self) -> list[str]:
        """What reading changed or passed over in all truths, with counts; quick where they have
        been read before.
        """
        return counted_remarks(self)

    def _look(self, index: int) -> Truth:
        if index not in self._known:
            self._known[index] = self._read(
                index, Frame(*image_turn(self.images[index])), self._complain
            )
        return self._known[index]


def distinct(paths: list[Path], root: Path) -> list[str]:
    """A name for each image that no other has: its stem where these differ, else its path from
    `root`, without its ending if that will do. What of it is no UTF-8 is escaped
    (`cvtasks.text.encodable`).
    """
    for names in (
        [path.stem for path in paths],
        [path.relative_to(root).with_suffix("").as_posix() for path in paths],
    ):
        if len(set(names)) == len(names):
            return list(map(encodable, names))
    return [encodable(path.relative_to(root).as_posix()) for path in paths]


class MaskSource(Source):
    """A source of (image file, mask file) pairs. Subclasses set `classes`, and then `pairs` by
    `_list`.
    """

    kind = Mask
    pairs: list[tuple[Path, Path]]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample[Mask]:
        image, _ = self.pairs[index]
        return Sample(read_image(image), self.truth(index), encodable(image.stem))

    def name(self, index: int) -> str:
        """The stem of the image's file."""
        return encodable(self.pairs[index][0].stem)

    def truth(self, index: int) -> Mask:
        """The mask of one sample; its image is not decoded."""
        image, path = self.pairs[index]
        if index not in self._seen:
            self._seen[index] = image_turn(image)
        size, turn = self._seen[index]
        ids = read_mask(path)
        white = len(self.classes) == 2 and bool((ids == VOID).any())
        if self._white_is_object:
            ids = np.where(ids == VOID, np.uint8(1), ids)
        elif white and not (ids == 1).any() and not self._void_beside_ids:
            raise DataError(
                f"it must be clear what 255 is; {str(path)!r} holds it without 1, and other masks "
                "hold 1 without it. Write 1 for the "
                "second class in all masks; void may be 255.",
                "binary masks",
            )
        if is_stored(ids.shape, size, turn, str(path), lambda: self._habit):
            ids = upright(ids, turn)
        if ids.shape != size:
            raise DataError(
                f"a mask must have its image's size (height, width) {size}; {str(path)!r} has "
                f"{ids.shape}. "
                "Resize it with nearest-neighbour interpolation.",
                "mask size",
            )
        try:
            return Mask(ids, self.classes)
        except ValueError as error:
            raise DataError(
                f"{str(path)!r}: {error} Add the class to the list or correct the mask.", "mask ids"
            ) from error

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """Whether its mask was turned."""
        image, mask = self.pairs[index]
        size, turn = self._seen.get(index) or image_turn(image)
        return (
            (TURNED_MASK,)
            if turn != 1 and is_stored(image_size(mask), size, turn, str(mask), lambda: self._habit)
            else ()
        )

    def remarks(self) -> list[str]:
        """What 255 means where that had to be settled, and how many masks were turned."""
        return counted_remarks(self)

    @cached_property
    def _habit(self) -> str:
        return habit_of(self.pairs)

    @cached_property
    def _void_beside_ids(self) -> bool:
        return void_beside_ids(chain(self.truth_files, self._others))

    def _list(
        self,
        what: str,
        pairs: list[tuple[Path, Path]],
        complain: Complain,
        others: Iterable[Path] = (),
    ) -> None:
        """Keep the pairs of which both files are there, and settle what 255 means.

        Args:
            others: masks of other splits, looked at where those of this one hold 0 and 255 alone.
        """
        self._seen: dict[
            int, tuple[tuple[int, int], int]
        ] = {}  # size and turn of the images, once they were read
        self._white_is_object, self._others = False, list(others)
        kept = present(
            what,
            {"image": [image for image, _ in pairs], "mask": [mask for _, mask in pairs]},
            complain,
        )
        self.pairs = [pairs[index] for index in kept]
        self.files, self.truth_files = (
            [image for image, _ in self.pairs],
            [mask for _, mask in self.pairs],
        )
        own = set(self.truth_files)
        if not black_and_white(
            chain(self.truth_files, (path for path in self._others if path not in own))
        ):
            return
        if len(self.classes) == 2:
            self._white_is_object, self.notes = True, (*self.notes, OBJECT)
        else:
            text = (
                f"a mask must hold the ids of its classes; those of {what} hold 0 and 255 alone, "
                "and 255 means void. Which of the "
                f"{len(self.classes)} classes is it? Write its id for 255, or name just the two "
                "that there are."
            )
            complain(DataError(text, "binary masks"))
