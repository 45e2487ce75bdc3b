"""Which prediction has found which object, over a whole data set, by the rules of Pascal VOC."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import areas, intersections, iou

Overlaps = Callable[[Boxes, Boxes], tuple[np.ndarray, np.ndarray]]
"""(n predictions, m objects of one image) → (n, m) float64 IoUs, and (n, m) bool: whether at least
half of each prediction lies in each object.
"""


@dataclass(frozen=True, eq=False)
class Objects:
    """All objects of a data set.

    Attributes:
        image: (m,) int64, index of its image; `labels` (m,); `xyxy` (m, 4); `counted` (m,) bool, as
            in `Boxes`.
    """

    image: np.ndarray
    labels: np.ndarray
    xyxy: np.ndarray
    counted: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictions:
    """All predictions of a data set, and the object that each overlaps most; crowds are none.

    Attributes:
        image: (n,) int64, index of its image; `labels` (n,); `scores` (n,); `xyxy` (n, 4).
        own: (n,) int64, the object of its own class that it overlaps most, -1 for none; `own_iou`
            (n,) their IoU, else 0.
        other: (n,) int64, the same of any other class; `other_iou` (n,).
        in_crowd: (n,) bool, at least half of it lies in a crowd of its class.
    """

    image: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    xyxy: np.ndarray
    own: np.ndarray
    own_iou: np.ndarray
    other: np.ndarray
    other_iou: np.ndarray
    in_crowd: np.ndarray


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What became of each prediction at one IoU.

    Attributes:
        order: (n,) int64, indices of the predictions from the surest down; equal scores in the
            order they came in.
        hit: (n,) bool, by index: the first that found an object that counts.
        passed: (n,) bool, by index: counts neither way, as it found something difficult or lies in
            a crowd.
    """

    order: np.ndarray
    hit: np.ndarray
    passed: np.ndarray


def collect(
    images: Iterable[tuple[Boxes, Boxes]], overlaps: Overlaps
) -> tuple[Objects, Predictions]:
    """(truth, prediction) pairs → everything in long columns."""
    nothing = Boxes.of(
        [], [], (), (0, 0)
    )  # gives the columns their types where there are no images
    objects, before = [_objects(0, nothing)], 0
    predictions = [_predictions(0, nothing, nothing, 0, box_overlaps)]
    for number, (truth, prediction) in enumerate(images):
        objects.append(_objects(number, truth))
        predictions.append(_predictions(number, truth, prediction, before, overlaps))
        before += len(truth)
    columns = [map(np.concatenate, zip(*rows, strict=True)) for rows in (objects, predictions)]
    return Objects(*columns[0]), Predictions(*columns[1])


def judge(objects: Objects, predictions: Predictions, threshold: float) -> Verdicts:
    """Judge every prediction as VOCevaldet.m does.

    From the surest down, each goes to the object of its class in its image that it overlaps most.
    With an IoU of at least `threshold` it is a hit if the object has none yet, and else wrong; a
    difficult object swallows any number. Beyond the devkit, which knows no crowds: what would be
    wrong and lies in a crowd of its class by half counts neither way.
    """
    order = np.argsort(-predictions.scores, kind="stable")
    found = np.where(predictions.own_iou >= threshold, predictions.own, -1)
    counted = np.append(objects.counted, False)[found]  # the added one stands for −1
    claims = order[counted[order]]
    first = np.unique(found[claims], return_index=True)[1]
    hit = np.zeros(len(order), bool)
    hit[claims[first]] = True
    return Verdicts(order, hit, ~hit & (((found >= 0) & ~counted) | predictions.in_crowd))


def box_overlaps(found: Boxes, objects: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """`Overlaps` of boxes, computed in float64."""
    boxes, others = found.xyxy.astype(np.float64), objects.xyxy.astype(np.float64)
    return iou(boxes, others), covered(boxes, others)


def covered(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) → (n, m) bool: whether at least half of each box lies in each other one."""
    return (
        intersections(boxes, others)
        >= 0.5 * np.maximum(areas(boxes), np.finfo(np.float64).tiny)[:, None]
    )


def _objects(number: int, truth: Boxes) -> tuple[np.ndarray, ...]:
    return np.full(len(truth), number), truth.labels, truth.xyxy, truth.counted


def _predictions(
    number: int, truth: Boxes, prediction: Boxes, before: int, overlaps: Overlaps
) -> tuple[np.ndarray, ...]:
    """The columns of `Predictions` for one image; `before` objects came in earlier ones."""
    same = prediction.labels[:, None] == truth.labels[None]
    overlap, inside = overlaps(prediction, truth)
    overlap = np.where(truth.crowd, 0.0, overlap)
    return (
        np.full(len(prediction), number),
        prediction.labels,
        prediction.scores,
        prediction.xyxy,
        *_best(np.where(same, overlap, 0.0), before),
        *_best(np.where(same, 0.0, overlap), before),
        (same & truth.crowd & inside).any(axis=1),
    )


def _best(overlap: np.ndarray, before: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) IoUs → the index of the largest, counted from `before`, or -1 where all are 0; and the
    largest itself.
    """
    if not overlap.shape[1]:
        return np.full(len(overlap), -1), np.zeros(len(overlap))
    best = overlap.argmax(axis=1)
    value = np.take_along_axis(overlap, best[:, None], axis=1)[:, 0]
    return np.where(value > 0, best + before, -1), value
