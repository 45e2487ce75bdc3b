"""Training: one loop for every task. Names no task."""

import threading
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import keras

from cvtasks.data import Source
from cvtasks.data.loading.batches import Batches
from cvtasks.data.loading.cache import Cached, cache_words
from cvtasks.data.loading.imbalance import repeat_factors
from cvtasks.data.loading.preparing import Preparing
from cvtasks.errors import NotFinite
from cvtasks.media.prefetch import shut
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.text import counted
from cvtasks.training.checkpoint import check_same, progress_in
from cvtasks.training.hosts import ALONE, Hosts, Wish
from cvtasks.training.layout import BEGINNING, BEST, CHECKPOINT
from cvtasks.training.learner import Learner
from cvtasks.training.looks import Look, Looks
from cvtasks.training.memory import check_cache
from cvtasks.training.optimizer import learning_rate
from cvtasks.training.profile import NO_PROFILE, Profile
from cvtasks.training.progress import Epoch, Progress, Report
from cvtasks.training.step_checks import Watch, answers_named
from cvtasks.training.stopping import Stopped, stop_asked
from cvtasks.training.timer import Timer
from cvtasks.weights.transfer import save_weights


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same from a run's beginning to its end.

    Attributes:
        looks: at the validation split and at a sample of the training images.
        judged: whether the validation split can tell a good epoch from a bad one.
        folder: of checkpoint and best weights.
        hosts: that learn as one, of which the first writes and tells.
        stop: set when the run is asked to stop.
    """

    recipe: Recipe
    learner: Learner
    batches: Batches
    looks: Looks
    judged: bool
    folder: Path
    report: Report
    profile: Profile
    hosts: Hosts
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def checkpoint(self) -> Path:
        """The file that the run goes on from."""
        return self.folder / CHECKPOINT

    def save(self, progress: Progress) -> None:
        """Have the first host write the checkpoint."""
        self.hosts.shared(lambda: self.save_alone(progress))

    def save_alone(self, progress: Progress) -> None:
        """Write the checkpoint, on the first host."""
        with self.profile.span("checkpoint"):
            self.learner.save(self.checkpoint, progress)

    def stopped(self, where: str) -> Stopped:
        """The error that ends a run which was asked to stop, and is saved."""
        return Stopped(
            f"stopped {where}; saved. The run in {str(self.folder.parent)!r} can be resumed.",
            ways={"resume": str(self.folder.parent)},
        )


def train(
    recipe: Recipe,
    train_source: Source,
    validation: Source,
    folder: Path,
    report: Report | None = None,
    profile: Profile = NO_PROFILE,
    hosts: Hosts = ALONE,
    learner: Learner | None = None,
) -> Progress:
    """Train until the last epoch, from the folder's checkpoint if it has one.

    Writes `last.safetensors` (to resume from) and `best.safetensors` (weights, averaged where
    asked, with the best first number of the task's metric on `validation`, of equal ones with the
    lowest loss there; those of the last epoch where no image there shows a class) into `folder`.
    The same recipe, data and machine give the same bits, also over any number of stops and resumes.

    Args:
        profile: hears where the time goes.
        hosts: that learn as one. All call it with the same recipe and data; the folder is one that
            all can read, and the first alone writes.
        learner: of the recipe and its seed, set back to its beginning; made by default, and where
            there is a profile to hear of its steps.

    Raises:
        Stopped: on SIGINT or SIGTERM to any host, after the step or the image under way; the
            checkpoint is written.
        NotFinite: the loss, a gradient, a weight or an answer is no finite number, more often than
            `train.max_rollbacks`; saves nothing.
    """
    told = report or Report()
    check_cache(recipe)
    if learner is None or profile is not NO_PROFILE:
        keras.utils.set_random_seed(recipe.train.seed)  # TensorFlow then compiles all anew
        learner = Learner(recipe, profile)
    prepared = _prepared(recipe, train_source, validation, folder, told, profile, hosts, learner)
    with closing(prepared.batches), stop_asked() as stop, hosts.hearing(stop):
        run = replace(prepared, stop=stop)
        progress = _begun(run)
        while progress.epoch < recipe.train.epochs and not _is_hopeless(recipe.train, progress):
            try:
                progress = _epoch(run, progress)
            except NotFinite as error:
                if progress.setbacks >= recipe.train.max_rollbacks:
                    raise
                progress = _gone_back(run, progress, error)
    return progress


def _prepared(
    recipe: Recipe,
    train_source: Source,
    validation: Source,
    folder: Path,
    report: Report,
    profile: Profile,
    hosts: Hosts,
    learner: Learner,
) -> _Run:
    """Give the networks the weights that a new run begins with, and make what feeds them."""
    how = recipe.train
    batches = batches_of(recipe, train_source, learner.devices.part)
    if recipe.data.cache:
        report.on_message(cache_words(train_source, recipe.data.cache_bytes))
    learner.devices.check_batch(batches.size)
    if told := learner.devices.told(how):
        report.on_message(told)
    if hosts.shared(lambda: not (folder / CHECKPOINT).exists()):
        report.on_message(learner.start())
        with closing(batches_of(recipe, train_source)) as whole:
            if told := learner.settle(whole):
                report.on_message(told)
    if hosts.leads:
        learner.keep_start(folder / BEGINNING)
    images = len(batches) * how.batch
    return _Run(
        recipe,
        learner,
        batches,
        Looks(learner.judge, recipe, train_source, validation, images, learner.devices.local),
        not all(validation.truth(index).empty for index in range(len(validation))),
        folder,
        report,
        profile,
        hosts,
    )


def batches_of(recipe: Recipe, source: Source, part: tuple[int, int] = (0, 1)) -> Batches:
    """What feeds a training of the recipe; `part` as `Batches` has it."""
    return Batches(
        Cached(source, recipe.data.cache_bytes) if recipe.data.cache else source,
        Preparing(recipe),
        batch=recipe.train.batch,
        seed=recipe.train.seed,
        workers=recipe.data.workers,
        processes=recipe.data.processes,
        most=recipe.train.epoch_steps,
        factors=repeat_factors(source, recipe.data.repeat),
        part=part,
        colour=recipe.data.colour_there,
    )


def _begun(run: _Run) -> Progress:
    """Where the run stands, with everything as its checkpoint has it."""
    progress = _standing(run)
    run.learner.restore(run.checkpoint, progress)
    if run.recipe.train.max_rollbacks and progress == Progress():
        run.save(progress)  # there must be something to go back to
    return progress


def _standing(run: _Run) -> Progress:
    """Where the run stands, by the checkpoint, which all hosts read."""
    said = run.hosts.shared(lambda: asdict(progress_in(run.checkpoint)))
    if not run.hosts.leads:
        check_same(run.checkpoint, said)
    return Progress.of(said)


def _gone_back(run: _Run, progress: Progress, error: NotFinite) -> Progress:
    """The last checkpoint once more, to go on from at half the rate."""
    back = replace(_standing(run), setbacks=progress.setbacks + 1)
    run.learner.restore(run.checkpoint, back)
    run.report.on_message(
        f"{error} Gone back to epoch {back.epoch + 1}, step {back.step + 1}, at half the rate; "
        f"{back.setbacks} of {run.recipe.train.max_rollbacks} such rollbacks."
    )
    return back


def _epoch(run: _Run, progress: Progress) -> Progress:
    """Do what is left of an epoch: learn, look at the validation split, keep and save."""
    run.learner.enter(progress.epoch)
    progress, rate = _learned(run, progress)
    return Progress.of(run.hosts.shared(lambda: asdict(_closed(run, progress, rate))))


def _closed(run: _Run, progress: Progress, rate: float) -> Progress:
    """Look, keep and save after the last step of an epoch: what the first host does for all."""
    run.learner.update_measured()
    with run.profile.span("validation"):
        look = _looked(run, progress)
    loss = progress.loss_sum / len(run.batches)
    seen = look.scores, look.losses, look.train_scores
    row = Epoch(progress.epoch, loss, rate, progress.seconds, *seen)
    progress, kept = progress.after(row, run.judged)
    if kept:
        save_weights(run.learner.measured, run.folder / BEST)
    run.save_alone(progress)
    run.report.on_epoch(row, kept and run.judged)
    if progress.epoch < run.recipe.train.epochs and _is_hopeless(run.recipe.train, progress):
        run.report.on_message(
            f"stopped early: {counted(run.recipe.train.patience, 'look')} at the validation split "
            "without a better score"
        )
    return progress


def _is_hopeless(how: Train, progress: Progress) -> bool:
    # a detector, or an average, may need a while before it scores at all
    return progress.best > 0 and 0 < how.patience <= progress.looks_since_best


def _learned(run: _Run, progress: Progress) -> tuple[Progress, float]:
    """Do the steps that are left of an epoch; returns where the run stands then, and the last
    learning rate.
    """
    how, steps = run.recipe.train, len(run.batches)
    rate = _rate(how, progress, steps)
    before, start = progress.seconds, time.monotonic()
    part = f" (the part of host {run.hosts.index})" if run.hosts.number > 1 else ""
    watch, asked = Watch(run.learner.recent, how.learning_rate, part), Wish()
    timer = Timer(how.checkpoint_minutes * 60)
    with shut(run.learner.ahead(run.batches.epoch(progress.epoch, progress.step))) as batches:
        for batch in run.profile.iterated(batches):
            rate = _rate(how, progress, steps)
            run.learner.step(batch, rate)
            watch.stepped(batch.names)
            progress = replace(progress, step=progress.step + 1)
            if watch.is_due or asked.look or progress.step == steps:
                progress = watch.look(progress)
            progress = replace(progress, seconds=before + time.monotonic() - start)
            run.report.on_step(progress.epoch, progress.step, steps, watch.loss, run.batches.size)
            run.profile.step()
            asked = run.hosts.after_step(Wish(watch.is_late, run.stop.is_set(), timer.rings()))
            if (asked.stop or asked.save) and progress.step < steps:
                progress = watch.look(progress)
                run.learner.check(progress)
                run.save(progress)
                if asked.stop:
                    where = f"after epoch {progress.epoch + 1}, step {progress.step} of {steps}"
                    run.hosts.shared(partial(_stop, run, where))
    run.learner.check(progress)
    return progress, rate


def _stop(run: _Run, where: str) -> None:
    raise run.stopped(where)


def _rate(how: Train, progress: Progress, steps: int) -> float:
    """The learning rate of the next step: that of its middle, as the ends of a schedule may be
    zero.
    """
    return (
        learning_rate(how, progress.epoch + min(progress.step + 0.5, steps - 0.5) / steps)
        * 0.5**progress.setbacks
    )


def _looked(run: _Run, progress: Progress) -> Look:
    """A look, if it is time for one; saves and raises Stopped where that is asked for
    meanwhile.
    """
    how, epoch = run.recipe.train, progress.epoch
    if epoch + 1 < how.epochs and (epoch + 1) % how.validate_every:
        return Look()
    try:
        with answers_named(epoch, how.learning_rate):
            return run.looks.look(partial(_go_on, run.stop))
    except _StoppedLooking as error:
        run.save_alone(progress)
        raise run.stopped(f"while epoch {epoch + 1} was looked at") from error


class _StoppedLooking(Exception):
    """It was asked to stop in the midst of a look."""


def _go_on(stop: threading.Event, *_: object) -> None:
    """Raise _StoppedLooking if it was asked for; called after each image of a look."""
    if stop.is_set():
        raise _StoppedLooking
