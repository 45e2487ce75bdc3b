"""What the classifiers of the papers are made of. Layers end in float32 logits; the softmax is the
task's.
"""

from collections.abc import Sequence
from typing import Any

import keras

from cvtasks.errors import ModelError


def flattened(x: keras.KerasTensor, name: str = "flatten") -> keras.KerasTensor:
    """`x` `(batch, height, width, channels)` as `(batch, height · width · channels)`.

    Raises:
        ModelError: height or width is open, so that no dense layer can follow.
    """
    if None in x.shape[1:]:
        raise ModelError(
            "a classifier with dense layers needs images of a fixed size; got maps of "
            f"{tuple(x.shape[1:])}."
        )
    return keras.layers.Flatten(name=name)(x)


def dense_layers(
    x: keras.KerasTensor,
    names: Sequence[str],
    units: Sequence[int],
    classes: int,
    dropout: float,
    activation: str = "relu",
    logits: str = "logits",
    **start: Any,
) -> keras.KerasTensor:
    """Logits `(batch, classes)` float32: a dense layer of each of `units`, hidden by
    `dropout`, then one of the classes.

    Args:
        x: a map, or `(batch, features)`.
        names: of the hidden layers; `logits`: of the last.
        start: initializers of their kernels and biases, as `keras.layers.Dense` takes them.
    """
    if len(x.shape) == 4:
        x = flattened(x)
    for name, count in zip(names, units, strict=True):
        x = keras.layers.Dense(count, activation=activation, name=name, **start)(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return keras.layers.Dense(classes, dtype="float32", name=logits)(x)
