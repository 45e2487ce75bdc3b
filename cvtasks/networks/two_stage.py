"""Faster R-CNN in one graph of fixed shapes: proposals, RoIAlign, and a second stage that looks at
each proposal.

Sources: Ren et al., "Faster R-CNN" (2015), for the two stages; Girshick, "Fast R-CNN" (2015),
section 2, for the second one and its losses; He et al., "Mask R-CNN" (2017), section 3, for
RoIAlign; Bolya et al., "YOLACT" (2019), section 3.4, for suppression at one stroke; Liu et al.,
"Path Aggregation Network" (2018), section 3.2, for features from all maps of the pyramid.

Four things differ. The first stage is the one-stage detector's head with the one class "object"
(`cvtasks.networks.detector`), without anchors. There are always as many proposals: those that a
surer one covers come last and are looked at only where nothing better is left. No truth is put
among them, so that the graph needs none and is the same in training and in use. And background is
not drawn from at random: its weight is what drawing one object to three of background would give.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import layers, ops

from cvtasks.networks.detector import (
    activate,
    convolution_unit,
    detected,
    generalized_iou,
    pyramid,
)

BACKGROUND = 4
"""Where a proposal's logits say that there is no object; before it are its four offsets, behind it
a number for each class.
"""

_VARIANCE = (0.1, 0.1, 0.2, 0.2)  # of the offsets, as in the authors' code
_LONGEST = 4.0  # logarithm of what a proposal's side is scaled by, at most
_CANDIDATES = 4  # boxes that suppression looks at, for each that is proposed
_COVERED = 0.7  # IoU from which on a surer box makes another one superfluous (section 3.3)
_SAMPLES = 2  # of a bin, each way (He et al., section 3)
_HIT = 0.5  # IoU from which on a proposal is its object's (Girshick, section 2.3)
_BACKGROUND = 3.0  # weight of all background, in that of the objects (Girshick, section 2.3)
_DENSE = 2  # layers between the pooled features and what is said of them


def two_stage(
    maps: dict[int, Any],
    *,
    classes: int,
    width: int,
    depth: int,
    scale: float,
    proposals: int,
    pool: int,
    units: int,
) -> dict[str, Any]:
    """Build pyramid, first stage, proposals and second stage.

    Args:
        maps: stride → feature map (batch, H / stride, W / stride, c), each stride twice the one
            before.
        width: channels of the pyramid and of both stages.
        depth: 3×3 convolutions of the first stage, for boxes and for scores each.
        scale: side of the object that a cell expects, in strides.
        proposals: of an image.
        pool: bins of a proposal, each way.
        units: of each dense layer of the second stage.

    Returns:
        `cells` (batch, cells, 5), logits of the first stage, as of a detector of one class;
        `proposals` (batch, proposals, 4): left, top, right, bottom in pixels of the network input;
        `rois` (batch, proposals, 5 + classes): what moves the edges, and logits of background and
        of the classes. All float32.
    """
    strides = tuple(sorted(maps))
    finest = strides[0]
    levels = pyramid(maps, width)
    cells = detected(levels, classes=1, width=width, depth=depth)
    propose = Proposals(strides, scale, proposals, dtype="float32", name="proposals")
    boxes = propose([cells, levels[finest]])
    x = levels[finest]
    for stride in strides[1:]:
        larger = layers.UpSampling2D(stride // finest, name=f"second{stride}_up")(levels[stride])
        x = layers.Add(name=f"second{stride}_add")([x, larger])
    x = RoIAlign(finest, pool, name="align")([convolution_unit(x, width, 3, "second"), boxes])
    x = layers.Reshape((-1, pool * pool * width), name="flat")(x)
    for number in range(1, _DENSE + 1):
        x = layers.Dense(units, activation="relu", name=f"dense{number}")(x)
        x = layers.LayerNormalization(name=f"dense{number}_norm")(x)
    edges = layers.Dense(4, kernel_initializer="zeros", dtype="float32", name="offsets")(x)
    scores = layers.Dense(1 + classes, dtype="float32", name="scores")(x)
    rois = layers.Concatenate(dtype="float32", name="rois")([edges, scores])
    return {"cells": cells, "proposals": boxes, "rois": rois}


class Proposals(layers.Layer):
    """First stage's logits (batch, cells, 5) and the finest map → its surest boxes (batch, count,
    4) in pixels of the network input. Nothing is learned through them.

    Those come first that no surer one covers. Where there are fewer cells than proposals, the last
    ones are the pixel in the corner.
    """

    def __init__(self, strides: tuple[int, ...], scale: float, count: int, **options: Any) -> None:
        super().__init__(**options)
        self.strides, self.scale, self.count = strides, scale, count

    def call(self, inputs: Any) -> Any:
        """Decode, choose, suppress."""
        logits, finest = inputs
        height, width = (side * self.strides[0] for side in ops.shape(finest)[1:3])
        found = activate(ops.stop_gradient(logits), scale=self.scale)
        centre, stride = _grid(height, width, self.strides)
        most = ops.cast(ops.stack([width, height]), "float32")
        low = ops.minimum(ops.maximum(centre - found[..., :2] * stride, 0.0), most - 1)
        high = ops.minimum(ops.maximum(centre + found[..., 2:4] * stride, low + 1), most)
        candidates = _CANDIDATES * self.count
        edges, score = _at_least(candidates, ops.concatenate([low, high], axis=-1), found[..., 4])
        score, index = ops.top_k(score, candidates)
        edges = ops.take_along_axis(edges, ops.expand_dims(index, -1), axis=1)
        surer = ops.triu(ops.ones((candidates, candidates), dtype="float32"), 1)
        covered = ops.max(pairwise_iou(edges, edges) * surer, axis=1) > _COVERED
        _, index = ops.top_k(ops.where(covered, score - 1, score), self.count)
        return ops.stop_gradient(ops.take_along_axis(edges, ops.expand_dims(index, -1), axis=1))

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """(batch, count, 4)."""
        return shapes[0][0], self.count, 4


class RoIAlign(layers.Layer):
    """A map (batch, h, w, c) and boxes (batch, n, 4) in pixels of the network input → (batch, n,
    bins, bins, c): of each bin the mean of 2×2 samples, bilinear between the middles of cells.

    Bilinear weights are separable, and so are means: two products of matrices are all there is.
    """

    def __init__(self, stride: int, bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.stride, self.bins = stride, bins

    def call(self, inputs: Any) -> Any:
        """Cut rows, then columns."""
        x, boxes = inputs
        boxes = ops.cast(boxes, "float32") / self.stride
        height, width = ops.shape(x)[1:3]
        rows = self._weights(boxes[..., 1], boxes[..., 3], height)
        columns = self._weights(boxes[..., 0], boxes[..., 2], width)
        cut = ops.einsum("bpyh,bhwc->bpywc", ops.cast(rows, x.dtype), x)
        return ops.einsum("bpxw,bpywc->bpyxc", ops.cast(columns, x.dtype), cut)

    def _weights(self, low: Any, high: Any, cells: Any) -> Any:
        """(batch, n) edges in cells → (batch, n, bins, cells): what each cell counts in each
        bin.
        """
        samples = self.bins * _SAMPLES
        part = (ops.arange(samples, dtype="float32") + 0.5) / samples
        low, high = ops.expand_dims(low, -1), ops.expand_dims(high, -1)
        at = low + (high - low) * part - 0.5  # the middle of a cell is a whole number
        last = ops.cast(cells, "float32") - 1
        at = ops.expand_dims(ops.minimum(ops.maximum(at, 0.0), last), -1)
        weights = ops.maximum(1 - ops.abs(at - ops.arange(cells, dtype="float32")), 0)
        parts = (-1, ops.shape(low)[1], self.bins, _SAMPLES, cells)
        return ops.mean(ops.reshape(weights, parts), axis=3)

    def compute_output_shape(self, shapes: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """(batch, n, bins, bins, c)."""
        return *shapes[1][:2], self.bins, self.bins, shapes[0][-1]


def refined(proposals: Any, offsets: Any) -> Any:
    """(..., 4) left, top, right, bottom, moved and scaled by (..., 4) offsets: of the middle in
    sides of the proposal, and logarithms of what its sides are scaled by.
    """
    side = proposals[..., 2:] - proposals[..., :2]
    # NumPy's array becomes a constant of an exported graph; a tensor would be one more input of it
    offsets = offsets * np.array(_VARIANCE, np.float32)
    middle = (proposals[..., :2] + proposals[..., 2:]) / 2 + offsets[..., :2] * side
    side = side * ops.exp(ops.clip(offsets[..., 2:], -_LONGEST, _LONGEST))
    return ops.concatenate([middle - side / 2, middle + side / 2], axis=-1)


def activated_rois(logits: Mapping[str, Any]) -> Any:
    """Logits → (batch, proposals, 5 + classes): boxes in pixels of the network input, and shares of
    background and of the classes.
    """
    rois = logits["rois"]
    box = refined(logits["proposals"], rois[..., :BACKGROUND])
    return ops.concatenate([box, ops.softmax(rois[..., BACKGROUND:], axis=-1)], axis=-1)


def logit_of_box(arrays: Mapping[str, Any], box: Any, column: int) -> Any:
    """Logits, or activated outputs → (batch,): a column of the proposal that has become the box, or
    one that is most like it.
    """
    rois = arrays["rois"]
    boxes = rois[..., :BACKGROUND]
    if "proposals" in arrays:
        boxes = refined(arrays["proposals"], boxes)
    overlap = pairwise_iou(boxes, ops.reshape(ops.convert_to_tensor(box, "float32"), (1, 1, 4)))
    best = ops.argmax(overlap[..., 0], axis=1)
    return ops.take_along_axis(rois[..., column], ops.expand_dims(best, -1), axis=1)[:, 0]


def second_loss(target: Any, logits: Mapping[str, Any], *, box_weight: float) -> Any:
    """Cross-entropy of the classes plus `box_weight` × GIoU loss of the boxes, one number an image.

    A proposal is an object's that it overlaps by half; else it is background, unless the most part
    of it lies in what is ignored. The cross-entropy is a weighted mean over an image's proposals;
    the boxes' loss is a sum over the objects' proposals, divided by the batch's mean number of
    them an image, at least one.

    Args:
        target: (batch, n, 5 + classes): boxes in pixels of the network input, and a one for
            background or the class; all zeros where a box is ignored.
        logits: `proposals` and `rois`, as of `two_stage`.

    Returns:
        (batch,) float32.
    """
    truth = ops.cast(target, "float32")
    proposals, rois = (ops.cast(logits[name], "float32") for name in ("proposals", "rois"))
    real = ops.sum(truth[..., BACKGROUND + 1 :], axis=-1)  # (batch, n): 1 for an object
    neither = 1 - real - truth[..., BACKGROUND]
    edges = truth[..., :BACKGROUND]
    overlap = pairwise_iou(proposals, edges) * ops.expand_dims(real, 1)
    hit = ops.cast(ops.max(overlap, axis=-1) >= _HIT, "float32")  # (batch, proposals)
    whose = ops.expand_dims(ops.argmax(overlap, axis=-1), -1)
    mine = ops.take_along_axis(truth, whose, axis=1)
    within = _shared(proposals, edges) * ops.expand_dims(neither, 1)
    inside = ops.max(within, axis=-1) >= 0.5 * ops.maximum(_area(proposals), 1e-6)
    other = (1 - hit) * (1 - ops.cast(inside, "float32"))
    nothing = ops.one_hot(ops.zeros_like(whose[..., 0]), truth.shape[-1] - BACKGROUND)
    wanted = ops.where(ops.expand_dims(hit > 0, -1), mine[..., BACKGROUND:], nothing)
    share = ops.log_softmax(rois[..., BACKGROUND:], axis=-1)
    entropy = -ops.sum(wanted * share, axis=-1)
    hits = ops.sum(hit, axis=1, keepdims=True)
    others = ops.maximum(ops.sum(other, axis=1, keepdims=True), 1)
    weight = hit + other * ops.minimum(_BACKGROUND * (hits + 1) / others, 1)
    named = ops.sum(weight * entropy, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1)
    reached = refined(proposals, rois[..., :BACKGROUND])
    _, generalized = generalized_iou(_reach(reached), _reach(mine[..., :BACKGROUND]))
    missed = ops.sum(hit * (1 - generalized), axis=1)
    return named + box_weight * missed / ops.maximum(ops.mean(hits), 1)


def pairwise_iou(a: Any, b: Any) -> Any:
    """(batch, n, 4), (batch, m, 4) → (batch, n, m): intersection over union, 0 where both are
    empty.
    """
    shared = _shared(a, b)
    # less the negative: as an operation of a graph, Keras 3.15 on TensorFlow takes the sum of
    # (1, n, 1) and (1, 1, n) for that of a map and a bias, (1, n, 1)
    union = ops.expand_dims(_area(a), 2) - -ops.expand_dims(_area(b), 1) - shared
    return shared / ops.maximum(union, 1e-6)


def _shared(a: Any, b: Any) -> Any:
    """(batch, n, 4), (batch, m, 4) → (batch, n, m): the area that each pair shares."""
    low = ops.maximum(ops.expand_dims(a[..., :2], 2), ops.expand_dims(b[..., :2], 1))
    high = ops.minimum(ops.expand_dims(a[..., 2:4], 2), ops.expand_dims(b[..., 2:4], 1))
    sides = ops.maximum(high - low, 0)
    return sides[..., 0] * sides[..., 1]


def _area(boxes: Any) -> Any:
    sides = ops.maximum(boxes[..., 2:4] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def _reach(boxes: Any) -> Any:
    """Edges as distances from the corner of the network input."""
    return ops.concatenate([-boxes[..., :2], boxes[..., 2:4]], axis=-1)


def _grid(height: Any, width: Any, strides: tuple[int, ...]) -> tuple[Any, Any]:
    """Centres (cells, 2) as x, y and strides (cells, 1), in pixels of a network input of any size;
    the finest map first, row by row.
    """
    centres, sizes = [], []
    for stride in strides:
        rows, columns = (
            (ops.arange(side // stride, dtype="float32") + 0.5) * stride for side in (height, width)
        )
        y, x = ops.meshgrid(rows, columns, indexing="ij")
        centres.append(ops.stack([ops.reshape(x, (-1,)), ops.reshape(y, (-1,))], axis=-1))
        sizes.append(ops.full_like(centres[-1][:, :1], stride))
    return ops.concatenate(centres), ops.concatenate(sizes)


def _at_least(count: int, edges: Any, scores: Any) -> tuple[Any, Any]:
    """(batch, n, 4) and (batch, n), and `count` more of no worth, the pixel in the corner, where n
    is not known to be enough.
    """
    known = edges.shape[1]
    if known is not None and known >= count:
        return edges, scores
    more = ops.zeros_like(scores[:, :1]) * ops.ones((1, count))  # (batch, count)
    pixel = ops.expand_dims(more, -1) + ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0])
    return ops.concatenate([edges, pixel], axis=1), ops.concatenate([scores, more - 2], axis=1)
