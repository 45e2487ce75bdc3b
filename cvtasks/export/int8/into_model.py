"""An int8 graph that becomes a model's own: `int8/` beside its weights, which an engine runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvtasks.engines.int8_graph import FOLDER, REPORT, made_of, parts_of
from cvtasks.errors import UsageError
from cvtasks.files.writing import cannot_write, folder_held, made_beside
from cvtasks.recipe.recipe import Recipe
from cvtasks.zoo import WEIGHTS, in_zoo, model_folder


def check_into_model(
    model: str | Path, format: str, precision: str, further: bool, folder: object
) -> None:
    """Raise UsageError unless an export can become a part of the model.

    Args:
        model: a name of the zoo, or a folder.
        further: whether more is asked for than an engine takes.
        folder: another that it is to be written into, if any.
    """
    if (format, precision, further) != ("openvino", "int8", False):
        raise UsageError(
            "what becomes a part of a model is its graph in int8 for OpenVINO, undecoded; asked "
            f"for is {format} in {precision}{', decoded' if further else ''}. Correct it, or "
            "export into a folder of its own.",
            ways={"format": "openvino", "int8": ""},
        )
    if folder is not None:
        raise UsageError(
            f"what becomes a part of a model lies in the model's folder; {str(folder)!r} was named "
            "too. Leave one of them out."
        )
    home = model_folder(model)
    if in_zoo(home) or in_zoo(home.resolve()):
        raise UsageError(
            f"a model of the zoo stays as it is; {home.name} is one. Copy its folder, "
            f"{str(home)!r}, and export into the copy."
        )


@contextmanager
def place_in_model(home: Path, recipe: Recipe) -> Iterator[Path]:
    """The folder to write, which no other run takes as long as the context lasts.

    Raises:
        UsageError: there is something of its name, and it is no graph of other weights.
        OutputError: the model's folder cannot be written.
    """
    place = home / FOLDER
    with folder_held(home):
        if os.path.lexists(place):
            _check_stale(home, place, recipe)
        yield place


def publish_in_model(made: Path, place: Path) -> None:
    """Give a folder its name, in the place of a graph of other weights if one is there.

    Raises:
        OutputError: it cannot be done; what was there before is there still.
    """
    with made_beside(place.parent) as away:
        stale = away / FOLDER
        try:
            if os.path.lexists(place):
                place.rename(stale)
            made.rename(place)
        except OSError as error:
            if stale.exists():
                with suppress(OSError):
                    stale.rename(place)
            raise cannot_write(place, error) from error


def _check_stale(home: Path, place: Path, recipe: Recipe) -> None:
    """Raise UsageError unless what is there is a graph of other weights, and nothing else."""
    own = made_of(home)
    if own == recipe.files[WEIGHTS]:
        raise UsageError(
            f"{home.name} has a graph in int8 of these weights, and nothing is overwritten. Use "
            f"it, or remove {str(place)!r}."
        )
    known = {REPORT, *parts_of(home)}
    if not own or place.is_symlink() or {one.name for one in place.iterdir()} - known:
        raise UsageError(
            f"{str(place)!r} is to hold the graph in int8 and nothing else; something else is "
            "there. Move it away."
        )
