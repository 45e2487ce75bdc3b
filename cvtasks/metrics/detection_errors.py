"""What a detector got wrong: which classes it takes for which, its surest false positives, the
largest objects it missed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import areas
from cvtasks.metrics.matching import Objects, Overlaps, Predictions, judge

_NEAR = (
    0.1  # overlap below which a box has nothing to do with an object (Hoiem et al., section 2.1)
)

Kind = Literal["background", "confused", "duplicate", "poorly localized", "missed"]


@dataclass(frozen=True, eq=False)
class BoxError:
    """A wrong prediction, or a missed object.

    Attributes:
        kind: of a prediction: "duplicate" of one that found the object first, "confused" with an
            object of another class, "poorly localized" near one of its own class, or of
            "background"; else "missed".
        image: index of the image, in the order in which they were added.
        label, xyxy, score: the class and the box (4,) of the prediction and its score; of a missed
            object its own, and 1.
        other_label, other_xyxy, other_score, iou: the object that the prediction overlaps most and
            by how much; for a missed object the prediction that comes nearest. -1, None, 0 and 0
            where there is none.
    """

    kind: Kind
    image: int
    label: int
    xyxy: np.ndarray
    score: float
    other_label: int = -1
    other_xyxy: np.ndarray | None = None
    other_score: float = 0.0
    iou: float = 0.0


def confusion(
    images: Sequence[tuple[Boxes, Boxes]],
    classes: int,
    threshold: float,
    least_iou: float,
    overlaps: Overlaps,
) -> np.ndarray:
    """(truth, prediction) pairs → (classes + 1, classes + 1) int64; row = truth, column =
    prediction, the last is background.

    From the surest down, whatever its class, each prediction with a score of at least `threshold`
    goes to the object that it overlaps most of those still free, by `least_iou` at least. One that
    finds none is background's, but counts nowhere if it overlaps something difficult or lies in a
    crowd by half; so does an object that nothing found.
    """
    matrix = np.zeros((classes + 1, classes + 1), np.int64)
    for truth, prediction in images:
        shown = prediction.take(np.argsort(-prediction.scores, kind="stable"))
        shown = shown.take(shown.scores >= threshold)
        (overlap, inside), free = overlaps(shown, truth), truth.counted
        reached = np.where(truth.crowd, inside, overlap >= least_iou)[:, ~truth.counted]
        excused = np.asarray(reached.any(axis=1))
        for label, row, pardon in zip(shown.labels, overlap, excused, strict=True):
            near = np.flatnonzero(free & (row >= least_iou))
            if near.size:
                best = near[np.lexsort((truth.labels[near] != label, -row[near]))[0]]
                matrix[truth.labels[best], label] += 1
                free[best] = False
            elif not pardon:
                matrix[classes, label] += 1
        np.add.at(matrix[:, classes], truth.labels[free], 1)
    return matrix


def false_positives(
    objects: Objects, predictions: Predictions, least_iou: float, most: int
) -> list[BoxError]:
    """The wrong predictions with the highest scores, at most `most`, each with what is wrong about
    it.

    Source: Hoiem et al., "Diagnosing Error in Object Detectors", 2012; but as confused with another
    class counts only what would have been a hit of that class.
    """
    verdicts = judge(objects, predictions, least_iou)
    wrong = verdicts.order[~(verdicts.hit | verdicts.passed)[verdicts.order]][:most]
    found = []
    for i in wrong.tolist():
        own, other = float(predictions.own_iou[i]), float(predictions.other_iou[i])
        kind = _kind(own, other, least_iou)
        of_own = own >= other if kind == "background" else kind != "confused"
        at = int(predictions.own[i] if of_own else predictions.other[i])
        against = (
            ()
            if at < 0
            else (int(objects.labels[at]), objects.xyxy[at], 1.0, own if of_own else other)
        )
        where = (
            int(predictions.image[i]),
            int(predictions.labels[i]),
            predictions.xyxy[i],
            float(predictions.scores[i]),
        )
        found.append(BoxError(kind, *where, *against))
    return found


def _kind(own: float, other: float, least_iou: float) -> Kind:
    """What is wrong about a prediction with such overlaps with an object of its class and of
    another one.
    """
    if own >= least_iou:
        return "duplicate"
    if other >= least_iou:
        return "confused"
    return "poorly localized" if own >= _NEAR else "background"


def error_counts(
    objects: Objects, predictions: Predictions, least_iou: float, threshold: float
) -> dict[str, int]:
    """Kind of error → how many of the predictions with a score of at least `threshold` have it;
    and "missed" → how many objects none of these has found.
    """
    verdicts = judge(objects, predictions, least_iou)
    shown = predictions.scores >= threshold
    wrong = shown & ~(verdicts.hit | verdicts.passed)
    counts = dict.fromkeys(get_args(Kind), 0)
    rows = zip(predictions.own_iou[wrong], predictions.other_iou[wrong], strict=True)
    for own, other in rows:
        counts[_kind(float(own), float(other), least_iou)] += 1
    counts["missed"] = int(objects.counted.sum() - (verdicts.hit & shown).sum())
    return counts


def missed(
    images: Sequence[tuple[Boxes, Boxes]],
    objects: Objects,
    predictions: Predictions,
    least_iou: float,
    threshold: float,
    most: int,
    overlaps: Overlaps,
) -> list[BoxError]:
    """The largest objects that no prediction with a score of at least `threshold` has found, at
    most `most`.

    Args:
        images: (truth, prediction) pairs, of which `objects` and `predictions` were collected.
    """
    verdicts = judge(objects, predictions, least_iou)
    shown = predictions.scores >= threshold
    lost = objects.counted.copy()
    lost[predictions.own[verdicts.hit & shown]] = False
    largest = np.flatnonzero(lost)
    largest = largest[np.argsort(-areas(objects.xyxy[largest]), kind="stable")][:most]
    found = []
    for i in largest.tolist():
        image = int(objects.image[i])
        near = np.flatnonzero(shown & (predictions.image == image))
        truth, prediction = images[image]
        place = i - np.searchsorted(objects.image, image)
        overlap = overlaps(
            prediction.take(near - np.searchsorted(predictions.image, image)),
            truth.take(np.array([place])),
        )[0][:, 0]
        against: tuple = ()
        if overlap.max(initial=0) >= _NEAR:
            at = near[overlap.argmax()]
            against = (
                int(predictions.labels[at]),
                predictions.xyxy[at],
                float(predictions.scores[at]),
                float(overlap.max()),
            )
        found.append(
            BoxError("missed", image, int(objects.labels[i]), objects.xyxy[i], 1.0, *against)
        )
    return found
