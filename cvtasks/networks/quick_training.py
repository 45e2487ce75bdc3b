"""Layers that TensorFlow would train slowly on a CPU, computed in another way: the same function,
the same weights.

- Batch norms: Keras takes mean and variance, and normalises, in many operations, each of which
  reads and writes the whole map, in float32 even where the network computes in bfloat16. TensorFlow
  has one operation for all that, and one for its gradient; frozen ones use it with the statistics
  that they have.
- Depthwise convolutions with a kernel above 3 or a stride: their gradients are far slower in
  bfloat16 than in float32, for which TensorFlow has fast code.
- SiLU: its gradient is many operations, of which in bfloat16 the sigmoid alone takes longer than
  the forward pass. XLA makes one of them.

`benchmarks/training_step.py` measures what that is worth. JAX is left as it is.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
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
    silu = None if on_gpu else _silu()
    for layer in layers_within(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.call = partial(_normalised, layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D) and not on_gpu and _is_slow(layer):
            layer.dtype_policy = "float32"
        elif silu and isinstance(layer, keras.layers.Activation) and _is_silu(layer):
            layer.call = partial(_activated, layer, silu)


def shapes_may_vary() -> bool:
    """Whether a training step's arrays may have another shape in each step, without being compiled
    again.
    """
    if keras.config.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_logical_devices("GPU")


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
    if not (training and plain):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    zeros = np.zeros(inputs.shape[-1], np.float32)
    scale = tf.convert_to_tensor(layer.gamma) if layer.scale else zeros + 1
    offset = tf.convert_to_tensor(layer.beta) if layer.center else zeros
    frozen = not layer.trainable
    known = (layer.moving_mean, layer.moving_variance) if frozen else ((), ())
    # its operation itself, since the function around it raises epsilons below 1.001e-5
    made = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=scale,
        offset=offset,
        mean=tf.convert_to_tensor(known[0], tf.float32),
        variance=tf.convert_to_tensor(known[1], tf.float32),
        epsilon=layer.epsilon,
        is_training=not frozen,
    )
    if frozen:
        return made.y
    places = inputs.shape[:-1].num_elements()
    if places is None:
        places = tf.cast(tf.reduce_prod(tf.shape(inputs)[:-1]), tf.float32)
    biased = made.batch_variance * (1 - 1 / places)  # as Keras', PyTorch's is the other
    for kept, seen in ((layer.moving_mean, made.batch_mean), (layer.moving_variance, biased)):
        handle = kept.value.handle
        gap = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32) - seen
        part = tf.constant(1 - layer.momentum)
        tf.raw_ops.ResourceApplyGradientDescent(var=handle, alpha=part, delta=gap)
    return made.y


def _is_silu(layer: keras.layers.Activation) -> bool:
    return bool(layer.activation is keras.activations.silu)


def _activated(layer: keras.layers.Activation, silu: Callable[[Any], Any], inputs: Any) -> Any:
    """What an activation answers: any shape → the same shape and type."""
    if isinstance(inputs, keras.KerasTensor):
        return type(layer).call(layer, inputs)
    return silu(inputs)


@cache
def _silu() -> Callable[[Any], Any] | None:
    """TensorFlow's SiLU with a gradient that XLA computes in one operation; None where this
    TensorFlow has no XLA for CPUs.
    """
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def slope(x: Any, gradient: Any) -> Any:
        """In float32, which is quicker here."""
        wide = tf.cast(x, tf.float32)
        shown = tf.sigmoid(wide)
        found = tf.cast(gradient, tf.float32) * (shown + wide * shown * (1 - shown))
        return tf.cast(found, x.dtype)

    @tf.custom_gradient
    def silu(x: Any) -> tuple[Any, Callable[[Any], Any]]:
        return tf.nn.silu(x), partial(slope, x)

    try:
        slope(tf.zeros(1), tf.zeros(1))
    except (tf.errors.OpError, NotImplementedError):
        return None
    return silu
