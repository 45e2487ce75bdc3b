"""MobileNet (version 1), from keras.applications.

Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", table 1. As in
keras.applications, ReLU is cut at 6, and 3x3 depthwise convolutions of stride 2 are padded at the bottom and the right.
"""

import keras

from cvtasks.networks.backbones.normalisation import to_unit_range


def build(image: keras.KerasTensor, alpha: float, last: int = 13) -> list[keras.KerasTensor]:
    """Return the maps of stride 2, 4, 8, 16, 32: the last ReLU of each resolution.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        alpha: width multiplier (section 3.3); 64, 128, 256, 512, 1024 channels times alpha.
        last: the block that ends the trunk, 12 or 13. Without block 13 a third of the parameters is saved (2.2 M
            instead of 3.2 M at alpha 1), for tasks whose head brings its own layers at stride 32.
    """
    trunk = keras.applications.MobileNet(input_tensor=to_unit_range(image), include_top=False, weights=None, alpha=alpha)
    return [trunk.get_layer(f"conv_pw_{block}_relu").output for block in (1, 3, 5, 11, last)]
