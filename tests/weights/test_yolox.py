"""Published weights of YOLOX: every tensor finds its variable, and the network says what the
published graph says.
"""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from cvtasks.errors import ModelError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.media.images import read_image
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.weights.stored import Stored
from cvtasks.weights.torch_file import turned
from cvtasks.weights.yolox import _by_our_names, load_yolox
from tests.weights.official_yolox import REFERENCE, SIDE, SIZES, drawn, image, shapes
from tests.weights.test_foreign_weights import said, steps, table, write_state, write_torch

CLASSES = tuple(f"class {number}" for number in range(80))


def recipe(size: str, side: int, classes: int = 80) -> Recipe:
    """A recipe of a published network."""
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "detect"},
            "head": {"name": "yolox"},
            "backbone": f"cspdarknet-{size}",
            "size": side,
            "classes": CLASSES[:classes],
            "placement": "corner",
        }
    )


def network(size: str = "nano", side: int = 32, classes: int = 80) -> keras.Model:
    """It, with fresh weights."""
    return build_network(recipe(size, side, classes), (side, side))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits as the published graph puts them out: scores by a sigmoid."""
    return np.concatenate([logits[..., :4], 1 / (1 + np.exp(-logits[..., 4:]))], axis=-1)


@pytest.fixture(scope="module")
def nano() -> dict[str, np.ndarray]:
    return drawn(shapes("nano"))


def npz(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    np.savez(path, **tensors)
    return path


def checkpoint(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A file as training leaves it: the state of the network, and that of an optimizer."""
    items, data = {}, {}
    for place, (name, array) in enumerate(tensors.items()):
        items[name] = said(str(place), "FloatStorage", array.size, array.shape, steps(array.shape))
        data[str(place)] = array.astype("<f4").tobytes()
    momentum = {name: items[name] for name in list(items)[:3]}
    both = table({"model": table(items), "optimizer": table({"state": table(momentum)})})
    return write_torch(path, both, data)


@pytest.mark.parametrize("written", [npz, write_state, checkpoint])
def test_the_network_with_drawn_weights_says_what_the_published_graph_says_with_them(
    written: Callable[[Path, dict], Path], nano: dict[str, np.ndarray], tmp_path: Path
) -> None:
    """`tests/weights/official_yolox.py` has made the numbers; one of a file's three kinds is
    enough to run the network, of the others the variables are compared.
    """
    path = written(tmp_path / f"a.{'npz' if written is npz else 'pth'}", nano)
    side = SIDE if written is npz else 32
    ours = network(side=side)
    report = load_yolox(ours, path)
    assert len(report.matched) == len(ours.weights) == len(nano)
    found = {v.path: v.numpy() for v in ours.weights}
    np.testing.assert_array_equal(
        found["dark3_1_m_2_conv2_dconv_conv/kernel"][..., 0],
        nano["backbone.backbone.dark3.1.m.2.conv2.dconv.conv.weight"][:, 0].transpose(1, 2, 0),
    )
    np.testing.assert_array_equal(
        found["down8_conv3_bn/moving_variance"], nano["backbone.C3_p3.conv3.bn.running_var"]
    )
    if side != SIDE:
        return
    (logits,) = keras.ops.convert_to_numpy(ours(image()[None], training=False))
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    for cell, expected in reference["cells"].items():
        said_here = probabilities(logits[int(cell)])[reference["columns"]]
        np.testing.assert_allclose(said_here, expected, atol=2e-4, err_msg=cell)


