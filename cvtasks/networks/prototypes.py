"""Masks as sums of prototypes: their maps, what they mean, and how they are learned.

Source: Bolya et al., "YOLACT: Real-time Instance Segmentation" (2019), section 3: a few maps for
the whole image, a number for each of them in every cell of a detector, and the mask of a cell's
object in its box where the sum of the maps, weighted by these numbers, is above 0.

One thing differs. The loss looks at so many points of an object's box, as few for a large one as
for a small one, and not at all its pixels: it costs the same at any size of the image, and objects
count alike (Kirillov et al., "PointRend", 2020, section 3.3, train on points too).
"""

from collections.abc import Mapping
from typing import Any

from keras import layers, ops

from cvtasks.networks.detector import convolution_unit
from cvtasks.networks.losses import binary_cross_entropy
from cvtasks.networks.unet import Enlarge

_POINTS = 20  # of a box, to each side
_MARGIN = 0.125  # of a box's side, and one cell of the prototypes, where points lie around it
_SMALLEST = 4  # cells of the prototypes; widths are halved below that stride
_GOLDEN = 0.618034  # share of a turn that spreads any number of steps evenly


def prototypes(
    finest: Any, maps: Mapping[int, Any], *, first: int, stride: int, number: int, width: int
) -> Any:
    """Build the prototypes.

    Args:
        finest: the finest level of a pyramid, (batch, H / first, W / first, c).
        maps: stride → feature map of the backbone; those between the two strides join in where
            there are any.
        stride: of the prototypes, a power of two, at most `first`.
        number: how many.
        width: channels of the layers before them; half as many where the stride is below 4.

    Returns:
        (batch, H / stride, W / stride, number) float32.
    """
    x = convolution_unit(finest, width, 3, f"masks{first}")
    while first > stride:
        first //= 2
        channels = width if first >= _SMALLEST else max(width // 2, 1)
        x = convolution_unit(x, channels, 1, f"masks{first}_narrow") if channels != width else x
        x = Enlarge(2, name=f"masks{first}_up")(x)
        if first in maps:
            skip = convolution_unit(maps[first], channels, 1, f"masks{first}_skip")
            x = layers.Add(name=f"masks{first}_add")([x, skip])
        x = convolution_unit(x, channels, 3, f"masks{first}")
    return layers.Conv2D(number, 1, dtype="float32", name="prototypes")(x)


def spread(chosen: Any, most: int) -> tuple[Any, Any]:
    """(batch, cells) bool → (batch, most) int32, so many of the chosen ones, from all over the
    image, and (batch, most) float32: 1, or 0 where there are no more.
    """
    number = ops.shape(chosen)[1]
    place = ops.arange(number, dtype="float32") * _GOLDEN
    rank = ops.where(chosen, 1 + place - ops.floor(place), 0.0)
    rank = ops.pad(rank, [[0, 0], [0, most]])  # a small image may have fewer cells
    value, index = ops.top_k(rank, most)
    there = value > 0
    return ops.where(there, index, 0), ops.cast(there, "float32")


def taken(x: Any, index: Any) -> Any:
    """(batch, n, c), (batch, m) → (batch, m, c)."""
    return ops.take_along_axis(x, ops.expand_dims(index, -1), axis=1)


def mask_loss(
    wanted: Any,
    maps: Any,
    weights: Any,
    own: Any,
    edges: Any,
    real: Any,
    *,
    unit: float,
    none: float,
    dice: float,
) -> Any:
    """Binary cross-entropy of the masks of some cells, beyond the one that no network can go below,
    plus `dice` × (1 − soft Dice); one number an image: the mean over the points of a box, summed
    over the cells, by the batch's mean number of them an image.

    Args:
        wanted: (batch, h, w, k) the target's prototypes: logits of the share of a place that an
            object covers, in whole numbers, `unit` of which make 1; `none` is that of no share.
        maps: (batch, h, w, k) the network's prototypes.
        weights: (batch, cells, k), of the network's prototypes.
        own: (batch, cells) int: the target's prototype that shows the object.
        edges: (batch, cells, 4) left, top, right, bottom of the object's box, in cells of the
            prototypes.
        real: (batch, cells) 1 or 0, whether there is an object.

    Returns:
        (batch,) float32; 0 for perfect masks.
    """
    edges = ops.cast(edges, "float32")
    place, inside = _points(edges, maps)
    found = ops.einsum("bsk,bspk->bsp", weights, _at(ops.cast(maps, "float32"), place))
    one = ops.one_hot(own, wanted.shape[-1], dtype="float32")
    truth = ops.einsum("bsk,bspk->bsp", one, ops.cast(_at(wanted, place), "float32"))
    truth = ops.where(inside, truth, none) / unit
    share = ops.sigmoid(truth)
    each = ops.mean(
        binary_cross_entropy(found, share) - binary_cross_entropy(truth, share), axis=-1
    )
    if dice:
        said = ops.sigmoid(found)
        both = ops.sum(ops.square(said) + ops.square(share), axis=-1)
        each = each + dice * (1 - 2 * ops.sum(said * share, axis=-1) / ops.maximum(both, 1e-6))
    return ops.sum(each * real, axis=1) / ops.maximum(ops.mean(ops.sum(real, axis=1)), 1)


def _points(edges: Any, maps: Any) -> tuple[Any, Any]:
    """(batch, cells, 4) boxes → (batch, cells, points) int32, places in a plane of the maps, on a
    grid over each box and a bit around it; and bool, whether the box touches them.
    """
    height, width = ops.shape(maps)[1], ops.shape(maps)[2]
    cells = ops.shape(edges)[1]
    turn = ops.arange(cells, dtype="float32") * _GOLDEN
    phase = ops.reshape(turn - ops.floor(turn), (1, -1, 1))  # other points in an object's next cell
    part = (ops.reshape(ops.arange(_POINTS, dtype="float32"), (1, 1, -1)) + phase) / _POINTS

    def along(low: Any, high: Any, length: Any) -> tuple[Any, Any]:
        low, high = ops.expand_dims(low, -1), ops.expand_dims(high, -1)
        margin = (high - low) * _MARGIN + 1
        at = ops.floor(low - margin + part * (high - low + 2 * margin))
        cell = ops.clip(ops.cast(at, "int32"), 0, length - 1)
        at = ops.cast(cell, "float32")
        return cell, ops.logical_and(at + 1 > low, at < high)

    x, within = along(edges[..., 0], edges[..., 2], width)
    y, between = along(edges[..., 1], edges[..., 3], height)
    place = ops.expand_dims(y * width, -1) + ops.expand_dims(x, -2)
    inside = ops.logical_and(ops.expand_dims(between, -1), ops.expand_dims(within, -2))
    shape = (-1, cells, _POINTS * _POINTS)
    return ops.reshape(place, shape), ops.reshape(inside, shape)


def _at(maps: Any, place: Any) -> Any:
    """(batch, h, w, k), (batch, cells, points) → (batch, cells, points, k)."""
    shape = ops.shape(maps)
    first = ops.arange(shape[0], dtype="int32") * (shape[1] * shape[2])
    rows = ops.reshape(maps, (-1, maps.shape[-1]))
    return ops.take(rows, place + ops.reshape(first, (-1, 1, 1)), axis=0)
