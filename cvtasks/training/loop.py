"""Training: one loop for every task. Names no task."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from cvtasks.data import Source
from cvtasks.data.loading.augment import Augment
from cvtasks.data.loading.batches import Batches
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.errors import ModelError, NotFinite
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.networks.backbones import freeze
from cvtasks.networks.build import backbone_of, build_network, copy_weights, set_weights
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.training.average import MovingAverage
from cvtasks.training.checkpoint import load_checkpoint, read_progress, restored, save_checkpoint
from cvtasks.training.memory import memory_named
from cvtasks.training.optimizer import compile_network, frozen_stride, learning_rate
from cvtasks.training.step_checks import answers_named, check_finite
from cvtasks.training.stopping import Stopped, stop_asked
from cvtasks.weights.transfer import save_weights, transfer

CHECKPOINT, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Epoch:
    """One row of the history. Scores are those of the averaged weights where the recipe asks for an
    average.
    """

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class Progress:
    """Where a run stands. `epoch` and `step` are the next ones to do; `seconds` were spent before
    on the epoch.

    After the last step of an epoch what is left to do of it is the look at the validation split.
    `best` is the best score so far, -inf before there was one; `best_epoch` the epoch, counted from
    0, whose weights are kept.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best: float = -math.inf
    best_epoch: int = 0
    looks_since_best: int = 0
    setbacks: int = 0
    history: list[Epoch] = field(default_factory=list)

    def after(self, row: Epoch, judged: bool) -> tuple["Progress", bool]:
        """Where the run stands after an epoch, and whether that one's weights are to be kept.

        Where nothing judges the epochs, none is known to be better than another: the one that has
        learned longest is kept.

        Args:
            judged: whether the validation split can tell a good epoch from a bad one.
        """
        headline = next(iter(row.scores.values()), math.nan) if judged else math.nan
        best = max(self.best, -math.inf if math.isnan(headline) else headline)
        kept = bool(row.scores) and (best > self.best or best == -math.inf)
        return Progress(
            epoch=self.epoch + 1,
            best=best,
            best_epoch=self.epoch if kept else self.best_epoch,
            looks_since_best=0 if kept else self.looks_since_best + bool(row.scores),
            setbacks=self.setbacks,
            history=[*self.history, row],
        ), kept


@dataclass(frozen=True)
class Report:
    """What the loop tells whoever watches it; every method may be left as it is."""

    on_message: Callable[[str], None] = lambda text: None
    on_step: Callable[[int, int, int, float, int], None] = lambda epoch, step, steps, loss, images: (
        None
    )
    on_epoch: Callable[[Epoch, bool], None] = lambda row, best: None


def train(
    recipe: Recipe,
    train_source: Source,
    validation: Source,
    folder: Path,
    report: Report | None = None,
) -> Progress:
    """Train until the last epoch, from the folder's checkpoint if it has one.

    Writes `last.safetensors` (to resume from) and `best.safetensors` (weights, averaged where
    asked, with the best first number of the task's metric on `validation`; those of the last epoch
    where no image there shows a class) into `folder`. The same recipe, data and machine give the
    same bits, also over any number of stops and resumes.

    Raises:
        Stopped: on SIGINT or SIGTERM, after the step or the image under way; the checkpoint is
            written.
        NotFinite: the loss, a weight or an answer is no finite number, more often than
            `train.setbacks`; names step and images, saves nothing.
    """
    report = report or Report()
    how = recipe.train
    keras.utils.set_random_seed(how.seed)
    sides = recipe.data.sides or (recipe.data.crop or recipe.size,)
    side = sides[0] if len(sides) == 1 else None
    network = build_network(recipe, (side, side), how.precision)
    averaged = build_network(recipe, recipe.canvas, how.precision)
    checkpoint = folder / CHECKPOINT
    if not checkpoint.exists():
        for line in _start_weights(network, recipe):
            report.on_message(line)
    progress = _progress(checkpoint)
    augment = Augment(recipe.data, recipe.size, how.seed, how.epochs)

    def prepare(
        source: Source, epoch: int, step: int, index: int
    ) -> tuple[np.ndarray, np.ndarray, str]:
        side = sides[int(np.random.default_rng([how.seed, epoch, step]).integers(len(sides)))]
        sample = augment(source, epoch, index, side)
        size = sample.image.shape[:2]
        return sample.image, recipe.task.encode(sample.truth, Letterbox(size, size)), sample.name

    batches = Batches(
        train_source, prepare, batch=how.batch, seed=how.seed, workers=recipe.data.workers
    )
    judged = not all(validation.truth(index).empty for index in range(len(validation)))
    engine = KerasEngine(averaged, recipe.task, how.precision, batch=min(8, len(validation)))
    with stop_asked() as stop:
        stage, average = _restore(checkpoint, network, averaged, recipe, progress)
        if how.setbacks and not checkpoint.exists():
            _save(checkpoint, network, progress)
        while progress.epoch < how.epochs and not _is_hopeless(how, progress):
            if stage != (stage := frozen_stride(how, progress.epoch)):
                average = _enter(stage, network, averaged, recipe, average)
            try:
                rate = _epoch(network, recipe, batches, progress, report, stop, checkpoint)
                if average:
                    set_weights(averaged, average.values())
                else:
                    copy_weights(network, averaged)
                with answers_named(progress.epoch, how.learning_rate):
                    scores = _scores(recipe, engine, validation, progress.epoch, stop)
            except _StoppedLooking as error:
                _save(checkpoint, network, progress)
                raise Stopped(
                    f"stopped while epoch {progress.epoch + 1} was looked at; saved. "
                    f"{_way_on(checkpoint)}"
                ) from error
            except NotFinite as error:
                if progress.setbacks >= how.setbacks:
                    raise
                progress = replace(_progress(checkpoint), setbacks=progress.setbacks + 1)
                stage, average = _restore(checkpoint, network, averaged, recipe, progress)
                report.on_message(
                    f"{error} Gone back to epoch {progress.epoch + 1}, step {progress.step + 1}, "
                    "at half the rate; "
                    f"{progress.setbacks} of {how.setbacks} such setbacks."
                )
                continue
            row = Epoch(
                progress.epoch, progress.loss_sum / len(batches), rate, progress.seconds, scores
            )
            progress, kept = progress.after(row, judged)
            if kept:
                save_weights(averaged, folder / BEST)
            _save(checkpoint, network, progress)
            report.on_epoch(row, kept and judged)
            if _is_hopeless(how, progress):
                report.on_message(
                    f"stopped early: {how.patience} looks at the validation split without a better "
                    "score"
                )
    return progress


