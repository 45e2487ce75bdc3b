"""A run that begins with a finished model: what its recipe has of the model's, and whether the
model has seen the data before.
"""

import tomllib
from collections.abc import Callable, Collection
from typing import Any

from cvtasks.data import Source
from cvtasks.data.loading.imbalance import times_seen
from cvtasks.data.opening import Sources, same_place, title
from cvtasks.data.tiled import whole
from cvtasks.evaluation.seen import seen
from cvtasks.heads import head_type
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.recipe import Recipe
from cvtasks.schema import defaults_of, keys_of, table_of
from cvtasks.text import agreeing, counted
from cvtasks.training.choice import Choice, with_values
from cvtasks.training.choices import epochs_choice, usual_rate
from cvtasks.training.class_weights import NAME as CLASS_WEIGHTS
from cvtasks.training.first_weights import Start
from cvtasks.training.pace import EPOCHS, PACE, STEPS, changed_pace, steps_of
from cvtasks.training.short_runs import FREEZE, RATE

FINE_TUNED = 0.2
"""Share of the learning rate at which weights that were learned before begin."""

_WARMUP = 0.5  # epochs at most, where a finished run goes on
_PLACES = frozenset({"path", "format", "train", "validate", "lists", "held_out"})
"""Of `[data]`: which images, not what is done."""


def with_start(
    document: dict[str, Any], start: Start, task: str, asked: dict[str, Any]
) -> dict[str, Any]:
    """The document of a task's new recipe with a start, and what suits it: from a model its
    backbone, and for the same task, or a head that grows from its own, also its size and its head.

    Args:
        document: of a recipe, with the task's usual values.
        asked: key → value that the user asks for, which is kept.
    """
    document = dict(document)
    train = document.get("train", {}) | {"weights": start.weights}
    if start.file:  # what was learned before is not to be lost in the first steps
        train |= {"weights_sha256": start.sha256, "backbone_rate": FINE_TUNED}
    document["train"] = train
    if start.backbone:
        document["backbone"] = start.backbone
    model = start.recipe
    if model and asked.get("backbone", model.backbone) == model.backbone:
        document |= {"backbone": model.backbone, "norm": model.norm}
        if gives_head(model, task, asked):
            head = {"name": model.head.name, **table_of(model.head)}
            head.pop(CLASS_WEIGHTS, None)
            document |= {"head": head, "size": model.size}
        elif grown := head_type(task, str(asked.get("head.name", ""))).grown_from(model.head):
            document["head"] = {**document.get("head", {}), **grown}
            document["size"] = model.size
    return document


def gives_head(model: Recipe, task: str, asked: dict[str, Any]) -> bool:
    """Whether a task's new recipe that begins with a model has its head: for its task, on its
    backbone, and no key is asked for that is of another head.
    """
    if model.task.name != task or asked.get("backbone", model.backbone) != model.backbone:
        return False
    keys = {f"head.{key}" for key in keys_of(type(model.head))}
    wanted = {key for key in asked if key.startswith("head.") and key != "head.name"}
    return wanted <= keys and asked.get("head.name", model.head.name) == model.head.name


def goes_on(start: Start, asked: dict[str, Any]) -> bool:
    """Whether a model is to be trained on with the data, the lists of their splits and the classes
    that it was trained with.

    Args:
        asked: key → value that the user asks for.
    """
    if start.recipe is None or {"classes", "data.held_out", "data.validate"} & asked.keys():
        return False
    own = start.recipe.data
    path, lists = str(asked.get("data.path", "")), str(asked.get("data.lists", own.lists))
    return (
        asked.get("data.train", own.train) == own.train
        and (lists == own.lists or same_place(lists, own.lists))
        and (path in ("", own.path) or same_place(path, own.path))
    )


def _standing(asked: Collection[str]) -> frozenset[str]:
    """Those of the `_PLACES` that are the model's own where it does not go on: none with other
    data, and beside other lists or splits those that need not be others.
    """
    if "data.path" in asked:
        return frozenset()
    if "data.lists" in asked:
        return frozenset({"path", "format"})
    if {"data.train", "data.validate", "data.held_out"} & set(asked):
        return frozenset({"path", "format", "lists", "train"})
    return _PLACES


def document_of(start: Start, going_on: bool, asked: dict[str, Any]) -> dict[str, Any]:
    """The model's recipe as that of a run which begins with the model.

    Args:
        going_on: it has the same data and classes; if not, its classes are those of the data, and
            the weights of the classes are left out.
        asked: key → value that the user asks for.
    """
    if start.recipe is None:
        raise TypeError("a recipe is taken from a model.")
    document = tomllib.loads(start.recipe.to_toml())
    document.pop("files", None)
    train, data = document["train"], document["data"]
    train |= {"weights": start.weights, "weights_sha256": start.sha256}
    weighed = train["class_weights"]
    if not going_on or asked.get("train.class_weights", weighed) != weighed:
        document["head"].pop(CLASS_WEIGHTS, None)
    if not going_on:
        others = _PLACES - _standing(asked)
        document["data"] = data | {key: defaults_of(Data)[key] for key in others}
        train["backbone_rate"] = min(train["backbone_rate"], FINE_TUNED)
        return document
    train["learning_rate"] *= FINE_TUNED
    train["warmup"] = min(train["warmup"], _WARMUP)
    train["freeze"] = [[0, max(train["freeze"])[1]]] if train["freeze"] else []
    return document


