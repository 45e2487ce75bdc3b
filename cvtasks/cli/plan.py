"""What `cvtasks train` shows of a run before it begins."""

import dataclasses
import math
import sys
import textwrap
from collections.abc import Sequence
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


def plan_lines(plan: "Plan", folds: Sequence[int] = ()) -> list[str]:
    """What is trained, on what, from where, how long, and what is not as in every new recipe.

    Args:
        folds: of a cross-validation, steps of an epoch of each of its runs.
    """
    recipe = plan.recipe
    how, data = recipe.train, recipe.data
    kind = plan.sources.train.format
    images, judged = len(plan.sources.train), len(plan.sources.validate)
    used = (
        f"{images + judged:,} in {counted(len(folds), 'fold')}"
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
        "training": _course(plan, folds or [steps_of(plan)]),
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


def _course(plan: "Plan", steps: Sequence[int]) -> str:
    """Epochs, steps of one in each run, and rate, in a line."""
    how = plan.recipe.train
    budget = f", at most {how.minutes:g} min" if how.minutes else ""
    patience = (
        f", ends after {counted(how.patience, 'look')} without a better score"
        if 0 < how.patience < _looks(how) - 1  # the first score, and so many looks after it
        else ""
    )
    each = f" in each of {counted(len(steps), 'fold')}" if len(steps) > 1 else ""
    length = f"{counted(how.epochs, 'epoch')} of {_span(steps)}{each} at batch {how.batch}"
    return (
        f"{length}{budget}; {how.optimizer}, learning rate {how.learning_rate:g}, {how.schedule}"
        f"{patience}"
    )


def _span(steps: Sequence[int]) -> str:
    """Steps, or from how many to how many.

    >>> _span([3]), _span([3, 3]), _span([4, 3])
    ('3 steps', '3 steps', '3 to 4 steps')
    """
    low, high = min(steps), max(steps)
    return f"{'' if low == high else f'{low:,} to '}{counted(high, 'step', ',')}"


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
    plan: "Plan", report: "Report", folds: Sequence[int] = (), done: "Progress | None" = None
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
            say(f"time: at most {_of_all([how.minutes * 60] * len(folds))}")
    else:
        pace, looks = measured(plan), _looks(how)
        epochs, each = how.epochs, folds or [steps_of(plan)]
        steps = [epochs * one for one in each]
        if done:
            epochs, steps = epochs - done.epoch, [steps[0] - done.epoch * each[0] - done.step]
            looks -= done.epoch // how.validate_every if epochs else looks
        rest = pace.start + looks * pace.look + epochs * pace.save
        took = _of_all([rest + one * pace.step for one in steps])
        left = f" for what is left after {counted(done.epoch, 'epoch')}" if done else ""
        say(
            f"time: about {took}{left}: {_span(steps)} of {pace.step:.2g} s, "
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


def _of_all(seconds: Sequence[float]) -> str:
    """The time of a run; or that of each fold, or from what to what, and that of all."""
    low, high = duration(min(seconds)), duration(max(seconds))
    if len(seconds) == 1:
        return low
    each = low if low == high else f"{low} to {high}"
    return f"{each} for each of {counted(len(seconds), 'fold')}, together {duration(sum(seconds))}"
