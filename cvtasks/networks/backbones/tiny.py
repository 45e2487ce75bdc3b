"""Five convolutions: a network for tests, which learns eight images in seconds. Ours, from no
paper.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range


def build(image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32 with 16, 16, 24, 32, 32 channels.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.

    The statistics of BatchNormalization move with momentum 0.9 rather than Keras' 0.99, so that
    they are right after the few dozen steps such a network is trained for.
    """
    x, maps = to_unit_range(image), []
    for number, channels in enumerate((16, 16, 24, 32, 32), start=1):
        x = keras.layers.Conv2D(
            channels,
            3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.9, name=f"conv{number}_bn")(x)
        x = keras.layers.ReLU(name=f"conv{number}_relu")(x)
        maps.append(x)
    return maps
