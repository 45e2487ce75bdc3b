"""Gradients on the back ends that Keras runs on, and networks whose backward pass through a ReLU
follows another rule.

With g the signal from above and x the ReLU's input (Springenberg et al., "Striving for Simplicity:
The All Convolutional Net", 2015, section 3.4 and figure 1):

| rule | signal passed down |
|---|---|
| gradient | g · (x > 0) |
| deconvnet | g · (g > 0), whatever x was (Zeiler and Fergus, "Visualizing and Understanding
Convolutional Networks", 2014, section 2.1) |
| guided | g · (x > 0) · (g > 0), both of them |

Of a ReLU cut at 6, x > 0 means 0 < x < 6. The backward pass of max pooling already is the unpooling
with switches of Zeiler and Fergus, and that of a convolution their transposed filters, so nothing
else has to change. Other activations (tanh, leaky ReLU, swish, hard swish, GELU …) do not rectify:
they keep their own gradient under every rule.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.graph import Unfolded, unfold, walk

Rule = Literal["gradient", "guided", "deconvnet"]

NO_SWITCHES = (
    "without max pooling a deconvnet hardly depends on the image; a grid is of the strides"
)
"""What is said of a deconvnet where `has_switches` is false."""

_RELUS = {"relu": None, "relu6": 6.0}  # name of the activation or operation → where it is cut


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
    by = _by_tensorflow if keras.config.backend() == "tensorflow" else _by_jax
    values, gradient = by(function, np.asarray(at, np.float32))
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


# === ReLUs ===


def rectify(network: keras.Model, rule: Rule) -> Unfolded:
    """The same weights and outputs, with a backward pass through every ReLU that follows the rule.

    ReLUs are found as layers, as activations of other layers and as operations, also in networks
    within the network. All layers keep their names in the new network, which has no networks in it.

    Raises:
        UsageError: no such rule; or a network without any ReLU, where guided backpropagation and
            deconvnet would not differ from the gradient.
    """
    rules = get_args(Rule)
    if rule not in rules:
        raise UsageError(
            f"the rule of a ReLU must be one of {', '.join(rules)}; got {rule!r}. "
            f"{did_you_mean(str(rule), rules)}"
        )
    found: Counter[str] = Counter()

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        most = relu_limit(layer)
        if most is False:
            return layer(*args, **kwargs)
        times = found[layer.name]
        name = f"{layer.name}_{times}" if times else layer.name  # it may be called several times
        found[layer.name] += 1
        ruled = relu(rule, most)
        if hasattr(layer, "activation"):
            return _Activated(layer, ruled, name)(args[0])
        return keras.layers.Activation(ruled, name=name)(args[0])

    unfolded = unfold(network, call if rule != "gradient" else None)
    if rule != "gradient" and not found:
        raise UsageError(
            f"the rule {rule!r} is about ReLUs; the network has none, so it would be the plain "
            "gradient. "
            "Choose a method that needs none, such as integrated or grad-cam."
        )
    return unfolded


def has_switches(network: keras.Model) -> bool:
    """Whether max pooling tells a deconvnet where in the image to go.

    Without one it is led by the weights alone: its map is nearly the same for every image, and
    shows a grid where strided convolutions overlap (Springenberg et al. 2015, section 3.4).
    """
    layers = (call.operation for call in walk(network).calls)
    return any(isinstance(layer, keras.layers.MaxPooling2D) for layer in layers)


def without_end(network: keras.Model) -> tuple[Unfolded, str]:
    """A network that ends in logits: the same weights without the softmax or sigmoid at its end,
    and that one's name.

    Returns:
        the network unfolded, and "softmax", "sigmoid", or "" where it ends in neither and is left
        as it is.

    Raises:
        UsageError: as `unfold` does.
    """
    graph = walk(network)
    ends = [call.operation for call in graph.calls if call.outputs[0] in graph.outputs]
    last: Any = ends[0] if ends else None
    softmax = isinstance(last, keras.layers.Softmax)
    name = "softmax" if softmax else getattr(getattr(last, "activation", None), "__name__", "")
    if name not in ("softmax", "sigmoid"):
        return unfold(network), ""

    def without(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer is not last:
            return layer(*args, **kwargs)
        if softmax or not hasattr(layer, "activation"):
            return args[0]
        return _Activated(layer, keras.activations.linear, layer.name)(args[0])

    return unfold(network, without), name


def relu_limit(layer: Any) -> float | Literal[False] | None:
    """Where a ReLU, or a layer that ends in one, is cut (6, or None for nowhere); False where it
    does not end in a ReLU.
    """
    if isinstance(layer, keras.layers.ReLU):
        return False if layer.negative_slope or layer.threshold else layer.max_value
    if not isinstance(layer, keras.layers.Layer):  # an operation: keras.ops.relu within the graph
        return _RELUS.get(type(layer).__name__.lower(), False)
    return _RELUS.get(getattr(getattr(layer, "activation", None), "__name__", ""), False)


def relu(rule: Rule, most: float | None = None) -> Callable[[Any], Any]:
    """A ReLU, cut at `most`, that is differentiated by the rule."""

    @ops.custom_gradient
    def forward(x: Any) -> tuple[Any, Callable[..., Any]]:
        y = ops.relu(x) if most is None else ops.clip(x, 0.0, most)

        def backward(*args: Any, upstream: Any = None) -> Any:
            g = args[0] if upstream is None else upstream
            if rule != "gradient":
                g = ops.relu(g)
            if rule != "deconvnet":
                passed = x > 0 if most is None else ops.logical_and(x > 0, x < most)
                g = g * ops.cast(passed, g.dtype)
            return g

        return y, backward

    return forward


class _Activated(keras.layers.Layer):
    """Stands for a layer with an activation: the layer itself, with another function at its end
    while it is called.
    """

    def __init__(
        self, layer: keras.layers.Layer, function: Callable[[Any], Any], name: str
    ) -> None:
        super().__init__(name=name, dtype=layer.dtype_policy)
        self._layer, self._function = layer, function

    def call(self, x: Any) -> Any:
        """Call the layer."""
        before, self._layer.activation = self._layer.activation, self._function
        try:
            return self._layer(x)
        finally:
            self._layer.activation = before
