"""Localization: which object counts, targets and their way back, the loss, the head and its graph,
and a whole run.
"""

import json
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from cvtasks.answers import Boxes, Sample
from cvtasks.data import open_source
from cvtasks.data.checking.statistics import fingerprint
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.warp import Warp
from cvtasks.data.views import Selected
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.engines.export import export_graph
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.engines.openvino_engine import GRAPH, OpenVINOEngine
from cvtasks.errors import ModelError
from cvtasks.formats.voc import voc_xml
from cvtasks.geometry.boxes import areas, iou
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.pooled_box import PooledBox
from cvtasks.model import load
from cvtasks.networks.build import build_network, set_weights, weights_of
from cvtasks.recipe.recipe import Data, Recipe, parse_recipe
from cvtasks.tasks.localize import Localize
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.training.run import run
from cvtasks.weights.transfer import save_weights

CLASSES = ("ant", "bee", "cow", "dog", "eel", "fox", "gnu")
SIZE = (60, 80)
WHOLE = Letterbox(SIZE, SIZE)


def boxes(xyxy, labels=None, **others) -> Boxes:
    """Boxes of ants in an image of `SIZE`, unless told otherwise."""
    return Boxes.of(xyxy, [0] * len(xyxy) if labels is None else labels, CLASSES, SIZE, **others)


def recipe(size: int = 64, backbone: str = "tiny", **localize) -> Recipe:
    """A small recipe."""
    table = {"width": 16, "depth": 1, **localize}
    document = {
        "task": "localize",
        "backbone": backbone,
        "size": size,
        "classes": list(CLASSES),
        "localize": table,
    }
    return parse_recipe(document)


def output(box, scores) -> np.ndarray:
    """An activated output: edges as fractions of the network input, then scores, of which those
    that are not given are 0.
    """
    return np.array([*box, *scores, *[0.0] * (len(CLASSES) - len(scores))], np.float32)


# === which object counts ===


@pytest.mark.parametrize("which", ["largest", "only"])
@pytest.mark.parametrize(
    "truth",
    [
        boxes([]),
        boxes([[0, 0, 9, 9]], difficult=[True]),
        boxes([[0, 0, 9, 9]], crowd=[True]),
        boxes([[5, 5, 5, 30]]),
    ],
    ids=["nothing", "difficult", "crowd", "flat"],
)
def test_an_image_without_an_object_is_left_out(which: str, truth: Boxes) -> None:
    task = Localize(object=which)
    assert task.select(truth) is None
    assert not PooledBox(task).encode(truth, WHOLE).any()


def test_the_largest_object_counts_and_of_equals_the_first() -> None:
    xyxy = [[0, 0, 60, 60], [0, 0, 50, 50], [1, 1, 5, 5], [2, 2, 12, 12], [30, 5, 40, 15]]
    flags = {
        "difficult": [True, False, False, False, False],
        "crowd": [False, True, False, False, False],
    }
    truth = boxes(xyxy, [5, 4, 3, 2, 1], **flags)
    chosen = Localize().select(truth)
    assert chosen.xyxy.tolist() == [[2, 2, 12, 12]]
    assert chosen.names == ("cow",)
    np.testing.assert_array_equal(
        PooledBox(Localize()).encode(truth, WHOLE), PooledBox(Localize()).encode(chosen, WHOLE)
    )


def test_a_truth_keeps_the_others_of_the_class_behind_the_object() -> None:
    """Neither the dog, nor what is difficult, a crowd or flat; of a class that is no other's "void"
    makes difficult ants.
    """
    xyxy = [
        [0, 0, 5, 5],
        [0, 0, 20, 20],
        [30, 0, 60, 30],
        [0, 30, 70, 60],
        [0, 0, 70, 50],
        [7, 7, 7, 9],
        [9, 9, 19, 19],
    ]
    truth = boxes(
        xyxy, [0, 3, 0, 0, 0, 0, 0], difficult=[0, 0, 0, 1, 0, 0, 0], crowd=[0, 0, 0, 0, 1, 0, 0]
    )
    chosen = Localize().select(truth)
    assert chosen.xyxy.tolist() == [[30, 0, 60, 30], [0, 0, 5, 5], [9, 9, 19, 19]]
    assert chosen.names == ("ant", "ant", "ant")
    for others in ("background", "void"):
        assert Localize().select(truth.with_classes(("dog",), others)).xyxy.tolist() == [
            [0, 0, 20, 20]
        ]
        ants = Localize().select(truth.with_classes(("bee", "ant"), others))
        np.testing.assert_array_equal(ants.xyxy, chosen.xyxy)
        assert ants.labels.tolist() == [1, 1, 1]
    again = Localize().select(chosen)
    np.testing.assert_array_equal(again.xyxy, chosen.xyxy)


