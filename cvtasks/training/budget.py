"""A run's budget of minutes, turned once into epochs and steps."""

import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import keras

from cvtasks.data.loading.batches import first_batches
from cvtasks.data.views import Subset
from cvtasks.recipe.recipe import Train
from cvtasks.text import agreeing, counted
from cvtasks.training import short_runs
from cvtasks.training.choice import with_values
from cvtasks.training.hosts import ALONE, Hosts
from cvtasks.training.learner import Learner
from cvtasks.training.looks import Looks
from cvtasks.training.loop import batches_of
from cvtasks.training.pace import changed_pace, pace_remarks, paced
from cvtasks.training.plan import Plan
from cvtasks.training.progress import Progress, Report

_COMPILING, _TIMED = 2, 8  # steps that are not measured, as they compile, and steps that are
_FEWEST_TIMED = 2  # steps, where they are slow
_MEASURING = 0.05  # of the minutes, at most, for steps that are measured, which teach nothing
_LOOKED = 16  # images of the validation split that a look is measured on
_FINISH_S = 10.0  # export of the graph, card and figures
_FEWEST = 10  # epochs, so that there are enough looks to choose the best weights by
_LOOKING = 0.5  # of the time, at most, where epochs are made shorter to have so many looks
_ROUNDING_S = 1e-3
FEW_UPDATES = 100
"""With fewer a network has hardly begun to learn."""


@dataclass(frozen=True)
class Pace:
    """Seconds that parts of a run take.

    Attributes:
        start: to build and compile, or what is left of that; `step`: one step; `look`: one look at
            the validation split; `save`: a checkpoint.
    """

    start: float
    step: float
    look: float
    save: float


def budgeted(plan: Plan, report: Report, hosts: Hosts = ALONE) -> Plan:
    """The plan with as many epochs as fit into its recipe's `train.minutes`, which become 0: who
    goes on with the run, or repeats it, measures nothing again. Itself where there is no limit. It
    has the learner that was measured, unless there are several hosts. Where few updates fit, its
    backbone is frozen if that was left open and makes a step far quicker, and its rate is higher.

    What was chosen to fit the number of epochs is made to fit again where it is another. Of several
    hosts all measure, and what the first one finds counts.
    """
    how = plan.recipe.train
    if not how.minutes:
        return plan
    begun = time.monotonic()
    report.on_message("measuring a few steps to see what fits into the minutes")
    learner, pace = measured_learner(plan, hosts)
    steps = len(batches_of(plan.recipe, plan.sources.train))
    left = how.minutes * 60 - (time.monotonic() - begun)
    best = _fitted_looks(plan, steps, left, pace)
    updates = _updates(best, steps)
    if learner and not _as_long(best, how) and _is_to_be_frozen(plan, learner, updates):
        choice = short_runs.frozen(plan.recipe, updates)
        report.on_message(choice.line)
        plan = replace(plan, recipe=with_values(plan.recipe, {choice.key: choice.value}))
        pace = _measured_again(plan, learner, pace)
        left = how.minutes * 60 - (time.monotonic() - begun)
        best = _fitted_looks(plan, steps, left, pace)
    how = plan.recipe.train
    epochs, epoch_steps = hosts.shared(lambda: [best.epochs, best.epoch_steps])
    fitting = replace(how, epochs=epochs, epoch_steps=epoch_steps, minutes=0.0)
    recipe = replace(plan.recipe, train=fitting)
    said: list[str] = []
    if not _as_long(fitting, how):
        changed = changed_pace(recipe, epoch_steps or steps, plan.chosen)
        recipe = with_values(recipe, {one.key: one.value for one in changed})
        said = [*(one.line for one in changed), *pace_remarks(recipe, plan.chosen)]
        made = _updates(recipe.train, steps)
        if made < short_runs.SHORT and {short_runs.FREEZE, short_runs.RATE} <= plan.chosen:
            choice = short_runs.quickened(recipe, made)
            recipe = with_values(recipe, {choice.key: choice.value})
            said.append(choice.line)
    for line in (*_words(how, recipe.train, steps, left, pace), *said):
        report.on_message(line)
    if learner:
        learner.turn_to(recipe)
    return replace(plan, recipe=recipe, learner=learner)


