"""AlexNet, whole and small.

Krizhevsky, Sutskever, Hinton 2012, "ImageNet Classification with Deep Convolutional Neural
Networks", section 3.5 and figure 2.

| stage | kernel | output at 227×227 | parameters |
|---|---|---|---|
| conv1 | 11×11, 96, stride 4 | 55×55×96 | 34,944 |
| pool1 | 3×3, stride 2 | 27×27×96 | – |
| conv2 | 5×5, 2 × 128 | 27×27×256 | 307,456 |
| pool2 | 3×3, stride 2 | 13×13×256 | – |
| conv3 | 3×3, 384 | 13×13×384 | 885,120 |
| conv4 | 3×3, 2 × 192 | 13×13×384 | 663,936 |
| conv5 | 3×3, 2 × 128 | 13×13×256 | 442,624 |
| pool5 | 3×3, stride 2 | 6×6×256 | – |
| fc6, fc7 | dense | 4096, 4096 | 37,752,832 and 16,781,312 |
| logits | dense | 1000 | 4,097,000 |

60,965,224 parameters with 1000 classes, 62,378,344 with one tower (conv2, conv4 and conv5 see all
channels of what is before them). conv1 is not padded, and 224 pixels, as the paper says, do not
give its 55 cells: 227 do. ReLU, local response normalisation, overlapping pooling, in this order;
weights and biases start as in section 5. Deviations: the mean colour of ImageNet is subtracted, not
its mean image.

The small one is that of Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning
requires rethinking generalization", appendix A, for images of 28×28: twice a 5×5 convolution,
pooling, local response normalisation; then dense layers of 384 and 192.

| stage | kernel | output at 28×28 | parameters |
|---|---|---|---|
| conv1 | 5×5, 64 | 28×28×64 | 4,864 |
| pool1 | 3×3, stride 2 | 14×14×64 | – |
| conv2 | 5×5, 64 | 14×14×64 | 102,464 |
| pool2 | 3×3, stride 2 | 7×7×64 | – |
| fc3, fc4 | dense | 384, 192 | 1,204,608 and 73,920 |
| logits | dense | 10 | 1,930 |

1,387,786 parameters with ten classes, which is the paper's count. The paper does not say how many
channels there are: 64, as in TensorFlow's tutorial for CIFAR-10, give that count. Deviations:
images are brought to −1 to 1, not to a mean of 0 and a variance of 1 each, and the constants of the
local response normalisation, which the paper leaves out, are those of AlexNet.
"""

import keras

from cvtasks.networks.backbones.classifiers import dense_layers
from cvtasks.networks.backbones.input_scaling import to_centred_bgr, to_unit_range
from cvtasks.networks.backbones.norms import BARE, LocalResponse, normalised

_SPREAD = 0.01
"""Standard deviation of all weights before training (section 5)."""


def build(
    image: keras.KerasTensor, towers: int = 2, small: bool = False, norm: str = ""
) -> list[keras.KerasTensor]:
    """The maps of stride 4, 8, 16, 32: before pool1, pool2, pool5, and pool5; of the small
    one both poolings.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        towers: 2 as in the paper, where each of two GPUs held one; they meet in conv3 and the dense
            layers.
        small: build the small network.
        norm: "" for local response normalisation after the ReLU where the paper has it; another
            kind stands between every convolution, which then has no bias, and its ReLU instead.
    """
    if small:
        return _small(to_unit_range(image), norm)
    x = _convolution(to_centred_bgr(image), 96, 11, 1, "conv1", norm, strides=4)
    maps = [x := _respond(x, norm, "lrn1")]
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    x = _convolution(x, 256, 5, towers, "conv2", norm, padding="same", bias=1)
    maps.append(x := _respond(x, norm, "lrn2"))
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool2")(x)
    x = _convolution(x, 384, 3, 1, "conv3", norm, padding="same")
    x = _convolution(x, 384, 3, towers, "conv4", norm, padding="same", bias=1)
    x = _convolution(x, 256, 3, towers, "conv5", norm, padding="same", bias=1)
    return [*maps, x, keras.layers.MaxPooling2D(3, strides=2, name="pool5")(x)]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    towers: int = 2,
    small: bool = False,
) -> list[keras.KerasTensor]:
    """The logits of the dense layers, `(batch, classes)`. The paper hides half of fc6 and
    fc7, nothing of the small.
    """
    if small:
        return [dense_layers(features[-1], ("fc3", "fc4"), (384, 192), classes, dropout)]
    start = {"kernel_initializer": _normal(), "bias_initializer": "ones"}
    return [dense_layers(features[-1], ("fc6", "fc7"), (4096, 4096), classes, dropout, **start)]


def _small(x: keras.KerasTensor, norm: str) -> list[keras.KerasTensor]:
    """Both poolings of the small network, normalised."""
    maps = []
    for number in (1, 2):
        x = keras.layers.Conv2D(
            64,
            5,
            padding="same",
            use_bias=norm in BARE,
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        x = keras.layers.ReLU(name=f"conv{number}_relu")(normalised(x, norm, f"conv{number}_norm"))
        x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"pool{number}")(x)
        maps.append(x := _respond(x, norm, f"lrn{number}"))
    return maps


def _convolution(
    x: keras.KerasTensor,
    channels: int,
    kernel: int,
    towers: int,
    name: str,
    norm: str,
    strides: int = 1,
    padding: str = "valid",
    bias: float = 0,
) -> keras.KerasTensor:
    """Convolution and ReLU; with two towers each half of the channels sees its half of the
    input.

    Two convolutions side by side, as the authors' two GPUs had them.
    """
    names: tuple[str, ...] = (name,)
    parts: tuple[keras.KerasTensor, ...] = (x,)
    if towers > 1:
        half = x.shape[-1] // 2
        names = (f"{name}_a", f"{name}_b")
        parts = (x[..., :half], x[..., half:])
    seen = [
        keras.layers.Conv2D(
            channels // towers,
            kernel,
            strides=strides,
            padding=padding,
            use_bias=norm in BARE,
            kernel_initializer=_normal(),
            bias_initializer=keras.initializers.Constant(bias),
            name=own,
        )(part)
        for own, part in zip(names, parts, strict=True)
    ]
    x = keras.layers.Concatenate(name=name)(seen) if towers > 1 else seen[0]
    return keras.layers.ReLU(name=f"{name}_relu")(normalised(x, norm, f"{name}_norm"))


def _respond(x: keras.KerasTensor, norm: str, name: str) -> keras.KerasTensor:
    """Local response normalisation of `x`, or `x` where another normalisation was chosen."""
    return x if norm else LocalResponse(name)(x)


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=_SPREAD)