@pytest.mark.parametrize(
    ("shift", "left"), [(0, [0, 0, 40, 40]), (-20, [0, 0, 20, 40]), (-34, [26, 10, 46, 30])]
)
def test_where_a_window_cuts_the_object_the_largest_that_is_left_is_learned(
    shift: int, left: list[int]
) -> None:
    """40×40 and 20×20 of one class: half of the first is still the larger; of 6 columns, below a
    quarter, nothing is learned.
    """
    truth = Localize().select(boxes([[0, 0, 40, 40], [60, 10, 80, 30]]))
    moved = truth.warp(Warp(SIZE, SIZE, False, np.eye(2), (shift, 0), SIZE), min_visibility=0.25)
    target = PooledBox(Localize()).encode(moved, WHOLE)
    np.testing.assert_allclose(target[:4] * [80, 60, 80, 60], left, atol=1e-4)
    assert target[4:].tolist() == [1, 0, 0, 0, 0, 0, 0]
    metric = Localize().metric(CLASSES)
    metric.add(moved, PooledBox(Localize()).decode(target, WHOLE, CLASSES))
    assert metric.result()["top-1 localization accuracy"] == metric.result()["mean IoU"] == 1


def test_data_are_recognised_by_the_others_too() -> None:
    class Drawn(list):
        format, classes, files, truth_files = "drawn", CLASSES, (), ()

        def truth(self, index: int) -> Boxes:
            return Localize().select(self[index])

    large, small = [0, 0, 40, 40], [50, 10, 60, 20]
    prints = [
        fingerprint(Drawn([boxes(rows)]))
        for rows in ([large], [large, small], [large, [51, *small[1:]]])
    ]
    assert len(set(prints)) == 3


def test_the_only_object_counts_if_it_is_the_only_one() -> None:
    task = Localize(object="only")
    alone = boxes([[0, 0, 60, 60], [2, 2, 12, 12]], [1, 2], difficult=[True, False])
    assert task.select(alone).names == ("cow",)
    assert task.select(boxes([[0, 0, 60, 60], [2, 2, 12, 12]])) is None


def test_sources_leave_out_what_cannot_be_used_and_say_so() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    truths = [boxes([[0, 0, 9, 9]]), boxes([]), boxes([[0, 0, 9, 9], [0, 0, 20, 20]])]

    class Drawn(list):
        format = layout = "drawn"
        kind, classes = Boxes, CLASSES
        files = truth_files = ()

        def truth(self, index: int) -> Boxes:
            return self[index].truth

        def remarks(self) -> list[str]:
            return []

    source = Drawn(Sample(image, truth, str(number)) for number, truth in enumerate(truths))
    largest, only = (Selected(source, Localize(object=which)) for which in ("largest", "only"))
    assert [sample.truth.xyxy.tolist() for sample in map(largest.__getitem__, range(2))] == [
        [[0, 0, 9, 9]],
        [[0, 0, 20, 20], [0, 0, 9, 9]],
    ]
    assert [len(largest), len(only)] == [2, 1]
    assert "1 of 3 images left out" in largest.remarks()[0]
    assert "exactly one object" in only.remarks()[0]


def test_what_augmentation_cuts_off_counts_for_nothing() -> None:
    """Windows of an image twice their size; where less than half of the object shows it is not to
    be learned.
    """
    sample = Sample(
        np.zeros((64, 64, 3), np.uint8), Boxes.of([[0, 0, 8, 8]], [0], CLASSES, (64, 64)), "corner"
    )
    augment = Augment(
        Data(scale=(2, 2), flip=0, colour=0, min_visibility=0.5), 64, seed=0, epochs=1
    )
    seen = [augment([sample] * 100, 0, index).truth for index in range(100)]
    held = np.array(
        [PooledBox(Localize()).encode(truth, Letterbox((64, 64), (64, 64))).any() for truth in seen]
    )
    np.testing.assert_array_equal(held, [truth.counted.any() for truth in seen])
    assert held.any()
    assert not held.all()


# === the target and back ===


