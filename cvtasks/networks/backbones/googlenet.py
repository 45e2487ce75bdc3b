"""GoogLeNet, the first Inception network.

Szegedy et al. 2014, "Going Deeper with Convolutions", table 1 and section 5; padding and biases as
in BVLC's definition.

| stage | output at 224×224 | parameters | table 1 |
|---|---|---|---|
| conv1, 7×7, stride 2 | 112×112×64 | 9,472 | 2.7K |
| pool1 | 56×56×64 | – | – |
| conv2, 1×1 and 3×3 | 56×56×192 | 114,944 | 112K |
| pool2 | 28×28×192 | – | – |
| 3a, 3b | 28×28×256, ×480 | 163,696 and 388,736 | 159K, 380K |
| pool3 | 14×14×480 | – | – |
| 4a, 4b, 4c | 14×14×512 | 376,176, 449,160, 510,104 | 364K, 437K, 463K |
| 4d, 4e | 14×14×528, ×832 | 605,376, 868,352 | 580K, 840K |
| pool4 | 7×7×832 | – | – |
| 5a, 5b | 7×7×832, ×1024 | 1,043,456, 1,444,080 | 1072K, 1388K |
| mean, logits | 1024, 1000 | 1,025,000 | 1000K |

6,998,552 parameters with 1000 classes and without the two auxiliary classifiers. Table 1 leaves
biases out, and its numbers add up to about 6.8 million: some differ from what its own columns of
channels give (4c: 497K), and 2.7K is a separable conv1 with eight filters for each colour (7·7·3·8
+ 24·64), which the text does not mention. Deviations: local response normalisation has AlexNet's
constants, as the paper gives none; so the mean colour of ImageNet that is subtracted. Weights start
as BVLC's: a uniform distribution by the number of inputs, biases of 0.2.
"""

import keras

from cvtasks.errors import ModelError
from cvtasks.networks.backbones.classifiers import dense_layers
from cvtasks.networks.backbones.input_scaling import to_centred_bgr
from cvtasks.networks.backbones.norms import BARE, LocalResponse, normalised
from cvtasks.networks.pooled_head import pooled

MODULES = {  # 1×1, 3×3 reduced, 3×3, 5×5 reduced, 5×5, 1×1 after pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
_AUXILIARY = (("aux1", "4a"), ("aux2", "4d"))
_AUXILIARY_DROPOUT = 0.7


def build(image: keras.KerasTensor, norm: str = "") -> list[keras.KerasTensor]:
    """The maps of stride 2, 4, 8, 16, 32: conv1, conv2, 3b, 4e, 5b; then 4a and 4d, for the
    auxiliary classifiers.

    Args:
        image: `(batch, height, width, 3)` RGB 0–255.
        norm: "" for local response normalisation after pool1 and conv2; another kind stands between
            each convolution, which then has no bias, and its ReLU instead.
    """
    x = keras.layers.ZeroPadding2D(3, name="conv1_pad")(to_centred_bgr(image))
    maps = [x := _convolution(x, 64, 7, norm, "conv1", strides=2, padding="valid")]
    x = _respond(_pool(x, "pool1"), norm, "lrn1")
    x = _convolution(x, 64, 1, norm, "conv2_reduce")
    maps.append(x := _respond(_convolution(x, 192, 3, norm, "conv2"), norm, "lrn2"))
    ends = {}
    for name, channels in MODULES.items():
        if name.endswith("a"):
            x = _pool(x, f"pool{int(name[0]) - 1}")
        ends[name] = x = _inception(x, *channels, norm, f"inception_{name}")
    return [*maps, ends["3b"], ends["4e"], ends["5b"], *(ends[place] for _, place in _AUXILIARY)]


def top(
    features: list[keras.KerasTensor], classes: int, dropout: float, auxiliary: bool
) -> list[keras.KerasTensor]:
    """The logits `(batch, classes)` of the mean of 5b, and with `auxiliary` those on 4a and
    4d.

    The paper hides 40 % of the mean (`dropout`), and 70 % in an auxiliary classifier, which is so
    here too.

    Raises:
        ModelError: images are too small for the auxiliary classifiers, or of no fixed size.
    """
    logits = [pooled(features[4], classes=classes, dropout=dropout, class_attention=0.0)]
    if auxiliary:
        pairs = zip(_AUXILIARY, features[5:], strict=True)
        logits += [_auxiliary(x, classes, name) for (name, _), x in pairs]
    return logits


def _auxiliary(x: keras.KerasTensor, classes: int, name: str) -> keras.KerasTensor:
    """The logits of an auxiliary classifier (section 5)."""
    if None in x.shape[1:3] or min(x.shape[1:3]) < 5:
        raise ModelError(
            "the auxiliary classifiers of googlenet need images of a fixed size, at least 96; got "
            f"maps of {x.shape[1:3]} "
            "at stride 16. Choose a larger `size`, or set the weight of the auxiliary classifiers "
            "to 0."
        )
    x = keras.layers.AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = _convolution(x, 128, 1, "", f"{name}_conv")
    x = keras.layers.Flatten(name=f"{name}_flatten")(x)
    return dense_layers(
        x, (f"{name}_dense",), (1024,), classes, _AUXILIARY_DROPOUT, logits=f"{name}_logits"
    )


def _inception(
    x: keras.KerasTensor,
    one: int,
    reduce3: int,
    three: int,
    reduce5: int,
    five: int,
    proj: int,
    norm: str,
    name: str,
) -> keras.KerasTensor:
    """The four ways side by side (figure 2b)."""
    ways = [
        _convolution(x, one, 1, norm, f"{name}_1x1"),
        _convolution(
            _convolution(x, reduce3, 1, norm, f"{name}_3x3_reduce"), three, 3, norm, f"{name}_3x3"
        ),
        _convolution(
            _convolution(x, reduce5, 1, norm, f"{name}_5x5_reduce"), five, 5, norm, f"{name}_5x5"
        ),
        _convolution(_pool(x, f"{name}_pool", strides=1), proj, 1, norm, f"{name}_pool_proj"),
    ]
    return keras.layers.Concatenate(name=name)(ways)


def _convolution(
    x: keras.KerasTensor,
    channels: int,
    kernel: int,
    norm: str,
    name: str,
    strides: int = 1,
    padding: str = "same",
) -> keras.KerasTensor:
    """Convolution and ReLU, with or without normalisation between them."""
    bare = norm in BARE
    x = keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding=padding,
        use_bias=bare,
        kernel_initializer="lecun_uniform" if bare else "he_normal",
        bias_initializer=keras.initializers.Constant(0.2),
        name=name,
    )(x)
    return keras.layers.ReLU(name=f"{name}_relu")(normalised(x, norm, f"{name}_norm"))


def _pool(x: keras.KerasTensor, name: str, strides: int = 2) -> keras.KerasTensor:
    """The largest of 3×3; at stride 2 padded at the bottom and the right alone, as Caffe
    does.
    """
    return keras.layers.MaxPooling2D(3, strides=strides, padding="same", name=name)(x)


def _respond(x: keras.KerasTensor, norm: str, name: str) -> keras.KerasTensor:
    """Local response normalisation of `x`, or `x` where another normalisation was chosen."""
    return x if norm else LocalResponse(name)(x)
