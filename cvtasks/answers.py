"""Answers: the one type that a truth and a prediction share, in pixels of the original picture."""

from dataclasses import dataclass

import numpy as np

VOID = 255


@dataclass(frozen=True, eq=False)
class Mask:
    """One class id for every pixel of a picture.

    Attributes:
        ids: (h, w) uint8; an index into `classes`, or 255 (`VOID`) for pixels that count for nothing.
        classes: the names of the ids, background first.

    Raises:
        ValueError: `ids` is not (h, w) uint8, or holds an id that is neither in `classes` nor void.

    >>> Mask(np.array([[0, 1], [1, 255]], "uint8"), ("background", "cat")).shares()
    {'background': 0.25, 'cat': 0.5}
    """

    ids: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.uint8:
            raise ValueError(f"`ids` must be (h, w) uint8; got {self.ids.shape} {self.ids.dtype}.")
        if self.ids.max(initial=0) < len(self.classes):  # most masks: a maximum takes a hundredth of a histogram's time
            return
        odd = np.flatnonzero(np.bincount(self.ids.ravel(), minlength=256)[len(self.classes) : VOID])
        if odd.size:
            raise ValueError(
                f"every id must be below {len(self.classes)}, the number of classes, or {VOID} (void); "
                f"got {[int(i) + len(self.classes) for i in odd[:5]]}."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture."""
        return self.ids.shape

    def counts(self) -> np.ndarray:
        """(classes,) int64: pixels of each class; void is counted nowhere."""
        return np.bincount(self.ids.ravel(), minlength=256)[: len(self.classes)]

    def shares(self) -> dict[str, float]:
        """Name of each class that is present → its share of all pixels, 0 to 1."""
        return {name: int(n) / max(self.ids.size, 1) for name, n in zip(self.classes, self.counts(), strict=True) if n}


Answer = Mask
"""Any answer. A union once there is more than one kind."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture and the truth about it.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        truth: the answer a perfect model gives, of the same size.
        name: unique within its source.
    """

    image: np.ndarray
    truth: Answer
    name: str
