"""How good a segmentation is: VOC's intersection over union, from one confusion matrix over the
whole data set.
"""

import numpy as np

from cvtasks.answers import VOID, Mask


class MaskMetric:
    """Counts pixels of (truth, prediction) pairs; void in the truth counts nowhere.

    "VOC mean IoU" is the devkit's (VOCevalseg.m): for each class true positives / (true positives +
    false positives + false negatives) over all pixels of all images, averaged over the classes,
    background among them. A class that neither truth nor prediction ever names has no IoU (NaN) and
    is left out of the mean. A predicted void counts as wrong: as a miss of the true class.
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._confusion = np.zeros(
            (len(classes), len(classes) + 1), np.int64
        )  # rows truth; last column: void predicted

    @property
    def confusion(self) -> np.ndarray:
        """(classes, classes + 1) int64 pixels; row = truth, column = prediction, last column = void
        predicted.
        """
        return self._confusion.copy()

    def add(self, truth: Mask, prediction: Mask) -> None:
        """Count one image.

        Raises:
            ValueError: the two masks have different sizes or other classes than this metric.
        """
        if truth.size != prediction.size or {truth.classes, prediction.classes} != {self.classes}:
            raise ValueError(
                "truth and prediction must have one size and the metric's classes "
                f"{self.classes}; got sizes "
                f"{truth.size} and {prediction.size}, classes {truth.classes} and "
                f"{prediction.classes}."
            )
        n = len(self.classes)
        seen = truth.ids != VOID
        pairs = truth.ids[seen].astype(np.int64) * (n + 1) + np.minimum(prediction.ids[seen], n)
        self._confusion += np.bincount(pairs, minlength=n * (n + 1)).reshape(n, n + 1)

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → "IoU" and "accuracy" (the share of its true pixels that were found)."""
        hit = np.diag(self._confusion).astype(float)
        true, predicted = self._confusion.sum(1), self._confusion[:, :-1].sum(0)
        with np.errstate(invalid="ignore"):
            iou, accuracy = hit / (true + predicted - hit), hit / true
        return {
            name: {"IoU": float(i), "accuracy": float(a)}
            for name, i, a in zip(self.classes, iou, accuracy, strict=True)
        }

    def result(self) -> dict[str, float]:
        """ "VOC mean IoU" and "pixel accuracy", 0 to 1; NaN before anything was counted."""
        ious = [
            scores["IoU"] for scores in self.per_class().values() if not np.isnan(scores["IoU"])
        ]
        total = int(self._confusion.sum())
        return {
            "VOC mean IoU": float(np.mean(ious)) if ious else float("nan"),
            "pixel accuracy": float(np.diag(self._confusion).sum() / total)
            if total
            else float("nan"),
        }
