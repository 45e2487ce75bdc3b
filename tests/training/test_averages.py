"""The moving average: what it averages, how fast, and that it is no worse than the network that it
follows.
"""

import importlib
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from cvtasks.errors import ModelError
from cvtasks.networks.backbones import freeze
from cvtasks.networks.build import backbone_of, build_network
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.average import MovingAverage
from cvtasks.training.checkpoint import load_checkpoint, save_checkpoint
from cvtasks.training.optimizer import compile_network

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = "averages"


def recipe(**train: object) -> Recipe:
    """Of a small classifier."""
    how = {"precision": "f32", "learning_rate": 0.01, "ema": 0.9, **train}
    return parse_recipe(
        {"task": "classify", "backbone": "tiny", "size": 32, "classes": ["a", "b"], "train": how}
    )


def numbers(network: keras.Model) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in network.weights]


def step(network: Network, seed: int) -> None:
    rng = np.random.default_rng(seed)
    network.train_on_batch(
        rng.integers(0, 256, (4, 32, 32, 3), np.uint8), np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    )


def test_it_forgets_its_start_before_it_slows_down() -> None:
    """From 0 with weights 1 and 2: kept are 1/10 and 2/11 of itself, so 0.9, then 0.9 · 2/11 + 2 ·
    9/11 = 1.8; 0.5 at most after.
    """
    weight = keras.Variable([0.0])
    optimizer = keras.optimizers.SGD()
    optimizer.build([weight])
    average = MovingAverage(optimizer, [weight], decay=0.15)
    for value, expected in (
        (1.0, 0.9),
        (2.0, 0.9 * 0.15 + 2 * 0.85),
        (2.0, 1.835 * 0.15 + 2 * 0.85),
    ):
        weight.assign([value])
        average.move()
        np.testing.assert_allclose(average.values()[0], [expected], rtol=1e-6)
    slow = MovingAverage(optimizer, [weight], decay=0.999)
    assert slow.values()[0] == [2.0], "it begins where the weights are"


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_follows_kernels_and_statistics_after_each_update(accumulate: int) -> None:
    """Replayed by hand; with two steps to an update only each second one counts."""
    its = recipe(accumulate=accumulate)
    network = build_network(its, its.input_size)
    average = compile_network(network, its)
    assert average is not None
    expected, updates = numbers(network), 0
    for number in range(1, 5):
        step(network, number)
        if number % accumulate == 0:
            kept = min(0.9, (1 + updates) / (10 + updates))
            expected = [
                kept * mean + (1 - kept) * now
                for mean, now in zip(expected, numbers(network), strict=True)
            ]
            updates += 1
        for weight, mean, wanted in zip(network.weights, average.values(), expected, strict=True):
            np.testing.assert_allclose(
                mean, wanted, rtol=1e-4, atol=1e-6, err_msg=f"{weight.path}, step {number}"
            )
    moved = {
        weight.path.rsplit("/")[-1]
        for weight, mean in zip(network.weights, expected, strict=True)
        if mean.any()
    }
    assert {"kernel", "moving_mean", "moving_variance"} <= moved


def test_it_outlives_the_optimizer_and_leaves_what_is_frozen() -> None:
    its = recipe()
    network = build_network(its, its.input_size)
    first = compile_network(network, its)
    for seed in range(3):
        step(network, seed)
    before = first.values()
    freeze(backbone_of(network), its.backbone, 32)
    second = compile_network(network, its, first)
    for mean, old in zip(second.values(), before, strict=True):
        np.testing.assert_array_equal(mean, old)
    raw = numbers(network)
    step(network, 3)  # the fourth update keeps 4/13 of itself
    frozen = {id(weight) for weight in backbone_of(network).weights}
    for weight, mean, old, now in zip(network.weights, second.values(), before, raw, strict=True):
        if id(weight) in frozen:
            np.testing.assert_allclose(
                mean, 4 / 13 * old + 9 / 13 * now, rtol=1e-4, atol=1e-6, err_msg=weight.path
            )


def test_none_is_kept_where_none_is_asked_for() -> None:
    its = recipe(ema=0.0)
    network = build_network(its, its.input_size)
    assert compile_network(network, its) is None
    step(network, 0)
    assert not [
        variable.path for variable in network.optimizer.variables if "average" in variable.path
    ]


def test_a_checkpoint_without_it_is_refused(tmp_path: Path) -> None:
    """As older versions wrote them."""
    network = build_network(recipe(), (32, 32))
    compile_network(network, recipe(ema=0.0))
    save_checkpoint(tmp_path / "last.safetensors", network, network.optimizer, {})
    compile_network(network, recipe())
    with pytest.raises(
        ModelError,
        match=r"average.* is missing.*another version of cvtasks wrote it\. Start the run again",
    ):
        load_checkpoint(tmp_path / "last.safetensors", network, network.optimizer)


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module(SCRIPT)


def test_it_is_no_worse_than_the_raw_network_after_a_hundred_steps(
    benchmark: ModuleType, cvtasks_data: Path
) -> None:
    """One seed of `benchmarks/averages.py`, which is noisy; with a constant decay and the raw
    network's statistics it lost 60 points.
    """
    folder = cvtasks_data / "fashion_mnist"
    data, tested = (benchmark.IdxLabels(folder, split) for split in ("train", "test"))
    ((raw, averaged),) = benchmark.scores(data, tested, ema=0.998, seed=1, steps=[100])
    assert raw > 0.6
    assert averaged > raw - 3 * benchmark.LARGEST_LOSS
