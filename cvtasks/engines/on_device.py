"""A function of a network as Keras' back end compiles it, whose results stay on the device until
somebody fetches them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras


class OnDevice:
    """Runs it as it is, on a back end that compiles nothing.

    Args:
        function: of a tree of tensors, by `keras.ops` and layers.
        variables: that it reads; those that change are seen at the next call.
    """

    def __init__(
        self, function: Callable[[Any], Any], variables: Sequence[keras.Variable] = ()
    ) -> None:
        self._function, self._variables = function, variables

    def __call__(self, inputs: Any) -> Any:
        """A tree of arrays → a tree of the device's arrays, which may not be computed yet."""
        return self._function(inputs)

    def fetch(self, results: Any) -> Any:
        """A tree of the device's arrays → NumPy's. Waits for them."""
        return keras.tree.map_structure(keras.ops.convert_to_numpy, results)


class _OnJax(OnDevice):
    def __init__(
        self, function: Callable[[Any], Any], variables: Sequence[keras.Variable] = ()
    ) -> None:
        import jax

        super().__init__(function, variables)

        def run(values: Sequence[Any], inputs: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(inputs)

        self._compiled = jax.jit(run)
        self._place_on, self._get, self._array = jax.device_put, jax.device_get, jax.Array
        shared = keras.distribution.distribution()  # where several devices learn as one
        self._place = shared.get_data_layout((1,)).backend_layout if shared else None

    def __call__(self, inputs: Any) -> Any:
        return self._compiled([own.value for own in self._variables], self._put(inputs))

    def _put(self, inputs: Any) -> Any:
        """NumPy's arrays on the device; on several, each has its part of what can be divided. What
        lies on devices already stays there, perhaps on those of several hosts.
        """
        if all(isinstance(one, self._array) for one in keras.tree.flatten(inputs)):
            return inputs
        if self._place is None:
            return self._place_on(inputs)
        number = self._place.num_devices
        divided = all(len(one) % number == 0 for one in keras.tree.flatten(inputs))
        return self._place_on(inputs, self._place) if divided else self._place_on(inputs)

    def fetch(self, results: Any) -> Any:
        return self._get(results)


class _OnTensorFlow(OnDevice):
    def __init__(
        self, function: Callable[[Any], Any], variables: Sequence[keras.Variable] = ()
    ) -> None:
        import tensorflow as tf

        super().__init__(function, variables)
        on_gpu = bool(tf.config.list_logical_devices("GPU"))  # as Keras' own "auto"
        self._compiled = tf.function(
            function, autograph=False, reduce_retracing=True, jit_compile=on_gpu or None
        )
        self._tensor = tf.convert_to_tensor

    def __call__(self, inputs: Any) -> Any:
        return self._compiled(keras.tree.map_structure(self._tensor, inputs))


def on_device(function: Callable[[Any], Any], variables: Sequence[keras.Variable] = ()) -> OnDevice:
    """The function on Keras' back end."""
    kinds = {"jax": _OnJax, "tensorflow": _OnTensorFlow}
    return kinds.get(keras.config.backend(), OnDevice)(function, variables)
