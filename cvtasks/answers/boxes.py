"""Objects with a box around each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np

from cvtasks.answers.answer import Answer, Oddity, Window, html_table, shortest
from cvtasks.answers.box_layouts import all_of_tiles, pasted_over
from cvtasks.answers.box_statistics import agree, lengths_of, oddities, rows_of
from cvtasks.geometry.boxes import areas as box_areas
from cvtasks.geometry.boxes import clip, iou, paired
from cvtasks.geometry.seams import Whole
from cvtasks.geometry.tiles import Tile

THINNEST = 2.0
"""Pixels of a window; an object that is thinner there cannot be learned."""
SMALLEST = 4.0
"""Square pixels of a window; of an object with less than that nothing remains."""

_ONE = 0.55  # IoU from which on boxes of two predictions are of one object

_OF_ALL = ("classes", "size")  # fields that are not one for each box


class Object(NamedTuple):
    """One object: its class, its score from 0 to 1, and left, top, right, bottom in pixels."""

    name: str
    score: float
    xyxy: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Boxes(Answer):
    """Objects in an image, each with a box around it. Make them with `Boxes.of`, which fills in
    what is usual. Further fields of a subclass are arrays with an entry for each box.

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
        tracks: (n,) int64: which object of a video it is, from 1; -1 where that is not known.
        filled: (n,) bool: put into a gap, from where the object was before and after.
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
    tracks: np.ndarray
    filled: np.ndarray
    classes: tuple[str, ...]
    size: tuple[int, int]

    mixing = "objects"

    @classmethod
    def nothing(cls, size: tuple[int, int], classes: tuple[str, ...]) -> Self:
        """No boxes."""
        return cls.of([], [], classes, size)

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
        tracks: np.ndarray | Sequence[int] | None = None,
        filled: np.ndarray | Sequence[bool] | None = None,
        **further: np.ndarray,
    ) -> Self:
        """Boxes of anything like arrays; scores are 1, nothing is difficult, a crowd or filled,
        areas are the boxes', and tracks unknown, unless given. `further` are the fields of a
        subclass.
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
            np.full(n, -1, np.int64)
            if tracks is None
            else np.asarray(tracks, np.int64).reshape(-1),
            np.zeros(n, bool) if filled is None else np.asarray(filled, bool).reshape(-1),
            classes,
            size,
            **further,
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
            ("tracks", np.int64),
            ("filled", np.bool_),
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

    def counts(self) -> np.ndarray:
        """(classes,) int64: objects of each class, difficult ones and crowds too."""
        return np.bincount(self.labels, minlength=len(self.classes))

    def present(self) -> np.ndarray:
        """(k,) int64, rising: the classes of the objects that are to be found."""
        return np.unique(self.labels[self.counted])

    def sides(self) -> np.ndarray:
        """(n,) float: the side of each box, the root of its share of the image, 0 to 1."""
        return np.sqrt(np.prod(lengths_of(self), axis=1) / np.prod(self.size))

    def take(self, which: np.ndarray | slice) -> Self:
        """The boxes that `which` picks: indices, in their order, (n,) bool, or a slice."""
        picked: dict[str, Any] = {name: array[which] for name, array in self._each().items()}
        return replace(self, **picked)

    def placed(self, xyxy: np.ndarray) -> Self:
        """The same objects in other boxes, (n, 4); an area changes as its box's does."""
        grown = box_areas(xyxy) / np.maximum(box_areas(self.xyxy), np.finfo(np.float32).tiny)
        areas = (self.areas * grown).astype(np.float32)
        return replace(self, xyxy=xyxy.astype(np.float32), areas=areas)

    def joined(
        self, others: Sequence[Self], corners: Sequence[tuple[int, int]], size: tuple[int, int]
    ) -> Self:
        """The boxes of this image and of others in one of `size`, (height, width), in which each
        lies with its left top at its (x, y) corner.
        """
        parts = [self, *others]
        moved = [
            part.xyxy + np.array(corner * 2, np.float32)
            for part, corner in zip(parts, corners, strict=True)
        ]
        each = [part._each() for part in parts]
        rest: dict[str, Any] = {
            name: np.concatenate([arrays[name] for arrays in each]) for name in each[0]
        }
        return replace(self, **(rest | {"xyxy": np.concatenate(moved), "size": size}))

    def with_classes(self, classes: tuple[str, ...], unlisted: str = "background") -> Self:
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
        return moved if unlisted == "void" else moved.take(known)

    def _moved(self, place: np.ndarray, classes: tuple[str, ...]) -> Self:
        return replace(self, labels=place[self.labels], classes=classes)

    def warp(self, window: Window, min_visibility: float) -> Self:
        """The objects that show in a window, with boxes around what shows of them.

        A remnant, of which less than `min_visibility` (a share of its box) shows or which is
        thinner than `THINNEST`, is neither an object nor background: it becomes difficult. It goes
        where less than `SMALLEST` of it is left.

        A turned box is the one around the turned *ellipse* that fits the box: the box around turned
        corners is too large for all but rectangular objects (Kalra et al., "Towards Rotation
        Invariance in Object Detection", 2021). Keep angles small. An object's area grows by the
        map's determinant and shrinks by what is cut off.
        """
        matrix = window.matrix
        linear = matrix[:, :2]
        edges = clip(self.xyxy.astype(np.float64), self.size)
        middle = (edges[:, :2] + edges[:, 2:]) / 2 @ linear.T + matrix[:, 2]
        half = np.sqrt(((edges[:, 2:] - edges[:, :2]) / 2) ** 2 @ (linear**2).T)
        whole = np.concatenate([middle - half, middle + half], axis=1)
        shown = clip(whole, window.window)
        left = box_areas(shown)
        share = left / np.maximum(box_areas(whole), np.finfo(np.float64).tiny)
        thin = (shown[:, 2:] - shown[:, :2]).min(axis=1, initial=np.inf) < THINNEST
        moved = replace(
            self,
            xyxy=shown.astype(np.float32),
            difficult=self.difficult | (share < min_visibility) | thin,
            areas=(self.areas * abs(np.linalg.det(linear)) * share).astype(np.float32),
            size=window.window,
        )
        return moved.take(left >= SMALLEST)

    def mirrored(self) -> Self:
        """Left edges become right ones."""
        left, top, right, bottom = self.xyxy.T
        width = np.float32(self.size[1])
        return replace(self, xyxy=np.stack([width - right, top, width - left, bottom], axis=1))

    @classmethod
    def of_tiles(cls, parts: Sequence[tuple[Tile, Self]], size: tuple[int, int]) -> Self:
        """The objects of all tiles, those that several show or that a seam cuts once each, best
        score first (`cvtasks.geometry.seams.joined`).
        """
        every, found = all_of_tiles(parts, size, _ONE)
        return every._united(found)

    def _united(self, found: Whole) -> Self:
        """Objects that are made of these."""
        best = [one[self.scores[one].argmax()] for one in found.members]
        return replace(self.take(np.array(best, int)), xyxy=found.xyxy, areas=box_areas(found.xyxy))

    def merged(self, other: Self, threshold: float, share: float = 0.5) -> Self:
        """Boxes of one class that overlap become one, pair by pair, with the mean of their scores
        and their edges weighted by these; one without a counterpart has its share of its score.

        Source: Solovyev, Wang and Gabruseva, "Weighted Boxes Fusion" (2021), one model at a time.
        """
        same = self.labels[:, None] == other.labels[None]
        overlap = np.where(same, iou(self.xyxy, other.xyxy), 0)
        mine, theirs = paired(overlap, _ONE)
        merged = self.take(mine)._fused(other.take(theirs), share)
        alone = [
            replace(boxes, scores=boxes.scores * np.float32(weight))
            for boxes, weight in (
                (self.take(~np.isin(np.arange(len(self)), mine)), 1 - share),
                (other.take(~np.isin(np.arange(len(other)), theirs)), share),
            )
        ]
        found = merged.joined(alone, ((0, 0),) * 3, self.size)
        order = np.argsort(-found.scores, kind="stable")
        return found.take(order[found.scores[order] >= threshold])

    def _fused(self, other: Self, share: float) -> Self:
        """Each box and its counterpart as one: edges weighted by scores, and the mean of these."""
        parts = np.array([[1 - share], [share]], np.float32)
        weights = (parts * np.stack([self.scores, other.scores]))[..., None]
        edges = np.stack([self.xyxy, other.xyxy])
        return replace(
            self,
            xyxy=((weights * edges).sum(axis=0) / np.maximum(weights.sum(axis=0), 1e-12)).astype(
                np.float32
            ),
            scores=weights.sum(axis=0)[:, 0],
        )

    def pasted(
        self, other: Self, rng: np.random.Generator, visible: float
    ) -> tuple[Self, np.ndarray]:
        """These objects and some of another truth, whose boxes are laid over the image where they
        cover no object much, and the pixels of these boxes.

        What else shows within the pasted boxes becomes an object too, or a difficult one where less
        than `visible` of it does.
        """
        shown, place = pasted_over(self, other, rng, visible)
        return self.joined([shown], ((0, 0), (0, 0)), self.size), place

    def content(self) -> bytes:
        """Edges and labels, what is difficult and what a crowd."""
        arrays = (self.xyxy, self.labels, self.difficult, self.crowd)
        return b"".join(array.tobytes() for array in arrays)

    def agrees(self, other: Self) -> bool:
        """Whether the boxes of the other are these to a pixel, in any order."""
        return agree(self, other)

    def oddities(self) -> Iterator[Oddity]:
        """Boxes of hardly a pixel or very long, one box of two classes, objects of no part."""
        return oddities(self)

    @classmethod
    def statistics(cls, truths: Iterable[Self], classes: tuple[str, ...]) -> list[dict[str, Any]]:
        """One row a class: `class`, `objects`, `images` that hold one, `difficult`, `crowds`, and
        the median `width` and `height` of the objects in pixels; and `small` and `large`, the side,
        root of the area, that a tenth of them is below and above.
        """
        return rows_of(list(truths), classes)

    def __iter__(self) -> Iterator[Object]:
        for name, score, box in zip(self.names, shortest(self.scores), self.xyxy, strict=True):
            left, top, right, bottom = shortest(box)
            yield Object(name, score, (left, top, right, bottom))

    def to_dict(self) -> dict[str, Any]:
        """`boxes`: a list of `name`, `score` and `xyxy` in pixels, difficult objects and crowds
        left out; `track` where it is known, and `filled` where a gap was.
        """
        shown = self.take(self.counted)
        return {
            "boxes": [
                {"name": one.name, "score": one.score, "xyxy": list(one.xyxy)}
                | ({"track": track} if track >= 0 else {})
                | ({"filled": True} if filled else {})
                for one, track, filled in zip(
                    shown, shown.tracks.tolist(), shown.filled.tolist(), strict=True
                )
            ]
        }

    def segmentations(self) -> list[dict[str, Any]]:
        """The mask of each as COCO has it, `size` and compressed `counts`; none of plain boxes."""
        return []

    def cut_outs(self, image: np.ndarray) -> Iterator[np.ndarray]:
        """Of each object what its box holds of the image (h, w, 3); without pixels where the box
        has none.
        """
        for left, top, right, bottom in clip(self.xyxy, self.size).round().astype(int).tolist():
            yield image[top:bottom, left:right]

    def _image_size(self) -> tuple[int, int] | None:
        return self.size if all(self.size) else None

    def _drawn(self, image: np.ndarray) -> np.ndarray:
        from cvtasks.drawing.annotate import draw_boxes

        return draw_boxes(image, self)

    def _repr_html_(self) -> str:
        rows = [
            (name, f"{score:.3f}", *(f"{edge:.1f}" for edge in xyxy)) for name, score, xyxy in self
        ]
        return html_table([("class", "score", "left", "top", "right", "bottom"), *rows])

    def _each(self) -> dict[str, np.ndarray]:
        """The fields that have an entry for each box."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name not in _OF_ALL
        }
