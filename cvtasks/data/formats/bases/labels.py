"""Sources of image-level labels."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvtasks.answers import Labels, Sample
from cvtasks.data.source import Source, no_image
from cvtasks.errors import CVTasksError, DataError
from cvtasks.media.images import image_size, read_image


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
            raise no_image(f'"{self.split}" of {str(root)!r}')
        if self.labels.max() >= len(self.classes):
            raise DataError(
                f"every label must be below {len(self.classes)}, the number of classes; "
                f'"{self.split}" of {str(root)!r} has '
                f"{int(self.labels.max())}. Name all classes in {str(names)!r}, one a line."
            )
