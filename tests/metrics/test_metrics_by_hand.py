"""Metrics worked out by hand, and average precision against a second one written plainly from its
definition.
"""

from collections.abc import Sequence

import numpy as np
import pytest

from cvtasks.answers import VOID, Boxes, Labels, Mask
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.coco_ap import coco_scores
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.metrics.segmentation import MaskMetric

CLASSES = ("cat", "dog")
SIZE = (100, 100)
AREA, ELEVEN = "VOC2012 area AP@0.5", "VOC2007 11-point AP@0.5"
Images = list[tuple[Boxes, Boxes]]
Edges = Sequence[float]


def boxes(
    xyxy: list, labels: list | None = None, scores: list | None = None, **flags: list
) -> Boxes:
    return Boxes.of(xyxy, labels or [0] * len(xyxy), CLASSES, SIZE, scores=scores, **flags)


def measured(images: Images) -> BoxesMetric:
    metric = BoxesMetric(CLASSES)
    for pair in images:
        metric.add(*pair)
    return metric


# === average precision, a second time: loops and no arrays, from the definition ===


def shared(a: Edges, b: Edges) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def area(a: Edges) -> float:
    return (a[2] - a[0]) * (a[3] - a[1])


def overlap(a: Edges, b: Edges) -> float:
    return shared(a, b) / (area(a) + area(b) - shared(a, b))


def of_class(boxes: Boxes, label: int) -> list[dict]:
    columns = zip(
        boxes.xyxy.tolist(), boxes.labels, boxes.scores, boxes.difficult, boxes.crowd, strict=True
    )
    keys = ("edges", "label", "score", "difficult", "crowd")
    return [
        row
        for row in (dict(zip(keys, values, strict=True)) for values in columns)
        if row["label"] == label
    ]


def voc_outcomes(images: Images, label: int) -> tuple[list[bool], int]:
    """Whether each prediction that counts is a hit, from the surest down; how many objects there
    were to find.
    """
    found = [
        (row["score"], number, row["edges"])
        for number, (_, p) in enumerate(images)
        for row in of_class(p, label)
    ]
    objects = [of_class(truth, label) for truth, _ in images]
    claimed, outcomes = set(), []
    for _, number, edges in sorted(
        found, key=lambda row: -row[0]
    ):  # stable: equal scores in the order they came
        here = objects[number]
        best = max(
            (i for i, o in enumerate(here) if not o["crowd"]),
            key=lambda i: overlap(edges, here[i]["edges"]),
            default=-1,
        )
        if best >= 0 and overlap(edges, here[best]["edges"]) >= 0.5:
            if here[best]["difficult"]:
                continue
            if (number, best) not in claimed:
                claimed.add((number, best))
                outcomes.append(True)
                continue
        if not any(o["crowd"] and shared(edges, o["edges"]) >= 0.5 * area(edges) for o in here):
            outcomes.append(False)
    return outcomes, sum(not o["difficult"] and not o["crowd"] for here in objects for o in here)


def coco_outcomes(images: Images, label: int) -> tuple[list[bool], int]:
    """The same by COCO's rules at an IoU of 0.5: each takes the best object that is still free, if
    there is one.
    """
    outcomes, total = [], 0
    for truth, prediction in images:
        free = of_class(truth, label)
        total += sum(not o["difficult"] and not o["crowd"] for o in free)
        for row in sorted(of_class(prediction, label), key=lambda row: -row["score"])[:100]:
            fits = [
                (
                    shared(row["edges"], o["edges"]) / area(row["edges"])
                    if o["crowd"]
                    else overlap(row["edges"], o["edges"]),
                    i,
                )
                for i, o in enumerate(free)
            ]
            fits = [(value, i) for value, i in fits if value >= 0.5]
            counted = [
                (value, i) for value, i in fits if not free[i]["difficult"] and not free[i]["crowd"]
            ]
            if fits:
                best = max(counted or fits)[1]
                if counted:
                    outcomes.append((row["score"], True))
                if not free[best]["crowd"]:
                    free[best] = free[best] | {"edges": [-9.0, -9.0, -8.0, -8.0]}  # taken
            else:
                outcomes.append((row["score"], False))
    return [hit for _, hit in sorted(outcomes, key=lambda row: -row[0])], total


