"""How quickly networks learn and answer on one NVIDIA GPU, under JAX; ready for ten minutes of it.

    pip install "jax[cuda12]" && python benchmarks/on_gpu.py
    python benchmarks/on_gpu.py --small                        # on a CPU: whether the script runs

- `detect`, `segment`, `classify`: the training's own step (ResNet-50 with a detector at 320 px,
  with a U-Net at 320 px, as a classifier at 224 px; bfloat16) is handed drawn batches from memory.
  In turns with it a step that is written by hand: the same network and loss, `jax.value_and_grad`,
  an AdamW of its own, no clipping, no average, no look at the loss, on one batch that stays on the
  device. Wanted: at least 0.9 times as many images a second. Beside `classify` stands what NVIDIA
  publishes for ResNet-50 v1.5 on one A100 of 80 GB in mixed precision: 2,375 images a second.
- `loop`: `cvtasks.training.loop.train` of that detector on drawn images of 500 x 375 that are
  varied as in any run; its profile says how busy the device was. The step, and what is fetched of
  it, run under `jax.transfer_guard_device_to_host("disallow")`: whatever would fetch something
  unasked, and so wait for the device, is an error. (On a CPU the guard has nothing to watch.)
- `answer`: images a second of the U-Net and the detector from images in memory to answers of their
  size, as evaluation asks them, in turns with the bare network on a batch that is ready. Their
  weights are random, so that whole outputs are fetched: the worst case. `evaluation_pace.py
  --backend jax` has trained models, of which only what is decoded is.

Each part prints its JSON line as soon as it is measured; `--only detect,loop` does some of them.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"

from compare import interleaved, medians, print_times, report
from drawn import KINDS, Drawn, names

from cvtasks.recipe.recipe import Recipe, parse_recipe

PARTS = ("detect", "segment", "classify", "loop", "answer")
SIZES = {"detect": 320, "segment": 320, "classify": 224}
BATCHES = {"detect": 64, "segment": 32, "classify": 256}
NVIDIA = 2375.0
"""Images a second, ResNet-50 v1.5, one A100 of 80 GB, mixed precision, by NVIDIA's
DeepLearningExamples.
"""


def main() -> None:
    """Measure part by part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="tiny networks and few steps")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--steps", type=int, default=0, help="of a turn (default: 20; small: 2)")
    parser.add_argument("--turns", type=int, default=0, help="(default: 5; small: 2)")
    parser.add_argument(
        "--batch", type=int, default=0, help="images a step; 0: as each part has it"
    )
    parser.add_argument("--workers", type=int, default=0, help="(default: all cores but two)")
    parser.add_argument("--processes", action="store_true", help="prepare the loop's batches")
    options = parser.parse_args()
    options.steps = options.steps or (2 if options.small else 20)
    options.turns = options.turns or (2 if options.small else 5)
    import jax

    print(f"JAX {jax.__version__} on {', '.join(one.device_kind for one in jax.devices())}")
    if jax.default_backend() != "gpu" and not options.small:
        raise SystemExit("JAX sees no GPU here. Install jax[cuda12], or ask for --small.")
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"parts are {', '.join(PARTS)}; got {', '.join(sorted(unknown))}.")
    for part in parts:
        begun = time.monotonic()
        if part in KINDS:
            learn(part, options)
        else:
            (loop if part == "loop" else answer)(options)
        print(f"{part}: {time.monotonic() - begun:.0f} s in all", flush=True)


def recipe_of(task: str, options: argparse.Namespace, **train: Any) -> Recipe:
    """The recipe of a part."""
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": task},
            "backbone": "tiny" if options.small else "resnet50",
            "size": 64 if options.small else SIZES[task],
            "classes": names(task),
            "data": {
                "workers": options.workers or max(1, (os.cpu_count() or 1) - 2),
                "processes": options.processes,
            },
            "train": {
                "epochs": 1,
                "batch": options.batch or (4 if options.small else BATCHES[task]),
                "precision": "bf16",
                "weights": "none",
                "watch_train": 0,
                **train,
            },
        }
    )


