"""Detection: assignment of cells, what a target says, suppression, drawing, and training on awkward
truths.
"""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import Boxes
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError
from cvtasks.geometry.boxes import areas, clip, iou, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.cell_boxes import IGNORED
from cvtasks.heads.dense import Dense
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.tasks.detect import Detect

CLASSES = ("cat", "dog", "cow")
SIZE = (128, 160)
STRIDES = (8, 16, 32)
NONE = np.zeros((0, 4), np.float32)


def boxes(xyxy, labels=None, **others) -> Boxes:
    """Boxes of cats, unless told otherwise."""
    return Boxes.of(xyxy, [0] * len(xyxy) if labels is None else labels, CLASSES, SIZE, **others)


def random_boxes(count: int, seed: int, smallest: float = 1) -> np.ndarray:
    """(count, 4) float32 in whole pixels of an image of `SIZE`."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    sides = rng.integers(smallest, (width // 2, height // 2), (count, 2))
    corner = rng.integers(0, (width, height) - sides + 1)
    return np.concatenate([corner, corner + sides], axis=1).astype(np.float32)


def recipe(size: int = 64, **detect) -> Recipe:
    """A small recipe."""
    table = {"width": 16, **detect}
    return parse_recipe(
        {
            "task": "detect",
            "backbone": "tiny",
            "size": size,
            "classes": list(CLASSES),
            "detect": table,
        }
    )


# === answers and geometry ===


def test_no_boxes_are_boxes() -> None:
    none = boxes([])
    assert len(none) == 0
    assert none.names == ()
    assert len(none.take(none.counted)) == len(none.with_classes(("dog",))) == 0
    assert iou(NONE, NONE).shape == (0, 0)
    assert areas(NONE).shape == (0,)
    assert clip(NONE, SIZE).shape == (0, 4)
    assert nms(NONE, np.zeros(0), np.zeros(0), 0.5, 10).shape == (0,)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"xyxy": [[5, 5, 4, 9]]}, "left, top, right, bottom"),
        ({"xyxy": [[0, 0, np.nan, 9]]}, "finite"),
        ({"labels": [3]}, "0 to 2"),
        ({"labels": [-1]}, "0 to 2"),
        ({"labels": [0, 1]}, "one a box"),
        ({"scores": [0.5, 0.5]}, "one a box"),
        ({"scores": [np.inf]}, "finite"),
        ({"difficult": []}, "one a box"),
    ],
)
def test_boxes_that_are_none_are_refused(change: dict, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        Boxes.of(
            **{"xyxy": [[1, 1, 5, 5]], "labels": [0], "classes": CLASSES, "size": SIZE, **change}
        )


def test_other_classes_go_or_become_difficult() -> None:
    some = boxes([[0, 0, 9, 9], [1, 1, 9, 9], [2, 2, 9, 9]], [0, 1, 2])
    assert some.with_classes(("cow", "cat")).names == ("cat", "cow")
    void = some.with_classes(("cow", "cat"), "void")
    assert void.difficult.tolist() == [False, True, False]
    assert void.classes == ("cow", "cat")
    assert not some.difficult.any()


def test_iou_counts_pixels() -> None:
    """Against masks of whole pixels, painted."""
    some, others = random_boxes(12, 1), random_boxes(9, 2)

    def painted(box: np.ndarray) -> np.ndarray:
        mask = np.zeros(SIZE, bool)
        left, top, right, bottom = box.astype(int)
        mask[top:bottom, left:right] = True
        return mask

    for i, a in enumerate(some):
        for j, b in enumerate(others):
            both, either = painted(a) & painted(b), painted(a) | painted(b)
            assert iou(some, others)[i, j] == pytest.approx(both.sum() / either.sum(), abs=1e-6)


def test_suppression_is_greedy_within_a_class() -> None:
    """Against the definition, written out."""
    xyxy = random_boxes(200, 3, smallest=20)
    rng = np.random.default_rng(4)
    scores, labels = rng.permutation(200).astype(np.float32) / 200, rng.integers(0, 3, 200)
    overlap, expected = iou(xyxy, xyxy), []
    for i in np.argsort(-scores):
        if all(labels[j] != labels[i] or overlap[i, j] <= 0.5 for j in expected):
            expected.append(i)
    assert nms(xyxy, scores, labels, 0.5, 1000).tolist() == expected
    assert nms(xyxy, scores, labels, 0.5, 7).tolist() == expected[:7]


def test_letterbox_brings_boxes_there_and_back() -> None:
    some = random_boxes(50, 5)
    box = Letterbox(SIZE, (320, 256))
    placed = box.boxes_to_input(some)
    np.testing.assert_allclose(box.boxes_to_image(placed), some, atol=1e-3)
    top, left, height, width = box.window
    np.testing.assert_allclose(
        box.boxes_to_input(np.array([[0, 0, SIZE[1], SIZE[0]]])),
        [[left, top, left + width, top + height]],
    )


# === cells ===


def test_cells_cover_the_network_input_map_by_map() -> None:
    centres, sizes = cells((32, 64), (16, 32))
    assert sizes[:, 0].tolist() == [16] * 8 + [32] * 2
    assert centres[:5].tolist() == [[8, 8], [24, 8], [40, 8], [56, 8], [8, 24]]
    assert centres[8:].tolist() == [[16, 16], [48, 16]]


@pytest.mark.parametrize("count", [0, 1, 3, 40, 300])
def test_every_object_has_a_cell(count: int) -> None:
    owner = assign(random_boxes(count, count), (128, 160), STRIDES, 5.0)
    assert set(owner.tolist()) - {-1} == set(range(count))


def test_more_objects_than_cells_leave_no_cell_empty() -> None:
    owner = assign(random_boxes(50, 0), (32, 32), STRIDES, 5.0)
    assert (owner >= 0).all()
    assert len(set(owner.tolist())) == len(owner) == 16 + 4 + 1


def test_small_objects_go_to_fine_maps_and_large_ones_to_coarse_maps() -> None:
    centres, sizes = cells((320, 320), STRIDES)
    for side, stride in ((30, 8), (80, 16), (220, 32)):
        box = np.array([[50, 40, 50 + side, 40 + side]], np.float32)
        held = assign(box, (320, 320), STRIDES, 5.0) == 0
        assert set(sizes[held, 0]) == {stride}
        assert ((centres[held] > box[0, :2]) & (centres[held] < box[0, 2:])).all()


def test_the_threshold_is_the_candidates_mean_and_their_deviation_by_n() -> None:
    """ATSS' algorithm 1, written out for one object at a time; with n − 1, as the paper's code has
    it, some cells go.
    """
    input_size, differ = (128, 160), 0
    centres, sizes = cells(input_size, STRIDES)
    squares = np.concatenate([centres - 2.5 * sizes, centres + 2.5 * sizes], axis=1)
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, sides = rng.uniform(0, (80, 60)), rng.uniform(10, (80, 60))
        box = np.float32([[*low, *low + sides]])
        distance = np.linalg.norm(centres - box.reshape(2, 2).mean(axis=0), axis=1)
        near = [
            sorted(np.flatnonzero(sizes[:, 0] == stride), key=lambda cell: distance[cell])[:9]
            for stride in STRIDES
        ]
        candidates = np.concatenate(near)
        overlap = iou(squares, box)[:, 0]
        inside = {
            cell
            for cell in candidates
            if (box[0, :2] < centres[cell]).all() and (centres[cell] < box[0, 2:]).all()
        }
        limits = [
            overlap[candidates].mean() + overlap[candidates].std(ddof=ddof) for ddof in (0, 1)
        ]
        by_n, by_less = ({cell for cell in inside if overlap[cell] >= limit} for limit in limits)
        if by_n:
            assert set(np.flatnonzero(assign(box, input_size, STRIDES, 5.0) == 0)) == by_n
        differ += by_n != by_less
    assert differ > 5


@pytest.mark.parametrize("count", [1, 5, 60])
def test_every_truth_comes_back_whatever_its_size(count: int) -> None:
    """Each in a class of its own, so that none suppresses another."""
    classes = tuple(f"class {i}" for i in range(count))
    truth = Boxes.of(random_boxes(count, 10 + count), range(count), classes, SIZE)
    box = Letterbox(SIZE, SIZE)
    again = Dense(Detect(), max_detections=count).decode(
        Dense(Detect()).encode(truth, box), box, classes
    )
    order = np.argsort(again.labels)
    assert again.labels[order].tolist() == list(range(count))
    np.testing.assert_array_equal(again.xyxy[order], truth.xyxy)


def test_difficult_objects_and_crowds_are_ignored_but_not_where_others_are() -> None:
    box = Letterbox((64, 64), (64, 64))
    truth = boxes(
        [[0, 0, 64, 64], [0, 0, 32, 32], [20, 20, 44, 44]],
        difficult=[True, False, False],
        crowd=[False, True, False],
    )
    target = Dense(Detect(), scale=2.0).encode(truth, box)
    values = set(target[:, 4:].max(axis=1).tolist())
    assert values == {IGNORED, 1.0}
    assert len(Dense(Detect()).decode(target, box, CLASSES)) == 1


def test_a_target_without_objects_is_zero() -> None:
    box = Letterbox(SIZE, (64, 64))
    assert not Dense(Detect()).encode(boxes([]), box).any()
    assert len(Dense(Detect()).decode(Dense(Detect()).encode(boxes([]), box), box, CLASSES)) == 0


def test_decode_keeps_the_best_and_stays_inside_the_image() -> None:
    rng = np.random.default_rng(6)
    box = Letterbox(SIZE, (64, 64))
    head = Dense(Detect(), max_detections=20)
    output = rng.uniform(0, 4, head.outputs((64, 64), CLASSES)).astype(np.float32)
    output[:, 4:] /= 4
    found = head.decode(output, box, CLASSES)
    assert len(found) == 20
    assert (np.diff(found.scores) <= 0).all()
    assert (found.xyxy >= 0).all()
    assert (found.xyxy[:, 2:] <= (SIZE[1], SIZE[0])).all()
    sure = head.decode(output, box, CLASSES, threshold=0.99)
    assert (sure.scores >= 0.99).all()
    assert len(head.decode(output, box, CLASSES, threshold=1.0)) == 0


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ({"strides": [8, 32]}, "last ones"),
        ({"strides": [8, 16]}, "last ones"),
        ({"strides": []}, "last ones"),
        ({"threshold": 1.5}, "threshold"),
        ({"scale": 0.0}, "scale"),
        ({"most": 0}, "`head.max_detections` must be 1 to 10000; got 0"),
    ],
)
def test_tables_that_do_not_fit_are_refused(table: dict, rule: str) -> None:
    with pytest.raises(ModelError, match=rule):
        recipe(**table)


def test_detection_needs_a_class() -> None:
    with pytest.raises(ModelError, match="at least one class"):
        parse_recipe({"task": "detect", "backbone": "tiny", "size": 64, "classes": []})


# === what is shown ===


def test_records_rows_and_summary() -> None:
    task, found = (
        Detect(),
        boxes([[1, 2, 30, 40], [5, 5, 9, 9.25], [0, 0, 3, 3]], [1, 0, 1], scores=[0.9, 0.8, 0.25]),
    )
    assert task.summary(found) == "2 × dog, cat"
    assert task.summary(boxes([])) == "nothing"
    assert task.rows(found)[1] == {
        "class": "cat",
        "score": 0.8,
        "x1": 5.0,
        "y1": 5.0,
        "x2": 9.0,
        "y2": 9.25,
    }
    again = task.from_record({**task.record(found), "height": SIZE[0], "width": SIZE[1]}, CLASSES)
    np.testing.assert_array_equal(again.xyxy, found.xyxy)
    assert again.names == found.names
    assert task.keep(found, ["cat"]).names == ("cat",)
    assert len(task.keep(found, [])) == 0


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (480, 640)])
def test_drawing_takes_any_image_and_any_box(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    odd = [
        [0, 0, 0, 0],
        [-50, -50, 900, 900],
        [0, 0, size[1], size[0]],
        [size[1] - 1, 0, size[1], 1],
    ]
    drawn = draw_boxes(image, Boxes.of(odd, [0, 1, 2, 0], CLASSES, size, scores=[1, 0.5, 0, 0.33]))
    assert drawn.shape == image.shape
    assert not np.array_equal(drawn, image)
    assert (image == 90).all()


# === training ===


def _awkward() -> dict[str, Boxes]:
    crowded = random_boxes(300, 9)
    pixels = crowded.copy()
    pixels[:, 2:] = pixels[:, :2] + 1
    labels = np.arange(300) % 3
    return {
        "nothing": boxes([]),
        "one-pixel boxes": boxes(pixels[:20]),
        "300 objects": boxes(crowded, labels),
        "300 one-pixel objects": boxes(pixels, labels),
        "all difficult": boxes(crowded[:5], difficult=[True] * 5),
        "a crowd over the whole image": boxes([[0, 0, 160, 128]], crowd=[True]),
        "the same box in every class": boxes([[10, 10, 60, 60]] * 3, [0, 1, 2]),
        "empty boxes": boxes([[10, 10, 10, 40], [5, 5, 5, 5]]),
    }


@pytest.fixture(scope="module")
def fresh() -> Callable[[], keras.Model]:
    """`fresh()`: a compiled network as it was before it learned anything; always the same one, as
    compiling costs far more than a step.
    """
    keras.utils.set_random_seed(1)
    network = build_network(recipe(), (64, 64))
    network.compile(keras.optimizers.Adam(1e-2), loss=recipe().head.loss)
    network.optimizer.build(network.trainable_variables)
    variables = [*network.weights, *network.optimizer.variables]
    values = [ops.convert_to_numpy(variable) for variable in variables]

    def again() -> keras.Model:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return network

    return again


@pytest.mark.parametrize("name", list(_awkward()))
def test_awkward_truths_train_without_nan(name: str, fresh: Callable[[], keras.Model]) -> None:
    its, network = recipe(), fresh()
    truth = _awkward()[name]
    target = np.stack([its.head.encode(truth, Letterbox(SIZE, (64, 64)))] * 2)
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3)).astype("float32")
    losses = [float(network.train_on_batch(images, target)) for _ in range(3)]
    assert np.isfinite(losses).all()
    assert all(np.isfinite(variable.numpy()).all() for variable in network.weights)


def test_ignored_cells_have_no_gradient() -> None:
    """Whatever the network says there, the loss is the same."""
    its = recipe()
    truth = boxes([[0, 0, 160, 128], [20, 20, 60, 70]], difficult=[True, False])
    target = its.head.encode(truth, Letterbox(SIZE, (64, 64)))[None]
    ignored = target[..., 4:].max(axis=-1) < 0
    assert ignored.any()
    rng = np.random.default_rng(3)
    logits = rng.normal(size=target.shape).astype("float32")
    other = np.where(ignored[..., None], rng.normal(0, 5, target.shape).astype("float32"), logits)
    one, two = (ops.convert_to_numpy(its.head.loss(target, array)) for array in (logits, other))
    np.testing.assert_array_equal(one, two)


def test_eight_images_are_overfitted_to_the_last_object() -> None:
    """Rectangles of three colours on noise, up to four in an image, one image empty."""
    keras.utils.set_random_seed(5)
    rng = np.random.default_rng(7)
    colours = np.array([(220, 40, 40), (40, 220, 40), (40, 40, 220)])
    drawn, truths = [], []
    for count in (1, 2, 3, 4, 0, 1, 2, 3):
        image = rng.integers(90, 130, (96, 96, 3)).astype(np.uint8)
        kept = NONE
        for _ in range(50):
            side = rng.integers(14, 50, 2)
            corner = rng.integers(0, 96 - side)
            box = np.concatenate([corner, corner + side])[None].astype(np.float32)
            if len(kept) < count and not iou(box, kept).any():
                kept = np.concatenate([kept, box])
        labels = rng.integers(0, 3, len(kept))
        for (left, top, right, bottom), label in zip(kept.astype(int), labels, strict=True):
            image[top:bottom, left:right] = colours[label]
        drawn.append(image)
        truths.append(Boxes.of(kept, labels, CLASSES, (96, 96)))
    its = recipe(96, scale=3.0)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(4e-3), loss=its.head.loss)
    images = np.stack(drawn)
    target = np.stack(
        [its.head.encode(truth, Letterbox((96, 96), its.input_size)) for truth in truths]
    )
    for _ in range(300):
        network.train_on_batch(images, target)
    metric = its.task.metric(its.classes)
    engine = KerasEngine(network, its.head, "f32", batch=8)
    for truth, _, answer in predict(
        engine, its.head, its.classes, its.letterbox, zip(truths, drawn, strict=True)
    ):
        metric.add(truth, answer)
    assert metric.result()["VOC2012 area AP@0.5"] == 1.0