@st.composite
def placed(draw) -> tuple[Boxes, Letterbox]:
    """A truth of one object in an image, in hundredths of a pixel, and a letterbox for it."""
    size = tuple(draw(st.integers(1, 2000)) for _ in range(2))
    input_size = tuple(32 * draw(st.integers(1, 20)) for _ in range(2))
    hundredths = [
        sorted(draw(st.lists(st.integers(0, 100 * side), min_size=2, max_size=2, unique=True)))
        for side in size
    ]
    (top, bottom), (left, right) = hundredths
    edges = np.array([left, top, right, bottom]) / 100
    return Boxes.of([edges], [draw(st.integers(0, 6))], CLASSES, size), Letterbox(size, input_size)


@given(placed())
@settings(deadline=None)
def test_a_truth_in_hundredths_of_a_pixel_comes_back_from_any_network_input(
    case: tuple[Boxes, Letterbox],
) -> None:
    truth, box = case
    again = PooledBox(Localize()).decode(PooledBox(Localize()).encode(truth, box), box, CLASSES)
    np.testing.assert_array_equal(again.xyxy, truth.xyxy)
    assert again.names == truth.names
    assert again.scores.tolist() == [1]


def test_nothing_comes_back_of_nothing() -> None:
    head = PooledBox(Localize())
    assert len(head.decode(head.encode(boxes([]), WHOLE), WHOLE, CLASSES)) == 0


def test_the_five_best_classes_come_back_best_first_each_with_the_box() -> None:
    found = PooledBox(Localize()).decode(
        output([0.25, 0.5, 0.5, 1], [0.1, 0.3, 0.05, 0.3, 0.15, 0, 0.1]), WHOLE, CLASSES
    )
    assert found.names == (
        "bee",
        "dog",
        "eel",
        "ant",
        "gnu",
    )  # equal scores in the order of the classes
    np.testing.assert_array_equal(found.xyxy, [[20, 30, 40, 60]] * 5)
    np.testing.assert_array_equal(found.scores, np.float32([0.3, 0.3, 0.15, 0.1, 0.1]))
    assert found.size == SIZE


@pytest.mark.parametrize(
    ("threshold", "names"), [(0.0, ("bee", "ant")), (0.25, ("bee",)), (0.3, ("bee",)), (0.8, ())]
)
def test_the_threshold_cuts_and_classes_without_any_score_are_not_shown(
    threshold: float, names: tuple[str, ...]
) -> None:
    assert (
        PooledBox(Localize())
        .decode(output([0, 0, 1, 1], [0.25, 0.75]), WHOLE, CLASSES, threshold)
        .names
        == names
    )


@given(
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
@settings(deadline=None)
def test_whatever_the_network_says_is_a_box_with_an_area_within_the_image(
    edges: list[float], size: tuple[int, int]
) -> None:
    left, right = sorted(edges[:2])
    top, bottom = sorted(edges[2:])
    answer = PooledBox(Localize()).decode(
        output([left, top, right, bottom], [1]), Letterbox(size, (64, 96)), CLASSES
    )
    assert len(answer) == 1
    assert areas(answer.xyxy)[0] > 0
    assert (answer.xyxy >= 0).all()
    assert (answer.xyxy[0] <= (size[1], size[0]) * 2).all()


def test_a_box_beside_the_image_is_one_pixel_at_its_edge() -> None:
    beside = PooledBox(Localize()).decode(
        output([0, 0.25, 0.1, 0.75], [1]), Letterbox((100, 20), (64, 64)), CLASSES
    )
    np.testing.assert_array_equal(beside.xyxy, [[0, 25, 1, 75]])


# === loss ===


def _giou(one: np.ndarray, other: np.ndarray) -> float:
    """Generalized IoU of two boxes, as the paper's algorithm 1 has it."""
    hull = np.concatenate([np.minimum(one, other)[:2], np.maximum(one, other)[2:]])
    shared = iou(one[None], other[None])[0, 0]
    union = (areas(one[None]) + areas(other[None]))[0] / (1 + shared)
    return shared - (areas(hull[None])[0] - union) / areas(hull[None])[0]


def test_the_loss_is_cross_entropy_giou_and_l1() -> None:
    rng = np.random.default_rng(0)
    head = PooledBox(Localize(), box_weight=3.0, l1_weight=0.7, smoothing=0.1)
    corners, sides = rng.uniform(0, 0.6, (2, 6, 2)), rng.uniform(0.05, 0.4, (2, 6, 2))
    truth, found = np.concatenate([corners, corners + sides], axis=-1).astype("float32")
    classes = np.eye(7, dtype="float32")[[0, 3, 6, 1, 2, 3]]
    raw = rng.normal(size=(6, 7)).astype("float32")
    loss = ops.convert_to_numpy(
        head.loss(np.concatenate([truth, classes], 1), np.concatenate([found, raw], 1))
    )
    entropy = ops.convert_to_numpy(
        keras.losses.categorical_crossentropy(classes, raw, from_logits=True, label_smoothing=0.1)
    )
    box = [1 - _giou(t, f) + 0.7 * abs(t - f).sum() for t, f in zip(truth, found, strict=True)]
    np.testing.assert_allclose(loss, entropy + 3 * np.array(box), rtol=1e-5)


def test_images_without_an_object_teach_nothing() -> None:
    keras.utils.set_random_seed(0)
    its = recipe(smoothing=0.1)
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.SGD(1.0), loss=its.head.loss)
    before = [variable.numpy() for variable in network.trainable_variables]
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3)).astype("float32")
    assert (
        float(network.train_on_batch(images, np.stack([its.head.encode(boxes([]), WHOLE)] * 2)))
        == 0
    )
    for old, variable in zip(before, network.trainable_variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)


