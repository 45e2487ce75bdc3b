"""Xception.

Chollet 2017, "Xception: Deep Learning with Depthwise Separable Convolutions", figure 5, with the
details of keras.applications, whose weights fit.

| stage | output at 299×299 |
|---|---|
| block1, 3×3, stride 2, and 3×3 | 149×149×32, 147×147×64 |
| block2 | 74×74×128 |
| block3 | 37×37×256 |
| block4; block5 to 12 | 19×19×728 |
| block13 | 10×10×1024 |
| block14 | 10×10×2048 |
| mean, logits | 2048, 1000 |

22,910,480 parameters with 1000 classes, the statistics of normalisation among them. The two first
convolutions are not padded. The map of a stride is the last before the resolution is halved.

Shortcuts have names of their own: keras.applications numbers them anew in every session. Layers are
in its order.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range
from cvtasks.networks.pooled_head import pooled


def build(image: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32: of block2, 3, 4 and 13 before they are pooled, and
    block14; 128, 256, 728, 1024, 2048 channels.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255, sides of at least 71.
    """
    x = to_unit_range(image)
    for number, channels in enumerate((32, 64), start=1):
        name = f"block1_conv{number}"
        x = keras.layers.Conv2D(channels, 3, strides=3 - number, use_bias=False, name=name)(x)
        x = keras.layers.ReLU(name=f"{name}_act")(_normalised(x, f"{name}_bn"))
    maps = []
    for block, widths in ((2, (128, 128)), (3, (256, 256)), (4, (728, 728))):
        x, finest = _halved(x, block, widths)
        maps.append(finest)
    for block in range(5, 13):
        given = x
        for number in (1, 2, 3):
            x = _separable(x, 728, f"block{block}_sepconv{number}")
        x = keras.layers.Add(name=f"block{block}_add")([x, given])
    x, finest = _halved(x, 13, (728, 1024))
    maps.append(finest)
    for number, channels in enumerate((1536, 2048), start=1):
        x = _separable(x, channels, f"block14_sepconv{number}", first=False)
        x = keras.layers.ReLU(name=f"block14_sepconv{number}_act")(x)
    return [*maps, x]


def top(
    features: list[keras.KerasTensor], classes: int, dropout: float, auxiliary: bool
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`."""
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]


def _halved(
    x: keras.KerasTensor, block: int, widths: tuple[int, int]
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Two separable convolutions, pooled and added to a projection; and what they were before
    they were pooled.
    """
    name = f"block{block}"
    short = keras.layers.Conv2D(
        widths[-1], 1, strides=2, padding="same", use_bias=False, name=f"{name}_short_conv"
    )(x)
    short = _normalised(short, f"{name}_short_bn")
    for number, channels in enumerate(widths, start=1):
        # block2 follows a ReLU
        x = _separable(x, channels, f"{name}_sepconv{number}", first=(block, number) != (2, 1))
    pooled_map = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return keras.layers.Add(name=f"{name}_add")([pooled_map, short]), x


def _separable(
    x: keras.KerasTensor, channels: int, name: str, first: bool = True
) -> keras.KerasTensor:
    """A separable convolution, normalised, with a ReLU before it if it comes `first`."""
    if first:
        x = keras.layers.ReLU(name=f"{name}_act")(x)
    x = keras.layers.SeparableConv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    return _normalised(x, f"{name}_bn")


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(name=name)(x)
