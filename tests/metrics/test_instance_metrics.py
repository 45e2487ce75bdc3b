"""The metrics of masks against known scores, against pycocotools' rules by hand, and against those
of boxes where masks fill them.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances
from cvtasks.geometry.rle import polygons_mask
from cvtasks.metrics.bootstrap import intervals
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.metrics.instances import InstancesMetric, mask_overlaps

CLASSES = ("cat", "dog")
SIZE = (40, 60)


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    plane = np.zeros(SIZE, bool)
    plane[top:bottom, left:right] = True
    return plane


def instances(planes: list, labels: list, scores: list | None = None, **flags: list) -> Instances:
    return Instances.of(planes, labels, CLASSES, SIZE, scores=scores, **flags)


def measured(pairs: list, classes: tuple[str, ...] = CLASSES) -> InstancesMetric:
    metric = InstancesMetric(classes)
    for truth, prediction in pairs:
        metric.add(truth, prediction)
    return metric


def random_pairs(seed: int) -> list[tuple[Instances, Instances]]:
    """Rectangles with crowds and difficult ones, and predictions near them and far off."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(10):
        n = int(rng.integers(0, 6))
        corner, side = rng.integers(0, 30, (n, 2)), rng.integers(3, 25, (n, 2))
        edges = np.minimum(np.concatenate([corner, corner + side], axis=1), [60, 40, 60, 40])
        labels, crowd = rng.integers(0, 2, n), rng.random(n) < 0.2
        difficult = (rng.random(n) < 0.2) & ~crowd
        truth = instances(
            [rectangle(*row) for row in edges], labels.tolist(), crowd=crowd, difficult=difficult
        )
        again = rng.integers(0, n, int(rng.integers(0, 9)) if n else 0)
        moved = np.clip(edges[again] + rng.integers(-2, 3, (len(again), 4)), 0, [60, 40, 60, 40])
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        guess = np.where(rng.random(len(again)) < 0.8, labels[again], 1 - labels[again])
        scores = rng.integers(1, 12, len(again)) / 16
        found = instances(
            [rectangle(*row) for row in moved], guess.tolist(), scores=scores.tolist()
        )
        pairs.append((truth, found))
    return pairs


@pytest.mark.parametrize("seed", range(3))
def test_of_masks_that_fill_their_boxes_both_kinds_of_numbers_are_the_same(seed: int) -> None:
    pairs = random_pairs(seed)
    boxes = BoxesMetric(CLASSES)
    for truth, found in pairs:
        boxes.add(truth, found)
    metric = measured(pairs)
    result, of_boxes = metric.result(), boxes.result()
    for name, number in of_boxes.items():
        assert result[name] == pytest.approx(number, abs=0, nan_ok=True)
        if name.startswith("COCO "):
            assert result[name.replace("COCO ", "COCO segm ")] == pytest.approx(
                number, abs=1e-12, nan_ok=True
            )
    assert result["VOC AP^r@0.5"] == pytest.approx(of_boxes["VOC2012 area AP@0.5"], abs=1e-12)
    assert metric.best_threshold() == boxes.best_threshold()
    assert (metric.confusion(0.3) == boxes.confusion(0.3)).all()
    assert metric.error_counts(0.3) == boxes.error_counts(0.3)
    ours, theirs = metric.missed(0.3, 9), boxes.missed(0.3, 9)
    assert [one.image for one in ours] == [one.image for one in theirs]
    assert [one.iou for one in ours] == pytest.approx([one.iou for one in theirs])
    rows, of_class = metric.per_class(), boxes.per_class()
    for name in CLASSES:
        assert rows[name]["VOC AP^r@0.5"] == pytest.approx(of_class[name]["VOC2012 area AP@0.5"])
        assert rows[name]["COCO segm AP"] == pytest.approx(of_class[name]["COCO AP"])


