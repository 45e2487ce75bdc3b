"""A training run from the data to a finished model folder."""

import math
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cvtasks.data import Source
from cvtasks.data.checking.statistics import fingerprint, glance
from cvtasks.data.held_out import NAMES, write_names
from cvtasks.data.nothing_scored import nothing_scored
from cvtasks.data.opening import Sources
from cvtasks.data.run_facts import ASIDE
from cvtasks.data.tiled import whole
from cvtasks.data.views import Subset
from cvtasks.engines.base import Engine
from cvtasks.engines.export import export_graph
from cvtasks.engines.keras_engine import load_network
from cvtasks.engines.openvino_engine import GRAPH
from cvtasks.engines.predict import predict
from cvtasks.engines.table import ready_engine
from cvtasks.errors import CVTasksError, NotFinite, UsageError
from cvtasks.evaluation.evaluate import evaluate, score_text
from cvtasks.evaluation.evaluate import report as measured
from cvtasks.evaluation.report import PAGE, Subject, write_page
from cvtasks.files.writing import sha256, write_text
from cvtasks.media.images import write_image
from cvtasks.media.names import distinct_stems
from cvtasks.metrics.base import Metric
from cvtasks.model import load
from cvtasks.networks.build import build_network
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.text import dumps
from cvtasks.training.budget import budgeted
from cvtasks.training.card import write_card, write_curves
from cvtasks.training.checkpoint import progress_in
from cvtasks.training.devices import devices_of
from cvtasks.training.hosts import ALONE, Hosts
from cvtasks.training.layout import BEST, CHECKPOINT, CHECKPOINTS, LOG
from cvtasks.training.loop import train
from cvtasks.training.memory import check_memory
from cvtasks.training.new_folder import kept_if_learned, make_folder
from cvtasks.training.plan import Plan
from cvtasks.training.profile import NO_PROFILE, recorded
from cvtasks.training.progress import Epoch, Progress, Report
from cvtasks.training.run_folder import (
    Lock,
    Log,
    begun_by,
    check_data,
    machine,
    write_facts,
    write_history,
)
from cvtasks.training.stopping import Stopped
from cvtasks.training.verdict import verdict
from cvtasks.weights.transfer import load_weights, save_weights
from cvtasks.zoo import RECIPE, WEIGHTS

_IMAGES = 8
_BESIDE = 8_000_000  # bytes of samples, curves, report and log, about


def run(
    plan: Plan,
    folder: Path,
    command: str,
    report: Report,
    profile: bool = False,
    hosts: Hosts = ALONE,
) -> dict[str, Any]:
    """Train, keep the best weights, make the graph, measure it, write the card; returns what
    `metrics.json` holds.

    Args:
        folder: must not exist yet, unless the plan is to go on with the run in it.
        command: what the user typed, for the card.
        profile: whether to say where the time of the steps went, and to write it into the folder.
        hosts: that learn as one. The first one does all this; the others learn with it, write
            nothing, and return the same.

    Raises:
        UsageError: the folder exists, or another run works in it, or hosts would not train the
            same; or the disk has less room than the run is expected to take.
        ModelError: its devices are not there, or cannot divide a batch.
        CVTasksError: what else ends a run, as data that are gone or a disk that is full; once
            something is saved, it says up to where, and before that the folder of a new run goes.
    """
    recipe, sources = plan.recipe, plan.sources
    devices_of(recipe.train.devices).check_batch(min(recipe.train.batch, len(sources.train)))
    prints = {"train": fingerprint(sources.train), "validate": fingerprint(sources.validate)}
    hosts.check_alike(_decisive(recipe, prints))
    where = folder / CHECKPOINTS
    if not hosts.leads:
        hosts.shared(dict)  # once the folder is there
        recipe = budgeted(plan, Report(), hosts).recipe
        train(recipe, sources.train, sources.validate, where, hosts=hosts)
        return hosts.shared(dict)
    log = Log(folder / LOG, report)
    hosts.shared(lambda: _begin(plan, folder, command, prints, log))
    begun = time.time()
    with kept_if_learned(folder, Lock(folder), new=not plan.resumes):
        if recipe.train.minutes:  # also where the run was ended before it was turned into epochs
            plan = _budgeted(plan, folder, log.report(), hosts)
            recipe = plan.recipe
            recipe.save(folder / RECIPE)
        report.on_begin(recipe.train.epochs)
        told = log.report()
        profiled = recorded(folder, told.on_message) if profile else nullcontext(NO_PROFILE)
        with _saying_what_is_kept(folder, report):
            with profiled as heard:
                if plan.ends:
                    progress = progress_in(where / CHECKPOINT)
                else:
                    learned, judged = sources.train, sources.validate
                    progress = train(
                        recipe, learned, judged, where, told, heard, hosts, plan.learner
                    )

            def end() -> dict[str, Any]:
                made = _end(replace(plan, learner=None), folder, command, progress, log, report)
                log.note("finished", seconds=round(time.time() - begun), metrics=made["metrics"])
                return made

            return hosts.shared(end)


