"""The metrics of detection against transcriptions of the devkits, against pycocotools, and against
scores known from elsewhere.
"""

import contextlib
import io
import json
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.evaluation.figures import figures
from cvtasks.evaluation.thresholds import by_threshold
from cvtasks.formats.voc import from_voc_corners, to_voc_corners
from cvtasks.metrics.average_precision import (
    THRESHOLDS,
    ClassCurve,
    area_ap,
    best_threshold,
    eleven_point_ap,
)
from cvtasks.metrics.detection import BoxesMetric

CLASSES = ("cat", "dog", "cow")
SIZE = (100, 120)
AREA, ELEVEN = "VOC2012 area AP@0.5", "VOC2007 11-point AP@0.5"
NAMES = [
    *(
        AREA,
        ELEVEN,
        "COCO AP",
        "COCO AP50",
        "COCO AP75",
        "COCO AP small",
        "COCO AP medium",
        "COCO AP large",
    ),
    *("COCO AR1", "COCO AR10", "COCO AR100"),
]
Images = list[tuple[Boxes, Boxes]]


def boxes(xyxy: list, labels: list, scores: list | None = None, **flags: list) -> Boxes:
    return Boxes.of(xyxy, labels, CLASSES, SIZE, scores=scores, **flags)


NOTHING = boxes([], [])


def measured(images: Images, classes: tuple[str, ...] = CLASSES) -> BoxesMetric:
    metric = BoxesMetric(classes)
    for truth, prediction in images:
        metric.add(truth, prediction)
    return metric


def voc(images: Images, classes: tuple[str, ...], iou: float = 0.5) -> tuple[float, float]:
    """Means of area AP and 11-point AP over the classes that occur."""
    known = [curve for curve in measured(images, classes).curves(iou).values() if curve.objects]
    return tuple(
        float(np.mean([ap(c.precision, c.recall) for c in known]))
        for ap in (area_ap, eleven_point_ap)
    )


def random_images(seed: int, crowds: bool = True) -> Images:
    """Truths with difficult objects and crowds, some images empty; predictions near them, beside
    them and far off, with ties.
    """
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(12):
        n = int(rng.integers(0, 6))
        corner, size = rng.integers(0, 60, (n, 2)), rng.integers(4, 60, (n, 2))
        xyxy, labels = np.concatenate([corner, corner + size], axis=1), rng.integers(0, 3, n)
        crowd = (rng.random(n) < 0.15) & crowds
        truth = boxes(xyxy, labels, difficult=(rng.random(n) < 0.25) & ~crowd, crowd=crowd)
        again = rng.integers(0, n, int(rng.integers(0, 12)) if n else 0)
        near = np.sort(
            (xyxy[again] + rng.integers(-5, 6, (len(again), 4))).reshape(-1, 2, 2), axis=1
        ).reshape(-1, 4)
        guess = np.where(
            rng.random(len(again)) < 0.75, labels[again], rng.integers(0, 3, len(again))
        )
        far = rng.integers((0, 0, 55, 55), (50, 50, 105, 105), (int(rng.integers(0, 3)), 4))
        found = np.concatenate([near, far]) + np.array([0, 0, 1, 1])
        scores = rng.integers(1, 12, len(found)) / 16
        images.append((truth, boxes(found, [*guess, *rng.integers(0, 3, len(far))], scores)))
    return images


# === Pascal VOC ===


