"""What a new recipe begins with, chosen from the data: each choice with its reason.

Only for the name of a task, and only for keys that were not asked for. The rules of thumb were
chosen by short runs on small sets (`benchmarks/defaults.py`).
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvtasks.answers.mask import GROUNDS
from cvtasks.answers.synonyms import called_otherwise
from cvtasks.data import Source
from cvtasks.data.loading.imbalance import times_seen, times_shown
from cvtasks.data.rare import by_class, too_rare
from cvtasks.data.views import Subset
from cvtasks.media.images import image_size
from cvtasks.networks.backbones import BACKBONES
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.schema import table_of
from cvtasks.text import agreeing, counted
from cvtasks.training.choice import Choice, with_values
from cvtasks.training.pace import EPOCHS, LOOKING, pace_choices, steps_of
from cvtasks.training.short_runs import FREEZE, RATE

Fit = Callable[[Recipe], int]
"""A recipe → how many images a step fit into memory."""

FITS = "as many images a step as fit into memory"
_LOOKED_AT = 300  # truths and headers, at most, that sizes are taken from
_PIXELS = 10**9  # of masks that are looked at for rare classes, at most
_STRIDE = 32  # sizes are chosen for backbones of this coarsest stride, as multiples of it

_BATCH = Train().batch  # that the usual rate is for
_LARGE = 4  # times that batch: of a large data set, and the last that the rate follows
_MINUTES = 30.0
_UPDATES = 70.0  # times the root of the number of images
_EPOCHS = (10, 300)
_FINISHED = 1 / 3  # of the rate, where the start knows at least half of the classes
_RANDOM = 2.0  # times as long where no weights were learned before
_LONGER = 3.0  # times as long, at most, where minutes are given for it


@dataclass(frozen=True)
class Facts:
    """What is known about the data to train on.

    Attributes:
        images: how many.
        longest: median of their longest side in pixels.
        sides: (n,) the side of each object, the root of its area, as a share of its image's
            longest side; empty where objects are not known one by one.
        shown: (classes,) the share of the images that show each class, of those `looked` at.
        looked: at how many truths.
        seen: how many images an epoch has, those with rare classes as often as they are repeated.
    """

    images: int
    longest: float
    sides: np.ndarray
    shown: np.ndarray
    looked: int
    seen: int


def facts(source: Source) -> Facts:
    """Look at the headers of some of the images and at the truths: where these are images, at as
    many of them as have a thousand million pixels together.
    """
    longest, sides, pixels = [], [], 0
    for index in (some := _spread(len(source), _LOOKED_AT)):
        height, width = image_size(source.files[index]) if source.files else _size(source, index)
        longest.append(max(height, width))
        pixels += height * width
        found = source.truth(index).sides()
        if found is not None:
            sides.append(found * math.sqrt(height * width) / max(height, width))
    every = np.concatenate([np.zeros(0), *sides])
    looked = len(source)
    if source.truth_files:
        looked = min(looked, max(len(some), _PIXELS * len(some) // pixels))
    shown = times_shown(Subset(source, _spread(len(source), looked))) / looked
    return Facts(len(source), float(np.median(longest)), every, shown, looked, len(source))


def _spread(images: int, count: int) -> list[int]:
    """So many indices of images, or all if there are fewer, at equal steps."""
    count = min(images, count)
    return [number * images // count for number in range(count)]


def _size(source: Source, index: int) -> tuple[int, int]:
    height, width = source[index].image.shape[:2]
    return height, width


def chosen(
    recipe: Recipe,
    train: Source,
    asked: Collection[str],
    fit: Fit | None = None,
    slow: str = "",
    say: Callable[[str], None] = lambda text: None,
    taught: Collection[str] = (),
) -> tuple[Recipe, list[Choice]]:
    """The recipe with what suits the data, and what was chosen.

    Args:
        recipe: with what is usual for its task.
        train: the data to train on, as the recipe sees them.
        asked: dotted keys of the recipe that stay as they are.
        fit: finds the batch, in place of what the data suggest; the rest is chosen for it.
        slow: why training in bfloat16 would be slow here; empty where it is not.
        say: hears which classes too few masks show, where all of these were looked at.
        taught: classes of a start that gives its head, too.
    """
    known = facts(train)
    if train.truth_files and known.looked == known.images:
        counts = np.rint(known.shown * known.images).astype(np.int64)
        for line in too_rare(by_class(train, counts), known.images):
            say(line)
    precision = [Choice("train.precision", "f32", slow)] if slow else []
    recipe, of_machine = _taken(recipe, precision, asked)
    recipe, of_data = _taken(recipe, _data_choices(recipe, train, known), asked)
    known = replace(known, seen=times_seen(train, recipe.data.repeat))
    recipe, of_start = _taken(recipe, _finished_choice(recipe, taught), asked)
    recipe, of_training = _taken(recipe, _training_choices(recipe, known, asked, fit), asked)
    steps = steps_of(recipe, known.images, known.seen, recipe.train.batch)
    recipe, of_pace = _taken(recipe, pace_choices(recipe, steps, LOOKING not in asked), asked)
    return recipe, [*of_machine, *of_data, *of_start, *of_training, *of_pace]


def _taken(
    recipe: Recipe, choices: Iterable[Choice], asked: Collection[str]
) -> tuple[Recipe, list[Choice]]:
    """The recipe with the choices of what was not asked for, and these."""
    found = [one for one in choices if one.key not in asked]
    return with_values(recipe, {one.key: one.value for one in found}), found


def _data_choices(recipe: Recipe, train: Source, known: Facts) -> Iterator[Choice]:
    yield from _size_choices(recipe, known)
    if not _weighs_classes(recipe):
        yield from _repeat_choice(train, known)
    if recipe.data.flip and _written(recipe.classes):
        yield Choice("data.flip", 0.0, "mirrored digits and letters are others, or none")


def _weighs_classes(recipe: Recipe) -> bool:
    """Whether the loss weighs rare classes more: to repeat their images too would be twice the
    remedy.
    """
    return recipe.train.class_weights != "none" or bool(table_of(recipe.head).get("class_weights"))


def _repeat_choice(train: Source, known: Facts) -> Iterator[Choice]:
    """The share of the images below which a class is rare: the median, or the geometric middle of
    the rarest and the most frequent where most classes are rare.
    """
    every = known.looked == known.images
    if not _uneven(known.shown):
        if not every:
            yield Choice(
                "data.repeat",
                0.0,
                f"no class is rare in the {known.looked:,} masks that were looked at, of "
                f"{known.images:,}",
            )
        return
    shown = known.shown if every else times_shown(train) / len(train)
    if not _uneven(shown):
        return  # the truths that were looked at are not like all
    there = shown[shown > 0]
    most, least = float(there.max()), float(there.min())
    threshold = float(f"{max(float(np.median(there)), math.sqrt(most * least)):.2g}")
    yield Choice(
        "data.repeat",
        threshold,
        f"{most:.1%} of the images show the most frequent class and {100 * least:.2g}% the rarest, "
        f"so images with rare classes are seen up to {math.sqrt(threshold / least):.1f} times an "
        "epoch",
    )


def _uneven(shown: np.ndarray) -> bool:
    """Whether some class is far more frequent than another; such as nothing shows do not count."""
    there = shown[shown > 0]
    return len(there) > 1 and bool(there.max() >= _UNEVEN * there.min())


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
        batch = _batch(known.images)
        steps = steps_of(recipe, known.images, known.seen, batch)
        yield Choice(
            "train.batch",
            batch,
            f"{counted(steps, 'step')} an epoch: {_images_words(known.images, known.seen)}",
        )
    yield from _rate_choice(recipe, min(batch, known.images))
    if EPOCHS in asked:
        return
    minutes = recipe.train.minutes if "train.minutes" in asked else 0.0
    changed = with_values(recipe, {"train.batch": batch, "train.minutes": minutes})
    yield epochs_choice(changed, known.images, known.seen)
    if "train.minutes" not in asked:
        yield Choice(
            "train.minutes", _MINUTES, "a first model; more of them may lead to a better one"
        )


def epochs_choice(recipe: Recipe, images: int, seen: int) -> Choice:
    """The epochs that suit so many images; more where there are minutes to be filled.

    Args:
        recipe: with its batch and the minutes that are asked for, 0 where there are none.
        seen: images of an epoch, those with rare classes as often as they are repeated.
    """
    how = recipe.train
    steps = steps_of(recipe, images, seen, how.batch)
    updates = _UPDATES * math.sqrt(images) * (1 if _learned(recipe) else _RANDOM)
    if how.minutes:
        updates *= _LONGER
    low, high = _EPOCHS
    each = how.accumulate
    epochs = min(max(math.ceil(updates * each / steps), low), high)
    start = "" if _learned(recipe) else ", from random weights"
    return Choice(
        EPOCHS,
        epochs,
        f"{_images_words(images, seen)} at batch {how.batch} {agreeing(images, 'makes', 'make')} "
        f"{counted(epochs * steps // each, 'update', ',')}"
        f"{f' of {each} steps each' if each > 1 else ''}{start}",
    )


def _finished_choice(recipe: Recipe, taught: Collection[str]) -> Iterator[Choice]:
    """The rate of a head that knows most classes, which would lose what it knows at the usual one.

    Args:
        taught: the classes that the start's head knows.
    """
    named, shared = _known(recipe, taught)
    if _knows_most(recipe, taught):
        yield Choice(
            RATE,
            float(f"{recipe.train.learning_rate * _FINISHED:.1e}"),
            f"the start knows {shared} of {counted(named, 'class')}, and would lose at a "
            "higher one what it knows",
        )


def left_open(recipe: Recipe, asked: Collection[str], taught: Collection[str]) -> frozenset[str]:
    """Of `FREEZE` and `RATE` what is nobody's wish, where a backbone that has learned before begins
    with a head that has not: few updates ask for others.

    Args:
        asked, taught: as `chosen` has them.
    """
    is_open = _learned(recipe) and not _knows_most(recipe, taught)
    return frozenset({FREEZE, RATE} - set(asked) if is_open else ())


def usual_rate(recipe: Recipe) -> float:
    """The learning rate that a new recipe of such a batch begins with."""
    recipe = with_values(recipe, {RATE: Train().learning_rate})
    others = [one.value for one in _rate_choice(recipe, recipe.train.batch)]
    return float(others[0] if others else recipe.train.learning_rate)


def _knows_most(recipe: Recipe, taught: Collection[str]) -> bool:
    """Whether a start's head knows at least half of the classes, of those that it was taught."""
    named, shared = _known(recipe, taught)
    return bool(shared) and 2 * shared >= named


