"""Batch norms whose statistics and scales were folded into the layers before them, as converters of
networks for inference do: what is left is mean 0, variance 1, scale 1 and an offset.

Such a network answers right, and cannot be trained on as it is: training normalizes by the
statistics of the batch, which is another function wherever a batch's variance is not 1.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from cvtasks.networks.build import backbone_of


def folded_norms(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch norms of a network of `build_network` that were folded; a fresh one is none, as it
    has no offset.
    """
    return [norm for model in (backbone_of(network), network) for norm in _folded(model)]


def unfold_norms(network: keras.Model, images: Iterable[np.ndarray]) -> None:
    """Give folded batch norms the statistics of their inputs, and scales and offsets by which the
    network answers as before.

    Args:
        network: of `build_network`; changed in place.
        images: batches (n, height, width, 3), 0–255 RGB.
    """
    models = [model for model in (backbone_of(network), network) if _folded(model)]
    measures = [_measuring(model) for model in models]
    found = [[measure.predict_on_batch(batch) for measure in measures] for batch in images]
    for model, batches in zip(models, zip(*found, strict=True), strict=True):
        for norm, values in zip(_folded(model), zip(*batches, strict=True), strict=True):
            means, variances = np.stack(values).astype(np.float64).swapaxes(0, 1)
            _set(norm, means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0))


def _folded(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Those among a model's own layers."""
    return [layer for layer in _norms(model) if _is_folded(layer)]


def _norms(model: keras.Model) -> Iterator[keras.layers.BatchNormalization]:
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization) and layer.center and layer.scale:
            yield layer


def _is_folded(norm: keras.layers.BatchNormalization) -> bool:
    variance = _array(norm.moving_variance)
    return bool(
        (_array(norm.moving_mean) == 0).all()
        and (variance == variance[0]).all()
        and (_array(norm.gamma) == 1).all()
        and _array(norm.beta).any()
    )


def _measuring(model: keras.Model) -> keras.Model:
    """Image → for each folded norm (2, channels) float32, mean and variance of its input."""
    outputs = []
    for norm in _folded(model):
        values = ops.cast(norm.input, "float32")
        axes = tuple(range(len(values.shape) - 1))
        outputs.append(ops.stack([ops.mean(values, axis=axes), ops.var(values, axis=axes)]))
    return keras.Model(model.inputs, outputs)


def _set(norm: keras.layers.BatchNormalization, mean: np.ndarray, variance: np.ndarray) -> None:
    """Give a norm other statistics, with which it is the same function."""
    before = np.sqrt(_array(norm.moving_variance).astype(np.float64) + norm.epsilon)
    scale, offset = _array(norm.gamma) / before, _array(norm.beta)
    norm.beta.assign(offset + scale * (mean - _array(norm.moving_mean)))
    norm.gamma.assign(scale * np.sqrt(variance + norm.epsilon))
    norm.moving_mean.assign(mean)
    norm.moving_variance.assign(variance)


def _array(variable: Any) -> np.ndarray:
    values: np.ndarray = ops.convert_to_numpy(variable.value)
    return values
