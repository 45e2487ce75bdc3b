"""Single-object localization: every place of a feature map says where the object is, and those that
see it best are heard.

The task is that of Sermanet et al., "OverFeat" (2013), section 4: a class, and one box by
regression. The head is ours. Each place says how far the four edges are from it, as in Tian et al.,
"FCOS" (2019), equation 1; a softmax over the places, one for each edge, makes one box of that, the
expectation, as Nibali et al., "Numerical Coordinate Regression" (2018), section 3, make a point. So
gradients reach every place, and nothing is flattened: the head takes images of any size.
"""

from typing import Any

from keras import initializers, layers, ops

from cvtasks.networks.detector import convolution_unit, generalized_iou
from cvtasks.networks.pooled_head import classification_loss

# what softplus makes the distance of an edge from, before anything is learned: 0.31 of the
# network input
_USUAL = -1.0


def localizer(
    image: Any, maps: dict[int, Any], *, classes: int, width: int, depth: int, dropout: float
) -> Any:
    """Build the head on the coarsest map, joined with the next finer one, if there is one, at that
    one's resolution.

    Args:
        image: the network's input (batch, H, W, 3).
        maps: stride → feature map (batch, h, w, c), each stride twice the one before, all centred
            on the network input.
        width: channels; `depth`: 3×3 convolutions after the one that joins.
        dropout: share of the channels that training hides from the classes.

    Returns:
        logits (batch, 4 + classes) float32: left, top, right and bottom edge as fractions of the
        network input, and one number a class.
    """
    *finer, coarsest = sorted(maps)
    stride = finer[-1] if finer else coarsest
    x = convolution_unit(maps[coarsest], width, 1, f"lateral{coarsest}")
    if finer:
        fine = convolution_unit(maps[stride], width, 1, f"lateral{stride}")
        x = _CentredAdd(name="join")([fine, layers.UpSampling2D(2, name="enlarge")(x)])
        x = convolution_unit(x, width, 3, "joined")
    for number in range(depth):
        x = convolution_unit(x, width, 3, f"head{number + 1}")
    asked = layers.Conv2D(
        5, 1, use_bias=False, dtype="float32", kernel_initializer=_small(), name="attention"
    )(x)
    distances = layers.Conv2D(4, 1, dtype="float32", kernel_initializer=_small(), name="distances")(
        x
    )
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    scores = layers.Conv2D(classes, 1, dtype="float32", name="class_map")(x)
    return _AttentionPooling(stride, dtype="float32", name="logits")(
        [image, asked, distances, scores]
    )


class _CentredAdd(layers.Layer):
    """The sum of two maps of one stride, (batch, h, w, c) each, both centred on the image: of the
    places that both have.
    """

    def call(self, pair: list[Any]) -> Any:
        """Cut both to the smaller one's size, about the centre, and add them."""
        one, other = pair
        height, width = (_least(ops.shape(one)[axis], ops.shape(other)[axis]) for axis in (1, 2))
        return _middle(one, height, width) + _middle(other, height, width)

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        """(batch, h, w, c)."""
        one, other = shapes
        return (
            one[0],
            *(
                None if None in sides else min(sides)
                for sides in zip(one[1:3], other[1:3], strict=True)
            ),
            one[3],
        )