def curve(outcomes: list[bool], total: int) -> list[tuple[float, float]]:
    """(recall, precision) after each prediction."""
    return [(sum(outcomes[:n]) / total, sum(outcomes[:n]) / n) for n in range(1, len(outcomes) + 1)]


def at_levels(outcomes: list[bool], total: int, levels: np.ndarray) -> float:
    points = curve(outcomes, total)
    return sum(max((p for r, p in points if r >= level), default=0.0) for level in levels) / len(
        levels
    )


def area_below(outcomes: list[bool], total: int) -> float:
    """Each object that is found adds its share of the recall at the best precision
    from there on.
    """
    points = curve(outcomes, total)
    return sum(max(p for _, p in points[n:]) for n, hit in enumerate(outcomes) if hit) / total


def random_set(seed: int) -> Images:
    """Up to five images, some empty; difficult objects and crowds; predictions twice, beside, far
    off; few scores, so ties.
    """
    rng, images = np.random.default_rng(seed), []
    for _ in range(int(rng.integers(1, 6))):
        n = int(rng.integers(0, 4))
        corner, side = rng.integers(0, 50, (n, 2)), rng.integers(5, 50, (n, 2))
        xyxy, labels, kind = (
            np.concatenate([corner, corner + side], axis=1),
            rng.integers(0, 2, n),
            rng.random(n),
        )
        again = np.repeat(np.arange(n), rng.integers(0, 3, n))
        near = xyxy[again] + rng.integers(-4, 5, (len(again), 4)) * (
            rng.random((len(again), 1)) < 0.7
        )
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        far = rng.integers((0, 0, 51, 51), (50, 50, 100, 100), (int(rng.integers(0, 3)), 4))
        found = [*labels[again], *rng.integers(0, 2, len(far))]
        scores = rng.integers(1, 9, len(found)) / 8
        truth = boxes(xyxy.tolist(), labels.tolist(), difficult=kind < 0.2, crowd=kind > 0.85)
        images.append((truth, boxes([*near.tolist(), *far.tolist()], found, scores)))
    return images


@pytest.mark.parametrize("hundred", range(10))
def test_two_implementations_agree(hundred: int) -> None:
    known = 0
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        images = random_set(seed)
        rows, coco = (
            measured(images).per_class(),
            coco_scores(images, CLASSES).precision[0, :, :, 0, 2],
        )
        for label, name in enumerate(CLASSES):
            outcomes, total = voc_outcomes(images, label)
            by_coco, same_total = coco_outcomes(images, label)
            assert total == same_total
            if not total:
                assert np.isnan([rows[name][AREA], rows[name][ELEVEN]]).all()
                assert (coco[:, label] == -1).all()
                continue
            known += 1
            expected = [
                area_below(outcomes, total),
                at_levels(outcomes, total, np.arange(11) * 0.1),
                at_levels(by_coco, total, np.linspace(0, 1, 101)),
            ]
            got = [rows[name][AREA], rows[name][ELEVEN], float(coco[:, label].mean())]
            np.testing.assert_allclose(
                got, expected, rtol=0, atol=1e-9, err_msg=f"random_set({seed}), {name}"
            )
    assert known > 100


def test_the_random_sets_leave_nothing_out() -> None:
    sets = [random_set(seed) for seed in range(100)]
    pairs = [pair for images in sets for pair in images]
    assert any(truth.crowd.any() for truth, _ in pairs)
    assert any(truth.difficult.any() for truth, _ in pairs)
    assert any(not len(truth) and len(found) for truth, found in pairs)
    assert any(len(np.unique(found.scores)) < len(found) for _, found in pairs)
    kinds = {error.kind for images in sets for error in measured(images).false_positives(99)}
    assert {"background", "duplicate", "poorly localized"} <= kinds
    outcomes = [(voc_outcomes(images, 0), coco_outcomes(images, 0)) for images in sets]
    assert any(
        voc != coco for voc, coco in outcomes
    )  # the two standards differ, and the cases show it


