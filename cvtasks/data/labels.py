"""What the sources of image-level labels have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvtasks.answers import Labels, Sample
from cvtasks.data.source import Source
from cvtasks.errors import Complain, CVTasksError, DataError, strictly
from cvtasks.formats.reading import read_text
from cvtasks.media.pictures import picture_size, read_picture


class LabelsSource(Source):
    """A source of pictures and the classes that they show. Subclasses set `classes` and say which a picture shows.

    Equal truths are one object, so that a million pictures need no million arrays.
    """

    kind = Labels

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self._known: dict[tuple[int, ...], Labels] = {}  # threads may make the same truth twice; both times it is the same

    @abstractmethod
    def _shown(self, index: int) -> tuple[int, ...]:
        """Indices of the classes that one picture shows."""

    def truth(self, index: int) -> Labels:
        """The labels of one sample; its picture is not decoded."""
        shown = self._shown(index)
        if shown not in self._known:
            self._known[shown] = Labels.of(shown, self.classes)
        return self._known[shown]


class FileLabels(LabelsSource):
    """A source of picture files. Subclasses set `files`, `names`, and `shown`: the indices of the classes of each."""

    names: Sequence[str]
    shown: Sequence[tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample[Labels]:
        return Sample(read_picture(self.files[index]), self.truth(index), self.names[index])

    def name(self, index: int) -> str:
        """The name of one sample."""
        return self.names[index]

    def faults(self, index: int) -> list[CVTasksError]:
        """What is wrong with the picture's header."""
        try:
            picture_size(self.files[index])
        except CVTasksError as error:
            return [error]
        return []

    def _shown(self, index: int) -> tuple[int, ...]:
        return self.shown[index]


class ArrayLabels(LabelsSource):
    """A source of small pictures of one size and one label each, held in memory.

    Subclasses set `images`, (n, h, w) or (n, h, w, 3) uint8, and `labels` (n,) uint8, and call `_check`. A sample is named
    after its split and its place there: `train-00017`.
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
        """Raise DataError where there is no picture, or a label is no class; `names` is the file that names the classes."""
        if not len(self.labels):
            raise DataError(f'a data set needs at least one picture; "{self.split}" of {str(root)!r} has none.')
        if self.labels.max() >= len(self.classes):
            raise DataError(
                f'every label must be below {len(self.classes)}, the number of classes; "{self.split}" of {str(root)!r} has '
                f"{int(self.labels.max())}. Name all classes in {str(names)!r}, one a line."
            )


def class_names(path: Path) -> tuple[str, ...]:
    """The lines of a `classes.txt`, without empty ones.

    Raises:
        DataError: it cannot be read, names nothing, or a class twice.
    """
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        raise DataError(f"{str(path)!r} must name one class a line, each once; got {', '.join(names) or 'none'}.")
    return names
