"""The metrics of classification against what is worked out by hand, random orders, and a
transcription of the devkit; figures.
"""

from collections.abc import Callable

import numpy as np
import pytest

from cvtasks.answers import Labels
from cvtasks.drawing.annotate import draw_labels, enlarged
from cvtasks.drawing.colours import palette_of
from cvtasks.drawing.plots import class_bars, matrix
from cvtasks.evaluation.figures import figures
from cvtasks.metrics.classification import AccuracyMetric
from cvtasks.metrics.multi_label import MultiLabelMetric
from cvtasks.tasks.classify import Classify

CLASSES = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu")
AREA, ELEVEN = "VOC2012 multi-label mAP", "VOC2007 11-point multi-label mAP"
Pair = tuple[Labels, Labels]


def scored(*scores: float, classes: tuple[str, ...] = CLASSES) -> Labels:
    return Labels(np.array(scores, np.float32), np.zeros(len(classes), bool), classes)


def accuracy(*pairs: Pair, classes: tuple[str, ...] = CLASSES) -> AccuracyMetric:
    metric = AccuracyMetric(classes)
    for pair in pairs:
        metric.add(*pair)
    return metric


def several(*pairs: Pair, classes: tuple[str, ...] = CLASSES) -> MultiLabelMetric:
    metric = MultiLabelMetric(classes)
    for pair in pairs:
        metric.add(*pair)
    return metric


def random_single(seed: int, count: int = 60) -> list[Pair]:
    """One class each, scores in few steps, so that many tie."""
    rng = np.random.default_rng(seed)
    return [
        (Labels.of([rng.integers(7)], CLASSES), scored(*rng.integers(0, 5, 7) / 8))
        for _ in range(count)
    ]