def devkit(images: Images, label: int, least: float = 0.5) -> tuple[float, float] | None:
    """VOCevaldet.m and VOCap.m, line by line, on inclusive corners: area AP and 11-point AP of a
    class, None without objects.
    """
    gt = []
    npos = 0
    for truth, _ in images:
        of_class = truth.take(truth.labels == label)
        diff = ~of_class.counted
        gt.append(
            {"BB": to_voc_corners(of_class.xyxy), "diff": diff, "det": np.zeros(len(diff), bool)}
        )
        npos += int((~diff).sum())
    if not npos:
        return None
    rows = [
        (score, i, bb)
        for i, (_, found) in enumerate(images)
        for score, its, bb in zip(
            found.scores, found.labels, to_voc_corners(found.xyxy), strict=True
        )
        if its == label
    ]
    rows = [rows[k] for k in np.argsort([-row[0] for row in rows], kind="stable")]
    tp, fp = np.zeros(len(rows)), np.zeros(len(rows))
    for d, (_, i, bb) in enumerate(rows):
        ovmax = -np.inf
        jmax = -1
        for j, bbgt in enumerate(gt[i]["BB"]):
            bi = [
                max(bb[0], bbgt[0]),
                max(bb[1], bbgt[1]),
                min(bb[2], bbgt[2]),
                min(bb[3], bbgt[3]),
            ]
            iw = bi[2] - bi[0] + 1
            ih = bi[3] - bi[1] + 1
            if iw > 0 and ih > 0:
                ua = (
                    (bb[2] - bb[0] + 1) * (bb[3] - bb[1] + 1)
                    + (bbgt[2] - bbgt[0] + 1) * (bbgt[3] - bbgt[1] + 1)
                    - iw * ih
                )
                ov = iw * ih / ua
                if ov > ovmax:
                    ovmax = ov
                    jmax = j
        if ovmax >= least:
            if not gt[i]["diff"][jmax]:
                if not gt[i]["det"][jmax]:
                    tp[d] = 1
                    gt[i]["det"][jmax] = True
                else:
                    fp[d] = 1
        else:
            fp[d] = 1
    fp, tp = np.cumsum(fp), np.cumsum(tp)
    rec = tp / npos
    with np.errstate(
        invalid="ignore"
    ):  # the devkit divides by zero where a difficult object was found first
        prec = tp / (fp + tp)
    prec = np.nan_to_num(prec)  # MATLAB's max passes NaN over, and every precision is at least 0
    eleven = sum(max(prec[rec >= t], default=0) for t in np.arange(0.0, 1.1, 0.1)) / 11
    mrec, mpre = np.array([0, *rec, 1]), np.array([0, *prec, 0])
    for i in range(len(mpre) - 2, -1, -1):
        mpre[i] = max(mpre[i], mpre[i + 1])
    steps = np.flatnonzero(mrec[1:] != mrec[:-1]) + 1
    return float(((mrec[steps] - mrec[steps - 1]) * mpre[steps]).sum()), float(eleven)


@pytest.mark.parametrize("seed", range(25))
def test_voc_numbers_are_the_devkits(seed: int) -> None:
    images = random_images(seed, crowds=False)
    rows = measured(images).per_class()
    for label, name in enumerate(CLASSES):
        expected = devkit(images, label)
        got = rows[name][AREA], rows[name][ELEVEN]
        if expected is None:
            assert np.isnan(got).all()
        else:
            np.testing.assert_allclose(got, expected, atol=1e-12)


def test_the_oracle_and_the_cases_leave_nothing_out() -> None:
    """The random cases hold ties, difficult objects that were found, duplicates, empty images, and
    neither 0 nor 1 as result.
    """
    images = [pair for seed in range(25) for pair in random_images(seed, crowds=False)]
    kinds = {error.kind for error in measured(images).false_positives(10**6)}
    assert kinds == {"background", "confused", "duplicate", "poorly localized"}
    assert any(not len(truth) and len(found) for truth, found in images)
    assert any(truth.difficult.any() for truth, _ in images)
    assert any(len(np.unique(found.scores)) < len(found) for _, found in images)
    area, eleven = devkit(images, 0)
    assert 0.1 < area < 0.9
    assert area != eleven


def test_by_hand() -> None:
    """Two cats; found: one (.9), nothing (.8), the same once more (.7), the other (.6): precisions
    1, 1/2, 1/3, 1/2.
    """
    truth = boxes([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 0])
    found = boxes(
        [[0, 0, 10, 10], [80, 0, 90, 9], [0, 0, 10, 9], [50, 50, 60, 60]],
        [0, 0, 0, 0],
        [0.9, 0.8, 0.7, 0.6],
    )
    row = measured([(truth, found)]).per_class()["cat"]
    assert row[AREA] == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert row[ELEVEN] == pytest.approx((6 * 1 + 5 * 0.5) / 11)


def test_an_overlap_of_exactly_one_half_is_enough() -> None:
    truth = boxes([[0, 0, 10, 10]], [0])
    assert measured([(truth, boxes([[0, 0, 10, 5]], [0]))]).result()[AREA] == 1.0
    assert measured([(truth, boxes([[0, 0, 10, 4.9]], [0]))]).result()[AREA] == 0.0


