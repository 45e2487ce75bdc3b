"""Keras' own file, `.keras`: the network of layers and operations that Keras itself knows, so that
it opens where cvtasks is not installed.
"""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cvtasks.errors import ModelError
from cvtasks.export.base import Given, Opened
from cvtasks.export.network import on_tensorflow
from cvtasks.recipe.recipe import Recipe

FACTS = "cvtasks.json"
"""The member of the file, which is a zip, that holds the facts; Keras passes it over."""


def write(given: Given, place: Path) -> Path:
    """Write `model.keras`."""
    path = place / "model.keras"
    if on_tensorflow():
        save(given.network, path)
    else:
        from cvtasks.export.apart import on_tensorflow_apart

        on_tensorflow_apart("keras", given.folder, path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(FACTS, json.dumps(dict(given.facts), indent=2, ensure_ascii=False))
    return path


def save(network: keras.Model, path: Path) -> None:
    """Write a network whose layers of ours have become the operations that they are made of.

    A layer of ours that has weights cannot become so, and would be a fault of ours.
    """
    plain = keras.models.clone_model(network, call_function=_called)
    # by path: what is taken apart changes the order of layers, and with it that of weights
    ours = {weight.path: weight for weight in network.weights}
    for weight in plain.weights:
        weight.assign(ours[weight.path])
    plain.save(path)


def _called(layer: keras.Operation, *arguments: Any, **options: Any) -> Any:
    """What a layer makes of its inputs; one of ours is taken apart."""
    if type(layer).__module__.startswith("cvtasks."):
        return layer.call(*arguments, **options)
    return layer(*arguments, **options)


def open_exported(path: Path, recipe: Recipe) -> Opened:
    """Open the file as Keras does, with no class of ours."""
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # each fault of a file has its own kind
        raise ModelError(
            f"{path.name!r} must be a file of Keras'; it cannot be opened: {str(error)[:300]}. "
            "Export the model again."
        ) from error

    def run(images: np.ndarray) -> Mapping[str, Any]:
        found: Mapping[str, Any] = network.predict_on_batch(images)
        return found

    return Opened("keras", "f32", run, recipe.head.outputs(recipe.input_size, recipe.classes), path)
