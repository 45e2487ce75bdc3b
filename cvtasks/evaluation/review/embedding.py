"""Images that look alike to a model: its backbone's deepest features, pooled."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from cvtasks.engines.keras_engine import load_network
from cvtasks.model import Model
from cvtasks.networks.build import backbone_of
from cvtasks.zoo import WEIGHTS

_BATCH = 8


def embeddings(model: Model, images: Iterable[np.ndarray]) -> np.ndarray:
    """(n, channels) float32 of length 1: the mean of the deepest map over the image.

    Args:
        model: one that was loaded from a folder.
        images: (h, w, 3) uint8 RGB, as `Model.predict` takes them.
    """
    recipe, folder = model.recipe, model.folder
    if folder is None:
        raise ValueError("a model that was not loaded has no weights to be read again")
    backbone = backbone_of(load_network(folder / WEIGHTS, recipe))
    deepest = keras.Model(backbone.inputs, keras.tree.flatten(backbone.outputs)[-1])
    found = [np.zeros((0, deepest.output.shape[-1]), np.float32)]
    for chunk in _chunks(
        recipe.letterbox(image.shape[:2]).to_input(recipe.task.prepare(image)) for image in images
    ):
        filled = np.stack(chunk + chunk[-1:] * (_BATCH - len(chunk)))
        maps = np.asarray(deepest.predict_on_batch(filled), np.float32)[: len(chunk)]
        found.append(maps.reshape(len(chunk), -1, maps.shape[-1]).mean(axis=1))
    pooled = np.concatenate(found)
    return pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)


def _chunks(inputs: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    chunk: list[np.ndarray] = []
    for one in inputs:
        chunk.append(one)
        if len(chunk) == _BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
