"""`cvtasks train`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import ClassesFromOption
from cvtasks.cli.hosts import check_alone, devices_of_all, together, unheard
from cvtasks.cli.options import (
    BackboneOption,
    CoordinatorOption,
    DevicesOption,
    FormatOption,
    HostOption,
    HostsOption,
    LearnedOption,
    RecipeSetOption,
    SizeOption,
    TrainDeviceOption,
    into,
    learned_classes,
)
from cvtasks.cli.output import command_typed, say, start_keras, tell
from cvtasks.cli.plan import foretell, plan_lines
from cvtasks.cli.train_report import terminal_report
from cvtasks.errors import UsageError
from cvtasks.files.writing import check_new_folder
from cvtasks.tasks import TASKS
from cvtasks.text import counted
from cvtasks.training.layout import CHECKPOINT, CHECKPOINTS, FOLDS
from cvtasks.training.meeting import place_of

if TYPE_CHECKING:
    from cvtasks.recipe.overrides import Override
    from cvtasks.recipe.recipe import Recipe
    from cvtasks.training.hosts import Hosts
    from cvtasks.training.plan import Plan
    from cvtasks.training.progress import Report


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
    size: SizeOption = None,
    classes: LearnedOption = "",
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
        float | None,
        typer.Option(
            metavar="M",
            min=0,
            help="How long it may take: as many epochs as fit. 0: as long as they take.",
            show_default="the recipe's; of a new one 30, or 0 with --epochs",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            min=2,
            max=100,
            help="Cross-validation: K runs, each on all but a Kth.",
            show_default="one run",
        ),
    ] = None,
    device: TrainDeviceOption = "auto",
    devices: DevicesOption = "",
    hosts: HostsOption = "",
    host: HostOption = None,
    coordinator: CoordinatorOption = "",
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
    finish: Annotated[
        bool,
        typer.Option(
            "--finish", help="With --resume: make a model of what the run has learned so far."
        ),
    ] = False,
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
    cvtasks train --resume runs/mine --finish
    cvtasks train classify --data my-data --folds 5

    Every key of a recipe is an option too: --lr 0.001, --patience 5; `cvtasks recipe TASK` lists
    and explains them. Data without a split to validate on (val, valid, validation or dev) have a
    fifth of the images to train on set aside for it.
    """
    options: dict[str, Any] = {
        "backbone": backbone,
        "size": size,
        "classes": learned_classes(classes),
        "train.weights": weights,
        "train.epochs": epochs,
        "data.format": format_,
        "train.minutes": minutes,
        "data.classes_from": classes_from,
    }
    others: dict[str, object] = {"--output": output, "--set": set_, "--batch": batch}
    others |= {
        f"--{key.rpartition('.')[2].replace('_', '-')}": value for key, value in options.items()
    }
    _check_resume(resume, what, {**others, "--folds": folds})
    _check_finish(finish, resume, {"--profile": profile, "--hosts": hosts, "--dry-run": dry_run})
    _check_profile(profile, {"--folds": folds, "--dry-run": dry_run})
    place = place_of(hosts, host, coordinator)
    check_alone(place, {"--folds": folds, "--dry-run": dry_run, "--batch auto": batch == "auto"})
    if output and not dry_run:
        check_new_folder(output, run=True)
    from cvtasks.engines.devices import choose_device
    from cvtasks.training.folds import folds_of, share_of, steps_of_folds
    from cvtasks.training.memory import fitting_batch
    from cvtasks.training.plan import planned, resumed

    choose_device(device)
    path, split = _place(data, bool(resume))
    if resume and (resume / FOLDS).is_file():
        _check_profile(profile, {"--resume of a cross-validation": True})
        _check_folds(
            resume, {"--devices": devices, "--dry-run": dry_run, "--show-recipe": show_recipe}
        )
        check_alone(place, {"--resume of a cross-validation": True})
        return train_folds(resume, path, tensorboard)
    with together(place) as group:
        hear = say if group.leads else unheard
        if resume:
            plan, folder = resumed(resume, path, hear, devices, ends=finish), resume
        else:
            options |= {"data.path": path, "data.train": split}
            options["data.held_out"] = share_of(folds) if folds else None
            fit = fitting_batch if batch == "auto" else None
            wishes = [*wishes_of(options, batch, devices), *(set_ or [])]
            plan = planned(what, wishes, hear, fit, bool(folds))
            folder = _folder(context, plan, output or (Path() if dry_run else None), group)
        with devices_of_all(group):
            from cvtasks.engines.keras_engine import check_device

            check_device(device)
            parts = folds_of(plan, folds) if folds else []
            steps = steps_of_folds(plan, parts)
            if group.leads:
                _tell_plan(plan, steps, show_recipe)
            if dry_run:
                return _rehearse(plan, folder, steps)
            if folds:
                return train_folds(folder, "", tensorboard, (plan, parts))
            _run(plan, folder, group, tensorboard, profile)
    return None