class _AttentionPooling(layers.Layer):
    """What all places say (batch, h, w, ...) → logits (batch, 4 + classes).

    An edge is the mean of what the places say, weighted by the softmax of how much each asks to be
    heard; the class is the mean over all places, for the whole image, plus the weighted mean, for
    the object.

    Args:
        stride: of the map. Its places lie `stride` pixels apart and around the centre of the
            network input, so that this is also right for networks that do not pad their
            convolutions.
    """

    def __init__(self, stride: int, **options: Any) -> None:
        super().__init__(**options)
        self._stride = stride

    def call(self, inputs: list[Any]) -> Any:
        """Weigh what the places say: how much each asks to be heard, for the class and for each
        edge, edges, and classes.
        """
        image, asked, distances, scores = inputs
        height, width = ops.shape(asked)[1:3]
        y, x = (
            _centres(n, self._stride, ops.shape(image)[axis])
            for axis, n in ((1, height), (2, width))
        )
        centre = ops.reshape(ops.stack(ops.meshgrid(x, y), axis=-1), (1, height * width, 2))
        asked, distances, scores = (
            ops.reshape(said, (-1, height * width, said.shape[-1]))
            for said in (asked, distances, scores)
        )
        seen, each = asked[..., :1], asked[..., 1:]
        share = ops.softmax(ops.concatenate([seen, seen + each], axis=-1), axis=1)
        away = ops.softplus(distances + _USUAL)
        edges = ops.concatenate([centre - away[..., :2], centre + away[..., 2:]], axis=-1)
        box = ops.sum(share[..., 1:] * edges, axis=1)
        return ops.concatenate(
            [box, ops.mean(scores, axis=1) + ops.sum(share[..., :1] * scores, axis=1)], axis=-1
        )

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        """(batch, 4 + classes)."""
        return (shapes[0][0], shapes[2][-1] + shapes[3][-1])


def _centres(places: Any, stride: int, side: Any) -> Any:
    """(places,) float32: where along a side of the network input, given in pixels, the places of
    a map are, as fractions of it.
    """
    steps = ops.cast(ops.arange(places), "float32") - (ops.cast(places, "float32") - 1) / 2
    return 0.5 + steps * stride / ops.cast(side, "float32")


def _least(one: Any, other: Any) -> Any:
    """The smaller of two lengths, each a number or, where the network's input is open, a tensor."""
    return (
        min(one, other)
        if isinstance(one, int) and isinstance(other, int)
        else ops.minimum(one, other)
    )


def _middle(x: Any, height: Any, width: Any) -> Any:
    top, left = (ops.shape(x)[1] - height) // 2, (ops.shape(x)[2] - width) // 2
    return x[:, top : top + height, left : left + width]


def _small() -> initializers.Initializer:
    return initializers.RandomNormal(stddev=0.01)


def activate(logits: Any) -> Any:
    """(batch, 4 + classes) → edges within the network input, 0 to 1, in order, and the classes'
    shares by a softmax.
    """
    one, other = ops.clip(logits[..., :2], 0, 1), ops.clip(logits[..., 2:4], 0, 1)
    return ops.concatenate(
        [ops.minimum(one, other), ops.maximum(one, other), ops.softmax(logits[..., 4:], axis=-1)],
        axis=-1,
    )


def localization_loss(
    target: Any, logits: Any, *, smoothing: float, box_weight: float, l1_weight: float
) -> Any:
    """Cross-entropy of the class plus `box_weight` × (GIoU loss + `l1_weight` × L1 loss of the
    edges), one number an image.

    Both losses of a box: Rezatofighi et al., "Generalized Intersection over Union" (2019), which
    has a gradient wherever the boxes are, and the sum of the four edges' errors, as in Carion et
    al., "DETR" (2020), appendix A.2.

    Args:
        target: (batch, 4 + classes) as `Localize.encode` makes it; without a class the image counts
            for nothing.
        logits: (batch, 4 + classes).

    Returns:
        (batch,) float32.
    """
    target, logits = ops.cast(target, "float32"), ops.cast(logits, "float32")
    box, truth, classes = logits[..., :4], target[..., :4], target[..., 4:]
    entropy = classification_loss(
        classes, logits[..., 4:], many=False, smoothing=smoothing, auxiliary=0
    )
    _, generalized = generalized_iou(_distances(box), _distances(truth))
    error = ops.sum(ops.abs(box - truth), axis=-1)
    return entropy + ops.sum(classes, axis=-1) * box_weight * (1 - generalized + l1_weight * error)


def _distances(edges: Any) -> Any:
    """Edges (..., 4) as their distances from the upper left corner of the network input."""
    return ops.concatenate([-edges[..., :2], edges[..., 2:]], axis=-1)