# === the edges ===


def test_no_images_and_no_objects_are_nan() -> None:
    for images in (
        [],
        [(NOTHING, NOTHING)],
        [(boxes([[0, 0, 9, 9]], [0], difficult=[True]), boxes([[0, 0, 9, 9]], [0]))],
    ):
        metric = measured(images)
        result = metric.result()
        assert list(result) == NAMES
        assert np.isnan(list(result.values())).all()
        assert list(metric.per_class()) == list(CLASSES)
        threshold, f1 = metric.best_threshold()
        assert threshold == 0.5
        assert np.isnan(f1)
        assert metric.confusion(0.5).sum() == 0
        assert (metric.false_positives(9), metric.missed(0.5, 9)) == ([], [])


def test_nothing_found_is_zero_and_perfect_is_one() -> None:
    truth = boxes([[0, 0, 20, 20], [30, 0, 80, 50], [0, 0, 120, 100]], [0, 1, 2])
    none = measured([(truth, NOTHING)])
    assert set(none.result().values()) == {0.0}
    assert [error.label for error in none.missed(0.5, 2)] == [2, 1]
    perfect = measured([(truth, truth)])
    np.testing.assert_allclose(list(perfect.result().values()), 1)
    assert (perfect.confusion(0.5) == np.diag([1, 1, 1, 0])).all()
    assert perfect.best_threshold() == (0.5, 1.0)
    assert perfect.missed(0.5, 9) == perfect.false_positives(9) == []


def test_a_class_without_objects_is_left_out_of_the_mean() -> None:
    truth = boxes([[0, 0, 40, 40]], [0])
    metric = measured([(truth, boxes([[0, 0, 40, 40], [5, 5, 50, 50]], [0, 1], [0.5, 0.9]))])
    assert metric.result()[AREA] == 1.0
    assert np.isnan(list(metric.per_class()["dog"].values())).all()
    assert [error.label for error in metric.false_positives(9)] == [1]


def test_false_positives_on_empty_images_count() -> None:
    truth, found = boxes([[0, 0, 40, 40]], [0]), boxes([[0, 0, 40, 40]], [0], [0.5])
    elsewhere = boxes([[0, 0, 40, 40]], [0], [0.9])
    result = measured([(truth, found), (NOTHING, elsewhere)]).result()
    np.testing.assert_allclose([result[AREA], result["COCO AP"]], 0.5)


@pytest.mark.parametrize("flag", ["difficult", "crowd"])
def test_what_is_difficult_or_a_crowd_neither_helps_nor_hurts(flag: str) -> None:
    truth = boxes([[0, 0, 30, 30], [50, 50, 90, 90]], [0, 0], **{flag: [False, True]})
    alone = measured([(truth, boxes([[0, 0, 30, 30]], [0], [0.5]))])
    both = measured([(truth, boxes([[0, 0, 30, 30], [50, 50, 90, 88]], [0, 0], [0.5, 0.9]))])
    assert alone.result()[AREA] == both.result()[AREA] == 1.0
    passed = {"COCO AR1"}  # which looks at the surest one alone, whatever that has found
    np.testing.assert_equal(
        {k: v for k, v in both.result().items() if k not in passed},
        {k: v for k, v in alone.result().items() if k not in passed},
    )
    assert both.false_positives(9) == both.missed(0.5, 9) == []
    assert both.confusion(0.5).tolist() == alone.confusion(0.5).tolist()


def test_any_number_within_a_crowd_is_passed_over() -> None:
    truth = boxes([[0, 0, 30, 30], [40, 40, 100, 100]], [0, 0], crowd=[False, True])
    found = boxes(
        [[0, 0, 30, 30], [40, 40, 60, 60], [70, 70, 90, 99], [30, 70, 50, 90]],
        [0] * 4,
        [0.1, 0.9, 0.8, 0.7],
    )
    metric = measured([(truth, found)])
    np.testing.assert_allclose([metric.result()[AREA], metric.result()["COCO AP50"]], 1)
    assert metric.false_positives(9) == []
    other = measured([(truth, boxes([[40, 40, 60, 60]], [1]))])
    assert [error.kind for error in other.false_positives(9)] == ["background"]