def _tell_plan(plan: "Plan", folds: Sequence[int], show_recipe: bool) -> None:
    """Print the plan, or every value of its recipe; `folds` as `plan_lines` has them."""
    tell(*(plan.recipe.to_toml().splitlines() if show_recipe else plan_lines(plan, folds)))


def _folder(context: typer.Context, plan: "Plan", output: Path | None, group: "Hosts") -> Path:
    """The folder of a new run, which the first host chooses where it is not given."""
    from cvtasks.training.new_folder import unused_folder

    if output is not None:
        return output
    return Path(group.shared(lambda: str(context.with_resource(unused_folder(plan.recipe)))))


def _rehearse(plan: "Plan", folder: Path, folds: Sequence[int]) -> None:
    """Do a dry run; the folder is that of a run which goes on, `folds` as `plan_lines` has them."""
    from cvtasks.training.checkpoint import progress_in
    from cvtasks.training.run import rehearse

    report = terminal_report(plan.recipe, Path())
    rehearse(plan, report)
    done = progress_in(folder / CHECKPOINTS / CHECKPOINT) if plan.resumes else None
    foretell(plan, report, folds, done)
    say(
        "dry run: recipe, data and one training step are fine; nothing was written. "
        "--show-recipe prints every value, `cvtasks recipe` what it means"
    )


def _run(plan: "Plan", folder: Path, group: "Hosts", tensorboard: bool, profile: bool) -> None:
    """Train; the first host tells of it."""
    from cvtasks.training.progress import Report
    from cvtasks.training.run import run

    report = terminal_report(plan.recipe, folder, tensorboard) if group.leads else Report()
    finished = run(plan, folder, command_typed(), report, profile, group)
    if group.leads:
        _tell_scores(finished)
        say(f"written to {folder}")


def train_folds(
    folder: Path,
    data: str,
    tensorboard: bool,
    new: "tuple[Plan, Sequence[Sequence[int]]] | None" = None,
) -> None:
    """Train a cross-validation, or go on with it, and print what the folds scored together.

    Args:
        new: its plan and its folds, where it is to begin.
    """
    start_keras()
    from cvtasks.training.folds import begin_folds, run_folds, spread_text
    from cvtasks.training.new_folder import kept_if_learned

    if new:
        plan, parts = new
        begin_folds(plan, len(parts), folder, command_typed(), parts)

    def report_of(recipe: "Recipe", place: Path) -> "Report":
        return terminal_report(recipe, place, tensorboard)

    with kept_if_learned(folder, new=bool(new)):
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
    given = [
        name for name, value in {"TASK|RECIPE|MODEL": what, **others}.items() if _is_given(value)
    ]
    if resume and given:
        raise UsageError(
            f"--resume goes on with the recipe in its folder and takes no {given[0]}. Leave it out."
        )
    if not resume and not what:
        raise UsageError(
            "train needs a task, a recipe file, a model or --resume DIR. Example: cvtasks train "
            "segment --data DATA"
        )


def _check_folds(resume: Path, others: dict[str, object]) -> None:
    """Raise UsageError where something is asked for that is of one run alone."""
    if given := [name for name, value in others.items() if value]:
        raise UsageError(
            f"--resume goes on with all that is left of the cross-validation in {str(resume)!r}, "
            f"and takes no {given[0]}. Leave it out, or name the folder of one fold."
        )


def _check_finish(finish: bool, resume: Path | None, others: dict[str, object]) -> None:
    """Raise UsageError where what is to be ended is no single run that was stopped."""
    if not finish:
        return
    if not resume:
        raise UsageError("--finish ends a run that was stopped; say which: --resume DIR --finish.")
    given = [name for name, value in others.items() if value]
    if (resume / FOLDS).is_file():
        given.append("cross-validation")
    if given:
        raise UsageError(f"--finish ends one run as it stands; got {given[0]} too. Leave it out.")


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
    wishes: list[Override] = [(key, value) for key, value in options.items() if _is_given(value)]
    if devices:
        wishes.append(f"train.devices={devices}")
    return [*wishes, *([f"train.batch={batch}"] if batch and batch != "auto" else [])]


def _is_given(value: object) -> bool:
    """Whether an option was given: a number of 0 was."""
    return value is not None and value not in ("", [])
