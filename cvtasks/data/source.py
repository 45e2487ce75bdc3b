"""What a source is, and how its classes become the recipe's."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from cvtasks.answers import Answer, Mask, Sample
from cvtasks.data.mask_files import OBJECT, TURNED_MASK, VOID, black_and_white, habit_of, is_stored, void_beside_ids
from cvtasks.errors import Complain, CVTasksError, DataError, did_you_mean, strictly
from cvtasks.media.pictures import picture_size, picture_turn, read_mask, read_picture, upright
from cvtasks.text import encodable


class Source(ABC):
    """Samples of one split of one data set, by index; the order never changes."""

    format: str
    """Its name, said aloud when the format was recognised."""
    layout: str
    """What must lie at its root, in a few words."""
    kind: type[Answer]
    """Type of its truth."""

    classes: tuple[str, ...]
    split: str = ""
    """The split's own name, which may be another than was asked for ("valid" for "val"); empty where it has none."""
    taken_for: str = ""
    """What was concluded about the classes because nothing says them, in a sentence to be said aloud; empty where they are said."""

    @classmethod
    @abstractmethod
    def is_at(cls, root: Path) -> bool:
        """Whether this format lies at `root`."""

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """Names of the splits of the data set of this format at `root`; one empty name where all of it is one split."""
        return ("",)

    files: Sequence[Path] = ()
    """The picture of each sample; empty where pictures are no files of their own."""
    truth_files: Sequence[Path] = ()
    """The file of each sample's truth, where that is a picture too."""
    notes: tuple[str, ...] = ()
    """What was settled or passed over in opening, in sentences; `remarks` begins with them."""

    @abstractmethod
    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        """Read the list of samples.

        Args:
            complain: about a file that is missing, a sample that is listed twice, an object that cannot be used. If it
                returns, that is left out.

        Raises:
            DataError: the split does not exist, or its list cannot be read.
        """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample[Answer]: ...

    def truth(self, index: int) -> Answer:
        """The truth of one sample alone."""
        return self[index].truth

    def name(self, index: int) -> str:
        """The name of one sample, as in `Sample`; subclasses know it without decoding the image."""
        return self[index].name

    def called(self, index: int) -> str:
        """What errors call a sample that has not been read yet."""
        return repr(str(self.files[index])) if self.files else f"sample {index}"

    def faults(self, index: int) -> list[CVTasksError]:
        """What is wrong with a sample's truth and its picture's header: an error for each object, or one for the whole."""
        try:
            self.truth(index)
        except CVTasksError as error:
            return [error]
        return []

    def problems(self) -> Iterator[str]:
        """Look at every truth without decoding pictures; yield a sentence for each fault."""
        with ThreadPoolExecutor(2) as pool:
            for errors in pool.map(self.faults, range(len(self))):
                yield from map(str, errors)

    def orphans(self) -> Iterator[CVTasksError]:
        """Files of the data set that belong to nothing."""
        return iter(())

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading a truth changed or passed over, a sentence for each time; raises where it cannot be read."""
        return ()

    def remarks(self) -> list[str]:
        """What reading changed or passed over, a sentence for each kind of it; to be said aloud. Ask after `problems`."""
        return list(self.notes)


def present(what: str, files: dict[str, list[Path]], complain: Complain = strictly) -> list[int]:
    """The samples whose files are all there, once each.

    Args:
        what: what errors call the list that names the files.
        files: "picture", and what belongs to it if it has a file → the files, one a sample.
        complain: about those that are missing, and pictures that are listed again.

    Raises:
        DataError: there is no picture.
    """
    if not any(files.values()):
        raise DataError(f"a data set needs at least one picture; {what} has none.")
    gone: set[int] = set()
    rule = f"every {' needs its '.join(files)}" if len(files) > 1 else f"every {next(iter(files))} must be there"
    for role, paths in files.items():
        missing = {index: str(path) for index, path in enumerate(paths) if not path.is_file()}
        names, gone = list(missing.values()), gone | missing.keys()
        if names:
            text = (
                f"{rule}; {what} lacks {len(names)} {role}{'s' if len(names) > 1 else ''}: {', '.join(names[:3])}"
                f"{' …' if len(names) > 3 else ''}. Add the files or take the names off the list."
            )
            complain(DataError(text, f"{role} missing"))
    seen: set[Path] = set()
    for index, path in enumerate(files["picture"]):
        if path in seen:
            text = f"a split must name every picture once; {what} names {str(path)!r} again. Take one off the list."
            complain(DataError(text, "picture twice"))
            gone.add(index)
        seen.add(path)
    return [index for index in range(len(files["picture"])) if index not in gone]


VALIDATION = ("val", "valid", "validation")
"""One name: what a split to validate on is called, in the order in which one is looked for."""


def split_among(split: str, splits: Iterable[str]) -> str | None:
    """The split that is meant by a name, or None: itself, or "val" by another of its names, whatever the case of the letters.

    No name means the only split there is, and "all" the one that has no name. A year may stand before it, as in Pascal VOC.

    >>> split_among("val", ["train", "valid"]), split_among("2007-valid", ["2007-val"]), split_among("train", ["Train"])
    ('valid', '2007-val', 'Train')
    >>> split_among("", ["default"]), split_among("all", [""]), split_among("", ["train", "val"]), split_among("test", ["train"])
    ('default', '', None, None)
    """
    known = list(splits)
    if split in known or (not split and len(known) == 1):
        return split if split in known else known[0]
    if known == [""]:
        return "" if split == "all" else None
    year, dash, name = split.rpartition("-")
    alike = VALIDATION if name.casefold() in VALIDATION else (name,)
    for wanted in dict.fromkeys((split, *(f"{year}{dash}{other}" for other in alike))):
        for same in (str, str.casefold):
            fitting = [one for one in known if same(one) == same(wanted)]
            if len(fitting) == 1:
                return fitting[0]
    return None


def check_split(split: str, splits: Iterable[str], place: Path) -> str:
    """Return which of the `splits` of the data set at `place` is meant (`split_among`).

    Raises:
        DataError: none is; names the nearest.
    """
    known = list(splits)
    found = split_among(split, known)
    if found is not None:
        return found
    if known == [""]:
        text = f'{str(place)!r} has no splits: it is one without a name; got "{split}". Leave the split out: write DATA alone.'
    elif not split:
        some = f"{', '.join(known[:20])}{' …' if len(known) > 20 else ''}"
        text = f"one split must be named where there are several; {str(place)!r} has {some or 'none'}. Write DATA:SPLIT."
    else:
        text = f'"{split}" is no split of {str(place)!r}. {did_you_mean(split, known)} Write DATA:SPLIT.'
    raise DataError(text, "split unknown")


class MaskSource(Source):
    """A source of (picture file, mask file) pairs. Subclasses set `classes`, and then `pairs` by `_list`."""

    kind = Mask
    pairs: list[tuple[Path, Path]]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample[Mask]:
        picture, _ = self.pairs[index]
        return Sample(read_picture(picture), self.truth(index), encodable(picture.stem))

    def name(self, index: int) -> str:
        """The stem of the image's file."""
        return encodable(self.pairs[index][0].stem)

    def truth(self, index: int) -> Mask:
        """The mask of one sample; its picture is not decoded."""
        picture, path = self.pairs[index]
        if index not in self._seen:
            self._seen[index] = picture_turn(picture)
        size, turn = self._seen[index]
        ids = read_mask(path)
        white = len(self.classes) == 2 and bool((ids == VOID).any())
        if self._white_is_object:
            ids = np.where(ids == VOID, np.uint8(1), ids)
        elif white and not (ids == 1).any() and not self._void_beside_ids:
            raise DataError(
                f"it must be clear what 255 is; {str(path)!r} holds it without 1, and other masks hold 1 without it. Write 1 for the "
                "second class in all masks; void may be 255.",
                "binary masks",
            )
        if is_stored(ids.shape, size, turn, str(path), lambda: self._habit):
            ids = upright(ids, turn)
        if ids.shape != size:
            raise DataError(
                f"a mask must have its picture's size (height, width) {size}; {str(path)!r} has {ids.shape}. "
                "Resize it with nearest-neighbour interpolation.",
                "mask size",
            )
        try:
            return Mask(ids, self.classes)
        except ValueError as error:
            raise DataError(f"{str(path)!r}: {error} Add the class to the list or correct the mask.", "mask ids") from error

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """Whether its mask was turned."""
        picture, mask = self.pairs[index]
        size, turn = self._seen.get(index) or picture_turn(picture)
        return (
            (TURNED_MASK,) if turn != 1 and is_stored(picture_size(mask), size, turn, str(mask), lambda: self._habit) else ()
        )

    def remarks(self) -> list[str]:
        """What 255 means where that had to be settled, and how many masks were turned."""
        counts: Counter[str] = Counter()
        for index in range(len(self)):
            with suppress(CVTasksError):  # a fault, and no remark
                counts.update(self.remarks_of(index))
        return [*self.notes, *(f"{remark}: {count}" for remark, count in counts.items())]

    @cached_property
    def _habit(self) -> str:
        return habit_of(self.pairs)

    @cached_property
    def _void_beside_ids(self) -> bool:
        return void_beside_ids(chain(self.truth_files, self._others))

    def _list(self, what: str, pairs: list[tuple[Path, Path]], complain: Complain, others: Iterable[Path] = ()) -> None:
        """Keep the pairs of which both files are there, and settle what 255 means.

        Args:
            others: masks of other splits, looked at where those of this one hold 0 and 255 alone.
        """
        self._seen: dict[int, tuple[tuple[int, int], int]] = {}  # size and turn of the pictures, once they were read
        self._white_is_object, self._others = False, list(others)
        kept = present(what, {"picture": [picture for picture, _ in pairs], "mask": [mask for _, mask in pairs]}, complain)
        self.pairs = [pairs[index] for index in kept]
        self.files, self.truth_files = [picture for picture, _ in self.pairs], [mask for _, mask in self.pairs]
        own = set(self.truth_files)
        if not black_and_white(chain(self.truth_files, (path for path in self._others if path not in own))):
            return
        if len(self.classes) == 2:
            self._white_is_object, self.notes = True, (*self.notes, OBJECT)
        else:
            text = (
                f"a mask must hold the ids of its classes; those of {what} hold 0 and 255 alone, and 255 means void. Which of the "
                f"{len(self.classes)} classes is it? Write its id for 255, or name just the two that there are."
            )
            complain(DataError(text, "binary masks"))


