"""Average precision of one class as Pascal VOC computes it, from hits and misses sorted by score;
the best threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_LEVELS = np.arange(11) * 0.1

THRESHOLDS = np.linspace(0, 1, 101)
"""Scores that a user may cut at."""

LEAST = 0.05
"""The lowest of them that is chosen for a user."""


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """What precision, recall and F1 of one class are made of.

    Attributes:
        hits: (n,) bool, one a prediction that counts, from the surest down.
        scores: (n,) float32, falling.
        objects: how many there were to be found.
    """

    hits: np.ndarray
    scores: np.ndarray
    objects: int

    @property
    def precision(self) -> np.ndarray:
        """(n,) 0 to 1: of the predictions up to each, the share of hits."""
        return np.cumsum(self.hits) / np.arange(1, len(self.hits) + 1)

    @property
    def recall(self) -> np.ndarray:
        """(n,) 0 to 1: of the objects, the share found up to each prediction; NaN where there are
        none.
        """
        return np.cumsum(self.hits) / (self.objects or np.nan)

    def at(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(t,) scores → (t,) predictions with at least each, and (t,) hits among these."""
        shown = np.searchsorted(
            -self.scores, -np.asarray(thresholds, self.scores.dtype), side="right"
        )
        return shown, np.concatenate([[0], np.cumsum(self.hits)])[shown]

    def f1(self, thresholds: np.ndarray) -> np.ndarray:
        """(t,) scores → (t,) 0 to 1: 2 hits / (predictions + objects) of what has at least each
        score; needs an object.
        """
        shown, found = self.at(thresholds)
        return 2 * found / (shown + self.objects)


def area_ap(precision: np.ndarray, recall: np.ndarray) -> float:
    """(n,), (n,) → the area below the curve after each precision was raised to the best one of a
    larger recall.

    Source: VOCap.m of the devkit of 2010 and later.

    >>> round(area_ap(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0])), 6)
    0.833333
    """
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def eleven_point_ap(precision: np.ndarray, recall: np.ndarray) -> float:
    """(n,), (n,) → the mean of the best precisions at a recall of at least 0, 0.1 … 1.

    The levels are `arange(11) * 0.1`, as the NumPy programs have them that carry the devkit's
    number: 0.3, 0.6 and 0.7 among them are a hair too large, so that a recall of exactly 3, 6 or 7
    tenths does not reach its own.

    Source: VOCevaldet.m of the devkit of 2007, whose levels are 0:0.1:1.

    >>> round(eleven_point_ap(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0])), 6)
    0.848485
    """
    return float(np.mean([precision[recall >= level].max(initial=0.0) for level in _LEVELS]))


def best_threshold(rows: Sequence[np.ndarray]) -> tuple[float, float]:
    """F1 (101,) of each class at `THRESHOLDS` → the threshold with the best mean, and that; (0.5,
    NaN) without a class.

    Thresholds below `LEAST` are not chosen: what is so unsure would be drawn by the hundred. It is
    `LEAST` itself where no higher one finds anything.
    """
    if not rows:
        return 0.5, float("nan")
    mean = np.mean(rows, axis=0)
    high = np.where(THRESHOLDS < LEAST, -1.0, mean)
    if not high.max() > 0:
        return LEAST, 0.0
    best = _middle_of_best(mean)
    if THRESHOLDS[best] < LEAST:
        best = _middle_of_best(high)
    return float(THRESHOLDS[best].round(2)), float(mean[best])


def _middle_of_best(values: np.ndarray) -> int:
    best = np.flatnonzero(values == values.max())
    return int(best[len(best) // 2])