def measured_learner(plan: Plan, hosts: Hosts = ALONE) -> tuple[Learner | None, Pace]:
    """What learned for a moment and was set back, and what it takes from there on; of several
    hosts, which hold a network together, none.
    """
    begun, how = time.monotonic(), plan.recipe.train
    keras.utils.set_random_seed(how.seed)
    learner = Learner(plan.recipe)
    if hosts.number > 1:  # they step together, so none may stop before the others
        return None, _measured(plan, learner, begun, math.inf)
    beginning = learner.beginning()
    pace = _measured(plan, learner, begun, _MEASURING * how.minutes * 60)
    start = time.monotonic()
    learner.set_back(beginning)
    learner.restore(None, Progress())
    return learner, replace(pace, start=time.monotonic() - start)


def _is_to_be_frozen(plan: Plan, learner: Learner, updates: int) -> bool:
    return (
        updates < short_runs.SHORT
        and short_runs.FREEZE in plan.chosen
        and short_runs.is_worth_it(learner.measured, plan.recipe)
    )


def _measured_again(plan: Plan, learner: Learner, pace: Pace) -> Pace:
    """What a learner takes by another recipe, of which the steps alone are others; it is set back
    again.

    Args:
        learner: at its beginning.
        pace: by the recipe that it had.
    """
    beginning = learner.beginning()
    learner.turn_to(plan.recipe)
    learner.restore(None, Progress())
    ends = _ends_of_steps(plan, learner, _MEASURING * plan.recipe.train.minutes * 60)
    start = time.monotonic()
    learner.set_back(beginning)
    learner.restore(None, Progress())
    return replace(pace, step=_step(ends), start=time.monotonic() - start)


def _as_long(one: Train, other: Train) -> bool:
    """Whether both have the same steps."""
    return (one.epochs, one.epoch_steps) == (other.epochs, other.epoch_steps)


def _fitted_looks(plan: Plan, steps: int, left: float, pace: Pace) -> Train:
    """What fits into so many seconds with the looks that are chosen for it: fewer epochs are looked
    at more often, which takes time.
    """
    recipe = plan.recipe
    while True:
        best = fitted(recipe.train, steps, left, pace)
        if _as_long(best, plan.recipe.train):
            return best
        found = paced(replace(recipe, train=best), best.epoch_steps or steps, plan.chosen)
        every = found.train.validate_every
        if every >= recipe.train.validate_every:
            return best
        recipe = replace(recipe, train=replace(recipe.train, validate_every=every))


def _words(how: Train, fitting: Train, steps: int, left: float, pace: Pace) -> Iterator[str]:
    """What becomes of the minutes in `how`, of which so many seconds are left, and why.

    Args:
        steps: of a whole epoch.
    """
    yield _epochs_words(how, fitting, steps, left, pace)
    made = fitting.epoch_steps or steps
    if fitting.epoch_steps != how.epoch_steps:
        looks = math.ceil(fitting.epochs / fitting.validate_every)
        why = (
            f"so that there {agreeing(looks)} {counted(looks, 'look')} to choose the best weights "
            "by"
            if fitting.epochs > 1
            else "as there is no time for a whole one"
        )
        yield f"train.epoch_steps = {made}: an epoch is a part of the images, {why}"
    updates = _updates(fitting, steps)
    if updates < FEW_UPDATES:
        yield (
            f"only {counted(updates, 'update')} {agreeing(updates)} made, and a network "
            "needs hundreds to learn. Give it more minutes (`train.minutes`) or a smaller `size`, "
            "or train on a GPU."
        )


def _updates(how: Train, steps: int) -> int:
    """Of a whole run.

    Args:
        steps: of a whole epoch.
    """
    return how.epochs * (how.epoch_steps or steps) // how.accumulate


def _epochs_words(how: Train, fitting: Train, steps: int, left: float, pace: Pace) -> str:
    """How many epochs the minutes hold, or that they do not hold one."""
    same = fitting.epochs == how.epochs and fitting.epoch_steps == how.epoch_steps
    begin = "" if same else f"train.epochs = {fitting.epochs}: "
    begin += (
        f"a step takes {pace.step:.2f} s and a look at the validation split {pace.look:.1f} s, so "
        f"{how.minutes:g} min"
    )
    made = fitting.epoch_steps or steps
    if needed(fitting, made, pace) <= left + _ROUNDING_S:
        every = "all " if same and how.epochs > 1 else ""
        holds = agreeing(how.minutes, "holds", "hold")
        return f"{begin} {holds} {every}{counted(fitting.epochs, 'epoch')}"
    whole = needed(replace(fitting, epochs=1), steps, pace) / 60
    return (
        f"{begin} {agreeing(how.minutes)} not enough: 1 epoch of "
        f"{counted(made, 'step')} is made all the same. A whole epoch, of "
        f"{counted(steps, 'step')}, takes about {whole:.1f} min with the run's start and end."
    )


