"""The first layer of every backbone: 0–255 RGB into the range the network's published weights were
trained on.

Both are computed in float32 also under mixed precision: bfloat16 holds 0–255 exactly but not what
comes out.
"""

import keras


def to_unit_range(image: keras.KerasTensor) -> keras.KerasTensor:
    """`image` / 127.5 − 1: 0–255 becomes −1–1, channels stay RGB (keras.applications' mode
    "tf").
    """
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="normalise")(image)


def to_centred_bgr(image: keras.KerasTensor) -> keras.KerasTensor:
    """`image` less ImageNet's mean colour, as BGR and not scaled (keras.applications' mode
    "caffe").

    The mean is that of the VGG authors' Caffe models: 123.68, 116.779, 103.939 for R, G, B.
    """
    centred = keras.layers.Rescaling(
        1.0, offset=[-123.68, -116.779, -103.939], dtype="float32", name="normalise"
    )(image)
    return keras.ops.flip(centred, axis=-1)


def to_ink(image: keras.KerasTensor) -> keras.KerasTensor:
    """The brightness of `image` (ITU-R BT.601), one channel: 0 becomes −0.1 and 255 becomes
    1.175.

    The range is that of LeCun et al. 1998 (section II-B), so that images which are mostly black
    have a mean of about 0 and a variance of about 1.
    """
    red, green, blue = (
        keras.ops.cast(image[..., channel : channel + 1], "float32") for channel in range(3)
    )
    return (0.299 * red + 0.587 * green + 0.114 * blue) * (1.275 / 255) - 0.1


def to_float(image: keras.KerasTensor) -> keras.KerasTensor:
    """`image` not scaled: 0–255, channels stay RGB."""
    return keras.layers.Identity(dtype="float32", name="normalise")(image)


def to_standardised(image: keras.KerasTensor) -> keras.KerasTensor:
    """`image` less ImageNet's mean colour, in its standard deviations; channels stay RGB
    (keras.applications' mode "torch").

    Of 0–1: means 0.485, 0.456, 0.406 and deviations 0.229, 0.224, 0.225 for R, G, B.
    """
    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    return keras.layers.Rescaling(
        [1 / (255 * deviation) for deviation in deviations],
        offset=[-mean / deviation for mean, deviation in zip(means, deviations, strict=True)],
        dtype="float32",
        name="normalise",
    )(image)


def to_signed_range(image: keras.KerasTensor, zero: float = 128.0) -> keras.KerasTensor:
    """(`image` − `zero`) / 128: 0–255 becomes about −1–1, channels stay RGB."""
    return keras.layers.Rescaling(1 / 128, offset=-zero / 128, dtype="float32", name="normalise")(
        image
    )
