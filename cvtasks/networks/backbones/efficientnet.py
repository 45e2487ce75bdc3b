"""EfficientNet, and EfficientNet-Lite, which has neither squeeze-and-excitation nor swish.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", table 1
and section 4; Lite: its authors' definition in the repository tensorflow/tpu, models/official/
efficientnet/lite: ReLU cut at 6, a stem, a head and ends of the trunk that do not grow, all of
which is exact in few bits. Layers have keras.applications' names.

| stage | kernel, expansion | channels, layers (B0) | stride of the output |
|---|---|---|---|
| stem | 3×3 | 32 | 2 |
| block1 | 3×3, 1 | 16, 1 | 2 |
| block2 | 3×3, 6 | 24, 2 | 4 |
| block3 | 5×5, 6 | 40, 2 | 8 |
| block4 | 3×3, 6 | 80, 3 | 16 |
| block5 | 5×5, 6 | 112, 3 | 16 |
| block6 | 5×5, 6 | 192, 4 | 32 |
| block7, top | 3×3, 6; 1×1 | 320, 1; 1280 | 32 |

5,330,564 parameters with 1000 classes at B0, the statistics of normalisation among them (those of
keras.applications' input are seven more); 4,694,024 at Lite0, 5,470,344 and 6,150,168 at Lite1 and
2. The map of a stride is the last before the resolution is halved, the wide one between expansion
and depthwise convolution. Deviation: no blocks are dropped while training (stochastic depth), since
a trunk that is frozen would go on dropping them.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from cvtasks.networks.backbones.input_scaling import to_signed_range, to_standardised
from cvtasks.networks.pooled_head import pooled

_STAGES = (  # layers, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_LITE_ZERO = 127.0
_SQUEEZED = 0.25  # channels of the squeezed place to one of the block's input


@dataclass(frozen=True)
class _Kind:
    """What tells the two kinds of networks apart."""

    activation: str
    squeezes: bool


def build(
    image: keras.KerasTensor, width: float, depth: float, lite: bool = False
) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        width: multiplies channels (section 3.3).
        depth: multiplies layers.
        lite: build the network without squeeze-and-excitation.
    """
    kind = _Kind("relu6" if lite else "silu", not lite)
    wide = (lambda channels: channels) if lite else partial(_rounded, width)
    x = to_signed_range(image, _LITE_ZERO) if lite else to_standardised(image)
    x = _normalised(_convolution(wide(32), 3, "stem_conv", strides=2)(x), "stem_bn")
    x, maps = _activated(x, kind, "stem_activation"), []
    for number, (layers, kernel, stride, expansion, channels) in enumerate(_STAGES, start=1):
        fixed = lite and number in (1, len(_STAGES))
        for index in range(layers if fixed else math.ceil(depth * layers)):
            name = f"block{number}{chr(ord('a') + index)}_"
            given = x
            if expansion > 1:
                x = _expanded(x, expansion * x.shape[-1], kind, name)
            if index == 0 and stride > 1:
                maps.append(x)
            x = _depthwise(x, kernel, stride if index == 0 else 1, kind, name)
            if kind.squeezes:
                x = _excited(x, max(1, int(_SQUEEZED * given.shape[-1])), kind, name)
            x = _convolution(_rounded(width, channels), 1, f"{name}project_conv")(x)
            x = _normalised(x, f"{name}project_bn")
            if index:
                x = keras.layers.Add(name=f"{name}add")([x, given])
    x = _normalised(_convolution(wide(1280), 1, "top_conv")(x), "top_bn")
    return [*maps, _activated(x, kind, "top_activation")]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    width: float,
    depth: float,
    lite: bool = False,
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`."""
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]


def _rounded(width: float, channels: int) -> int:
    """Channels times the width, a multiple of eight and not below nine tenths of it."""
    wanted = width * channels
    found = max(8, int(wanted + 4) // 8 * 8)
    return found + 8 if found < 0.9 * wanted else found


def _expanded(x: keras.KerasTensor, channels: int, kind: _Kind, name: str) -> keras.KerasTensor:
    x = _normalised(_convolution(channels, 1, f"{name}expand_conv")(x), f"{name}expand_bn")
    return _activated(x, kind, f"{name}expand_activation")


def _depthwise(
    x: keras.KerasTensor, kernel: int, stride: int, kind: _Kind, name: str
) -> keras.KerasTensor:
    convolution = keras.layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer=_started(),
        name=f"{name}dwconv",
    )
    return _activated(_normalised(convolution(x), f"{name}bn"), kind, f"{name}activation")


def _excited(x: keras.KerasTensor, squeezed: int, kind: _Kind, name: str) -> keras.KerasTensor:
    """Each channel weighed by what the means of all channels say (Hu et al. 2018)."""
    means = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}se_squeeze")(x)
    ways: dict[str, Any] = {"kernel_initializer": _started(), "padding": "same"}
    few = keras.layers.Conv2D(
        squeezed, 1, activation=kind.activation, name=f"{name}se_reduce", **ways
    )(means)
    weights = keras.layers.Conv2D(
        x.shape[-1], 1, activation="sigmoid", name=f"{name}se_expand", **ways
    )(few)
    return keras.layers.Multiply(name=f"{name}se_excite")([x, weights])


def _convolution(channels: int, kernel: int, name: str, strides: int = 1) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=_started(),
        name=name,
    )


def _normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _activated(x: keras.KerasTensor, kind: _Kind, name: str) -> keras.KerasTensor:
    return keras.layers.Activation(kind.activation, name=name)(x)


def _started() -> keras.initializers.Initializer:
    """He's, by the number of outputs, as the authors have it."""
    return keras.initializers.VarianceScaling(2.0, mode="fan_out", distribution="truncated_normal")
