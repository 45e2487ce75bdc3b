"""ResNet: 50, 101, 152 of both versions from keras.applications; the others built here in the same
manner.

Version 1: He et al. 2015, "Deep Residual Learning for Image Recognition", table 1 and section 4.2.
Version 2: He et al. 2016, "Identity Mappings in Deep Residual Networks", figure 1b. For ImageNet,
1000 classes, statistics of normalisation left out:

| stage | output at 224×224 | 18 | 34 |
|---|---|---|---|
| conv1 | 112×112×64 | 7×7, stride 2 | the same |
| conv2 | 56×56×64 | 2 blocks | 3 |
| conv3 | 28×28×128 | 2 | 4 |
| conv4 | 14×14×256 | 2 | 6 |
| conv5 | 7×7×512 | 2 | 3 |
| parameters | | 11,689,512 | 21,797,672 |

For CIFAR-10, of 6n + 2 layers, ten classes, shortcuts without parameters (option A):

| stage | output at 32×32 | 20 | 32 | 44 | 56 | 110 |
|---|---|---|---|---|---|---|
| conv1 | 32×32×16 | 3×3 | | | | |
| conv2 | 32×32×16 | 3 blocks | 5 | 7 | 9 | 18 |
| conv3 | 16×16×32 | 3 | 5 | 7 | 9 | 18 |
| conv4 | 8×8×64 | 3 | 5 | 7 | 9 | 18 |
| parameters | | 269,722 | 464,154 | 658,586 | 853,018 | 1,727,962 |

As in keras.applications, version 1 for ImageNet takes centred BGR and its bottlenecks halve the
resolution in their first 1x1 convolution (as the paper; others do it in the 3x3), version 2 takes
−1 to 1. So do those for CIFAR-10, which is a deviation: the paper subtracts the mean image.
"""

import keras

from cvtasks.networks.backbones.input_scaling import to_centred_bgr, to_unit_range
from cvtasks.networks.backbones.norms import normalised
from cvtasks.networks.pooled_head import pooled

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
EPSILON = 1.001e-5
"""Of batch normalisation, as keras.applications has it."""


def build(
    image: keras.KerasTensor, depth: int, version: int = 1, width: int = 1, norm: str = ""
) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32; for CIFAR-10 those of stride 1, 2, 4.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        depth: 18, 34, 50, 101 or 152; for CIFAR-10 20, 32, 44, 56 or 110.
        version: 1 or 2.
        width: multiplies the channels of all blocks (Zagoruyko and Komodakis, "Wide Residual
            Networks", 2016); not for 50 or more of ImageNet.
        norm: "" for "batch"; not for 50 or more of ImageNet.

    Version 1: the first convolution's ReLU, where it has a stride, then the ends of the stages;
    channels 64, 256, 512, 1024, 2048, for 18 and 34: 64, 64, 128, 256, 512, for CIFAR-10: 16, 32,
    64.

    Version 2 has the deepest normalised map of each resolution: the first ReLU in the block that
    halves it, or the network's last. keras.applications halves the resolution in the last block of
    a stage, not in the first of the next; its map of stride 2 is the first convolution itself, as
    nothing follows it at that resolution.
    """
    published = depth in BLOCKS and depth >= 50
    centred = depth in BLOCKS and version == 1
    x = to_centred_bgr(image) if centred else to_unit_range(image)
    if published:
        return _published_2(x, depth) if version == 2 else _published_1(x, depth)
    return _basic(x, depth, version, width, norm or "batch")


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    depth: int,
    version: int = 1,
    width: int = 1,
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`.
    The papers hide nothing.
    """
    return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]


def _published_1(x: keras.KerasTensor, depth: int) -> list[keras.KerasTensor]:
    """The maps of version 1 of keras.applications."""
    published = {
        50: keras.applications.ResNet50,
        101: keras.applications.ResNet101,
        152: keras.applications.ResNet152,
    }
    trunk = published[depth](input_tensor=x, include_top=False, weights=None)
    ends = [f"conv{stage}_block{count}_out" for stage, count in enumerate(BLOCKS[depth], start=2)]
    return [trunk.get_layer(name).output for name in ("conv1_relu", *ends)]


def _published_2(x: keras.KerasTensor, depth: int) -> list[keras.KerasTensor]:
    """The maps of version 2 of keras.applications; see `build`."""
    published = {
        50: keras.applications.ResNet50V2,
        101: keras.applications.ResNet101V2,
        152: keras.applications.ResNet152V2,
    }
    trunk = published[depth](input_tensor=x, include_top=False, weights=None)
    ends = [
        f"conv{stage}_block{count}_preact_relu"
        for stage, count in enumerate(BLOCKS[depth][:3], start=2)
    ]
    return [trunk.get_layer(name).output for name in ("conv1_conv", *ends, "post_relu")]