def needed(how: Train, steps: int, pace: Pace) -> float:
    """Seconds that a run takes, of epochs of so many steps."""
    looks = how.epochs / how.validate_every
    epochs = how.epochs * (pace.save + steps * pace.step)
    return _FINISH_S + pace.start + pace.look + looks * pace.look + epochs


def fitted(how: Train, steps: int, seconds: float, pace: Pace) -> Train:
    """The table with as many epochs as fit into the seconds, its own at most, and no minutes; one
    epoch of one step where nothing fits.

    Args:
        steps: of an epoch.

    >>> how, pace = Train(epochs=100, minutes=9.0), Pace(start=2.0, step=1.0, look=8.0, save=2.0)
    >>> fitted(how, 20, 632.0, pace).epochs, fitted(how, 1000, 632.0, pace).epoch_steps
    (20, 51)
    >>> short = fitted(how, 20, 62.0, pace)  # 10 looks would take all of it
    >>> short.epochs, short.epoch_steps
    (2, 11)
    """
    seconds -= _FINISH_S + pace.start + pace.look
    epoch = pace.save + pace.look / how.validate_every
    whole = math.floor(seconds / (steps * pace.step + epoch))
    affordable = min(_LOOKING * seconds / epoch, seconds / (pace.step + epoch))
    epochs = max(1, min(_FEWEST, how.epochs, math.floor(affordable)))
    if whole >= epochs:
        return replace(how, epochs=min(whole, how.epochs), minutes=0.0)
    short = math.floor((seconds / epochs - epoch) / pace.step)
    return replace(how, epochs=epochs, epoch_steps=max(1, min(short, steps)), minutes=0.0)


def measured(plan: Plan, most: float = math.inf) -> Pace:
    """Train and look for a moment, and throw away what was learned.

    Args:
        most: seconds after which enough steps have been measured, once there are a few.
    """
    begun = time.monotonic()
    return _measured(plan, Learner(plan.recipe), begun, most)


def _measured(plan: Plan, learner: Learner, begun: float, most: float) -> Pace:
    """What a learner takes.

    Args:
        learner: new; it learns a little.
        begun: when it began to be built, by the monotonic clock.
        most: as `measured` takes it.
    """
    recipe, sources = plan.recipe, plan.sources
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "checkpoint"
        learner.restore(checkpoint, Progress())
        ends = _ends_of_steps(plan, learner, most)
        start = time.monotonic()
        learner.update_measured()
        learner.save(checkpoint, Progress())
        save = time.monotonic() - start
    images = len(batches_of(recipe, sources.train)) * recipe.train.batch
    looks = Looks(
        learner.judge, recipe, sources.train, sources.validate, images, learner.devices.local
    )
    few = Subset(sources.validate, range(min(_LOOKED, len(sources.validate))))
    seconds = 0.0
    for _ in range(2):  # the first compiles
        start = time.monotonic()
        looks.measure(few)
        seconds = time.monotonic() - start
    look = seconds / len(few) * looks.images
    return Pace(ends[_COMPILING - 1] - begun, _step(ends), look, save)


def _ends_of_steps(plan: Plan, learner: Learner, most: float) -> list[float]:
    """When each of a few steps ended, by the monotonic clock: one begins where the one before ends,
    as to wait for its batch is a part of it.

    Args:
        most: as `measured` takes it.
    """
    ends: list[float] = []
    batches = batches_of(plan.recipe, plan.sources.train, learner.devices.part)
    learner.devices.check_batch(batches.size)
    with closing(first_batches(batches, _COMPILING + _TIMED)) as some:
        for batch in some:
            learner.step(batch, plan.recipe.train.learning_rate * 1e-3)
            learner.recent()  # waits until the step is done
            ends.append(time.monotonic())
            timed = len(ends) - _COMPILING
            if timed >= _FEWEST_TIMED and ends[-1] - ends[_COMPILING - 1] > most:
                break
    return ends


def _step(ends: Sequence[float]) -> float:
    """Seconds of one, of those that compile nothing."""
    return statistics.median(b - a for a, b in pairwise(ends[_COMPILING - 1 :]))
