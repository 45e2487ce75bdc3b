"""ResNet: 50, 101, 152 of both versions from keras.applications; 18 and 34 built here in the same manner.

Version 1: He et al. 2015, "Deep Residual Learning for Image Recognition", table 1. Version 2: He et al. 2016, "Identity
Mappings in Deep Residual Networks", figure 1b. As in keras.applications, version 1 takes centred BGR and its bottlenecks
halve the resolution in their first 1x1 convolution (as the paper; others do it in the 3x3), version 2 takes −1 to 1.
"""

import keras

from cvtasks.networks.backbones.normalisation import to_centred_bgr, to_unit_range

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
EPSILON = 1.001e-5
"""Of batch normalisation, as keras.applications has it."""


def build(image: keras.KerasTensor, depth: int, version: int = 1) -> list[keras.KerasTensor]:
    """Return the maps of stride 2, 4, 8, 16, 32.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        depth: 18, 34, 50, 101 or 152; 50 or more for version 2.
        version: 1 or 2.

    Version 1: the first convolution's ReLU, then the ends of the stages conv2 to conv5; channels 64, 256, 512, 1024, 2048,
    for 18 and 34: 64, 64, 128, 256, 512.

    Version 2 of keras.applications halves the resolution in the last block of a stage, not in the first of the next. So
    the deepest full-width map of strides 4, 8, 16 is the normalised input of that block, and that of stride 32 the
    network's last ReLU; channels 64, 256, 512, 1024, 2048. The map of stride 2 is the first convolution itself: nothing
    follows it at that resolution.
    """
    if version == 2:
        return _version_2(to_unit_range(image), depth)
    x = to_centred_bgr(image)
    if depth in (18, 34):
        return _basic(x, depth)
    published = {50: keras.applications.ResNet50, 101: keras.applications.ResNet101, 152: keras.applications.ResNet152}
    trunk = published[depth](input_tensor=x, include_top=False, weights=None)
    ends = [f"conv{stage}_block{count}_out" for stage, count in enumerate(BLOCKS[depth], start=2)]
    return [trunk.get_layer(name).output for name in ("conv1_relu", *ends)]


def _version_2(x: keras.KerasTensor, depth: int) -> list[keras.KerasTensor]:
    """Return the maps of a network with normalisation before its convolutions; see `build`."""
    published = {
        50: keras.applications.ResNet50V2,
        101: keras.applications.ResNet101V2,
        152: keras.applications.ResNet152V2,
    }
    trunk = published[depth](input_tensor=x, include_top=False, weights=None)
    ends = [f"conv{stage}_block{count}_preact_relu" for stage, count in enumerate(BLOCKS[depth][:3], start=2)]
    return [trunk.get_layer(name).output for name in ("conv1_conv", *ends, "post_relu")]


def _basic(x: keras.KerasTensor, depth: int) -> list[keras.KerasTensor]:
    """Return the maps of ResNet-18 or -34: blocks of two 3x3 convolutions (figure 5, left)."""
    x = _convolution(x, 64, 7, 2, "conv1")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    maps = [x]
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, count in enumerate(BLOCKS[depth], start=2):
        for number in range(1, count + 1):
            x = _block(x, 16 << stage, 2 if stage > 2 and number == 1 else 1, f"conv{stage}_block{number}")
        maps.append(x)
    return maps


def _block(x: keras.KerasTensor, channels: int, stride: int, name: str) -> keras.KerasTensor:
    """Return two 3x3 convolutions added to their input, which is projected where the shape changes (option B)."""
    same = stride == 1 and x.shape[-1] == channels
    shortcut = x if same else _convolution(x, channels, 1, stride, f"{name}_0")
    x = _convolution(x, channels, 3, stride, f"{name}_1")
    x = keras.layers.ReLU(name=f"{name}_1_relu")(x)
    x = _convolution(x, channels, 3, 1, f"{name}_2")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=f"{name}_out")(x)


def _convolution(x: keras.KerasTensor, channels: int, kernel: int, stride: int, name: str) -> keras.KerasTensor:
    """Return convolution and batch normalisation, padded evenly on all sides as the authors' Caffe did.

    Keras' own "same" pads only bottom and right at stride 2, half a cell away from the weights that others publish.
    """
    if kernel > 1:
        x = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
    x = keras.layers.Conv2D(
        channels, kernel, strides=stride, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
    )(x)
    return keras.layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_bn")(x)