@contextmanager
def _saying_what_is_kept(folder: Path, report: Report) -> Iterator[None]:
    """Have an error that ends a run say up to where the run is kept, and that it can go on; nothing
    where nothing is. An error that is none of ours stays as it is, and `report` hears it.
    """
    try:
        yield
    except Stopped:
        raise
    except Exception as error:
        if reached := _reached(folder):
            on = (
                "Resumed as it is, it comes to the same numbers; it can be finished there instead."
                if isinstance(error, NotFinite)
                else "It can be resumed."
            )
            words = f"The run in {str(folder)!r} is kept as of {reached}. {on}"
            if isinstance(error, CVTasksError):
                error.args = (f"{error} {words}",)
                error.ways = {**error.ways, "resume": str(folder)}
            else:
                report.on_message(words)
        raise


def _reached(folder: Path) -> str:
    """What the checkpoint of a run has last; empty where it has nothing, or cannot be read."""
    with suppress(CVTasksError, OSError):
        done = progress_in(folder / CHECKPOINTS / CHECKPOINT)
        if done.step:
            return f"epoch {done.epoch + 1}, step {done.step}"
        return f"epoch {done.epoch}" if done.epoch else ""
    return ""


def _budgeted(plan: Plan, folder: Path, report: Report, hosts: Hosts) -> Plan:
    """The plan with as many epochs as fit into its minutes.

    Raises:
        Stopped: on Ctrl-C, as in the training itself.
    """
    try:
        return budgeted(plan, report, hosts)
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped before the first step. The run in {str(folder)!r} can be resumed.",
            ways={"resume": str(folder)},
        ) from None


def _decisive(recipe: Recipe, prints: Mapping[str, str]) -> dict[str, str]:
    """What hosts that learn as one must have in common: all of the recipe but where the data lie,
    and the data.
    """
    said = replace(recipe, data=replace(recipe.data, path="")).to_toml()
    told = {f"the split to {split}": value for split, value in prints.items()}
    for key, value in tomllib.loads(said).items():
        table = (
            {f"{key}.{name}": one for name, one in value.items()}
            if isinstance(value, dict)
            else {key: value}
        )
        told |= {f"`{name}`": repr(one) for name, one in table.items()}
    return told


def _begin(plan: Plan, folder: Path, command: str, prints: Mapping[str, str], log: Log) -> None:
    """Make the folder of a new run, or look whether an old one can go on."""
    recipe = plan.recipe
    if not plan.resumes:
        network = _fitting_network(recipe)
        make_folder(folder, CHECKPOINTS)
    with kept_if_learned(folder, new=not plan.resumes):
        if plan.resumes:
            check_data(folder, prints)
            if read_recipe(folder / RECIPE) != recipe:  # other devices, or the data lie elsewhere
                recipe.save(folder / RECIPE)
        else:
            _check_room(folder, network)
            recipe.save(folder / RECIPE)
            aside = whole(plan.sources.validate) if recipe.data.held_out else None
            noted = {ASIDE: glance(aside)} if aside else {}
            write_facts(folder, command, recipe.train.seed, {**prints, **noted}, plan.chosen)
            if aside:
                write_names(folder / NAMES, aside)
        log.note(
            "resumed" if plan.resumes else "begun",
            command=command,
            seed=recipe.train.seed,
            machine=machine(),
        )


def _end(
    plan: Plan, folder: Path, command: str, progress: Progress, log: Log, report: Report
) -> dict[str, Any]:
    """Make the model of what was learned, and all that is written about the run."""
    recipe, sources = plan.recipe, plan.sources
    finished, metric = finish(recipe, folder, sources.validate, report)
    if told := as_saved(finished, progress, recipe.train.precision):
        report.on_message(told)
    write_history(folder, progress)
    kept = progress.best_epoch if progress.best > -math.inf else None
    write_curves(folder / "curves.png", progress.history, kept)
    seconds = sum(row.seconds for row in progress.history)
    begun = begun_by(folder, command)
    write_card(
        folder,
        recipe,
        finished,
        command=begun,
        machine=machine(),
        training_seconds=seconds,
        epochs=progress.epoch,
        epoch=progress.best_epoch + 1,
        judged=progress.best > -math.inf,
        train_images=len(sources.train),
        resumed=command if plan.resumes else "",
        ended=plan.ends,
    )
    nothing = nothing_scored(sources.validate)
    remarks = (nothing,) if nothing else ()
    subject = Subject(read_recipe(folder / RECIPE), folder, begun, remarks)
    write_page(folder / PAGE, finished, metric, sources.validate, subject)
    report.on_message(f"report: {folder / PAGE}")
    found = verdict(progress.history, progress.best_epoch)
    if found and recipe.task.learned(metric):
        log.note("verdict", text=found.text)
        report.on_verdict(found)
    return finished


