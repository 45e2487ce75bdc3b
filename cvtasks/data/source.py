"""What a source is, and how its classes become the recipe's."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cvtasks.answers import Answer, Mask, Sample
from cvtasks.errors import CVTasksError, DataError, did_you_mean
from cvtasks.media.pictures import picture_size, read_mask, read_picture

Item = TypeVar("Item")


class Source(ABC):
    """Samples of one split of one data set, by index; the order never changes."""

    format: str
    """Its name, said aloud when the format was recognised."""
    layout: str
    """What must lie at its root, in a few words."""
    kind: type[Answer]
    """Type of its truth."""

    classes: tuple[str, ...]

    @classmethod
    @abstractmethod
    def is_at(cls, root: Path) -> bool:
        """Whether this format lies at `root`."""

    @abstractmethod
    def __init__(self, root: Path, split: str) -> None:
        """Read the list of samples; raises DataError where the split or a file is missing."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def truth(self, index: int) -> Answer:
        """The truth of one sample alone."""
        return self[index].truth

    @abstractmethod
    def problems(self) -> Iterator[str]:
        """Look at every truth without decoding pictures; yield a sentence for each that cannot be used."""

    def remarks(self) -> list[str]:
        """What reading changed or passed over, a sentence for each kind of it; to be said aloud. Ask after `problems`."""
        return []


def complaints(look: Callable[[Item], object], items: Iterable[Item]) -> Iterator[str]:
    """Call `look` for every item, in threads; yield the text of each error."""

    def complaint(item: Item) -> str | None:
        try:
            look(item)
        except CVTasksError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        yield from filter(None, pool.map(complaint, items))


def require(what: str, files: dict[str, list[Path]]) -> None:
    """Raise DataError if there is no picture, or if a file is missing.

    Args:
        what: what errors call the list that names the files.
        files: "picture", and what belongs to it if it has a file → the files, one a sample.
    """
    if not any(files.values()):
        raise DataError(f"a data set needs at least one picture; {what} has none.")
    rule = f"every {' needs its '.join(files)}" if len(files) > 1 else f"every {next(iter(files))} must be there"
    for role, paths in files.items():
        missing = [str(path) for path in paths if not path.is_file()]
        if missing:
            raise DataError(
                f"{rule}; {what} lacks {len(missing)} {role}"
                f"{'s' if len(missing) > 1 else ''}: {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}. "
                "Add the files or take the names off the list."
            )


def check_split(split: str, splits: Iterable[str], place: Path) -> None:
    """Raise DataError if `split` is none of the `splits` that the data set at `place` has; names the nearest."""
    known = list(splits)
    if split not in known:
        raise DataError(f'"{split}" is no split of {str(place)!r}. {did_you_mean(split, known)} Write DATA:SPLIT.')


class MaskSource(Source):
    """A source of (picture file, mask file) pairs. Subclasses set `classes` and `pairs`."""

    kind = Mask
    pairs: list[tuple[Path, Path]]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Sample:
        picture, mask = self.pairs[index]
        image = read_picture(picture)
        return Sample(image, self._truth(mask, image.shape[:2]), picture.stem)

    def truth(self, index: int) -> Mask:
        """The mask of one sample; its picture is not decoded."""
        picture, mask = self.pairs[index]
        return self._truth(mask, picture_size(picture))

    def problems(self) -> Iterator[str]:
        """Compare every mask with its picture's header and with `classes`; yield a sentence for each that cannot be used."""
        return complaints(lambda pair: self._truth(pair[1], picture_size(pair[0])), self.pairs)

    def _truth(self, path: Path, size: tuple[int, int]) -> Mask:
        ids = read_mask(path)
        if ids.shape != size:
            raise DataError(
                f"a mask must have its picture's size (height, width) {size}; {str(path)!r} has {ids.shape}. "
                "Resize it with nearest-neighbour interpolation."
            )
        try:
            return Mask(ids, self.classes)
        except ValueError as error:
            raise DataError(f"{str(path)!r}: {error} Add the class to the list or correct the mask.") from error

    def _require(self, what: str) -> None:
        """Raise DataError if there is no pair, or if a file of a pair is missing."""
        require(what, {"picture": [p for p, _ in self.pairs], "mask": [m for _, m in self.pairs]})


class Remapped(Source):
    """A source whose classes become `classes`; the classes of the data that are not among them become `others`.

    Raises:
        DataError: a name of `classes` is not a class of the source.
    """

    def __init__(self, source: Source, classes: tuple[str, ...], others: str) -> None:
        for name in classes:
            if name not in source.classes:
                raise DataError(
                    f'every class of the recipe must be one of the data ({source.format}); "{name}" is not. '
                    f"{did_you_mean(name, source.classes)}"
                )
        self.format, self.layout, self.kind = source.format, source.layout, source.kind
        self.classes = classes
        self._source, self._others = source, others

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Never: it wraps another source."""
        return False

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Sample:
        sample = self._source[index]
        return replace(sample, truth=sample.truth.with_classes(self.classes, self._others))

    def truth(self, index: int) -> Answer:
        """The truth of one sample, with these classes."""
        return self._source.truth(index).with_classes(self.classes, self._others)

    def problems(self) -> Iterator[str]:
        """The wrapped source's."""
        return self._source.problems()

    def remarks(self) -> list[str]:
        """The wrapped source's."""
        return self._source.remarks()
