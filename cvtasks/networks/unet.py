"""U-Net decoder over any backbone.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image
Segmentation" (2015), figure 1. We differ: padded convolutions with batch norm, a backbone instead
of the plain encoder, each skip reduced by a 1×1 convolution to the width of its level before it is
joined, and bilinear upsampling unless asked otherwise.
"""

from typing import Any

from keras import layers, ops


def unet(
    image: Any,
    maps: dict[int, Any],
    *,
    classes: int,
    channels: tuple[int, ...],
    convolutions: int,
    upsampling: str,
    input_skip: int,
    dropout: float,
) -> Any:
    """Build the decoder.

    Args:
        image: the network's input (batch, H, W, 3), 0 to 255.
        maps: stride → feature map (batch, H / stride, W / stride, c).
        channels: width at each level from the second coarsest stride down.
        input_skip: width of the level at the input's own resolution; 0 for none.

    Returns:
        logits (batch, H, W, classes) float32.
    """
    strides = sorted(maps, reverse=True)
    x = _unit(maps[strides[0]], channels[0], 1, "decoder_bottom")
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="decoder_dropout")(x)
    at = strides[0]
    for stride, width in zip(strides[1:], channels, strict=False):
        name = f"decoder{stride}"
        x = _enlarge(x, at // stride, width, upsampling, name)
        x = layers.Concatenate(name=f"{name}_join")(
            [x, _unit(maps[stride], width, 1, f"{name}_skip")]
        )
        for i in range(convolutions):
            x = _unit(x, width, 3, f"{name}_{i + 1}")
        at = stride
    if input_skip:
        x = _enlarge(x, at, input_skip, upsampling, "decoder1")
        pixels = layers.Rescaling(1 / 127.5, -1, name="decoder1_rescale")(image)
        x = layers.Concatenate(name="decoder1_join")(
            [x, _unit(pixels, input_skip, 3, "decoder1_skip")]
        )
        x = _unit(x, input_skip, 3, "decoder1_1")
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


def _unit(x: Any, width: int, kernel: int, name: str) -> Any:
    """Convolution, batch norm, ReLU."""
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


def _enlarge(x: Any, factor: int, width: int, upsampling: str, name: str) -> Any:
    if upsampling == "transposed":
        return layers.Conv2DTranspose(width, factor, strides=factor, name=f"{name}_up")(x)
    return Enlarge(factor, name=f"{name}_up")(x)
