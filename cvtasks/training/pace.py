"""What of a recipe is to fit its number of epochs: warm-up, looks, patience, the end of mosaics."""

import math
from collections.abc import Collection, Iterator
from dataclasses import replace

from cvtasks.recipe.recipe import Recipe
from cvtasks.text import counted
from cvtasks.training.choice import Choice, with_values

_WARMUP, LOOKING, _CLOSING = "train.warmup", "train.validate_every", "data.close_mosaic"
PACE = frozenset({_WARMUP, LOOKING, "train.patience", _CLOSING})
"""What depends on the number of epochs."""
EPOCHS, STEPS = "train.epochs", "train.epoch_steps"
"""What minutes lower: the epochs, and where they do not hold a few whole ones the steps of each."""

_LOOKS = 40  # about as many looks as a run has, at most
_PATIENCE, _FEWEST_IN_VAIN = 1 / 3, 5  # of the looks, and looks at least
_CLOSED = 0.15  # of the epochs, at the end, without mosaics
_WARM = 60  # updates, or a tenth of the run if that is less


def steps_of(recipe: Recipe, images: int, seen: int, batch: int) -> int:
    """Of an epoch with so many images a step, of some that are seen several times."""
    steps = max(1, seen // min(batch, images))
    return min(steps, recipe.train.epoch_steps or steps)


def to_be_cut(recipe: Recipe) -> frozenset[str]:
    """`STEPS` of a recipe with minutes that asks for all images: what it will be is nobody's wish,
    and for these minutes alone.
    """
    return frozenset({STEPS} if recipe.train.minutes and not recipe.train.epoch_steps else ())


def pace_choices(recipe: Recipe, steps: int, looking: bool) -> Iterator[Choice]:
    """What depends on the number of epochs.

    Args:
        looking: how often to look at the validation split is chosen too.
    """
    epochs = recipe.train.epochs
    every = max(1, epochs // _LOOKS) if looking else recipe.train.validate_every
    looks = math.ceil(epochs / every)
    each = recipe.train.accumulate
    warm = float(f"{min(epochs / 10, max(1.0, _WARM * each / steps)):.2g}")
    updates = round(warm * steps / each)
    yield Choice(_WARMUP, warm, f"{counted(updates, 'update')} of rising rate")
    said = f"{counted(looks, 'look')} at the validation split" if every > 1 else ""
    yield Choice(LOOKING, every, said)
    patience = max(_FEWEST_IN_VAIN, math.ceil(looks * _PATIENCE))
    early = f"it ends early after {counted(patience, 'look')} in vain, of {looks} in all"
    if patience >= looks - 1:  # the first score, and so many looks after it
        patience, early = 0, f"it does not end early, with {counted(looks, 'look')} in all"
    yield Choice("train.patience", patience, early)
    if recipe.data.mosaic or recipe.data.mixup or recipe.data.cutmix:
        closed = math.ceil(epochs * _CLOSED)
        yield Choice(_CLOSING, closed, "at the end images are as users' are")


def paced(recipe: Recipe, steps: int, keys: Collection[str]) -> Recipe:
    """The recipe with those of the `keys` that depend on the number of epochs chosen anew."""
    return with_values(recipe, {one.key: one.value for one in changed_pace(recipe, steps, keys)})


def changed_pace(recipe: Recipe, steps: int, keys: Collection[str]) -> list[Choice]:
    """Those of the `keys` that the number of epochs, of so many steps, asks another value for."""
    found = []
    for one in pace_choices(recipe, steps, LOOKING in keys):
        table, _, name = one.key.partition(".")
        if one.key in keys and getattr(getattr(recipe, table), name) != one.value:
            found.append(replace(one, reason=one.reason or "a look after each epoch"))
    return found


def pace_remarks(recipe: Recipe, keys: Collection[str]) -> Iterator[str]:
    """What is to be said where a run is too short for its recipe, but of the `keys` that were
    chosen for it.
    """
    data, epochs = recipe.data, recipe.train.epochs
    run = f"the whole run, of {counted(epochs, 'epoch')},"
    if recipe.train.warmup >= epochs and _WARMUP not in keys:
        yield f"{_WARMUP} = {recipe.train.warmup:g}: {run} is warm-up"
    composed = data.mosaic or data.mixup or data.cutmix or data.copy_paste
    if composed and data.close_mosaic >= epochs and _CLOSING not in keys:
        yield (
            f"{_CLOSING} = {data.close_mosaic}: {run} is without mosaics, mixtures and pasted "
            "objects"
        )
