"""The graph in int8 in a model's folder: `cvtasks export` makes it, and it is believed only beside
the weights that it was made of.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.files.writing import sha256
from cvtasks.recipe.recipe import Recipe

FOLDER, REPORT = "int8", "int8.json"
"""Folder beside the weights, and the file in it that says what it was made of."""

GRAPH, CONSTANTS = "model.xml", "model.bin"

_MOST = 32 << 20  # bytes of the report; it lists the images of a calibration, 5,000 at most
_SPARE = 64 << 20  # bytes of constants that are no weights


def seal(folder: Path, weights: str) -> dict[str, Any]:
    """What the report of an int8 export says of its files and of what they were made of.

    Args:
        folder: that holds the files; those in it that are complete.
        weights: SHA-256 of the model's weights.
    """
    files = sorted(one for one in folder.iterdir() if one.is_file())
    return {"weights": weights, "files": {one.name: sha256(one) for one in files}}


def has_int8(folder: Path) -> bool:
    """Whether a model's folder has something that says it is a graph in int8."""
    return (folder / FOLDER / REPORT).is_file()


def made_of(folder: Path) -> str:
    """SHA-256 of the weights that the graph in a model's folder was made of; empty where there is
    none, or it does not say so.
    """
    return str(_said(folder / FOLDER).get("weights", ""))


def parts_of(folder: Path) -> tuple[str, ...]:
    """Names of the files that the graph in a model's folder says it has."""
    listed = _said(folder / FOLDER).get("files")
    return tuple(listed) if isinstance(listed, dict) else ()


def int8_graph(weights: Path, recipe: Recipe) -> tuple[Path, np.ndarray]:
    """The graph in int8 beside a model's weights, and its constants, (bytes,) uint8.

    Raises:
        ModelError: there is none, it was made of other weights, or is not as it was written.
    """
    model = weights.parent
    folder = model / FOLDER
    if not os.path.lexists(folder):
        raise needs_int8(f"int8 needs a graph in int8 in the model's folder; {model.name} has none")
    said = _said(folder)
    if said.get("weights") != recipe.files[weights.name]:
        raise needs_int8(
            f"a graph in int8 must be made of the weights beside it; {str(folder)!r} says that its "
            "own is of others"
        )
    files = said.get("files")
    listed = files if isinstance(files, dict) else {}
    try:
        most = weights.stat().st_size * 4 + _SPARE
        good = (folder / CONSTANTS).stat().st_size <= most and all(
            sha256(folder / name) == listed.get(name) for name in (GRAPH, CONSTANTS)
        )
        constants = np.fromfile(folder / CONSTANTS, np.uint8) if good else None
    except OSError as error:
        raise needs_int8(f"{str(error.filename)!r} cannot be read: {error.strerror}") from error
    if constants is None:
        raise needs_int8(
            f"a graph in int8 must be as it was written; a file in {str(folder)!r} is not"
        )
    return folder / GRAPH, constants


def needs_int8(what: str) -> ModelError:
    """The error about a graph in int8 that cannot be used, with the way to one that can."""
    return ModelError(
        f"{what}. Export it anew, by `cvtasks export`, or choose another precision.",
        ways={"format": "openvino", "int8": "", "into_model": ""},
    )


def _said(folder: Path) -> Mapping[str, Any]:
    """What the report says; nothing where it cannot be read."""
    try:
        with (folder / REPORT).open("rb") as file:
            found = json.loads(file.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
