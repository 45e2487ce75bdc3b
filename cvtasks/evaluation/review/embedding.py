"""What images look like to a model: its backbone's deepest features, pooled."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import keras
import numpy as np

from cvtasks.engines.keras_engine import load_network
from cvtasks.model import Model
from cvtasks.networks.build import backbone_of
from cvtasks.zoo import WEIGHTS

_BATCH = 8
_CELLS = 3  # in each direction


def embeddings(model: Model, images: Iterable[np.ndarray]) -> np.ndarray:
    """(n, c) float32 of length 1: the means of the deepest map over each cell of a grid of 3 × 3.

    Over the image as a whole, photographs of one kind are as alike as copies of one photograph.

    Args:
        model: one that was loaded from a folder.
        images: one or more, (h, w, 3) uint8 RGB, prepared as its task wants them.
    """
    recipe, folder = model.recipe, model.folder
    if folder is None:
        raise ValueError("a model that was not loaded has no weights to be read again")
    backbone = backbone_of(load_network(folder / WEIGHTS, recipe))
    deepest = keras.Model(backbone.inputs, keras.tree.flatten(backbone.outputs)[-1])
    found: list[np.ndarray] = []
    for chunk in _chunks(recipe.letterbox(image.shape[:2]).to_input(image) for image in images):
        filled = np.stack(chunk + chunk[-1:] * (_BATCH - len(chunk)))
        maps = np.asarray(deepest.predict_on_batch(filled), np.float32)[: len(chunk)]
        found.append(_pooled(maps))
    pooled = np.concatenate(found)
    return pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), 1e-12)


def _pooled(maps: np.ndarray) -> np.ndarray:
    """(n, h, w, c) → (n, cells · c): the mean of each cell, of which a small map has fewer."""
    height, width = maps.shape[1:3]
    rows, columns = (
        np.linspace(0, side, min(_CELLS, side) + 1).astype(int) for side in (height, width)
    )
    cells = [
        maps[:, top:bottom, left:right].mean(axis=(1, 2))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return np.concatenate(cells, axis=1)


def _chunks(inputs: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    chunk: list[np.ndarray] = []
    for one in inputs:
        chunk.append(one)
        if len(chunk) == _BATCH:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
