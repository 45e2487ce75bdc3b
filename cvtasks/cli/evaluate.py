"""`cvtasks evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from cvtasks.cli.options import DeviceOption, EngineOption, PrecisionOption, starts_keras
from cvtasks.cli.output import Ticker, say, start_keras, tell
from cvtasks.engines.table import AUTO
from cvtasks.errors import UsageError
from cvtasks.text import dumps, table


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A name of `cvtasks models`, or a folder that train wrote."
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA[:SPLIT]",
            help="The data set; without a split, what the model was validated on.",
        ),
    ] = "",
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="DATA'S=MODEL'S",
            help="A class of the data is one of the model; several with commas.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
    ] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            metavar="FILE",
            help=(
                "Score these instead of running it: JSON lines; for boxes also COCO results, or "
                "VOC's comp4 files or their folder."
            ),
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write the report and its figures into this new folder.",
        ),
    ] = None,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
) -> None:
    """Measure a model on a data set, by the standard of its task.

    \b
    cvtasks evaluate segment-mobilenet-voc --data VOCdevkit/VOC2012:val
    cvtasks evaluate detect-mobilenet-voc --data VOCdevkit/VOC2012:val -o report
    cvtasks evaluate segment-mobilenet-voc --data VOCdevkit/VOC2012:val --predictions
    outputs/segment/records.jsonl cvtasks evaluate detect-mobilenet-voc --data farm/data.yaml:val
    --map lamb=sheep,ewe=sheep

    The classes that data and model share are scored; the others are named.
    """
    from cvtasks.data.opening import title
    from cvtasks.data.shared_classes import differences, read_map, shared
    from cvtasks.data.to_evaluate import open_to_evaluate
    from cvtasks.data.views import Renamed, Subset, fitted
    from cvtasks.evaluation.evaluate import check_new, report, score_saved, score_text, write_report
    from cvtasks.evaluation.evaluate import evaluate as measure
    from cvtasks.evaluation.predictions import read_predictions
    from cvtasks.files.writing import folder_held
    from cvtasks.model import load
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    if output:
        context.with_resource(folder_held(output))
        check_new(output)
    folder = model_folder(model)
    recipe = read_recipe(folder / RECIPE)
    if not (data or recipe.data.path):
        raise UsageError(
            "evaluate needs data, and the model's recipe names none. Give --data DATA:SPLIT"
        )
    found = open_to_evaluate(recipe, folder, data, say)
    path, split, opened = found.path, found.split, found.source
    names = read_map(map_ or (), opened, recipe.classes)
    which = Renamed(opened, names) if names else opened
    both = shared(which, recipe.classes)
    which = which if found.kept is None else Subset(which, found.kept)
    source = fitted(which, recipe, lacking=True)
    say(f"data: {opened.format}, {title(path, split)}, {len(source)} images")
    for line in (opened.taken_for, *differences(both, recipe)):
        if line:
            say(f"data: {line}")
    only = (
        both.classes if both.model and not recipe.task.selection else None
    )  # elsewhere each image has its one answer
    if predictions:
        saved = read_predictions(predictions, recipe.task, opened, recipe.classes, names)
        for line in (saved.format, *saved.remarks):
            say(f"predictions: {line}")
        metric = score_saved(saved, recipe.task, source, only)
        result = report(str(predictions), path, split, len(source), None, metric)
    else:
        if starts_keras(engine, device):
            start_keras()
        loaded = load(model, engine=engine, precision=precision, device=device, many=True)
        ticker, done = Ticker(), 0

        def count(*_: object) -> None:
            nonlocal done
            done += 1
            ticker.show(f"{done} of {len(source)} images")

        metric = measure(loaded.engine, recipe.task, recipe.canvas, source, count, only)
        ticker.clear()
        result = report(loaded.name, path, split, len(source), loaded.engine, metric)
    result["classes"] = {
        name: row for name, row in result["classes"].items() if name in both.classes
    }
    if both.model or both.data:
        result["not_scored"] = {"model": list(both.model), "data": list(both.data)}
    if names:
        result["map"] = names
    for remark in source.remarks():
        say(f"data: {remark}")
    if output:
        written = write_report(output, result, metric, source)
        say(f"report → {output}: {', '.join(name for name in written if '/' not in name)}")
    if as_json:
        print(dumps(result))
        return
    tell(*_table(result["classes"]))
    for name, number in result["metrics"].items():
        tell(f"{name}: {score_text(number)}")


def _table(classes: dict[str, dict[str, float | None]]) -> list[str]:
    """Rows of classes under their columns' names."""
    from cvtasks.evaluation.evaluate import score_text

    columns = list(next(iter(classes.values()), {}))
    rows = [
        [name, *(score_text(row[column]) for column in columns)] for name, row in classes.items()
    ]
    return table([["class", *columns], *rows], least=10)
