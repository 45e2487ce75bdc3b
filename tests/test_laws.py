"""The laws of the house, for every task of the table and, where a network takes part, every family of backbones."""

from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.answers import VOID, Mask
from cvtasks.engines.with_keras import KerasEngine
from cvtasks.inference import predict
from cvtasks.letterbox import Letterbox
from cvtasks.networks.backbones import BACKBONES
from cvtasks.networks.build import activated, backbone_of, build_network
from cvtasks.networks.weights import load_weights, save_weights
from cvtasks.recipe import Recipe, parse_recipe
from cvtasks.tasks import TASKS, Task

SIZE = 64
ONE_OF_EACH_FAMILY = ("tiny", "vgg11", "vgg11-bn", "resnet18", "resnet50-v2", "mobilenet-025")


@dataclass(frozen=True)
class Case:
    """What the laws need to know of a task: its recipe's own table, and truths with the pictures they belong to."""

    document: dict
    truths: list
    images: list


def _discs(size: tuple[int, int], seed: int) -> tuple[np.ndarray, Mask]:
    """A picture with a square and a disc, some void between them, and its mask."""
    rng = np.random.default_rng(seed)
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    ids, image = np.zeros(size, np.uint8), rng.integers(0, 60, (*size, 3)).astype(np.uint8)
    radius = min(size) // 5
    for kind, colour in ((1, (230, 60, 60)), (2, (60, 60, 230))):
        y, x = (int(rng.integers(radius, side - radius)) for side in size)
        near = np.maximum(abs(rows - y), abs(columns - x)) if kind == 1 else np.hypot(rows - y, columns - x)
        ids[near <= radius + 1] = VOID
        ids[near <= radius] = kind
        image[near <= radius] = colour
    return image, Mask(ids, ("background", "square", "disc"))


@cache
def case(task: str) -> Case:
    """The case of a task; a new task adds its own here."""
    drawn = [_discs((SIZE, SIZE), seed) for seed in range(8)]
    cases = {
        "segment": Case(
            {"classes": ["background", "square", "disc"], "segment": {"channels": [32, 16, 16, 16]}},
            [truth for _, truth in drawn],
            [image for image, _ in drawn],
        )
    }
    return cases[task]


def recipe(task: str, backbone: str = "tiny", size: int = SIZE) -> Recipe:
    """A small recipe of a task."""
    return parse_recipe({"task": task, "backbone": backbone, "size": size, **case(task).document})


def targets(task: Task, truths: list) -> np.ndarray:
    """The truths encoded as one batch; every picture fills the canvas."""
    return np.stack([task.encode(truth, Letterbox(truth.size, truth.size)) for truth in truths])


def perfect_logits(target: np.ndarray, certainty: float = 10.0) -> np.ndarray:
    """Logits whose activation is the target, up to exp(-certainty)."""
    return target.astype("float32") * certainty


