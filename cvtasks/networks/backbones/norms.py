"""The kinds of normalisation that a recipe can choose, and the one of AlexNet's time."""

from typing import final

import keras

from cvtasks.errors import ModelError, did_you_mean

BARE = ("", "none")
"""The kinds that do nothing: the convolution before them needs its bias."""

KINDS = (*BARE, "batch", "layer", "instance", "group")

GROUPS = 32
"""Of group normalisation (Wu and He, "Group Normalization", 2018, section 4.1), or the most that
fit the channels.
"""


def normalised(
    x: keras.KerasTensor, kind: str, name: str, epsilon: float = 1e-3, scale: bool = True
) -> keras.KerasTensor:
    """`x` `(batch, height, width, channels)` normalised; as it is for "" and "none".

    "batch": each channel over batch and places (Ioffe and Szegedy 2015); "layer": all channels and
    places of an image together (Ba et al. 2016); "instance": each channel of an image over its
    places (Ulyanov et al. 2016); "group": `GROUPS` groups of channels, or the most that divide the
    channels into groups of at least two, as one channel alone would be "instance".

    Args:
        scale: learn a factor for each channel beside a shift.

    Raises:
        ModelError: no such kind; or "instance" of maps of one place, which would all be zero.
    """
    if kind not in KINDS:
        raise ModelError(
            f"`norm` must be one of {', '.join(KINDS)}; got {kind!r}. {did_you_mean(kind, KINDS)}"
        )
    if kind in BARE:
        return x
    if kind == "batch":
        return keras.layers.BatchNormalization(epsilon=epsilon, scale=scale, name=name)(x)
    channels = x.shape[-1]
    if kind == "instance" and tuple(x.shape[1:3]) == (1, 1):
        raise ModelError(
            f'`norm = "instance"` needs maps of more than one place; {name} has one. Choose a '
            "larger `size` or another `norm`."
        )
    groups = {"layer": 1, "instance": channels, "group": _groups(channels)}[kind]
    return keras.layers.GroupNormalization(groups, epsilon=epsilon, scale=scale, name=name)(x)


def _groups(channels: int) -> int:
    """The most groups, up to `GROUPS`, of at least two channels each; one where nothing divides
    them.
    """
    return max(
        groups
        for groups in range(1, GROUPS + 1)
        if channels % groups == 0 and (groups == 1 or groups < channels)
    )


@final
class LocalResponse(keras.layers.Layer):
    """Local response normalisation: divide by a power of the energy of the neighbouring channels.

    Krizhevsky et al. 2012, section 3.3: x / (2 + 10⁻⁴ Σ x²) ^ 0.75, the sum over five channels
    around each. Made in float32, since the sum of squares of an image's raw pixels leaves what
    bfloat16 can tell apart.
    """

    def __init__(self, name: str) -> None:
        super().__init__(dtype="float32", name=name)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """(batch, height, width, channels) → the same shape, float32."""
        channels = x.shape[-1]
        squares = keras.ops.pad(keras.ops.square(x), ((0, 0), (0, 0), (0, 0), (2, 2)))
        energy = sum(squares[..., shift : shift + channels] for shift in range(5))
        root = keras.ops.rsqrt(2.0 + 1e-4 * energy)
        return x * root * keras.ops.sqrt(root)
