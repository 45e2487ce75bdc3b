"""What becomes of a result when only answers above a score are shown, for every score that a user
may cut at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from cvtasks.metrics.average_precision import LEAST, THRESHOLDS
from cvtasks.metrics.base import Metric, ratio
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.metrics.localization import LocationMetric
from cvtasks.metrics.multi_label import MultiLabelMetric

_NAMED = 60  # classes that are told apart

MEAN = "mean of the classes"


@dataclass(frozen=True, eq=False)
class ByThreshold:
    """Numbers from 0 to 1 at each of `THRESHOLDS`, NaN where there are none.

    Attributes:
        columns: what the numbers are called.
        rows: a class, or all of them together → (columns, 101) numbers; that of all comes first.
        start: the threshold to begin with; `why` says in a sentence what is special about it.
        meaning: what the columns are, in a sentence.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, np.ndarray]
    start: float
    why: str
    meaning: str


@singledispatch
def by_threshold(metric: Metric) -> ByThreshold | None:
    """The numbers of a result by the least score of what is shown; None where nothing was counted,
    or answers have no score.
    """
    return None


@by_threshold.register
def _(metric: BoxesMetric) -> ByThreshold | None:
    counts = {
        name: (*curve.at(THRESHOLDS), curve.objects)
        for name, curve in metric.curves().items()
        if curve.objects
    }
    return _precision_recall(counts, metric.best_threshold(), "objects, at an IoU of 0.5")


@by_threshold.register
def _(metric: MultiLabelMetric) -> ByThreshold | None:
    counts = {
        name: (*curve.at(THRESHOLDS), curve.objects)
        for name, curve in metric.curves().items()
        if curve.objects
    }
    return _precision_recall(counts, metric.best_threshold(), "images that show the class")


@by_threshold.register
def _(metric: AccuracyMetric) -> ByThreshold | None:
    return _coverage(*metric.coverage(THRESHOLDS), "its class is right")


@by_threshold.register
def _(metric: LocationMetric) -> ByThreshold | None:
    return _coverage(*metric.coverage(THRESHOLDS), "its class and its box are right")


def _precision_recall(
    counts: Mapping[str, tuple[np.ndarray, np.ndarray, int]],
    best: tuple[float, float],
    what: str,
) -> ByThreshold | None:
    """Class → (101,) shown, (101,) hits, objects."""
    if not counts:
        return None
    rows = {
        name: np.stack(
            [ratio(hits, shown), hits / objects, 2 * hits / (shown + objects)],
        )
        for name, (shown, hits, objects) in counts.items()
    }
    stacked = np.stack(list(rows.values()))
    known = ~np.isnan(stacked)
    mean = ratio(np.where(known, stacked, 0).sum(axis=0), known.sum(axis=0))
    frequent = sorted(counts, key=lambda name: -counts[name][2])[:_NAMED]
    named = {name: rows[name] for name in rows if name in frequent}
    return ByThreshold(
        ("precision", "recall", "F1"),
        {MEAN: mean, **named},
        best[0],
        _best_words(mean[-1], *best),
        f"Precision is the share of what is shown that is right, recall the share of the {what}, "
        "that is shown, F1 their harmonic mean.",
    )


def _best_words(mean: np.ndarray, threshold: float, f1: float) -> str:
    """At which threshold the mean F1 (101,) is best; and where that is lower than any that is
    chosen, what it is at the chosen one.

    >>> _best_words(np.where(THRESHOLDS < 0.02, 0.0257, 0.0), 0.05, 0.0)
    'The best mean F1, 0.0257, is at 0.00, lower than is ever chosen; at 0.05 it is 0.0000.'
    """
    top = int(mean.argmax())
    if not mean[top] > 0:
        return "Nothing is found at any threshold: the mean F1 is 0."
    if mean[top] <= mean[THRESHOLDS >= LEAST].max():
        return f"The best mean F1, {f1:.4f}, is at {threshold:.2f}."
    return (
        f"The best mean F1, {mean[top]:.4f}, is at {THRESHOLDS[top]:.2f}, lower than is ever "
        f"chosen; at {threshold:.2f} it is {f1:.4f}."
    )


def _coverage(shown: Sequence[int], right: Sequence[float], what: str) -> ByThreshold | None:
    if not shown or not shown[0]:
        return None
    of_all = np.stack([np.array(shown) / shown[0], ratio(np.array(right), np.array(shown))])
    return ByThreshold(
        ("coverage", "accuracy"),
        {"all images": of_all},
        0.5,
        "Whoever can leave the unsure images to people gains accuracy.",
        "Coverage is the share of the images whose best score is at least the threshold, accuracy "
        f"the share of these where {what}.",
    )