def test_sizes_and_classes_must_agree() -> None:
    metric = BoxesMetric(CLASSES)
    metric.add(NOTHING, Boxes.of([], [], CLASSES, (0, 0)))
    for wrong in (Boxes.of([], [], CLASSES, (100, 121)), Boxes.of([], [], ("cat",), SIZE)):
        with pytest.raises(ValueError, match="one size and the metric's classes"):
            metric.add(NOTHING, wrong)


def test_a_later_image_changes_the_result() -> None:
    metric = measured([(boxes([[0, 0, 9, 9]], [0]),) * 2])
    assert metric.result()[AREA] == 1.0
    metric.add(boxes([[0, 0, 9, 9]], [0]), NOTHING)
    assert metric.result()[AREA] == 0.5
    assert metric.result()["COCO AP"] < 0.6


def test_five_hundred_images_take_seconds() -> None:
    rng = np.random.default_rng(0)
    truth = boxes(rng.integers((0, 0, 60, 60), (50, 50, 110, 100), (20, 4)), rng.integers(0, 3, 20))
    found = boxes(
        rng.integers((0, 0, 60, 60), (50, 50, 110, 100), (100, 4)),
        rng.integers(0, 3, 100),
        rng.random(100),
    )
    start = time.process_time()
    metric = measured([(truth, found)] * 500)
    metric.result()
    metric.per_class()
    assert time.process_time() - start < 15  # 1.5 on a quiet machine


# === COCO ===


