"""VGG: 11, 13, 16, 19 layers; with or without normalisation, whole or narrow.

Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
table 1.

| column | name | parameters with 1000 classes, 224×224 |
|---|---|---|
| A | vgg11 | 132,863,336 |
| A-LRN | vgg11-lrn | 132,863,336 |
| B | vgg13 | 133,047,848 |
| C | vgg16-c | 133,638,952 |
| D | vgg16 | 138,357,544 |
| E | vgg19 | 143,667,240 |

| stage | output at 224×224 |
|---|---|
| block1, pool | 224×224×64, 112×112×64 |
| block2, pool | 112×112×128, 56×56×128 |
| block3, pool | 56×56×256, 28×28×256 |
| block4, pool | 28×28×512, 14×14×512 |
| block5, pool | 14×14×512, 7×7×512 |
| fc1, fc2, logits | 4096, 4096, 1000 |

Layers are named as in keras.applications, so that its weights fit. Deviations: networks start from
He's normal distribution, because the paper's own initialisation needs a trained A; batch
normalisation is not in the paper.
"""

import keras

from cvtasks.networks.backbones.classifiers import dense_layers
from cvtasks.networks.backbones.input_scaling import to_centred_bgr
from cvtasks.networks.backbones.norms import BARE, LocalResponse, normalised

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)
_DENSE = 4096


def build(
    image: keras.KerasTensor, depth: int, norm: str = "", width: float = 1.0, column_c: bool = False
) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16: the last ReLU of blocks 2 to 5; and of stride 32: the
    last pooling.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        depth: 11, 13, 16 or 19, counting the three dense layers.
        norm: between each convolution, which then has no bias, and its ReLU; "" for none, "lrn" for
            local response normalisation after the first ReLU alone, as in column A-LRN.
        width: multiplies all channels.
        column_c: the last convolution of blocks 3 to 5 is 1×1.

    Block 1, at the resolution of the image, gives no map. Channels: 128, 256, 512, 512, 512 times
    the width.
    """
    x, maps = to_centred_bgr(image), []
    kind = "" if norm == "lrn" else norm
    for block, (count, channels) in enumerate(
        zip(CONVOLUTIONS[depth], CHANNELS, strict=True), start=1
    ):
        for number in range(1, count + 1):
            kernel = 1 if column_c and number == 3 else 3
            x = _convolution(x, int(channels * width), kernel, kind, f"block{block}_conv{number}")
            if norm == "lrn" and block == 1:
                x = LocalResponse("block1_lrn")(x)
        maps.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return [*maps[1:], x]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    depth: int,
    norm: str = "",
    width: float = 1.0,
    column_c: bool = False,
) -> list[keras.KerasTensor]:
    """The logits of the dense layers, `(batch, classes)`; the paper hides half of fc1 and
    fc2.
    """
    units = int(_DENSE * width)
    return [
        dense_layers(
            features[-1],
            ("fc1", "fc2"),
            (units, units),
            classes,
            dropout,
            kernel_initializer="he_normal",
        )
    ]


def _convolution(
    x: keras.KerasTensor, channels: int, kernel: int, norm: str, name: str
) -> keras.KerasTensor:
    """Convolution and ReLU, with or without normalisation between them."""
    bare = norm in BARE
    x = keras.layers.Conv2D(
        channels, kernel, padding="same", use_bias=bare, kernel_initializer="he_normal", name=name
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(normalised(x, norm, f"{name}_bn"))
