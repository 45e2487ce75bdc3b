"""TensorFlow's SavedModel: a folder that TensorFlow, TensorFlow Serving and converters read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import ModelError
from cvtasks.export import INPUT
from cvtasks.export.base import Given, Opened
from cvtasks.recipe.recipe import Recipe

FACTS = "cvtasks.json"
"""Lies among the SavedModel's assets and holds the facts: the format has no place for them."""


def write(given: Given, place: Path) -> Path:
    """Write the folder `saved_model`: any number of images a batch, the facts in
    `assets.extra/cvtasks.json`, a folder that the format leaves to its users.
    """
    folder = given.saved_model(place / "saved_model")
    extra = folder / "assets.extra"
    extra.mkdir(exist_ok=True)
    text = json.dumps(dict(given.facts), indent=2, ensure_ascii=False)
    (extra / FACTS).write_text(f"{text}\n", encoding="utf-8")
    return folder


def open_exported(path: Path, recipe: Recipe) -> Opened:
    """Open the folder by TensorFlow."""
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serve"]
    except Exception as error:  # each fault of a folder has its own kind
        raise ModelError(
            f"{path.name!r} must be a SavedModel; it cannot be opened: {str(error)[:300]}. Export "
            "the model again."
        ) from error

    def run(images: np.ndarray) -> Mapping[str, Any]:
        # `loaded` is named so that it lives as long: its variables would go with it
        return {} if loaded is None else dict(serve(**{INPUT: tf.constant(images)}))

    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    return Opened("tensorflow", "f32", run, shapes, path)
