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

from cvtasks.checkpoint import load_checkpoint, read_progress, restored, save_checkpoint
from cvtasks.data import Source
from cvtasks.data.augment import Augment
from cvtasks.data.batches import Batches
from cvtasks.engines.with_keras import KerasEngine
from cvtasks.errors import ModelError
from cvtasks.evaluation import evaluate
from cvtasks.guards import NotFinite, check_finite, memory_named
from cvtasks.letterbox import Letterbox
from cvtasks.networks.backbones import freeze
from cvtasks.networks.build import backbone_of, build_network, copy_weights
from cvtasks.networks.weights import save_weights, transfer
from cvtasks.optimizer import make_optimizer
from cvtasks.recipe import Recipe, Train
from cvtasks.schedule import learning_rate
from cvtasks.stopping import Stopped, stop_asked

CHECKPOINT, BEST = "last.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Epoch:
    """One row of the history. Scores are those of the averaged weights where the recipe asks for an average."""

    epoch: int
    loss: float
    learning_rate: float
    seconds: float
    scores: dict[str, float] = field(default_factory=dict)


@dataclass
class Progress:
    """Where a run stands. `epoch` and `step` are the next ones to do; `seconds` were spent before on the epoch.

    After the last step of an epoch what is left to do of it is the look at the validation split.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    best: float = -math.inf
    looks_since_best: int = 0
    setbacks: int = 0
    history: list[Epoch] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What the loop tells whoever watches it; every method may be left as it is."""

    on_message: Callable[[str], None] = lambda text: None
    on_step: Callable[[int, int, int, float, float], None] = lambda epoch, step, steps, loss, images_a_second: None
    on_epoch: Callable[[Epoch, bool], None] = lambda row, best: None


def train(recipe: Recipe, train_source: Source, validation: Source, folder: Path, report: Report | None = None) -> Progress:
    """Train until the last epoch, from the folder's checkpoint if it has one.

    Writes `last.safetensors` (to resume from) and `best.safetensors` (weights, averaged where asked, with the best first
    number of the task's metric on `validation`) into `folder`. The same recipe, data and machine give the same bits,
    also over any number of stops and resumes.

    Raises:
        Stopped: on SIGINT or SIGTERM, after the step or the picture under way; the checkpoint is written.
        NotFinite: the loss or a weight is no finite number, more often than `train.setbacks`; names step and pictures, saves
            nothing.
    """
    report = report or Report()
    how = recipe.train
    keras.utils.set_random_seed(how.seed)
    sides = recipe.data.sides or (recipe.data.crop or recipe.size,)
    network = build_network(recipe, (sides[0] if len(sides) == 1 else None,) * 2, how.precision)
    averaged = build_network(recipe, recipe.canvas, how.precision)
    checkpoint = folder / CHECKPOINT
    if not checkpoint.exists():
        for line in _start_weights(network, recipe):
            report.on_message(line)
    progress = _progress(checkpoint)
    augment = Augment(recipe.data, recipe.size, how.seed, how.epochs)

    def prepare(source: Source, epoch: int, step: int, index: int) -> tuple[np.ndarray, np.ndarray, str]:
        side = sides[int(np.random.default_rng([how.seed, epoch, step]).integers(len(sides)))]
        sample = augment(source, epoch, index, side)
        size = sample.image.shape[:2]
        return sample.image, recipe.task.encode(sample.truth, Letterbox(size, size)), sample.name

    batches = Batches(train_source, prepare, batch=how.batch, seed=how.seed, workers=recipe.data.workers)
    engine = KerasEngine(averaged, recipe.task, how.precision, batch=min(8, len(validation)))
    with stop_asked() as stop:
        stage = _restore(checkpoint, network, averaged, recipe, progress)
        if how.setbacks and not checkpoint.exists():
            _save(checkpoint, network, progress)
        while progress.epoch < how.epochs:
            if stage != (stage := _stage(how, progress.epoch)):
                _enter(stage, network, averaged, recipe)
            try:
                rate = _epoch(network, recipe, batches, progress, report, stop, checkpoint)
            except NotFinite as error:
                if progress.setbacks >= how.setbacks:
                    raise
                progress = replace(_progress(checkpoint), setbacks=progress.setbacks + 1)
                stage = _restore(checkpoint, network, averaged, recipe, progress)
                report.on_message(
                    f"{error} Gone back to epoch {progress.epoch + 1}, step {progress.step + 1}, at half the rate; "
                    f"{progress.setbacks} of {how.setbacks} such setbacks."
                )
                continue
            copy_weights(network, averaged)
            if how.ema:
                network.optimizer.finalize_variable_values(averaged.trainable_variables)
                copy_weights(averaged, averaged)  # arrays of its own: JAX would share the optimizer's
            scores: dict[str, float] = {}
            last = progress.epoch + 1 == how.epochs
            if last or (progress.epoch + 1) % how.validate_every == 0:
                try:
                    scores = evaluate(engine, recipe.task, recipe.canvas, validation, partial(_go_on, stop)).result()
                except Stopped as error:
                    _save(checkpoint, network, progress)
                    raise Stopped(
                        f"stopped while epoch {progress.epoch + 1} was looked at; saved. {_way_on(checkpoint)}"
                    ) from error
            row = Epoch(progress.epoch, progress.loss_sum / len(batches), rate, progress.seconds, scores)
            headline = next(iter(scores.values()), math.nan)
            is_best = headline > progress.best or (bool(scores) and not (folder / BEST).exists())  # NaN: nothing to find
            if is_best:
                save_weights(averaged, folder / BEST)
            progress = Progress(
                epoch=progress.epoch + 1,
                best=headline if headline > progress.best else progress.best,
                looks_since_best=0 if is_best else progress.looks_since_best + bool(scores),
                setbacks=progress.setbacks,
                history=[*progress.history, row],
            )
            _save(checkpoint, network, progress)
            report.on_epoch(row, is_best)
            if how.patience and progress.looks_since_best >= how.patience:
                report.on_message(f"stopped early: {how.patience} looks at the validation split without a better score")
                break
    return progress