def pycocotools(images: Images, classes: int = len(CLASSES)) -> np.ndarray:
    """The twelve numbers of COCOeval; "difficult" is told by an area in no range."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, found = [], []
    for i, (truth, prediction) in enumerate(images, start=1):
        for rows, of in ((truths, truth), (found, prediction)):
            for k, box in enumerate(of.xyxy.astype(float)):
                rect = [*box[:2], *(box[2:] - box[:2])]
                area = -1.0 if of.difficult[k] else float(of.areas[k])
                row = {
                    "id": len(rows) + 1,
                    "image_id": i,
                    "category_id": int(of.labels[k]) + 1,
                    "bbox": rect,
                    "area": area,
                }
                rows.append(row | {"iscrowd": int(of.crowd[k]), "score": float(of.scores[k])})
    sides = [{"id": i + 1, "height": 1, "width": 1} for i in range(len(images))]
    with contextlib.redirect_stdout(io.StringIO()):
        both = []
        for rows in (truths, found):
            both.append(COCO())
            both[-1].dataset = {
                "images": sides,
                "annotations": rows,
                "categories": [{"id": i + 1} for i in range(classes)],
            }
            both[-1].createIndex()
        scoring = COCOeval(*both, "bbox")
        scoring.evaluate()
        scoring.accumulate()
        scoring.summarize()
    return scoring.stats


@pytest.mark.parametrize("seed", range(10))
def test_coco_numbers_are_pycocotools(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    images = random_images(seed)
    expected = pycocotools(images)[:9]
    got = list(measured(images).result().values())[2:]
    np.testing.assert_allclose(np.nan_to_num(got, nan=-1), expected, atol=1e-12)
    assert capfd.readouterr() == ("", "")


def test_a_difficult_object_excuses_one_prediction_as_coco_ignores_one() -> None:
    """By plain IoU: what merely lies inside is wrong, other than in a crowd."""
    truth = boxes([[0, 0, 30, 30], [40, 40, 100, 100]], [0, 0], difficult=[False, True])
    inside = boxes([[0, 0, 30, 30], [45, 45, 60, 60]], [0, 0], [0.5, 0.9])
    assert measured([(truth, inside)]).result()["COCO AP"] == pytest.approx(0.5)


def test_small_medium_and_large_are_judged_by_the_objects_own_area() -> None:
    truth = boxes([[0, 0, 90, 90]], [0], areas=[500.0])
    result = measured([(truth, truth)]).result()
    assert result["COCO AP small"] == pytest.approx(1)
    assert np.isnan([result["COCO AP medium"], result["COCO AP large"]]).all()


# === thresholds and errors ===


def test_f1_and_the_best_threshold() -> None:
    """Cats: hits at .9 and .5, a wrong one at .4 and one more, and three objects; F1 from .5 on
    down: 4/5, 4/6, 4/7.
    """
    curve = ClassCurve(
        np.array([True, True, False, False]), np.array([0.9, 0.5, 0.4, 0.3], np.float32), 3
    )
    expected = [4 / 7, 4 / 6, 4 / 5, 4 / 5, 2 / 4, 0]
    np.testing.assert_allclose(curve.f1(np.array([0.3, 0.35, 0.41, 0.5, 0.6, 0.95])), expected)
    truth = boxes([[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 99, 20]], [0, 0, 0])
    found = boxes(
        [[0, 0, 20, 20], [40, 0, 60, 20], [0, 60, 9, 80], [0, 70, 9, 90]],
        [0] * 4,
        [0.9, 0.5, 0.4, 0.3],
    )
    threshold, f1 = measured([(truth, found)]).best_threshold()
    assert f1 == pytest.approx(0.8)
    assert 0.4 < threshold <= 0.5


@pytest.mark.parametrize(
    "peaks, expected",
    [
        ([0.01], 0.05),  # what finds something at next to no score is not drawn by the hundred
        ([0.05], 0.05),
        ([0.3], 0.3),
        ([0.02, 0.4], 0.4),
    ],
)
def test_a_threshold_below_the_least_is_not_chosen(peaks: list[float], expected: float) -> None:
    """F1 falls by one for each unit of score from its peak."""
    rows = [1 - abs(THRESHOLDS - peak) for peak in peaks]
    rows = [np.max(rows, axis=0)] if len(peaks) > 1 else rows
    assert best_threshold(rows)[0] == pytest.approx(expected)


def test_the_least_threshold_is_chosen_where_no_higher_one_finds_anything() -> None:
    weak = np.where(THRESHOLDS < 0.02, 0.0257, 0.0)
    assert best_threshold([weak]) == (0.05, 0.0)
    assert best_threshold([np.zeros(101)]) == (0.05, 0.0)
    assert best_threshold([np.where(THRESHOLDS == 0.5, 0.01, weak)]) == (0.5, 0.01)


def test_a_weak_detector_is_tuned_to_the_least_threshold() -> None:
    """Of ten images every object is found, at scores of next to nothing."""
    from cvtasks.tasks.detect import Detect

    truth = boxes([[0, 0, 20, 20]], [0])
    metric = measured([(truth, replace(truth, scores=np.full(1, 0.013, np.float32)))] * 10)
    task = Detect(threshold=0.35)
    assert task.learned(metric)
    assert task.tuned(metric).threshold == 0.05
    cut = by_threshold(metric)
    assert cut is not None
    assert (cut.start, cut.why) == (
        0.05,
        "The best mean F1, 1.0000, is at 0.00, lower than is ever chosen; at 0.05 it is 0.0000.",
    )


def test_a_detector_that_has_learned_nothing_keeps_its_threshold() -> None:
    from cvtasks.tasks.detect import Detect

    truth = boxes([[0, 0, 20, 20]], [0])
    cells = [[x, y, x + 9, y + 9] for x in range(0, 100, 10) for y in range(0, 90, 10)]
    noise = boxes(cells, [0] * len(cells), [0.012] * len(cells))
    task = Detect(threshold=0.35)
    for found, learned, threshold in (
        (noise, False, 0.35),
        (NOTHING, False, 0.35),
        (truth, True, 0.5),
    ):
        metric = measured([(truth, found)])
        assert task.learned(metric) == learned
        assert task.tuned(metric).threshold == pytest.approx(threshold, abs=0.03)
    unknown = measured([(NOTHING, NOTHING)])
    assert task.learned(unknown), "nobody knows"
    assert task.tuned(unknown) == task


def test_confusion_counts_every_object_once() -> None:
    truth = boxes(
        [[0, 0, 20, 20], [40, 0, 60, 20], [80, 0, 99, 20]],
        [0, 1, 2],
        difficult=[False, False, True],
    )
    found = boxes(
        [
            [0, 0, 20, 20],
            [0, 0, 20, 19],
            [40, 0, 60, 20],
            [80, 0, 99, 20],
            [0, 60, 9, 80],
            [0, 60, 9, 81],
        ],
        [1, 0, 1, 0, 2, 2],
        [0.9, 0.8, 0.7, 0.9, 0.6, 0.1],
    )
    expected = np.zeros((4, 4), int)
    expected[0, 1] = 1  # the surer one speaks for the cat
    expected[3, 0] = 1  # so the right one is one too many
    expected[1, 1] = 1
    expected[3, 2] = (
        1  # the last is below the threshold, and what found something difficult counts nowhere
    )
    assert measured([(truth, found)]).confusion(0.5).tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_the_rows_of_the_confusion_are_the_objects(seed: int) -> None:
    images = random_images(seed)
    table = measured(images).confusion(0.3)
    objects = np.concatenate([truth.labels[truth.counted] for truth, _ in images])
    assert table[:-1].sum(axis=1).tolist() == np.bincount(objects, minlength=3).tolist()
    assert table[-1, -1] == 0


def test_every_error_is_called_by_its_name() -> None:
    truth = boxes([[0, 0, 20, 20], [40, 0, 60, 20], [0, 50, 60, 100]], [0, 1, 2])
    found = boxes(
        [
            [0, 0, 20, 20],
            [0, 0, 20, 18],
            [40, 0, 60, 19],
            [0, 0, 20, 9],
            [90, 90, 99, 99],
            [40, 0, 60, 6],
        ],
        [0, 0, 2, 0, 1, 2],
        [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    )
    metric = measured([(NOTHING, NOTHING), (truth, found)])
    errors = metric.false_positives(9)
    assert [error.kind for error in errors] == [
        "duplicate",
        "confused",
        "poorly localized",
        "background",
        "background",
    ]
    assert [error.image for error in errors] == [1] * 5
    assert [error.label for error in errors] == [0, 2, 0, 1, 2]
    assert [error.other_label for error in errors] == [0, 1, 0, -1, 1]
    np.testing.assert_allclose([error.iou for error in errors], [0.9, 0.95, 0.45, 0, 0.3])
    assert [error.kind for error in metric.false_positives(2)] == ["duplicate", "confused"]
    largest, other = metric.missed(0.5, 9)
    assert (largest.label, largest.other_label, largest.other_xyxy) == (2, -1, None)
    assert (other.label, other.other_label) == (1, 2)
    assert (other.iou, other.other_score) == pytest.approx((0.95, 0.7))
    assert [error.label for error in metric.missed(0.95, 9)] == [2, 0, 1]


def test_figures_are_images_and_read_no_more_than_they_show() -> None:
    images, asked = random_images(3), []

    def image_of(index: int) -> tuple[str, np.ndarray]:
        asked.append(index)
        return f"image {index}", np.full((*SIZE, 3), 90, np.uint8)

    metric = measured(images)
    found = dict(figures(metric, image_of))
    assert {
        "pr-curves.png",
        "f1-curve.png",
        "confusion.png",
        "false-positives.jpg",
        "missed.jpg",
    } < found.keys()
    assert len(asked) == sum(name.startswith("errors/") for name in found) <= 32
    for image in found.values():
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.std() > 5
    empty = dict(figures(BoxesMetric(CLASSES), image_of))
    assert list(empty) == ["pr-curves.png", "f1-curve.png", "confusion.png"]


# === known scores ===


def known_coco(folder: Path, truths: str, found: str) -> BoxesMetric:
    data, results = (json.loads((folder / name).read_text()) for name in (truths, found))
    ids, names = [c["id"] for c in data["categories"]], tuple(c["name"] for c in data["categories"])
    metric = BoxesMetric(names)
    for image in sorted(
        data["images"], key=lambda image: int(image["id"])
    ):  # the order of pycocotools, which decides ties
        sides = []
        for rows in (data["annotations"], results):
            mine = [row for row in rows if int(row["image_id"]) == int(image["id"])]
            rects = np.array([row["bbox"] for row in mine], float).reshape(-1, 4)
            xyxy = np.concatenate([rects[:, :2], rects[:, :2] + rects[:, 2:]], axis=1)
            labels = [ids.index(row["category_id"]) for row in mine]
            keys = (
                {"crowd": "iscrowd", "areas": "area"}
                if rows is data["annotations"]
                else {"scores": "score"}
            )
            flags = {field: [row[key] for row in mine] for field, key in keys.items()}
            sides.append(Boxes.of(xyxy, labels, names, (image["height"], image["width"]), **flags))
        metric.add(*sides)
    return metric


def test_known_coco_scores(cvtasks_data: Path) -> None:
    folder = cvtasks_data / "metrics" / "coco"
    result = known_coco(
        folder, "instances_val2014_100.json", "instances_val2014_fakebbox100_results.json"
    ).result()
    expected = [
        0.504581,
        0.696973,
        0.572982,
        0.585626,
        0.519400,
        0.501398,
        0.386813,
        0.593680,
        0.595353,
    ]
    np.testing.assert_allclose(list(result.values())[2:], expected, atol=1e-6)
    ignored = known_coco(folder, "gt_ignore_test.json", "dt_ignore_test.json").result()
    assert ignored["COCO AP"] == pytest.approx(0.7099009901, abs=1e-10)


@pytest.mark.parametrize(
    ("iou", "eleven", "area"),
    [
        (0.1, 0.3333333333, 0.3371980676),
        (0.3, 0.2683982683, 0.2456866804),
        (0.5, 0.0303030303, 0.0222222222),
        (0.75, 0, 0),
    ],
)
def test_known_unit_scores(cvtasks_data: Path, iou: float, eleven: float, area: float) -> None:
    """Their author took x + width and y + height for inclusive corners."""
    folder, names, images = cvtasks_data / "metrics" / "unit", ("object",), []
    for file in sorted((folder / "gts").glob("*.txt")):
        truth, found = (
            np.array(
                [line.split()[1:] for line in path.read_text().splitlines() if line.strip()], float
            )
            for path in (file, folder / "dets" / file.name)
        )
        truth, scores, found = truth, found[:, 0], found[:, 1:]
        edges = [
            np.concatenate([rect[:, :2], rect[:, :2] + rect[:, 2:] + 1], axis=1)
            for rect in (truth, found)
        ]
        images.append(
            (
                Boxes.of(edges[0], [0] * len(truth), names, (999, 999)),
                Boxes.of(edges[1], [0] * len(found), names, (999, 999), scores=scores),
            )
        )
    np.testing.assert_allclose(voc(images, names, iou), (area, eleven), atol=1e-10)


def known_voc20(folder: Path, difficult: bool, inclusive: bool) -> tuple[Images, tuple[str, ...]]:
    names, images = tuple((folder / "voc.names").read_text().split()), []
    for file in sorted((folder / "Annotations").glob("*.xml")):
        items = ElementTree.parse(file).getroot().findall("object")
        corners = [
            [float(item.find(f"bndbox/{key}").text) for key in ("xmin", "ymin", "xmax", "ymax")]
            for item in items
        ]
        saved = folder / "detections" / f"{file.stem}.txt"
        rows = [line.split() for line in saved.read_text().splitlines()] if saved.is_file() else []
        found = np.array(rows, float).reshape(-1, 6)
        edges = [np.array(xyxy, float).reshape(-1, 4) for xyxy in (corners, found[:, 2:])]
        edges = [from_voc_corners(xyxy) if inclusive else xyxy for xyxy in edges]
        flags = [difficult and item.findtext("difficult") == "1" for item in items]
        labels = [names.index(item.findtext("name")) for item in items]
        truth = Boxes.of(edges[0], labels, names, (999, 999), difficult=flags)
        images.append(
            (
                truth,
                Boxes.of(edges[1], found[:, 0].astype(int), names, (999, 999), scores=found[:, 1]),
            )
        )
    return images, names


def test_known_voc_scores(cvtasks_data: Path) -> None:
    folder = cvtasks_data / "metrics" / "voc20"
    images, names = known_voc20(folder, difficult=False, inclusive=True)
    np.testing.assert_allclose(voc(images, names, 0.5), (0.610913, 0.598969), atol=1e-6)
    np.testing.assert_allclose(voc(images, names, 0.75), (0.354801, 0.364612), atol=1e-6)
    assert measured(images, names).result()[AREA] == pytest.approx(0.610913, abs=1e-6)
    hard, names = known_voc20(folder, difficult=True, inclusive=True)
    assert voc(hard, names)[0] == pytest.approx(0.6139, abs=5e-5)
    plain, names = known_voc20(
        folder, difficult=False, inclusive=False
    )  # COCO takes corners as they are
    result = measured(plain, names).result()
    np.testing.assert_allclose(
        [result["COCO AP"], result["COCO AP50"]], (0.346958, 0.610030), atol=1e-6
    )