def batches(recipe: Recipe, number: int) -> list[Any]:
    """Batches in memory, of the network's size, as the loop has them."""
    from cvtasks.data.loading.batches import Batch
    from cvtasks.geometry.letterbox import Letterbox
    from cvtasks.heads.arrays import joined

    size = recipe.input_size
    source = Drawn(recipe.head.task.name, number * recipe.train.batch, size)
    found = []
    for first in range(0, len(source), recipe.train.batch):
        samples = [source[first + place] for place in range(recipe.train.batch)]
        targets = [recipe.head.encode(one.truth, Letterbox(size, size)) for one in samples]
        images = np.stack([one.image for one in samples])
        found.append(Batch(images, joined(np.stack, targets), tuple(one.name for one in samples)))
    return found


def learn(task: str, options: argparse.Namespace) -> None:
    """The training's step beside one that is written by hand."""
    from cvtasks.training.learner import Learner
    from cvtasks.training.progress import Progress

    recipe = recipe_of(task, options)
    food = batches(recipe, 2)
    learner = Learner(recipe)
    learner.restore(None, Progress())
    by_hand = step_by_hand(recipe, food[0])

    def ours() -> None:
        for number in range(options.steps):
            learner.step(food[number % len(food)], 1e-4)
        learner.recent()

    times = interleaved(
        {"training": ours, "by hand": lambda: by_hand(options.steps)}, options.turns
    )
    images = dict.fromkeys(times, options.steps * recipe.train.batch)
    print_times(f"{task}, {recipe.size} px, batch {recipe.train.batch}: an image", times, images)
    each = medians(times, images)
    measured = {
        "images a second": round(1 / each["training"], 1),
        "training / by hand": round(each["by hand"] / each["training"], 3),
    }
    wanted = {"training / by hand": ">= 0.9"}
    if task == "classify":
        measured["training / NVIDIA's on an A100"] = round(1 / each["training"] / NVIDIA, 3)
    said(f"on_gpu {task}", wanted, measured, options)


def step_by_hand(recipe: Recipe, batch: Any) -> Callable[[int], None]:
    """So many steps, as one writes them without cvtasks, on a batch that is on the device."""
    import jax
    import jax.numpy as jnp

    from cvtasks.networks.build import build_network

    network = build_network(recipe, recipe.input_size, recipe.train.precision)
    loss_of = recipe.head.loss
    images, targets = jax.device_put((batch.images, batch.targets))

    def loss(trained: Any, others: Any, images: Any, targets: Any) -> tuple[Any, Any]:
        logits, others, own = network.stateless_call(
            trained, others, images, training=True, return_losses=True
        )
        return jnp.mean(loss_of(targets, logits)) + sum(map(jnp.sum, own)), others

    def adamw(weight: Any, gradient: Any, first: Any, second: Any, number: Any) -> Any:
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        ahead = (first / (1 - 0.9**number)) / (jnp.sqrt(second / (1 - 0.999**number)) + 1e-7)
        return weight - 1e-4 * (ahead + 0.01 * weight), first, second

    def step(state: Any, images: Any, targets: Any) -> Any:
        trained, others, firsts, seconds, number = state
        (_, others), gradients = jax.value_and_grad(loss, has_aux=True)(
            trained, others, images, targets
        )
        number = number + 1
        rows = [
            adamw(*row, number) for row in zip(trained, gradients, firsts, seconds, strict=True)
        ]
        trained, firsts, seconds = (list(column) for column in zip(*rows, strict=True))
        return trained, others, firsts, seconds, number

    compiled = jax.jit(step, donate_argnums=0)
    trained = [jnp.array(one.value) for one in network.trainable_variables]
    zeros = [[jnp.zeros_like(one) for one in trained] for _ in range(2)]
    others = [jnp.array(one.value) for one in network.non_trainable_variables]
    state = [(trained, others, *zeros, jnp.float32(0))]

    def run(steps: int) -> None:
        for _ in range(steps):
            state[0] = compiled(state[0], images, targets)
        state[0][-1].block_until_ready()

    return run