def without_what_minutes_held(
    recipe: Recipe,
    start: Start,
    asked: Collection[str],
    going_on: bool,
    noted: frozenset[str],
    say: Callable[[str], None],
) -> tuple[Recipe, frozenset[str]]:
    """The recipe of a run that begins with a model, with all images in an epoch, no frozen backbone
    and the usual rate where only the minutes of that model's run asked for others; and the keys of
    it that stay what such minutes held, or are left open again.

    What they held is for other data, and other epochs or minutes, too little. Whether it was
    lowered or wished for is known where the model's run has noted it; else it stays.

    Args:
        asked: keys of the recipe that the user asks for.
        noted: keys of the recipe that the model's run noted as chosen.
        say: hears what becomes of them.
    """
    is_same = going_on and not {EPOCHS, "train.minutes"} & set(asked)
    left = noted & {FREEZE, RATE} - set(asked) if FREEZE in noted else frozenset[str]()
    if FREEZE in left and recipe.train.freeze and not is_same:
        say(f"{FREEZE} = []: {start.weights} kept its backbone's weights for want of updates alone")
        recipe = with_values(recipe, {FREEZE: ()})
    usual = usual_rate(recipe) * (FINE_TUNED if going_on else 1)
    if RATE in left and recipe.train.learning_rate > usual and not is_same:
        say(f"{RATE} = {usual:g}: that of {start.weights} was higher for want of updates alone")
        recipe = with_values(recipe, {RATE: usual})
    steps = recipe.train.epoch_steps
    if not steps or STEPS in asked:
        return recipe, left
    cut = noted & {STEPS}
    if is_same:
        return recipe, left | cut
    if not cut:
        say(
            f"{STEPS} = {steps}: an epoch is a part of the images, as that of {start.weights}; 0 "
            "makes it all of them"
        )
        return recipe, left
    say(
        f"{STEPS} = 0: an epoch is all images; the {counted(steps, 'step')} of {start.weights} "
        f"{agreeing(steps, 'was', 'were')} what its minutes held"
    )
    return with_values(recipe, {STEPS: 0}), left


def to_fit_again(
    model: Recipe, asked: Collection[str], going_on: bool, noted: frozenset[str]
) -> frozenset[str]:
    """Keys of a model's recipe that were for its number of epochs, and are to fit the number or the
    minutes that are asked for; none where neither is.

    Not what is asked for, or was left out of the recipe by hand; and the warm-up of a run that goes
    on is short anyway. Where minutes are asked for, the number of epochs too, if it was chosen: the
    model's minutes may have held fewer.

    Args:
        noted: keys of the recipe that the model's run noted as chosen.
    """
    if not {EPOCHS, "train.minutes"} & set(asked):
        return frozenset()
    left_out = {"train.warmup": model.train.warmup, "data.close_mosaic": model.data.close_mosaic}
    kept = {key for key, value in left_out.items() if not value}
    fitting = PACE - kept - set(asked) - ({"train.warmup"} if going_on else set())
    return fitting if EPOCHS in asked else fitting | ({EPOCHS} & noted)


def with_pace(
    recipe: Recipe, model: Recipe | None, keys: Collection[str], train: Source
) -> tuple[Recipe, list[Choice]]:
    """The recipe with those of the `keys` that are to fit its number of epochs, where that is not
    the model's which it was made of; and what is another value so.

    Args:
        keys: with `EPOCHS` where these are to fit the data first.
        train: the data to train on.
    """
    if model is None or not keys:
        return recipe, []
    seen, changed = times_seen(train, recipe.data.repeat), list[Choice]()
    if EPOCHS in keys:
        changed.append(epochs_choice(recipe, len(train), seen))
        recipe = with_values(recipe, {EPOCHS: changed[0].value})
    if recipe.train.epochs == model.train.epochs:
        return recipe, []
    steps = steps_of(recipe, len(train), seen, recipe.train.batch)
    changed += changed_pace(recipe, steps, keys)
    return with_values(recipe, {one.key: one.value for one in changed}), changed


def words_of(start: Start, recipe: Recipe, going_on: bool) -> str:
    """What a run that begins with a model does, in a line."""
    how = recipe.train
    epochs = counted(how.epochs, "epoch")
    if going_on:
        return (
            f"start: {start.weights} goes on with its own data for {epochs} more: a fresh "
            f"optimizer, {counted(how.warmup, 'epoch', 'g')} of warm-up, learning rate "
            f"{how.learning_rate:g}"
        )
    return (
        f"start: {start.weights} is fine-tuned by its own recipe for {epochs}: backbone "
        f"{recipe.backbone}, head {recipe.head.name}, size {recipe.size}, the classes of the data; "
        f"the backbone learns at {how.backbone_rate:g} of the learning rate"
    )


def seen_before(start: Start, recipe: Recipe, sources: Sources) -> str:
    """What is to be said where a start was trained, or its best epoch chosen, on the very data of a
    run; empty where that is not known of it (`cvtasks.evaluation.seen.seen`).
    """
    if start.recipe is None:
        return ""
    theirs, ours = start.recipe.data, recipe.data
    asked = ((ours.train, whole(sources.train)), (ours.validate, whole(sources.validate)))
    if not any(
        seen(start.recipe, start.folder, ours.path, split, source).made_with
        for split, source in asked
    ):
        return ""
    return (
        f"start: {start.weights} was trained on this very data set "
        f"({title(theirs.path, theirs.train)}), and its best epoch chosen on "
        f"{theirs.validated_on}: scores on these images flatter"
    )
