"""Backbones: image in, feature maps out, finest first, with known strides.

A backbone takes `(batch, height, width, 3)` float RGB in 0–255 and begins with its own
normalisation. Its outputs are a list of maps `(batch, height / s, width / s, channels)`, one for
every stride s of its table entry. The names are known without importing Keras; a network is built
when it is asked for.

A family's module has `build(image, norm="", **options)`, which gives those maps, and
`top(features, classes, dropout, auxiliary, **options)`, the classifier of its paper; options are
those of the table.
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
        module: the file beside this one with the family's `build` and `top`.
        options: what tells this network from the others of its family.
        family: of those that its module builds; "" where they are one.
        imagenet: keras.applications publishes ImageNet weights for it.
        strides: pixels of the image to one cell of each map, finest first.
        aligned: each map has exactly the image's size divided by its stride, as all convolutions
            are padded. If not, the strides are still right, but maps are smaller.
        least: smallest side of an image for a network that is not aligned, in pixels.
        norms: its normalisation can be chosen, see `norms.py`.
        top: its module has `top`, the paper's own classifier.
        extras: how many further maps follow those of the strides: what auxiliary classifiers look
            at.
        features: its maps are learned features. If not, its one map is the image itself, and all
            its layers are those of `top`.
    """

    module: str
    options: dict[str, Any]
    family: str = ""
    imagenet: bool = False
    strides: tuple[int, ...] = (2, 4, 8, 16, 32)
    aligned: bool = True
    least: int = 0
    norms: bool = False
    top: bool = False
    extras: int = 0
    features: bool = True

    def kin(self, other: "Architecture") -> bool:
        """Whether the other is of the same family, so that layers of one name are the same."""
        return (self.module, self.family) == (other.module, other.family)

    def check_side(self, name: str, side: int, key: str = "size") -> None:
        """Raise ModelError if images of that side do not fit the network; `name` and `key` are what
        the error calls them.
        """
        stride = self.strides[-1] if self.aligned else 1
        least = max(stride, self.least)
        if isinstance(side, int) and least <= side <= 4096 and side % stride == 0:
            return
        low = min(max(least, int(side) // stride * stride), 4096)
        rule = (
            f"a multiple of {stride}, the stride of {name},"
            if stride > 1
            else f"at least {least} for {name}"
        )
        near = f"{low} or {low + stride}" if low < side < 4096 else f"{low}"
        raise ModelError(f"`{key}` must be {rule} and at most 4096; got {side}. Try {near}.")


def _of_keras(
    family: str, which: str = "", strides: tuple[int, ...] = (2, 4, 8, 16, 32), **options: float
) -> Architecture:
    """The row of a network that is taken whole from keras.applications."""
    own = {"network": f"{family}{which}", **options}
    return Architecture("applications", own, family, imagenet=True, strides=strides, top=True)


_EFFICIENTNETS = (
    (1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8), (1.6, 2.2), (1.8, 2.6), (2.0, 3.1)
)  # fmt: skip
"""Multipliers of width and depth of EfficientNet-B0 to B7; Lite0 to 2 have the first three."""

USUAL_BACKBONE = "mobilenet"
"""The backbone of a new recipe where none is asked for and the start does not bring its own."""

BACKBONES: dict[str, Architecture] = {
    "tiny": Architecture("tiny", {}),
    "lenet5": Architecture(
        "lenet", {}, strides=(2, 4), aligned=False, least=28, norms=True, top=True
    ),
    "alexnet": Architecture(
        "alexnet", {}, strides=(4, 8, 16, 32), aligned=False, least=67, norms=True, top=True
    ),
    "alexnet-one-tower": Architecture(
        "alexnet",
        {"towers": 1},
        strides=(4, 8, 16, 32),
        aligned=False,
        least=67,
        norms=True,
        top=True,
    ),
    "alexnet-small": Architecture("alexnet", {"small": True}, strides=(2, 4), norms=True, top=True),
    "vgg11": Architecture("vgg", {"depth": 11}, norms=True, top=True),
    "vgg11-lrn": Architecture("vgg", {"depth": 11, "norm": "lrn"}, norms=True, top=True),
    "vgg11-bn": Architecture("vgg", {"depth": 11, "norm": "batch"}, norms=True, top=True),
    "vgg11-bn-050": Architecture(
        "vgg", {"depth": 11, "norm": "batch", "width": 0.5}, norms=True, top=True
    ),
    "vgg11-bn-025": Architecture(
        "vgg", {"depth": 11, "norm": "batch", "width": 0.25}, norms=True, top=True
    ),
    "vgg13": Architecture("vgg", {"depth": 13}, norms=True, top=True),
    "vgg13-bn": Architecture("vgg", {"depth": 13, "norm": "batch"}, norms=True, top=True),
    "vgg16": Architecture("vgg", {"depth": 16}, imagenet=True, norms=True, top=True),
    "vgg16-c": Architecture("vgg", {"depth": 16, "column_c": True}, norms=True, top=True),
    "vgg16-bn": Architecture("vgg", {"depth": 16, "norm": "batch"}, norms=True, top=True),
    "vgg19": Architecture("vgg", {"depth": 19}, imagenet=True, norms=True, top=True),
    "vgg19-bn": Architecture("vgg", {"depth": 19, "norm": "batch"}, norms=True, top=True),
    "nin": Architecture("nin", {}, strides=(1, 2, 4), norms=True, top=True),
    "nin-050": Architecture("nin", {"width": 0.5}, strides=(1, 2, 4), norms=True, top=True),
    "googlenet": Architecture("googlenet", {}, norms=True, top=True, extras=2),
    "inception-small": Architecture("inception_small", {}, strides=(1, 2, 4), norms=True, top=True),
    "inception-small-050": Architecture(
        "inception_small", {"width": 0.5}, strides=(1, 2, 4), norms=True, top=True
    ),
    "inception-v3": Architecture(
        "inception_v3", {}, imagenet=True, aligned=False, least=75, norms=True, top=True
    ),
    "resnet18": Architecture("resnet", {"depth": 18}, norms=True, top=True),
    "resnet34": Architecture("resnet", {"depth": 34}, norms=True, top=True),
    "resnet50": Architecture("resnet", {"depth": 50}, imagenet=True, top=True),
    "resnet101": Architecture("resnet", {"depth": 101}, imagenet=True, top=True),
    "resnet152": Architecture("resnet", {"depth": 152}, imagenet=True, top=True),
    "resnet18-v2": Architecture("resnet", {"depth": 18, "version": 2}, norms=True, top=True),
    "resnet34-v2": Architecture("resnet", {"depth": 34, "version": 2}, norms=True, top=True),
    "resnet50-v2": Architecture("resnet", {"depth": 50, "version": 2}, imagenet=True, top=True),
    "resnet101-v2": Architecture("resnet", {"depth": 101, "version": 2}, imagenet=True, top=True),
    "resnet152-v2": Architecture("resnet", {"depth": 152, "version": 2}, imagenet=True, top=True),
    "resnet20": Architecture("resnet", {"depth": 20}, strides=(1, 2, 4), norms=True, top=True),
    "resnet32": Architecture("resnet", {"depth": 32}, strides=(1, 2, 4), norms=True, top=True),
    "resnet44": Architecture("resnet", {"depth": 44}, strides=(1, 2, 4), norms=True, top=True),
    "resnet56": Architecture("resnet", {"depth": 56}, strides=(1, 2, 4), norms=True, top=True),
    "resnet110": Architecture("resnet", {"depth": 110}, strides=(1, 2, 4), norms=True, top=True),
    "resnet20-wide": Architecture(
        "resnet", {"depth": 20, "width": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "resnet20-v2": Architecture(
        "resnet", {"depth": 20, "version": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "resnet32-v2": Architecture(
        "resnet", {"depth": 32, "version": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "resnet44-v2": Architecture(
        "resnet", {"depth": 44, "version": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "resnet56-v2": Architecture(
        "resnet", {"depth": 56, "version": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "resnet110-v2": Architecture(
        "resnet", {"depth": 110, "version": 2}, strides=(1, 2, 4), norms=True, top=True
    ),
    "mobilenet": Architecture("mobilenet", {"alpha": 1.0}, imagenet=True, top=True),
    "mobilenet-12": Architecture("mobilenet", {"alpha": 1.0, "last": 12}, imagenet=True),
    "mobilenet-075": Architecture("mobilenet", {"alpha": 0.75}, imagenet=True, top=True),
    "mobilenet-050": Architecture("mobilenet", {"alpha": 0.5}, imagenet=True, top=True),
    "mobilenet-025": Architecture("mobilenet", {"alpha": 0.25}, imagenet=True, top=True),
    "cspdarknet-nano": Architecture(
        "cspdarknet", {"width": 0.25, "blocks": 1, "depthwise": True}, norms=True
    ),
    "cspdarknet-tiny": Architecture("cspdarknet", {"width": 0.375, "blocks": 1}, norms=True),
    "cspdarknet-s": Architecture("cspdarknet", {"width": 0.5, "blocks": 1}, norms=True),
    "cspdarknet-m": Architecture("cspdarknet", {"width": 0.75, "blocks": 2}, norms=True),
    "cspdarknet-l": Architecture("cspdarknet", {"width": 1.0, "blocks": 3}, norms=True),
    "cspdarknet-x": Architecture("cspdarknet", {"width": 1.25, "blocks": 4}, norms=True),
    "xception": Architecture("xception", {}, imagenet=True, aligned=False, least=71, top=True),
    **{f"densenet{depth}": _of_keras("DenseNet", str(depth)) for depth in (121, 169, 201)},
    "mobilenet-v2": _of_keras("MobileNetV2", alpha=1.0),
    "mobilenet-v2-075": _of_keras("MobileNetV2", alpha=0.75),
    "mobilenet-v2-050": _of_keras("MobileNetV2", alpha=0.5),
    "mobilenet-v2-035": _of_keras("MobileNetV2", alpha=0.35),
    "mobilenet-v3-small": _of_keras("MobileNetV3", "Small"),
    "mobilenet-v3-large": _of_keras("MobileNetV3", "Large"),
    **{
        f"efficientnet-{kind}{number}": Architecture(
            "efficientnet",
            {"width": width, "depth": depth, "lite": kind == "lite"},
            imagenet=True,
            top=True,
        )
        for kind, most in (("b", 8), ("lite", 3))
        for number, (width, depth) in enumerate(_EFFICIENTNETS[:most])
    },
    **{
        f"efficientnet-v2-{which.lower()}": _of_keras("EfficientNetV2", which)
        for which in ("B0", "B1", "B2", "B3", "S", "M", "L")
    },
    **{
        f"convnext-{which.lower()}": _of_keras("ConvNeXt", which, strides=(4, 8, 16, 32))
        for which in ("Tiny", "Small", "Base", "Large")
    },
    "mlp": Architecture("mlp", {}, strides=(1,), top=True, features=False),
}


def architecture(name: str) -> Architecture:
    """The table's row of that name.

    Raises:
        ModelError: there is none; names the nearest.
    """
    if name not in BACKBONES:
        raise ModelError(
            f"`backbone` must be one of the known networks; got {name!r}. "
            f"{did_you_mean(str(name), BACKBONES)}"
        )
    return BACKBONES[name]


def build_backbone(name: str, size: tuple[int | None, int | None], norm: str = "") -> "keras.Model":
    """Build the network `name` with fresh random weights.

    Args:
        name: a key of `BACKBONES`.
        size: (height, width) of the input in pixels, multiples of the coarsest stride; or any from
            the table's `least` on, where the network is not aligned. None leaves a side open.
        norm: "" for the network's own normalisation, or a kind of `norms.py` where the table says
            that it can be chosen.

    Returns:
        A functional model, `(batch, height, width, 3)` float RGB 0–255 → list of maps
        `(batch, height / s, width / s, channels)`, one for each of `architecture(name).strides`,
        finest first; then the table's `extras`.

    Raises:
        ModelError: unknown name, a size that does not fit, or a normalisation that cannot be
            chosen.
    """
    row = architecture(name)
    height, width = _checked(size, name, row)
    if norm and not row.norms:
        raise ModelError(
            f'`norm` cannot be chosen for {name}, which has its own; got {norm!r}. Choose "".'
        )
    import keras

    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            'networks are built with channels last; Keras is set to "channels_first". '
            'Set "image_data_format" to "channels_last" in keras.json.'
        )
    image = keras.Input((height, width, 3), name="image")
    options = {**row.options, "norm": norm} if norm else row.options
    maps = import_module(f"{__name__}.{row.module}").build(image, **options)
    return keras.Model(image, maps, name=name.replace("-", "_"))


def build_top(
    name: str, features: "list[keras.KerasTensor]", classes: int, dropout: float, auxiliary: bool
) -> list[Any]:
    """Build the classifier of the network's paper on what its backbone gives.

    Args:
        features: the backbone's outputs.
        auxiliary: also build the paper's further classifiers, which only training looks at.

    Returns:
        Logits `(batch, classes)` float32; the main classifier's first.

    Raises:
        ModelError: the network has no classifier of its own, or needs images of a fixed size for
            it.
    """
    row = architecture(name)
    if not row.top:
        fitting = [other for other, its in BACKBONES.items() if its.top]
        raise ModelError(
            f"{name} has no classifier of its own; {', '.join(fitting)} have. Choose one, or a "
            "pooled head."
        )
    if auxiliary and not row.extras:
        raise ModelError(f"{name} has no auxiliary classifiers. Set their weight to 0.")
    return import_module(f"{__name__}.{row.module}").top(
        features, classes, dropout, auxiliary, **row.options
    )


def layers_up_to(
    backbone: "keras.Model", name_or_strides: str | Sequence[int], stride: int
) -> "list[keras.layers.Layer]":
    """The layers that the map of that stride is computed from, in the network's order.

    Args:
        backbone: what `build_backbone` returned.
        name_or_strides: its name, or the strides of its outputs.
        stride: of the map; 0 gives no layers.

    Raises:
        ModelError: the backbone has no map of that stride.
    """
    strides = (
        architecture(name_or_strides).strides
        if isinstance(name_or_strides, str)
        else tuple(name_or_strides)
    )
    if stride == 0:
        return []
    if stride not in strides:
        raise ModelError(
            f"a stride must be 0 (nothing) or one of the strides of {backbone.name}: "
            f"{', '.join(map(str, strides))}; got {stride!r}."
        )
    import keras

    return keras.Model(backbone.inputs, backbone.outputs[strides.index(stride)]).layers


def freeze(backbone: "keras.Model", name: str, stride: int) -> None:
    """Stop the training of exactly the layers up to the map of that stride, and train all others.

    A frozen BatchNormalization also uses, and keeps, its stored statistics. Freeze before
    `compile`: Keras notes there what is to be trained.

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


def _checked(size: Any, name: str, row: Architecture) -> tuple[int | None, int | None]:
    """`size` if it is (height, width), each None or a side that fits the network."""
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        least = max(row.least, 7 * row.strides[-1])
        raise ModelError(f"`size` must be (height, width); got {size!r}. Try ({least}, {least}).")
    for side in size:
        if side is not None:
            row.check_side(name, side)
    return size[0], size[1]
