"""Training from Python, in one call: a model, or one for each fold."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from cvtasks.data import split_of
from cvtasks.files.writing import check_new_folder
from cvtasks.model import Model, load
from cvtasks.recipe.overrides import Override
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.folds import begin_folds, run_folds, share_of
from cvtasks.training.new_folder import kept_if_learned, unused_folder
from cvtasks.training.plan import Plan, planned
from cvtasks.training.progress import Report


def train(
    what: str | Path | Recipe,
    data: str | Path = "",
    folder: str | Path | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> Model:
    """Train a model and write it into a folder: recipe, weights, graph, metrics, history, card.

    Args:
        what: the name of a task, which begins with what is usual for it, and with the best weights
            that are on this machine; or a recipe, or the path of its file (`….toml`); or a finished
            model, by its name in the zoo or its folder, which goes on where it is trained with its
            own data, and is fine-tuned on others.
        data: the folder of a data set; DATA:SPLIT names the split to train on. What the recipe says
            by default.
        folder: where the model comes to lie; must not exist. `runs/TASK-BACKBONE`, with a number
            where that exists, by default.
        changes: key of the recipe → value: `{"backbone": "resnet50", "train.epochs": 40}`;
            `{"train.weights": "imagenet"}`, a model or a file names another start, "none" none.
        report: hears of messages, steps and epochs.

    Returns:
        the model, ready to `predict`; `metrics.json` in its `folder` has its scores.

    Raises:
        UsageError: the folder exists, or the disk has less room than a run is expected to take.
        OutputError: the disk is full before it ends all the same; what was saved stays.
        ModelError: no such task or recipe, or a value that none can have; a batch does not fit into
            memory.
        DataError: there are no such data, or they cannot be trained on.
        InputError: an image is gone, or can be read no longer.
        Stopped: SIGINT or SIGTERM came; what was learned is saved, and
            `cvtasks train --resume FOLDER` goes on.
        NotFinite: the loss, a weight or an answer became NaN or infinite.

        What ends a run after its first epoch says up to where the run is kept;
        `cvtasks train --resume FOLDER` goes on with it. What ends one before anything was learned
        takes its folder away.
    """
    report = report or Report()
    with _planned(what, data, folder, changes or {}, report) as (plan, place):
        from cvtasks.training.run import run

        run(plan, place, f"cvtasks.train({_said(what, data, folder, changes)})", report)
        return load(place)


def cross_validate(
    what: str | Path | Recipe,
    data: str | Path = "",
    folder: str | Path | None = None,
    *,
    folds: int = 5,
    changes: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> dict[str, Any]:
    """Train a model for each fold of the images to train on, and validate it on that fold: what the
    scores say together, and how far they lie apart.

    Args:
        what, data, changes, report: as `train` has them.
        folder: where the runs come to lie, in `fold0` …; as `train` has it.
        folds: 2 to 100.

    Returns:
        `metrics`: the standard's name → {"mean": its mean over the folds, "spread": its standard
        deviation}, None where there was nothing to measure; `runs`: of each fold `folder`, `images`
        and `metrics`; and `folder`, `folds`. All but the folder stand in `folds.json` too.

    Raises:
        UsageError: there are too few or too many folds, or the folder exists.
        Stopped: SIGINT or SIGTERM came; `cvtasks train --resume FOLDER` goes on.
        CVTasksError: as `train` raises it.
    """
    report = report or Report()
    wishes = {**(changes or {}), "data.held_out": share_of(folds)}
    with _planned(what, data, folder, wishes, report, folds=True) as (plan, place):
        said = f"{_said(what, data, folder, changes)}, folds={folds}"
        begin_folds(plan, folds, place, f"cvtasks.cross_validate({said})")
        with kept_if_learned(place):
            result = run_folds(place, lambda recipe, run: report, say=report.on_message)
        return {"folder": str(place), **result}


@contextmanager
def _planned(
    what: str | Path | Recipe,
    data: str | Path,
    folder: str | Path | None,
    changes: Mapping[str, Any],
    report: Report,
    folds: bool = False,
) -> Iterator[tuple[Plan, Path]]:
    """The plan, and the folder, which no other run takes as long as the context lasts."""
    path, split = split_of(str(data))
    wishes: list[Override] = [("data.path", path)] if path else []
    wishes += [("data.train", split)] if split else []
    wishes += changes.items()
    if folder:
        check_new_folder(Path(folder), run=True)
    plan = planned(what, wishes, report.on_message, folds=folds)
    with nullcontext(Path(folder)) if folder else unused_folder(plan.recipe) as place:
        yield plan, place


def _said(
    what: str | Path | Recipe,
    data: str | Path,
    folder: str | Path | None,
    changes: Mapping[str, Any] | None,
) -> str:
    """What the caller wrote between the brackets, for the card."""
    said = ["recipe" if isinstance(what, Recipe) else repr(str(what))]
    said += [repr(str(one)) for one in (data, folder) if one]
    return ", ".join([*said, *([f"changes={dict(changes)!r}"] if changes else [])])