def test_awkward_truths_train_without_nan() -> None:
    keras.utils.set_random_seed(1)
    its = recipe()
    network = build_network(its, its.input_size)
    network.compile(keras.optimizers.Adam(1e-2), loss=its.head.loss)
    images = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3)).astype("float32")
    start = network.get_weights()
    for name, edges in {
        "pixel": [10, 10, 11, 11],
        "all": [0, 0, 80, 60],
        "line": [0, 0, 0.01, 60],
    }.items():
        network.set_weights(start)
        truths, letterbox = (boxes([edges]), boxes([])), Letterbox(SIZE, its.input_size)
        target = np.stack([its.head.encode(truth, letterbox) for truth in truths])
        losses = [float(network.train_on_batch(images, target)) for _ in range(3)]
        assert np.isfinite(losses).all(), name
        assert all(np.isfinite(variable.numpy()).all() for variable in network.weights), name


# === head ===


@pytest.mark.parametrize(
    ("backbone", "size", "centres"),
    [
        ("tiny", 96, 16 * (np.arange(6) + 0.5)),  # the map of stride 16
        (
            "lenet5",
            32,
            2 * np.arange(2, 12) + 3,
        ),  # S2, cut to where S4 is: each cell sees 6 pixels from 2i on
        (
            "lenet5",
            28,
            2 * np.arange(2, 12) + 1,
        ),  # the same, with two pixels of padding on each side of the image
    ],
)
def test_the_box_is_what_all_places_expect(backbone: str, size: int, centres: np.ndarray) -> None:
    keras.utils.set_random_seed(4)
    its = recipe(size, backbone, dropout=0.5)
    network = build_network(its, its.input_size)
    parts = [network.get_layer(name) for name in ("attention", "distances", "class_map")]
    for layer in parts:  # as if something had been learned
        layer.kernel.assign(np.random.default_rng(1).normal(0, 1, layer.kernel.shape))
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype("float32")
    whole = keras.Model(network.input, [*(layer.output for layer in parts), network.output])
    asked, distances, scores, logits = (np.asarray(part, np.float64) for part in whole(images))
    x, y = np.meshgrid(centres / size, centres / size)
    away = np.log1p(np.exp(distances - 1))
    edges = [x - away[..., 0], y - away[..., 1], x + away[..., 2], y + away[..., 3]]

    def expected(values: np.ndarray, asked: np.ndarray) -> np.ndarray:
        raised = np.exp(asked)
        return (values * raised).sum(axis=(1, 2)) / raised.sum(axis=(1, 2))

    for number, edge in enumerate(edges):
        wanted = expected(edge, asked[..., 0] + asked[..., 1 + number])
        np.testing.assert_allclose(logits[:, number], wanted, atol=1e-4)
    for number in range(len(CLASSES)):
        wanted = scores[..., number].mean(axis=(1, 2)) + expected(
            scores[..., number], asked[..., 0]
        )
        np.testing.assert_allclose(logits[:, 4 + number], wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("backbone", "sizes"), [("tiny", [(64, 64), (96, 128)]), ("lenet5", [(33, 50), (64, 47)])]
)
def test_a_network_of_open_size_is_the_same_one(
    backbone: str, sizes: list[tuple[int, int]]
) -> None:
    keras.utils.set_random_seed(4)
    its = recipe(64, backbone)
    head, network = its.head, build_network(its, (None, None))
    network.compile(keras.optimizers.SGD(0.01), loss=head.loss)
    for size in sizes:
        fixed = build_network(its, size)
        set_weights(fixed, weights_of(network))
        images = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype("float32")
        found = np.asarray(network(images))
        np.testing.assert_allclose(found, np.asarray(fixed(images)), atol=1e-4)
        target = np.stack([head.encode(boxes([[5, 5, 40, 30]]), Letterbox(SIZE, size))] * 2)
        assert np.isfinite(network.train_on_batch(images, target))


