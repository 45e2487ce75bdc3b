"""A recipe's network: backbone, then the task's head."""

from contextlib import contextmanager
from functools import partial
from typing import Any

import keras
import numpy as np

from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top
from cvtasks.recipe import Recipe


def build_network(recipe: Recipe, size: tuple[int, int], precision: str = "f32") -> keras.Model:
    """Build the network with random weights.

    Args:
        size: (height, width) of the input.
        precision: "f32", or "bf16" for float32 weights that compute in bfloat16.

    Returns:
        a model (batch, height, width, 3) 0–255 RGB → the task's logits; its layer of the backbone's name is the backbone.
    """
    with _policy("mixed_bfloat16" if precision == "bf16" else "float32"):
        backbone = build_backbone(recipe.backbone, size, recipe.norm)
        image = keras.Input((*size, 3), name="image")
        features = backbone(image)
        maps = dict(zip(BACKBONES[recipe.backbone].strides, features, strict=False))
        top = partial(build_top, recipe.backbone, features)
        return keras.Model(image, recipe.task.head(image, maps, recipe.classes, top), name=recipe.task.name)


def backbone_of(network: keras.Model) -> keras.Model:
    """The backbone within a network of `build_network`."""
    return next(layer for layer in network.layers if isinstance(layer, keras.Model))


def activated(network: keras.Model, task: Any) -> keras.Model:
    """The same network with the task's activation behind it: its output lives in the target's space."""
    return keras.Model(network.input, task.activate(network.output), name=f"{task.name}_activated")


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give `target` the weights of `source`; both come from one recipe, their sizes and precisions may differ."""
    for theirs, ours in zip(source.weights, target.weights, strict=True):
        ours.assign(np.array(theirs.numpy()))  # a copy: JAX would share the array, and a training step gives it up


@contextmanager
def _policy(name: str):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
