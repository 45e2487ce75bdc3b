"""`cvtasks evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cvtasks.cli.output import Ticker, say, start_keras
from cvtasks.cli.predict import DeviceOption, EngineOption, PrecisionOption
from cvtasks.errors import UsageError


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A name of `cvtasks models`, or a folder that train wrote.")],
    data: Annotated[
        str, typer.Option(metavar="DATA[:SPLIT]", help="The data set; without a split, the recipe's validation split.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")] = False,
    predictions: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Score these saved records (JSON lines) instead of running it."),
    ] = None,
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """Measure a model on a data set, by the standard of its task.

    \b
    cvtasks evaluate segment-mobilenet-voc --data VOCdevkit/VOC2012:val
    cvtasks evaluate segment-mobilenet-voc --data VOCdevkit/VOC2012:val --predictions outputs/segment/records.jsonl
    """
    from cvtasks.data import Remapped, open_source, split_of
    from cvtasks.evaluation import evaluate as measure
    from cvtasks.evaluation import report, score_records
    from cvtasks.model import load
    from cvtasks.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    folder = model_folder(model)
    recipe = read_recipe(folder / RECIPE)
    path, split = split_of(data or recipe.data.path)
    if not path:
        raise UsageError("evaluate needs data, and the model's recipe names none. Give --data DATA:SPLIT")
    split = split or recipe.data.validate
    opened = open_source(path, split, recipe.task.answer)
    source = Remapped(opened, recipe.classes, recipe.data.others)
    say(f"data: {opened.format}, {path}:{split}, {len(source)} pictures")
    if predictions:
        result = report(str(predictions), path, split, len(source), None, score_records(predictions, recipe.task, source))
    else:
        if engine == "keras" or device == "gpu":
            start_keras()
        loaded = load(model, engine=engine, precision=precision, device=device, many=True)
        ticker, done = Ticker(), 0

        def count(*_: object) -> None:
            nonlocal done
            done += 1
            ticker.show(f"{done} of {len(source)} pictures")

        metric = measure(loaded.engine, recipe.task, recipe.canvas, source, count)
        ticker.clear()
        result = report(loaded.name, path, split, len(source), loaded.engine, metric)
    if as_json:
        print(json.dumps(result))
        return
    width = max(map(len, result["classes"]))
    names = list(next(iter(result["classes"].values())))
    print(f"{'class':<{width}}  " + "  ".join(f"{name:>10}" for name in names))
    for name, row in result["classes"].items():
        numbers = ("–" if row[column] is None else f"{row[column]:.4f}" for column in names)
        print(f"{name:<{width}}  " + "  ".join(f"{number:>10}" for number in numbers))
    for name, number in result["metrics"].items():
        print(f"{name}: {'–' if number is None else format(number, '.4f')}")