def _basic(
    x: keras.KerasTensor, depth: int, version: int, width: int, norm: str
) -> list[keras.KerasTensor]:
    """The maps of a network of blocks of two 3x3 convolutions (version 1: figure 5,
    left).
    """
    large = depth in BLOCKS
    base, counts = (64, BLOCKS[depth]) if large else (16, (depth // 6,) * 3)
    x = _convolution(x, base, 7 if large else 3, 2 if large else 1, "conv1", norm)
    x = _normalised_relu(x, norm, "conv1_bn", "conv1_relu")
    maps = []
    if large:
        maps.append(x)
        x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = keras.layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(counts):
        for number in range(count):
            name = f"conv{stage + 2}_block{number + 1}"
            channels, stride = (base << stage) * width, 2 if stage and not number else 1
            if version == 1:
                x = _block_1(x, channels, stride, large, norm, name)
                continue
            first = (
                not stage and not number
            )  # comes right after the stem's ReLU, which stands for its own
            before = (
                x
                if first
                else _normalised_relu(x, norm, f"{name}_preact_bn", f"{name}_preact_relu")
            )
            if stride > 1:
                maps.append(before)
            x = _block_2(x, before, channels, stride, large, norm, name)
        if version == 1:
            maps.append(x)
    return maps if version == 1 else [*maps, _normalised_relu(x, norm, "post_bn", "post_relu")]


def _block_1(
    x: keras.KerasTensor, channels: int, stride: int, project: bool, norm: str, name: str
) -> keras.KerasTensor:
    """Two convolutions added to their input."""
    if stride == 1 and x.shape[-1] == channels:
        shortcut = x
    elif project:  # option B
        shortcut = _normalised(
            _convolution(x, channels, 1, stride, f"{name}_0", norm), norm, f"{name}_0_bn"
        )
    else:
        shortcut = _with_zeros(x, channels, stride, name)
    x = _convolution(x, channels, 3, stride, f"{name}_1", norm)
    x = _normalised_relu(x, norm, f"{name}_1_bn", f"{name}_1_relu")
    x = _normalised(_convolution(x, channels, 3, 1, f"{name}_2", norm), norm, f"{name}_2_bn")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def _block_2(
    x: keras.KerasTensor,
    before: keras.KerasTensor,
    channels: int,
    stride: int,
    project: bool,
    norm: str,
    name: str,
) -> keras.KerasTensor:
    """`x` plus two convolutions of `before`, its normalised self; where the shape changes
    `before` stands for `x`.
    """
    if stride == 1 and x.shape[-1] == channels:
        shortcut = x
    elif project:
        shortcut = _convolution(before, channels, 1, stride, f"{name}_0", norm)
    else:
        shortcut = _with_zeros(before, channels, stride, name)
    x = _convolution(before, channels, 3, stride, f"{name}_1", norm)
    x = _normalised_relu(x, norm, f"{name}_1_bn", f"{name}_1_relu")
    x = _convolution(x, channels, 3, 1, f"{name}_2", norm)
    return keras.layers.Add(name=f"{name}_add")([shortcut, x])


def _with_zeros(x: keras.KerasTensor, channels: int, stride: int, name: str) -> keras.KerasTensor:
    """Every `stride`th place with zeros for the channels that `x` lacks: a shortcut without
    parameters (option A).
    """
    x = keras.layers.MaxPooling2D(1, strides=stride, name=f"{name}_0_pool")(x)
    return keras.ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, channels - x.shape[-1])))


def _normalised(x: keras.KerasTensor, norm: str, name: str) -> keras.KerasTensor:
    return normalised(x, norm, name, epsilon=EPSILON)


def _normalised_relu(x: keras.KerasTensor, norm: str, name: str, relu: str) -> keras.KerasTensor:
    return keras.layers.ReLU(name=relu)(_normalised(x, norm, name))


def _convolution(
    x: keras.KerasTensor, channels: int, kernel: int, stride: int, name: str, norm: str
) -> keras.KerasTensor:
    """A convolution, padded evenly on all sides as the authors' Caffe did; with a bias where
    nothing is normalised.

    Keras' own "same" pads only bottom and right at stride 2, half a cell away from the weights that
    others publish.
    """
    if kernel > 1:
        x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=stride,
        use_bias=norm == "none",
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
