"""Average precision and recall as COCO defines them, by a maintained library with the numbers of
pycocotools.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes, Instances
from cvtasks.geometry.rle import rle_extents
from cvtasks.metrics.weighted_ap import ClassRanking, Ranked

# an area in no range: the library ignores such an object at plain IoU, which it can be told in no
# other way
_NOWHERE = -1.0
_ALL, _MOST = 0, 2  # indices of the area range "all" and of 100 detections an image
_SIZES = {"small": 1, "medium": 2, "large": 3}
_IOUS = np.linspace(0.5, 0.95, 10)
_DETECTIONS = 100  # of a class in an image, at most
_WRONG, _HIT, _PASSED = 0, 1, 2  # what becomes of a detection
_NO_STATES = np.zeros((len(_IOUS), 0), np.int8)


@dataclass(frozen=True)
class CocoScores:
    """What the library has counted.

    Attributes:
        precision: (10 IoUs .5 to .95, 101 recalls, classes, 4 areas, 3 limits of detections); -1
            where there is no object.
        recall: (10 IoUs, classes, 4 areas, 3 limits); the same.
        overlaps: (image, class), both counted from 1 → IoUs (detections from the surest down,
            objects); [] where one of the two is missing.
    """

    precision: np.ndarray
    recall: np.ndarray
    overlaps: Mapping[tuple[int, int], Any]

    def result(self) -> dict[str, float]:
        """COCO's own summary but for the recalls by size: name → number from 0 to 1, NaN where
        there is no object.
        """
        of_all = self.precision[:, :, :, _ALL, _MOST]
        return {
            "COCO AP": _mean(of_all),
            "COCO AP50": _mean(of_all[0]),
            "COCO AP75": _mean(of_all[5]),
            **{
                f"COCO AP {name}": _mean(self.precision[:, :, :, i, _MOST])
                for name, i in _SIZES.items()
            },
            **{
                f"COCO AR{most}": _mean(self.recall[:, :, _ALL, i])
                for i, most in enumerate((1, 10, 100))
            },
        }

    def ap(self, label: int) -> float:
        """ "COCO AP" of one class alone."""
        return _mean(self.precision[:, :, label, _ALL, _MOST])


def coco_scores(
    pairs: Iterable[tuple[Boxes, Boxes]], classes: Sequence[str], *, masks: bool = False
) -> CocoScores:
    """Score (truth, prediction) pairs by COCO's rules: boxes, or with `masks` those of `Instances`.

    Crowds are COCO's `iscrowd`. Difficult objects are ignored as COCO ignores an object of another
    size: one prediction that overlaps it, by plain IoU, counts neither way.

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", 2014; cocoeval.py.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image, (truth, prediction) in enumerate(pairs, start=1):
        images.append({"id": image, "height": truth.size[0], "width": truth.size[1]})
        areas = np.where(truth.difficult, _NOWHERE, truth.areas).tolist()
        for annotation, crowd, area in zip(
            _annotations(image, truth, len(objects), masks), truth.crowd, areas, strict=True
        ):
            objects.append(annotation | {"iscrowd": int(crowd), "area": area})
        for annotation, score in zip(
            _annotations(image, prediction, len(found), masks),
            prediction.scores.tolist(),
            strict=True,
        ):
            found.append(annotation | {"score": score, "iscrowd": 0})
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, start=1)]
    truths, predictions = (
        COCO({"info": {}, "images": images, "categories": categories, "annotations": rows})
        for rows in (objects, found)
    )
    scoring = COCOeval_faster(truths, predictions, "segm" if masks else "bbox")
    scoring.evaluate()
    scoring.accumulate()
    return CocoScores(
        np.asarray(scoring.eval["precision"]), np.asarray(scoring.eval["recall"]), scoring.ious
    )


