"""What a training step costs with layers and updates as Keras computes them, and as cvtasks lets
them compute.

    python benchmarks/training_step.py [MODEL ...] [--batch 16] [--runs 5]

The networks of the recipes of models, at their input size, with random weights and images: forward,
gradient and optimizer under TensorFlow, without images to prepare and with the logits' mean square
as loss. Float32 and bfloat16, with `cvtasks.networks.quick_training` and
`cvtasks.training.quick_updates` and without, take turns. Wanted of them: in neither precision
slower. The first step, with tracing and compiling, stands for how soon a training begins. Four
minutes a model on two cores.

Environment variables of TensorFlow's make a CPU behave like one that does not compute in bfloat16:
`ONEDNN_MAX_CPU_ISA=AVX512_CORE_VNNI` like one with AVX-512 alone, `TF_ENABLE_ONEDNN_OPTS=0` like
one with AVX2 alone, whose convolutions in bfloat16 are then TensorFlow's plain ones.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
from compare import interleaved, medians, print_times, report
from keras import ops

from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.training.optimizer import compile_network
from cvtasks.training.steps import steps_of
from cvtasks.zoo import RECIPE, model_folder

_MODELS = (
    "classify-efficientnet-lite0-voc",
    "detect-yolox-nano-voc",
    "segment-efficientnet-lite0-voc",
    "segment-resnet18-scratch",
)
_PRECISIONS = ("f32", "bf16")
_WAYS = ("plain", "quick")


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=_MODELS, help="names or folders")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--runs", type=int, default=5, help="steps of each")
    options = parser.parse_args()
    rows = {}
    for model in options.models:
        recipe = read_recipe(model_folder(model) / RECIPE)
        made = {
            f"{precision} {way}": step(recipe, precision, way == "quick", options.batch)
            for precision in _PRECISIONS
            for way in _WAYS
        }
        times = interleaved({name: once for name, (once, _) in made.items()}, options.runs)
        print_times(f"{model}, {options.batch} × {recipe.size} px", times)
        seconds = medians(times)
        rows[model] = {
            precision: round(seconds[f"{precision} quick"] / seconds[f"{precision} plain"], 2)
            for precision in _PRECISIONS
        }
        rows[model]["bf16 of f32"] = round(seconds["bf16 quick"] / seconds["f32 quick"], 2)
        first = {way: sum(made[f"{one} {way}"][1] for one in _PRECISIONS) for way in _WAYS}
        rows[model]["first step"] = round(first["quick"] / first["plain"], 2)
    report("training_step", {"ratio": "at most 1"}, batch=options.batch, ratio=rows)


def step(
    recipe: Recipe, precision: str, quick: bool, batch: int
) -> tuple[Callable[[], object], float]:
    """One step of the recipe's network, and the seconds that the first one took, with tracing and
    compiling.

    Args:
        quick: with the layers and the updates that cvtasks computes in its own way.
    """
    keras.utils.set_random_seed(0)
    network = build_network(recipe, recipe.input_size, precision)
    images = np.random.default_rng(0).integers(0, 256, (batch, *recipe.input_size, 3), np.uint8)
    with ExitStack() as ways:
        if not quick:
            ways.enter_context(patch("cvtasks.networks.network.quicken"))
            ways.enter_context(
                patch("cvtasks.training.quick_updates.are_possible", return_value=False)
            )
        average = compile_network(network, recipe)
        after = average.move if average else None
        network.compile(network.optimizer, _mean_square, after, jit_compile=False)
        steps = steps_of(network)
        ready = steps.put(images)

        def once() -> None:
            steps.step(ready, ready, np.float32(1e-4))
            steps.recent()  # waits until it is done

        start = time.monotonic()
        once()
        return once, time.monotonic() - start


def _mean_square(targets: Any, logits: Any) -> Any:
    """(batch,) of any tree of logits."""
    del targets
    return sum(
        ops.mean(ops.square(ops.cast(one, "float32")), axis=tuple(range(1, len(one.shape))))
        for one in keras.tree.flatten(logits)
    )


if __name__ == "__main__":
    main()