# === boxes, by hand ===

OBJECT, ELSEWHERE = [0, 0, 10, 10], [50, 50, 60, 60]


def test_a_second_hit_is_wrong_however_good_it_is() -> None:
    """One object, found twice; the first at .9 with an IoU of .5, the second exactly: precisions 1,
    1/2 at a recall of 1.
    """
    truth, found = (
        boxes([OBJECT, ELSEWHERE]),
        boxes([[0, 0, 10, 5], OBJECT, ELSEWHERE], None, [0.9, 0.8, 0.7]),
    )
    row = measured([(truth, found)]).per_class()["cat"]
    assert row[AREA] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert row[ELEVEN] == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)


def test_of_two_objects_the_one_that_is_overlapped_most_is_meant() -> None:
    """VOC does not look for another one where the best is taken; COCO does."""
    truth = boxes([[0, 0, 10, 10], [0, 2, 10, 12]])
    found = boxes(
        [[0, 0, 10, 10], [0, 0, 10, 10]], None, [0.9, 0.8]
    )  # the second's IoU with the other is 8 / 12
    metric = measured([(truth, found)])
    assert metric.per_class()["cat"][AREA] == 1 / 2
    assert metric.result()["COCO AP50"] == pytest.approx(1)


def test_ties_are_taken_in_the_order_in_which_they_came() -> None:
    right, wrong = boxes([OBJECT], None, [0.5]), boxes([ELSEWHERE], None, [0.5])
    truth, nothing = boxes([OBJECT]), boxes([])
    assert measured([(truth, right), (nothing, wrong)]).per_class()["cat"][AREA] == 1
    assert measured([(nothing, wrong), (truth, right)]).per_class()["cat"][AREA] == 1 / 2
    both = boxes([ELSEWHERE, OBJECT], None, [0.5, 0.5])
    assert measured([(truth, both)]).per_class()["cat"][AREA] == 1 / 2
    assert measured([(truth, both.take(np.array([1, 0])))]).per_class()["cat"][AREA] == 1


@pytest.mark.parametrize(
    ("bottom", "expected"), [(5.0, 1.0), (np.nextafter(np.float32(5), np.float32(0)), 0.0)]
)
def test_an_overlap_of_exactly_one_half_is_a_hit_by_both_standards(
    bottom: float, expected: float
) -> None:
    result = measured([(boxes([OBJECT]), boxes([[0, 0, 10, bottom]]))]).result()
    assert (result[AREA], result["COCO AP50"]) == pytest.approx((expected, expected))


def test_a_difficult_object_swallows_any_number_by_voc_and_one_by_coco() -> None:
    truth = boxes([OBJECT, ELSEWHERE], difficult=[False, True])
    found = boxes([ELSEWHERE, ELSEWHERE, OBJECT], None, [0.9, 0.8, 0.7])
    metric = measured([(truth, found)])
    assert metric.per_class()["cat"][AREA] == 1
    assert metric.result()["COCO AP50"] == pytest.approx(1 / 2)


def test_a_class_without_truth_has_no_average_precision_and_leaves_the_mean_alone() -> None:
    metric = measured([(boxes([OBJECT]), boxes([OBJECT, ELSEWHERE], [0, 1], [0.5, 0.9]))])
    assert np.isnan(list(metric.per_class()["dog"].values())).all()
    assert (metric.result()[AREA], metric.result()[ELEVEN]) == (1, 1)