@pytest.fixture(params=list(TASKS))
def task(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_task_has_a_case_and_its_table(task: str) -> None:
    assert TASKS[task].name == task
    assert case(task).truths, "add the task's case to `case`"


@pytest.mark.parametrize("canvas", [(64, 64), (128, 128), (96, 160)])
def test_decode_of_encode_is_the_truth_and_the_metric_calls_it_perfect(task: str, canvas: tuple[int, int]) -> None:
    its = recipe(task)
    metric = its.task.metric(its.classes)
    for truth in case(task).truths:
        box = Letterbox(truth.size, canvas)
        again = its.task.decode(its.task.encode(truth, box).astype("float32"), box, its.classes)
        metric.add(truth, again)
        assert (
            its.task.record(its.task.from_record(its.task.record(truth), its.classes)).keys() == its.task.record(truth).keys()
        )
        if canvas == truth.size:
            assert its.task.record(again) == its.task.record(truth)
    assert set(metric.result().values()) == {1.0}


def test_a_wrong_answer_is_not_perfect(task: str) -> None:
    its, truths = recipe(task), case(task).truths
    metric = its.task.metric(its.classes)
    for truth, other in zip(truths, truths[1:] + truths[:1], strict=True):
        metric.add(truth, other)
    assert next(iter(metric.result().values())) < 0.9


@pytest.mark.parametrize("backbone", list(BACKBONES))
def test_output_has_the_shape_of_a_target(task: str, backbone: str) -> None:
    its = recipe(task, backbone)
    network = activated(build_network(its, its.canvas), its.task)
    expected = its.task.output_shape(its.canvas, its.classes)
    assert network.output_shape == (None, *expected)
    assert targets(its.task, case(task).truths[:1]).shape[1:] == expected
    assert network.output.dtype == "float32"


def test_the_loss_of_a_perfect_output_is_near_zero_and_the_least(task: str) -> None:
    its = recipe(task)
    target = targets(its.task, case(task).truths)
    perfect = perfect_logits(target)
    least = ops.convert_to_numpy(its.task.loss(target, perfect))
    assert least.shape == (len(target),)
    assert least.dtype == np.float32
    assert (abs(least) < 1e-3).all()
    rng = np.random.default_rng(0)
    for strength in (1, 10, 30, 100):
        perturbed = perfect + rng.normal(0, strength, perfect.shape).astype("float32")
        assert (ops.convert_to_numpy(its.task.loss(target, perturbed)) > least).all()


def test_the_loss_is_finite_for_extreme_logits_in_bfloat16(task: str) -> None:
    its = recipe(task)
    target = targets(its.task, case(task).truths)
    logits = ops.cast(perfect_logits(target, -3e4), "bfloat16")
    assert np.isfinite(ops.convert_to_numpy(its.task.loss(target, logits))).all()


@pytest.mark.parametrize("backbone", ONE_OF_EACH_FAMILY)
def test_saved_weights_give_the_same_predictions(task: str, backbone: str, tmp_path) -> None:
    its = recipe(task, backbone)
    network, again = build_network(its, its.canvas), build_network(its, its.canvas)
    save_weights(network, tmp_path / "weights.safetensors")
    load_weights(again, tmp_path / "weights.safetensors")
    images = np.stack(case(task).images).astype("float32")
    np.testing.assert_array_equal(
        ops.convert_to_numpy(network(images, training=False)), ops.convert_to_numpy(again(images, training=False))
    )


@pytest.mark.parametrize("backbone", ONE_OF_EACH_FAMILY)
def test_every_parameter_receives_a_gradient(task: str, backbone: str) -> None:
    its = recipe(task, backbone)
    network = build_network(its, its.canvas)
    target = targets(its.task, case(task).truths[:4])
    images = np.stack(case(task).images[:4]).astype("float32")
    before = {v.path: v.numpy() for v in network.trainable_variables}
    network.compile(keras.optimizers.SGD(1.0), loss=its.task.loss)
    network.train_on_batch(images, target)
    still = [v.path for v in network.trainable_variables if np.array_equal(before[v.path], v.numpy())]
    dead = [path for path in still if np.any(before[path])]  # a zero bias before a batch norm may stay zero
    assert not dead
    assert len(before) > len(backbone_of(network).trainable_variables)


def test_eight_samples_are_overfitted(task: str) -> None:
    keras.utils.set_random_seed(3)
    its = recipe(task)
    network = build_network(its, its.canvas)
    network.compile(keras.optimizers.Adam(5e-3), loss=its.task.loss)
    images, target = np.stack(case(task).images), targets(its.task, case(task).truths)
    for _ in range(100):
        network.train_on_batch(images, target)
    metric = its.task.metric(its.classes)
    engine = KerasEngine(network, its.task, "f32", batch=8)
    pairs = list(zip(case(task).truths, case(task).images, strict=True))
    for truth, _, answer in predict(engine, its.task, its.classes, its.canvas, pairs):
        metric.add(truth, answer)
    assert next(iter(metric.result().values())) > 0.95


def test_draw_gives_a_new_picture_and_leaves_the_old_one(task: str) -> None:
    its = recipe(task)
    image, truth = case(task).images[0], case(task).truths[0]
    before = image.copy()
    drawn = its.task.draw(image, truth)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert not np.array_equal(drawn, image)
    np.testing.assert_array_equal(image, before)


def test_the_resolved_recipe_reads_as_itself(task: str, tmp_path) -> None:
    from cvtasks.recipe import read_recipe

    its = recipe(task)
    its.save(tmp_path / "recipe.toml")
    assert read_recipe(tmp_path / "recipe.toml") == its
