"""Answers: the one type that a truth and a prediction share, in pixels of the original image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from cvtasks.geometry.boxes import areas as box_areas

VOID = 255


@dataclass(frozen=True, eq=False)
class Mask:
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

    def shares(self) -> dict[str, float]:
        """Name of each class that is present → its share of all pixels, 0 to 1."""
        return {
            name: int(n) / max(self.ids.size, 1)
            for name, n in zip(self.classes, self.counts(), strict=True)
            if n
        }

    def with_classes(self, classes: tuple[str, ...], others: str = "background") -> "Mask":
        """The same with ids of the list `classes`; a class that is not on it becomes `others`:
        "background" or "void".
        """
        lookup = np.full(256, VOID if others == "void" else 0, np.uint8)
        for index, name in enumerate(self.classes):
            if name in classes:
                lookup[index] = classes.index(name)
        lookup[VOID] = VOID
        return Mask(lookup[self.ids], classes)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Objects in an image, each with a box around it. Make them with `Boxes.of`, which fills in
    what is usual.

    Attributes:
        xyxy: (n, 4) float32: left, top, right, bottom in pixels, edges and not pixel centres, so
            that a w × h image as a whole is (0, 0, w, h).
        labels: (n,) int64, indices into `classes`.
        scores: (n,) float32, 0 to 1; 1 in a truth.
        difficult: (n,) bool: neither to be found nor counted against whoever finds it.
        crowd: (n,) bool: a group in one box, as COCO marks it; neither to be found nor counted
            against.
        areas: (n,) float32, pixels: what COCO's small, medium and large are judged by; the object's
            own area where its outline is known, else the box's.
        classes: the names of the labels.
        size: (height, width) of the image.

    Raises:
        ValueError: shapes or types differ from these, a label is not in `classes`, a number is not
            finite, or a box has a right edge left of its left one or a bottom above its top.

    >>> found = Boxes.of([[10, 20, 40, 60]], [0], ("cat",), (100, 100), scores=[0.9])
    >>> found.names, found.xyxy.tolist(), found.areas.tolist()
    (('cat',), [[10.0, 20.0, 40.0, 60.0]], [1200.0])
    """

    xyxy: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    difficult: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]

    @classmethod
    def of(
        cls,
        xyxy: np.ndarray | Sequence[Sequence[float]],
        labels: np.ndarray | Sequence[int],
        classes: tuple[str, ...],
        size: tuple[int, int],
        *,
        scores: np.ndarray | Sequence[float] | None = None,
        difficult: np.ndarray | Sequence[bool] | None = None,
        crowd: np.ndarray | Sequence[bool] | None = None,
        areas: np.ndarray | Sequence[float] | None = None,
    ) -> "Boxes":
        """Boxes of anything like arrays; scores are 1, nothing is difficult or a crowd, and areas
        are the boxes' unless given.
        """
        edges = np.asarray(xyxy, np.float32).reshape(-1, 4)
        n = len(edges)
        return cls(
            edges,
            np.asarray(labels, np.int64).reshape(-1),
            np.ones(n, np.float32)
            if scores is None
            else np.asarray(scores, np.float32).reshape(-1),
            np.zeros(n, bool) if difficult is None else np.asarray(difficult, bool).reshape(-1),
            np.zeros(n, bool) if crowd is None else np.asarray(crowd, bool).reshape(-1),
            box_areas(edges) if areas is None else np.asarray(areas, np.float32).reshape(-1),
            classes,
            size,
        )

    def __post_init__(self) -> None:
        if self.xyxy.ndim != 2 or self.xyxy.shape[1] != 4 or self.xyxy.dtype != np.float32:
            raise ValueError(
                f"`xyxy` must be (n, 4) float32; got {self.xyxy.shape} {self.xyxy.dtype}."
            )
        n = len(self.xyxy)
        for name, kind in (
            ("labels", np.int64),
            ("scores", np.float32),
            ("difficult", np.bool_),
            ("crowd", np.bool_),
            ("areas", np.float32),
        ):
            array = getattr(self, name)
            if array.shape != (n,) or array.dtype != kind:
                raise ValueError(
                    f"`{name}` must be ({n},) {kind.__name__}, one a box; got {array.shape} "
                    f"{array.dtype}."
                )
        if n and not (
            np.isfinite(self.xyxy).all()
            and np.isfinite(self.scores).all()
            and np.isfinite(self.areas).all()
        ):
            raise ValueError("boxes, scores and areas must be finite numbers; got NaN or infinity.")
        if n and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise ValueError(
                f"every label must be 0 to {len(self.classes) - 1}, an index of `classes`; "
                f"got {self.labels.min()} to {self.labels.max()}."
            )
        inverted = np.flatnonzero((self.xyxy[:, 2:] < self.xyxy[:, :2]).any(axis=1))
        if inverted.size:
            raise ValueError(
                f"a box must be (left, top, right, bottom); got {self.xyxy[inverted[0]].tolist()}."
            )

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def names(self) -> tuple[str, ...]:
        """(n) names of the labels."""
        return tuple(self.classes[label] for label in self.labels)

    @property
    def counted(self) -> np.ndarray:
        """(n,) bool: objects that are to be found: neither difficult nor a crowd."""
        return ~(self.difficult | self.crowd)

    def take(self, which: np.ndarray | slice) -> "Boxes":
        """The boxes that `which` picks: indices, in their order, (n,) bool, or a slice."""
        picked = {
            name: getattr(self, name)[which]
            for name in ("xyxy", "labels", "scores", "difficult", "crowd", "areas")
        }
        return replace(self, **picked)

    def with_classes(self, classes: tuple[str, ...], others: str = "background") -> "Boxes":
        """The same with labels of the list `classes`; others go ("background") or become difficult
        ("void").
        """
        known = np.array([name in classes for name in self.names], bool)
        lookup = np.array(
            [classes.index(name) if name in classes else 0 for name in self.classes], np.int64
        )
        moved = replace(
            self, labels=lookup[self.labels], difficult=self.difficult | ~known, classes=classes
        )
        return moved if others == "void" else moved.take(known)


