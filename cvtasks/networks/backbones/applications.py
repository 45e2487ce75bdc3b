"""Networks taken whole from keras.applications, a family in each row of `FAMILIES`.

| family | paper | coarsest map |
|---|---|---|
| MobileNetV2 | Sandler et al. 2018, "Inverted Residuals and Linear Bottlenecks" | 1280 |
| MobileNetV3 | Howard et al. 2019, "Searching for MobileNetV3" | 576 small, 960 large |
| DenseNet | Huang et al. 2017, "Densely Connected Convolutional Networks" | 1024, 1664, 1920 |
| EfficientNetV2 | Tan and Le 2021, "Smaller Models and Faster Training" | 1280 to 1536 |
| ConvNeXt | Liu et al. 2022, "A ConvNet for the 2020s" | 768 to 1536 |

Parameters with 1000 classes, the statistics of normalisation among them: MobileNetV2 3,538,984 at
alpha 1; MobileNetV3 2,554,968 (small) and 5,507,432 (large); DenseNet-121 8,062,504;
EfficientNetV2-B0 7,200,312, -S 21,612,360; ConvNeXt-T 28,589,128.

The map of a stride is the last before the resolution is halved: in inverted residuals that is the
wide one between expansion and depthwise convolution. Deviations: no blocks are dropped while
training (stochastic depth), since a trunk that is frozen would go on dropping them; ConvNeXt's last
normalisation stands before the mean over the places, as in keras.applications without its top.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from cvtasks.networks.backbones.input_scaling import (
    to_signed_range,
    to_standardised,
    to_unit_range,
)
from cvtasks.networks.pooled_head import pooled


@dataclass(frozen=True)
class Family:
    """What the networks of a family share.

    Attributes:
        halving: the layers that halve the resolution, behind the map of stride 2, 4, 8, 16; begins
            at 4 where the network has no map of stride 2.
        scaling: of the input, as the published weights were trained.
        scales: the function takes `include_preprocessing`, and would scale the input itself.
    """

    halving: tuple[str, ...]
    scaling: Callable[[keras.KerasTensor], keras.KerasTensor]
    scales: bool = False


_V2 = ("block2a_expand_conv", "block3a_expand_conv", "block4a_dwconv2", "block6a_dwconv2")

FAMILIES: dict[str, Family] = {
    "MobileNetV2": Family(
        tuple(f"block_{block}_depthwise" for block in (1, 3, 6, 13)), to_unit_range
    ),
    "MobileNetV3Small": Family(
        tuple(f"expanded_conv{block}_depthwise" for block in ("", "_1", "_3", "_8")),
        to_unit_range,
        scales=True,
    ),
    "MobileNetV3Large": Family(
        tuple(f"expanded_conv{block}_depthwise" for block in ("_1", "_3", "_6", "_12")),
        to_unit_range,
        scales=True,
    ),
    "DenseNet": Family(("pool1", "pool2_pool", "pool3_pool", "pool4_pool"), to_standardised),
    "EfficientNetV2B": Family(_V2, to_standardised, scales=True),
    "EfficientNetV2": Family(_V2, to_signed_range, scales=True),
    "ConvNeXt": Family(
        tuple(f"{{name}}_downsampling_block_{number}" for number in (0, 1, 2)),
        to_standardised,
        scales=True,
    ),
}

_HIDDEN = {"MobileNetV3Small": 1024, "MobileNetV3Large": 1280}
"""Units of the layer before the logits (Howard et al. 2019, tables 1 and 2); others have none."""


def build(image: keras.KerasTensor, network: str, alpha: float = 0.0) -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32; ConvNeXt's begin with 4.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        network: of keras.applications.
        alpha: width multiplier; 0 where the family has none.
    """
    family = family_of(network)
    options: dict[str, Any] = {"include_preprocessing": False} if family.scales else {}
    if alpha:
        options["alpha"] = alpha
    trunk = getattr(keras.applications, network)(
        input_tensor=family.scaling(image), include_top=False, weights=None, **options
    )
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    halving = (trunk.get_layer(name.format(name=trunk.name)) for name in family.halving)
    return [*map(_seen_by, halving), _named_end(trunk)]


def top(
    features: list[keras.KerasTensor],
    classes: int,
    dropout: float,
    auxiliary: bool,
    network: str,
    alpha: float = 0.0,
) -> list[keras.KerasTensor]:
    """The logits of the mean over the places, `(batch, classes)`; MobileNetV3 has a layer with a
    hard swish between them.
    """
    if network not in _HIDDEN:
        return [pooled(features[-1], classes=classes, dropout=dropout, class_attention=0.0)]
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="pool")(features[-1])
    x = keras.layers.Dense(_HIDDEN[network], activation="hard_swish", name="hidden")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    return [keras.layers.Dense(classes, dtype="float32", name="logits")(x)]


def family_of(network: str) -> Family:
    """The row of a network of keras.applications: the longest whose name it begins with."""
    return FAMILIES[max((name for name in FAMILIES if network.startswith(name)), key=len)]


def _seen_by(layer: keras.layers.Layer) -> keras.KerasTensor:
    """The input of a layer, without the padding before it."""
    maker = layer.input._keras_history.operation
    return maker.input if isinstance(maker, keras.layers.ZeroPadding2D) else layer.input


def _named_end(trunk: keras.Model) -> keras.KerasTensor:
    """The coarsest map. Keras numbers ConvNeXt's last normalisation anew in every session, so
    that one of our own, which has a name, takes its place.
    """
    last = trunk.layers[-1]
    if not isinstance(last, keras.layers.LayerNormalization):
        return trunk.output
    return keras.layers.LayerNormalization(epsilon=last.epsilon, name=f"{trunk.name}_norm")(
        last.input
    )
