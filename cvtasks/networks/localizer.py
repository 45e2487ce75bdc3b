"""Single-object localization: where the object is, is asked of every place, and the places that see it best answer.

The task is that of Sermanet et al., "OverFeat" (2013), section 4: a class, and one box by regression. The head is ours: each place
of a feature map says how far the four edges are from it, as in Tian et al., "FCOS" (2019), equation 1, and how much it is to be
listened to; a softmax over the places turns that into one box, and one vector of class scores, that gradients reach everywhere.
"""

from typing import Any

from keras import layers, ops

from cvtasks.networks.classifier import classification_loss
from cvtasks.networks.detector import convolution_unit, generalized_iou


def localizer(maps: dict[int, Any], *, classes: int, width: int, depth: int, dropout: float) -> Any:
    """Build the head on the coarsest map, joined with the next finer one at that one's resolution.

    Args:
        maps: stride → feature map (batch, h, w, c).
        width: channels; `depth`: 3×3 convolutions.

    Returns:
        logits (batch, 4 + classes) float32: left, top, right and bottom edge in shares of the canvas, and one number a class.
    """
    strides = sorted(maps)
    x = convolution_unit(maps[strides[-1]], width, 1, "coarse")
    if len(strides) > 1:
        fine = convolution_unit(maps[strides[-2]], width, 1, "fine")
        if strides[-1] == 2 * strides[-2] and maps[strides[-2]].shape[1:3] == _doubled(maps[strides[-1]].shape[1:3]):
            x = layers.Add(name="join")([fine, layers.UpSampling2D(2, name="enlarge")(x)])
        else:  # maps that are not aligned: the finer one comes down
            x = layers.Add(name="join")([x, _Resized(name="shrink")([fine, x])])
    for number in range(depth):
        x = convolution_unit(x, width, 3, f"head{number + 1}")
    if dropout:
        x = layers.SpatialDropout2D(dropout, name="dropout")(x)
    places = layers.Conv2D(6 + classes, 1, dtype="float32", name="places")(x)
    return _Listen(name="logits", dtype="float32")(places)


def _doubled(size: tuple[int | None, int | None]) -> tuple[int | None, int | None]:
    return tuple(side and 2 * side for side in size)


class _Resized(layers.Layer):
    """The first map at the size of the second one (bilinear)."""

    def call(self, pair: list[Any]) -> Any:
        fine, coarse = pair
        return ops.image.resize(fine, ops.shape(coarse)[1:3], interpolation="bilinear")

    def compute_output_shape(self, shapes: list[tuple]) -> tuple:
        return (*shapes[1][:3], shapes[0][3])


class _Listen(layers.Layer):
    """(batch, h, w, 6 + classes) → (batch, 4 + classes): two softmaxes over the places, for the box and for the class."""

    def call(self, places: Any) -> Any:
        height, width = ops.shape(places)[1], ops.shape(places)[2]
        x = (ops.cast(ops.arange(width), "float32") + 0.5) / ops.cast(width, "float32")
        y = (ops.cast(ops.arange(height), "float32") + 0.5) / ops.cast(height, "float32")
        centre = ops.stack(ops.meshgrid(x, y), axis=-1)  # (h, w, 2)
        near, far = (ops.softplus(places[..., first : first + 2] - 1) for first in (2, 4))
        edges = ops.concatenate([centre - near, centre + far], axis=-1)
        box = ops.sum(_share(places[..., :1]) * edges, axis=(1, 2))
        scores = places[..., 6:]
        best = ops.sum(_share(places[..., 1:2]) * scores, axis=(1, 2))
        return ops.concatenate([box, ops.mean(scores, axis=(1, 2)) + best], axis=-1)

    def compute_output_shape(self, shape: tuple) -> tuple:
        return (shape[0], shape[3] - 2)


def _share(asked: Any) -> Any:
    """(batch, h, w, 1) logits → shares that add up to one over the places."""
    raised = ops.exp(asked - ops.max(asked, axis=(1, 2), keepdims=True))
    return raised / ops.sum(raised, axis=(1, 2), keepdims=True)


def activate(logits: Any) -> Any:
    """(batch, 4 + classes) → edges 0 to 1 in order, and shares of the classes."""
    one, other = ops.clip(logits[..., :2], 0, 1), ops.clip(logits[..., 2:4], 0, 1)
    return ops.concatenate([ops.minimum(one, other), ops.maximum(one, other), ops.softmax(logits[..., 4:], axis=-1)], axis=-1)


def localization_loss(target: Any, logits: Any, *, smoothing: float, box_weight: float, l1_weight: float) -> Any:
    """Cross-entropy of the class, and GIoU and L1 loss of the box (Rezatofighi et al. 2019), one number a picture.

    Args:
        target: (batch, 4 + classes) as `Localize.encode` makes it; logits: (batch, 4 + classes).

    Returns:
        (batch,) float32; zero for a picture without an object.
    """
    target, logits = ops.cast(target, "float32"), ops.cast(logits, "float32")
    entropy = classification_loss(target[..., 4:], logits[..., 4:], many=False, smoothing=smoothing, auxiliary=0)
    edges = ops.clip(logits[..., :4], -10, 11)
    _, generalized = generalized_iou(_distances(edges), _distances(target[..., :4]))
    distance = ops.sum(ops.abs(edges - target[..., :4]), axis=-1)
    return entropy + ops.max(target[..., 4:], axis=-1) * box_weight * (1 - generalized + l1_weight * distance)


def _distances(edges: Any) -> Any:
    """Edges (batch, 4) as distances from the canvas's corner."""
    return ops.concatenate([-edges[..., :2], edges[..., 2:]], axis=-1)
