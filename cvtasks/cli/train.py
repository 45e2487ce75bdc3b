"""`cvtasks train`."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import ClassesFromOption
from cvtasks.cli.options import (
    BackboneOption,
    DevicesOption,
    FormatOption,
    RecipeSetOption,
    SizeOption,
    TrainDeviceOption,
    into,
)
from cvtasks.cli.output import Ticker, command_typed, duration, say, start_keras, tell
from cvtasks.cli.pace import Pace
from cvtasks.cli.plan import foretell, plan_lines
from cvtasks.errors import UsageError
from cvtasks.files.writing import check_new_folder
from cvtasks.tasks import TASKS
from cvtasks.text import counted
from cvtasks.training.layout import FOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cvtasks.recipe.overrides import Override
    from cvtasks.recipe.recipe import Recipe
    from cvtasks.training.plan import Plan
    from cvtasks.training.progress import Epoch, Report, Verdict

_SCORES = 2  # that an epoch's line shows; the history has all


def train(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="TASK|RECIPE|MODEL",
            autocompletion=completion.trained,
            help=(
                f"A task ({', '.join(TASKS)}), a recipe file (recipe.toml), or a finished model, "
                "which goes on with its own data and is fine-tuned on others."
            ),
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA",
            help=(
                "Folder of the data set; DATA:SPLIT names the training split. With --resume: where "
                "it is now."
            ),
        ),
    ] = "",
    format_: FormatOption = "",
    classes_from: ClassesFromOption = "",
    backbone: BackboneOption = "",
    size: SizeOption = 0,
    classes: Annotated[
        str,
        typer.Option(metavar="A,B", help="Classes to learn.", show_default="all of the data set"),
    ] = "",
    weights: Annotated[
        str,
        typer.Option(
            metavar="MODEL|FILE|imagenet|none",
            autocompletion=completion.starts,
            help=(
                "Start: a model of the zoo or a folder (backbone, neck, head and classes as far as "
                "they agree); of the backbone alone imagenet or a file of weights (.safetensors, "
                ".npz, .h5, .keras, .pt); none: random."
            ),
            show_default="of a new recipe: the best on this machine",
        ),
    ] = "",
    epochs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Passes over the data.")
    ] = None,
    batch: Annotated[
        str, typer.Option(metavar="N|auto", help="Images a step; auto: as many as fit, 64 at most.")
    ] = "",
    minutes: Annotated[
        float,
        typer.Option(
            metavar="M",
            min=0,
            help="How long it may take; as many epochs as fit.",
            show_default="as long as it takes",
        ),
    ] = 0.0,
    folds: Annotated[
        int,
        typer.Option(
            metavar="K",
            min=0,
            max=100,
            help="Cross-validation: K runs, each on all but a Kth.",
            show_default="one run",
        ),
    ] = 0,
    device: TrainDeviceOption = "auto",
    devices: DevicesOption = "",
    set_: RecipeSetOption = None,
    output: Annotated[Path | None, into("Folder to make.")] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the plan, check recipe, data and one step, foretell time and memory; write "
            "nothing.",
        ),
    ] = False,
    show_recipe: Annotated[
        bool,
        typer.Option("--show-recipe", help="Print every value of the recipe in place of the plan."),
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this folder.")
    ] = None,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Also log for TensorBoard (the extra of that name)."),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Say where the time of the steps goes; the trace is profile.json."
        ),
    ] = False,
) -> None:
    """Train a model and write it into a folder: recipe, weights, graph, metrics, history, card.

    \b
    cvtasks train segment --data VOCdevkit/VOC2012 --set train.epochs=40
    cvtasks train detect --data my-data/data.yaml --backbone mobilenet
    cvtasks train runs/mine/recipe.toml --data VOCdevkit/VOC2012
    cvtasks train detect-yolox-nano-voc --data my-data --epochs 20
    cvtasks train detect --data my-data --dry-run
    cvtasks train --resume runs/mine
    cvtasks train classify --data my-data --folds 5

    Every key of a recipe is an option too: --lr 0.001, --patience 5; `cvtasks recipe TASK` lists
    and explains them. Data without a split to validate on (val, valid or validation) have a fifth
    of the images to train on set aside for it.
    """
    options: dict[str, Any] = {
        "backbone": backbone,
        "size": size,
        "classes": [name.strip() for name in classes.split(",")] if classes else [],
        "train.weights": weights,
        "train.epochs": epochs,
        "data.format": format_,
        "train.minutes": minutes,
        "data.classes_from": classes_from,
    }
    others: dict[str, object] = {"--output": output, "--set": set_, "--batch": batch}
    others["--folds"] = folds
    others |= {
        f"--{key.rpartition('.')[2].replace('_', '-')}": value for key, value in options.items()
    }
    _check_resume(resume, what, others)
    _check_profile(profile, {"--folds": folds, "--dry-run": dry_run})
    if output and not dry_run:
        check_new_folder(output)
    from cvtasks.engines.devices import choose_device
    from cvtasks.training.folds import share_of
    from cvtasks.training.memory import fitting_batch
    from cvtasks.training.plan import planned, resumed, unused_folder

    choose_device(device)
    path, split = _place(data, bool(resume))
    if resume:
        if (resume / FOLDS).is_file():
            _check_profile(profile, {"--resume of a cross-validation": True})
            _check_resume(resume, "", {"--devices (of a cross-validation)": devices})
            return train_folds(resume, path, tensorboard)
        plan, folder = resumed(resume, path, say, devices), resume
    else:
        options |= {"data.path": path, "data.train": split}
        options["data.held_out"] = share_of(folds) if folds else 0
        fit = fitting_batch if batch == "auto" else None
        plan = planned(what, [*wishes_of(options, batch, devices), *(set_ or [])], say, fit)
        folder = output or (
            Path() if dry_run else context.with_resource(unused_folder(plan.recipe))
        )
    start_keras()
    from cvtasks.engines.keras_engine import check_device
    from cvtasks.training import run as running

    check_device(device)
    tell(*(plan.recipe.to_toml().splitlines() if show_recipe else plan_lines(plan)))
    report = terminal_report(plan.recipe, folder, tensorboard and not dry_run)
    if dry_run:
        running.rehearse(plan, report)
        foretell(plan, report)
        say(
            "dry run: recipe, data and one training step are fine; nothing was written. "
            "--show-recipe prints every value, `cvtasks recipe` what it means"
        )
        return None
    if folds:
        return train_folds(folder, "", tensorboard, (plan, folds))
    _tell_scores(running.run(plan, folder, command_typed(), report, profile))
    say(f"written to {folder}")
    return None


def train_folds(
    folder: Path, data: str, tensorboard: bool, new: "tuple[Plan, int] | None" = None
) -> None:
    """Train a cross-validation, or go on with it, and print what the folds scored together.

    Args:
        new: its plan and the number of folds, where it is to begin.
    """
    start_keras()
    from cvtasks.training.folds import begin_folds, run_folds, spread_text

    if new:
        begin_folds(*new, folder, command_typed())

    def report_of(recipe: "Recipe", place: Path) -> "Report":
        return terminal_report(recipe, place, tensorboard)

    result = run_folds(folder, report_of, data, say)
    for name, found in result["metrics"].items():
        tell(f"{name}: {spread_text(found)} over {counted(result['folds'], 'fold')}")
    say(f"written to {folder}")


def _place(data: str, resumes: bool) -> tuple[str, str]:
    """Where the data are, and the split that is named, which a run that goes on cannot have."""
    from cvtasks.data import split_of

    path, split = split_of(data)
    if resumes and split:
        raise UsageError(
            "--resume goes on with the splits of its recipe; --data says where the data are now. "
            f"Leave ':{split}' out."
        )
    return path, split


def _tell_scores(finished: dict[str, Any]) -> None:
    """Print what a finished run measured."""
    from cvtasks.evaluation.evaluate import with_interval

    spans = finished.get("intervals", {})
    for name, number in finished["metrics"].items():
        tell(f"{name}: {with_interval(number, spans.get(name))}")


def _check_resume(resume: Path | None, what: str, others: dict[str, object]) -> None:
    """Raise UsageError where something is asked for that a run which goes on cannot have, or
    nothing is to be trained.
    """
    given = [name for name, value in {"TASK|RECIPE|MODEL": what, **others}.items() if value]
    if resume and given:
        raise UsageError(
            f"--resume goes on with the recipe in its folder and takes no {given[0]}. Leave it out."
        )
    if not resume and not what:
        raise UsageError(
            "train needs a task, a recipe file, a model or --resume DIR. Example: cvtasks train "
            "segment --data DATA"
        )


def _check_profile(profile: bool, others: dict[str, object]) -> None:
    """Raise UsageError where a profile is asked for of what is no single, whole run."""
    given = [name for name, value in others.items() if value]
    if profile and given:
        raise UsageError(
            f"--profile looks at one run, and takes no {given[0]}. Leave one of them out."
        )


def wishes_of(options: "dict[str, Any]", batch: str, devices: str = "") -> "list[Override]":
    """What options that were given change in a recipe."""
    # values, never text that would have to be read: a path may hold any sign
    wishes: list[Override] = [(key, value) for key, value in options.items() if value]
    if devices:
        wishes.append(f"train.devices={devices}")
    return [*wishes, *([f"train.batch={batch}"] if batch and batch != "auto" else [])]


def terminal_report(recipe: "Recipe", folder: Path, tensorboard: bool = False) -> "Report":
    """What the terminal shows of a run in a folder."""
    from cvtasks.training.progress import Report

    ticker, epochs = Ticker(), recipe.train.epochs
    pace = Pace(epochs)
    board = board_in(folder) if tensorboard else None

    def on_begin(number: int) -> None:
        nonlocal epochs, pace
        epochs, pace = number, Pace(number)

    def on_step(epoch: int, step: int, steps: int, loss: float, images: int) -> None:
        pace.step()
        speed, left = pace.speed, pace.left(epoch, step, steps)
        foretold = (
            ""
            if speed is None or left is None
            else f"  {images * speed:.1f} images/s  {duration(left)} left"
        )
        said = "" if math.isnan(loss) else f"  loss {loss:.4f}"
        ticker.show(f"epoch {epoch + 1}/{epochs}  step {step}/{steps}{said}{foretold}")

    def on_epoch(row: "Epoch", best: bool) -> None:
        pace.epoch()
        ticker.clear()
        say(f"epoch {row.epoch + 1}/{epochs}  {epoch_words(row, best)}")
        if board:
            board(row)

    return Report(
        on_message=say,
        on_begin=on_begin,
        on_step=on_step,
        on_epoch=on_epoch,
        on_verdict=lambda told: say(told.text + way_on(folder, told)),
    )


def way_on(folder: Path, told: "Verdict") -> str:
    """The command that goes on with a finished run, where that may pay.

    >>> from cvtasks.training.progress import Verdict
    >>> way_on(Path("mine"), Verdict("it has not converged.", more=30))
    ' Go on with it: cvtasks train ./mine --epochs 30'
    """
    if not told.more:
        return ""
    where = str(folder) if len(folder.parts) > 1 else f"./{folder}"  # a bare name is the zoo's
    return f" Go on with it: cvtasks train {shlex.quote(where)} --epochs {told.more}"


def epoch_words(row: "Epoch", best: bool) -> str:
    """What an epoch's line says: the loss, that of validation, the headline with that of the
    training images beside it, or else the first scores, whether the weights are kept, and the time.

    >>> from cvtasks.training.progress import Epoch
    >>> scores = {"AP": 0.41, "AP50": 0.6}
    >>> epoch_words(Epoch(2, 0.81, 0.1, 12.0, scores, {"validation": 0.92}, {"AP": 0.55}), True)
    'loss 0.810 | val 0.920  AP 0.410 (train 0.550)  best  12 s'
    """
    from cvtasks.evaluation.evaluate import score_text

    words = f"loss {row.loss:.3f}"
    if "validation" in row.losses:
        words += f" | val {score_text(row.losses['validation'], 3)}"
    first = next(iter(row.train_scores), "")
    for name, score in list(row.scores.items())[: 1 if first else _SCORES]:
        beside = f" (train {score_text(row.train_scores[name], 3)})" if name == first else ""
        words += f"  {name} {score_text(score, 3)}{beside}"
    return f"{words}{'  best' if best else ''}  {duration(row.seconds)}"


def board_in(folder: Path) -> "Callable[[Epoch], None]":
    """What appends an epoch to TensorBoard's files in `folder`; an error now, not later, where the
    extra is missing.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UsageError(
            '--tensorboard needs an extra. Install it: pip install "cvtasks[tensorboard]"'
        ) from error

    def write(row: "Epoch") -> None:
        with SummaryWriter(
            str(folder / "tensorboard")
        ) as writer:  # a file an epoch: nothing is made before the run has begun
            for name, number in {
                "loss": row.loss,
                "learning rate": row.learning_rate,
                **row.columns(),
            }.items():
                if not math.isnan(number):
                    writer.add_scalar(name, number, row.epoch + 1)

    return write