def _is_hopeless(how: Train, progress: Progress) -> bool:
    return 0 < how.patience <= progress.looks_since_best


def _scores(
    recipe: Recipe, engine: KerasEngine, validation: Source, epoch: int, stop: threading.Event
) -> dict[str, float]:
    """Look at the validation split if it is time to; raises _StoppedLooking."""
    how = recipe.train
    if epoch + 1 < how.epochs and (epoch + 1) % how.validate_every:
        return {}
    return evaluate(engine, recipe.task, recipe.canvas, validation, partial(_go_on, stop)).result()


class _StoppedLooking(Exception):
    """It was asked to stop in the midst of a look at the validation split."""


def _go_on(stop: threading.Event, *_: object) -> None:
    """Raise _StoppedLooking if it was asked for; called after each image of the
    validation split.
    """
    if stop.is_set():
        raise _StoppedLooking


def _way_on(checkpoint: Path) -> str:
    return f"Go on with: cvtasks train --resume {checkpoint.parent.parent}"


def _restore(
    checkpoint: Path, network: Network, averaged: Network, recipe: Recipe, progress: Progress
) -> tuple[int, MovingAverage | None]:
    """Set network, optimizer and average as the checkpoint has them, if there is one; returns the
    stage they are in, and the average.
    """
    stage = frozen_stride(recipe.train, progress.epoch if progress.step else progress.epoch - 1)
    average = _enter(stage, network, averaged, recipe)
    if checkpoint.exists():
        load_checkpoint(checkpoint, network, network.optimizer)
    return stage, average


def _epoch(
    network: Network,
    recipe: Recipe,
    batches: Batches,
    progress: Progress,
    report: Report,
    stop: threading.Event,
    checkpoint: Path,
) -> float:
    """Do what is left of the epoch; returns its last learning rate. Keeps `progress` up to date."""
    how, steps = recipe.train, len(batches)
    rate = _rate(how, progress, steps)
    before, start = progress.seconds, time.monotonic()
    for batch in batches.epoch(progress.epoch, progress.step):
        rate = _rate(how, progress, steps)
        network.optimizer.learning_rate = rate
        network.reset_metrics()
        with memory_named(recipe):
            loss = float(network.train_on_batch(batch.images, batch.targets))
        check_finite(network, loss, progress.epoch, progress.step, batch.names, how.learning_rate)
        progress.step += 1
        progress.loss_sum += loss
        progress.seconds = before + time.monotonic() - start
        report.on_step(progress.epoch, progress.step, steps, loss, len(batch.names))
        if stop.is_set() and progress.step < steps:
            _save(checkpoint, network, progress)
            raise Stopped(
                f"stopped after epoch {progress.epoch + 1}, step {progress.step} of {steps}; "
                f"saved. {_way_on(checkpoint)}"
            )
    return rate


def _rate(how: Train, progress: Progress, steps: int) -> float:
    """The learning rate of the next step: that of its middle, as the ends of a schedule may be
    zero.
    """
    return (
        learning_rate(how, progress.epoch + min(progress.step + 0.5, steps - 0.5) / steps)
        * 0.5**progress.setbacks
    )


def _save(checkpoint: Path, network: Network, progress: Progress) -> None:
    save_checkpoint(checkpoint, network, network.optimizer, asdict(progress))


def _enter(
    stage: int,
    network: Network,
    averaged: Network,
    recipe: Recipe,
    before: MovingAverage | None = None,
) -> MovingAverage | None:
    """Freeze the backbone up to the stride `stage`, and begin with a fresh optimizer for what is
    left to learn.

    The average goes on from the one `before`; returns it, or None where the recipe asks for none.
    """
    for model in (network, averaged):
        freeze(backbone_of(model), recipe.backbone, stage)
    return compile_network(network, recipe, before)


def _start_weights(network: Network, recipe: Recipe) -> Iterator[str]:
    """Give the backbone the weights that the recipe asks for; say what was done."""
    weights, backbone = recipe.train.weights, backbone_of(network)
    if weights == "imagenet":
        from cvtasks.weights.imagenet import load_imagenet

        yield f"backbone: {load_imagenet(backbone, recipe.backbone)}"
    elif weights:
        yield f"backbone: {transfer(backbone, weights)}"
    else:
        yield "backbone: random weights"


def _progress(checkpoint: Path) -> Progress:
    if not checkpoint.exists():
        return Progress()
    saved = read_progress(checkpoint)
    rows = saved.get("history")
    history = [restored(Epoch, row, checkpoint) for row in rows] if isinstance(rows, list) else rows
    progress = restored(Progress, {**saved, "history": history}, checkpoint)
    if [row.epoch for row in progress.history] != list(range(progress.epoch)):
        raise ModelError(
            f"the history in {str(checkpoint)!r} must have a row for each of {progress.epoch} "
            "epochs; it has others. "
            "Start the run again."
        )
    return progress