class Remapped(Source):
    """A source whose classes become `classes`; the classes of the data that are not among them become `others`.

    Args:
        lacking: some of `classes` may be none of the source, which then shows nothing of them.

    Raises:
        DataError: a name of `classes` is not a class of the source; with `lacking`, none is, the background aside.
    """

    def __init__(self, source: Source, classes: tuple[str, ...], others: str, *, lacking: bool = False) -> None:
        things = classes[1:] if source.kind is Mask else classes
        for name in () if lacking and set(things) & set(source.classes) else classes:
            if name not in source.classes:
                raise DataError(
                    f'every class of the recipe must be one of the data ({source.format}); "{name}" is not. '
                    f"{did_you_mean(name, source.classes)}"
                )
        self.format, self.layout, self.kind = source.format, source.layout, source.kind
        self.classes, self.files, self.truth_files = classes, source.files, source.truth_files
        self._source, self._others = source, others

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Never: it wraps another source."""
        return False

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample = self._source[index]
        return replace(sample, truth=sample.truth.with_classes(self.classes, self._others))

    def name(self, index: int) -> str:
        """The wrapped source's."""
        return self._source.name(index)

    def truth(self, index: int) -> Answer:
        """The truth of one sample, with these classes."""
        return self._source.truth(index).with_classes(self.classes, self._others)

    def faults(self, index: int) -> list[CVTasksError]:
        """The wrapped source's."""
        return self._source.faults(index)

    def remarks(self) -> list[str]:
        """The wrapped source's."""
        return self._source.remarks()
