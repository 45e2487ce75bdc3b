"""A head is one file and one row, and so is a task, also where a target, logits and an output are
several arrays by name: two heads of other kinds than the shipped ones are learned, exported and
run.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import cvtasks
from cvtasks.answers import Boxes
from cvtasks.engines.keras_engine import KerasEngine, load_network
from cvtasks.engines.predict import predict
from cvtasks.errors import ModelError, NotFinite
from cvtasks.formats.voc import voc_xml
from cvtasks.geometry.letterbox import Letterbox, Placement
from cvtasks.heads import HEADS
from cvtasks.heads.arrays import joined, mapped
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.tasks import TASKS, TaskRow
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.training.run import run
from cvtasks.weights.transfer import save_weights

SIZE, CLASSES = (64, 64), ("square", "disc")
ROWS = {
    "instances": ("prototypes", "toy_prototypes:Prototypes"),
    "detect": ("two-stage", "toy_two_stage:TwoStage"),
}


@pytest.fixture(params=ROWS)
def recipe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A small recipe of a head whose row the test has added."""
    name, home = ROWS[request.param]
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setitem(
        TASKS, "instances", TaskRow("toy_instances:ToyInstances", "", "Find objects.")
    )
    monkeypatch.setitem(HEADS, request.param, {**HEADS.get(request.param, {}), name: home})
    return parse_recipe(
        {
            "format": 1,
            "backbone": "tiny",
            "size": SIZE[0],
            "classes": list(CLASSES),
            "task": {"name": request.param},
            "head": {"name": name},
            "data": {"workers": 0},
            "train": {"batch": 2, "precision": "f32"},
        }
    )


def drawn(recipe: Recipe, count: int = 2) -> list[tuple[np.ndarray, Any]]:
    """Images with a square and a disc, and the truths about them."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        image = rng.integers(0, 60, (*SIZE, 3)).astype(np.uint8)
        masks = []
        shapes = ((18 + 4 * seed, 18, 12, True), (44 - 2 * seed, 46, 12, False))
        if seed == 3:  # one for the coarsest map
            shapes = ((32, 32, 30, False),)
        for y, x, radius, square in shapes:
            near = (
                np.maximum(abs(rows - y), abs(columns - x))
                if square
                else np.hypot(rows - y, columns - x)
            )
            masks.append(near <= radius)
            image[masks[-1]] = (230, 60, 60) if square else (60, 60, 230)
        boxes = []
        for mask in masks:
            ys, xs = np.nonzero(mask)
            boxes.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
        labels = [0 if square else 1 for *_, square in shapes]
        further = {"masks": np.array(masks)} if recipe.task.name == "instances" else {}
        found.append((image, recipe.task.answer.of(boxes, labels, CLASSES, SIZE, **further)))
    return found


def targets(recipe: Recipe, count: int = 2) -> dict[str, np.ndarray]:
    """The truths encoded as one batch."""
    whole = Letterbox(SIZE, SIZE)
    return joined(np.stack, [recipe.head.encode(t, whole) for _, t in drawn(recipe, count)])


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (96, 160)])
@pytest.mark.parametrize("placement", ["centre", "corner"])
def test_decode_of_what_encode_says_by_the_outputs_names_is_the_truth(
    recipe: Recipe, size: tuple[int, int], placement: Placement
) -> None:
    metric, head = recipe.task.metric(CLASSES), recipe.head
    for _, truth in drawn(recipe, 4):
        letterbox = Letterbox(SIZE, size, placement)
        target = head.encode(truth, letterbox)
        shapes = head.outputs(size, CLASSES)
        assert target.keys() > shapes.keys(), "further names are for the loss alone"
        output = {name: target[name] for name in shapes}
        assert mapped(np.shape, output) == shapes
        again = head.decode(output, letterbox, CLASSES)
        order = np.argsort(again.labels)
        np.testing.assert_allclose(again.xyxy[order], truth.xyxy, atol=1e-3)
        assert again.labels[order].tolist() == truth.labels.tolist()
        metric.add(truth, again)
    assert next(iter(metric.result().values())) == 1.0


def perfect(recipe: Recipe, target: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logits whose activation is the target."""
    found: dict[str, np.ndarray] = {}
    cells = target["cells"]
    sides = cells[..., :2] + cells[..., 2:4]
    size = np.log(np.where(sides > 0, sides, 2.0) / 2.0)  # the heads' scale
    found["cells"] = np.concatenate(
        [(cells[..., 2:4] - cells[..., :2]) / 2, size, 20 * cells[..., 4:] - 10], axis=-1
    )
    if "masks" in target:
        count = target["masks"].shape[1]
        found["prototypes"] = np.moveaxis(20 * target["masks"] - 10, 1, -1)
        own = np.eye(count)[np.maximum(target["owner"], 0)] * (target["owner"] >= 0)[..., None]
        found["cells"] = np.concatenate([found["cells"], own], axis=-1)
    else:
        rois = target["rois"]
        found["proposals"] = rois[..., :4]
        found["rois"] = np.concatenate([0 * rois[..., :4], 20 * rois[..., 4:] - 10], axis=-1)
    return {name: array.astype(np.float32) for name, array in found.items()}


def test_the_loss_of_a_perfect_output_is_near_zero_and_the_least(recipe: Recipe) -> None:
    target = targets(recipe)
    logits = perfect(recipe, target)
    least = ops.convert_to_numpy(recipe.head.loss(target, logits))
    assert least.shape == (2,)
    assert least.dtype == np.float32
    assert (abs(least) < 1e-2).all()
    rng = np.random.default_rng(0)
    for name in logits:
        if name == "proposals":  # nothing is learned through them
            continue
        for strength in (1, 10):
            noise = rng.normal(0, strength, logits[name].shape).astype(np.float32)
            worse = recipe.head.loss(target, {**logits, name: logits[name] + noise})
            assert (ops.convert_to_numpy(worse) > least).all(), name


