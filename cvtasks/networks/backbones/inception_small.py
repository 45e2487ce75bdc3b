"""A small Inception network, for images of 28×28.

Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires rethinking
generalization", appendix A, figure 3.

| stage | channels | output at 28×28 | parameters |
|---|---|---|---|
| conv1 | 96, 3×3 | 28×28×96 | 2,688 |
| inception1, 2 | 32 + 32; 32 + 48 | 28×28×80 | 30,784 and 29,776 |
| down3 | 80 + 80 | 14×14×160 | 57,680 |
| inception4 to 7 | 112 + 48; 96 + 64; 80 + 80; 48 + 96 | 14×14×144 | 87,200, 107,680, 128,160,
146,064 |
| down8 | 96 + 144 | 7×7×240 | 124,512 |
| inception9, 10 | 176 + 160; 176 + 160 | 7×7×336 | 388,176 and 543,312 |
| mean, logits | 10 | 10 | 3,370 |

An inception module has a 1×1 and a 3×3 convolution side by side, a downsampling one a 3×3
convolution of stride 2 beside the largest of 3×3. 1,649,402 trainable parameters with ten classes,
the paper's count: so convolutions have no bias, and batch normalisation has a shift but no factor.
Deviation: images are brought to −1 to 1, not to a mean of 0 and a variance of 1 each.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range
from cvtasks.networks.backbones.norms import normalised
from cvtasks.networks.pooled_head import pooled

# channels of the 1×1 and of the 3×3 convolution; 0 and channels where the resolution is halved
_MODULES = (
    (32, 32),
    (32, 48),
    (0, 80),
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    (0, 96),
    (176, 160),
    (176, 160),
)


def build(image: keras.KerasTensor, width: float = 1.0, norm: str = "") -> list[keras.KerasTensor]:
    """The maps of stride 1, 2, 4: the last module of each resolution, with 80, 144, 336
    channels times the width.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        width: multiplies all channels.
        norm: between each convolution and its ReLU; "" for "batch".
    """
    x = _convolution(to_unit_range(image), int(96 * width), 3, norm, "conv1")
    maps = []
    for number, (one, three) in enumerate(_MODULES, start=1):
        name = f"inception{number}" if one else f"down{number}"
        ways = [
            _convolution(x, int(three * width), 3, norm, f"{name}_3x3", strides=1 if one else 2)
        ]
        if one:
            ways.insert(0, _convolution(x, int(one * width), 1, norm, f"{name}_1x1"))
        else:
            maps.append(x)
            ways.append(
                keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
            )
        x = keras.layers.Concatenate(name=name)(ways)
    return [*maps, x]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    width: float = 1.0,
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`."""
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]


def _convolution(
    x: keras.KerasTensor, channels: int, kernel: int, norm: str, name: str, strides: int = 1
) -> keras.KerasTensor:
    """Convolution, normalisation and ReLU: the paper's conv module."""
    x = keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=norm == "none",
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(
        normalised(x, norm or "batch", f"{name}_norm", scale=False)
    )