def _go_on(stop: threading.Event, *_: object) -> None:
    """Raise Stopped if it was asked for; called after each picture of the validation split."""
    if stop.is_set():
        raise Stopped("stopped while looking at the validation split.")


def _way_on(checkpoint: Path) -> str:
    return f"Go on with: cvtasks train --resume {checkpoint.parent.parent}"


def _restore(checkpoint: Path, network: keras.Model, averaged: keras.Model, recipe: Recipe, progress: Progress) -> int:
    """Set network and optimizer as the checkpoint has them, if there is one; returns the stage they are in."""
    stage = _stage(recipe.train, progress.epoch if progress.step else progress.epoch - 1)
    _enter(stage, network, averaged, recipe)
    if checkpoint.exists():
        load_checkpoint(checkpoint, network, network.optimizer)
    return stage


def _epoch(
    network: keras.Model,
    recipe: Recipe,
    batches: Batches,
    progress: Progress,
    report: Report,
    stop: threading.Event,
    checkpoint: Path,
) -> float:
    """Do what is left of the epoch; returns its last learning rate. Keeps `progress` up to date."""
    how, steps = recipe.train, len(batches)
    rate = _rate(how, progress, progress.step / steps)
    before, start = progress.seconds, time.monotonic()
    first = progress.step
    for batch in batches.epoch(progress.epoch, first):
        rate = _rate(how, progress, (progress.step + 1) / steps)
        network.optimizer.learning_rate = rate
        network.reset_metrics()
        with memory_named(recipe):
            loss = float(network.train_on_batch(batch.images, batch.targets))
        check_finite(network, loss, progress.epoch, progress.step, batch.names, how.learning_rate)
        progress.step += 1
        progress.loss_sum += loss
        spent = time.monotonic() - start
        progress.seconds = before + spent
        report.on_step(progress.epoch, progress.step, steps, loss, (progress.step - first) * len(batch.names) / spent)
        if stop.is_set() and progress.step < steps:
            _save(checkpoint, network, progress)
            raise Stopped(
                f"stopped after epoch {progress.epoch + 1}, step {progress.step} of {steps}; saved. {_way_on(checkpoint)}"
            )
    return rate


def _rate(how: Train, progress: Progress, done: float) -> float:
    """The learning rate where so much of the epoch is done."""
    return learning_rate(how, progress.epoch + done) * 0.5**progress.setbacks


def _save(checkpoint: Path, network: keras.Model, progress: Progress) -> None:
    save_checkpoint(checkpoint, network, network.optimizer, asdict(progress))


def _stage(how: Train, epoch: int) -> int:
    """Stride up to which the backbone is frozen in `epoch`."""
    return max(((start, stride) for start, stride in how.freeze if start <= max(epoch, 0)), default=(0, 0))[1]


def _enter(stage: int, network: keras.Model, averaged: keras.Model, recipe: Recipe) -> None:
    """Freeze the backbone up to the stride `stage`, and begin with a fresh optimizer for what is left to learn."""
    how = recipe.train
    for model in (network, averaged):
        freeze(backbone_of(model), recipe.backbone, stage)
    optimizer = make_optimizer(how, network, backbone_of(network))
    jit = {"auto": "auto", "on": True, "off": False}[how.jit]
    network.compile(optimizer, loss=recipe.task.loss, jit_compile=jit)


def _start_weights(network: keras.Model, recipe: Recipe) -> Iterator[str]:
    """Give the backbone the weights that the recipe asks for; say what was done."""
    weights, backbone = recipe.train.weights, backbone_of(network)
    if weights == "imagenet":
        from cvtasks.networks.imagenet import load_imagenet

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
            f"the history in {str(checkpoint)!r} must have a row for each of {progress.epoch} epochs; it has others. "
            "Start the run again."
        )
    return progress
