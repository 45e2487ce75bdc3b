"""Dense layers that read a flattened map: PyTorch flattens channel by channel, Keras place by
place.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras


def flattened_maps(model: "keras.Model") -> dict[str, tuple[int, int, int]]:
    """{path of a dense layer's kernel: (height, width, channels) of the map that the layer
    reads flattened}.
    """
    import keras

    found: dict[str, tuple[int, int, int]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= flattened_maps(layer)
        elif isinstance(layer, keras.layers.Dense) and len(layer._inbound_nodes) == 1:
            before = _before(layer)
            while (
                before is not None
                and not isinstance(before, keras.layers.Flatten)
                and _keeps(before)
            ):
                before = _before(before)  # dropout, activations
            if (
                isinstance(before, keras.layers.Flatten)
                and len(before.input.shape) == 4
                and None not in before.input.shape[1:]
            ):
                found[layer.kernel.path] = tuple(before.input.shape[1:])
    return found


def from_channels_first(kernel: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Reorder the rows of a dense kernel (channels · height · width, units) to (height · width ·
    channels, units).

    >>> two_channels = np.array([[0], [1], [10], [11]])
    >>> from_channels_first(two_channels, (1, 2, 2)).ravel()
    array([ 0, 10,  1, 11])
    """
    height, width, channels = shape
    return kernel.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)


def _before(layer: Any) -> Any:
    """The layer that made the layer's input; None for several inputs or calls."""
    if len(layer._inbound_nodes) != 1 or len(layer._inbound_nodes[0].input_tensors) != 1:
        return None
    return layer._inbound_nodes[0].input_tensors[0]._keras_history.operation


def _keeps(layer: Any) -> bool:
    """Whether values stay where they are: (batch, n) in and out, each for itself."""
    import keras

    return isinstance(
        layer,
        keras.layers.Dropout
        | keras.layers.Activation
        | keras.layers.ReLU
        | keras.layers.BatchNormalization,
    )