def as_saved(finished: Mapping[str, Any], progress: Progress, precision: str) -> str:
    """Why the score of what was saved is not the one that was seen while it learned; empty where
    it is, or nothing was seen.

    Args:
        precision: that the network learned in.
    """
    if progress.best == -math.inf:
        return ""
    name, saved = next(iter(finished["metrics"].items()))
    if saved is None or score_text(saved) == score_text(progress.best):
        return ""
    return (
        f"what was saved, by {finished['engine']} in {finished['precision']}, has {name} "
        f"{score_text(saved)}; the look at epoch {progress.best_epoch + 1}, whose weights these "
        f"are, had {score_text(progress.best)} by Keras in {precision}"
    )


def rehearse(plan: Plan, report: Report) -> None:
    """Train one step of a planned run in a folder that is thrown away.

    Raises:
        ModelError: a batch does not fit into memory. Stopped: SIGINT or SIGTERM came; there is
            nothing to go on with.
    """
    recipe, sources = plan.recipe, plan.sources
    _fitting_network(recipe)
    one = Sources(
        Subset(sources.train, range(min(recipe.train.batch, len(sources.train)))),
        Subset(sources.validate, [0]),
    )
    how = replace(
        recipe.train, epochs=1, batch=min(recipe.train.batch, len(one.train)), validate_every=1
    )
    with tempfile.TemporaryDirectory() as place:
        said = replace(report, on_epoch=_rehearsed(report))
        try:
            train(replace(recipe, train=how), one.train, one.validate, Path(place), said)
        except Stopped:  # its words are those of a run that goes on
            raise Stopped("stopped; this was a rehearsal, nothing was written.") from None


def _rehearsed(report: Report) -> Callable[[Epoch, bool], None]:
    """Tells of the one step without its scores, which are those of a few images."""
    return lambda row, best: report.on_epoch(replace(row, scores={}, train_scores={}), False)


def finish(
    recipe: Recipe, folder: Path, validation: Source, report: Report
) -> tuple[dict[str, Any], Metric]:
    """Turn the best weights into a model folder and measure it as its users will run it; returns
    what `metrics.json` holds, and the metric.
    """
    report.on_message("finishing: weights, graph, evaluation of what was saved")
    network = build_network(recipe, recipe.input_size)
    load_weights(network, folder / CHECKPOINTS / BEST)
    save_weights(
        network,
        folder / WEIGHTS,
        dtype={"f32": "float32", "f16": "float16"}[recipe.train.weights_precision],
    )
    network = load_network(
        folder / WEIGHTS, recipe
    )  # as stored: the graph must come from the same numbers
    files = [folder / WEIGHTS]
    if keras.config.backend() == "tensorflow":
        files += export_graph(network, recipe.head, folder / WEIGHTS, folder)
    else:
        report.on_message(
            f"no {GRAPH}: only Keras on TensorFlow exports it; it is made when the model is first "
            "used there"
        )
    recipe = replace(recipe, files={file.name: sha256(file) for file in files})
    recipe.save(folder / RECIPE)
    model = load(folder, engine=ready_engine(recipe.files), many=True)
    metric = evaluate(model.engine, recipe.head, recipe.letterbox, validation)
    if not recipe.task.learned(metric):
        report.on_message(recipe.task.little(metric))
    recipe = recipe.with_task(recipe.task.tuned(metric))
    recipe.save(folder / RECIPE)
    _show(recipe, model.engine, validation, folder / "samples")
    finished = measured(
        folder.name,
        recipe.data.path,
        recipe.data.validated_on,
        len(validation),
        model.engine,
        metric,
    )
    write_text(folder / "metrics.json", dumps(finished, indent=2) + "\n")
    return finished, metric


def _show(recipe: Recipe, engine: Engine, validation: Source, folder: Path) -> None:
    """Write a few images of the whole split, each beside its truth and its prediction."""
    count = min(_IMAGES, len(validation))
    samples = [validation[number * len(validation) // count] for number in range(count)]
    pairs = [(sample, sample.image) for sample in samples]
    task = recipe.task
    stems = iter(distinct_stems(sample.name for sample in samples))
    for sample, image, prediction in predict(
        engine, recipe.head, recipe.classes, recipe.letterbox, pairs, task.threshold
    ):
        sides = [task.draw(image, answer) for answer in (sample.truth, prediction)]
        shown = image.repeat(len(sides[0]) // len(image), axis=0).repeat(
            len(sides[0]) // len(image), axis=1
        )
        write_image(folder / f"{next(stems)}.jpg", np.concatenate([shown, *sides], axis=1))


def _fitting_network(recipe: Recipe) -> Network:
    """The recipe's network, where its batch fits into memory."""
    network = build_network(recipe, recipe.input_size, recipe.train.precision)
    check_memory(network, recipe)
    return network


def _check_room(folder: Path, network: Network) -> None:
    """Raise UsageError if the disk is too small for a run with this network."""
    # weights, best, optimizer (two or three times), graph, one aside
    needed = network.count_params() * 4 * 8 + _BESIDE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UsageError(
            f"the run needs about {needed / 1e6:.0f} MB; {str(folder)!r} has {free / 1e6:.0f} MB "
            "free. Choose another."
        )
