"""Inception v3.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2015, "Rethinking the Inception Architecture for Computer
Vision", table 1, with the details of keras.applications, whose weights fit.

| stage | output at 299×299 |
|---|---|
| conv1, 3×3, stride 2 | 149×149×32 |
| conv2, 3×3; conv3, 3×3 padded | 147×147×64 |
| pool3; conv4, 1×1; conv5, 3×3 | 71×71×192 |
| pool5, mixed0, 1, 2 | 35×35×256, ×288, ×288 |
| mixed3 to 7 | 17×17×768 |
| mixed8 | 8×8×1280 |
| mixed9, 10 | 8×8×2048 |
| mean, logits | 2048, 1000 |

23,851,784 parameters with 1000 classes, the statistics of normalisation among them. Convolutions of
the stem and those that halve the resolution are not padded. Deviations of keras.applications from
the paper's table: the last part of the stem has a 1×1, not a 3×3 convolution, and pooling instead
of a stride; there is no auxiliary classifier.

Layers have names of their own: keras.applications numbers them anew in every session. They are in
its order.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range
from cvtasks.networks.backbones.norms import normalised
from cvtasks.networks.pooled_head import pooled

_Kernel = tuple[int, int, int]  # channels, height, width


def build(image: keras.KerasTensor, norm: str = "") -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32: conv3, conv5, mixed2, mixed7, mixed10; 64, 192,
    288, 768, 2048 channels.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255, sides of at least 75.
        norm: between each convolution and its ReLU; "" for "batch".
    """
    norm = norm or "batch"
    x = _convolution(to_unit_range(image), (32, 3, 3), norm, "conv1", strides=2)
    x = _convolution(x, (32, 3, 3), norm, "conv2", padding="valid")
    maps = [x := _convolution(x, (64, 3, 3), norm, "conv3")]
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool3")(x)
    x = _convolution(x, (80, 1, 1), norm, "conv4", padding="valid")
    maps.append(x := _convolution(x, (192, 3, 3), norm, "conv5", padding="valid"))
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool5")(x)
    for number, last in enumerate((32, 64, 64)):
        ways = [[(64, 1, 1)], [(48, 1, 1), (64, 5, 5)], [(64, 1, 1), (96, 3, 3), (96, 3, 3)]]
        x = _module(x, ways, last, norm, f"mixed{number}")
    maps.append(x)
    x = _halving(x, [[(384, 3, 3)], [(64, 1, 1), (96, 3, 3), (96, 3, 3)]], norm, "mixed3")
    for number, c in enumerate((128, 160, 160, 192), start=4):
        short = [(c, 1, 1), (c, 1, 7), (192, 7, 1)]
        x = _module(
            x,
            [[(192, 1, 1)], short, [(c, 1, 1), (c, 7, 1), (c, 1, 7), (c, 7, 1), (192, 1, 7)]],
            192,
            norm,
            f"mixed{number}",
        )
    maps.append(x)
    long = [(192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)]
    x = _halving(x, [[(192, 1, 1), (320, 3, 3)], long], norm, "mixed8")
    for number in (9, 10):
        x = _wide(x, norm, f"mixed{number}")
    return [*maps, x]


def top(
    features: list[keras.KerasTensor], classes: int, dropout: float, auxiliary: bool
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`."""
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]


def _module(
    x: keras.KerasTensor, ways: list[list[_Kernel]], last: int, norm: str, name: str
) -> keras.KerasTensor:
    """The ways and a projected mean side by side (figures 5 and 6)."""
    ends = [_chain(x, way, norm, f"{name}_{number}") for number, way in enumerate(ways)]
    ends.append(_projected(x, last, norm, name))
    return keras.layers.Concatenate(name=name)(ends)


def _halving(
    x: keras.KerasTensor, ways: list[list[_Kernel]], norm: str, name: str
) -> keras.KerasTensor:
    """The ways, each ending with stride 2, and the largest of 3×3 side by side
    (figure 10).
    """
    ends = []
    for number, (*steps, end) in enumerate(ways):
        own = f"{name}_{number}"
        ends.append(
            _convolution(_chain(x, steps, norm, own), end, norm, f"{own}_{len(steps)}", strides=2)
        )
    ends.append(keras.layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x))
    return keras.layers.Concatenate(name=name)(ends)


def _wide(x: keras.KerasTensor, norm: str, name: str) -> keras.KerasTensor:
    """The module whose 3×3 convolutions are split side by side (figure 7)."""
    ends = [_convolution(x, (320, 1, 1), norm, f"{name}_0_0")]
    for number, steps in enumerate(([(384, 1, 1)], [(448, 1, 1), (384, 3, 3)]), start=1):
        own = f"{name}_{number}"
        middle = _chain(x, steps, norm, own)
        halves = [
            _convolution(middle, (384, *size), norm, f"{own}_{size[0]}x{size[1]}")
            for size in ((1, 3), (3, 1))
        ]
        ends.append(keras.layers.Concatenate(name=own)(halves))
    ends.append(_projected(x, 192, norm, name))
    return keras.layers.Concatenate(name=name)(ends)


def _projected(x: keras.KerasTensor, channels: int, norm: str, name: str) -> keras.KerasTensor:
    """A 1×1 convolution of the mean of 3×3."""
    mean = keras.layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_mean")(x)
    return _convolution(mean, (channels, 1, 1), norm, f"{name}_projected")


def _chain(x: keras.KerasTensor, way: list[_Kernel], norm: str, name: str) -> keras.KerasTensor:
    """The convolutions one after the other."""
    for number, kernel in enumerate(way):
        x = _convolution(x, kernel, norm, f"{name}_{number}")
    return x


def _convolution(
    x: keras.KerasTensor,
    kernel: _Kernel,
    norm: str,
    name: str,
    strides: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """Convolution, normalisation without a factor, and ReLU;
    with a stride it is not padded.
    """
    channels, *size = kernel
    x = keras.layers.Conv2D(
        channels,
        size,
        strides=strides,
        padding=padding if strides == 1 else "valid",
        use_bias=norm == "none",
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(normalised(x, norm, f"{name}_bn", scale=False))
