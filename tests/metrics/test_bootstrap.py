"""The bootstrap: every number over a resample is what the metric itself gives for the images drawn,
and the intervals hold the truth as often as they say.
"""

from dataclasses import replace

import numpy as np
import pytest

from cvtasks.answers import Boxes, Mask
from cvtasks.metrics.base import ByImage, Metric, ratio
from cvtasks.metrics.bootstrap import (
    Difference,
    differences,
    drawn,
    interval_of,
    intervals,
    resampled,
    resamples_of,
)
from cvtasks.metrics.coco_ap import coco_rankings
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.metrics.localization import LocationMetric
from cvtasks.metrics.segmentation import MaskMetric
from tests.metrics.made_up import CLASSES, KINDS, SIZE, counted, some, some_boxes


def by_image(metric: Metric) -> ByImage:
    found = metric.by_image()
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_a_number_over_a_resample_is_that_of_the_images_drawn(kind: str, seed: int) -> None:
    metric, pairs = some(kind, 14, seed)
    counts = next(drawn(len(pairs), 12, 12, seed))
    counts[0] = 1
    counts[1] = np.eye(len(pairs), dtype=np.int64)[3] * 5
    found = by_image(metric).numbers(counts)
    for row, times in enumerate(counts):
        # a copy follows its image: equal scores are taken in the order in which they came
        brute = counted(kind, [pairs[i] for i in np.repeat(np.arange(len(pairs)), times)]).result()
        for name, values in found.items():
            assert values[row] == pytest.approx(brute[name], abs=1e-9, nan_ok=True), (name, row)
    assert next(iter(metric.result())) in found, "the headline has an interval"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_counted_itself_is_given_back(kind: str) -> None:
    metric, pairs = some(kind, 30, 5)
    whole = by_image(metric).numbers(np.ones((1, len(pairs)), np.int64))
    result = metric.result()
    for name, values in whole.items():
        assert values[0] == pytest.approx(result[name], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_one_image_have_no_interval(kind: str) -> None:
    for images in (0, 1):
        metric, _ = some(kind, images)
        assert intervals(metric.by_image()) == {}


@pytest.mark.parametrize("images", [2, 3, 8, 9, 21])
def test_what_one_image_tells_has_no_interval(images: int) -> None:
    """Each image alone, then each with one more, and none: of a mean over some of the images."""

    def over(carrying: list[int]) -> ByImage:
        carry = np.isin(np.arange(images), carrying)
        values = np.linspace(0, 1, images) * carry
        return ByImage(images, lambda n: {"mean": ratio(n @ values, n @ carry)}, images)

    assert intervals(over([])) == {}
    for one in range(images):
        assert intervals(over([one])) == {}
        assert differences(over([one]), over([0, images - 1])) == {}
        assert differences(over([0, images - 1]), over([one])) == {}
        for second in {0, images // 2, images - 1} - {one}:
            assert intervals(over([one, second])).keys() == {"mean"}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_several_images_are_those_that_two_images_give_alone(kind: str) -> None:
    for seed in range(3):
        metric, pairs = some(kind, 3, seed)
        alone = by_image(metric).numbers(np.eye(len(pairs), dtype=np.int64))
        several = {name for name, values in alone.items() if (~np.isnan(values)).sum() > 1}
        assert intervals(metric.by_image()).keys() == several


def test_a_localized_image_alone_has_no_interval_of_its_overlap() -> None:
    def metric(shift: float) -> LocationMetric:
        found = LocationMetric(CLASSES)
        for label in (0, 1):  # the first is of the right class
            truth = Boxes.of([[2, 2, 12, 12]], [0], CLASSES, SIZE)
            box = [[2 + shift, 2, 12 + shift, 12]]
            found.add(truth, Boxes.of(box, [label], CLASSES, SIZE, scores=[0.9]))
        return found

    first, other = by_image(metric(2)), by_image(metric(1))
    name = "mean IoU where the class is right"
    assert {name, "mean IoU"} <= first.numbers(np.ones((1, 2), np.int64)).keys()
    assert name not in intervals(first) and "mean IoU" in intervals(first)
    assert name not in differences(first, other) and "mean IoU" in differences(first, other)


def test_many_detections_of_an_image_are_cut_as_coco_cuts_them() -> None:
    random = np.random.default_rng(0)
    truth = Boxes.of(some_boxes(random, 3), [0, 0, 0], CLASSES, SIZE)
    found = np.concatenate([some_boxes(random, 120), truth.xyxy])
    scores = np.concatenate([random.uniform(0.5, 1, 120), [0.9, 0.1, 0.1]])
    prediction = Boxes.of(found, [0] * 123, CLASSES, SIZE, scores=scores)
    metric = BoxesMetric(CLASSES)
    metric.add(truth, prediction)
    whole = metric.by_image().numbers(np.ones((1, 1), np.int64))
    assert whole["COCO AP"][0] == pytest.approx(metric.result()["COCO AP"], abs=1e-12)
    ranking = coco_rankings(metric._coco_scores(), [(truth, prediction)], len(CLASSES))[0]
    assert len(ranking.image) == 100


# === intervals ===


def test_intervals_are_the_same_every_time_and_lie_around_the_number() -> None:
    metric, _ = some("boxes", 40)
    first, again = intervals(metric.by_image()), intervals(metric.by_image())
    assert first == again
    result = metric.result()
    assert next(iter(first)) == next(iter(result))
    for name, (low, high) in first.items():
        assert 0 <= low < result[name] < high <= 1


def share_of(hits: np.ndarray) -> ByImage:
    return ByImage(len(hits), lambda counts: {"share": counts @ hits / counts.sum(1)}, len(hits))


def test_of_a_share_the_interval_is_that_of_the_binomial() -> None:
    low, high = intervals(share_of(np.arange(400) < 280))["share"]
    error = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert (low, high) == pytest.approx((0.7 - error, 0.7 + error), abs=0.006)


def test_95_of_100_intervals_hold_the_truth() -> None:
    """Mean IoU, a number that is no mean of images, over many data sets of one kind."""
    true = 0.6
    truth_iou = true / (2 - true)  # of two classes alike, where each pixel is right so often
    held, sets = 0, 300
    for seed in range(sets):
        random = np.random.default_rng([seed, 1])
        metric = MaskMetric(("back", "front"))
        for _ in range(60):
            right = random.beta(3, 2)  # images differ: their mean is 0.6
            ids = (np.arange(32) % 2).astype(np.uint8).reshape(4, 8)
            flipped = np.where(random.random(ids.shape) < right, ids, 1 - ids).astype(np.uint8)
            metric.add(Mask(ids, metric.classes), Mask(flipped, metric.classes))
        low, high = interval_of(resampled(metric.by_image(), 200)["VOC mean IoU"])
        held += low <= truth_iou <= high
    assert 0.90 <= held / sets <= 0.985


# === differences ===


def test_a_difference_shares_the_resamples() -> None:
    random = np.random.default_rng(0)
    hits = random.random(500) < 0.6
    better = hits | (np.arange(500) % 50 == 0)
    found = differences(share_of(hits), share_of(better))["share"]
    assert found.value == pytest.approx(better.mean() - hits.mean())
    # alone each is uncertain by four points; nearly all of that is shared
    assert 0 <= found.low < found.value < found.high < found.value + 0.01
    same = differences(share_of(hits), share_of(hits))["share"]
    assert same == Difference(0.0, 0.0, 0.0)
    assert not same.certain
    assert Difference(-0.2, -0.3, -0.1).certain


def test_metrics_of_other_images_are_not_compared() -> None:
    with pytest.raises(ValueError, match="the same images; got 3 and 4"):
        differences(share_of(np.zeros(3)), share_of(np.zeros(4)))


def test_resamples_do_not_depend_on_how_many_are_held_at_once() -> None:
    whole = next(drawn(9, 20, 20))
    np.testing.assert_array_equal(whole, np.concatenate(list(drawn(9, 20, 3))))
    assert (whole.sum(axis=1) == 9).all()


def test_what_is_dear_is_drawn_less_often() -> None:
    cheap, dear = share_of(np.zeros(10)), replace(share_of(np.zeros(10)), cost=10**9)
    assert resamples_of(cheap) == 1000
    assert resamples_of(cheap, dear) == resamples_of(dear) == 200
