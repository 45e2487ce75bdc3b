"""U-Net decoder over any backbone.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation" (2015), figure 1. We differ: padded convolutions with batch norm, a backbone instead
of the plain encoder, each skip reduced by a 1×1 convolution to the width of its level before it is
joined, and bilinear upsampling unless asked otherwise. Skips that are added are those of Lin et
al., "Feature Pyramid Networks" (2017); separable convolutions and what the coarsest map is joined
with those of Chen et al., "Encoder-Decoder with Atrous Separable Convolution" (DeepLabv3+, 2018).
"""

from dataclasses import dataclass
from typing import Any

from keras import layers, ops


@dataclass(frozen=True)
class Decoder:
    """What a decoder is made of.

    Attributes:
        channels: width at each level from the second coarsest stride down.
        convolutions: at each level.
        separable: whether these are separable.
        join: how a level joins with its skip, "concatenate" or "add".
        context: what the coarsest map is joined with: 0 for its mean, else a dilation.
        upsampling: "bilinear" or "transposed".
        input_skip: width of the level at the input's own resolution; 0 for none.
        dropout: share of the coarsest map's channels that is dropped in training.
    """

    channels: tuple[int, ...]
    convolutions: int
    separable: bool
    join: str
    context: tuple[int, ...]
    upsampling: str
    input_skip: int
    dropout: float


def unet(image: Any, maps: dict[int, Any], classes: int, decoder: Decoder) -> Any:
    """Build the decoder.

    Args:
        image: the network's input (batch, H, W, 3), 0 to 255.
        maps: stride → feature map (batch, H / stride, W / stride, c).

    Returns:
        logits (batch, H, W, classes) float32.
    """
    strides = sorted(maps, reverse=True)
    x = _bottom(maps[strides[0]], decoder)
    at = strides[0]
    for stride, width in zip(strides[1:], decoder.channels, strict=False):
        name = f"decoder{stride}"
        x = _enlarged(x, at // stride, width, decoder, name)
        x = _joined(x, _unit(maps[stride], width, 1, f"{name}_skip"), decoder, name)
        for i in range(decoder.convolutions):
            x = _unit(x, width, 3, f"{name}_{i + 1}", separable=decoder.separable)
        at = stride
    if decoder.input_skip:
        width = decoder.input_skip
        x = _enlarged(x, at, width, decoder, "decoder1")
        pixels = layers.Rescaling(1 / 127.5, -1, name="decoder1_rescale")(image)
        x = _joined(x, _unit(pixels, width, 3, "decoder1_skip"), decoder, "decoder1")
        x = _unit(x, width, 3, "decoder1_1", separable=decoder.separable)
        at = 1
    logits = layers.Conv2D(classes, 1, dtype="float32", name="logits")(x)
    if at == 1:
        return logits
    return Enlarge(at, dtype="float32", name="logits_enlarged")(logits)


class Enlarge(layers.Layer):
    """Bilinear enlargement by a whole factor, edges repeated: (b, h, w, c) → (b, h · factor, w ·
    factor, c).

    Keras' own cannot do it where the size changes from step to step (3.15 on TensorFlow); there it
    is worked out here.
    """

    def __init__(self, factor: int, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, x: Any) -> Any:
        """Enlarge."""
        height, width = x.shape[1:3]
        if height and width:
            return ops.image.resize(
                x, (height * self.factor, width * self.factor), interpolation="bilinear"
            )
        return self._stretched(self._stretched(x, 1), 2)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """The same with larger sides."""
        return (shape[0], *(side and side * self.factor for side in shape[1:3]), shape[3])

    def _stretched(self, x: Any, axis: int) -> Any:
        """Along one axis: each value becomes `factor` values, on the lines to its neighbours."""
        every = [slice(None)] * 4
        first, last, head, tail = (
            (*every[:axis], part, *every[axis + 1 :])
            for part in (slice(1), slice(-1, None), slice(-1), slice(1, None))
        )
        before = ops.concatenate([x[first], x[head]], axis=axis)
        after = ops.concatenate([x[tail], x[last]], axis=axis)
        places = [(number + 0.5) / self.factor - 0.5 for number in range(self.factor)]
        parts = [x + abs(place) * ((before if place < 0 else after) - x) for place in places]
        shape = list(ops.shape(x))
        shape[axis] *= self.factor
        return ops.reshape(ops.stack(parts, axis=axis + 1), shape)


def _bottom(x: Any, decoder: Decoder) -> Any:
    """The coarsest map, reduced to the width of the first level, plus what is known of its
    surroundings.
    """
    width = decoder.channels[0]
    parts = [_unit(x, width, 1, "decoder_bottom")]
    for dilation in decoder.context:
        if dilation:
            name = f"decoder_context{dilation}"
            parts.append(_unit(x, width, 3, name, separable=True, dilation=dilation))
        else:
            mean = layers.GlobalAveragePooling2D(keepdims=True, name="decoder_mean")(x)
            # no batch norm: there is but one place an image
            parts.append(
                layers.Conv2D(
                    width,
                    1,
                    activation="relu",
                    kernel_initializer="he_normal",
                    name="decoder_mean_conv",
                )(mean)
            )
    x = layers.Add(name="decoder_context")(parts) if len(parts) > 1 else parts[0]
    if decoder.dropout:
        x = layers.SpatialDropout2D(decoder.dropout, name="decoder_dropout")(x)
    return x


def _enlarged(x: Any, factor: int, width: int, decoder: Decoder, name: str) -> Any:
    """A map on the grid of the next level; of its `width` too, where the two are to be added."""
    if decoder.upsampling == "transposed":
        return layers.Conv2DTranspose(width, factor, strides=factor, name=f"{name}_up")(x)
    if decoder.join == "add" and x.shape[-1] != width:
        x = _unit(x, width, 1, f"{name}_reduce")  # before it is enlarged, which is cheaper
    return Enlarge(factor, name=f"{name}_up")(x)


def _joined(x: Any, skip: Any, decoder: Decoder, name: str) -> Any:
    join = layers.Add if decoder.join == "add" else layers.Concatenate
    return join(name=f"{name}_join")([x, skip])


def _unit(
    x: Any, width: int, kernel: int, name: str, *, separable: bool = False, dilation: int = 1
) -> Any:
    """Convolution, batch norm, ReLU; a separable one is a convolution of each channel by itself,
    then one of 1×1.
    """
    if separable:
        x = layers.DepthwiseConv2D(
            kernel,
            padding="same",
            dilation_rate=dilation,
            use_bias=False,
            depthwise_initializer="he_normal",
            name=f"{name}_depthwise",
        )(x)
        kernel = 1
    x = layers.Conv2D(
        width,
        kernel,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
