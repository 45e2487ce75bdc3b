"""How good a classification is where an image may have several classes: average precision, as
Pascal VOC has it.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Labels
from cvtasks.metrics.average_precision import THRESHOLDS, area_ap, best_threshold, eleven_point_ap
from cvtasks.metrics.base import ByImage, Metric, mean_of_known
from cvtasks.metrics.classification import LabelError
from cvtasks.metrics.weighted_ap import ELEVEN, average


@dataclass(frozen=True, eq=False)
class RankingCurve:
    """What precision, recall and F1 of one class are made of, at each score that occurs.

    Attributes:
        scores: (t,) float32, falling, no two equal.
        hits: (t,) int64, images with at least each score that show the class; `ranked` (t,) all
            images with it.
        objects: images that show the class.
    """

    scores: np.ndarray
    hits: np.ndarray
    ranked: np.ndarray
    objects: int

    @property
    def precision(self) -> np.ndarray:
        """(t,) 0 to 1: of the images with at least each score, the share that shows the class."""
        return self.hits / self.ranked

    @property
    def recall(self) -> np.ndarray:
        """(t,) 0 to 1: of the images that show the class, the share with at least each score; NaN
        where there are none.
        """
        return self.hits / (self.objects or np.nan)

    def at(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) scores → (n,) images with at least each, and (n,) those of them that show the
        class.
        """
        steps = np.searchsorted(
            -self.scores, -np.asarray(thresholds, self.scores.dtype), side="right"
        )
        hits, ranked = (np.concatenate([[0], counts])[steps] for counts in (self.hits, self.ranked))
        return ranked, hits

    def f1(self, thresholds: np.ndarray) -> np.ndarray:
        """(n,) scores → (n,) 0 to 1: 2 hits / (images with at least each score + `objects`); needs
        one that shows the class.
        """
        ranked, hits = self.at(thresholds)
        return 2 * hits / (ranked + self.objects)


