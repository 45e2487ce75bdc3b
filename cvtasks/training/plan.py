"""A run before it begins: its recipe, made of what is wished for and of the data, and the data,
opened and checked once.
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtasks.answers import Answer
from cvtasks.data import Source
from cvtasks.data.held_out import undivided
from cvtasks.data.opening import Sources, open_sources, settled, splits_for, undivided_split
from cvtasks.data.run_facts import noted_choices
from cvtasks.data.tiled import cut, say_tiles
from cvtasks.errors import DataError, InputError, ModelError, UsageError
from cvtasks.networks.backbones import USUAL_BACKBONE
from cvtasks.recipe.overrides import Override, by_full_names, key_of
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_recipe
from cvtasks.recipe.reference import toml
from cvtasks.recipe.translation import FORMAT, new_name
from cvtasks.tasks import TASKS
from cvtasks.text import counted
from cvtasks.training.checkpoint import progress_in
from cvtasks.training.choices import FITS, Fit, chosen, left_open
from cvtasks.training.class_weights import (
    changed_recipe,
    of_the_data,
    with_balanced_weights,
    with_weights_by_hand,
)
from cvtasks.training.fine_tuning import (
    document_of,
    gives_head,
    goes_on,
    seen_before,
    to_fit_again,
    with_pace,
    with_start,
    without_what_minutes_held,
)
from cvtasks.training.fine_tuning import words_of as model_words
from cvtasks.training.first_weights import (
    best_start,
    is_model,
    pinned,
    start_of,
    teacher_of,
)
from cvtasks.training.first_weights import words_of as start_words
from cvtasks.training.half_precision import slow_in_bf16
from cvtasks.training.layout import BEST, CARD, CHECKPOINT, CHECKPOINTS
from cvtasks.training.pace import pace_remarks, to_be_cut
from cvtasks.training.short_runs import FREEZE, RATE
from cvtasks.zoo import RECIPE, names, unknown

if TYPE_CHECKING:
    from cvtasks.training.learner import Learner

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Plan:
    """All that is settled before a run begins.

    Attributes:
        recipe: every value of it, its splits called as the data call them.
        sources: the recipe's data.
        resumes: whether a run that was begun before goes on.
        ends: whether it is not trained any further, and made a model as it stands.
        chosen: dotted keys of the recipe whose values were chosen from the data, or, of a model,
            are to fit other epochs; and those that few updates may change.
        learner: of the recipe and its seed, set back to its beginning, where some steps of it were
            measured.
    """

    recipe: Recipe
    sources: Sources
    resumes: bool = False
    ends: bool = False
    chosen: frozenset[str] = frozenset()
    learner: "Learner | None" = None


def planned(
    what: str | Path | Recipe,
    wishes: Iterable[Override] = (),
    say: Say = lambda text: None,
    fit: Fit | None = None,
    folds: bool = False,
) -> Plan:
    """Plan a run.

    A new recipe begins with the best weights that are on this machine, unless others are asked for.
    A model goes on where its data are those that it was trained with, and is fine-tuned on others.

    Args:
        what: the name of a task, whose recipe begins with what is usual for it and with the classes
            of the data; or a recipe, or the path of its file (`….toml`); or a finished model, by
            its name in the zoo or its folder.
        wishes: values of the recipe that are changed: (key, value), or text `key=value`.
        say: hears what was concluded, recognised and left out.
        fit: finds the batch (`cvtasks.training.memory.fitting_batch`), in place of the recipe's;
            what is chosen for a new recipe is chosen for it.
        folds: whether the images are to be dealt out in folds; nothing is said then of the split
            into two, which none of them has.

    Raises:
        ModelError: no such task or recipe, or a value that none can have.
        UsageError: there are to be folds, and none is to be set aside.
        DataError: there are no such data, or they cannot be trained on; see
            `cvtasks.data.opening.open_sources`.
    """
    wishes = by_full_names(wishes)
    begun = _begun(what, wishes, say)
    recipe, asked = begun.recipe, begun.asked
    if not recipe.data.path:
        raise DataError(
            "training needs data. Give the folder of a data set, or the name of one that "
            "`cvtasks data get` fetches (`data.path` of the recipe).",
            ways={"data": ""},
        )
    splits = splits_for(recipe)
    recipe = settled(recipe, splits, say, asked)
    if folds and not recipe.data.held_out:
        raise UsageError(
            "each fold of a cross-validation is set aside once; got `data.held_out = 0`. Leave it "
            "out, or leave out the folds."
        )
    if begun.of_the_data:
        usable = cut(splits.opened(recipe.data.train).usable, recipe.data)
        recipe = _fitted(recipe, usable, begun, say)
    sources = open_sources(recipe, undivided(say) if folds else say, begun.set_aside, splits)
    if folds:
        say_tiles(undivided_split(sources), recipe.data, say)
    recipe = with_balanced_weights(pinned(recipe), sources.train)
    if recipe.train.teacher:
        teacher_of(recipe)  # refused before anything is written
    if remark := recipe.head.beyond(_truths(sources.train, recipe.classes)):
        say(remark)
    if remark := recipe.task.contrast(_truths(sources.train, recipe.classes)):
        say(f"data: {remark}")
    if not begun.goes_on:
        start = start_of(recipe.train.weights, recipe.backbone)
        if recipe.train.start_share and not start.is_whole(recipe):
            raise ModelError(
                "`train.start_share` keeps a share of a start that is a model of the same task and "
                f'head; got "{start.weights}". Name such a model as `train.weights`, or leave it '
                "out."
            )
        if remark := seen_before(start, recipe, sources):
            say(remark)
    slow = slow_in_bf16()
    if begun.is_new:
        taught = begun.model.classes if begun.model else ()
        recipe, choices = chosen(recipe, sources.train, asked, fit, slow, say, taught)
        keys = frozenset(choice.key for choice in choices)
        keys |= left_open(recipe, asked, taught)
    else:
        recipe = _with_batch(recipe, fit, say)
        open_still = left_open(recipe, asked, begun.model.classes if begun.model else ())
        keys = begun.to_fit - ({FREEZE, RATE} - open_still)
        recipe, choices = with_pace(recipe, begun.model, keys, sources.train)
    for choice in choices:
        if choice.reason:
            say(choice.line)
    for remark in _remarks(recipe, len(sources.train), slow, keys):
        say(remark)
    return Plan(recipe, sources, chosen=keys | to_be_cut(recipe))


def resumed(
    folder: Path,
    data: str = "",
    say: Say = lambda text: None,
    devices: str = "",
    *,
    ends: bool = False,
) -> Plan:
    """Plan to go on with the run in a folder, or to end it as it stands.

    Args:
        data: where its data are now; where they were, by default.
        devices: `train.devices` from now on, as text; as before, by default.
        ends: whether it is not trained any further, and its best weights become the model.

    Raises:
        UsageError: the run is finished, or is to end and has no best weights yet.
        ModelError: it is none, or what it has learned is gone.
        DataError, InputError: the data cannot be opened, or lack what they had.
    """
    changed = [f"train.devices={devices}"] if devices else []
    recipe = read_recipe(folder / RECIPE, changed)
    if (folder / CARD).exists():
        raise UsageError(
            f"{str(folder)!r} holds a finished model; there is nothing to resume. Train into "
            "another folder."
        )
    _check_checkpoints(folder / CHECKPOINTS, say)
    if data:
        recipe = replace(recipe, data=replace(recipe.data, path=data))
    if ends:
        done = progress_in(folder / CHECKPOINTS / CHECKPOINT).epoch
        if not (folder / CHECKPOINTS / BEST).exists() or not done:
            raise UsageError(
                "a run ends with the best weights that it has measured; "
                f"{str(folder)!r} has none yet after {counted(done, 'epoch')}. Resume it."
            )
        how = replace(recipe.train, epochs=done, minutes=0.0)
        recipe = replace(recipe, train=how)
    try:
        sources = open_sources(recipe, say, folder)
    except (DataError, InputError) as error:
        raise type(error)(
            f"a run goes on with the data that it began with; those of {str(folder)!r} are not as "
            f"they were: {error} To go on, bring back what they had, or say where they lie now.",
            error.rule,
            error.count,
            {**error.ways, "data": ""},
        ) from error
    keys = noted_choices(folder) if recipe.train.minutes else frozenset()  # not turned into epochs
    return Plan(recipe, sources, resumes=True, ends=ends, chosen=keys)


@dataclass(frozen=True, eq=False)
class _Begun:
    """A recipe with the wishes, as yet with splits and classes that need not be the data's.

    Attributes:
        asked: keys of the recipe that the wishes change.
        of_the_data: its classes, and what suits them, are to be taken from the data.
        is_new: it is that of a task, whose values are to be chosen.
        goes_on: it is that of a finished model, with the model's data.
        model: the recipe of the model that it is of, or that gives a new one its head.
        to_fit: keys of a model's recipe that are to fit another number of epochs.
        later: of the wishes, those that are to be heeded once the classes are known.
        set_aside: the folder of a run whose images that were set aside are set aside again.
    """

    recipe: Recipe
    asked: frozenset[str]
    of_the_data: bool = False
    is_new: bool = False
    goes_on: bool = False
    model: Recipe | None = None
    to_fit: frozenset[str] = frozenset()
    later: Sequence[Override] = ()
    set_aside: Path | None = None


def _begun(what: str | Path | Recipe, wishes: list[Override], say: Say) -> _Begun:
    """The recipe that a run begins with."""
    task = what if isinstance(what, str) and what in TASKS else ""
    values = {
        new_name(key_of(wish), task): wish[1]
        if isinstance(wish, tuple)
        else wish.partition("=")[2].strip().strip("\"'")  # words alone are looked at
        for wish in wishes
    }
    asked = frozenset(values)
    if "train.weights" in asked and "train.weights_sha256" not in asked:
        wishes = [*wishes, ("train.weights_sha256", "")]  # of others than the recipe's
    if task:
        return _new_recipe(task, wishes, values, say)
    if not isinstance(what, Recipe) and is_model(what):
        start = start_of(str(what), "")
        going_on = goes_on(start, values)
        document, later = document_of(start, going_on, values), list[Override]()
        if going_on:
            recipe = parse_recipe(document, wishes)
        else:
            recipe, later = of_the_data(document, wishes)
        say(model_words(start, recipe, going_on))
        noted = noted_choices(start.folder) if start.folder else frozenset[str]()
        recipe, to_fit = without_what_minutes_held(recipe, start, asked, going_on, noted, say)
        return _Begun(
            recipe,
            asked,
            of_the_data=not going_on,
            goes_on=going_on,
            model=start.recipe,
            to_fit=to_fit_again(recipe, asked, going_on, noted) | to_fit,
            later=later,
            set_aside=start.folder if going_on else None,
        )
    if isinstance(what, (Recipe, Path)) or what.endswith(".toml"):
        recipe = changed_recipe(what, wishes, say)
    elif Path(what).is_dir():
        raise ModelError(
            f"what is trained is a task ({', '.join(TASKS)}), a recipe file or a model; {what!r} "
            "is a folder without a recipe. If it holds data, name a task and give it as the data.",
            ways={"data": what},
        )
    else:
        raise ModelError(
            f"what is trained is a task ({', '.join(TASKS)}), a recipe file, a model of the zoo or "
            f"the folder of one; got {what!r}. {unknown(what, [*TASKS, *names()])}"
        )
    return _Begun(replace(recipe, files={}), asked)  # a run has no files before its end


def _new_recipe(task: str, wishes: list[Override], values: dict[str, Any], say: Say) -> _Begun:
    """The recipe of a task with the best start, or with the one that is asked for."""
    backbone = str(values.get("backbone", ""))
    if "train.weights" in values:
        start = start_of(str(values["train.weights"]), backbone or USUAL_BACKBONE)
    else:
        start = best_start(task, backbone, str(values.get("norm", "")))
    recipe, later = of_the_data(with_start(_usual(task), start, task, values), wishes)
    if "train.weights" not in values:
        say(start_words(start, recipe))
    model = start.recipe if start.recipe and gives_head(start.recipe, task, values) else None
    return _Begun(
        recipe, frozenset(values), of_the_data=True, is_new=True, model=model, later=later
    )


def _usual(task: str) -> dict[str, Any]:
    """What a recipe for a task begins with, before its start and its data are known."""
    usual = TASKS[task].task
    return {
        "format": FORMAT,
        "task": {"name": task},
        "backbone": USUAL_BACKBONE,
        "size": usual.start_size,
        "classes": ["background", "object"],
        **{table: dict(values) for table, values in usual.start.items()},
    }


def _fitted(recipe: Recipe, train: Source, begun: _Begun, say: Say) -> Recipe:
    """The recipe with the classes of the data, and what suits their truths, but for what was asked
    for.
    """
    asked = begun.asked
    classes = recipe.classes if "classes" in asked else train.classes

    def unasked(table: str, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if f"{table}.{key}" not in asked}

    suited = unasked("task", recipe.task.suited(_truths(train, classes)))
    changed = {key: value for key, value in suited.items() if value != getattr(recipe.task, key)}
    for key, value in changed.items():
        say(f"task.{key} = {toml(value)}: {recipe.task.reasons[key][value]}")
    if changed:  # the threshold was tuned for the task as it was
        changed |= unasked("task", {"threshold": type(recipe.task).threshold})
    recipe = recipe.with_task(replace(recipe.task, **changed), classes)
    suited = unasked("head", recipe.head.suited(_truths(train, classes)))
    for key, reason in recipe.head.reasons.items():
        if key in suited and suited[key] != getattr(recipe.head, key):
            say(f"head.{key} = {toml(suited[key])}: {reason}")
    recipe = replace(recipe, head=replace(recipe.head, **suited))
    if begun.later:
        recipe = parse_recipe(tomllib.loads(recipe.to_toml()), begun.later)
    return with_weights_by_hand(recipe, begun.model, asked, say) if begun.model else recipe


def _truths(source: Source, classes: tuple[str, ...]) -> Iterator[Answer]:
    """All truths of a source, with these classes alone."""
    return (source.truth(index).with_classes(classes) for index in range(len(source)))


def _with_batch(recipe: Recipe, fit: Fit | None, say: Say) -> Recipe:
    """The recipe with the batch that fits, where one is to be found; the rest stays as it is."""
    if fit is None:
        return recipe
    recipe = replace(recipe, train=replace(recipe.train, batch=fit(recipe)))
    say(f"train.batch = {recipe.train.batch}: {FITS}")
    return recipe


def _remarks(recipe: Recipe, images: int, slow: str, keys: Collection[str]) -> Iterator[str]:
    """What is to be said of a batch that is larger than the data, of bfloat16 where it is slow, and
    of a run that is too short for what was not chosen for it, as the `keys` were.
    """
    how = recipe.train
    yield from pace_remarks(recipe, keys)
    if slow and how.precision == "bf16":
        yield f'train.precision = "bf16": {slow}; `train.precision = "f32"` chooses it'
    if how.batch > images:
        yield (
            f"train.batch = {how.batch}: more than the {counted(images, 'image', ',')} to train "
            "on, so a step takes them all"
        )


def _check_checkpoints(folder: Path, say: Say) -> None:
    """Raise ModelError if what a run has learned is gone; says so where nothing was saved yet."""
    if not folder.is_dir() or ((folder / BEST).exists() and not (folder / CHECKPOINT).exists()):
        missing = CHECKPOINT if folder.is_dir() else CHECKPOINTS
        raise ModelError(
            f"a run goes on from {CHECKPOINTS}/{CHECKPOINT}; {str(folder.parent)!r} has no "
            f"{missing}. Bring it back, or start another run."
        )
    if not (folder / CHECKPOINT).exists():
        say("the run had saved no checkpoint yet and begins anew")