@pytest.mark.parametrize(
    ("found", "levels"),
    [(1, 2), (2, 3), (3, 3), (4, 5), (5, 6), (6, 6), (7, 7), (8, 9), (9, 10), (10, 11)],
)
def test_three_six_and_seven_of_ten_are_short_of_their_tenths(found: int, levels: int) -> None:
    """Level 3 of `arange(11) * 0.1` is 0.30000000000000004: of its eleven, 0, 1 and 2 tenths are
    reached.
    """
    truth = boxes([[0, 10 * i, 10, 10 * i + 10] for i in range(10)])
    row = measured([(truth, truth.take(np.arange(found)))]).per_class()["cat"]
    assert row[AREA] == pytest.approx(found / 10)
    assert row[ELEVEN] == pytest.approx(levels / 11)


# === labels and masks, by hand ===


@pytest.mark.parametrize("n", [6, 7, 10, 100])
@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_constant_scores_are_k_of_n(n: int, level: float) -> None:
    """Who knows nothing is no better than chance, whichever classes the images show."""
    classes = tuple(f"class {i}" for i in range(n))
    metric = AccuracyMetric(classes)
    for shown in (0, 1, n - 1):
        metric.add(
            Labels.of([shown], classes),
            Labels(np.full(n, level, np.float32), np.zeros(n, bool), classes),
        )
    result = metric.result()
    assert (result["top-1 accuracy"], result["top-5 accuracy"]) == pytest.approx((1 / n, 5 / n))
    assert [metric.hits(k).mean() for k in range(1, n + 1)] == pytest.approx(
        [k / n for k in range(1, n + 1)]
    )


def test_constant_scores_rank_nothing() -> None:
    """The average precision of a class is then the share of the images that show it,
    in any order.
    """
    constant = Labels(np.full(2, 0.5, np.float32), np.zeros(2, bool), CLASSES)
    for order in ([[0], [1], [1], []], [[], [1], [1], [0]]):
        metric = MultiLabelMetric(CLASSES)
        for shown in order:
            metric.add(Labels.of(shown, CLASSES), constant)
        assert [row["VOC2012 AP"] for row in metric.per_class().values()] == [1 / 4, 2 / 4]


def test_a_mask_of_one_class_by_hand() -> None:
    """Three cats of which two are found, one void, one false: 2 / 4; background: 1 hit, truth 2,
    predicted 2: 1 / 3.
    """
    metric = MaskMetric(CLASSES)
    rows = [[1, 1, 1, VOID, 0, 0]], [[1, 1, 0, 1, 1, 0]]
    metric.add(*(Mask(np.array(ids, np.uint8), CLASSES) for ids in rows))
    assert [row["IoU"] for row in metric.per_class().values()] == [1 / 3, 2 / 4]


# === what is no answer ===


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["xyxy", "scores", "areas"])
def test_boxes_that_are_not_finite_are_refused(field: str, value: float) -> None:
    numbers = {"xyxy": [[0, 0, 10, 10]], "scores": [0.5], "areas": [100.0]}
    numbers[field] = [[0, 0, value, 10]] if field == "xyxy" else [value]
    with pytest.raises(ValueError, match="must be finite numbers"):
        Boxes.of(
            numbers["xyxy"], [0], CLASSES, SIZE, scores=numbers["scores"], areas=numbers["areas"]
        )


@pytest.mark.parametrize("labels", [[2], [-1], [0, 2], [255, 0]])
def test_labels_of_no_class_are_refused(labels: list[int]) -> None:
    with pytest.raises(
        ValueError, match=f"every label must be 0 to 1.*got {min(labels)} to {max(labels)}"
    ):
        boxes([OBJECT] * len(labels), labels)


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01])
def test_scores_of_labels_are_shares(value: float) -> None:
    with pytest.raises(ValueError, match="a number from 0 to 1"):
        Labels(np.array([0.5, value], np.float32), np.zeros(2, bool), CLASSES)


@pytest.mark.parametrize("value", [2, 3, 254])
def test_ids_of_no_class_are_refused(value: int) -> None:
    ids = np.zeros((3, 4), np.uint8)
    ids[2, 3] = value
    with pytest.raises(ValueError, match=rf"every id must be below 2.*got \[{value}\]"):
        Mask(ids, CLASSES)
    Mask(np.where(ids, VOID, ids).astype(np.uint8), CLASSES)  # void is one
