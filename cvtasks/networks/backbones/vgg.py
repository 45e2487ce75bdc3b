"""VGG: 16 and 19 from keras.applications; 11, 13 and those with batch normalisation built here from the same table.

Simonyan and Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition", table 1, columns A, B,
D, E; the convolutions without the three dense layers. Layers are named as in keras.applications. Deviations: what is built
here starts from He's normal distribution, because the paper's own initialisation needs a trained A; with batch
normalisation (not in the paper) the convolutions have no bias, which it would cancel.
"""

import keras

from cvtasks.networks.backbones.normalisation import to_centred_bgr

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
CHANNELS = (64, 128, 256, 512, 512)


def build(image: keras.KerasTensor, depth: int, batch_norm: bool = False) -> list[keras.KerasTensor]:
    """Return the maps of stride 2, 4, 8, 16: the last ReLU of blocks 2 to 5; and of stride 32: the last pooling.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        depth: 11, 13, 16 or 19, counting the three dense layers that are left out.
        batch_norm: normalise between each convolution and its ReLU.

    Block 1, at the resolution of the image, gives no map. Channels: 128, 256, 512, 512, 512.
    """
    x = to_centred_bgr(image)
    published = {16: keras.applications.VGG16, 19: keras.applications.VGG19}
    if depth in published and not batch_norm:
        trunk = published[depth](input_tensor=x, include_top=False, weights=None)
        ends = [f"block{block}_conv{CONVOLUTIONS[depth][block - 1]}" for block in (2, 3, 4, 5)]
        return [trunk.get_layer(name).output for name in (*ends, "block5_pool")]
    maps = []
    for block, (count, channels) in enumerate(zip(CONVOLUTIONS[depth], CHANNELS, strict=True), start=1):
        for number in range(1, count + 1):
            x = _convolution(x, channels, batch_norm, f"block{block}_conv{number}")
        maps.append(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return [*maps[1:], x]


def _convolution(x: keras.KerasTensor, channels: int, batch_norm: bool, name: str) -> keras.KerasTensor:
    """Return 3x3 convolution and ReLU, with or without batch normalisation between them."""
    x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=not batch_norm, kernel_initializer="he_normal", name=name)(x)
    if batch_norm:
        x = keras.layers.BatchNormalization(name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
