"""Layers that TensorFlow would train slowly on a CPU, computed in another way: the same function,
the same weights.

- Batch norms: Keras takes mean and variance, and normalises, in many operations, each of which
  reads and writes the whole map, in float32 even where the network computes in bfloat16. TensorFlow
  has one operation for all that, and one for its gradient.
- Depthwise convolutions with a kernel above 3 or a stride: their gradients are far slower in
  bfloat16 than in float32, for which TensorFlow has fast code.

`benchmarks/training_step.py` measures what that is worth. JAX is left as it is.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

_FAST = 3  # the largest kernel with fast gradients in bfloat16


def quicken(network: keras.Model) -> None:
    """Make a network's training steps quicker, where the backend is TensorFlow.

    Args:
        network: changed in place; its weights, its answers and what it learns stay as they are, but
            for rounding.
    """
    if keras.config.backend() != "tensorflow":
        return
    import tensorflow as tf

    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    for layer in layers_within(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.call = partial(_normalised, layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D) and not on_gpu and _is_slow(layer):
            layer.dtype_policy = "float32"


def layers_within(model: keras.Model) -> Iterator[keras.Layer]:
    """All layers, also those of models within."""
    for layer in model.layers:
        yield from layers_within(layer) if isinstance(layer, keras.Model) else (layer,)


def _is_slow(layer: keras.layers.DepthwiseConv2D) -> bool:
    """Whether its gradients are slow in bfloat16."""
    return max(layer.kernel_size) > _FAST or max(layer.strides) > 1


def _normalised(
    layer: keras.layers.BatchNormalization, inputs: Any, training: Any = None, mask: Any = None
) -> Any:
    """What a batch norm answers: (batch, height, width, channels) → the same shape and type."""
    plain = mask is None and not layer.renorm and len(inputs.shape) == 4 and layer.axis in (3, -1)
    if not (training and layer.trainable and plain):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    zeros = np.zeros(inputs.shape[-1], np.float32)
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else zeros + 1
    offset = tf.convert_to_tensor(layer.beta) if layer.center else zeros
    # its operation itself, since the function around it raises epsilons below 1.001e-5
    made = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=layer.epsilon
    )
    places = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
    biased = made.batch_variance * (1 - 1 / places)  # as Keras', PyTorch's is the other
    for kept, seen in ((layer.moving_mean, made.batch_mean), (layer.moving_variance, biased)):
        kept.assign(kept * layer.momentum + seen * (1 - layer.momentum))
    return made.y
