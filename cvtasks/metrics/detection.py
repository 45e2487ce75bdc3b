"""How good a detection is: average precision by Pascal VOC and by COCO, the best threshold, what
was wrong.
"""

from collections.abc import Callable

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.metrics.average_precision import (
    THRESHOLDS,
    ClassCurve,
    area_ap,
    best_threshold,
    eleven_point_ap,
)
from cvtasks.metrics.base import ByImage, Metric, check_alike, mean_of_known
from cvtasks.metrics.coco_ap import CocoScores, coco_rankings, coco_scores
from cvtasks.metrics.detection_errors import (
    BoxError,
    confusion,
    error_counts,
    false_positives,
    missed,
)
from cvtasks.metrics.matching import Objects, Overlaps, Predictions, box_overlaps, collect, judge
from cvtasks.metrics.weighted_ap import COCO, ELEVEN, ClassRanking, Ranked

IOU = 0.5
"""Overlap from which on a prediction has found an object, wherever a name does not say another."""

_VOC = {"VOC2012 area AP@0.5": area_ap, "VOC2007 11-point AP@0.5": eleven_point_ap}


class BoxesMetric(Metric[Boxes]):
    """Collects (truth, prediction) pairs; everything is computed when it is asked for.

    The VOC numbers are the devkit's (VOCevaldet.m, VOCap.m): a hit has an IoU of at least 0.5 with
    the object of its class that it overlaps most, one hit an object; what found a difficult object,
    or lies in a crowd, counts neither way. The eleven levels of recall are `arange(11) * 0.1`
    (`eleven_point_ap` says what hangs on that). COCO's numbers are pycocotools'. Means are over the
    classes that have an object to be found; false positives on empty images count. Predictions of
    equal score are taken in the order in which they came.
    """

    _overlaps: Overlaps = staticmethod(box_overlaps)
    """What the overlap of a prediction and an object is."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self._images: list[tuple[Boxes, Boxes]] = []
        self._columns: tuple[Objects, Predictions] | None = None
        self._coco: CocoScores | None = None

    def add(self, truth: Boxes, prediction: Boxes) -> None:
        """Count one image.

        Raises:
            ValueError: the two have other classes than this metric, or images of different sizes;
                the size (0, 0), of who does not know, fits any.
        """
        check_alike(truth, prediction, self.classes)
        self._images.append((truth, prediction))
        self._columns = self._coco = None

    def result(self) -> dict[str, float]:
        """Name of the standard → number from 0 to 1, "VOC2012 area AP@0.5" first; NaN where no
        object was to be found.
        """
        rows = list(self.curves().values())
        return {
            name: mean_ap([ap_of(row, of) for row in rows]) for name, of in _VOC.items()
        } | self._coco_scores().result()

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → both VOC numbers and "COCO AP" for it alone."""
        coco = self._coco_scores()
        return {
            name: {key: ap_of(curve, of) for key, of in _VOC.items()} | {"COCO AP": coco.ap(label)}
            for label, (name, curve) in enumerate(self.curves().items())
        }

    def by_image(self) -> ByImage:
        """Both VOC numbers, "COCO AP", "COCO AP50" and "COCO AP75" over any resample."""
        voc = self._voc_rankings(IOU)
        coco = coco_rankings(self._coco_scores(), self._images, len(self.classes))

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            area, eleven = zip(*(one.ap(counts, None, ELEVEN) for one in voc), strict=True)
            # (r, classes, IoUs)
            ap = np.stack([one.ap(counts, COCO)[0] for one in coco], axis=1)
            return {
                "VOC2012 area AP@0.5": mean_of_known(np.concatenate(area, axis=1)),
                "VOC2007 11-point AP@0.5": mean_of_known(np.concatenate(eleven, axis=1)),
                "COCO AP": mean_of_known(ap.mean(axis=2)),
                "COCO AP50": mean_of_known(ap[:, :, 0]),
                "COCO AP75": mean_of_known(ap[:, :, 5]),
            }

        return ByImage(len(self._images), numbers, sum(one.cost for one in (*voc, *coco)))

    def _voc_rankings(self, iou: float) -> list[ClassRanking]:
        objects, predictions = self._collected()
        verdicts = judge(objects, predictions, iou)
        order = verdicts.order[~verdicts.passed[verdicts.order]]
        found = []
        for label in range(len(self.classes)):
            mine = order[predictions.labels[order] == label]
            ranked = Ranked(np.flatnonzero(verdicts.hit[mine]), np.zeros(0, np.int64))
            there = objects.image[objects.counted & (objects.labels == label)]
            found.append(ClassRanking(predictions.image[mine], (ranked,), there))
        return found

    def curves(self, iou: float = IOU) -> dict[str, ClassCurve]:
        """Class → its hits, scores, precision and recall at an overlap of `iou`, by VOC's rules."""
        objects, predictions = self._collected()
        verdicts = judge(objects, predictions, iou)
        order = verdicts.order[~verdicts.passed[verdicts.order]]
        totals = np.bincount(objects.labels[objects.counted], minlength=len(self.classes))
        of_class = [order[predictions.labels[order] == label] for label in range(len(self.classes))]
        return {
            name: ClassCurve(verdicts.hit[which], predictions.scores[which], int(total))
            for name, which, total in zip(self.classes, of_class, totals, strict=True)
        }

    def best_threshold(self) -> tuple[float, float]:
        """The threshold, of `THRESHOLDS`, with the best F1 in the mean over classes, and that F1;
        (0.5, NaN) without objects.
        """
        return best_threshold(
            [curve.f1(THRESHOLDS) for curve in self.curves().values() if curve.objects]
        )

    def confusion(self, threshold: float) -> np.ndarray:
        """(classes + 1, classes + 1) int64; row = truth, column = prediction, last = background
        (`detection_errors.confusion`).
        """
        return confusion(self._images, len(self.classes), threshold, IOU, self._overlaps)

    def false_positives(self, most: int) -> list[BoxError]:
        """The wrong predictions with the highest scores, at most `most`."""
        return false_positives(*self._collected(), IOU, most)

    def missed(self, threshold: float, most: int) -> list[BoxError]:
        """The largest objects that no prediction with a score of at least `threshold` has found, at
        most `most`.
        """
        return missed(
            self._images, *self._collected(), IOU, threshold, most, overlaps=self._overlaps
        )

    def error_counts(self, threshold: float) -> dict[str, int]:
        """Kind of error → how many there are among the predictions with a score of at least
        `threshold`, and how many objects none of these has found ("missed").
        """
        return error_counts(*self._collected(), IOU, threshold)

    def counted_areas(self) -> np.ndarray:
        """(m,) area in pixels of each object that counts, as COCO has it."""
        areas = [truth.areas[truth.counted] for truth, _ in self._images]
        return np.concatenate([np.zeros(0, np.float32), *areas])

    def pair(self, image: int) -> tuple[Boxes, Boxes]:
        """Truth and prediction of the image that was added as the nth, from 0."""
        return self._images[image]

    def _collected(self) -> tuple[Objects, Predictions]:
        self._columns = self._columns or collect(self._images, self._overlaps)
        return self._columns

    def _coco_scores(self) -> CocoScores:
        self._coco = self._coco or coco_scores(self._images, self.classes)
        return self._coco


def ap_of(curve: ClassCurve, of: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """A kind of AP of a class; NaN where no object was to be found."""
    return of(curve.precision, curve.recall) if curve.objects else float("nan")


def mean_ap(numbers: list[float]) -> float:
    """The mean of those that are numbers; NaN where none is."""
    known = [number for number in numbers if not np.isnan(number)]
    return float(np.mean(known)) if known else float("nan")
