"""The kinds of normalisation that a recipe can choose."""

import math

import keras

GROUPS = 32
"""Of group normalisation (Wu and He, "Group Normalization", 2018, section 4.1), or the most that divide the channels."""


def normalised(x: keras.KerasTensor, kind: str, name: str) -> keras.KerasTensor:
    """Return `x` `(batch, height, width, channels)` normalised; as it is for "" and "none".

    "batch": each channel over batch and places (Ioffe and Szegedy 2015); "layer": all channels and places of a picture together
    (Ba et al. 2016); "instance": each channel of a picture over its places (Ulyanov et al. 2016); "group": groups of channels.
    """
    if kind in ("", "none"):
        return x
    if kind == "batch":
        return keras.layers.BatchNormalization(name=name)(x)
    channels = x.shape[-1]
    groups = {"layer": 1, "instance": channels, "group": math.gcd(GROUPS, channels)}[kind]
    return keras.layers.GroupNormalization(groups, name=name)(x)
