"""How far answers about the same images differ, by their type."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.geometry.boxes import iou
from cvtasks.geometry.rle import rle_iou
from cvtasks.text import counted

_SAME = 0.5  # IoU from which on two boxes of one class are of one object
_NEAR = 1e-3  # of an overlap from the one that suppresses: there a box may come or go


@dataclass(frozen=True)
class Bounds:
    """How far the answers of an exported file may be from the model's.

    Attributes:
        pixels: of an edge of a box, in pixels of the image, at most.
        scores: of a score, 0 to 1, at most.
        mask_iou: mean IoU of the masks of objects, at least.
        equal_pixels: share of a map's pixels that have the same class, at least.
    """

    pixels: float
    scores: float
    mask_iou: float
    equal_pixels: float


Candidates = Callable[[], tuple[Any, Any]]
"""What both say of an image before objects that others cover are left out."""


class Differences(ABC):
    """Collects pairs of answers: the model's, and those of the exported file.

    Args:
        head: the model's.
        bounds: what counts as next to a threshold.

    Attributes:
        compared: things of the answers that have been compared.
    """

    def __init__(self, head: Any, bounds: Bounds) -> None:
        self._head, self._bounds, self._near = head, bounds, bounds.scores
        self.compared = 0

    @abstractmethod
    def add(self, ours: Any, theirs: Any, candidates: Candidates | None = None) -> None:
        """Count what both say of one image.

        Args:
            candidates: gives what the answers were chosen from, where it is asked.
        """

    @abstractmethod
    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound, if it has one."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""

    @abstractmethod
    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""


class OfBoxes(Differences):
    """Of boxes with scores: matched one to one by class and overlap.

    An object that one of both alone has is a tie, and no fault, where it stands at a border that
    rounding decides about: its score at the least that counts, the last of as many as are kept, or
    its overlap with another one at `nms`. So is one that the other has among its candidates, within
    the bounds: of two boxes of one object with nearly the same score, rounding decides which one
    covers the other.
    """

    def __init__(self, head: Any, bounds: Bounds) -> None:
        super().__init__(head, bounds)
        self.pixels = self.scores = 0.0
        self.ties = self.alone = 0

    def add(self, ours: Boxes, theirs: Boxes, candidates: Candidates | None = None) -> None:
        """Count what both say of one image."""
        one, other = _matched(ours, theirs)
        edges = _apart(ours.xyxy[one], theirs.xyxy[other]).max(axis=1, initial=0.0)
        scores = np.abs(ours.scores[one] - theirs.scores[other])
        far = (edges > self._bounds.pixels) | (scores > self._bounds.scores)
        left = [
            np.setdiff1d(np.arange(len(boxes)), which)
            for boxes, which in ((ours, one), (theirs, other))
        ]
        before: tuple[Boxes, Boxes] = (ours, theirs)
        if candidates and (far.any() or len(left[0]) or len(left[1])):
            before = candidates()
        tied = np.array(
            [
                is_far and self._among(before[0], theirs, int(its))
                for is_far, its in zip(far, other, strict=True)
            ],
            bool,
        )
        self.ties += int(tied.sum())
        one, other, edges, scores = (part[~tied] for part in (one, other, edges, scores))
        self.compared += len(one)
        self.pixels = max(self.pixels, float(edges.max(initial=0.0)))
        self.scores = max(self.scores, float(scores.max(initial=0.0)))
        for boxes, which, others in ((ours, left[0], before[1]), (theirs, left[1], before[0])):
            for index in which.tolist():
                if self._is_tie(boxes, index) or self._among(others, boxes, index):
                    self.ties += 1
                else:
                    self.alone += 1
        self._add_pairs(ours, theirs, one, other)

    def _among(self, candidates: Boxes, boxes: Boxes, index: int) -> bool:
        """Whether one of the candidates is this box, within the bounds."""
        same = candidates.labels == boxes.labels[index]
        away = _apart(candidates.xyxy[same], boxes.xyxy[index]).max(axis=1, initial=0.0)
        near = np.abs(candidates.scores[same] - boxes.scores[index]) <= self._bounds.scores
        return bool((near & (away <= self._bounds.pixels)).any())

    def _add_pairs(self, ours: Boxes, theirs: Boxes, one: np.ndarray, other: np.ndarray) -> None:
        """Count what else the objects that match have."""

    def _is_tie(self, boxes: Boxes, index: int) -> bool:
        """Whether rounding decides if this box is there."""
        score = boxes.scores[index]
        least = max(getattr(self._head, "min_score", 0.0), 0.0)
        if abs(score - least) <= self._near:
            return True
        most = getattr(self._head, "max_detections", 0)
        if most and len(boxes) >= most and score - boxes.scores.min() <= self._near:
            return True
        overlap = getattr(self._head, "nms", None)
        if overlap is None:
            return False
        others = boxes.labels == boxes.labels[index]
        others[index] = False
        near = iou(boxes.xyxy[[index]], boxes.xyxy[others])
        return bool((np.abs(near - overlap) <= _NEAR).any())

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound."""
        return [
            ("objects compared", str(self.compared), ""),
            ("objects in one alone", str(self.alone), "0"),
            ("ties at a border", str(self.ties), ""),
            ("edges, px", f"{self.pixels:.2g}", "pixels"),
            ("scores", f"{self.scores:.2g}", "scores"),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""
        return {
            "objects": self.compared,
            "objects_in_one_alone": self.alone,
            "ties": self.ties,
            "pixels": self.pixels,
            "scores": self.scores,
        }

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""
        if self.alone:
            yield f"{counted(self.alone, 'object')} of {self.compared + self.alone} in one alone"
        yield from _beyond("edges of boxes", self.pixels, bounds.pixels, " px")
        yield from _beyond("scores", self.scores, bounds.scores)


class OfInstances(OfBoxes):
    """Of objects with masks."""

    def __init__(self, head: Any, bounds: Bounds) -> None:
        super().__init__(head, bounds)
        self._ious: list[float] = []

    @property
    def mask_iou(self) -> float:
        """The mean over the objects that match; 1 where there are none."""
        return float(np.mean(self._ious)) if self._ious else 1.0

    def _add_pairs(self, ours: Boxes, theirs: Boxes, one: np.ndarray, other: np.ndarray) -> None:
        if not (isinstance(ours, Instances) and isinstance(theirs, Instances)):
            raise TypeError(f"objects must have masks; got {type(ours)} and {type(theirs)}.")
        for mine, its in zip(one, other, strict=True):
            pair = [ours.masks[mine]], [theirs.masks[its]]
            same = pair[0] == pair[1]  # also where both show nothing
            self._ious.append(1.0 if same else float(rle_iou(*pair, ours.size)[0, 0]))

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound."""
        return [*super().rows(), ("mean IoU of masks", f"{self.mask_iou:.6f}", "mask_iou")]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""
        return {**super().to_dict(), "mask_iou": self.mask_iou}

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""
        yield from super().faults(bounds)
        yield from _below("mean IoU of masks", self.mask_iou, bounds.mask_iou)


class OfMask(Differences):
    """Of one class for each pixel."""

    def __init__(self, head: Any, bounds: Bounds) -> None:
        super().__init__(head, bounds)
        self._equal = self._pixels = 0

    @property
    def equal(self) -> float:
        """The share of all pixels that have the same class; 1 where there are none."""
        return self._equal / self._pixels if self._pixels else 1.0

    def add(self, ours: Mask, theirs: Mask, candidates: Candidates | None = None) -> None:
        """Count what both say of one image."""
        self.compared += len(np.union1d(ours.present(), theirs.present()))
        self._equal += int((ours.ids == theirs.ids).sum())
        self._pixels += ours.ids.size

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound."""
        return [("equal pixels", f"{self.equal:.6f}", "equal_pixels")]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""
        return {"pixels": self._pixels, "equal_pixels": self.equal}

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""
        yield from _below("share of equal pixels", self.equal, bounds.equal_pixels)


class OfLabels(Differences):
    """Of a score for each class: the scores, and which class is first where no other one is as
    near to it as a score may differ.
    """

    def __init__(self, head: Any, bounds: Bounds) -> None:
        super().__init__(head, bounds)
        self.scores, self.others = 0.0, 0

    def add(self, ours: Labels, theirs: Labels, candidates: Candidates | None = None) -> None:
        """Count what both say of one image."""
        self.compared += 1
        self.scores = max(self.scores, float(np.abs(ours.scores - theirs.scores).max()))
        first, its = int(ours.scores.argmax()), int(theirs.scores.argmax())
        self.others += bool(ours.scores[first] - ours.scores[its] > self._near)

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound."""
        return [
            ("scores", f"{self.scores:.2g}", "scores"),
            ("images with another first class", str(self.others), "0"),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""
        return {"images": self.compared, "scores": self.scores, "other_first_class": self.others}

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""
        if self.others:
            yield f"another first class in {counted(self.others, 'image')}"
        yield from _beyond("scores", self.scores, bounds.scores)


class OfRecords(Differences):
    """Of an answer of any other kind: the numbers of its record, and what else stands there."""

    def __init__(self, head: Any, bounds: Bounds) -> None:
        super().__init__(head, bounds)
        self.numbers, self.others = 0.0, 0

    def add(self, ours: Answer, theirs: Answer, candidates: Candidates | None = None) -> None:
        """Count what both say of one image."""
        self.compared += 1
        own, other = (dict(_leaves(self._head.task.record(one))) for one in (ours, theirs))
        apart = [
            abs(own[place] - other[place])
            for place in own.keys() & other.keys()
            if _numeric(own[place]) and _numeric(other[place])
        ]
        self.numbers = max([self.numbers, *apart])
        words = [
            {place: one for place, one in found.items() if not _numeric(one)}
            for found in (own, other)
        ]
        self.others += own.keys() != other.keys() or words[0] != words[1]

    def rows(self) -> list[tuple[str, str, str]]:
        """What differs, how far, and the name of its bound."""
        return [
            ("numbers of the records", f"{self.numbers:.2g}", "pixels"),
            ("images with another record", str(self.others), "0"),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The same as numbers."""
        return {"images": self.compared, "numbers": self.numbers, "other_records": self.others}

    def faults(self, bounds: Bounds) -> Iterator[str]:
        """What is beyond the bounds, in words."""
        if self.others:
            yield f"another record in {counted(self.others, 'image')}"
        yield from _beyond("numbers of the records", self.numbers, bounds.pixels)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Place within a record → what stands there."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, (*place, key))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _leaves(each, (*place, index))
    else:
        yield place, value


def _numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: tuple[tuple[type[Answer], type[Differences]], ...] = (
    (Instances, OfInstances),
    (Boxes, OfBoxes),
    (Mask, OfMask),
    (Labels, OfLabels),
)


def differences_of(answer: type[Answer]) -> type[Differences]:
    """What collects the differences of answers of a type."""
    return next((found for kind, found in _KINDS if issubclass(answer, kind)), OfRecords)


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far places in pixels are apart, but for the last bit of what float32 holds of them.

    >>> bool(_apart(np.float32(318.48), np.float32(318.47)) <= 0.01)  # the bits say 0.0100098
    True
    """
    bit = np.spacing(np.maximum(np.abs(one), np.abs(other)).astype(np.float32))
    return np.maximum(np.abs(one.astype(np.float64) - other) - bit, 0.0)


def _matched(ours: Boxes, theirs: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the boxes that are of the same objects: of one class, and overlapping; those of
    the most equal scores and edges where several could be.
    """
    if not len(ours) or not len(theirs):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing
    overlap = iou(ours.xyxy, theirs.xyxy)
    away = np.abs(ours.scores[:, None] - theirs.scores[None])
    possible = (overlap >= _SAME) & (ours.labels[:, None] == theirs.labels[None])
    one, other = linear_sum_assignment(np.where(possible, (1 - overlap) + away, 1e3))
    real = possible[one, other]
    return one[real], other[real]


def _beyond(what: str, found: float, most: float, unit: str = "") -> Iterator[str]:
    if not found <= most:
        yield f"{what} by {found:.2g}{unit}, at most {most:g}{unit} is allowed"


def _below(what: str, found: float, least: float) -> Iterator[str]:
    if not found >= least:
        yield f"{what} {found:.4f}, at least {least:g} is asked for"
