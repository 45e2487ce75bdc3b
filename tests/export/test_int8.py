"""int8: what a layer is and how much it computes, in each format; the search, its refusals; what
ranges are measured on.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.export.calibration import Calibration, known_by
from cvtasks.export.int8 import make
from cvtasks.export.int8.layers import Layer, share_in_int8
from cvtasks.export.int8.make import TOOLS, Measure, make_int8
from cvtasks.export.int8.report import Scores
from cvtasks.export.int8.written import Int8, _measure

SIZE = 16
MULTIPLY_ADDS = [16 * 16 * 3 * 3 * 3 * 8, 16 * 16 * 3 * 3 * 8, 16 * 16 * 8 * 4]
"""Of a convolution of 3 × 3 from 3 channels to 8, one of 3 × 3 for each of the 8, and one of 1 × 1
to 4, all at 16 × 16.
"""


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8) for _ in range(8)]


@pytest.fixture(scope="module")
def weights() -> list[np.ndarray]:
    """Kernels as TensorFlow has them: (height, width, in, out)."""
    rng = np.random.default_rng(1)
    shapes = [(3, 3, 3, 8), (3, 3, 8, 1), (1, 1, 8, 4)]
    return [rng.normal(0, 0.3, shape).astype(np.float32) for shape in shapes]


def as_openvino(weights: list[np.ndarray], folder: Path) -> Path:
    from cvtasks.engines.openvino_engine import ov

    ops = ov.opset13
    image = ops.parameter([1, SIZE, SIZE, 3], np.float32, "image")
    image.output(0).get_tensor().set_names({"image"})
    value = ops.multiply(ops.transpose(image, [0, 3, 1, 2]), np.float32(1 / 255))
    ends = ([1, 1], [1, 1], [1, 1], [1, 1])
    value = ops.relu(ops.convolution(value, weights[0].transpose(3, 2, 0, 1), *ends))
    own = weights[1].transpose(2, 3, 0, 1)[:, :, None]
    value = ops.relu(ops.group_convolution(value, own, *ends))
    none = ([1, 1], [0, 0], [0, 0], [1, 1])
    value = ops.sigmoid(ops.convolution(value, weights[2].transpose(3, 2, 0, 1), *none))
    result = ops.transpose(value, [0, 2, 3, 1])
    result.output(0).get_tensor().set_names({"output"})
    graph = ov.Model([result], [image], "tiny")
    graph.set_rt_info("a ç", ["cvtasks", "task"])
    ov.save_model(graph, str(folder / "model.xml"), compress_to_fp16=False)
    return folder / "model.xml"


def as_onnx(weights: list[np.ndarray], folder: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    from onnx import helper, numpy_helper

    kernels = [
        weights[0].transpose(3, 2, 0, 1),
        weights[1].transpose(2, 3, 0, 1),
        weights[2].transpose(3, 2, 0, 1),
    ]
    arrays = [
        numpy_helper.from_array(np.ascontiguousarray(one), f"w{number}")
        for number, one in enumerate(kernels)
    ]
    arrays.append(numpy_helper.from_array(np.float32(1 / 255), "scale"))
    nodes = [
        helper.make_node("Transpose", ["image"], ["t"], "turned", perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["t", "scale"], ["m"], "scaled"),
        helper.make_node("Conv", ["m", "w0"], ["a"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "b"),
        helper.make_node("Conv", ["b", "w1"], ["c"], "second", pads=[1, 1, 1, 1], group=8),
        helper.make_node("Relu", ["c"], ["d"], "d"),
        helper.make_node("Conv", ["d", "w2"], ["e"], "third"),
        helper.make_node("Sigmoid", ["e"], ["f"], "f"),
        helper.make_node("Transpose", ["f"], ["output"], "back", perm=[0, 2, 3, 1]),
    ]
    kind = onnx.TensorProto.FLOAT
    read = helper.make_tensor_value_info("image", kind, ["batch", SIZE, SIZE, 3])
    given = helper.make_tensor_value_info("output", kind, ["batch", SIZE, SIZE, 4])
    graph = helper.make_graph(nodes, "tiny", [read], [given], arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="task", value="a ç")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def as_litert(weights: list[np.ndarray], folder: Path) -> Path:
    pytest.importorskip("ai_edge_litert")
    import tensorflow as tf

    from cvtasks.export.litert import SIGNATURE, with_facts

    @tf.function(input_signature=[tf.TensorSpec([1, SIZE, SIZE, 3], tf.float32, name="image")])
    def network(image: tf.Tensor) -> dict[str, tf.Tensor]:
        value = tf.nn.relu(tf.nn.conv2d(image * (1 / 255), weights[0], 1, "SAME"))
        value = tf.nn.relu(tf.nn.depthwise_conv2d(value, weights[1], [1, 1, 1, 1], "SAME"))
        return {"output": tf.nn.sigmoid(tf.nn.conv2d(value, weights[2], 1, "SAME"))}

    module = tf.Module()
    place = str(folder / "saved")
    tf.saved_model.save(module, place, {SIGNATURE: network.get_concrete_function()})
    converter = tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=[SIGNATURE])
    (folder / "model.tflite").write_bytes(with_facts(converter.convert(), {"task": "a ç"}))
    return folder / "model.tflite"


def by_openvino(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    from cvtasks.engines.openvino_engine import core

    graph = core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda image: np.array(graph([image[None].astype(np.float32)])[0])


def by_onnxruntime(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image[None].astype(np.float32)})[0]


def by_litert(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=path.read_bytes()).get_signature_runner("serve")
    return lambda image: runner(image=image[None].astype(np.float32))["output"]


FORMATS = {
    "openvino": (as_openvino, by_openvino),
    "onnx": (as_onnx, by_onnxruntime),
    "litert": (as_litert, by_litert),
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_layer_kept_in_float_is_float_and_all_others_are_int8(
    format: str, images, weights, tmp_path: Path
):
    if find_spec(TOOLS[format].package) is None:
        pytest.skip(f"int8 of {format} is made by {TOOLS[format].name}, which is not installed")
    written, run = FORMATS[format]
    floats = written(weights, tmp_path)
    tool = TOOLS[format].load()
    layers = tool.layers_of(floats)
    assert [one.multiply_adds for one in layers] == MULTIPLY_ADDS
    assert [one.last for one in layers] == [False, False, True]
    assert not any(one.in_int8 for one in layers)
    whole = tool.quantising(floats, images, _folder(tmp_path, "whole"))(())
    assert [one.in_int8 for one in tool.layers_of(whole)] == [True] * 3
    quantise = tool.quantising(floats, images, _folder(tmp_path, "part"))
    quantise(())
    part = quantise([layers[1].name])
    alone = tool.quantising(floats, images, _folder(tmp_path, "alone"))([layers[1].name])
    assert np.array_equal(run(part)(images[0]), run(alone)(images[0]))
    made = tool.layers_of(part)
    assert [one.in_int8 for one in made] == [True, False, True]
    assert share_in_int8(made) == pytest.approx(1 - MULTIPLY_ADDS[1] / sum(MULTIPLY_ADDS))
    wanted, found = (run(path)(images[0]) for path in (floats, whole))
    assert 0 < np.abs(wanted - found).max() < 0.1
    errors = tool.errors_of(floats, whole, images[:2])
    assert set(errors) == {one.name for one in layers}
    assert all(math.isfinite(error) and error < 0.5 for error in errors.values())
    assert max(errors.values()) > 0
    assert _facts(format, whole)["task"] == "a ç"


def _folder(root: Path, name: str) -> Path:
    (root / name).mkdir()
    return root / name


def _facts(format: str, path: Path) -> dict[str, str]:
    if format == "onnx":
        import onnx

        return {one.key: one.value for one in onnx.load(str(path)).metadata_props}
    if format == "litert":
        from cvtasks.export.litert import facts_of

        return facts_of(path.read_bytes())
    from cvtasks.engines.openvino_engine import core

    model = core().read_model(str(path))
    return {"task": model.get_rt_info(["cvtasks", "task"]).astype(str)}


# === the search ===

LAYERS = [Layer("a", 70), Layer("b", 15), Layer("c", 10), Layer("out", 5, last=True)]
SPARED = {"b": 1.5, "out": 1.0}
"""Points that a layer saves where it is kept in float."""


class Toy(SimpleNamespace):
    """A tool whose files are the names of the layers in float."""

    def quantising(self, floats: Path, images: Sequence, place: Path) -> Callable:
        def quantise(keep: Collection[str]) -> Path:
            path = place / "toy"
            path.write_text(" ".join(sorted(keep)))
            return path

        return quantise

    def layers_of(self, path: Path) -> list[Layer]:
        if path.name == "float":
            return LAYERS
        kept = {*path.read_text().split(), *self.never}
        return [
            Layer(one.name, one.multiply_adds, one.last, one.name not in kept) for one in LAYERS
        ]

    def errors_of(self, floats: Path, made: Path, images: Sequence) -> dict[str, float]:
        return {"a": 0.3, "b": 0.9, "c": 0.1, "out": 0.0}


def searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: float, lost: float = 3.0, never=()
):
    """What the search makes of a toy that loses so many points where nothing is kept in float."""

    class ToyTool(make.Tool):
        def load(self) -> Toy:
            return Toy(never=never)

    monkeypatch.setitem(make.TOOLS, "toy", ToyTool("", "a toy", "", ""))

    def score(path: Path) -> Scores:
        saved = 0.0 if path.name == "float" else lost
        if path.name != "float":
            saved -= sum(SPARED.get(name, 0.0) for name in path.read_text().split())
        return Scores({"AP": 0.6 - saved / 100}, {"cat": {"AP": 0.6 - saved / 100}})

    calibration = Calibration([np.zeros((4, 4, 3), np.uint8)] * 9, "nine", ("x",) * 9)
    said: list[str] = []
    measure = Measure(score, "ten images")
    floats = tmp_path / "float"
    made = make_int8(
        "toy", floats, tmp_path, lambda path: path, calibration, measure, most, said.append
    )
    return *made, said


def test_what_loses_little_at_once_is_kept_as_it_is(tmp_path, monkeypatch):
    path, report, said = searched(tmp_path, monkeypatch, most=1.0, lost=0.4)
    assert path.read_text() == "" and len(report.rounds) == len(said) == 1
    assert report.rounds[0].share == 1 and report.rounds[0].lost == pytest.approx(0.4)
    assert "0.6000 → 0.5960, +0.40 points lost; 100%" in said[0]
    document = report.as_dict()
    assert document["points_lost"] == 0.4 and document["kept_in_float"] == []
    assert document["metrics"] == {"AP": {"float": 0.6, "int8": 0.596}}
    assert document["classes"] == {"cat": {"AP": {"float": 0.6, "int8": 0.596}}}
    assert document["calibration_images"] == ["x"] * 9


def test_layers_that_cost_most_stay_in_float_until_enough_is_won(tmp_path, monkeypatch):
    path, report, _ = searched(tmp_path, monkeypatch, most=0.6)
    # a head's output first; then the largest error, as soon as a fifth of the products is enough
    assert [one.kept for one in report.rounds] == [(), ("out",), ("out", "b")]
    assert path.read_text() == "b out"
    assert report.rounds[-1].lost == pytest.approx(0.5)
    assert report.rounds[-1].share == pytest.approx(0.8)


def test_what_loses_more_is_refused_with_the_numbers(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"may lose 0\.2 points of AP; .* loses 0\.50 at least"):
        searched(tmp_path, monkeypatch, most=0.2)


def test_what_is_mostly_float_is_not_called_int8(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"80% of its multiply-adds are; a toy makes 30%"):
        searched(tmp_path, monkeypatch, most=1.0, lost=0.1, never=("a",))


def test_a_score_that_is_no_number_is_no_success(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="may lose"):
        searched(tmp_path, monkeypatch, most=1.0, lost=math.nan)


@pytest.mark.parametrize("most", [-1.0, math.nan, math.inf, 101.0])
def test_the_most_loss_is_a_number_of_points(most: float, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="a number of points"):
        searched(tmp_path, monkeypatch, most=most)


def test_a_tool_that_is_missing_is_named_with_its_extra():
    tool = make.Tool("nowhere", "A Tool", "surely_not_installed", "int8")
    with pytest.raises(UsageError, match=r'A Tool, which is not .*"cvtasks\[int8\]"'):
        tool.load()


# === what ranges are measured on ===


def test_the_images_are_drawn_by_the_seed_and_none_was_validated_on(trained: Path, shapes: Path):
    from cvtasks.export.calibration import drawn_to_calibrate
    from cvtasks.recipe.recipe import read_recipe

    recipe = read_recipe(trained / "recipe.toml")
    first, again = (drawn_to_calibrate(recipe, trained, count=8) for _ in range(2))
    assert first.names == again.names and len(set(first.names)) == len(first.images) == 8
    assert drawn_to_calibrate(recipe, trained, count=8, seed=1).names != first.names
    everything = drawn_to_calibrate(recipe, trained, count=5000)
    assert f"{len(everything.images)} images of the {len(everything.images)}" in everything.drawn
    names = trained / "validation.txt"
    if names.is_file():
        assert not set(names.read_text().splitlines()) & set(everything.names)
    image = first.images[0]
    assert image.shape == (*recipe.input_size, 3) and image.dtype == np.uint8
    assert np.array_equal(image, again.images[0])
    assert len(first.images[:3]) == 3
    with pytest.raises(IndexError):
        first.images[8]


@pytest.mark.parametrize("files", [True, False])
def test_images_of_two_splits_that_have_one_name_are_two(files: bool) -> None:
    class Named(list[str]):
        files: tuple[Path, ...] = ()
        truth_files = ()

        def name(self, index: int) -> str:
            return self[index]

    def split(name: str) -> Any:
        source = Named(["0", "1"])
        source.files = (Path(name) / "0.png", Path(name) / "1.png") if files else ()
        return SimpleNamespace(source=source, split=name, path="set", recipe=None, only=None)

    train, val = split("train"), split("val")
    drawn = Calibration([], "both", ("0", "1"), frozenset(known_by(train.source, "train")))
    asked = Int8(data="set")
    assert _measure(val, drawn, asked).said == "2 images of the 2 of set:val"
    one = replace(drawn, known=frozenset(known_by(train.source, "train")[:1]))
    assert _measure(train, one, asked).said == (
        "1 image of the 2 of set:train, without the 1 that ranges were measured on"
    )
    assert _measure(train, drawn, asked).said == (
        "2 images of the 2 of set:train, on which ranges were measured too"
    )


@pytest.mark.parametrize("count", [0, 7, 5001])
def test_too_few_or_too_many_images_are_refused(count: int, trained: Path):
    from cvtasks.export.calibration import drawn_to_calibrate
    from cvtasks.recipe.recipe import read_recipe

    with pytest.raises(UsageError, match=r"8 to 5000 images; got"):
        drawn_to_calibrate(read_recipe(trained / "recipe.toml"), trained, count=count)


def test_data_that_are_not_there_are_a_data_error(trained: Path):
    from cvtasks.export.calibration import drawn_to_calibrate
    from cvtasks.recipe.recipe import read_recipe

    with pytest.raises(DataError):
        drawn_to_calibrate(read_recipe(trained / "recipe.toml"), trained, "nowhere/at/all")


# === 16 bits, and what LiteRT's files say ===


def test_in_half_the_space_weights_are_rounded_and_nothing_else_changes(tmp_path: Path):
    pytest.importorskip("onnx")
    from onnx import load, numpy_helper

    from cvtasks.export.onnx_half import halve

    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 1, shape) for shape in [(3, 3, 3, 8), (3, 3, 8, 1), (1, 1, 8, 4)]]
    path = as_onnx([one.astype(np.float32) for one in weights], tmp_path)
    model = load(str(path))
    large, vast = np.full((16, 16), 1.0001, np.float32), np.full((16, 16), 1e5, np.float32)
    for name, array in (("large", large), ("vast", vast)):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    halve(model)
    kinds = {one.name: numpy_helper.to_array(one).dtype for one in model.graph.initializer}
    assert kinds["large_f16"] == np.float16 and kinds["vast"] == np.float32
    assert kinds["w0"] == np.float32, "what is small stays as it is"
    assert [one.op_type for one in model.graph.node][:2] == ["Cast", "Transpose"]
    (tmp_path / "half.onnx").write_bytes(model.SerializeToString())
    image = rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    assert np.array_equal(
        by_onnxruntime(path)(image), by_onnxruntime(tmp_path / "half.onnx")(image)
    )


def test_a_litert_file_gives_the_answers_and_says_what_it_is(untrained, tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    from cvtasks.export import EXPORTS
    from cvtasks.export.litert import facts_of
    from cvtasks.export.run import export
    from cvtasks.recipe.recipe import read_recipe

    folder = untrained("yolox")
    done = export(folder, "litert", tmp_path / "out", precision="f16")
    facts = facts_of(done.path.read_bytes())
    assert facts["precision"] == "f16" and facts["head"] == "yolox"
    damaged = tmp_path / "damaged.tflite"
    for content in (b"", b"nothing of the kind", done.path.read_bytes()[:1000]):
        damaged.write_bytes(content)
        with pytest.raises(ModelError, match="must be a file of LiteRT's"):
            EXPORTS["litert"].open(damaged, read_recipe(folder / "recipe.toml"))