def test_the_activation_puts_edges_in_order_and_within_the_network_input() -> None:
    logits = np.array([[0.75, -0.5, 0.25, 1.5, *[0.0] * 7]], "float32")
    found = ops.convert_to_numpy(PooledBox(Localize()).activate(logits))
    np.testing.assert_allclose(found, [[0.25, 0, 0.75, 1, *[1 / 7] * 7]], rtol=1e-6)


@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="only Keras on TensorFlow exports a graph"
)
@pytest.mark.parametrize(("backbone", "size"), [("tiny", 64), ("lenet5", 45)])
def test_the_graph_sees_what_keras_sees(backbone: str, size: int, tmp_path: Path) -> None:
    keras.utils.set_random_seed(6)
    its = recipe(size, backbone)
    network = build_network(its, its.input_size)
    network.get_layer("attention").kernel.assign(
        np.random.default_rng(1).normal(0, 1, (1, 1, 16, 5))
    )
    save_weights(network, tmp_path / "weights.safetensors")
    export_graph(network, its.head, tmp_path / "weights.safetensors", tmp_path)
    shape = its.head.outputs(its.input_size, its.classes)
    graph = OpenVINOEngine(
        tmp_path / GRAPH, tmp_path / "weights.safetensors", its.input_size, shape, "f32", many=False
    )
    images = list(np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(np.uint8))
    by_graph, by_keras = (
        list(engine.stream(images)) for engine in (graph, KerasEngine(network, its.head, "f32"))
    )
    np.testing.assert_allclose(by_graph, by_keras, atol=1e-4)
    assert np.ptp(by_keras, axis=0).max() > 1e-3  # the images differ


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"box_weight": 0.0}, "`head.box_weight` must be 1e-06 to 1000; got 0"),
        ({"l1_weight": -1.0}, "`head.l1_weight` must be 0 to 1000; got -1"),
        ({"width": 0}, "`head.width` must be 1 to 4096; got 0"),
        ({"object": "smallest"}, "`task.object` must be one of largest, only; got 'smallest'"),
    ],
)
def test_fields_out_of_bounds_are_named(table: dict, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        recipe(**table)


def test_localization_needs_a_class() -> None:
    with pytest.raises(ModelError, match="at least one class"):
        parse_recipe({"task": "localize", "backbone": "tiny", "size": 64, "classes": []})


# === what is shown ===


def test_records_rows_summary_and_files(tmp_path: Path) -> None:
    task = Localize()
    found = PooledBox(task).decode(output([0.25, 0.5, 0.5, 1], [0.25, 0.5, 0.125]), WHOLE, CLASSES)
    assert task.summary(found) == "bee 50%"
    assert task.summary(boxes([])) == "no class is sure enough"
    assert task.rows(found)[1] == {
        "class": "ant",
        "score": 0.25,
        "x1": 20.0,
        "y1": 30.0,
        "x2": 40.0,
        "y2": 60.0,
    }
    record = json.loads(json.dumps(task.record(found)))
    assert record["boxes"][0] == {"name": "bee", "score": 0.5, "xyxy": [20, 30, 40, 60]}
    again = task.from_record({**record, "height": SIZE[0], "width": SIZE[1]}, CLASSES)
    np.testing.assert_array_equal(again.xyxy, found.xyxy)
    np.testing.assert_array_equal(again.scores, found.scores)
    assert again.names == found.names == ("bee", "ant", "cow")
    assert task.keep(found, ["cow"]).names == ("cow",)
    assert len(task.keep(found, [])) == 0
    assert task.write("yolo", tmp_path / "one", found, "one.jpg").read_text().count("\n") == 3
    assert task.write("voc", tmp_path / "one", found, "one.jpg").suffix == ".xml"


def test_the_image_shows_the_best_guess_alone() -> None:
    task, image = Localize(), np.full((*SIZE, 3), 90, np.uint8)
    found = PooledBox(task).decode(output([0.25, 0.5, 0.5, 1], [0.25, 0.5, 0.125]), WHOLE, CLASSES)
    best = boxes([[20, 30, 40, 60]], [1], scores=[0.5])
    np.testing.assert_array_equal(task.draw(image, found), draw_boxes(image, best))
    np.testing.assert_array_equal(task.draw(image, boxes([])), image)


def test_a_truth_shows_the_object_and_thinly_the_others() -> None:
    task, image = Localize(), np.full((*SIZE, 3), 90, np.uint8)
    rows = [[20, 20, 70, 55], [2, 15, 18, 40]]
    np.testing.assert_array_equal(
        task.draw(image, boxes(rows)), draw_boxes(image, boxes(rows, difficult=[False, True]))
    )
    whole = boxes(
        [[0, 0, 70, 55], [1, 1, 9, 9], *rows], [0, 1, 0, 0], difficult=[True, False, False, False]
    )
    np.testing.assert_array_equal(task.draw(image, whole), task.draw(image, boxes(rows)))
    np.testing.assert_array_equal(task.draw(image, boxes(rows, difficult=[True, True])), image)


# === whole runs ===


@pytest.fixture(scope="module")
def devkit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VOC's layout: dark images with a bright square or disc and a smaller one of the other kind,
    some without any.
    """
    root, rng = tmp_path_factory.mktemp("data") / "VOC2012", np.random.default_rng(0)
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    (root / "classes.txt").write_text("square\ndisc", encoding="utf-8")
    for split, count in (("train", 34), ("val", 10)):
        names = [f"{split}-{number:02d}" for number in range(count)]
        for number, name in enumerate(names):
            image = rng.integers(0, 60, (48, 64, 3)).astype(np.uint8)
            large = int(rng.integers(8, 14))
            found = []
            if number < count - 2:
                for kind, radius, x in ((number % 2, large, 18), (1 - number % 2, 4, 54)):
                    centre = [x + int(rng.integers(-4, 5)), int(rng.integers(14, 34))]
                    low, high = ([c + side * radius for c in centre] for side in (-1, 1))
                    if kind == 0:
                        cv2.rectangle(image, low, high, (230, 60, 60), -1)
                    else:
                        cv2.circle(image, centre, radius, (60, 60, 230), -1)
                    found.append(((*low, high[0] + 1, high[1] + 1), kind))
            cv2.imwrite(str(root / "JPEGImages" / f"{name}.png"), image)
            truth = Boxes.of(
                [box for box, _ in found], [kind for _, kind in found], ("square", "disc"), (48, 64)
            )
            (root / "Annotations" / f"{name}.xml").write_text(
                voc_xml(truth, f"{name}.png"), encoding="utf-8"
            )
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text(
            "\n".join(names), encoding="utf-8"
        )
    return root


def test_a_run_from_the_data_to_predictions(devkit: Path, tmp_path: Path, cli) -> None:
    its = parse_recipe(
        {
            "task": "localize",
            "backbone": "tiny",
            "size": 64,
            "classes": ["square", "disc"],
            "localize": {"width": 32, "dropout": 0.0},
            "data": {"path": str(devkit), "scale": [0.9, 1.1], "colour": 0.0, "workers": 0},
            "train": {
                "epochs": 40,
                "batch": 8,
                "learning_rate": 0.01,
                "precision": "f32",
                "validate_every": 20,
            },
        }
    )
    said = []
    finished = run(
        planned(its, say=said.append), tmp_path / "run", "", Report(on_message=said.append)
    )
    assert finished["metrics"]["top-1 localization accuracy"] == 1
    assert finished["images"] == 8
    assert any("2 of 34 images left out" in line for line in said)
    code, out, err = cli(
        "evaluate", tmp_path / "run", "--data", devkit, "--json", "-o", tmp_path / "report"
    )
    assert code == 0, err
    assert json.loads(out)["metrics"]["mean IoU"] == pytest.approx(
        finished["metrics"]["mean IoU"], abs=0.01
    )
    truth = open_source(str(devkit), "val", Boxes)[0]
    answer = load(tmp_path / "run").predict(truth.image)
    assert answer.names[0] == its.task.select(truth.truth).names[0]
    assert iou(answer.xyxy[:1], its.task.select(truth.truth).xyxy)[0, 0] > 0.5
