"""What a new recipe begins with, chosen from the data: each choice with its reason.

Only for the name of a task, and only for keys that were not asked for. The rules of thumb were
chosen by short runs on small sets (`benchmarks/defaults.py`).
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from cvtasks.data import Source
from cvtasks.media.images import image_size
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted

Fit = Callable[[Recipe], int]
"""A recipe → how many images a step fit into memory."""

FITS = "as many images a step as fit into memory"
_LOOKED_AT = 300  # truths and headers, at most, that sizes are taken from
_STRIDE = 32  # sizes are chosen for backbones of this coarsest stride, as multiples of it

_MINUTES = 30.0
_UPDATES = 70.0  # times the root of the number of images
_EPOCHS = (10, 300)
_RANDOM = 2.0  # times as long where no weights were learned before
_LONGER = 3.0  # times as long, at most, where minutes are given for it

_LOOKS = 40  # about as many looks as a run has, at most
_PATIENCE = 1 / 3  # of the looks
_CLOSED = 0.15  # of the epochs, at the end, without mosaics
_WARM = 60  # updates, or a tenth of the run if that is less


@dataclass(frozen=True)
class Facts:
    """What is known about the data to train on.

    Attributes:
        images: how many.
        longest: median of their longest side in pixels.
        sides: (n,) the side of each object, the root of its area, as a share of its image's
            longest side; empty where objects are not known one by one.
        shown: (classes,) the share of the images that show each class.
    """

    images: int
    longest: float
    sides: np.ndarray
    shown: np.ndarray


@dataclass(frozen=True)
class Choice:
    """A value for a dotted key, and why; the reason is empty where nothing is to be said."""

    key: str
    value: Any
    reason: str


def facts(source: Source) -> Facts:
    """Look at the truths and the headers of some of the images."""
    count = min(len(source), _LOOKED_AT)
    longest, sides, shown = [], [], np.zeros(len(source.classes))
    for index in (number * len(source) // count for number in range(count)):
        height, width = image_size(source.files[index]) if source.files else _size(source, index)
        longest.append(max(height, width))
        truth = source.truth(index)
        shown[truth.present()] += 1 / count
        found = truth.sides()
        if found is not None:
            sides.append(found * math.sqrt(height * width) / max(height, width))
    every = np.concatenate([np.zeros(0), *sides])
    return Facts(len(source), float(np.median(longest)), every, shown)


def _size(source: Source, index: int) -> tuple[int, int]:
    height, width = source[index].image.shape[:2]
    return height, width


def chosen(
    recipe: Recipe, train: Source, asked: Collection[str], fit: Fit | None = None
) -> tuple[Recipe, list[Choice]]:
    """The recipe with what suits the data, and what was chosen.

    Args:
        recipe: with what is usual for its task.
        train: the data to train on, as the recipe sees them.
        asked: dotted keys of the recipe that stay as they are.
        fit: finds the batch, in place of what the data suggest; the rest is chosen for it.
    """
    known, made = facts(train), list[Choice]()
    for choose in (_data_choices, partial(_training_choices, asked=asked, fit=fit)):
        found = [one for one in choose(recipe, known) if one.key not in asked]
        recipe, made = with_values(recipe, {one.key: one.value for one in found}), made + found
    found = [
        one
        for one in _pace(recipe, _steps(recipe, known, recipe.train.batch))
        if one.key not in asked
    ]
    recipe = with_values(recipe, {one.key: one.value for one in found})
    return recipe, [*made, *found]


def paced(recipe: Recipe, steps: int, keys: Collection[str]) -> Recipe:
    """The recipe with those of the `keys` that depend on the number of epochs chosen anew."""
    values = {one.key: one.value for one in _pace(recipe, steps) if one.key in keys}
    return with_values(recipe, values)


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values, by dotted keys of its own fields and of its tables."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    own = tables.pop("", {})
    changed = {
        table: replace(getattr(recipe, table), **keys)
        for table, keys in tables.items()
        if table in {field.name for field in fields(recipe)}
    }
    return replace(recipe, **own, **changed)


def _data_choices(recipe: Recipe, known: Facts) -> Iterator[Choice]:
    yield from _size_choices(recipe, known)
    there = known.shown[known.shown > 0]
    if len(there) > 1 and there.max() >= _UNEVEN * there.min():
        yield Choice(
            "data.repeat",
            float(f"{np.median(there):.2g}"),
            f"{there.max():.1%} of the images show the most frequent class and {there.min():.1%} "
            "the rarest, so images with rare classes are seen more often",
        )
    if recipe.data.flip and _written(recipe.classes):
        yield Choice("data.flip", 0.0, "mirrored digits and letters are others, or none")


def _written(classes: Sequence[str]) -> bool:
    """Whether classes are the ten digits, or most letters."""
    single = {name for name in classes if len(name) == 1 and name.isalnum()}
    return {*"0123456789"} <= single or len({*single} - {*"0123456789"}) >= _LETTERS


def _size_choices(recipe: Recipe, known: Facts) -> Iterator[Choice]:
    """The side of the network input."""
    row = BACKBONES[recipe.backbone]
    if not row.aligned or row.strides[-1] != _STRIDE:
        return
    usual = recipe.size
    longest = _STRIDE * math.ceil(known.longest / _STRIDE)
    wanted = 0
    if len(known.sides):
        median = float(np.median(known.sides))
        wanted = _STRIDE * math.ceil(_OBJECT_PX / max(median, 1e-3) / _STRIDE)
        size = max(usual, min(wanted, _ENLARGED * longest, _MOST_SIZE))
        if size > usual:
            yield Choice(
                "size",
                size,
                f"the median object is {median * usual:.0f} px wide at {usual}, and "
                f"{median * size:.0f} px here",
            )
            return
    if max(longest, wanted) < usual:
        yield Choice(
            "size",
            max(longest, wanted),
            f"the longest side of the images is {known.longest:.0f} px in the median, and a larger "
            "input shows no more",
        )


_LETTERS = 20  # classes called by one letter that are most of an alphabet
_UNEVEN = 10.0  # times as many images show one class as another
_OBJECT_PX = 18.0  # that the median object is to have on the network input, if it can
_ENLARGED = 2  # times the images' longest side, at most
_MOST_SIZE = 512


def _training_choices(
    recipe: Recipe, known: Facts, asked: Collection[str], fit: Fit | None = None
) -> Iterator[Choice]:
    """Batch, rate, epochs and minutes."""
    batch = recipe.train.batch
    if fit:
        batch = min(fit(recipe), known.images)
        yield Choice("train.batch", batch, FITS)
    elif "train.batch" not in asked:
        batch = _batch(known.images, batch)
        yield Choice(
            "train.batch",
            batch,
            f"{counted(known.images // batch, 'step')} an epoch: "
            f"{counted(known.images, 'image', ',')}",
        )
    usual = recipe.train.learning_rate * math.sqrt(batch / recipe.train.batch)
    if batch != recipe.train.batch:
        rate = float(f"{usual:.1e}")
        yield Choice("train.learning_rate", rate, f"it goes with the root of the batch of {batch}")
    if "train.epochs" in asked:
        return
    steps = _steps(recipe, known, batch)
    updates = _UPDATES * math.sqrt(known.images) * (1 if _learned(recipe) else _RANDOM)
    if "train.minutes" in asked:
        updates *= _LONGER
    low, high = _EPOCHS
    epochs = min(max(math.ceil(updates / steps), low), high)
    start = "" if _learned(recipe) else ", from random weights"
    yield Choice(
        "train.epochs",
        epochs,
        f"{counted(known.images, 'image', ',')} at batch {batch} make "
        f"{counted(epochs * steps, 'update', ',')}{start}",
    )
    if "train.minutes" not in asked:
        yield Choice(
            "train.minutes", _MINUTES, "a first model; more of them may lead to a better one"
        )


def _learned(recipe: Recipe) -> bool:
    """Whether it begins with weights that were learned before."""
    return recipe.train.weights not in ("", "none")


def _batch(images: int, usual: int) -> int:
    """Images a step: fewer of a small data set, so that there are enough updates, and more of a
    large one.
    """
    if images < 100:
        return max(1, min(usual // 2, images))
    return usual if images < 20_000 else 4 * usual


def _steps(recipe: Recipe, known: Facts, batch: int) -> int:
    """Of an epoch with so many images a step."""
    steps = max(1, known.images // min(batch, known.images))
    return min(steps, recipe.train.epoch_steps or steps)


def _pace(recipe: Recipe, steps: int) -> Iterator[Choice]:
    """What depends on the number of epochs."""
    epochs = recipe.train.epochs
    every = max(1, epochs // _LOOKS)
    looks = math.ceil(epochs / every)
    patience = max(5, math.ceil(looks * _PATIENCE))
    warm = float(f"{min(epochs / 10, max(1.0, _WARM / steps)):.2g}")
    updates = round(warm * steps)
    yield Choice("train.warmup", warm, f"{counted(updates, 'update')} of rising rate")
    said = f"{counted(looks, 'look')} at the validation split" if every > 1 else ""
    yield Choice("train.validate_every", every, said)
    early = f"it ends early after a third of the {looks} looks in vain"
    if patience >= looks:
        early = f"it does not end early, with {counted(looks, 'look')} in all"
    yield Choice("train.patience", patience, early)
    if recipe.data.mosaic or recipe.data.mixup or recipe.data.cutmix:
        closed = math.ceil(epochs * _CLOSED)
        yield Choice("data.close_mosaic", closed, "at the end images are as users' are")
