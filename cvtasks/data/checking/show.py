"""What a data set looks like: samples with their truths, batches as the network gets them, classes
and sizes.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data.checking.statistics import statistics
from cvtasks.data.loading.augment import Augment
from cvtasks.data.source import Source
from cvtasks.drawing.error_tiles import captioned, contact_sheet
from cvtasks.drawing.plots import count_bars, histogram
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.recipe.recipe import Recipe

Draw = Callable[[np.ndarray, Answer], np.ndarray]

_SAMPLES = 16
_MOST_SIZES = 2000  # images whose boxes are counted


def sheets(source: Source, draw: Draw, before: str = "") -> dict[str, np.ndarray]:
    """File name → image (h, w, 3) uint8 RGB: samples from the whole split, how often each class
    comes, how large objects are.

    Args:
        draw: a task's way to draw an answer on an image.
        before: what stands before each file's name.
    """
    count = min(_SAMPLES, len(source))
    samples = [source[number * len(source) // count] for number in range(count)]
    tiles = [
        captioned(draw(sample.image, sample.truth), sample.name, _said(sample.truth))
        for sample in samples
    ]
    rows = statistics(source)
    what = "objects" if "objects" in rows[0] else "images"
    counts = {row["class"]: row[what] for row in rows}
    total = sum(counts.values()) if what == "objects" else len(source)
    found = {
        f"{before}samples.png": contact_sheet(tiles),
        f"{before}classes.png": count_bars(counts, what, total),
    }
    step = -(-len(source) // _MOST_SIZES)
    every = (source.truth(index).sides() for index in range(0, len(source), step))
    sides = [one for one in every if one is not None]
    if sides:
        found[f"{before}sizes.png"] = histogram(
            np.concatenate(sides), "side of a box: root of its share of the image", "objects"
        )
    return found


def batch_sheet(source: Source, recipe: Recipe) -> np.ndarray:
    """(h, w, 3) uint8 RGB: samples of the first epoch as the network gets them, each with its
    target, decoded and drawn. Colours that the device is to change are changed here, as strongly.

    Args:
        source: with the recipe's classes (`fitted`).
    """
    data = replace(recipe.data, colour_on="cpu")
    augment = Augment(data, recipe.size, recipe.train.seed, recipe.train.epochs)
    order = np.random.default_rng([recipe.train.seed, 0]).permutation(len(source))
    tiles = []
    for index in order[:_SAMPLES].tolist():
        sample = augment(source, 0, index)
        letterbox = Letterbox(sample.image.shape[:2], sample.image.shape[:2])
        answer = recipe.head.decode(
            recipe.head.encode(sample.truth, letterbox), letterbox, recipe.classes
        )
        tiles.append(
            captioned(recipe.task.draw(sample.image, answer), sample.name, _said(sample.truth))
        )
    return contact_sheet(tiles)


def _said(truth: Answer) -> str:
    """The names of what a truth has, once each."""
    ground = truth.classes[: truth.ground(truth.classes)]
    names = [name for name in truth.names if name not in ground]
    return ", ".join(dict.fromkeys(names)) or "nothing"
