"""What `cvtasks train` shows of a run before it begins."""

import dataclasses
import math
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from cvtasks.cli.output import duration, say, text_columns
from cvtasks.text import counted, some

if TYPE_CHECKING:
    from cvtasks.recipe.recipe import Recipe, Train
    from cvtasks.training.plan import Plan
    from cvtasks.training.progress import Progress, Report

_VALUE = 100  # letters of a value
_NAMES = 12  # of classes that are listed
_TITLE = 10  # columns of a line's title


def plan_lines(plan: "Plan", folds: int | None = None) -> list[str]:
    """What is trained, on what, from where, how long, and what is not as in every new recipe.

    Args:
        folds: how many runs of a cross-validation it is the plan of.
    """
    recipe = plan.recipe
    how, data = recipe.train, recipe.data
    kind = plan.sources.train.format
    images, judged = len(plan.sources.train), len(plan.sources.validate)
    used = (
        f"{images + judged:,} in {counted(folds, 'fold')}"
        if folds
        else f"{counted(images, 'image', ',')} to train on ({data.train or 'all'}), {judged:,} to "
        f"validate on ({data.validated_on})"
    )
    lines = {
        "task": f"{recipe.task.name} by the head {recipe.head.name} on {recipe.backbone}, input "
        f"{recipe.size} px",
        "classes": f"{len(recipe.classes)}: {some(recipe.classes, _NAMES)}",
        "data": f"{data.path}{f', {kind}' if kind else ''}: {used}",
        "start": how.weights if how.weights not in ("", "none") else "random weights",
        "training": _course(plan),
        "changed": ", ".join(f"{key} = {value}" for key, value in _changed(recipe, plan.chosen)),
    }
    return [
        line
        for title, text in lines.items()
        if text
        for line in textwrap.wrap(
            text,
            text_columns(),
            initial_indent=f"{title:<{_TITLE}}",
            subsequent_indent=" " * _TITLE,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def _course(plan: "Plan") -> str:
    """Epochs, steps and rate, in a line."""
    how, steps = plan.recipe.train, steps_of(plan)
    budget = f", at most {how.minutes:g} min" if how.minutes else ""
    patience = (
        f", ends after {counted(how.patience, 'look')} without a better score"
        if 0 < how.patience < _looks(how) - 1  # the first score, and so many looks after it
        else ""
    )
    length = f"{counted(how.epochs, 'epoch')} of {counted(steps, 'step', ',')} at batch {how.batch}"
    return (
        f"{length}{budget}; {how.optimizer}, learning rate {how.learning_rate:g}, {how.schedule}"
        f"{patience}"
    )


def _looks(how: "Train") -> int:
    """Looks at the validation split, at most."""
    return math.ceil(how.epochs / how.validate_every)


def steps_of(plan: "Plan") -> int:
    """Steps of an epoch. Loads Keras."""
    from cvtasks.training.loop import batches_of

    return len(batches_of(plan.recipe, plan.sources.train))


def _changed(recipe: "Recipe", chosen: frozenset[str]) -> list[tuple[str, str]]:
    """Keys whose values a new recipe for the task does not have, and these; without those that
    other lines show, and what was chosen and said.
    """
    from cvtasks.recipe.reference import reference, toml

    shown = {"data.path", "data.train", "data.validate", "data.held_out", "train.weights_sha256"}
    shown |= {"train.weights", "train.epochs", "train.batch", "train.minutes", *chosen}
    usual = {
        one.key: one.field.default
        for one in reference(recipe.task.name)
        if "." in one.key and one.head in ("", recipe.head.name) and one.key not in shown
    }
    found = [
        (key, toml(value))
        for key, value in _values(recipe).items()
        if key in usual
        and usual[key] is not dataclasses.MISSING
        and toml(value) != toml(usual[key])
    ]
    return [(key, text if len(text) <= _VALUE else f"{text[:_VALUE]}…") for key, text in found]


def _values(recipe: "Recipe") -> dict[str, Any]:
    """Dotted key → value, of the recipe's tables."""
    from cvtasks.schema import table_of

    tables = {"task": recipe.task, "head": recipe.head, "data": recipe.data, "train": recipe.train}
    found: dict[str, Any] = {"task.name": recipe.task.name, "head.name": recipe.head.name}
    for table, its in tables.items():
        found |= {f"{table}.{key}": value for key, value in table_of(its).items()}
    return found


def foretell(
    plan: "Plan", report: "Report", folds: int | None = None, done: "Progress | None" = None
) -> None:
    """Measure a few steps, and say how long the run would take and what memory that has taken.

    Args:
        folds: as `plan_lines` takes it.
        done: what was learned before, where the run goes on.
    """
    from cvtasks.training.budget import budgeted, measured

    how = plan.recipe.train
    if how.minutes:
        budgeted(plan, report)
        if folds:
            say(f"time: at most {_of_all(how.minutes * 60, folds)}")
    else:
        pace, looks = measured(plan), _looks(how)
        epochs, steps = how.epochs, how.epochs * steps_of(plan)
        if done:
            epochs, steps = epochs - done.epoch, steps - done.epoch * steps_of(plan) - done.step
            looks -= done.epoch // how.validate_every if epochs else looks
        total = pace.start + steps * pace.step + looks * pace.look + epochs * pace.save
        took = _of_all(total, folds) if folds else duration(total)
        left = f" for what is left after {counted(done.epoch, 'epoch')}" if done else ""
        say(
            f"time: about {took}{left}: {counted(steps, 'step', ',')} of {pace.step:.2g} s, "
            f"and {counted(looks, 'look')} at the validation split of {pace.look:.1f} s"
            f"{', each' if folds else ''}"
        )
    try:
        import resource
    except ImportError:  # Windows tells no process how much memory it has had
        return
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    say(f"memory: {peak / 1e9:.1f} GB at most, without a GPU's own")


def _of_all(seconds: float, folds: int) -> str:
    """The time of a fold, and that of all."""
    together = duration(folds * seconds)
    return f"{duration(seconds)} for each of {counted(folds, 'fold')}, together {together}"
