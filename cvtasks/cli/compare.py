"""`cvtasks compare`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.hints import ClassesFromOption, DataSetOption, hints_of, past_damage
from cvtasks.cli.options import (
    DeviceOption,
    EngineOption,
    FormatOption,
    JsonOption,
    ListsOption,
    MapOption,
    PrecisionOption,
    starts_keras,
)
from cvtasks.cli.output import Ticker, say, start_keras, tell, text_columns
from cvtasks.engines.table import AUTO
from cvtasks.text import cut, dumps, one_line, padded, table, width

if TYPE_CHECKING:
    from cvtasks.evaluation.compare import Compared

_KEY = 28  # of a recipe's key


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            autocompletion=completion.models,
            help="Names of `cvtasks models`, or folders that train wrote; compared with the first.",
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            metavar="DATA[:SPLIT]",
            help="The data set; without it, what the first model was validated on.",
        ),
    ] = "",
    format_: FormatOption = "",
    classes_from: ClassesFromOption = "",
    set_: DataSetOption = None,
    lists: ListsOption = "",
    map_: MapOption = None,
    as_json: JsonOption = False,
    engine: EngineOption = AUTO,
    precision: PrecisionOption = AUTO,
    device: DeviceOption = AUTO,
) -> None:
    """Measure models on the same images: scores side by side, with intervals of the differences.

    \b
    cvtasks compare detect-yolox-nano-voc runs/mine
    cvtasks compare runs/a runs/b runs/c --data farm/data.yaml:val
    cvtasks compare runs/a runs/b --json

    The models must answer the same task on the same classes. The interval of a difference comes
    from a bootstrap whose resamples all models share; a star marks one that leaves 0 out.
    """
    from cvtasks.evaluation.compare import compare as compared_by
    from cvtasks.evaluation.compare import recipe_differences
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, model_folder

    if starts_keras(engine, device):
        start_keras()
    ticker = Ticker()

    def on_image(model: str, done: int, images: int) -> None:
        ticker.show(f"{one_line(model)}: {done} of {images} images")

    task = read_recipe(model_folder(models[0]) / RECIPE).task.name
    hints = hints_of(task, set_, classes_from)
    how: dict[str, Any] = {"format": format_, "hints": hints, "lists": lists}
    how["renamed"] = map_ or ()
    how |= {"engine": engine, "precision": precision, "device": device}
    with past_damage():
        found = compared_by(models, data, say, on_image, **how)
    ticker.clear()
    recipes = recipe_differences([one.recipe for one in found])
    if as_json:
        print(dumps(_document(found, recipes)))
        return
    for letter, one in _lettered(found):
        tell(f"{letter}  {one_line(one.model)}")
    tell("", *_scores(found), "")
    if any(one.certain for model in found for one in model.differences.values()):
        tell("* the interval leaves 0 out", "")
    tell(*_facts(found))
    if recipes:
        tell("", *_recipes(found, recipes))


def _lettered(found: "Sequence[Compared]") -> "list[tuple[str, Compared]]":
    from cvtasks.evaluation.compare import LETTERS

    return list(zip(LETTERS, found, strict=False))


def _scores(found: "Sequence[Compared]") -> list[str]:
    """A row for each number of each model, below the number's name."""
    from cvtasks.evaluation.evaluate import score_text

    names, models = list(found[0].result["metrics"]), _lettered(found)
    rows = [["", "score", "95 % interval", "less A", "95 % interval"]]
    for name in names:
        for letter, one in models:
            span = one.result["intervals"].get(name)
            apart = one.differences.get(name)
            rows.append(
                [
                    f"  {letter}",
                    score_text(one.result["metrics"].get(name)),
                    f"[{span[0]:.3f}, {span[1]:.3f}]" if span else "",
                    f"{apart.value:+.3f}{'*' if apart.certain else ' '}" if apart else "",
                    f"[{apart.low:+.3f}, {apart.high:+.3f}]" if apart else "",
                ]
            )
    head, *lines = [line.rstrip() for line in table(rows)]
    parts = [lines[place : place + len(models)] for place in range(0, len(lines), len(models))]
    named = zip(names, parts, strict=True)
    return [head, *(line for name, part in named for line in (one_line(name), *part))]


def _facts(found: "Sequence[Compared]") -> list[str]:
    """What the models cost."""
    rows = [["", *(letter for letter, _ in _lettered(found))]]
    for name, texts in {
        "ms an image": [f"{one.milliseconds:.1f}" for one in found],
        "size, MB": [f"{one.facts.bytes / 1e6:.1f}" for one in found],
        "training, minutes": [
            "–" if one.facts.seconds is None else f"{one.facts.seconds / 60:.1f}" for one in found
        ],
        "epochs": [f"{len(one.facts.history)}" if one.facts.history else "–" for one in found],
        "engine": [f"{one.result['engine']} {one.result['precision']}" for one in found],
    }.items():
        rows.append([name, *texts])
    return _fitting(rows)


def _recipes(found: "Sequence[Compared]", recipes: dict[str, list[Any]]) -> list[str]:
    """The keys in which the recipes differ."""
    rows = [["recipe", *(letter for letter, _ in _lettered(found))]]
    for key, values in recipes.items():
        rows.append([_cut(key, _KEY), *map(_said, values)])
    return _fitting(rows)


def _said(value: Any) -> str:
    """A value of a recipe in a few letters; a dash where it has none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _fitting(rows: list[list[str]]) -> list[str]:
    """Rows as lines that fit the terminal, the first column to the left; what is too long is
    cut.
    """
    first = max(width(row[0]) for row in rows)
    most = max(6, (text_columns() - first) // (len(rows[0]) - 1) - 2)
    cut = [[row[0], *(_cut(text, most) for text in row[1:])] for row in rows]
    widths = [max(map(width, column)) for column in zip(*cut, strict=True)]
    return [
        "  ".join(padded(text, columns) for text, columns in zip(row, widths, strict=True)).rstrip()
        for row in cut
    ]


def _cut(text: str, most: int) -> str:
    return cut(one_line(text), most)


def _document(found: "Sequence[Compared]", recipes: dict[str, list[Any]]) -> dict[str, Any]:
    """The one object of `--json`."""
    first = found[0].result
    return {
        "data": first["data"],
        "split": first["split"],
        "images": first["images"],
        "models": [
            {
                "letter": letter,
                "model": one.model,
                "engine": one.result["engine"],
                "precision": one.result["precision"],
                "metrics": one.result["metrics"],
                "intervals": one.result["intervals"],
                "differences": {
                    name: {
                        "value": round(apart.value, 6),
                        "interval": [round(apart.low, 6), round(apart.high, 6)],
                    }
                    for name, apart in one.differences.items()
                },
                "classes": one.result["classes"],
                "bytes": one.facts.bytes,
                "ms_an_image": round(one.milliseconds, 3),
                "training_seconds": one.facts.seconds,
                "epochs": len(one.facts.history) or None,
            }
            for letter, one in _lettered(found)
        ],
        "recipe": recipes,
    }