class MultiLabelMetric(Metric[Labels]):
    """Collects (truth, prediction) pairs.

    For each class all images are ranked by its score, but for those where it is difficult, and
    average precision is taken from the ranking, by the area below the curve ("VOC2012 multi-label
    mAP", VOCevalcls.m of the devkit of 2010 and later) and at the eleven recalls `arange(11) * 0.1`
    ("VOC2007 11-point multi-label mAP"). Images with equal scores enter together, so that the
    result does not depend on the order of the images; the devkit takes them as they come. A class
    that no image shows has no average precision (NaN) and is left out of the means.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._shown: list[np.ndarray] = []
        self._difficult: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []

    def add(self, truth: Labels, prediction: Labels) -> None:
        """Count one image; raises ValueError where the classes are not those of this metric."""
        if {truth.classes, prediction.classes} != {self.classes}:
            raise ValueError(
                f"truth and prediction must have the metric's classes {self.classes}; got "
                f"{truth.classes} and {prediction.classes}."
            )
        self._shown.append(truth.scores > 0)
        self._difficult.append(truth.difficult)
        self._scores.append(prediction.scores)

    def result(self) -> dict[str, float]:
        """The two means, 0 to 1; NaN where no image shows anything."""
        rows = self.per_class().values()
        means = {}
        for mean, one in (
            ("VOC2012 multi-label mAP", "VOC2012 AP"),
            ("VOC2007 11-point multi-label mAP", "VOC2007 AP"),
        ):
            known = [row[one] for row in rows if not np.isnan(row[one])]
            means[mean] = float(np.mean(known)) if known else float("nan")
        return means

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → "VOC2012 AP", "VOC2007 AP", "best F1"."""
        rows = {}
        for name, curve in self.curves().items():
            if not curve.objects:
                rows[name] = dict.fromkeys(("VOC2012 AP", "VOC2007 AP", "best F1"), float("nan"))
                continue
            rows[name] = {
                "VOC2012 AP": area_ap(curve.precision, curve.recall),
                "VOC2007 AP": eleven_point_ap(curve.precision, curve.recall),
                "best F1": float(curve.f1(THRESHOLDS).max()),
            }
        return rows

    def by_image(self) -> ByImage:
        """Both means over any resample."""
        shown, difficult, scores = self._collected()
        classes = []  # of each: the images in their order, which of them show it, ends of ties
        for hit, counted, score in zip(shown.T, ~difficult.T, scores.T, strict=True):
            order = np.flatnonzero(counted)[np.argsort(-score[counted], kind="stable")]
            falling = score[order]
            ends = np.flatnonzero(falling != np.append(falling[1:], -1))
            classes.append((order, hit[order], ends))

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            rows: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
            for order, hit, ends in classes:
                taken = counts[:, order]
                total, found = (np.cumsum(one, axis=1)[:, ends] for one in (taken, taken * hit))
                for row, levels in zip(rows, (None, ELEVEN), strict=True):
                    row.append(average(found, total, (taken * hit).sum(axis=1), levels))
            area, eleven = (mean_of_known(np.stack(row, axis=1)) for row in rows)
            return {"VOC2012 multi-label mAP": area, "VOC2007 11-point multi-label mAP": eleven}

        return ByImage(len(shown), numbers, 8 * scores.size)

    def gains(self) -> list[float]:
        """(classes,) VOC2012 AP over that of equal scores, which is the share of the images that
        show the class; NaN where none do.
        """
        return [
            area_ap(curve.precision, curve.recall) - curve.objects / int(curve.ranked[-1])
            if curve.objects
            else float("nan")
            for curve in self.curves().values()
        ]

    def curves(self) -> dict[str, RankingCurve]:
        """Class → its hits, precision and recall down the ranking of the images."""
        shown, difficult, scores = self._collected()
        columns = zip(self.classes, shown.T, ~difficult.T, scores.T, strict=True)
        return {
            name: _ranking(hit[counted], score[counted]) for name, hit, counted, score in columns
        }

    def best_threshold(self) -> tuple[float, float]:
        """The threshold with the best F1 in the mean over classes, and that F1; (0.5, NaN) where
        nothing is shown.
        """
        return best_threshold(
            [curve.f1(THRESHOLDS) for curve in self.curves().values() if curve.objects]
        )

    def false_positives(self, threshold: float, most: int) -> list[LabelError]:
        """Classes with at least `threshold` that the image does not show, the highest scores first,
        at most `most`.
        """
        shown, difficult, scores = self._collected()
        return self._errors(~shown & ~difficult & (scores >= threshold), -scores, most)

    def missed(self, threshold: float, most: int) -> list[LabelError]:
        """Classes below `threshold` that the image shows, the lowest scores first, at most
        `most`.
        """
        shown, difficult, scores = self._collected()
        return self._errors(shown & ~difficult & (scores < threshold), scores, most)

    def _errors(self, wrong: np.ndarray, order: np.ndarray, most: int) -> list[LabelError]:
        """(n, classes) bool and float32: which are wrong, and by what they are sorted."""
        shown, _, scores = self._collected()
        cells = np.flatnonzero(wrong.ravel())
        first = cells[np.argsort(order.ravel()[cells], kind="stable")][:most]
        return [
            LabelError(i, label, float(scores[i, label]), tuple(np.flatnonzero(shown[i]).tolist()))
            for i, label in (divmod(cell, len(self.classes)) for cell in first.tolist())
        ]

    def _collected(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n, classes) bool, bool and float32: shown, difficult, scores."""
        kinds = ((self._shown, bool), (self._difficult, bool), (self._scores, np.float32))
        shown, difficult, scores = (
            np.array(rows, kind).reshape(-1, len(self.classes)) for rows, kind in kinds
        )
        return shown, difficult, scores


def _ranking(hit: np.ndarray, scores: np.ndarray) -> RankingCurve:
    """(n,) bool, (n,) float32 → the curve."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(falling != np.append(falling[1:], -1))  # of each run of equal scores
    return RankingCurve(falling[last], np.cumsum(hit[order])[last], last + 1, int(hit.sum()))
