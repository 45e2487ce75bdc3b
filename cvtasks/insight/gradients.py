"""Gradients of a function of one array, on whichever back end Keras runs. Keras itself has no
function for it.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def value_and_gradient(
    function: Callable[[Any], Any], at: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The function's values at an array, and the gradient of their sum with respect to it.

    Args:
        function: a tensor of the array's shape → a tensor of any shape, by Keras' layers and
            operations.
        at: any shape, taken as float32.

    Returns:
        the values, float32, and the gradient, float32 of the array's shape; zeros where the
        function does not depend on it.
    """
    start = np.asarray(at, np.float32)
    back_end = keras.config.backend()
    if back_end == "tensorflow":
        values, gradient = _by_tensorflow(function, start)
    elif back_end == "jax":
        values, gradient = _by_jax(function, start)
    else:
        values, gradient = _by_torch(function, start)
    return np.asarray(values, np.float32), np.asarray(gradient, np.float32)


def _by_tensorflow(function: Callable[[Any], Any], start: np.ndarray) -> tuple[Any, Any]:
    import tensorflow as tf

    x = tf.convert_to_tensor(start)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = function(x)
        total = tf.reduce_sum(tf.cast(values, tf.float32))
    return values, tape.gradient(total, x, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _by_jax(function: Callable[[Any], Any], start: np.ndarray) -> tuple[Any, Any]:
    import jax
    import jax.numpy as jnp

    def total(x: Any) -> tuple[Any, Any]:
        values = function(x)
        return jnp.sum(values.astype(jnp.float32)), values

    (_, values), gradient = jax.value_and_grad(total, has_aux=True)(jnp.asarray(start))
    return values, gradient


def _by_torch(function: Callable[[Any], Any], start: np.ndarray) -> tuple[Any, Any]:
    x = keras.ops.convert_to_tensor(start).requires_grad_(True)
    values = function(x)
    if values.requires_grad:
        values.float().sum().backward()
    return keras.ops.convert_to_numpy(values), np.zeros_like(
        start
    ) if x.grad is None else keras.ops.convert_to_numpy(x.grad)