@pytest.mark.parametrize("size", [*"smlx", "tiny", "nano"])
def test_each_size_has_the_tensors_of_its_file(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By shapes alone: the largest has a hundred million numbers."""
    for kind in (keras.initializers.VarianceScaling, keras.initializers.RandomNormal):
        monkeypatch.setattr(
            kind, "__call__", lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
        )
    tensors = {
        name: Stored(shape, np.dtype("float32"), lambda: np.zeros(0))
        for name, shape in shapes(size).items()
    }
    named = _by_our_names(turned(Path("a.npz"), tensors))
    theirs = {name: one.shape for name, one in named.items()}
    its = network(size)
    assert {v.path: tuple(v.shape) for v in its.weights} == theirs
    count = sum(int(np.prod(v.shape)) for v in its.trainable_variables)
    published = {"nano": 0.91, "tiny": 5.06, "s": 8.97, "m": 25.33, "l": 54.21, "x": 99.07}
    assert abs(count / 1e6 - published[size]) <= 0.005
    assert SIZES.keys() == published.keys()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.pop("backbone.C3_n4.conv3.bn.bias"), "1 not in the file: up32_conv3_bn/beta"),
        (
            lambda t: t.update({"head.more.weight": t["head.stems.0.bn.bias"]}),
            "1 unused: head/more",
        ),
        (
            lambda t: t.update({"head.stems.0.conv.weight": np.zeros((64, 32, 1, 1), "f4")}),
            r"1 of another shape: stem8_conv/kernel \(file \(1, 1, 32, 64\), network",
        ),
    ],
)
def test_a_file_that_is_not_exactly_the_networks_is_refused_and_changes_nothing(
    change: Callable[[dict], object],
    sentence: str,
    nano: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    tensors, ours = dict(nano), network()
    change(tensors)
    before = [v.numpy() for v in ours.weights]
    with pytest.raises(ModelError, match=f"must have exactly .*{sentence}"):
        load_yolox(ours, npz(tmp_path / "a.npz", tensors))
    assert all(np.array_equal(a, v.numpy()) for a, v in zip(before, ours.weights, strict=True))


def test_another_size_or_number_of_classes_is_refused(
    nano: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = npz(tmp_path / "a.npz", nano)
    with pytest.raises(ModelError, match=r"6 of another shape: class_logits8.*classes that it was"):
        load_yolox(network(classes=3), path)
    with pytest.raises(ModelError, match="Choose the backbone"):
        load_yolox(network("tiny"), path)


# === the published files ===


@pytest.fixture(scope="module")
def published(cvtasks_data: Path) -> keras.Model:
    """YOLOX-nano with COCO's weights."""
    found = network(side=SIDE)
    load_yolox(found, cvtasks_data / "weights/yolox_nano_coco.npz")
    return found


def given(data: Path) -> list[np.ndarray]:
    """Ten photographs on the network input."""
    folder = data / "voc2012/VOCdevkit/VOC2012/JPEGImages"
    images = [read_image(path) for path in sorted(folder.glob("*.jpg"))[:10]]
    return [
        Letterbox(one.shape[:2], (SIDE, SIDE), "corner").to_input(one).astype(np.float32)[None]
        for one in images
    ]


def test_published_names_and_shapes_are_those_that_the_tests_know(cvtasks_data: Path) -> None:
    with np.load(cvtasks_data / "weights/yolox_nano_coco.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == shapes("nano")


def test_published_weights_say_what_the_published_graph_says(
    cvtasks_data: Path, published: keras.Model, tmp_path: Path
) -> None:
    """In float32 each engine is up to 2e-4 away from what float64 gives for boxes, and 5e-5 for
    scores; one engine says the same of both graphs to 1e-5.
    """
    if keras.config.backend() != "tensorflow":
        pytest.skip("other back ends export no graph")
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import OpenVINOEngine, core
    from cvtasks.weights.transfer import save_weights

    its, exact = recipe("nano", SIDE), {"INFERENCE_PRECISION_HINT": "f32"}
    weights = tmp_path / "weights.safetensors"
    save_weights(published, weights)
    graph, _ = export_graph(published, its.head, weights, tmp_path)
    shapes_out = its.head.outputs((SIDE, SIDE), CLASSES)
    engine = OpenVINOEngine(graph, weights, (SIDE, SIDE), shapes_out, "f32", False)
    onnx = core().compile_model(cvtasks_data / "peers/yolox_nano.onnx", "CPU", exact)
    images = given(cvtasks_data)
    exported = engine.stream([one[0].astype(np.uint8) for one in images])
    for one, objects in zip(images, exported, strict=True):
        expected = onnx(np.ascontiguousarray(one[..., ::-1].transpose(0, 3, 1, 2)))[0]
        ours = probabilities(keras.ops.convert_to_numpy(published(one, training=False)))
        np.testing.assert_allclose(ours[..., 4:], expected[..., 4:], atol=1e-4)
        np.testing.assert_allclose(ours[..., :4], expected[..., :4], atol=5e-4)
        in_float32 = expected.astype(np.float32)[0]
        size = np.exp(in_float32[:, 2:4])
        low = size / 2 - (in_float32[:, :2] - 0.5)
        scores = in_float32[:, 4:5] * in_float32[:, 5:]
        whole = np.concatenate([low, size - low, scores], axis=1)
        np.testing.assert_allclose(objects["objects"], whole, rtol=1e-4, atol=1e-4)


def test_onnx_runtime_says_the_same(cvtasks_data: Path, published: keras.Model) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(cvtasks_data / "peers/yolox_nano.onnx"))
    for one in given(cvtasks_data):
        fed = np.ascontiguousarray(one[..., ::-1].transpose(0, 3, 1, 2))
        (expected,) = session.run(None, {"images": fed})
        ours = probabilities(keras.ops.convert_to_numpy(published(one, training=False)))
        np.testing.assert_allclose(ours[..., 4:], expected[..., 4:], atol=1e-4)
        np.testing.assert_allclose(ours[..., :4], expected[..., :4], atol=5e-4)
