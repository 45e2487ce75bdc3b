"""Backbones: image in, feature maps out, finest first, with known strides.

A backbone takes `(batch, height, width, 3)` float RGB in 0–255 and begins with its own normalisation. Its outputs are a
list of maps `(batch, height / s, width / s, channels)`, one for every stride s of its table entry. The names are known
without importing Keras; a network is built when it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cvtasks.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """One row of the table of backbones.

    Attributes:
        module: the file beside this one whose `build(image, **options)` makes the feature maps.
        options: what tells this network from the others of its family.
        imagenet: keras.applications publishes ImageNet weights for it.
        strides: pixels of the image to one cell of each map, finest first.
    """

    module: str
    options: dict[str, Any]
    imagenet: bool
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)


BACKBONES: dict[str, Architecture] = {
    "tiny": Architecture("tiny", {}, imagenet=False),
    "vgg11": Architecture("vgg", {"depth": 11}, imagenet=False),
    "vgg11-bn": Architecture("vgg", {"depth": 11, "batch_norm": True}, imagenet=False),
    "vgg13": Architecture("vgg", {"depth": 13}, imagenet=False),
    "vgg13-bn": Architecture("vgg", {"depth": 13, "batch_norm": True}, imagenet=False),
    "vgg16": Architecture("vgg", {"depth": 16}, imagenet=True),
    "vgg16-bn": Architecture("vgg", {"depth": 16, "batch_norm": True}, imagenet=False),
    "vgg19": Architecture("vgg", {"depth": 19}, imagenet=True),
    "vgg19-bn": Architecture("vgg", {"depth": 19, "batch_norm": True}, imagenet=False),
    "resnet18": Architecture("resnet", {"depth": 18}, imagenet=False),
    "resnet34": Architecture("resnet", {"depth": 34}, imagenet=False),
    "resnet50": Architecture("resnet", {"depth": 50}, imagenet=True),
    "resnet101": Architecture("resnet", {"depth": 101}, imagenet=True),
    "resnet152": Architecture("resnet", {"depth": 152}, imagenet=True),
    "resnet50-v2": Architecture("resnet", {"depth": 50, "version": 2}, imagenet=True),
    "resnet101-v2": Architecture("resnet", {"depth": 101, "version": 2}, imagenet=True),
    "resnet152-v2": Architecture("resnet", {"depth": 152, "version": 2}, imagenet=True),
    "mobilenet": Architecture("mobilenet", {"alpha": 1.0}, imagenet=True),
    "mobilenet-12": Architecture("mobilenet", {"alpha": 1.0, "last": 12}, imagenet=True),
    "mobilenet-075": Architecture("mobilenet", {"alpha": 0.75}, imagenet=True),
    "mobilenet-050": Architecture("mobilenet", {"alpha": 0.5}, imagenet=True),
    "mobilenet-025": Architecture("mobilenet", {"alpha": 0.25}, imagenet=True),
}


def architecture(name: str) -> Architecture:
    """Return the table's row of that name.

    Raises:
        ModelError: there is none; names the nearest.
    """
    if name not in BACKBONES:
        raise ModelError(f"`backbone` must be one of the known networks; got {name!r}. {did_you_mean(str(name), BACKBONES)}")
    return BACKBONES[name]


def build_backbone(name: str, size: tuple[int | None, int | None]) -> "keras.Model":
    """Build the network `name` with fresh random weights.

    Args:
        name: a key of `BACKBONES`.
        size: (height, width) of the input in pixels, multiples of the coarsest stride. None leaves a side open: the
            network then takes any multiple.

    Returns:
        A functional model, `(batch, height, width, 3)` float RGB 0–255 → list of maps
        `(batch, height / s, width / s, channels)`, one for each of `architecture(name).strides`, finest first.

    Raises:
        ModelError: unknown name, or a size that is no multiple of the coarsest stride.
    """
    row = architecture(name)
    height, width = _checked(size, name, row.strides[-1])
    import keras

    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            'Networks are built with channels last; Keras is set to "channels_first". '
            'Set "image_data_format" to "channels_last" in keras.json.'
        )
    image = keras.Input((height, width, 3), name="image")
    maps = import_module(f"{__name__}.{row.module}").build(image, **row.options)
    return keras.Model(image, maps, name=name.replace("-", "_"))


def layers_up_to(backbone: "keras.Model", name_or_strides: str | Sequence[int], stride: int) -> "list[keras.layers.Layer]":
    """Return the layers that the map of that stride is computed from, in the network's order.

    Args:
        backbone: what `build_backbone` returned.
        name_or_strides: its name, or the strides of its outputs.
        stride: of the map; 0 gives no layers.

    Raises:
        ModelError: the backbone has no map of that stride.
    """
    strides = architecture(name_or_strides).strides if isinstance(name_or_strides, str) else tuple(name_or_strides)
    if stride == 0:
        return []
    if stride not in strides:
        raise ModelError(
            f"A stride must be 0 (nothing) or one of the strides of {backbone.name}: "
            f"{', '.join(map(str, strides))}; got {stride!r}."
        )
    import keras

    return keras.Model(backbone.inputs, backbone.outputs[strides.index(stride)]).layers


def freeze(backbone: "keras.Model", name: str, stride: int) -> None:
    """Stop the training of exactly the layers up to the map of that stride, and train all others.

    A frozen BatchNormalization also uses, and keeps, its stored statistics. Freeze before `compile`: Keras notes there
    what is to be trained.

    Args:
        backbone: what `build_backbone` returned; changed in place.
        name: its name.
        stride: 0 freezes nothing, the coarsest stride everything that leads to the coarsest map.

    Raises:
        ModelError: the backbone has no map of that stride.
    """
    frozen = {id(layer) for layer in layers_up_to(backbone, name, stride)}
    for layer in backbone.layers:
        layer.trainable = id(layer) not in frozen


def _checked(size: tuple[int | None, int | None], name: str, stride: int) -> tuple[int | None, int | None]:
    """Return `size` if it is (height, width), each None or a positive multiple of `stride`."""
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ModelError(f"`size` must be (height, width); got {size!r}. Try ({7 * stride}, {7 * stride}).")
    for side in size:
        if side is None:
            continue
        whole = isinstance(side, int) and not isinstance(side, bool)
        if not whole or side <= 0 or side % stride:
            below = side // stride * stride if whole else 0
            near = f"{below} or {below + stride}" if below > 0 else f"{stride}"
            received = side if size[0] == size[1] else f"{size[0]} x {size[1]} (height x width)"
            raise ModelError(f"`size` must be a multiple of {stride}, the stride of {name}; got {received}. Try {near}.")
    return size[0], size[1]
