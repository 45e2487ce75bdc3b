"""What a source is, and how its classes become the recipe's."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cvtasks.answers import Answer, Sample
from cvtasks.errors import Complain, CVTasksError, DataError, did_you_mean, strictly
from cvtasks.text import counted


class Source(ABC):
    """Samples of one split of one data set, by index; the order never changes.

    What is about one sample is a method whose first argument is called `index`: so a view
    (`cvtasks.data.views.View`) knows which sample of its source is meant.
    """

    kind: type[Answer]
    """Type of its truth."""
    classes: tuple[str, ...]
    format: str = ""
    """The name of its format; empty where it does not come from the disk."""
    split: str = ""
    """The split's own name, which may be another than was asked for ("valid" for "val"); empty
    where it has none.
    """
    taken_for: str = ""
    """What was concluded about the classes because nothing says them, in a sentence to be said
    aloud; empty where they are said.
    """
    files: Sequence[Path] = ()
    """The image of each sample; empty where images are no files of their own."""
    truth_files: Sequence[Path] = ()
    """The file of each sample's truth, where that is an image too."""
    notes: tuple[str, ...] = ()
    """What was settled or passed over in opening, in sentences; `remarks` begins with them."""
    descriptors: tuple[int, ...] = ()
    """Open files that another process must inherit to have the source."""

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
        """What is wrong with a sample's truth and its image's header: an error for each object, or
        one for the whole.
        """
        try:
            self.truth(index)
        except CVTasksError as error:
            return [error]
        return []

    def problems(self) -> Iterator[str]:
        """Look at every truth without decoding images; yield a sentence for each fault."""
        with ThreadPoolExecutor(2) as pool:
            for errors in pool.map(self.faults, range(len(self))):
                yield from map(str, errors)

    def orphans(self) -> Iterator[CVTasksError]:
        """Files of the data set that belong to nothing."""
        return iter(())

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading a truth changed or passed over, a sentence for each time; raises where it
        cannot be read.
        """
        return ()

    def remarks(self) -> list[str]:
        """What reading changed or passed over, a sentence for each kind of it; to be said aloud.
        Ask after `problems`.
        """
        return list(self.notes)


def counted_remarks(source: Source) -> list[str]:
    """The notes of a source, and what `remarks_of` says of its samples, each with a count."""
    counts: Counter[str] = Counter()
    for index in range(len(source)):
        with suppress(CVTasksError):  # a fault, and no remark
            counts.update(source.remarks_of(index))
    return [*source.notes, *(f"{remark}: {count}" for remark, count in counts.items())]


EMPTY = "split empty"
"""The rule of a split without any image."""


def no_image(what: str) -> DataError:
    """The error for a split, or for all of a data set, that has no image; `what` is what it is
    called.
    """
    return DataError(f"a data set needs at least one image; {what} has none.", EMPTY)


def present(what: str, files: dict[str, list[Path]], complain: Complain = strictly) -> list[int]:
    """The samples whose files are all there, once each.

    Args:
        what: what errors call the list that names the files.
        files: "image", and what belongs to it if it has a file → the files, one a sample.
        complain: about those that are missing, and images that are listed again.

    Raises:
        DataError: there is no image.
    """
    if not any(files.values()):
        raise no_image(what)
    gone: set[int] = set()
    rule = (
        f"every {' needs its '.join(files)}"
        if len(files) > 1
        else f"every {next(iter(files))} must be there"
    )
    for role, paths in files.items():
        missing = {index: str(path) for index, path in enumerate(paths) if not path.is_file()}
        names, gone = list(missing.values()), gone | missing.keys()
        if names:
            text = (
                f"{rule}; {what} lacks {counted(len(names), role)}: {', '.join(names[:3])}"
                f"{' …' if len(names) > 3 else ''}. Add the files or take the names off the list."
            )
            complain(DataError(text, f"{role} missing"))
    seen: set[Path] = set()
    for index, path in enumerate(files["image"]):
        if path in seen:
            text = (
                f"a split must name every image once; {what} names {str(path)!r} again. Take one "
                "off the list."
            )
            complain(DataError(text, "image twice"))
            gone.add(index)
        seen.add(path)
    return [index for index in range(len(files["image"])) if index not in gone]


VALIDATION = ("val", "valid", "validation", "dev")
"""One name: what a split to validate on is called, in the order in which one is looked for."""


def split_among(split: str, splits: Iterable[str]) -> str | None:
    """The split that is meant by a name, or None: itself, or "val" by another of its names,
    whatever the case of the letters.

    No name means the only split there is, and "all" the one that has no name. A year may stand
    before it, as in Pascal VOC.

    >>> split_among("val", ["train", "valid"]), split_among("2007-valid", ["2007-val"])
    ('valid', '2007-val')
    >>> split_among("train", ["Train"]), split_among("", ["default"]), split_among("all", [""])
    ('Train', 'default', '')
    >>> split_among("", ["train", "val"]), split_among("test", ["train"])
    (None, None)
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


def split_parts(split: str) -> list[str]:
    """`2007+2012-test` → ["2007-test", "2012-test"]."""
    parts: list[str] = []
    for part in reversed(split.split("+")):
        borrowed = "" if "-" in part or not parts else "".join(parts[0].partition("-")[1:])
        parts.insert(0, part + borrowed)
    return parts


def splits_among(split: str, splits: Iterable[str]) -> str | None:
    """The splits that are meant by names joined by "+" (`split_among` of each), joined in the same
    way; None where one of them is not there.

    >>> splits_among("train+val", ["valid", "train"]), splits_among("2007-train+2012-train", [""])
    ('train+valid', None)
    """
    known = list(splits)
    parts = [split_among(part, known) for part in split_parts(split)]
    return None if None in parts else "+".join(filter(None, parts))


def check_split(split: str, splits: Iterable[str], place: Path) -> str:
    """Which of the `splits` of the data set at `place` is meant (`split_among`).

    Raises:
        DataError: none is; names the nearest.
    """
    known = list(splits)
    found = split_among(split, known)
    if found is not None:
        return found
    if known == [""]:
        text = (
            f'{str(place)!r} has no splits: it is one without a name; got "{split}". Leave the '
            "split out: write DATA alone."
        )
    elif not split:
        some = f"{', '.join(known[:20])}{' …' if len(known) > 20 else ''}"
        text = (
            f"one split must be named where there are several; {str(place)!r} has "
            f"{some or 'none'}. Write DATA:SPLIT."
        )
    else:
        text = (
            f'"{split}" is no split of {str(place)!r}. {did_you_mean(split, known)} Write '
            "DATA:SPLIT."
        )
    raise DataError(text, "split unknown")
