"""How quickly Keras evaluates a model, beside the bare network and one batch after the other.

    python benchmarks/evaluation_pace.py [--model MODEL] [--images 96] [--batch 8] [--backend jax]

From images that are files to the numbers of the task's metric, in turns with

- the bare network: it alone, on one batch that is ready, its outputs left on the device. Wanted on
  a GPU: at least 0.8 times as many images a second. On a CPU both share the processors.
- one batch after the other: an engine without a pace of its own, which is asked for a batch,
  answers, and is asked for the next. Wanted: at least as fast.

The answers are compared, bit by bit. The images are drawn, 500 x 375, as JPEG files. About three
minutes on two cores with the default sizes.
"""

import argparse
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from compare import interleaved, made_image, medians, print_times, report

_WANTED = {"paced / bare network": ">= 0.8 on a GPU", "paced / one after the other": ">= 1.0"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segment-efficientnet-lite0-voc", help="of the zoo")
    parser.add_argument("--images", type=int, default=96, help="of a pass (default: 96)")
    parser.add_argument("--batch", type=int, default=8, help="images a step (default: 8)")
    parser.add_argument("--runs", type=int, default=5, help="passes (default: 5)")
    parser.add_argument("--workers", type=int, default=2, help="threads that read (default: 2)")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--backend", default="tensorflow", choices=["tensorflow", "jax"])
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = options.backend
    with tempfile.TemporaryDirectory() as name:
        measure(options, Path(name))


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Let the three take turns."""
    from cvtasks.engines.keras_engine import KerasEngine, load_network
    from cvtasks.evaluation.evaluate import evaluate
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, WEIGHTS, model_folder

    model = model_folder(options.model)
    recipe = read_recipe(model / RECIPE)
    network = load_network(model / WEIGHTS, recipe, options.precision)
    engine = KerasEngine(network, recipe.head, options.precision, options.batch)
    source = drawn(options.images, folder, recipe)
    answers: dict[str, list[Any]] = {}

    def passed(kind: str, how: Any) -> None:
        answers[kind] = []

        def keep(name: str, image: np.ndarray, truth: Any, answer: Any) -> None:
            answers[kind].append(answer)

        evaluate(how, recipe.head, recipe.letterbox, source, keep, workers=options.workers)

    ready = np.stack([recipe.letterbox((375, 500)).to_input(source[0].image)] * options.batch)

    def bare() -> None:
        for _ in range(-(-options.images // options.batch)):
            last = engine._run(ready)
        engine._run.fetch(last)

    times = interleaved(
        {
            "paced": lambda: passed("paced", engine),
            "bare network": bare,
            "one after the other": lambda: passed("one after the other", Plain(engine)),
        },
        options.runs,
    )
    print_times(
        f"{options.model}, {options.backend}: an image", times, dict.fromkeys(times, options.images)
    )
    each = medians(times)
    measured = {row: round(each[row.split(" / ")[1]] / each["paced"], 3) for row in _WANTED}
    for row, ratio in measured.items():
        print(f"  images a second, {row:<32} {ratio:6} (wanted: {_WANTED[row]})")
    if not alike(answers["paced"], answers["one after the other"], recipe.task):
        raise SystemExit("the answers are not the same, bit by bit")
    report("evaluation_pace", _WANTED, measured=measured, **vars(options))


class Plain:
    """The engine without its own pace."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.name, self.precision = engine.name, engine.precision

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Any]:
        """One batch after the other."""
        return self._engine.stream(images)


def drawn(number: int, folder: Path, recipe: Any) -> Any:
    """Files of images with empty truths, as a source of the recipe's classes."""
    from cvtasks.answers import Boxes, Mask, Sample
    from cvtasks.media.images import read_image

    for index in range(number):
        cv2.imwrite(str(folder / f"{index:04d}.jpg"), made_image(500, 375, index))

    class Drawn:
        classes = recipe.classes

        def __len__(self) -> int:
            return number

        def called(self, index: int) -> str:
            return f"{index:04d}"

        def __getitem__(self, index: int) -> Sample:
            image = recipe.task.prepare(read_image(folder / f"{index:04d}.jpg"))
            size = image.shape[:2]
            if recipe.task.name == "segment":
                truth: Any = Mask(np.zeros(size, np.uint8), recipe.classes)
            else:
                truth = Boxes.of(np.zeros((0, 4)), [], recipe.classes, size)
            return Sample(image, truth, self.called(index))

    if recipe.task.name not in ("segment", "detect"):
        raise SystemExit(
            f"models of detect and segment are measured; got one of {recipe.task.name}"
        )
    return Drawn()


def alike(first: list[Any], second: list[Any], task: Any) -> bool:
    """Whether answers are the same, score by score and pixel by pixel."""
    if task.name == "segment":
        return all(np.array_equal(a.ids, b.ids) for a, b in zip(first, second, strict=True))
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(first, second, strict=True)
        for name in ("xyxy", "labels", "scores")
    )


if __name__ == "__main__":
    main()
