"""A run's budget of minutes, turned once into epochs and steps."""

import math
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import keras

from cvtasks.data.loading.batches import first_batches
from cvtasks.data.views import Subset
from cvtasks.recipe.recipe import Train
from cvtasks.text import counted
from cvtasks.training.choices import paced
from cvtasks.training.hosts import ALONE, Hosts
from cvtasks.training.learner import Learner
from cvtasks.training.looks import Looks
from cvtasks.training.loop import batches_of
from cvtasks.training.plan import Plan
from cvtasks.training.progress import Progress, Report

_COMPILING, _TIMED = 2, 8  # steps that are not measured, as they compile, and steps that are
_LOOKED = 16  # images of the validation split that a look is measured on
_FINISH_S = 10.0  # export of the graph, card and figures
_FEWEST = 10  # epochs, so that there are enough looks to choose the best weights by
_LOOKING = 0.5  # of the time, at most, where epochs are made shorter to have so many looks
FEW_UPDATES = 100
"""With fewer a network has hardly begun to learn."""


@dataclass(frozen=True)
class Pace:
    """Seconds that parts of a run take.

    Attributes:
        start: to build and compile; `step`: one step; `look`: one look at the validation split;
            `save`: a checkpoint.
    """

    start: float
    step: float
    look: float
    save: float


def budgeted(plan: Plan, report: Report, hosts: Hosts = ALONE) -> Plan:
    """The plan with as many epochs as fit into its recipe's `train.minutes`, which become 0: who
    goes on with the run, or repeats it, measures nothing again. Itself where there is no limit.

    What the choices for new recipes made to fit the number of epochs is made to fit again. Of
    several hosts all measure, and what the first one finds counts.
    """
    how = plan.recipe.train
    if not how.minutes:
        return plan
    begun = time.monotonic()
    report.on_message("measuring a few steps to see what fits into the minutes")
    pace = measured(plan)
    steps = len(batches_of(plan.recipe, plan.sources.train))
    left = how.minutes * 60 - (time.monotonic() - begun)
    best = fitted(how, steps, left, pace)
    epochs, epoch_steps = hosts.shared(lambda: [best.epochs, best.epoch_steps])
    fitting = replace(best, epochs=epochs, epoch_steps=epoch_steps)
    said = (
        f"a step takes {pace.step:.2f} s and a look at the validation split {pace.look:.1f} s, so "
        f"{how.minutes:g} min "
    )
    if fitting.epochs == how.epochs and fitting.epoch_steps == how.epoch_steps:
        report.on_message(f"{said}hold all {counted(how.epochs, 'epoch')}")
    else:
        steps = fitting.epoch_steps or steps
        report.on_message(
            f"train.epochs = {fitting.epochs}: {said}hold {counted(fitting.epochs, 'epoch')}"
        )
        if fitting.epoch_steps != how.epoch_steps:
            report.on_message(
                f"train.epoch_steps = {steps}: an epoch is a part of the images, so that there "
                f"are {counted(fitting.epochs, 'look')} to choose the best weights by"
            )
    recipe = replace(plan.recipe, train=fitting)
    updates = fitting.epochs * steps // how.accumulate
    if updates < FEW_UPDATES:
        report.on_message(
            f"only {counted(updates, 'update')} fit, and a network needs hundreds to learn. Give "
            "it more minutes (`train.minutes`) or a smaller `size`, or train on a GPU."
        )
    return replace(plan, recipe=paced(recipe, steps, plan.chosen))


def fitted(how: Train, steps: int, seconds: float, pace: Pace) -> Train:
    """The table with as many epochs as fit into the seconds, its own at most, and no minutes.

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
    if whole >= min(_FEWEST, how.epochs):
        return replace(how, epochs=min(whole, how.epochs), minutes=0.0)
    affordable = max(1, math.floor(_LOOKING * seconds / epoch))
    epochs = min(_FEWEST, how.epochs, affordable)
    short = math.floor((seconds / epochs - epoch) / pace.step)
    return replace(how, epochs=epochs, epoch_steps=max(1, min(short, steps)), minutes=0.0)


def measured(plan: Plan) -> Pace:
    """Train and look for a moment, and throw away what was learned."""
    recipe, sources = plan.recipe, plan.sources
    keras.utils.set_random_seed(recipe.train.seed)
    begun = time.monotonic()
    learner = Learner(recipe)
    with tempfile.TemporaryDirectory() as place:
        checkpoint = Path(place) / "checkpoint"
        learner.restore(checkpoint, Progress())
        ends = []  # a step begins where the one before ends: to wait for its batch is a part of it
        batches = batches_of(recipe, sources.train, learner.devices.part)
        learner.devices.check_batch(batches.size)
        for batch in first_batches(batches, _COMPILING + _TIMED):
            learner.step(batch, recipe.train.learning_rate * 1e-3)
            learner.recent()  # waits until the step is done
            ends.append(time.monotonic())
        start = time.monotonic()
        learner.update_measured()
        learner.save(checkpoint, Progress())
        save = time.monotonic() - start
    images = len(batches) * recipe.train.batch
    looks = Looks(
        learner.measured, recipe, sources.train, sources.validate, images, learner.devices.local
    )
    few = Subset(sources.validate, range(min(_LOOKED, len(sources.validate))))
    seconds = 0.0
    for _ in range(2):  # the first compiles
        start = time.monotonic()
        looks.measure(few)
        seconds = time.monotonic() - start
    look = seconds / len(few) * looks.images
    step = statistics.median(b - a for a, b in pairwise(ends[_COMPILING - 1 :]))
    return Pace(ends[_COMPILING - 1] - begun, step, look, save)
