"""One-stage detector without anchors: feature pyramid, head, and what its output means.

Sources: Lin et al., "Feature Pyramid Networks" (2017), figure 3, and Liu et al., "Path Aggregation
Network" (2018), figure 1b, for the way down and up; Lyu et al., "RTMDet" (2022), section 3.2, for a
head whose convolutions all maps share while each map has its own batch norm; Li et al.,
"Generalized Focal Loss" (2020), equation 6, for scores that learn the quality of their box;
Rezatofighi et al., "Generalized Intersection over Union" (2019), for the boxes.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any

from keras import layers, ops

# share of cells that an untrained network takes for objects (Lin et al., "Focal Loss", 2017,
# section 4.1)
_PRIOR = 0.01
FURTHER = "further_logits"
"""Name of the layer of what a cell says beside its box and its classes; a stride may follow."""

MOST = 6.0
"""Largest logarithm of a size; e⁶ = 403 times what a cell expects."""


def detector(maps: dict[int, Any], *, classes: int, width: int, depth: int) -> Any:
    """Build pyramid and head.

    Args:
        maps: stride → feature map (batch, H / stride, W / stride, c), each stride twice the one
            before.
        width: channels; `depth`: shared 3×3 convolutions for boxes and for classes each.

    Returns:
        logits (batch, cells, 4 + classes) float32, the finest map first: offset of the object's
        centre from the cell's (x, y) in strides, logarithm of its width and height over what the
        cell expects, and one number a class.
    """
    return detected(pyramid(maps, width), classes=classes, width=width, depth=depth)


def detected(
    levels: dict[int, Any], *, classes: int, width: int, depth: int, further: int = 0
) -> Any:
    """Build the head on the maps of a pyramid; all else is as of `detector`, and behind these
    logits are `further` ones a cell, from the convolutions for boxes.
    """
    towers = {
        kind: [_convolution(width, 3, f"{kind}{i + 1}") for i in range(depth)]
        for kind in ("box", "score")
    }
    last = {
        "box": layers.Conv2D(4, 1, dtype="float32", kernel_initializer=small(), name="box_logits"),
        "score": layers.Conv2D(
            classes,
            1,
            dtype="float32",
            kernel_initializer=small(),
            bias_initializer=rare(),
            name="score_logits",
        ),
    }
    more = layers.Conv2D(further, 1, dtype="float32", name=FURTHER) if further else None
    found = {}
    for stride in sorted(levels):
        sides, behind = [], []
        for kind, tower in towers.items():
            x = levels[stride]
            for i, convolution in enumerate(tower):
                x = _norm(convolution(x), f"{kind}{i + 1}_{stride}")
            sides.append(last[kind](x))
            behind += [more(x)] if more and kind == "box" else []
        sides += behind
        found[stride] = layers.Concatenate(dtype="float32", name=f"logits{stride}")(sides)
    return all_cells(found)


def all_cells(maps: dict[int, Any]) -> Any:
    """Stride → map (batch, h, w, c), finest first → the cells of all, (batch, cells, c) float32."""
    found = [
        layers.Reshape((-1, map_.shape[-1]), dtype="float32", name=f"cells{stride}")(map_)
        for stride, map_ in maps.items()
    ]
    return (
        layers.Concatenate(axis=1, dtype="float32", name="logits")(found)
        if len(found) > 1
        else found[0]
    )


def activate(logits: Any, *, scale: float) -> Any:
    """(batch, cells, 4 + classes) → distances left, top, right, bottom in strides, and scores 0 to
    1.

    Args:
        scale: side of the object that a cell expects, in strides.
    """
    box = distances(logits[..., :4], 0.0, scale)
    return ops.concatenate([*box, ops.sigmoid(logits[..., 4:])], axis=-1)


def distances(box: Any, origin: float, scale: float) -> tuple[Any, Any]:
    """(..., 4) offsets of centres and logarithms of sizes → distances from the cell's centre, in
    strides: (..., 2) left, top and (..., 2) right, bottom.

    Args:
        origin: offset, in strides, of an object in the middle of its cell.
        scale: as of `activate`.
    """
    centre, size = box[..., :2] - origin, scale * ops.exp(ops.clip(box[..., 2:], -MOST, MOST))
    return size / 2 - centre, size / 2 + centre


def detection_loss(target: Any, logits: Any, *, scale: float, box_weight: float) -> Any:
    """Quality focal loss of all cells plus `box_weight` × GIoU loss of the objects' cells, one
    number an image.

    Both are sums over the cells, divided by the batch's mean number of object cells an image (at
    least one), so that an object weighs the same wherever it is. A cell's box weighs as much as its
    best score, as in Generalized Focal Loss.

    Args:
        target: (batch, cells, 4 + classes) as `Dense.encode` makes it; a negative score takes the
            cell out. Or `boxes` and `labels` as `Dense.compact` makes them.
        logits: (batch, cells, 4 + classes).

    Returns:
        (batch,) float32.
    """
    logits = ops.cast(logits, "float32")
    target = ops.cast(_whole(target, logits.shape[-1] - 4), "float32")
    output = activate(logits, scale=scale)
    truth, raw = target[..., 4:], logits[..., 4:]
    object_cell = ops.cast(ops.max(truth, axis=-1) > 0, "float32")  # (batch, cells)
    overlap, generalized = generalized_iou(output[..., :4], target[..., :4])
    quality = ops.stop_gradient(ops.expand_dims(overlap, -1)) * ops.maximum(truth, 0)
    score = output[..., 4:]
    entropy = ops.maximum(raw, 0) - raw * quality + ops.log1p(ops.exp(-ops.abs(raw)))
    scores = ops.sum(
        ops.square(quality - score) * entropy * ops.cast(truth >= 0, "float32"), axis=(1, 2)
    )
    weight = object_cell * ops.stop_gradient(ops.max(score, axis=-1))
    boxes = ops.sum(weight * (1 - generalized), axis=1)
    count = ops.maximum(ops.mean(ops.sum(object_cell, axis=1)), 1)
    weights = ops.maximum(ops.mean(ops.sum(weight, axis=1)), 1e-3)
    return scores / count + box_weight * boxes / weights


def _whole(target: Any, classes: int) -> Any:
    """`boxes` (batch, cells, 4) and `labels` (batch, cells) → (batch, cells, 4 + classes): a one
    for the label, nothing for −1, and −1 in every class for −2. What is whole stays as it is.
    """
    if not isinstance(target, Mapping):
        return target
    labels = ops.cast(target["labels"], "int32")
    left_out = ops.cast(ops.expand_dims(labels < -1, -1), "float32")
    scores = ops.one_hot(labels, classes, dtype="float32") - left_out
    return ops.concatenate([ops.cast(target["boxes"], "float32"), scores], axis=-1)


def generalized_iou(a: Any, b: Any) -> tuple[Any, Any]:
    """IoU and generalized IoU (...) of two sets of distances (..., 4) left, top, right, bottom from
    the same points.
    """
    shared = _area(ops.minimum(a, b))
    union = ops.maximum(_area(a) + _area(b) - shared, 1e-6)
    hull = ops.maximum(_area(ops.maximum(a, b)), 1e-6)
    overlap = shared / union
    return overlap, overlap - (hull - union) / hull


def _area(distances: Any) -> Any:
    sides = ops.maximum(distances[..., :2] + distances[..., 2:], 0)
    return sides[..., 0] * sides[..., 1]


def pyramid(maps: dict[int, Any], width: int) -> dict[int, Any]:
    """Build a feature pyramid: stride → every map at the same width, having seen both the coarser
    and the finer ones.
    """
    strides = sorted(maps)
    level = {
        stride: convolution_unit(maps[stride], width, 1, f"lateral{stride}") for stride in strides
    }
    for fine, coarse in reversed(list(itertools.pairwise(strides))):
        larger = layers.UpSampling2D(2, name=f"down{fine}_up")(level[coarse])
        level[fine] = convolution_unit(
            layers.Add(name=f"down{fine}_add")([level[fine], larger]), width, 3, f"down{fine}"
        )
    for fine, coarse in itertools.pairwise(strides):
        smaller = convolution_unit(level[fine], width, 3, f"up{coarse}_shrink", stride=2)
        level[coarse] = convolution_unit(
            layers.Add(name=f"up{coarse}_add")([level[coarse], smaller]), width, 3, f"up{coarse}"
        )
    return level


def convolution_unit(x: Any, width: int, kernel: int, name: str, stride: int = 1) -> Any:
    """Convolution, batch norm, ReLU: `width` channels, a `kernel` square,
    layers called `name`_….
    """
    return _norm(_convolution(width, kernel, name, stride)(x), name)


def _convolution(width: int, kernel: int, name: str, stride: int = 1) -> layers.Conv2D:
    return layers.Conv2D(
        width,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )


def _norm(x: Any, name: str) -> Any:
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def small() -> Any:
    """Weights of a last convolution at the start: as if all cells were alike."""
    from keras.initializers import RandomNormal

    return RandomNormal(stddev=0.01)


def rare() -> Any:
    """Biases of scores at the start: few cells hold an object."""
    from keras.initializers import Constant

    return Constant(-math.log((1 - _PRIOR) / _PRIOR))
