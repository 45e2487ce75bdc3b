"""`cvtasks lr-find`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import ClassesFromOption
from cvtasks.cli.options import (
    BackboneOption,
    FormatOption,
    LearnedOption,
    RecipeSetOption,
    SizeOption,
    TrainDeviceOption,
    into,
    learned_classes,
)
from cvtasks.cli.output import Ticker, say, start_keras, tell
from cvtasks.cli.train import wishes_of
from cvtasks.tasks import TASKS

if TYPE_CHECKING:
    from cvtasks.training.lr_find import RateSearch


_OF_A_RUN = {
    "train.epochs",
    "train.minutes",
    "train.warmup",
    "train.validate_every",
    "train.patience",
    "data.close_mosaic",
}
"""Keys that a search does not heed, and need not tell of."""


def lr_find(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TASK|RECIPE|MODEL",
            autocompletion=completion.trained,
            help=f"What would be trained: a task ({', '.join(TASKS)}), a recipe file or a model.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA", help="Folder of the data set; DATA:SPLIT names the training split."
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
            help="Start; as train takes it.",
            autocompletion=completion.starts,
        ),
    ] = "",
    batch: Annotated[str, typer.Option(metavar="N", help="Images a step.")] = "",
    updates: Annotated[
        int, typer.Option(metavar="N", min=10, help="Updates at most, from the lowest rate up.")
    ] = 100,
    lowest: Annotated[float, typer.Option(metavar="RATE", help="Where to begin.")] = 1e-6,
    highest: Annotated[float, typer.Option(metavar="RATE", help="Where to end.")] = 1.0,
    device: TrainDeviceOption = "auto",
    set_: RecipeSetOption = None,
    output: Annotated[Path, into("Folder for the table and figure.")] = Path("outputs/lr-find"),
) -> None:
    """Search for a learning rate: a short training in which it rises until the loss diverges.

    \b
    cvtasks lr-find detect --data my-data
    cvtasks lr-find classify --data my-data --backbone resnet18 --updates 200

    It prints where the loss falls fastest, beside the rate of the recipe, and writes a table and a
    figure, never a model. It is a hint: the rate of a recipe is reached after its warm-up, and its
    backbone may learn at a share of it.
    """
    from cvtasks.data import split_of
    from cvtasks.engines.devices import choose_device
    from cvtasks.files.writing import check_folder
    from cvtasks.training.plan import planned

    check_folder(output)
    choose_device(device)
    path, split = split_of(data)
    options: dict[str, Any] = {
        "data.path": path,
        "data.train": split,
        "data.format": format_,
        "data.classes_from": classes_from,
        "backbone": backbone,
        "size": size,
        "classes": learned_classes(classes),
        "train.weights": weights,
    }
    plan = planned(what, [*wishes_of(options, batch), *(set_ or [])], _say_what_matters)
    start_keras()
    from cvtasks.engines.keras_engine import check_device
    from cvtasks.training.lr_find import find_rate, write_search

    check_device(device)
    ticker, own = Ticker(), plan.recipe.train.learning_rate

    def on_update(update: int, rate: float, loss: float) -> None:
        ticker.show(f"update {update}/{updates}  rate {rate:.2e}  loss {loss:.4f}")

    found = find_rate(plan, updates, lowest, highest, on_update)
    ticker.clear()
    write_search(output, found, own)
    tell(*told(found, own))
    say(f"written to {output}")


def _say_what_matters(text: str) -> None:
    """Say what is concluded about data and recipe, without the course of a whole run."""
    if text.partition(" = ")[0] not in _OF_A_RUN:
        say(text)


def told(found: "RateSearch", own: float) -> list[str]:
    """What a search found, in lines."""
    lines = [f"learning rate of the recipe: {own:.2g}"]
    if found.suggested is None:
        return [
            *lines,
            "no suggestion: no rate lowers the loss by more than it varies. Take more of them "
            "(--updates), or look at the data (cvtasks data show).",
        ]
    end = f"it diverges at {found.rates[-1]:.2g}" if found.diverged else "it does not diverge"
    return [
        *lines,
        f"suggested: {found.suggested:.2g}, where the loss falls fastest; it is lowest at "
        f"{found.lowest:.2g}, and {end}",
        f"to take it: --set train.learning_rate={found.suggested:.2g}",
    ]
