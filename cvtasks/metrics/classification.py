"""How good a classification is where an image has one class: accuracy,
and what is taken for what.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Labels
from cvtasks.metrics.base import ByImage, Metric, mean_of_known, ratio


@dataclass(frozen=True)
class LabelError:
    """An image that was given a class it does not show, or not given one that it shows.

    Attributes:
        image: index of the image, in the order in which they were added.
        label, score: the class that is wrong, or missing, and its score.
        truth: the classes that the image shows.
        truth_score: the score of the one class that it shows; NaN where it may show several.
    """

    image: int
    label: int
    score: float
    truth: tuple[int, ...]
    truth_score: float = float("nan")


class AccuracyMetric(Metric[Labels]):
    """Collects (truth, prediction) pairs with one class in each truth.

    "top-k accuracy" is the share of images whose class is among the k best scores (Russakovsky et
    al., "ImageNet Large Scale Visual Recognition Challenge", 2015, section 4.1: one minus the
    error). Classes that tie with the true one for the last places share them: where all scores are
    equal, top-k accuracy is k / classes. "top-5 accuracy" is left out where there are no more than
    five classes. "mean class accuracy" is the mean over the classes of the share of their images
    that were found.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._truths: list[int] = []
        self._scores: list[np.ndarray] = []

    def add(self, truth: Labels, prediction: Labels) -> None:
        """Count one image.

        Raises:
            ValueError: the classes are not those of this metric, or the truth has not exactly one.
        """
        if {truth.classes, prediction.classes} != {self.classes}:
            raise ValueError(
                f"truth and prediction must have the metric's classes {self.classes}; got "
                f"{truth.classes} and {prediction.classes}."
            )
        if len(truth.shown) != 1:
            raise ValueError(f"a truth must have exactly one class; got {list(truth.names)}.")
        self._truths.append(int(truth.shown[0]))
        self._scores.append(prediction.scores)

    def result(self) -> dict[str, float]:
        """ "top-1 accuracy", "top-5 accuracy", "mean class accuracy", 0 to 1; NaN before anything
        was counted.
        """
        first = self.hits(1)
        found = {"top-1 accuracy": _mean(first)}
        if len(self.classes) > 5:
            found["top-5 accuracy"] = _mean(self.hits(5))
        return found | {"mean class accuracy": _mean(self._recalls()[self._counts() > 0])}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → "accuracy" (the share of its images that were found), "precision" and "F1"; NaN
        where there is nothing.

        Classes that tie for the best score share the image.
        """
        truths, scores = self._collected()
        best = scores == scores.max(axis=1, keepdims=True, initial=0)
        called = (best / best.sum(axis=1, keepdims=True)).sum(axis=0)
        hit = np.bincount(truths, weights=self.hits(1), minlength=len(self.classes))
        with np.errstate(invalid="ignore"):
            precision, f1 = hit / called, 2 * hit / (called + self._counts())
        rows = zip(self.classes, self._recalls(), precision, f1, strict=True)
        return {
            name: {"accuracy": float(r), "precision": float(p), "F1": float(f)}
            for name, r, p, f in rows
        }

    def by_image(self) -> ByImage:
        """All numbers of `result` over any resample."""
        truths = self._collected()[0]
        order = np.argsort(truths, kind="stable")
        first, begins = self.hits(1), np.flatnonzero(np.diff(truths[order], prepend=-1))
        top = {f"top-{k} accuracy": self.hits(k) for k in (1, 5) if k == 1 or len(self.classes) > 5}

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            total = counts.sum(axis=1)
            of_class, found = (
                np.add.reduceat(rows[:, order], begins, axis=1) for rows in (counts, counts * first)
            )
            means = {name: ratio(counts @ hits, total) for name, hits in top.items()}
            return means | {"mean class accuracy": mean_of_known(ratio(found, of_class))}

        return ByImage(len(truths), numbers, 4 * len(truths))

    def hits(self, k: int) -> np.ndarray:
        """(n,) 0 to 1: how far the class of each image is among its k best scores; a fraction where
        scores tie.
        """
        truths, scores = self._collected()
        own = scores[np.arange(len(truths)), truths][:, None]
        better, tied = (scores > own).sum(1), (scores == own).sum(1)
        return np.clip((k - better) / tied, 0, 1)

    def coverage(self, thresholds: np.ndarray) -> tuple[list[int], list[float]]:
        """(t,) scores → how many images have a best score of at least each (t,), and in how many of
        these the best class is right (t,); a fraction where scores tie.
        """
        _, scores = self._collected()
        best, hits = scores.max(axis=1, initial=0), self.hits(1)
        shown = [best >= least for least in thresholds.astype(best.dtype)]
        return [int(row.sum()) for row in shown], [float(hits[row].sum()) for row in shown]

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes) int64 images; row = truth, column = the best score, the first of equal
        ones.
        """
        truths, scores = self._collected()
        n = len(self.classes)
        pairs = truths * n + (scores.argmax(1) if len(truths) else truths)
        return np.bincount(pairs, minlength=n * n).reshape(n, n)

    def wrong(self, most: int) -> list[LabelError]:
        """The images whose best score is not their class's, the highest scores first, at most
        `most`.
        """
        truths, scores = self._collected()
        called = scores.argmax(axis=1)
        wrong = np.flatnonzero(called != truths)
        surest = wrong[np.argsort(-scores[wrong].max(1, initial=0), kind="stable")][:most]
        return [
            LabelError(
                i,
                int(called[i]),
                float(scores[i, called[i]]),
                (int(truths[i]),),
                float(scores[i, truths[i]]),
            )
            for i in surest.tolist()
        ]

    def _collected(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int64 classes and (n, classes) float32 scores."""
        return np.array(self._truths, np.int64), np.array(self._scores, np.float32).reshape(
            -1, len(self.classes)
        )

    def _counts(self) -> np.ndarray:
        return np.bincount(self._collected()[0], minlength=len(self.classes))

    def _recalls(self) -> np.ndarray:
        truths, counts = self._collected()[0], self._counts()
        with np.errstate(invalid="ignore"):
            return np.bincount(truths, weights=self.hits(1), minlength=len(self.classes)) / counts


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")
