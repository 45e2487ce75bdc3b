"""`cvtasks evaluate`."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import (
    ClassesFromOption,
    DataSetOption,
    hint_at_tiles,
    hints_of,
    past_damage,
)
from cvtasks.cli.options import (
    AugmentOption,
    DeviceOption,
    EngineOption,
    FormatOption,
    JsonOption,
    ListsOption,
    MapOption,
    PrecisionOption,
    TilesOption,
    into,
    starts_keras,
)
from cvtasks.cli.output import (
    Ticker,
    command_typed,
    say,
    start_keras,
    tell,
    terminal_columns,
)
from cvtasks.cli.tracks import TracksOption, evaluate_tracks
from cvtasks.engines.table import AUTO
from cvtasks.errors import UsageError
from cvtasks.text import dumps, table, width

if TYPE_CHECKING:
    from cvtasks.evaluation.of_model import EvaluationData
    from cvtasks.metrics.base import Metric


def evaluate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A name of `cvtasks models`, or a folder that train wrote.",
            autocompletion=completion.models,
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA[:SPLIT]",
            help="The data set; without a split, what the model was validated on.",
        ),
    ] = "",
    map_: MapOption = None,
    as_json: JsonOption = False,
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
    tracks: TracksOption = None,
    output: Annotated[
        Path | None,
        into("Write the report, a page of its own, and its figures into this new folder."),
    ] = None,
    format_: FormatOption = "",
    augment: AugmentOption = "",
    tiles: TilesOption = "",
    lists: ListsOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
) -> None:
    """Measure a model on a data set, by the standard of its task.

    \b
    cvtasks evaluate segment-efficientnet-lite0-voc --data VOCdevkit/VOC2012:val
    cvtasks evaluate detect-yolox-nano-voc --data VOCdevkit/VOC2012:val -o report
    cvtasks evaluate runs/mine --predictions outputs/segment/records.jsonl
    cvtasks evaluate runs/mine --data farm/data.yaml --map lamb=sheep,ewe=sheep
    cvtasks evaluate --tracks outputs/detect/street-mot.txt street/gt/gt.txt

    The classes that data and model share are scored, also where they have two names of one thing
    (aeroplane, airplane); the others are named. In brackets stands the 95 % interval of a
    bootstrap over the images.
    """
    if tracks:
        evaluate_tracks(context, *tracks, as_json)
        return
    if not model:
        raise UsageError(
            "what is measured is a model, or with --tracks files of tracks; got neither. Name a "
            "model: cvtasks models"
            + (". It says which task predictions are of, and which classes." if predictions else "")
        )
    how = {"engine": engine, "precision": precision, "device": device, "augment": augment}
    if predictions:
        _check_saved({name: one for name, one in how.items() if one != AUTO} | {"tiles": tiles})
    from cvtasks.evaluation.evaluate import check_new, score_saved, with_interval
    from cvtasks.evaluation.of_model import evaluation_data
    from cvtasks.evaluation.predictions import read_predictions
    from cvtasks.evaluation.report import PAGE, Subject, write_report
    from cvtasks.evaluation.seen import seen_words
    from cvtasks.files.writing import folder_held
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    if output:
        context.with_resource(folder_held(output))
        check_new(output)
    folder = model_folder(model)
    recipe = read_recipe(folder / RECIPE)
    hints = hints_of(recipe.task.name, set_, classes_from)
    read_as: dict[str, Any] = {"format": format_, "lists": lists, "hints": hints}
    found = evaluation_data(recipe, folder, data, map_ or (), say, **read_as)
    with past_damage():
        known = found.seen_by(recipe, folder)
    seen = seen_words(model, known, recipe, len(found.source))
    if seen:
        say(
            f"{seen}: a score on what it has learned flatters. Measure on images that it has not "
            "seen."
        )
    if predictions:
        saved = read_predictions(
            predictions, recipe.task, found.opened, found.recipe.classes, found.scored_as
        )
        for line in (saved.format, *saved.remarks):
            say(f"predictions: {line}")
        metric = score_saved(saved, recipe.task, found.source, found.only)
        result = found.result(str(predictions), None, metric)
    else:
        result, metric = _measured(model, found, how, tiles)
    for remark in found.source.remarks():
        say(f"data: {remark}")
    if output:
        subject = Subject(recipe, folder, command_typed(), found.remarks)
        written = write_report(output, result, metric, found.source, subject)
        others = ", ".join(name for name in written if "/" not in name and name != PAGE)
        say(f"report: {output / PAGE}; beside it {others}")
    if as_json:
        print(dumps(result))
        return
    tell(*_table(result["classes"]))
    for name, number in result["metrics"].items():
        tell(f"{name}: {with_interval(number, result['intervals'].get(name))}")


def _check_saved(how: dict[str, str]) -> None:
    """Raise UsageError for the first option that says how a model is run, where none is."""
    for name, value in how.items():
        if value:
            raise UsageError(
                f"--{name} says how a model is run; --predictions runs none and scores what is "
                f"saved; got --{name} {value} too. Leave one of them out."
            )


def _measured(
    model: str, found: "EvaluationData", how: dict[str, Any], tiles: str
) -> "tuple[dict[str, Any], Metric]":
    """Run the model over the data, with progress on the terminal."""
    from cvtasks.evaluation.evaluate import evaluate as measure
    from cvtasks.evaluation.of_model import how_measured
    from cvtasks.geometry.tiles import tiles_of
    from cvtasks.model import load

    cut = tiles_of(tiles)
    hint_at_tiles(found.recipe, cut)
    if starts_keras(how["engine"], how["device"]):
        start_keras()
    loaded = load(model, many=True, **how)
    ticker, done = Ticker(), 0

    def count(*_: object) -> None:
        nonlocal done
        done += 1
        ticker.show(f"{done} of {len(found.source)} images")

    head, fit = found.recipe.head, found.recipe.letterbox
    looked: dict[str, Any] = {"augment": loaded.augment, "tiles": cut}
    with past_damage():
        metric = measure(loaded.engine, head, fit, found.source, count, found.only, **looked)
    ticker.clear()
    result = found.result(loaded.name, loaded.engine, metric)
    return result | how_measured(loaded.augment, cut), metric


def _table(classes: dict[str, dict[str, float | None]]) -> list[str]:
    """Rows of classes under their columns' names, which are broken between words as far as the
    terminal asks for it.
    """
    from cvtasks.evaluation.evaluate import score_text

    columns = list(next(iter(classes.values()), {}))
    rows = [
        [name, *(score_text(row[column]) for column in columns)] for name, row in classes.items()
    ]
    lines: list[str] = []
    for most in range(max(map(len, columns), default=1), 0, -1):
        titles = [textwrap.wrap(name, most, break_long_words=False) for name in columns]
        high = max(map(len, titles), default=1)
        above = [[""] * (high - len(title)) + title for title in titles]
        heads = [list(head) for head in zip([""] * (high - 1) + ["class"], *above, strict=True)]
        lines = table([*heads, *rows], least=10)
        if max(map(width, lines)) <= terminal_columns():
            break
    return [line.rstrip() for line in lines]