def test_what_is_learned_is_answered_by_every_engine(recipe: Recipe, tmp_path: Path) -> None:
    """Every weight moves, four images are overfitted, and the exported graph says the same."""
    keras.utils.set_random_seed(1)
    network = build_network(recipe, SIZE)
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.compile(keras.optimizers.Adam(5e-3), loss=recipe.head.loss)
    images, target = np.stack([image for image, _ in drawn(recipe, 4)]), targets(recipe, 4)
    for step in range(150):
        network.train_on_batch(images, target)
        if step == 0:  # Adam moves what has a gradient, however small, and nothing else
            now = {v.path: v.numpy() for v in network.trainable_variables}
            still = [path for path in now if np.array_equal(before[path], now[path])]
            assert not [path for path in still if before[path].any()]
    weights = tmp_path / "weights.safetensors"
    save_weights(network, weights)
    live = KerasEngine(load_network(weights, recipe), recipe.head, "f32", batch=4)
    assert network_score(recipe, live) == 1.0
    outputs = list(live.stream(list(images)))
    assert mapped(np.shape, outputs[0]) == recipe.head.outputs(SIZE, CLASSES)
    if keras.config.backend() != "tensorflow":
        return
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import OpenVINOEngine

    graph, _ = export_graph(load_network(weights, recipe), recipe.head, weights, tmp_path)
    shapes = recipe.head.outputs(SIZE, CLASSES)
    for many in (False, True):
        compiled = OpenVINOEngine(graph, weights, SIZE, shapes, "f32", many)
        assert network_score(recipe, compiled) == 1.0
        for one, other in zip(outputs, compiled.stream(list(images)), strict=True):
            assert mapped(np.shape, other) == shapes
            assert {n: a.dtype for n, a in one.items()} == {n: a.dtype for n, a in other.items()}
            name = "cells" if "cells" in one else "rois"
            np.testing.assert_allclose(
                np.sort(one[name].ravel()), np.sort(other[name].ravel()), atol=5e-3
            )
    wrong = {**shapes, next(iter(shapes)): (1, 2)}
    with pytest.raises(ModelError, match=r"must map .* to .*\[1, 1, 2\]"):
        OpenVINOEngine(graph, weights, SIZE, wrong, "f32", False)


def network_score(recipe: Recipe, engine: Any) -> float:
    """The task's first number of what an engine answers."""
    metric, pairs = recipe.task.metric(CLASSES), [(t, image) for image, t in drawn(recipe, 4)]
    for truth, _, answer in predict(
        engine, recipe.head, CLASSES, recipe.letterbox, pairs, threshold=0.3
    ):
        metric.add(truth, answer)
    return next(iter(metric.result().values()))


def test_numbers_that_are_none_are_seen_in_any_array(recipe: Recipe) -> None:
    class Broken:
        name, precision = "broken", "f32"

        def __init__(self, at: str) -> None:
            self._at = at

        def stream(self, images: Any) -> Any:
            for _ in images:
                output = mapped(np.zeros, recipe.head.outputs(SIZE, CLASSES))
                yield {**output, self._at: np.full_like(output[self._at], np.nan)}

    for name in recipe.head.outputs(SIZE, CLASSES):
        images = [("a", np.zeros((*SIZE, 3), np.uint8))]
        with pytest.raises(NotFinite):
            list(predict(Broken(name), recipe.head, CLASSES, recipe.letterbox, images))


def test_a_saved_recipe_names_its_head(recipe: Recipe, tmp_path: Path) -> None:
    from cvtasks.recipe.recipe import read_recipe

    recipe.save(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == recipe
    assert read_recipe(tmp_path / "recipe.toml", ["head.width=24"]).head.width == 24


def test_one_step_shows_how_much_memory_it_takes(recipe: Recipe) -> None:
    from cvtasks.training.memory_probe import train_once

    assert np.isfinite(train_once(recipe, 2))


@pytest.mark.parametrize("recipe", ["detect"], indirect=True)
def test_a_run_trains_evaluates_and_ships_it(recipe: Recipe, tmp_path: Path) -> None:
    data = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (data / folder).mkdir(parents=True)
    names = []
    for number, (image, truth) in enumerate(drawn(recipe, 6)):
        names.append(f"image{number}")
        Image.fromarray(image).save(data / "JPEGImages" / f"{names[-1]}.png")
        text = voc_xml(truth, f"{names[-1]}.png")
        (data / "Annotations" / f"{names[-1]}.xml").write_text(text, encoding="utf-8")
    for split, its in (("train", names[:4]), ("val", names[4:])):
        (data / "ImageSets/Main" / f"{split}.txt").write_text("\n".join(its), encoding="utf-8")
    wishes = [("data.path", str(data)), ("train.epochs", 2), ("data.workers", 1)]
    run(planned(recipe, wishes), tmp_path / "run", "a test", Report())
    model = cvtasks.load(tmp_path / "run", precision="f32")
    assert model.recipe.head == recipe.head
    answer = model.predict(drawn(recipe)[0][0], threshold=0.0)
    assert isinstance(answer, Boxes)
    live = cvtasks.load(tmp_path / "run", engine="keras", precision="f32")
    again = live.predict(drawn(recipe)[0][0], threshold=0.0)
    assert isinstance(again, Boxes)
    np.testing.assert_allclose(np.sort(answer.scores), np.sort(again.scores), atol=1e-3)
