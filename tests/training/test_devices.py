"""Several devices that learn as one: what they learn, and what goes on with it."""

from pathlib import Path

import pytest

from cvtasks.data.opening import open_sources
from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.recipe.train_table import Train
from cvtasks.training.devices import ONE, Devices, devices_of
from cvtasks.training.loop import train

EIGHT = {
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
}
"""A CPU that JAX takes for eight devices."""


def small(shapes: Path, **train_options: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 32,
            "classes": ["background", "square", "disc"],
            "segment": {"channels": [8, 8], "dropout": 0.2},
            "data": {"path": str(shapes), "workers": 0, "colour_on": "device"},
            "train": {"epochs": 4, "batch": 8, "precision": "f32", **train_options},
        }
    )


# === what they learn ===

SEGMENT = """
import sys
from dataclasses import replace
from pathlib import Path
import keras, numpy as np
from cvtasks.data.opening import open_sources
from cvtasks.recipe.recipe import read_recipe
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of
from cvtasks.training.progress import Progress
from cvtasks.weights.safetensors_file import read_safetensors

recipe, place = read_recipe(sys.argv[1]), Path(sys.argv[2])
source = open_sources(recipe).train

def learned(*stages):
    # 12 steps, divided among so many numbers of devices, each from the checkpoint of the one before
    file = place / ("-".join(map(str, stages)) + ".safetensors")
    batches, losses = batches_of(recipe, source), []
    for number, devices in enumerate(stages):
        keras.utils.set_random_seed(0)
        learner = Learner(replace(recipe, train=replace(recipe.train, devices=devices)))
        learner.restore(file, Progress())
        learner.enter(0)
        steps = range(number * 12 // len(stages), (number + 1) * 12 // len(stages))
        fed = [batch for epoch in range(4) for batch in batches.epoch(epoch)]
        for step in steps:
            learner.step(fed[step], 1e-3)
        losses += learner.recent()[:, 0].tolist()
        learner.check(Progress())
        learner.save(file, Progress())
    values = {key: one.read() for key, one in read_safetensors(file).items()}
    assert len(losses) == 12 and any("average" in key for key in values)
    return {**values, "losses": np.array(losses)}

expected = learned(1)
for stages in ((2,), ("all", 1)):
    for key, values in learned(*stages).items():
        said = f"{stages} {key}"
        np.testing.assert_allclose(values, expected[key], rtol=1e-6, atol=1e-6, err_msg=said)
"""


def test_one_two_and_eight_devices_learn_the_same(shapes: Path, tmp_path: Path, run_python) -> None:
    """Losses, weights, moments and averages of 12 steps, also where another number of devices goes
    on from a checkpoint; with clipping, accumulation, dropout and an average. By plain descent with
    momentum, as AdamW divides by the root of what may be rounding alone.
    """
    how = {"ema": 0.9, "clip": 1.0, "accumulate": 2, "optimizer": "sgd"}
    small(shapes, **how).save(tmp_path / "recipe.toml")
    done = run_python("-c", SEGMENT, tmp_path / "recipe.toml", tmp_path, env=EIGHT)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout


DETECT = """
import keras, numpy as np
from cvtasks.answers import Boxes
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.training.devices import devices_of
from cvtasks.training.optimizer import compile_network
from cvtasks.training.steps import steps_of

recipe = parse_recipe({"task": "detect", "backbone": "tiny", "size": 64, "classes": ["a", "b"],
    "head": {"width": 16, "depth": 1},
    "train": {"precision": "f32", "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0}})
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (8, 64, 64, 3), np.uint8)
targets = []
for _ in images:
    corners = rng.uniform(0, 40, (3, 2))
    xyxy = np.concatenate([corners, corners + rng.uniform(8, 24, (3, 2))], axis=1)
    boxes = Boxes.of(xyxy, rng.integers(0, 2, 3), recipe.classes, (64, 64))
    targets.append(recipe.head.encode(boxes, Letterbox((64, 64), (64, 64))))
targets = keras.tree.map_structure(lambda *rows: np.stack(rows), *targets)

def gradients(number):
    # of a step of plain descent at the rate 1: what it takes away
    devices = devices_of(number)
    with devices.scope():
        keras.utils.set_random_seed(0)
        network = build_network(recipe, (64, 64))
        compile_network(network, recipe)
    before = [np.array(one.numpy()) for one in network.trainable_variables]
    steps = steps_of(network, devices=devices)
    steps.step(*steps.put((images, targets)), 1.0)
    row = steps.recent()
    steps.write_back()
    after = [one.numpy() for one in network.trainable_variables]
    return [row, *(a - b for a, b in zip(before, after, strict=True))]

expected = gradients(1)
assert max(np.abs(one).max() for one in expected[1:]) > 1e-3
for number in (2, 8):
    for found, own in zip(gradients(number), expected, strict=True):
        np.testing.assert_allclose(found, own, rtol=1e-4, atol=2e-5)
"""


def test_a_detector_has_the_same_gradient_on_one_two_and_eight(run_python) -> None:
    """Up to the order of sums: a detector's loss picks boxes, so that later steps drift apart."""
    done = run_python("-c", DETECT, env=EIGHT)
    assert done.returncode == 0, done.stderr[-3000:]


# === what is refused, and what is said ===


def eight() -> Devices:
    return Devices(tuple(f"cpu:{number}" for number in range(8)))


@pytest.mark.parametrize(("images", "way"), [(12, "8 or 16"), (20, "16 or 24"), (4, "8")])
def test_a_batch_that_cannot_be_divided_is_refused(images: int, way: str) -> None:
    with pytest.raises(ModelError, match=rf"{images} cannot be .*`train.batch` of {way}, no "):
        eight().check_batch(images)


def test_batches_that_can_be_divided_are_taken() -> None:
    eight().check_batch(64)
    ONE.check_batch(7)
    assert [eight().whole(images) for images in (1, 8, 9)] == [8, 8, 16]


def test_several_devices_are_refused_where_keras_cannot(shapes: Path, tmp_path: Path) -> None:
    recipe = small(shapes, devices=8)
    sources = open_sources(recipe)
    with pytest.raises(ModelError, match=r"under JAX alone.*the back end tensorflow.*KERAS_BACK"):
        train(recipe, sources.train, sources.validate, tmp_path)
    assert devices_of("all") is ONE  # that of a CPU
    assert devices_of(1) is ONE


def test_what_the_command_says_of_devices(shapes: Path, tmp_path: Path, run_cli) -> None:
    small(shapes).save(tmp_path / "recipe.toml")
    how = ("train", tmp_path / "recipe.toml", "--dry-run", "--devices")
    done = run_cli(*how, "16", env=EIGHT)
    assert done.returncode == 4
    assert "`train.devices` asks for 16; JAX finds 8 (cpu:0, " in done.stderr
    done = run_cli(*how, "all", "--epochs", "1", env=EIGHT)
    assert done.returncode == 0, done.stderr
    assert "8 devices learn as one" in done.stderr
    assert "each takes 1 of a batch of 8 images" in done.stderr


def test_the_rate_is_said_to_go_with_the_batch() -> None:
    several = Devices(("gpu:0", "gpu:1"), shared=object())  # type: ignore[arg-type]
    said = several.told(Train(batch=32))
    assert "each takes 16 of a batch of 32" in said
    assert "by its root" in said
    assert "alike" in several.told(Train(batch=32, optimizer="sgd"))
    assert not ONE.told(Train())