def random_many(seed: int, ties: bool) -> list[Pair]:
    """Up to four classes each, some difficult; nothing shows the last class."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(40):
        shown = np.flatnonzero(rng.random(6) < 0.3)
        difficult = np.setdiff1d(np.flatnonzero(rng.random(7) < 0.2), shown)
        guess = np.isin(np.arange(7), shown) * 0.3 + rng.random(7) * 0.7
        pairs.append(
            (
                Labels.of(shown, CLASSES, difficult),
                scored(*(np.round(guess * 6) / 6 if ties else guess)),
            )
        )
    return pairs


# === one class an image ===


def test_no_images_are_nan() -> None:
    metric = accuracy()
    assert list(metric.result()) == ["top-1 accuracy", "top-5 accuracy", "mean class accuracy"]
    assert np.isnan(list(metric.result().values())).all()
    assert list(metric.per_class()) == list(CLASSES)
    assert all(np.isnan(list(row.values())).all() for row in metric.per_class().values())
    assert metric.confusion.tolist() == np.zeros((7, 7)).tolist()
    assert metric.confusion.dtype == np.int64


def test_one_image() -> None:
    pair = Labels.of([2], CLASSES), scored(0.1, 0.3, 0.2, 0, 0, 0, 0)
    assert accuracy(pair).result() == {
        "top-1 accuracy": 0,
        "top-5 accuracy": 1,
        "mean class accuracy": 0,
    }
    sixth = Labels.of([2], CLASSES), scored(0.5, 0.3, 0.1, 0.3, 0.4, 0.2, 0)
    assert accuracy(sixth).result()["top-5 accuracy"] == 0
    assert accuracy((pair[0],) * 2).result() == {
        "top-1 accuracy": 1,
        "top-5 accuracy": 1,
        "mean class accuracy": 1,
    }


def test_five_classes_have_no_top_five() -> None:
    assert list(accuracy(classes=CLASSES[:5]).result()) == ["top-1 accuracy", "mean class accuracy"]
    assert "top-5 accuracy" in accuracy(classes=CLASSES[:6]).result()


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_constant_scores_are_as_good_as_chance(level: float) -> None:
    metric = accuracy(*((Labels.of([i % 7], CLASSES), scored(*[level] * 7)) for i in range(14)))
    assert metric.result() == pytest.approx(
        {"top-1 accuracy": 1 / 7, "top-5 accuracy": 5 / 7, "mean class accuracy": 1 / 7}
    )
    assert metric.per_class()["ant"] == pytest.approx(
        {"accuracy": 1 / 7, "precision": 1 / 7, "F1": 1 / 7}
    )


def test_ties_across_the_limit_share_the_places_left() -> None:
    tied = scored(0.9, 0.8, 0.7, 0.5, 0.5, 0.5, 0.5)  # two places for four
    assert accuracy((Labels.of([6], CLASSES), tied)).result()["top-5 accuracy"] == pytest.approx(
        1 / 2
    )
    assert accuracy((Labels.of([2], CLASSES), tied)).result()["top-5 accuracy"] == 1
    assert accuracy((Labels.of([6], CLASSES), tied)).result()["top-1 accuracy"] == 0
    within = scored(0.9, 0.5, 0.5, 0.5, 0, 0, 0)
    assert accuracy((Labels.of([3], CLASSES), within)).result()["top-5 accuracy"] == 1


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_is_the_mean_over_random_orders(seed: int) -> None:
    pairs, rng = random_single(seed), np.random.default_rng(seed)
    truths = np.array([truth.shown[0] for truth, _ in pairs])
    scores = np.stack([prediction.scores for _, prediction in pairs])
    got = {1: [], 5: []}
    for _ in range(1500):
        order = np.lexsort((rng.random(scores.shape), -scores), axis=1)
        for k, rows in got.items():
            rows.append((order[:, :k] == truths[:, None]).any(axis=1).mean())
    result = accuracy(*pairs).result()
    for k, rows in got.items():
        assert result[f"top-{k} accuracy"] == pytest.approx(np.mean(rows), abs=0.01)


def test_accuracy_precision_and_f1_by_hand() -> None:
    """Ants: both found, one bee taken for one; bees: one of two; no cow was ever said or shown."""
    ant, bee = Labels.of([0], CLASSES), Labels.of([1], CLASSES)
    says_ant, says_bee, says_dog = (scored(*np.eye(7)[i] * 0.9) for i in (0, 1, 3))
    metric = accuracy(
        (ant, says_ant), (ant, says_ant), (bee, says_ant), (bee, says_bee), (bee, says_dog)
    )
    rows = metric.per_class()
    assert rows["ant"] == pytest.approx({"accuracy": 1, "precision": 2 / 3, "F1": 4 / 5})
    assert rows["bee"] == pytest.approx({"accuracy": 1 / 3, "precision": 1, "F1": 1 / 2})
    assert np.isnan(list(rows["cow"].values())).all()
    np.testing.assert_equal(rows["dog"], {"accuracy": np.nan, "precision": 0.0, "F1": 0.0})
    assert metric.result()["mean class accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    expected = np.zeros((7, 7), int)
    expected[0, 0], expected[1, 0], expected[1, 1], expected[1, 3] = 2, 1, 1, 1
    assert metric.confusion.tolist() == expected.tolist()


def test_the_confusion_has_the_first_of_equal_scores() -> None:
    assert accuracy((Labels.of([6], CLASSES), scored(0, 0.2, 0.4, 0, 0.4, 0, 0))).confusion[
        6
    ].tolist() == [
        0,
        0,
        1,
        0,
        0,
        0,
        0,
    ]


@pytest.mark.parametrize("shown", [[], [0, 1]])
def test_a_truth_has_one_class(shown: list[int]) -> None:
    with pytest.raises(ValueError, match="exactly one class"):
        AccuracyMetric(CLASSES).add(Labels.of(shown, CLASSES), scored(*[0] * 7))


@pytest.mark.parametrize("metric", [AccuracyMetric, MultiLabelMetric])
def test_classes_must_agree(metric: type) -> None:
    other = Labels.of([0], CLASSES[:3])
    for pair in (
        (other, Labels.of([0], CLASSES)),
        (Labels.of([0], CLASSES), other),
        (other, other),
    ):
        with pytest.raises(ValueError, match="the metric's classes"):
            metric(CLASSES).add(*pair)


# === several classes an image ===


def devkit(pairs: list[Pair], label: int) -> tuple[float, float] | None:
    """VOCevalcls.m with 11 points, and VOCap.m on its curve, line by line: area AP and 11-point AP;
    None without truths.
    """
    gt = np.array([0 if t.difficult[label] else 1 if t.scores[label] else -1 for t, _ in pairs])
    out = np.array([p.scores[label] for _, p in pairs], float)
    si = np.argsort(-out, kind="stable")
    tp, fp = gt[si] > 0, gt[si] < 0
    fp, tp = np.cumsum(fp), np.cumsum(tp)
    if not (gt > 0).any():
        return None
    rec = tp / (gt > 0).sum()
    with np.errstate(
        invalid="ignore"
    ):  # the devkit divides by zero where a difficult image is first
        prec = tp / (fp + tp)
    prec = np.nan_to_num(prec)  # MATLAB's max passes NaN over, and every precision is at least 0
    ap = 0.0
    for t in np.arange(0.0, 1.1, 0.1):
        p = max(prec[rec >= t], default=0)
        ap += p / 11
    mrec, mpre = np.array([0, *rec, 1]), np.array([0, *prec, 0])
    for i in range(len(mpre) - 2, -1, -1):
        mpre[i] = max(mpre[i], mpre[i + 1])
    i = np.flatnonzero(mrec[1:] != mrec[:-1]) + 1
    return float(((mrec[i] - mrec[i - 1]) * mpre[i]).sum()), float(ap)


@pytest.mark.parametrize("seed", range(10))
def test_voc_numbers_are_the_devkits(seed: int) -> None:
    pairs = random_many(seed, ties=False)
    rows = several(*pairs).per_class()
    expected = [devkit(pairs, label) for label in range(7)]
    assert expected[6] is None
    assert any(t.difficult[:6].any() for t, _ in pairs)
    for name, numbers in zip(CLASSES[:6], expected[:6], strict=True):
        np.testing.assert_allclose(
            (rows[name]["VOC2012 AP"], rows[name]["VOC2007 AP"]), numbers, atol=1e-12
        )
    result = several(*pairs).result()
    np.testing.assert_allclose(
        (result[AREA], result[ELEVEN]), np.mean(expected[:6], axis=0), atol=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_images_does_not_matter(seed: int) -> None:
    pairs = random_many(seed, ties=True)
    shuffled = [pairs[i] for i in np.random.default_rng(seed).permutation(len(pairs))]
    assert any(
        devkit(pairs, i) != devkit(shuffled, i) for i in range(7)
    )  # the cases have ties that matter
    one, other = several(*pairs), several(*shuffled)
    np.testing.assert_equal(one.per_class(), other.per_class())
    assert one.result() == other.result()
    assert one.best_threshold() == other.best_threshold()


def test_constant_scores_have_the_share_of_the_images_as_precision() -> None:
    pairs = [(Labels.of([0] if i == 0 else [], CLASSES), scored(*[0.5] * 7)) for i in range(4)]
    assert several(*pairs).result() == pytest.approx({AREA: 1 / 4, ELEVEN: 1 / 4})


def test_ties_are_one_step() -> None:
    """Ants at .9; at .5 one that is and two that are not: precisions 1, 2/4."""
    pairs = [
        (Labels.of([0] * is_one, CLASSES), scored(score, *[0] * 6))
        for is_one, score in ((1, 0.9), (0, 0.5), (1, 0.5), (0, 0.5))
    ]
    row = several(*pairs).per_class()["ant"]
    assert row["VOC2012 AP"] == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 4)
    assert row["VOC2007 AP"] == pytest.approx((6 * 1 + 5 * 1 / 2) / 11)
    assert row["best F1"] == pytest.approx(2 / 3)  # of 1 hit in 1, and 2 hits in 4


def test_nothing_shown_is_nan() -> None:
    alone = several((Labels.of([], CLASSES, difficult=range(7)), scored(*[0.5] * 7)))
    empty = several((Labels.of([], CLASSES), scored(*[0.5] * 7)))
    for metric in (several(), alone, empty):
        assert list(metric.result()) == [AREA, ELEVEN]
        assert np.isnan(list(metric.result().values())).all()
        assert all(np.isnan(list(row.values())).all() for row in metric.per_class().values())
        threshold, f1 = metric.best_threshold()
        assert threshold == 0.5
        assert np.isnan(f1)


def test_a_class_that_nothing_shows_is_left_out_of_the_mean() -> None:
    metric = several((Labels.of([0], CLASSES), scored(0.5, *[0.9] * 6)))
    assert metric.result() == {AREA: 1.0, ELEVEN: 1.0}
    assert np.isnan(list(metric.per_class()["bee"].values())).all()


def test_difficult_images_neither_help_nor_hurt() -> None:
    rest = [
        (Labels.of([0], CLASSES), scored(0.6, *[0] * 6)),
        (Labels.of([1], CLASSES), scored(0.7, 0.9, *[0] * 5)),
    ]
    hard = Labels.of([], CLASSES, difficult=[0]), scored(0.8, *[0] * 6)
    assert several(*rest, hard).per_class()["ant"] == several(*rest).per_class()["ant"]
    assert several(*rest).per_class()["ant"]["VOC2012 AP"] == pytest.approx(1 / 2)


def test_the_best_threshold_parts_what_is_from_what_is_not() -> None:
    pairs = [
        (Labels.of([0, 1], CLASSES), scored(0.7, 0.6, *[0] * 5)),
        (Labels.of([], CLASSES), scored(0.4, 0.3, *[0] * 5)),
    ]
    threshold, f1 = several(*pairs).best_threshold()
    assert f1 == 1.0
    assert 0.4 < threshold <= 0.6


def test_what_a_constant_answer_reaches_is_not_learned() -> None:
    """Always the first class: half of all images, a third of each class. Equal scores rank no image
    before another.
    """
    one, many = Classify(), Classify(labels="many", threshold=0.3)
    names = ("ant", "bee", "cat")
    shown = [Labels.of([label], names) for label in (0, 0, 0, 0, 1, 2)]
    constant, flat = (
        Labels.of([0], names),
        Labels(np.full(3, 0.2, np.float32), np.zeros(3, bool), names),
    )
    for found, learned in (
        ([constant] * 6, False),
        ([flat] * 6, False),
        (shown, True),
        ([*shown[:5], constant], True),
        ([], True),
    ):
        metric = AccuracyMetric(names)
        for truth, prediction in zip(shown, found, strict=False):
            metric.add(truth, prediction)
        assert one.learned(metric) == learned
    for found, learned in (([constant] * 6, False), ([flat] * 6, False), (shown, True), ([], True)):
        metric = MultiLabelMetric(names)
        for truth, prediction in zip(shown, found, strict=False):
            metric.add(truth, prediction)
        assert many.learned(metric) == learned
        assert (many.tuned(metric) == many) == (not learned or not found)


@pytest.mark.parametrize("seed", range(3))
def test_f1_is_that_of_the_labels_shown(seed: int) -> None:
    pairs = random_many(seed, ties=True)
    threshold, best = several(*pairs).best_threshold()
    shown, found, hard = (
        np.stack(rows)
        for rows in zip(*((t.scores > 0, p.scores, t.difficult) for t, p in pairs), strict=True)
    )

    def mean_f1(least: float) -> float:
        rows = []
        for label in range(6):
            counted = ~hard[:, label]
            there, said = shown[counted, label], found[counted, label] >= np.float32(least)
            rows.append(2 * (there & said).sum() / (there.sum() + said.sum()))
        return float(np.mean(rows))

    assert mean_f1(threshold) == pytest.approx(best)
    assert best == pytest.approx(max(mean_f1(least) for least in np.linspace(0, 1, 101)))


# === figures ===


def fetching(asked: list[int]) -> Callable[[int], tuple[str, np.ndarray]]:
    def image(index: int) -> tuple[str, np.ndarray]:
        asked.append(index)
        return f"image {index}", np.full((28, 40, 3), 90, np.uint8)

    return image


def check(figures: dict[str, np.ndarray]) -> None:
    for image in figures.values():
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.std() > 5


def test_figures_of_one_class_show_the_surest_errors() -> None:
    says_ant = [scored(s, *[0.01] * 6) for s in (0.2, 0.9, 0.6)]
    metric = accuracy(
        *((Labels.of([i], CLASSES), said) for i, said in zip((1, 2, 0), says_ant, strict=True))
    )
    asked: list[int] = []
    found = dict(figures(metric, fetching(asked)))
    assert list(found) == ["confusion.png", "classes.png", "worst.jpg"]
    assert asked == [1, 0]  # the right one is none
    check(found)
    assert list(dict(figures(accuracy(), fetching(asked)))) == ["confusion.png", "classes.png"]


def test_figures_of_several_classes_show_the_surest_errors() -> None:
    asked: list[int] = []
    found = dict(figures(several(*random_many(0, ties=False)), fetching(asked)))
    assert list(found) == [
        "pr-curves.png",
        "f1-curve.png",
        "classes.png",
        "false-positives.jpg",
        "missed.jpg",
    ]
    assert 0 < len(asked) <= 24
    check(found)
    for metric in (
        several(),
        several(*((truth, truth) for truth, _ in random_many(0, ties=False))),
    ):
        assert list(dict(figures(metric, fetching(asked)))) == [
            "pr-curves.png",
            "f1-curve.png",
            "classes.png",
        ]


def test_a_thousand_classes_fit_in_a_figure() -> None:
    names = tuple(f"class {i}" for i in range(1000))
    assert max(matrix(np.eye(1000, dtype=np.int64), names, names, "images").shape) < 4000
    assert (
        max(class_bars({name: {"accuracy": i / 1000} for i, name in enumerate(names)}).shape) < 4000
    )


# === drawing ===


@pytest.mark.parametrize("size", [(1, 1), (28, 28), (159, 300), (30, 3000), (160, 160), (400, 300)])
@pytest.mark.parametrize(
    "labels",
    [Labels.of([], CLASSES), Labels.of([3], CLASSES), scored(0.5, 0.001, 1, 0, 0.3, 0.2, 0.1)],
)
def test_drawing_takes_any_image(size: tuple[int, int], labels: Labels) -> None:
    image = np.full((*size, 3), 200, np.uint8)
    drawn = draw_labels(image, labels)
    factor = drawn.shape[0] // size[0]
    assert drawn.shape == (size[0] * factor, size[1] * factor, 3)
    assert (factor == 1) == (min(size) >= 160 or 2 * max(size) > 4096)
    assert max(drawn.shape) <= 4096
    assert (image == 200).all()
    assert (drawn != 200).any()


def test_enlarged_pixels_are_squares() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 40, 3), np.uint8)
    large = enlarged(image)
    assert large.shape == (320, 400, 3)
    for shift in (0, 9):
        assert (large[shift::10, shift::10] == image).all()
    whole = np.zeros((200, 300, 3), np.uint8)
    assert enlarged(whole) is not whole


def test_bars_are_as_long_as_scores_are_large() -> None:
    def lengths(*scores: float) -> list[int]:
        image = np.zeros((600, 600, 3), np.uint8)
        drawn = draw_labels(image, scored(*scores)).astype(int)
        colours = (
            palette_of(CLASSES)[1 + np.argsort(-np.array(scores), kind="stable")[:3]] * 0.8
        ).astype(int)
        return [
            int((abs(drawn - colour) <= 1).all(axis=2).any(axis=0).nonzero()[0].max(initial=0))
            for colour in colours
        ]

    first, second, third = lengths(0.8, 0.4, 0.2, 0, 0, 0, 0)
    assert first - second == pytest.approx(2 * (second - third), abs=3)
    assert second > third > 0


def test_names_beyond_ascii_and_long_names_can_be_drawn() -> None:
    names = ("Bär", "猫" * 300)
    image = np.full((200, 200, 3), 90, np.uint8)
    drawn = draw_labels(image, scored(0.6, 0.4, classes=names))
    assert drawn.shape == image.shape
    assert not np.array_equal(drawn, image)
