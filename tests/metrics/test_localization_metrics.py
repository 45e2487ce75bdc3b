"""The metric of single-object localization against what is worked out by hand and against a plain
transcription.
"""

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.evaluation.figures import figures
from cvtasks.metrics.localization import LocationMetric

CLASSES = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu")
SIZE = (100, 120)
TOP1, TOP5 = "top-1 localization accuracy", "top-5 localization accuracy"
RIGHT, MEAN, CLASS = "mean IoU where the class is right", "mean IoU", "top-1 accuracy"


def boxes(xyxy: list, labels: list, scores: list | None = None, **flags: list) -> Boxes:
    return Boxes.of(xyxy, labels, CLASSES, SIZE, scores=scores, **flags)


NOTHING = boxes([], [])
TRUTH = boxes([[0, 0, 10, 10]], [2])


def measured(*images: tuple[Boxes, Boxes]) -> LocationMetric:
    metric = LocationMetric(CLASSES)
    for truth, prediction in images:
        metric.add(truth, prediction)
    return metric


def random_images(seed: int) -> list[tuple[Boxes, Boxes]]:
    """One to three objects of a class, and up to eight guesses each, near the first or not."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(40):
        low, sides = rng.integers(0, 40, 2), rng.integers(10, 60, 2)
        box, n = np.concatenate([low, low + sides]), int(rng.integers(0, 9))
        label = int(rng.integers(6))  # no gnu
        near = np.sort((box + rng.integers(-8, 9, (n, 4))).reshape(n, 2, 2), axis=1).reshape(n, 4)
        guess = np.where(rng.random(n) < 0.4, label, rng.integers(0, 7, n))
        others = [
            box + np.tile(shift, 2) for shift in rng.integers(-20, 40, (int(rng.integers(3)), 2))
        ]
        objects = boxes([box, *others], [label] * (1 + len(others)))
        images.append((objects, boxes(near, guess, rng.permutation(8)[:n] / 8)))
    return images


def test_no_images_are_nan() -> None:
    metric = measured()
    assert list(metric.result()) == [TOP1, TOP5, RIGHT, MEAN, CLASS]
    assert np.isnan(list(metric.result().values())).all()
    assert list(metric.per_class()) == list(CLASSES)
    assert all(np.isnan(list(row.values())).all() for row in metric.per_class().values())
    assert metric.confusion.tolist() == np.zeros((7, 8)).tolist()
    assert metric.wrong(9) == []


def test_nothing_found_is_zero() -> None:
    metric = measured((TRUTH, NOTHING))
    np.testing.assert_equal(
        metric.result(), {TOP1: 0.0, TOP5: 0.0, RIGHT: np.nan, MEAN: 0.0, CLASS: 0.0}
    )
    assert metric.confusion[2].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert [error.kind for error in metric.wrong(9)] == ["missed"]


def test_the_truth_is_perfect() -> None:
    metric = measured((TRUTH, TRUTH))
    assert set(metric.result().values()) == {1.0}
    assert metric.wrong(9) == []


def test_an_overlap_of_exactly_one_half_is_right() -> None:
    half = measured((TRUTH, boxes([[0, 0, 10, 5]], [2])))
    assert half.result() == {TOP1: 1, TOP5: 1, RIGHT: 0.5, MEAN: 0.5, CLASS: 1}
    assert half.wrong(9) == []
    less = measured((TRUTH, boxes([[0, 0, 10, 4.9]], [2]))).result()
    assert (less[TOP1], less[CLASS]) == (0, 1)
    assert less[RIGHT] == pytest.approx(0.49)


def test_by_hand() -> None:
    """Found: the class second; the class alone, half beside; another class with the right box;
    all.
    """
    second = boxes([[0, 0, 10, 10], [0, 0, 10, 8]], [1, 2], [0.4, 0.3])
    beside = boxes([[5, 0, 15, 10]], [2])
    other = boxes([[0, 0, 10, 10]], [1])
    result = measured((TRUTH, second), (TRUTH, beside), (TRUTH, other), (TRUTH, TRUTH)).result()
    assert result == pytest.approx(
        {
            TOP1: 1 / 4,
            TOP5: 2 / 4,
            RIGHT: (1 / 3 + 1) / 2,
            MEAN: (1 + 1 / 3 + 1 + 1) / 4,
            CLASS: 2 / 4,
        }
    )


def test_the_sixth_guess_is_not_looked_at() -> None:
    box, scores = [0, 0, 10, 10], [0.1, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert measured((TRUTH, boxes([box] * 6, [2, 1, 1, 1, 1, 1], scores))).result()[TOP5] == 0
    assert measured((TRUTH, boxes([box] * 5, [2, 1, 1, 1, 1], scores[:5]))).result()[TOP5] == 1


def test_the_best_guess_has_the_highest_score_and_the_first_of_equal_ones() -> None:
    box = [0, 0, 10, 10]
    assert measured((TRUTH, boxes([box, box], [1, 2], [0.4, 0.6]))).result()[TOP1] == 1
    assert measured((TRUTH, boxes([box, box], [1, 2], [0.5, 0.5]))).result()[TOP1] == 0


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_those_of_a_plain_loop(seed: int) -> None:
    images = random_images(seed)

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.astype(float), b.astype(float)
        shared = max(min(a[2], b[2]) - max(a[0], b[0]), 0) * max(
            min(a[3], b[3]) - max(a[1], b[1]), 0
        )
        return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)

    def nearest(guess: np.ndarray, truth: Boxes) -> float:
        return max(overlap(guess, box) for box in truth.xyxy)

    def plain(images: list[tuple[Boxes, Boxes]]) -> list[float]:
        first, five, right, mean, same = [], [], [], [], []
        for truth, found in images:
            ranked = sorted(range(len(found)), key=lambda i: -found.scores[i])[:5]
            hits = [
                found.labels[i] == truth.labels[0] and nearest(found.xyxy[i], truth) >= 0.5
                for i in ranked
            ]
            first.append(any(hits[:1]))
            five.append(any(hits))
            mean.append(nearest(found.xyxy[ranked[0]], truth) if ranked else 0)
            same.append(bool(ranked) and found.labels[ranked[0]] == truth.labels[0])
            right.extend(mean[-1:] * int(same[-1]))
        return [
            float(np.mean(rows)) if rows else np.nan for rows in (first, five, right, mean, same)
        ]

    metric = measured(*images)
    expected = plain(images)
    assert expected[0] < expected[1] < expected[4] + expected[1]
    np.testing.assert_allclose(list(metric.result().values()), expected)
    for label, row in enumerate(metric.per_class().values()):
        np.testing.assert_allclose(
            list(row.values()), plain([pair for pair in images if pair[0].labels[0] == label])
        )
    assert np.isnan(list(metric.per_class()["gnu"].values())).all()
    assert (
        metric.confusion.sum(axis=1).tolist()
        == np.bincount([t.labels[0] for t, _ in images], minlength=7).tolist()
    )
    assert metric.confusion.trace() == round(expected[4] * len(images))


@pytest.mark.parametrize("flag", ["difficult", "crowd"])
def test_what_does_not_count_may_stand_beside(flag: str) -> None:
    truth = boxes([[50, 50, 90, 90], [0, 0, 10, 10]], [4, 2], **{flag: [True, False]})
    assert measured((truth, TRUTH)).result()[TOP1] == 1
    assert measured((truth, boxes([[50, 50, 90, 90]], [4]))).result()[TOP1] == 0


def test_any_object_of_the_class_may_be_found() -> None:
    """ILSVRC takes the best of all instances; the first, which training learns from, is worth no
    more than the others.
    """
    two = boxes([[0, 0, 40, 40], [60, 60, 80, 80]], [2, 2])
    for guess, iou in (
        ([60, 60, 80, 80], 1),
        ([60, 60, 80, 70], 0.5),
        ([0, 0, 40, 30], 0.75),
        ([0, 0, 80, 80], 0.25),
    ):
        result = measured((two, boxes([guess], [2]))).result()
        right = int(iou >= 0.5)
        assert result == pytest.approx({TOP1: right, TOP5: right, RIGHT: iou, MEAN: iou, CLASS: 1})
    assert measured((two, boxes([[60, 60, 80, 80]], [1]))).result()[TOP1] == 0
    assert measured((two, two)).per_class()["cow"][TOP1] == 1
    late = boxes([[20, 60, 40, 80], [60, 60, 80, 80]], [2, 2], [0.6, 0.4])
    assert (measured((two, late)).result()[TOP1], measured((two, late)).result()[TOP5]) == (0, 1)
    wrong = measured((two, boxes([[55, 60, 75, 90]], [2]))).wrong(
        9
    )  # 15×20 of 400 + 600 − 300 pixels
    assert [(error.kind, error.other_xyxy.tolist()) for error in wrong] == [
        ("poorly localized", [60, 60, 80, 80])
    ]
    assert wrong[0].iou == pytest.approx(3 / 7)


def test_a_truth_has_objects_of_one_class() -> None:
    two = boxes([[0, 0, 10, 10], [5, 5, 20, 20]], [2, 1])
    hard = boxes([[0, 0, 10, 10]], [2], difficult=[True])
    for truth, named in ((NOTHING, "none"), (two, "of bee, cow"), (hard, "none")):
        with pytest.raises(
            ValueError,
            match=f"one object to be found, or several of one class; the truth has {named}",
        ):
            LocationMetric(CLASSES).add(truth, TRUTH)


def test_sizes_and_classes_must_agree() -> None:
    metric = measured((TRUTH, Boxes.of([], [], CLASSES, (0, 0))))
    for wrong in (Boxes.of([], [], CLASSES, (100, 121)), Boxes.of([], [], ("ant",), SIZE)):
        with pytest.raises(ValueError, match="one size and the metric's classes"):
            metric.add(TRUTH, wrong)


def test_wrong_guesses_come_with_the_surest_first() -> None:
    poor = boxes([[0, 0, 10, 4]], [2], [0.6])
    other = boxes([[0, 0, 10, 10], [0, 0, 10, 10]], [1, 2], [0.8, 0.1])
    metric = measured((TRUTH, NOTHING), (TRUTH, poor), (TRUTH, TRUTH), (TRUTH, other))
    errors = metric.wrong(9)
    assert [error.kind for error in errors] == ["confused", "poorly localized", "missed"]
    assert [error.image for error in errors] == [3, 1, 0]
    assert [error.label for error in errors] == [1, 2, 2]
    assert [error.other_label for error in errors] == [2, 2, -1]
    np.testing.assert_allclose([error.iou for error in errors], [1, 0.4, 0])
    assert len(metric.wrong(2)) == 2


def test_figures_are_images_and_read_no_more_than_they_show() -> None:
    asked = []

    def image_of(index: int) -> tuple[str, np.ndarray]:
        asked.append(index)
        return f"image {index}", np.full((*SIZE, 3), 90, np.uint8)

    found = dict(figures(measured(*random_images(0)), image_of))
    assert list(found) == ["confusion.png", "classes.png", "iou-curve.png", "worst.jpg"]
    assert 0 < len(asked) <= 16
    for image in found.values():
        assert image.dtype == np.uint8
        assert image.std() > 5
    assert list(dict(figures(measured(), image_of))) == [
        "confusion.png",
        "classes.png",
        "iou-curve.png",
    ]
