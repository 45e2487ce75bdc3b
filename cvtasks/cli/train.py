"""`cvtasks train`."""

import math
import os
import shlex
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtasks.cli.output import Ticker, duration, say, start_keras, tell
from cvtasks.cli.pace import Pace
from cvtasks.errors import DataError, UsageError
from cvtasks.files.writing import cannot_write, check_folder, check_new_folder, name_held, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cvtasks.answers import Answer
    from cvtasks.data import Source
    from cvtasks.recipe.recipe import Override, Recipe
    from cvtasks.training.progress import Epoch, Report

_SCORES = 3  # that an epoch's line shows; the history has all


def train(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="TASK|RECIPE",
            help="A task (classify, localize, segment, detect) or a recipe file (recipe.toml).",
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
    backbone: Annotated[
        str, typer.Option(help="Name of the backbone, such as mobilenet, resnet50, vgg16.")
    ] = "",
    size: Annotated[int, typer.Option(help="Side of the network's square canvas in pixels.")] = 0,
    classes: Annotated[
        str, typer.Option(help="Comma-separated classes to learn; default: all of the data set.")
    ] = "",
    weights: Annotated[
        str,
        typer.Option(
            help=(
                'Start of the backbone: "imagenet" or a file of weights (.safetensors, .npz, .h5, '
                ".keras, .pt)."
            )
        ),
    ] = "",
    batch: Annotated[
        str, typer.Option(metavar="N|auto", help="Images a step; auto: as many as fit, 64 at most.")
    ] = "",
    device: Annotated[
        Literal["auto", "cpu", "gpu"],
        typer.Option(help="Where to train; auto: on the GPU if there is one."),
    ] = "auto",
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder to make.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check recipe, data and one step; write nothing.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in this folder.")
    ] = None,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Also log for TensorBoard (the extra of that name)."),
    ] = False,
) -> None:
    """Train a model and write it into a folder: recipe, weights, graph, metrics, history, card.

    \b
    cvtasks train segment --data VOCdevkit/VOC2012 --backbone resnet50 --weights imagenet --set
    train.epochs=40 cvtasks train detect --data my-data/data.yaml --backbone mobilenet --weights
    imagenet cvtasks train models/segment-mobilenet-voc/recipe.toml --data VOCdevkit/VOC2012 -o
    runs/mine cvtasks train --resume runs/mine

    Data without a split to validate on (val, valid or validation) have a fifth of the images to
    train on set aside for it.
    """
    given = [
        name
        for name, value in (
            ("TASK|RECIPE", what),
            ("--output", output),
            ("--set", set_),
            ("--batch", batch),
        )
        if value
    ]
    if resume and given:
        raise UsageError(
            f"--resume goes on with the recipe in its folder and takes no {given[0]}. Leave it out."
        )
    if not resume and not what:
        raise UsageError(
            "train needs a task, a recipe file or --resume DIR. Example: cvtasks train segment "
            "--data DATA"
        )
    if output and not dry_run:
        check_new_folder(output)
    from cvtasks.data import split_of
    from cvtasks.engines.devices import check_device, choose_device
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.training.memory import fitting_batch
    from cvtasks.zoo import RECIPE

    path, split = split_of(data)
    overrides: list[
        Override
    ] = [  # values, never text that would have to be read: a path may hold any sign
        *([("data.path", path)] if data else []),
        *([("data.train", split)] if split else []),
        *([("backbone", backbone)] if backbone else []),
        *([("size", size)] if size else []),
        *([("train.weights", weights)] if weights else []),
        *([f"train.batch={batch}"] if batch and batch != "auto" else []),
        *([("classes", [name.strip() for name in classes.split(",")])] if classes else []),
        *(set_ or []),
    ]
    if resume:
        recipe, folder = moved(read_recipe(resume / RECIPE), path, split), resume
    else:
        recipe = (
            file_recipe(what, overrides) if what.endswith(".toml") else new_recipe(what, overrides)
        )
        folder = output or unused_folder(recipe, None if dry_run else context)
    choose_device(device)
    if batch == "auto":
        recipe = replace(recipe, train=replace(recipe.train, batch=fitting_batch(recipe)))
        say(f"batch: {recipe.train.batch} images fit into memory")
    tell(*recipe.to_toml().rstrip("\n").split("\n"))

    start_keras()
    from cvtasks.evaluation.evaluate import score_text
    from cvtasks.training import run as running

    check_device(device)
    report = terminal_report(recipe, folder if tensorboard else None)
    if dry_run:
        running.rehearse(recipe, report)
        say("dry run: recipe, data and one training step are fine; nothing was written")
        return
    command = " ".join(["cvtasks", *map(shlex.quote, sys.argv[1:])])
    finished = running.run(recipe, folder, command, report, resume=resume is not None)
    for name, number in finished["metrics"].items():
        tell(f"{name}: {score_text(number)}")
    say(f"written to {folder}")


