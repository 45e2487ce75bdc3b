"""What a command is told about data that do not say it themselves."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cvtasks.cli import completion
from cvtasks.cli.output import say
from cvtasks.errors import InputError, UsageError

if TYPE_CHECKING:
    from cvtasks.data import Hints
    from cvtasks.geometry.tiles import Tiles
    from cvtasks.recipe.overrides import Override
    from cvtasks.recipe.recipe import Recipe

ClassesFromOption = Annotated[
    Literal["", "parent", "name"],
    typer.Option(
        metavar="[parent|name]",
        help=(
            "Of a tree of folders: a class is the folder of its images, or the beginning of each "
            "file's name."
        ),
    ),
]


def _set_option(keys: str) -> Any:
    return typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help=f"A key of a recipe that says how data are read: {keys}.",
        autocompletion=completion.settings,
    )


DataSetOption = Annotated[
    list[str] | None, _set_option("data.values, data.void, data.classes_from, data.faulty")
]
WholeDataSetOption = Annotated[
    list[str] | None, _set_option("data.values, data.void, data.classes_from")
]
"""Of a command that is about all data, and leaves nothing out that is faulty."""

_BY_OPTIONS = {
    "data.format": "Say it by --format.",
    "data.lists": "Say it by --lists.",
    "data.path": "Give the data themselves.",
    "data.train": "Name the split: DATA:SPLIT.",
    "data.validate": "Name the split: DATA:SPLIT.",
}


@contextmanager
def past_damage() -> Iterator[None]:
    """An image that cannot be read ends a command with the way to leave it out."""
    from cvtasks.data.splits import past_faults

    try:
        yield
    except InputError as error:
        raise past_faults(error) from error


def hints_of(
    task: str, given: Iterable[str] | None, classes_from: str, *, whole: bool = False
) -> "Hints":
    """What a recipe for this task would say of its data with these keys.

    Args:
        whole: the command is about all data, and leaves nothing out that is faulty.

    Raises:
        UsageError: a key that says nothing about data. ModelError: no such key, or such a value.
    """
    from cvtasks.data.hints import ABOUT_FORMATS, Hints
    from cvtasks.recipe.overrides import by_full_names, key_of
    from cvtasks.recipe.recipe import parse_recipe

    keys = by_full_names(given or ())
    known = [f"data.{key}" for key in (*ABOUT_FORMATS, *([] if whole else ["faulty"]))]
    asked = list(map(key_of, keys))
    strange = [key for key in asked if key not in known]
    if strange:
        way = _BY_OPTIONS.get(strange[0], "Leave it out.")
        raise UsageError(
            "this command takes the keys of a recipe that say how data are read, "
            f"{', '.join(known)}; got {strange[0]!r}. {way}"
        )
    wishes: list[Override] = [
        *keys,
        *([("data.classes_from", classes_from)] if classes_from else []),
    ]
    usual = {"backbone": "mobilenet", "size": 320, "classes": ["background", "object"]}
    found = Hints.of(parse_recipe({"task": {"name": task}, **usual}, wishes).data)
    given = frozenset(key for key in ABOUT_FORMATS if f"data.{key}" in asked)
    found = replace(found, said=given)
    return found if "data.faulty" in asked else replace(found, faulty="")


def hint_at_tiles(recipe: "Recipe", tiles: "Tiles | None") -> None:
    """Say how a model sees large images as those that it has learned from, where nobody asked for
    any tiles.
    """
    if recipe.data.tiles and tiles is None:
        height, width = recipe.data.tiles
        say(
            f"the model has learned from tiles of {height}x{width} pixels; --tiles "
            f"{height}x{width} shows it large images so"
        )
