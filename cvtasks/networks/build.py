"""A recipe's network: backbone, then the task's head."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import keras
import numpy as np

from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top
from cvtasks.networks.network import Network
from cvtasks.networks.quick_training import layers_within

MOMENTUM = 0.9
"""Of the statistics of batch norms, at most. With Keras' 0.99, a layer that begins anew is scored
by what is left of the statistics that it began with for some 500 steps, more than a run on few
images has; PyTorch's layers keep 0.9 as well.
"""


class Description(Protocol):
    """What a network is built from; a recipe is one."""

    @property
    def head(self) -> Any:
        """What stands on the backbone."""

    @property
    def backbone(self) -> str:
        """A name of `BACKBONES`."""

    @property
    def norm(self) -> str:
        """The backbone's normalisation; empty for its own."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""


def build_network(
    recipe: Description, size: tuple[int | None, int | None], precision: str = "f32"
) -> Network:
    """Build the network with random weights.

    Args:
        size: (height, width) of the input; None for any.
        precision: "f32", or "bf16" for float32 weights that compute in bfloat16.

    Returns:
        a model (batch, height, width, 3) 0–255 RGB → the task's logits; its layer of the backbone's
        name is the backbone.
    """
    with _policy("mixed_bfloat16" if precision == "bf16" else "float32"):
        backbone = build_backbone(recipe.backbone, size, recipe.norm)
        image = keras.Input((*size, 3), name="image")
        features = backbone(image)
        maps = dict(zip(BACKBONES[recipe.backbone].strides, features, strict=False))
        top = partial(build_top, recipe.backbone, features)
        network = Network(
            image, recipe.head.build(image, maps, recipe.classes, top), name=recipe.head.task.name
        )
    for layer in layers_within(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, MOMENTUM)
    return network


def backbone_of(network: keras.Model) -> keras.Model:
    """The backbone within a network of `build_network`."""
    return next(layer for layer in network.layers if isinstance(layer, keras.Model))


def class_axes(recipe: Description, network: keras.Model) -> dict[str, int]:
    """Path of each variable of the head that has a row for each class → the axis along which the
    rows lie, in the order of the classes and behind whatever else does; -1 where it depends on the
    classes in another way.

    Found by building the head once more, for one class more.

    Args:
        network: what `build_network` made of the recipe.
    """
    backbone = backbone_of(network)
    image = keras.Input(batch_shape=network.input.shape, name="image")
    features = [keras.Input(batch_shape=map_.shape, dtype=map_.dtype) for map_ in backbone.outputs]
    maps = dict(zip(BACKBONES[recipe.backbone].strides, features, strict=False))
    one_more = (*recipe.classes, "".join(recipe.classes) + "+")
    top = partial(build_top, recipe.backbone, features)
    logits = recipe.head.build(image, maps, one_more, top)
    wider = {v.path: tuple(v.shape) for v in keras.Model([image, *features], logits).weights}
    axes = {}
    for variable in network.weights:
        ours = tuple(variable.shape)
        theirs = wider.get(variable.path, ours)
        if theirs != ours:
            more = [after - before for before, after in zip(ours, theirs, strict=True)]
            axes[variable.path] = more.index(1) if sum(map(abs, more)) == 1 else -1
    return axes


def activated(network: keras.Model, head: Any) -> keras.Model:
    """The same network with the head's activation behind it: its output lives in the target's
    space.
    """
    return keras.Model(network.input, head.activate(network.output), name=f"{head.name}_activated")


def weights_of(model: keras.Model) -> list[np.ndarray]:
    """The weights of a network, in its order, in arrays of their own."""
    # copies: JAX would share the arrays, and a training step gives them up
    return [np.array(weight.numpy()) for weight in model.weights]


def set_weights(target: keras.Model, values: Sequence[np.ndarray]) -> None:
    """Give `target` these weights, in its own order; those of another network of the same recipe
    fit, whatever its size and precision.
    """
    for weight, value in zip(target.weights, values, strict=True):
        weight.assign(value)


@contextmanager
def _policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