def coco_rankings(
    scores: CocoScores, pairs: Sequence[tuple[Boxes, Boxes]], classes: int
) -> list[ClassRanking]:
    """What became of each detection at COCO's ten IoUs, for each class; `scores` are those of the
    same pairs.

    The library keeps this to itself, so that matching is done once more here, from its overlaps.

    Source: `evaluateImg` of cocoeval.py.
    """
    counted: list[list[tuple[np.ndarray, ...]]] = [
        [(np.zeros(0, np.int64), np.zeros(0, np.float32), _NO_STATES, np.zeros(0, np.int64))]
        for _ in range(classes)
    ]
    for image, (truth, prediction) in enumerate(pairs):
        for label in np.union1d(truth.labels, prediction.labels).tolist():
            mine = np.flatnonzero(truth.labels == label)
            own = prediction.scores[prediction.labels == label]
            own = own[np.argsort(-own, kind="stable")][:_DETECTIONS]
            overlap = np.asarray(scores.overlaps[image + 1, label + 1], np.float64)
            states = _matched(
                overlap.reshape(len(own), len(mine)), ~truth.counted[mine], truth.crowd[mine]
            )
            objects = np.full(int(truth.counted[mine].sum()), image)
            counted[label].append((np.full(len(own), image), own, states, objects))
    return [_ranking(rows) for rows in counted]


def _ranking(rows: list[tuple[np.ndarray, ...]]) -> ClassRanking:
    """Of each image that has the class: image (d,), scores (d,) and states (10, d) of its
    detections, and image (m,) of its objects → the ranking over all of them.
    """
    images, scores, states, objects = zip(*rows, strict=True)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    became = np.concatenate(states, axis=1)[:, order]
    ranked = tuple(
        Ranked(np.flatnonzero(row == _HIT), np.flatnonzero(row == _PASSED)) for row in became
    )
    return ClassRanking(np.concatenate(images)[order], ranked, np.concatenate(objects))


def _matched(overlap: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoUs (d, g) of detections from the surest down with objects, (g,) which of these are not to
    be found, and which are crowds → (10, d): what became of each detection at each IoU.
    """
    states = np.full((len(_IOUS), len(overlap)), _WRONG, np.int8)
    real_first = np.argsort(ignored, kind="stable").tolist()
    near = np.flatnonzero(overlap.max(axis=1, initial=0) >= _IOUS[0]).tolist()
    for row, least in enumerate(_IOUS):
        taken = np.zeros(len(ignored), bool)
        for detection in near:
            best, at = min(float(least), 1 - 1e-10), -1
            for one in real_first:
                if at >= 0 and ignored[one] and not ignored[at]:
                    break
                if overlap[detection, one] >= best and (crowd[one] or not taken[one]):
                    best, at = float(overlap[detection, one]), one
            if at >= 0:
                taken[at] = True
                states[row, detection] = _PASSED if ignored[at] else _HIT
    return states


def _annotations(image: int, boxes: Boxes, before: int, masks: bool) -> list[dict[str, Any]]:
    """COCO's annotations; ids begin at 1, as 0 means "not matched" to the library."""
    edges = boxes.xyxy.astype(np.float64)
    rects = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1).tolist()
    shapes = _masks(boxes) if masks else [{"area": width * height} for *_, width, height in rects]
    return [
        {"id": number, "image_id": image, "category_id": label + 1, "bbox": rect, **shape}
        for number, (label, rect, shape) in enumerate(
            zip(boxes.labels.tolist(), rects, shapes, strict=True), start=before + 1
        )
    ]


def _masks(boxes: Boxes) -> list[dict[str, Any]]:
    """`segmentation` and `area` of each object."""
    if not isinstance(boxes, Instances):
        raise TypeError(f"masks are those of Instances; got {type(boxes).__name__}.")
    height, width = boxes.size
    pixels = rle_extents(boxes.masks.tolist(), boxes.size)[1].tolist()
    return [
        {"segmentation": {"size": [height, width], "counts": counts}, "area": area}
        for counts, area in zip(boxes.masks, pixels, strict=True)
    ]


def _mean(numbers: np.ndarray) -> float:
    known = numbers[numbers > -1]
    return float(known.mean()) if known.size else float("nan")
