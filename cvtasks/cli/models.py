"""`cvtasks models`, what is in the zoo, and `cvtasks models get`, which fetches a published one."""

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from cvtasks.cli import completion
from cvtasks.cli.help import Group, HelpfulCommand
from cvtasks.cli.options import JsonOption, one_of
from cvtasks.cli.output import Ticker, say, start_keras, tell, wrapped
from cvtasks.errors import CVTasksError
from cvtasks.text import counted, dumps, visible
from cvtasks.weights.published import PUBLISHED

models = typer.Typer(cls=Group, invoke_without_command=True, rich_markup_mode=None)


@models.callback()
def listed(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the models and recipes of the zoo; `get` fetches a published one.

    \b
    cvtasks models
    cvtasks models get detect-yolox-nano-coco
    """
    if context.invoked_subcommand is not None:
        return
    from cvtasks import zoo

    rows = list(_rows(zoo.names()))
    if as_json:
        print(dumps(rows))
        return
    for row in rows:
        tell(*_lines(row))
    left = [name for name in PUBLISHED if name not in zoo.names()]
    if left:
        for line in wrapped(f"published, for `cvtasks models get`: {', '.join(left)}"):
            say(line)


@models.command(cls=HelpfulCommand)
def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"Which model: {', '.join(PUBLISHED)}.",
            callback=one_of(lambda: PUBLISHED),
            autocompletion=completion.any_of(lambda: PUBLISHED),
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Its published file, where it was fetched by hand."
        ),
    ] = None,
    url: Annotated[
        str,
        typer.Option(
            metavar="BASE", help="Address below which its file lies, if not its authors'."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Fetch a published model, turn it into one of ours, and try it; print its folder.

    \b
    cvtasks models get detect-yolox-nano-coco
    cvtasks detect photo.jpg --model detect-yolox-nano-coco
    cvtasks train detect --data my-data --weights detect-yolox-nano-coco
    cvtasks models get detect-yolox-s-coco --from downloads/yolox_s.pth

    It lies in the folder of caches, or in the one that CVTASKS_MODELS names, and is found by its
    name. The SHA-256 of its file is kept from the first time; another file is refused then.
    """
    from cvtasks.published.fetch import fetch_model
    from cvtasks.zoo import RECIPE, fetched_folder

    row = PUBLISHED[name]
    if not (fetched_folder() / name / RECIPE).is_file():
        say(
            f"{name}: YOLOX, {row.parameters / 1e6:.1f} million parameters, COCO AP {row.ap:.3f} "
            "as published; Apache License 2.0, Megvii Inc."
        )
        start_keras()
    ticker = Ticker()
    try:
        found = fetch_model(name, file, url, say, ticker.show)
    finally:
        ticker.clear()
    say(
        f"fetched: {found.folder}" if found.new else f"there already, left as it is: {found.folder}"
    )
    if as_json:
        facts = {"name": name, "folder": str(found.folder), "new": found.new}
        print(dumps({**facts, "url": found.url, "sha256": found.sha256}))
    else:
        tell(str(found.folder))


def _lines(row: dict[str, Any]) -> list[str]:
    """A model in two lines: its name and whether it is there, and what it is."""
    from cvtasks import zoo

    state = f"{row['bytes'] / 1e6:.1f} MB" if row["trained"] else "recipe only: train it"
    if row["name"] in zoo.PACKAGED:
        state = "made of a package on first use"
    state += ", fetched" if row["fetched"] else ""
    about = f"  {row['backbone']} at {row['size']} px, {counted(len(row['classes']), 'class')}"
    for name, score in list(row["metrics"].items())[:1]:
        about += f"; {name} {'–' if score is None else f'{score:.3f}'}"
    return [f"{visible(row['name'])}  ({row['task']}, {state})", *wrapped(about, "    ")]


def _rows(names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """What is told of models; of those that cannot be read, why."""
    for name in names:
        try:
            yield _row(name)
        except (CVTasksError, OSError) as error:
            say(f"left out: {name}: {error}")


def _row(name: str) -> dict[str, Any]:
    """What is told of a model; errors as `read_recipe`'s, and OSError."""
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, fetched, has_weights, model_folder

    folder = model_folder(name)
    recipe = read_recipe(folder / RECIPE)
    size = sum((folder / file).stat().st_size for file in recipe.files if (folder / file).is_file())
    return {
        "name": name,
        "task": recipe.task.name,
        "backbone": recipe.backbone,
        "size": recipe.size,
        "classes": list(recipe.classes),
        "trained": has_weights(folder),
        "fetched": name in fetched(),
        "bytes": size,
        "metrics": _metrics(folder / "metrics.json"),
        "folder": str(folder),
    }


def _metrics(path: Path) -> dict[str, float | None]:
    """The scores in a model's folder; none where there is no such file, and where it is another,
    which is said.
    """
    if not path.is_file():
        return {}
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))["metrics"]
        numbers = [one for one in dict(found).values() if one is not None]
        if all(isinstance(one, int | float) and math.isfinite(one) for one in numbers):
            return dict(found)
    say(
        "scores of a model are one JSON object, `metrics` of it with a number for each name; "
        f"{str(path)!r} is not, and its model is listed without them"
    )
    return {}