@dataclass(frozen=True, eq=False)
class Labels:
    """Which classes an image shows. Make a truth with `Labels.of`.

    Attributes:
        scores: (c,) float32, 0 to 1, one for each of `classes`; in a truth 1 where the image shows
            it, 0 where not, or the shares of a mixture of images.
        difficult: (c,) bool: neither to be found nor counted against whoever finds it.
        classes: the names.

    Raises:
        ValueError: shapes or types differ from these, or a score is not a number from 0 to 1.

    >>> Labels.of([2], ("cat", "cow", "dog")).scores.tolist()
    [0.0, 0.0, 1.0]
    """

    scores: np.ndarray
    difficult: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def of(
        cls, shown: Iterable[int], classes: tuple[str, ...], difficult: Iterable[int] = ()
    ) -> "Labels":
        """The truth about an image that shows these classes, given by their indices, and
        `difficult` ones besides.
        """
        scores, ignored = np.zeros(len(classes), np.float32), np.zeros(len(classes), bool)
        shown, difficult = list(shown), list(difficult)
        if min([*shown, *difficult], default=0) < 0:
            raise ValueError(
                f"a class is given by its index, 0 to {len(classes) - 1}; got "
                f"{min([*shown, *difficult])}."
            )
        scores[shown] = 1
        ignored[difficult] = True
        return cls(scores, ignored, classes)

    def __post_init__(self) -> None:
        for name, kind in (("scores", np.float32), ("difficult", np.bool_)):
            array = getattr(self, name)
            if array.shape != (len(self.classes),) or array.dtype != kind:
                raise ValueError(
                    f"`{name}` must be ({len(self.classes)},) {kind.__name__}, one a class; got "
                    f"{array.shape} {array.dtype}."
                )
        if not ((self.scores >= 0) & (self.scores <= 1)).all():
            raise ValueError(
                f"every score must be a number from 0 to 1; got {self.scores[:5].tolist()}."
            )

    @property
    def shown(self) -> np.ndarray:
        """(n,) int64: indices of the classes with a score above 0 that are not difficult, the best
        first.
        """
        order = np.argsort(-self.scores, kind="stable")
        return order[(self.scores[order] > 0) & ~self.difficult[order]]

    @property
    def names(self) -> tuple[str, ...]:
        """(n) names of the classes that are shown, the best first."""
        return tuple(self.classes[index] for index in self.shown)

    def with_classes(self, classes: tuple[str, ...], others: str = "background") -> "Labels":
        """The same for the list `classes`; what is not on it goes, whatever `others` says: nothing
        is to be said of it.
        """
        if classes == self.classes:
            return self
        place = {name: index for index, name in enumerate(self.classes)}
        known = [(new, place[name]) for new, name in enumerate(classes) if name in place]
        scores, difficult = np.zeros(len(classes), np.float32), np.zeros(len(classes), bool)
        for new, old in known:
            scores[new], difficult[new] = self.scores[old], self.difficult[old]
        return Labels(scores, difficult, classes)


Answer = Mask | Boxes | Labels
"""Any answer."""

A = TypeVar("A", bound=Answer)
"""One kind of answer: that of a task."""
Told = TypeVar("Told", bound=Answer, covariant=True)
"""What a sample tells: one with boxes is one with an answer."""


@dataclass(frozen=True, eq=False)
class Sample(Generic[Told]):
    """An image and the truth about it.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        truth: the answer a perfect model gives; a mask or boxes are of the same size.
        name: unique within its source.
    """

    image: np.ndarray
    truth: Told
    name: str