def moved(recipe: "Recipe", path: str, split: str) -> "Recipe":
    """The recipe of a run with its data at another path, if one is given."""
    if split:
        raise UsageError(
            "--resume goes on with the splits of its recipe; --data says where the data are now. "
            f"Leave ':{split}' out."
        )
    return replace(recipe, data=replace(recipe.data, path=path)) if path else recipe


def file_recipe(path: str, overrides: "list[Override]") -> "Recipe":
    """The recipe of a file with the overrides, its splits called as the data call them."""
    from cvtasks.data.opening import settled
    from cvtasks.recipe.recipe import key_of, read_recipe

    recipe = read_recipe(path, overrides)
    if not recipe.data.path:
        raise DataError("training needs data. Give --data PATH, the folder of a data set.")
    return settled(recipe, say, set(map(key_of, overrides)))


def new_recipe(task: str, overrides: "list[Override]") -> "Recipe":
    """A recipe for a task: what is usual for it, the overrides and the classes of the data."""
    from cvtasks.data import open_source
    from cvtasks.data.opening import settled
    from cvtasks.recipe.recipe import key_of, parse_recipe
    from cvtasks.tasks import TASKS

    document: dict[str, Any] = {
        "task": task,
        "backbone": "mobilenet",
        "size": 320,
        "classes": ["background", "object"],
    }
    if task in TASKS:
        document["size"] = TASKS[task].task.start_size
        document |= {table: dict(values) for table, values in TASKS[task].task.start.items()}
    changed = set(map(key_of, overrides))
    if "train.weights" in changed:
        document.setdefault("train", {})["backbone_rate"] = (
            0.2  # what was learned before is not to be lost in the first steps
        )
    recipe = parse_recipe(document, overrides)
    if not recipe.data.path:
        raise DataError("training needs data. Give --data PATH, the folder of a data set.")
    data = settled(recipe, say, changed).data
    source = open_source(
        data.path, data.train, recipe.task.answer, lambda error: None
    )  # faults are told when all is checked
    classes = recipe.classes if "classes" in changed else source.classes
    suited = recipe.task.suited(readable_truths(source, classes))
    splits = [(f"data.{name}", getattr(data, name)) for name in ("train", "validate", "held_out")]
    return parse_recipe({**document, "classes": list(classes), task: suited}, [*overrides, *splits])


def readable_truths(source: "Source", classes: tuple[str, ...]) -> "Iterator[Answer]":
    """The truths of a source that can be read, with these classes."""
    from cvtasks.errors import CVTasksError

    for index in range(len(source)):
        with suppress(CVTasksError):
            yield source.truth(index).with_classes(classes)


def unused_folder(recipe: "Recipe", context: typer.Context | None = None) -> Path:
    """`runs/TASK-BACKBONE`, with a number where that exists; held as long as the context, if one is
    given, lasts.
    """
    base = Path("runs") / f"{recipe.task.name}-{recipe.backbone}"
    check_folder(base.parent)
    for name in numbered(base.name):
        folder = base.with_name(name)
        if not os.path.lexists(folder):
            try:
                if context:
                    context.with_resource(name_held(folder.parent, name))
            except FileExistsError:  # another run that begins just now
                continue
            except OSError as error:
                raise cannot_write(folder, error) from error
            break
    return folder


def terminal_report(recipe: "Recipe", tensorboard: Path | None) -> "Report":
    """What the terminal shows of a run."""
    from cvtasks.evaluation.evaluate import score_text
    from cvtasks.training.progress import Report

    ticker, epochs = Ticker(), recipe.train.epochs
    pace = Pace(epochs)
    board = board_in(tensorboard) if tensorboard else None

    def on_step(epoch: int, step: int, steps: int, loss: float, images: int) -> None:
        pace.step()
        speed, left = pace.speed, pace.left(epoch, step, steps)
        foretold = (
            ""
            if speed is None or left is None
            else f"  {images * speed:.1f} images/s  {duration(left)} left"
        )
        ticker.show(f"epoch {epoch + 1}/{epochs}  step {step}/{steps}  loss {loss:.4f}{foretold}")

    def on_epoch(row: "Epoch", best: bool) -> None:
        pace.epoch()
        ticker.clear()
        shown = "".join(
            f"  {name} {score_text(score)}" for name, score in list(row.scores.items())[:_SCORES]
        )
        say(
            f"epoch {row.epoch + 1}/{epochs}  loss {row.loss:.4f}{shown}{'  best' if best else ''} "
            f" {duration(row.seconds)}"
        )
        if board:
            board(row)

    return Report(on_message=say, on_step=on_step, on_epoch=on_epoch)


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
                **row.scores,
            }.items():
                if not math.isnan(number):
                    writer.add_scalar(name, number, row.epoch + 1)

    return write