def _known(recipe: Recipe, taught: Collection[str]) -> tuple[int, int]:
    """How many classes there are, and of how many a start that was taught these knows."""
    named = [name for name in recipe.classes if name.lower() not in GROUNDS]
    otherwise = called_otherwise(named, taught)
    return len(named), sum(name in taught or name in otherwise for name in named)


def _images_words(images: int, seen: int) -> str:
    """How many images there are, and how many of an epoch where some are repeated."""
    there = counted(images, "image", ",")
    return there if seen == images else f"{there} ({seen:,} with repeats)"


def _rate_choice(recipe: Recipe, batch: int) -> Iterator[Choice]:
    """The usual rate, for an update by steps of so many images, whoever chose their number."""
    each = recipe.train.accumulate
    images = batch * each
    followed = min(images, _LARGE * _BATCH)
    if followed == _BATCH:
        return
    rate = float(f"{recipe.train.learning_rate * math.sqrt(followed / _BATCH):.1e}")
    of = f"the batch of {batch}" if each == 1 else f"the {images} images of an update"
    limit = "" if followed == images else f", up to {followed}"
    yield Choice(RATE, rate, f"it goes with the root of {of}{limit}")


def _learned(recipe: Recipe) -> bool:
    """Whether it begins with weights that were learned before."""
    return recipe.train.weights not in ("", "none")


def _batch(images: int) -> int:
    """Images a step: fewer of a small data set, so that there are enough updates, and more of a
    large one.
    """
    if images < 100:
        return max(1, min(_BATCH // 2, images))
    return _BATCH if images < 20_000 else _LARGE * _BATCH