def test_masks_count_and_not_boxes() -> None:
    """Two halves of one square along its diagonal have the same box, and a third in common."""
    y, x = np.mgrid[:40, :60]
    square = (x >= 10) & (x < 30) & (y >= 5) & (y < 25)
    upper, lower = square & (x - 10 <= y - 5 + 3), square & (x - 10 >= y - 5 - 3)
    share = (upper & lower).sum() / square.sum()
    truth, found = instances([upper], [0]), instances([lower], [0], [0.9])
    overlap, inside = mask_overlaps(found, truth)
    assert overlap[0, 0] == pytest.approx(share)
    assert 0.2 < share < 0.5
    assert not inside[0, 0]
    assert (truth.xyxy == found.xyxy).all()
    result = measured([(truth, found)]).result()
    assert next(iter(result)) == "COCO segm AP"
    assert result["COCO segm AP"] == result["VOC AP^r@0.5"] == 0
    assert result["COCO AP"] == result["VOC2012 area AP@0.5"] == 1


def test_ap_of_regions_at_two_overlaps() -> None:
    truth = instances([rectangle(0, 0, 20, 10), rectangle(0, 20, 20, 30)], [0, 0])
    found = instances([rectangle(0, 0, 20, 6), rectangle(0, 20, 20, 30)], [0, 0], [0.9, 0.8])
    result = measured([(truth, found)]).result()
    assert result["VOC AP^r@0.5"] == 1
    assert result["VOC AP^r@0.7"] == pytest.approx(0.5 * 0.5)  # the surest misses at .7
    assert result["COCO segm AP50"] == 1
    assert measured([(truth, found)]).per_class()["dog"]["COCO segm AP"] != 0  # NaN: none there


def test_without_images_objects_or_masks() -> None:
    assert all(np.isnan(number) for number in measured([]).result().values())
    nothing = instances([], [])
    result = measured([(nothing, instances([rectangle(0, 0, 5, 5)], [0], [0.5]))]).result()
    assert all(np.isnan(number) for number in result.values())
    empty = instances([np.zeros(SIZE, bool)], [0], [0.9])
    truth = instances([rectangle(0, 0, 5, 5)], [0])
    assert measured([(truth, empty)]).result()["COCO segm AP50"] == 0
    assert measured([(truth, nothing)]).result()["COCO segm AP50"] == 0
    boxes = Boxes.of([[0, 0, 5, 5]], [0], CLASSES, SIZE)
    with pytest.raises(TypeError, match="measured of Instances; got Boxes"):
        measured([(truth, boxes)])


@pytest.mark.parametrize("seed", range(2))
def test_every_number_over_all_images_is_that_of_the_result(seed: int) -> None:
    metric = measured(random_pairs(seed))
    over, result = metric.by_image(), metric.result()
    numbers = over.numbers(np.ones((1, over.images), np.int64))
    assert next(iter(result)) in numbers
    for name, (number,) in numbers.items():
        assert number == pytest.approx(result[name], abs=1e-9), name
    low, high = intervals(over)["COCO segm AP50"]
    assert low <= result["COCO segm AP50"] <= high


def test_coco_s_known_scores(cvtasks_data: Path) -> None:
    folder = cvtasks_data / "metrics" / "coco"
    truth = json.loads((folder / "instances_val2014_100.json").read_text())
    found = json.loads((folder / "instances_val2014_fakesegm100_results.json").read_text())
    names = tuple(str(one["id"]) for one in truth["categories"])

    def answer(image: dict, rows: list) -> Instances:
        size = image["height"], image["width"]
        masks = [
            polygons_mask(row["segmentation"], size)
            if isinstance(row["segmentation"], list)
            else row["segmentation"]
            for row in rows
        ]
        return Instances.of(
            masks,
            [names.index(str(row["category_id"])) for row in rows],
            names,
            size,
            scores=[row.get("score", 1) for row in rows],
            crowd=[row.get("iscrowd", 0) for row in rows],
            areas=[row["area"] for row in rows] if rows and "area" in rows[0] else None,
        )

    metric = InstancesMetric(names)
    for image in sorted(truth["images"], key=lambda one: one["id"]):  # equal scores in their order
        rows = [
            [row for row in every if row["image_id"] == image["id"]]
            for every in (truth["annotations"], found)
        ]
        metric.add(answer(image, rows[0]), answer(image, rows[1]))
    result = metric.result()
    assert result["COCO segm AP"] == pytest.approx(0.319545, abs=1e-6)
    assert result["COCO segm AP50"] == pytest.approx(0.562288, abs=1e-6)
    assert result["COCO segm AP75"] == pytest.approx(0.298927, abs=1e-6)
