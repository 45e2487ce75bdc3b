"""What each step does to every variable, by one operation of TensorFlow's where Keras has dozens: a
step is traced and optimised sooner, and takes less time. The formulas are Keras' own.

The variables are float32, the gradients too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import keras

Share = float
"""Of the learning rate, at which a variable learns; 0 to 1."""


def are_possible() -> bool:
    """Whether these are for the back end."""
    return keras.config.backend() == "tensorflow"


def adam(
    changed: Iterable[tuple[Any, keras.Variable, keras.Variable, keras.Variable, Share]],
    optimizer: keras.optimizers.Adam,
    rate: Any,
) -> None:
    """Update variables as Adam does.

    Args:
        changed: the gradient, the variable, its first and second moment, its share.
        rate: the learning rate.
    """
    import tensorflow as tf

    tensor, step = tf.convert_to_tensor, keras.ops.cast(optimizer.iterations + 1, "float32")
    betas = tensor(optimizer.beta_1), tensor(optimizer.beta_2)
    powers, epsilon = [tf.pow(beta, step) for beta in betas], tensor(optimizer.epsilon)
    rates = _Rates(rate)
    for gradient, variable, first, second, share in changed:
        tf.raw_ops.ResourceApplyAdam(
            var=variable.value.handle,
            m=first.value.handle,
            v=second.value.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=rates[share],
            beta1=betas[0],
            beta2=betas[1],
            epsilon=epsilon,
            grad=gradient,
        )


def momentum(
    changed: Iterable[tuple[Any, keras.Variable, keras.Variable | None, Share]],
    optimizer: keras.optimizers.SGD,
    rate: Any,
) -> None:
    """Update variables as SGD does.

    Args:
        changed: the gradient, the variable, its momentum if there is one, its share.
        rate: the learning rate.
    """
    import tensorflow as tf

    kept, rates = tf.convert_to_tensor(optimizer.momentum), _Rates(rate)
    for gradient, variable, accumulated, share in changed:
        handle = variable.value.handle
        if accumulated is None:
            tf.raw_ops.ResourceApplyGradientDescent(var=handle, alpha=rates[share], delta=gradient)
            continue
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=handle,
            accum=accumulated.value.handle,
            lr=rates[share],
            grad=gradient,
            momentum=kept,
            use_nesterov=optimizer.nesterov,
        )


def decay(changed: Iterable[tuple[keras.Variable, Share]], rate: Any) -> None:
    """Take a part of each variable away: `rate` × its share."""
    import tensorflow as tf

    rates = _Rates(rate)
    for variable, share in changed:
        handle = variable.value.handle
        tf.raw_ops.ResourceApplyGradientDescent(var=handle, alpha=rates[share], delta=_read(handle))


def approach(moved: Iterable[tuple[keras.Variable, keras.Variable]], part: Any) -> None:
    """Move each first variable a part, 0 to 1, of its way to the second."""
    import tensorflow as tf

    for variable, aim in moved:
        handle = variable.value.handle
        gap = tf.raw_ops.Sub(x=_read(handle), y=_read(aim.value.handle))
        tf.raw_ops.ResourceApplyGradientDescent(var=handle, alpha=part, delta=gap)


def clipped(gradients: Sequence[Any], most: float) -> list[Any]:
    """The gradients, scaled so that their norm together is at most so much; NaN where it is not
    finite.
    """
    import tensorflow as tf

    size = norm(gradients)
    scale = most * tf.minimum(1 / size, 1 / most) + (size - size)
    return [None if one is None else tf.raw_ops.Mul(x=one, y=scale) for one in gradients]


def norm(gradients: Sequence[Any]) -> Any:
    """Of the gradients together, () float32."""
    import tensorflow as tf

    return tf.linalg.global_norm(gradients)


def _read(handle: Any) -> Any:
    import tensorflow as tf

    return tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)


class _Rates(dict[Share, Any]):
    """Of each share, made when it is first asked for."""

    def __init__(self, rate: Any) -> None:
        import tensorflow as tf

        super().__init__()
        self._rate = tf.convert_to_tensor(rate)

    def __missing__(self, share: Share) -> Any:
        self[share] = self._rate * share
        return self[share]
