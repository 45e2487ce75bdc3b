"""How good a segmentation is: VOC's intersection over union, from one confusion matrix over the
whole data set.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.answers import VOID, Mask
from cvtasks.metrics.base import ByImage, Metric, check_alike, mean_of_known, ratio

_KEPT = 12  # images that are kept to be shown
_SIDE = 480  # pixels of their masks, about


@dataclass(frozen=True, eq=False)
class MaskError:
    """An image with much that is wrong.

    Attributes:
        image: index of the image, in the order in which they were added.
        iou: mean IoU over the classes that truth or prediction name in it.
        truth, prediction: both masks, where they are large with fewer rows and columns.
    """

    image: int
    iou: float
    truth: Mask
    prediction: Mask


class MaskMetric(Metric[Mask]):
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
        self._parts: list[np.ndarray] = []  # of each image (3, classes): hits, true, predicted
        self._worst: list[MaskError] = []

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
        check_alike(truth, prediction, self.classes)
        n = len(self.classes)
        seen = truth.ids != VOID
        pairs = truth.ids[seen].astype(np.int64) * (n + 1) + np.minimum(prediction.ids[seen], n)
        confusion = np.bincount(pairs, minlength=n * (n + 1)).reshape(n, n + 1)
        self._confusion += confusion
        self._parts.append(
            np.stack([np.diag(confusion), confusion.sum(1), confusion[:, :-1].sum(0)])
        )
        self._keep(truth, prediction)

    def worst(self, most: int) -> list[MaskError]:
        """The images with the lowest mean IoU over their classes, the lowest first, at most `most`
        and at most 12; none that is perfect.
        """
        return self._worst[:most]

    def by_image(self) -> ByImage:
        """ "VOC mean IoU" and "pixel accuracy" over any resample."""
        n = len(self.classes)
        sums = np.array(self._parts, np.float64).reshape(len(self._parts), 3 * n)

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            # whole numbers below 2^53: exact
            hit, true, predicted = np.split(counts.astype(np.float64) @ sums, 3, axis=1)
            return {
                "VOC mean IoU": mean_of_known(ratio(hit, true + predicted - hit)),
                "pixel accuracy": ratio(hit.sum(axis=1), true.sum(axis=1)),
            }

        return ByImage(len(sums), numbers, sums.size + len(sums))

    def _keep(self, truth: Mask, prediction: Mask) -> None:
        """Keep the image just counted if it is among the worst so far."""
        hit, true, predicted = self._parts[-1]
        iou = float(mean_of_known(ratio(hit, true + predicted - hit)[None])[0])
        full = len(self._worst) == _KEPT
        if not iou < (self._worst[-1].iou if full else 1.0):  # nor NaN
            return
        step = max(1, max(truth.size) // _SIDE)
        small = (
            Mask(np.ascontiguousarray(mask.ids[::step, ::step]), self.classes)
            for mask in (truth, prediction)
        )
        error = MaskError(len(self._parts) - 1, iou, *small)
        self._worst = sorted([*self._worst, error], key=lambda one: one.iou)[:_KEPT]

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
