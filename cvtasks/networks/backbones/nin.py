"""Network in Network, for CIFAR-10.

Lin, Chen, Yan 2013, "Network In Network", section 4.1 and figure 2; channels as in the authors' own
definition for CIFAR-10.

| stage | kernels | output at 32×32 | parameters |
|---|---|---|---|
| conv1, cccp1, cccp2 | 5×5, 192; 1×1, 160; 1×1, 96 | 32×32×96 | 60,928 |
| pool1 | largest of 3×3, stride 2 | 16×16×96 | – |
| conv2, cccp3, cccp4 | 5×5, 192; 1×1, 192; 1×1, 192 | 16×16×192 | 535,104 |
| pool2 | mean of 3×3, stride 2 | 8×8×192 | – |
| conv3, cccp5 | 3×3, 192; 1×1, 192 | 8×8×192 | 369,024 |
| cccp6 | 1×1, 10 | 8×8×10 | 1,930 |
| pool3 | mean of 8×8 | 10 | – |

966,986 parameters with ten classes. Half of what leaves pool1 and pool2 is hidden in training.
Deviations: the class maps have no ReLU before their mean, which could let a class die out; weights
start from He's normal distribution; images are brought to −1 to 1 instead of global contrast
normalisation and whitening.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_unit_range
from cvtasks.networks.backbones.norms import BARE, normalised

_BLOCKS = (
    (("conv1", 5, 192), ("cccp1", 1, 160), ("cccp2", 1, 96)),
    (("conv2", 5, 192), ("cccp3", 1, 192), ("cccp4", 1, 192)),
    (("conv3", 3, 192), ("cccp5", 1, 192)),
)


def build(image: keras.KerasTensor, width: float = 1.0, norm: str = "") -> list[keras.KerasTensor]:
    """The maps of stride 1, 2, 4: the ends of the three blocks, with 96, 192, 192 channels
    times the width.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        width: multiplies all channels.
        norm: between each convolution, which then has no bias, and its ReLU; "" for none.
    """
    x, maps = to_unit_range(image), []
    for number, block in enumerate(_BLOCKS, start=1):
        for name, kernel, channels in block:
            x = keras.layers.Conv2D(
                int(channels * width),
                kernel,
                padding="same",
                use_bias=norm in BARE,
                kernel_initializer="he_normal",
                name=name,
            )(x)
            x = keras.layers.ReLU(name=f"{name}_relu")(normalised(x, norm, f"{name}_norm"))
        maps.append(x)
        if number < len(_BLOCKS):
            pool = keras.layers.MaxPooling2D if number == 1 else keras.layers.AveragePooling2D
            x = pool(3, strides=2, padding="same", name=f"pool{number}")(x)
            x = keras.layers.Dropout(0.5, name=f"drop{number}")(x)
    return maps


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    width: float = 1.0,
) -> list[keras.KerasTensor]:
    """The mean of each class's map, `(batch, classes)`. The paper hides nothing here."""
    x = (
        keras.layers.Dropout(dropout, name="cccp6_dropout")(features[-1])
        if dropout
        else features[-1]
    )
    x = keras.layers.Conv2D(classes, 1, dtype="float32", name="cccp6")(x)
    return [keras.layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)]
