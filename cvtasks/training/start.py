"""Training from Python, in one call."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from cvtasks.data import split_of
from cvtasks.files.writing import check_new_folder
from cvtasks.model import Model, load
from cvtasks.recipe.overrides import Override
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.plan import planned, unused_folder
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
        UsageError: the folder exists, or the disk is too small.
        ModelError: no such task or recipe, or a value that none can have; a batch does not fit into
            memory.
        DataError: there are no such data, or they cannot be trained on.
        Stopped: SIGINT or SIGTERM came; what was learned is saved, and
            `cvtasks train --resume FOLDER` goes on.
        NotFinite: the loss, a weight or an answer became NaN or infinite.
    """
    report = report or Report()
    path, split = split_of(str(data))
    wishes: list[Override] = [("data.path", path)] if path else []
    wishes += [("data.train", split)] if split else []
    wishes += (changes or {}).items()
    if folder:
        check_new_folder(Path(folder))
    plan = planned(what, wishes, report.on_message)
    with nullcontext(Path(folder)) if folder else unused_folder(plan.recipe) as place:
        from cvtasks.training.run import run

        run(plan, place, f"cvtasks.train({_said(what, data, folder, changes)})", report)
        return load(place)


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
