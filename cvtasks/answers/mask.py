"""One class id for every pixel."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from cvtasks.answers.answer import Answer, Oddity, Window

VOID = 255
"""The id of pixels that count for nothing."""

_MUCH_VOID = 0.02  # of the pixels: an outline of void between objects has less


@dataclass(frozen=True, eq=False)
class Mask(Answer):
    """One class id for every pixel of an image.

    Attributes:
        ids: (h, w) uint8; an index into `classes`, or 255 (`VOID`) for pixels that count for
            nothing.
        classes: the names of the ids, background first.

    Raises:
        ValueError: `ids` is not (h, w) uint8, or holds an id that is neither in `classes` nor void.

    >>> Mask(np.array([[0, 1], [1, 255]], "uint8"), ("background", "cat")).shares()
    {'background': 0.25, 'cat': 0.5}
    """

    ids: np.ndarray
    classes: tuple[str, ...]

    background = True

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.uint8:
            raise ValueError(f"`ids` must be (h, w) uint8; got {self.ids.shape} {self.ids.dtype}.")
        if self.ids.max(initial=0) < len(
            self.classes
        ):  # most masks: a maximum takes a hundredth of a histogram's time
            return
        odd = np.flatnonzero(np.bincount(self.ids.ravel(), minlength=256)[len(self.classes) : VOID])
        if odd.size:
            raise ValueError(
                f"every id must be below {len(self.classes)}, the number of classes, or {VOID} "
                "(void); "
                f"got {[int(i) + len(self.classes) for i in odd[:5]]}."
            )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.ids.shape

    def counts(self) -> np.ndarray:
        """(classes,) int64: pixels of each class; void is counted nowhere."""
        return np.bincount(self.ids.ravel(), minlength=256)[: len(self.classes)]

    def present(self) -> np.ndarray:
        """(k,) int64, rising: the classes that a pixel shows, without background and void."""
        return np.flatnonzero(self.counts()[1:]) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that a pixel shows, once each, background among them."""
        return tuple(self.shares())

    def shares(self) -> dict[str, float]:
        """Name of each class that is present → its share of all pixels, 0 to 1."""
        return {
            name: int(n) / max(self.ids.size, 1)
            for name, n in zip(self.classes, self.counts(), strict=True)
            if n
        }

    def with_classes(self, classes: tuple[str, ...], others: str = "background") -> Self:
        """The same with ids of the list `classes`; a class that is not on it becomes `others`:
        "background" or "void".
        """
        lookup = np.full(256, VOID if others == "void" else 0, np.uint8)
        for index, name in enumerate(self.classes):
            if name in classes:
                lookup[index] = classes.index(name)
        lookup[VOID] = VOID
        return replace(self, ids=lookup[self.ids], classes=classes)

    def _moved(self, place: np.ndarray, classes: tuple[str, ...]) -> Self:
        lookup = np.arange(256, dtype=np.uint8)
        lookup[: len(place)] = place
        return replace(self, ids=lookup[self.ids], classes=classes)

    def warp(self, window: Window, visible: float) -> Self:
        """The ids that show in a window, void around them."""
        return replace(self, ids=window.ids(self.ids))

    def content(self) -> bytes:
        """The ids, row by row."""
        return self.ids.tobytes()

    def oddities(self) -> Iterator[Oddity]:
        """Whether void seems to be the object of a mask of two classes."""
        if self.empty and (self.ids == VOID).mean() > _MUCH_VOID:
            yield Oddity(
                "binary mask",
                "255 means void; this mask holds 0 and 255 alone. Write 1 for the object if it is "
                "a mask of two classes.",
                1,
                mistake=True,
            )

    @classmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """One row a class: `class`, `images` that show it, and `share` of all pixels that are not
        void, 0 to 1.
        """
        counts = np.array([truth.counts() for truth in truths]).reshape(-1, len(classes))
        total = max(int(counts.sum()), 1)
        return [
            {
                "class": name,
                "images": int((column > 0).sum()),
                "share": round(int(column.sum()) / total, 6),
            }
            for name, column in zip(classes, counts.T, strict=True)
        ]
