"""What the preparation of batches takes, and what takes work off it: decoded images that are kept
(`data.cache`), colours on the device (`data.colour_on`).

    python benchmarks/preparing.py [--width 1280] [--images 64] [--workers 2] [--processes]

Epochs of drawn JPEGs with boxes, prepared as a training of a detector prepares them, with and
without a cache that holds all of them, and without changes of colour, in turns; and by one thread
the warp alone, of images that are decoded already. `--workers 0` has one thread do all, and the
parts can be compared. The first epoch of each, in which the cache is filled, is not counted. No
network computes: where one does and is slower, the ratio shows in the processors that are left.
"""

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from compare import interleaved, made_image, medians, print_times, report

from cvtasks.data.loading.warp import draw_warp
from cvtasks.data.opening import open_sources
from cvtasks.data.source import Source
from cvtasks.media.images import write_image
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.loop import batches_of

TAKEN_OFF: dict[str, dict[str, str]] = {
    "all by the CPU": {},
    "decoded images kept": {"cache": "8 GB"},
    "colours on the device": {"colour_on": "device"},
}
"""What a recipe says, by what it takes off the preparation."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1280, help="of the images, of 4:3")
    parser.add_argument("--size", type=int, default=320, help="of the network's input")
    parser.add_argument("--images", type=int, default=64, help="of an epoch (default: 64)")
    parser.add_argument("--epochs", type=int, default=5, help="of each contestant (default: 5)")
    parser.add_argument("--workers", type=int, default=2, help="that prepare batches (default: 2)")
    parser.add_argument("--processes", action="store_true", help="the workers are processes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        make(Path(place), options)
        sources = open_sources(recipe_of(place, options))
        fed = {
            name: batches_of(recipe_of(place, options, **how), sources.train)
            for name, how in TAKEN_OFF.items()
        }

        def epoch(name: str) -> int:
            return sum(len(batch.names) for batch in fed[name].epoch(0))

        contestants = {name: partial(epoch, name) for name in fed}
        warp = warping(recipe_of(place, options), sources.train)
        times = interleaved(contestants | {"warp alone": warp}, options.epochs)
        for batches in fed.values():
            batches.close()
    images = dict.fromkeys(times, options.images)
    print_times(f"{options.width} px, {options.workers} workers: an image", times, images)
    each = medians(times)
    whole = each["all by the CPU"]
    ratios = {name: round(whole / each[name], 2) for name in TAKEN_OFF if TAKEN_OFF[name]}
    for name, ratio in ratios.items():
        print(f"  images a second, {name} / all by the CPU: {ratio}")
    print(f"  warp alone / all by the CPU, milliseconds: {each['warp alone'] / whole:.2f}")
    wanted = dict.fromkeys(ratios, "> 1")
    report("preparing", wanted, measured=ratios, options=vars(options))


def warping(recipe: Recipe, source: Source) -> Callable[[], None]:
    """Warps each image of the source, decoded before, as an epoch would."""
    images, side = [source[index].image for index in range(len(source))], recipe.size

    def warp() -> None:
        for index, image in enumerate(images):
            rng = np.random.default_rng([0, 0, index])
            draw_warp(rng, recipe.data, side, image.shape[:2], (side, side)).image(image)

    return warp


def recipe_of(place: str, options: argparse.Namespace, **data: object) -> Recipe:
    """The recipe of a detector."""
    how = {"workers": options.workers, "processes": options.processes, **data}
    return parse_recipe(
        {
            "task": "detect",
            "backbone": "mobilenet",
            "size": options.size,
            "classes": ["a", "b"],
            "data": {"path": place, "format": "yolo", **how},
            "train": {"batch": 16},
        }
    )


def make(place: Path, options: argparse.Namespace) -> None:
    """Drawn images with a few boxes each."""
    rng = np.random.default_rng(0)
    for split, count, begin in (("train", options.images, 0), ("val", 1, options.images)):
        for number in range(count):
            image = made_image(options.width, 3 * options.width // 4, begin + number)
            path = place / "images" / split / f"{number:03d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, image)
            boxes = np.concatenate(
                [rng.uniform(0.3, 0.7, (4, 2)), rng.uniform(0.1, 0.5, (4, 2))], 1
            )
            label = place / "labels" / split / f"{number:03d}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            rows = (f"{i % 2} {' '.join(f'{x:.4f}' for x in box)}" for i, box in enumerate(boxes))
            label.write_text("\n".join(rows))
    (place / "data.yaml").write_text("names: [a, b]\ntrain: images/train\nval: images/val\n")


if __name__ == "__main__":
    main()