@contextmanager
def guarded() -> Any:
    """The learner's steps, and what is fetched of them, under the guard."""
    import jax

    from cvtasks.training.learner import Learner

    real = {name: getattr(Learner, name) for name in ("step", "recent")}

    def within(call: Callable[..., Any]) -> Callable[..., Any]:
        def guard(*given: Any) -> Any:
            with jax.transfer_guard_device_to_host("disallow"):
                return call(*given)

        return guard

    try:
        for name, call in real.items():
            setattr(Learner, name, within(call))
        yield
    finally:
        for name, call in real.items():
            setattr(Learner, name, call)


def loop(options: argparse.Namespace) -> None:
    """The loop, from images in memory to weights."""
    from cvtasks.training.loop import train
    from cvtasks.training.profile import Recorder
    from cvtasks.training.progress import Report

    recipe = recipe_of("detect", options, epochs=2)
    steps = options.steps * options.turns
    source = Drawn("detect", steps * recipe.train.batch)
    validation = Drawn("detect", 2 * recipe.train.batch)
    profile = Recorder()
    with tempfile.TemporaryDirectory() as name, guarded():
        progress = train(recipe, source, validation, Path(name), Report(), profile)
    lines = profile.lines()
    print(*lines, sep="\n")
    seconds = progress.history[-1].seconds
    measured = {
        "images a second": round(steps * recipe.train.batch / seconds, 1),
        "profile": lines,
    }
    said("on_gpu loop", {}, measured, options)


def answer(options: argparse.Namespace) -> None:
    """Answers beside the bare network."""
    from cvtasks.engines.keras_engine import KerasEngine
    from cvtasks.engines.predict import predict
    from cvtasks.networks.build import build_network

    for task in ("segment", "detect"):
        recipe = recipe_of(task, options)
        network = build_network(recipe, recipe.input_size, "bf16")
        engine = KerasEngine(network, recipe.head, "bf16", recipe.train.batch)
        number = options.steps * recipe.train.batch
        source = Drawn(task, number)
        images = [(index, source[index].image) for index in range(number)]
        first = recipe.letterbox(images[0][1].shape[:2]).to_input(images[0][1])
        ready = np.stack([first] * recipe.train.batch)

        def answered(engine: Any = engine, recipe: Recipe = recipe, images: Any = images) -> None:
            paced = engine.at_pace(len(images), alone=True)
            for _ in predict(paced, recipe.head, recipe.classes, recipe.letterbox, images):
                pass

        def bare(engine: Any = engine, ready: Any = ready) -> None:
            for _ in range(options.steps):
                last = engine._run(ready)
            keras_wait(last)

        times = interleaved({"answers": answered, "bare network": bare}, options.turns)
        count = dict.fromkeys(times, number)
        print_times(f"{task}, {recipe.size} px: an answer", times, count)
        each = medians(times, count)
        measured = {
            "images a second": round(1 / each["answers"], 1),
            "answers / bare network": round(each["bare network"] / each["answers"], 3),
        }
        said(f"on_gpu answer {task}", {}, measured, options)


def keras_wait(outputs: Any) -> None:
    """Wait until they are computed, without fetching them."""
    import jax

    jax.block_until_ready(outputs)


def said(part: str, wanted: dict[str, str], measured: dict[str, Any], options: Any) -> None:
    """A line a number, and the JSON line with the device's name."""
    import jax

    for row, number in measured.items():
        if row != "profile":
            print(f"  {row:<40} {number:10} {f'(wanted: {wanted[row]})' if row in wanted else ''}")
    device = jax.devices()[0].device_kind
    report(part, wanted, measured=measured, device=device, **vars(options))


if __name__ == "__main__":
    main()
