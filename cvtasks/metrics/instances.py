"""How good masks of objects are: average precision by COCO and by Hariharan et al., with what the
boxes around them are worth beside it.
"""

import numpy as np

from cvtasks.answers import Boxes, Instances
from cvtasks.geometry.rle import rle_inside, rle_iou
from cvtasks.metrics.average_precision import area_ap
from cvtasks.metrics.base import ByImage, mean_of_known
from cvtasks.metrics.coco_ap import CocoScores, coco_rankings, coco_scores
from cvtasks.metrics.detection import BoxesMetric, ap_of, mean_ap
from cvtasks.metrics.matching import Overlaps
from cvtasks.metrics.weighted_ap import COCO

_VOC = {"VOC AP^r@0.5": 0.5, "VOC AP^r@0.7": 0.7}
_OF_BOXES, _OF_MASKS = "COCO ", "COCO segm "


def mask_overlaps(found: Boxes, objects: Boxes) -> tuple[np.ndarray, np.ndarray]:
    """`Overlaps` of masks; a mask that shows nothing overlaps nothing, and lies nowhere."""
    ours, theirs, size = _masks(found), _masks(objects), objects.size
    return rle_iou(ours, theirs, size), rle_inside(ours, theirs, size) >= 0.5


class InstancesMetric(BoxesMetric):
    """Collects (truth, prediction) pairs; everything is computed when it is asked for.

    COCO's numbers of masks, "COCO segm …", are pycocotools': of a class in an image the hundred
    surest predictions count, and an object is small or large by its `areas`. The first of them is
    the mean over ten overlaps from .5 to .95, by which instance segmentation is compared
    everywhere. AP^r is the area below the curve of precision over recall where a hit overlaps its
    object by .5 or .7, masks by masks (Hariharan et al., "Simultaneous Detection and Segmentation",
    2014, section 4), with VOC's rules of what hits, as `BoxesMetric` has them, and no limit. Its
    numbers for the boxes stand beside these. Curves, errors and the best threshold are by masks.
    """

    _overlaps: Overlaps = staticmethod(mask_overlaps)

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__(classes)
        self._boxes = BoxesMetric(classes)

    def add(self, truth: Boxes, prediction: Boxes) -> None:
        """Count one image; as `BoxesMetric`, and raises TypeError where one has no masks."""
        _masks(truth), _masks(prediction)
        super().add(truth, prediction)
        self._boxes.add(truth, prediction)

    def result(self) -> dict[str, float]:
        """Name of the standard → number from 0 to 1, "COCO segm AP" first; NaN where no object was
        to be found.
        """
        coco = self._coco_scores().result()
        return {
            **{name.replace(_OF_BOXES, _OF_MASKS): number for name, number in coco.items()},
            **{
                name: mean_ap([ap_of(curve, area_ap) for curve in self.curves(iou).values()])
                for name, iou in _VOC.items()
            },
            **self._boxes.result(),
        }

    def per_class(self) -> dict[str, dict[str, float]]:
        """Class → "COCO segm AP", both AP^r, and "COCO AP" of the boxes for it alone."""
        coco, boxes = self._coco_scores(), self._boxes.per_class()
        curves = {name: self.curves(iou) for name, iou in _VOC.items()}
        return {
            name: {
                "COCO segm AP": coco.ap(label),
                **{key: ap_of(by_class[name], area_ap) for key, by_class in curves.items()},
                "COCO AP": boxes[name]["COCO AP"],
            }
            for label, name in enumerate(self.classes)
        }

    def by_image(self) -> ByImage:
        """ "COCO segm AP", "COCO segm AP50" and "COCO segm AP75", both AP^r, and what `BoxesMetric`
        has, over any resample.
        """
        boxes = self._boxes.by_image()
        voc = {name: self._voc_rankings(iou) for name, iou in _VOC.items()}
        coco = coco_rankings(self._coco_scores(), self._images, len(self.classes))

        def numbers(counts: np.ndarray) -> dict[str, np.ndarray]:
            ap = np.stack([one.ap(counts, COCO)[0] for one in coco], axis=1)
            areas = {
                name: np.concatenate([one.ap(counts, None)[0] for one in rankings], axis=1)
                for name, rankings in voc.items()
            }
            return {
                "COCO segm AP": mean_of_known(ap.mean(axis=2)),
                "COCO segm AP50": mean_of_known(ap[:, :, 0]),
                "COCO segm AP75": mean_of_known(ap[:, :, 5]),
                **{name: mean_of_known(area) for name, area in areas.items()},
                **boxes.numbers(counts),
            }

        own = sum(one.cost for rankings in (*voc.values(), coco) for one in rankings)
        return ByImage(len(self._images), numbers, boxes.cost + own)

    def _coco_scores(self) -> CocoScores:
        self._coco = self._coco or coco_scores(self._images, self.classes, masks=True)
        return self._coco


def _masks(answer: Boxes) -> list[bytes]:
    if not isinstance(answer, Instances):
        raise TypeError(f"masks are measured of Instances; got {type(answer).__name__}.")
    return list(answer.masks)
