"""The first layer of every backbone: 0–255 RGB into the range the network's published weights were trained on.

Both are computed in float32 also under mixed precision: bfloat16 holds 0–255 exactly but not what comes out.
"""

import keras


def to_unit_range(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return `image` / 127.5 − 1: 0–255 becomes −1–1, channels stay RGB (keras.applications' mode "tf")."""
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="normalise")(image)


def to_centred_bgr(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return `image` less ImageNet's mean colour, as BGR and not scaled (keras.applications' mode "caffe").

    The mean is that of the VGG authors' Caffe models: 123.68, 116.779, 103.939 for R, G, B.
    """
    centred = keras.layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939], dtype="float32", name="normalise")(image)
    return keras.ops.flip(centred, axis=-1)
