"""Answers in the graph are those of the heads' own decoding, in ONNX and in OpenVINO."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from cvtasks.answers import VOID, Boxes, Instances, Mask
from cvtasks.engines.openvino_engine import core, ov
from cvtasks.errors import UsageError
from cvtasks.export import OUTPUT
from cvtasks.export.check import BOUNDS
from cvtasks.export.decoding.check import answer_of, compare_answers
from cvtasks.export.decoding.heads import answer_graph
from cvtasks.export.decoding.join import answering_onnx, answering_openvino
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays, mapped
from cvtasks.recipe.recipe import Recipe, parse_recipe

SIZE = 64
F32 = {"INFERENCE_PRECISION_HINT": "f32"}
CASES = {
    "dense": ("detect", {"name": "dense"}),
    "few-kept": ("detect", {"name": "dense", "max_detections": 3, "nms": 0.3}),
    "yolox": ("detect", {"name": "yolox"}),
    "two-stage": ("detect", {"name": "two-stage", "proposals": 30}),
    "instances": ("instances", {"name": "prototypes", "prototypes": 5}),
    "localize": ("localize", {"name": "pooled"}),
    "segment": ("segment", {"name": "unet"}),
}


def recipe_of(case: str, classes: tuple[str, ...] = ("cat", "dog", "cow")) -> Recipe:
    task, head = CASES[case]
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": task},
            "head": head,
            "backbone": "tiny",
            "size": SIZE,
            "classes": list(classes),
        }
    )


def some_output(recipe: Recipe, rng: np.random.Generator, share: float) -> Arrays:
    """What a network might put out: boxes of all sizes, some beyond the edges or inverted, and
    scores of which so many are not nothing.
    """
    kind, classes = recipe.head.name, len(recipe.classes)

    def made(shape: tuple[int, ...]) -> np.ndarray:
        x = rng.uniform(0, 4, shape).astype(np.float32)
        if kind == "unet":
            return x / x.sum(axis=-1, keepdims=True)
        if kind == "pooled":
            x[:4] = rng.uniform(-0.1, 1.1, 4)
        if kind == "two-stage":
            x[:, :4] = rng.uniform(-9, SIZE + 9, x[:, :4].shape)
            low, high = np.sort(x[:, :4].reshape(-1, 2, 2), axis=1).swapaxes(0, 1)
            x[:-3, :4] = np.concatenate([low, high], axis=1)[:-3]
            x[:, 4:] = rng.dirichlet(np.full(1 + classes, 0.3), len(x))
            x[:, 5:] *= rng.random(len(x))[:, None] < share
            return x
        if kind == "prototypes" and len(shape) == 3:
            return x - 2
        if kind in ("dense", "yolox", "prototypes"):
            x[:, :2] -= 0.4
            x[:, 4 + classes :] -= 2
        scores = x[..., -classes:] if kind == "pooled" else x[:, 4 : 4 + classes]
        scores[:] = rng.random(scores.shape) * (rng.random(scores.shape) < share)
        return x

    return mapped(made, recipe.head.outputs(recipe.input_size, recipe.classes))


def as_feed(output: Arrays) -> dict[str, np.ndarray]:
    named = output if isinstance(output, Mapping) else {OUTPUT: output}
    return {name: array[None] for name, array in named.items()}


def both_runtimes(
    graph: Any, feeds: Iterable[Mapping[str, np.ndarray]]
) -> Iterator[list[dict[str, np.ndarray]]]:
    """For each feed what ONNX Runtime and OpenVINO give, by name."""
    content = graph.SerializeToString()
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    compiled = core().compile_model(core().read_model(content), "CPU", F32)
    for feed in feeds:
        first = dict(zip(names, session.run(names, dict(feed)), strict=True))
        second = compiled(dict(feed))
        yield [first, {name: second[name] for name in names}]


def check_boxes(found: Mapping[str, np.ndarray], wanted: Boxes, near: float = 0.0) -> None:
    assert found["labels"].dtype == np.int64
    np.testing.assert_array_equal(found["labels"], wanted.labels)
    np.testing.assert_array_equal(found["scores"], wanted.scores)
    np.testing.assert_allclose(found["boxes"], wanted.xyxy, rtol=0, atol=near)


def check_answer(
    found: Mapping[str, np.ndarray], wanted: Boxes | Instances | Mask, recipe: Recipe
) -> None:
    """What a graph gives against what the head decodes."""
    if isinstance(wanted, Mask):
        np.testing.assert_array_equal(found["ids"][0], wanted.ids)
    elif isinstance(wanted, Instances):
        check_masks(found, wanted, recipe)
    else:
        # the head rounds the edges of the one box as they are written
        check_boxes(found, wanted, near=0.0051 if recipe.head.name == "pooled" else 0.0)


def check_masks(found: Mapping[str, np.ndarray], wanted: Instances, recipe: Recipe) -> None:
    """A mask, enlarged and cut by its box, is the one decoded; those without a pixel are no
    objects.
    """
    answer = answer_of(found, recipe)
    assert isinstance(answer, Instances)
    np.testing.assert_array_equal(answer.labels, wanted.labels)
    np.testing.assert_array_equal(answer.scores, wanted.scores)
    np.testing.assert_array_equal(answer.xyxy, wanted.xyxy)
    pairs = zip(answer.masks, wanted.masks, strict=True)
    differing = [
        number
        for number, (one, other) in enumerate(pairs)
        if one != other and (answer.plane(number) != wanted.plane(number)).mean() > 0.001
    ]
    assert not differing


@pytest.mark.parametrize("case", CASES)
def test_a_graph_answers_as_the_head_decodes(case: str) -> None:
    recipe, rng = recipe_of(case), np.random.default_rng(7)
    outputs = [some_output(recipe, rng, share) for share in (0.0, 0.05, 1.0)]
    letterbox = Letterbox(recipe.input_size, recipe.input_size)
    graph = answer_graph(recipe, 0.4)
    onnx.checker.check_model(graph, full_check=True)
    each = both_runtimes(graph, map(as_feed, outputs))
    for output, answers in zip(outputs, each, strict=True):
        wanted = recipe.head.decode(output, letterbox, recipe.classes, 0.4)
        for found in answers:
            check_answer(found, wanted, recipe)
    assert isinstance(wanted, Mask) or len(wanted), "high scores must find something"


def test_a_score_that_is_the_threshold_is_found_and_one_below_is_not() -> None:
    recipe = recipe_of("dense")
    output = np.zeros(recipe.head.outputs(recipe.input_size, recipe.classes), np.float32)
    output[:2, :4] = 1
    output[0, 4], output[1, 5] = 0.3, np.nextafter(np.float32(0.3), np.float32(0))
    for found in next(both_runtimes(answer_graph(recipe, 0.3), [as_feed(output)])):
        assert found["labels"].tolist() == [0]


@pytest.mark.parametrize("classes", [1, 200])
def test_one_class_and_more_pairs_than_candidates(classes: int) -> None:
    """Suppression looks at the surest alone, and so does the graph."""
    recipe = recipe_of("few-kept", tuple(f"class {number}" for number in range(classes)))
    output = some_output(recipe, np.random.default_rng(3), 0.5)
    assert (output[:, 4:].size > 2 * recipe.head.candidates) == (classes > 1)  # type: ignore[attr-defined]
    letterbox = Letterbox(recipe.input_size, recipe.input_size)
    wanted = recipe.head.decode(output, letterbox, recipe.classes, 0.2)
    for found in next(both_runtimes(answer_graph(recipe, 0.2), [as_feed(output)])):
        check_boxes(found, wanted)


def test_where_no_pixel_is_sure_enough_the_answer_is_void_or_background() -> None:
    output = np.full((SIZE, SIZE, 3), 1 / 3, np.float32)
    for classes, unsure in ((("cat", "dog", "cow"), VOID), (("background", "a", "b"), 0)):
        graph = answer_graph(recipe_of("segment", classes), 0.5)
        for found in next(both_runtimes(graph, [as_feed(output)])):
            assert (found["ids"] == unsure).all()


def test_an_output_that_is_the_answer_is_refused() -> None:
    recipe = parse_recipe(
        {
            "format": 1,
            "task": {"name": "classify"},
            "backbone": "tiny",
            "size": SIZE,
            "classes": ["cat", "dog"],
        }
    )
    with pytest.raises(UsageError, match="classify puts out is its answer"):
        answer_graph(recipe, 0.5)


# === behind a network ===


def onnx_network(output: Arrays, half: bool = False) -> Any:
    """A network of any number of images that puts this out, whatever it sees."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    feed = as_feed(output)
    nodes = [
        helper.make_node("Slice", ["image", "zero", "one", "axis"], ["part"]),
        helper.make_node("ReduceMin", ["part"], ["least"], keepdims=0),
        helper.make_node("Mul", ["least", "nothing"], ["none"]),
        helper.make_node("Cast", ["none"], ["same"], to=kind),
    ]
    constants = [
        numpy_helper.from_array(np.array([number], np.int64), name)
        for name, number in (("zero", 0), ("one", 1), ("axis", 1))
    ]
    constants.append(numpy_helper.from_array(np.array(0, np.float32), "nothing"))
    ends = []
    for name, array in feed.items():
        array = array.astype(np.float16 if half else np.float32)
        constants.append(numpy_helper.from_array(array, f"{name}/constant"))
        nodes.append(helper.make_node("Add", ["same", f"{name}/constant"], [name]))
        ends.append(helper.make_tensor_value_info(name, kind, ["batch", *array.shape[1:]]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIZE, SIZE, 3])
    graph = helper.make_graph(nodes, "network", [image], ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    helper.set_model_props(model, {"classes": "cat"})
    return model


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("case", ["yolox", "instances", "localize"])
def test_decoding_stands_behind_a_network_in_onnx(case: str, half: bool) -> None:
    recipe = recipe_of(case)
    output = some_output(recipe, np.random.default_rng(5), 0.05 if case != "localize" else 1.0)
    if half:  # few, so that no two scores are the same
        output = mapped(lambda array: array.astype(np.float16).astype(np.float32), output)
    letterbox = Letterbox(recipe.input_size, recipe.input_size)
    wanted = recipe.head.decode(output, letterbox, recipe.classes, 0.4)
    model = onnx_network(output, half)
    before = model.SerializeToString()
    joined = answering_onnx(model, recipe, 0.4)
    assert model.SerializeToString() == before
    assert [entry.key for entry in joined.metadata_props] == ["classes"]
    image = {"image": np.zeros((1, SIZE, SIZE, 3), np.float32)}
    for found in next(both_runtimes(joined, [image])):
        check_answer(found, wanted, recipe)


def test_a_file_of_old_operators_is_refused() -> None:
    recipe = recipe_of("yolox")
    model = onnx_network(some_output(recipe, np.random.default_rng(5), 0.2))
    model.opset_import[0].version = 9
    with pytest.raises(UsageError, match="operator set 13 to 22; this file has 9"):
        answering_onnx(model, recipe, 0.4)


@pytest.mark.parametrize("case", ["two-stage", "segment", "instances"])
def test_decoding_stands_behind_a_network_in_openvino(case: str, tmp_path: Any) -> None:
    recipe = recipe_of(case)
    output = some_output(recipe, np.random.default_rng(5), 0.2)
    letterbox = Letterbox(recipe.input_size, recipe.input_size)
    wanted = recipe.head.decode(output, letterbox, recipe.classes, 0.4)
    network = core().read_model(onnx_network(output).SerializeToString())
    joined = answering_openvino(network, recipe, 0.4)
    ov.save_model(joined, tmp_path / "answer.xml", compress_to_fp16=False)
    compiled = core().compile_model(tmp_path / "answer.xml", "CPU", F32)
    found = compiled({"image": np.zeros((1, SIZE, SIZE, 3), np.float32)})
    names = [next(iter(port.get_names())) for port in compiled.outputs]
    check_answer({name: found[name] for name in names}, wanted, recipe)


# === as an export ===


@pytest.mark.parametrize(("case", "format"), [("prototypes", "onnx"), ("segment", "openvino")])
def test_an_export_that_answers_is_checked_and_says_what_it_puts_out(
    untrained: Callable[[str], Path], tmp_path: Path, case: str, format: str
) -> None:
    from cvtasks.export.run import export

    done = export(untrained(case), format, tmp_path / "out", decoded=True)
    said = json.loads((done.folder / "check.json").read_text(encoding="utf-8"))
    assert said["passed"] and said["decoded"]["passed"]
    page = (done.folder / "README.md").read_text(encoding="utf-8")
    names = ["ids"] if case == "segment" else ["boxes", "scores", "labels"]
    assert all(f"| `{name}` |" in page for name in names)
    if format == "onnx":
        model = onnx.load(str(done.path))
        said = {entry.key: entry.value for entry in model.metadata_props}
    else:
        model = core().read_model(str(done.path))
        keys = ("outputs", "decoded", "classes")
        said = {key: model.get_rt_info(["cvtasks", key]).astype(str) for key in keys}
        assert 'name="precise"' in done.path.read_text(encoding="utf-8")
        assert {file.name for file in done.folder.iterdir()} == {
            "model.xml",
            "model.bin",
            "README.md",
            "check.json",
        }
    assert set(names) <= set(json.loads(said["outputs"]))
    assert said["decoded"].startswith("from ") and "classes" in said


def test_what_cannot_answer_is_refused_before_anything_is_written(
    untrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtasks.export.run import export

    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="onnx or openvino; got keras"):
        export(untrained("dense"), "keras", decoded=True)
    with pytest.raises(UsageError, match="classify puts out is its answer"):
        export(untrained("classify"), "onnx", decoded=True)
    assert not list(tmp_path.iterdir())


def test_an_answer_that_differs_is_not_passed() -> None:
    recipe = recipe_of("yolox")
    output = some_output(recipe, np.random.default_rng(5), 0.05)
    session = ort.InferenceSession(
        answering_onnx(onnx_network(output), recipe, 0.4).SerializeToString()
    )
    names = [port.name for port in session.get_outputs()]

    class Reference:
        name, precision = "numpy", "f32"

        def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
            return (output for _ in images)

    def run(images: np.ndarray, off: float = 0.0) -> dict[str, np.ndarray]:
        found = dict(zip(names, session.run(names, {"image": images}), strict=True))
        return {**found, "boxes": found["boxes"] + np.float32(off)}

    image = np.zeros((40, 60, 3), np.uint8)
    for off, faults in ((0.0, 0), (0.5, 1)):
        found = compare_answers(
            partial(run, off=off), Reference(), recipe, [image], BOUNDS["f32"], 0.4
        )
        assert len(list(found.faults(BOUNDS["f32"]))) == faults
