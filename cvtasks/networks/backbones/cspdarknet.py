"""CSPDarknet, the backbone of YOLOX, and the units that its neck and head are made of.

Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021", section 2.1; cross-stage partial layers:
Wang et al. 2019, "CSPNet", figure 2b; the sizes are those of the published weights, under whose
names layers go (`dark3.1.m.0.conv1.conv` is `dark3_1_m_0_conv1_conv`).

| stage | output at 640×640 | layers |
|---|---|---|
| stem | 320×320×64 | space to depth, 3×3 |
| dark2 | 160×160×128 | 3×3 of stride 2, CSP of n bottlenecks |
| dark3 | 80×80×256 | 3×3 of stride 2, CSP of 3n |
| dark4 | 40×40×512 | 3×3 of stride 2, CSP of 3n |
| dark5 | 20×20×1024 | 3×3 of stride 2, pyramid pooling, CSP of n without shortcuts |

| | nano | tiny | s | m | l | x |
|---|---|---|---|---|---|---|
| channels times | 0.25 | 0.375 | 0.5 | 0.75 | 1 | 1.25 |
| n | 1 | 1 | 1 | 2 | 3 | 4 |

In nano a 3×3 convolution is a depthwise one and a 1×1, each with its norm and activation.
"""

from typing import final

import keras

from cvtasks.networks.backbones.input_scaling import to_float
from cvtasks.networks.backbones.norms import BARE, normalised

EPSILON = 1e-3
"""Of batch normalisation, as in the published networks."""


def build(
    image: keras.KerasTensor, width: float, blocks: int, depthwise: bool = False, norm: str = ""
) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32: the stem, then the ends of the stages.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        width: multiplies the channels, 64 to 1024.
        blocks: bottlenecks of the first and the last stage; those between have three times as many.
        depthwise: split 3×3 convolutions behind the stem.
        norm: "" for "batch".
    """
    units = Units(norm or "batch", depthwise)
    channels = int(64 * width)
    x = units.convolution(_space_to_depth(to_float(image)), channels, 3, "stem_conv")
    maps = [x]
    for stage, count in ((2, blocks), (3, 3 * blocks), (4, 3 * blocks), (5, blocks)):
        name, channels = f"dark{stage}", channels * 2
        x = units.spatial(x, channels, f"{name}_0", stride=2)
        if last := stage == 5:
            x = _pyramid_pooling(units, x, channels, f"{name}_1")
        x = units.partial(x, channels, count, f"{name}_{2 if last else 1}", shortcut=not last)
        maps.append(x)
    return maps


@final
class Units:
    """Convolutions with norm and SiLU, and what is made of them."""

    def __init__(self, norm: str, depthwise: bool) -> None:
        """A kind of `norms.py`; and whether 3×3 convolutions are split into depthwise and 1×1."""
        self._norm, self._depthwise = norm, depthwise

    def convolution(
        self, x: keras.KerasTensor, channels: int, kernel: int, name: str, stride: int = 1
    ) -> keras.KerasTensor:
        """`channels` of a `kernel` square, normalised and activated."""
        layer = keras.layers.Conv2D(
            channels,
            kernel,
            stride,
            padding="same" if stride == 1 else "valid",
            use_bias=self._norm in BARE,
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )
        return self._activated(layer(_padded(x, kernel, stride, name)), name)

    def spatial(
        self, x: keras.KerasTensor, channels: int, name: str, stride: int = 1
    ) -> keras.KerasTensor:
        """A 3×3 convolution; where they are split, a depthwise one and a 1×1."""
        if not self._depthwise:
            return self.convolution(x, channels, 3, name, stride)
        layer = keras.layers.DepthwiseConv2D(
            3,
            stride,
            padding="same" if stride == 1 else "valid",
            use_bias=self._norm in BARE,
            # what goes out of a depthwise kernel is what a fan in is elsewhere: its nine weights
            depthwise_initializer=keras.initializers.VarianceScaling(2.0, "fan_out"),
            name=f"{name}_dconv_conv",
        )
        x = self._activated(layer(_padded(x, 3, stride, f"{name}_dconv")), f"{name}_dconv")
        return self.convolution(x, channels, 1, f"{name}_pconv")

    def partial(
        self, x: keras.KerasTensor, channels: int, blocks: int, name: str, shortcut: bool = False
    ) -> keras.KerasTensor:
        """A cross-stage partial layer: half of the channels go through `blocks` bottlenecks, half
        past them.
        """
        half = channels // 2
        past = self.convolution(x, half, 1, f"{name}_conv2")
        x = self.convolution(x, half, 1, f"{name}_conv1")
        for number in range(blocks):
            within = f"{name}_m_{number}"
            y = self.convolution(x, half, 1, f"{within}_conv1")
            y = self.spatial(y, half, f"{within}_conv2")
            x = keras.layers.Add(name=f"{within}_add")([x, y]) if shortcut else y
        both = keras.layers.Concatenate(name=f"{name}_joined")([x, past])
        return self.convolution(both, channels, 1, f"{name}_conv3")

    def _activated(self, x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        x = normalised(x, self._norm, f"{name}_bn", epsilon=EPSILON)
        return keras.layers.Activation("silu", name=f"{name}_silu")(x)


def _padded(x: keras.KerasTensor, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    """Evenly on all sides before a stride, where Keras' own "same" pads only bottom and right."""
    return keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x) if stride > 1 else x


def _space_to_depth(image: keras.KerasTensor) -> keras.KerasTensor:
    """The four pixels of each 2×2 square as channels: top left, bottom left, top right, bottom
    right, each as BGR, as the published networks see them.

    Number by number, of pairs of rows and columns that are axes of their own: to take every other
    pixel, or to turn all of the image into BGR first, takes a CPU longer.
    """
    _, height, width, colours = image.shape
    pairs = keras.ops.reshape(image, (-1, height // 2, 2, width // 2, 2 * colours))
    parts = [
        pairs[:, :, row, :, place : place + 1]
        for column in (0, 1)
        for row in (0, 1)
        for place in range(colours * (column + 1) - 1, colours * column - 1, -1)
    ]
    return keras.layers.Concatenate(name="stem_joined")(parts)


def _pyramid_pooling(
    units: Units, x: keras.KerasTensor, channels: int, name: str
) -> keras.KerasTensor:
    """Spatial pyramid pooling: maxima over 5×5, 9×9 and 13×13 beside the map itself.

    Each is the one before over 5×5 once more, which is the same and takes less time.
    """
    x = units.convolution(x, channels // 2, 1, f"{name}_conv1")
    levels = [x]
    for side in (5, 9, 13):
        pool = keras.layers.MaxPooling2D(5, 1, "same", name=f"{name}_pool{side}")
        levels.append(pool(levels[-1]))
    both = keras.layers.Concatenate(name=f"{name}_joined")(levels)
    return units.convolution(both, channels, 1, f"{name}_conv2")
