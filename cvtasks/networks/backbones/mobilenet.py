"""MobileNet (version 1), from keras.applications.

Howard et al. 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", table 1. As in keras.applications, ReLU is cut at 6, and 3x3 depthwise convolutions
of stride 2 are padded at the bottom and the right.

| stage | output at 224×224 |
|---|---|
| conv1, block 1 | 112×112×64 |
| blocks 2, 3 | 56×56×128 |
| blocks 4, 5 | 28×28×256 |
| blocks 6 to 11 | 14×14×512 |
| blocks 12, 13 | 7×7×1024 |
| mean, logits | 1024, 1000 |

4,253,864 parameters with 1000 classes at alpha 1, the statistics of normalisation among them;
2,601,976, 1,342,536 and 475,544 at 0.75, 0.5 and 0.25.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range
from cvtasks.networks.pooled_head import pooled


def build(image: keras.KerasTensor, alpha: float, last: int = 13) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32: the last ReLU of each resolution.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        alpha: width multiplier (section 3.3); 64, 128, 256, 512, 1024 channels times alpha.
        last: the block that ends the trunk, 12 or 13. Without block 13 a third of the parameters is
            saved (2.2 M instead of 3.2 M at alpha 1), for tasks whose head brings its own layers at
            stride 32.
    """
    trunk = keras.applications.MobileNet(
        input_tensor=to_unit_range(image), include_top=False, weights=None, alpha=alpha
    )
    return [trunk.get_layer(f"conv_pw_{block}_relu").output for block in (1, 3, 5, 11, last)]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    alpha: float,
    last: int = 13,
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`."""
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]
