"""Decoding as a graph, for each kind of head: the steps of its `decode` for an image that fills the
network input.

One thing differs: boxes are in pixels of the network input and cut at its edges, not at those of
the image on it, whose place the graph does not know.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.answers import VOID, Mask
from cvtasks.errors import UsageError
from cvtasks.export import OUTPUT
from cvtasks.export.decoding.steps import Length, Steps
from cvtasks.export.decoding.suppression import best, inside, left
from cvtasks.heads.arrays import mapped
from cvtasks.heads.assignment import cells
from cvtasks.heads.cell_boxes import PlainBoxes
from cvtasks.heads.pooled_box import PooledBox
from cvtasks.heads.prototypes import Prototypes
from cvtasks.heads.two_stage import CLASSES, TwoStage
from cvtasks.heads.unet import UNet
from cvtasks.recipe.recipe import Recipe

if TYPE_CHECKING:
    from onnx import ModelProto

_FLAT = 0.005  # pixels, half of the last decimal that is written of an edge: thinner is flat
_SURE = 1e-6  # the least threshold: a score of nothing finds nothing

Outputs = dict[str, tuple[str, tuple[Length, ...]]]
"""Name of an output → the kind of its numbers and its shape."""


def answer_graph(recipe: Recipe, threshold: float) -> "ModelProto":
    """The graph that maps the outputs of a recipe's network, for one image, to its answer.

    `detect` and `localize` give `boxes` (found, 4) float32, left, top, right, bottom in pixels of
    the network input, `scores` (found,) float32 and `labels` (found,) int64, the best first.
    `instances` also gives `masks` (found, h, w) float32: how sure it is of each cell of
    `head.mask_stride` pixels, 0 to 1, which counts within the box alone. `segment` gives `ids`
    (1, H, W) uint8.

    Args:
        threshold: the least score, 0 to 1, of what is found.

    Raises:
        UsageError: the output of the head is the answer already.
    """
    decode = next((one for kind, one in _DECODERS.items() if isinstance(recipe.head, kind)), None)
    if decode is None:
        raise UsageError(
            "an answer is made in the graph where a network puts out cells, or scores of pixels; "
            f"what one for {recipe.task.name} puts out is its answer. Export it as it is.",
        )
    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    named: Any = mapped(lambda shape: (1, *shape), shapes)
    inputs = named if isinstance(named, dict) else {OUTPUT: named}
    steps = Steps()
    outputs = decode(steps, recipe, threshold)
    return steps.model(inputs, outputs)


def decodes(recipe: Recipe) -> bool:
    """Whether the outputs of a recipe's network have an answer graph."""
    return isinstance(recipe.head, tuple(_DECODERS))


def _plain_boxes(steps: Steps, recipe: Recipe, threshold: float) -> Outputs:
    """Of detectors with a class and a box in every cell."""
    name = next(iter(_names(recipe)))
    return _of_cells(steps, recipe, name, threshold)[0]


def _prototypes(steps: Steps, recipe: Recipe, threshold: float) -> Outputs:
    """Of cells with masks: the sums of the prototypes, by the numbers of the cells that are
    kept.
    """
    head: Any = recipe.head
    outputs, row = _of_cells(steps, recipe, "cells", threshold)
    first, height, width = 4 + len(recipe.classes), *_side(recipe, head.mask_stride)
    own = steps.cut("cells", first, first + head.prototypes, 2)
    weights = steps.add("Gather", steps.shaped(own, -1, head.prototypes), row, axis=0)
    planes = steps.add("Transpose", steps.shaped("prototypes", -1, head.prototypes), perm=[1, 0])
    masks = steps.add("Sigmoid", steps.add("MatMul", weights, planes))
    steps.give("masks", steps.shaped(masks, -1, height, width))
    return {**outputs, "masks": ("float32", ("found", height, width))}


def _of_cells(steps: Steps, recipe: Recipe, name: str, threshold: float) -> tuple[Outputs, str]:
    """Boxes, scores and labels of an output (1, cells, 4 + classes + …); and (n,) the cell of
    each.
    """
    head: Any = recipe.head
    classes, size = len(recipe.classes), recipe.input_size
    centres, sizes = cells(size, head.strides)
    scores = steps.cut(name, 4, 4 + classes, 2)
    score, row, label = best(steps, scores, len(centres), classes, head.candidates)
    every = steps.shaped(steps.cut(name, 0, 4, 2), -1, 4)
    edges = steps.add(
        "Mul",
        steps.add("Gather", every, row, axis=0),
        steps.add("Gather", sizes, row, axis=0),
    )
    centre = steps.add("Gather", centres, row, axis=0)
    low = steps.add("Sub", centre, steps.cut(edges, 0, 2, 1))
    high = steps.add("Add", centre, steps.cut(edges, 2, 4, 1))
    boxes = inside(steps, steps.add("Concat", low, high, axis=1), size)
    kept = _kept(steps, recipe, boxes, score, label, threshold)
    outputs = _boxes(steps, kept, boxes, score, label)
    return outputs, steps.add("Gather", row, kept, axis=0)


def _two_stage(steps: Steps, recipe: Recipe, threshold: float) -> Outputs:
    """Of proposals that a second stage has looked at."""
    head: Any = recipe.head
    classes = len(recipe.classes)
    least = max(threshold, head.min_score)
    scores = steps.cut("rois", CLASSES, CLASSES + classes, 2)
    # the scores of a proposal add up to 1, so that no more can be sure enough
    most = int(head.proposals * min(classes, 1 / least))
    score, row, label = best(steps, scores, head.proposals, classes, max(most, 1))
    every = steps.shaped(steps.cut("rois", 0, 4, 2), -1, 4)
    boxes = inside(steps, steps.add("Gather", every, row, axis=0), recipe.input_size)
    kept = _kept(steps, recipe, boxes, score, label, threshold)
    return _boxes(steps, kept, boxes, score, label)


def _kept(
    steps: Steps, recipe: Recipe, boxes: str, score: str, label: str, threshold: float
) -> str:
    """The candidates that are left, with the numbers of the head."""
    head: Any = recipe.head
    return left(
        steps,
        boxes,
        score,
        label,
        classes=len(recipe.classes),
        overlap=head.nms,
        most=head.max_detections,
        threshold=max(threshold, head.min_score),
    )


def _pooled_box(steps: Steps, recipe: Recipe, threshold: float) -> Outputs:
    """Of the one object: its box and its best class, where that is sure enough."""
    height, width = recipe.input_size
    ends = np.array([width, height], np.float32)
    scores = steps.cut(OUTPUT, 4, 4 + len(recipe.classes), 1)
    score, label = steps.several("TopK", 2, steps.shaped(scores, -1), [1], axis=0)
    edges = steps.add("Mul", steps.cut(OUTPUT, 0, 4, 1), np.tile(ends, 2))
    box = inside(steps, edges, (height, width))
    low, high = steps.cut(box, 0, 2, 1), steps.cut(box, 2, 4, 1)
    flat = steps.add("Less", steps.add("Sub", high, low), _FLAT)
    low = steps.add("Where", flat, steps.add("Min", low, ends - 1), low)
    high = steps.add("Where", flat, steps.add("Add", low, 1.0), high)
    box = steps.add("Concat", low, high, axis=1)
    sure = steps.add("GreaterOrEqual", score, np.float32(max(threshold, _SURE)))
    return _boxes(steps, steps.shaped(steps.add("NonZero", sure), -1), box, score, label)


def _boxes(steps: Steps, kept: str, boxes: str, score: str, label: str) -> Outputs:
    """Give out what is kept."""
    steps.give("boxes", steps.add("Gather", boxes, kept, axis=0))
    steps.give("scores", steps.add("Gather", score, kept, axis=0))
    steps.give("labels", steps.add("Gather", label, kept, axis=0))
    return {
        "boxes": ("float32", ("found", 4)),
        "scores": ("float32", ("found",)),
        "labels": ("int64", ("found",)),
    }


def _unet(steps: Steps, recipe: Recipe, threshold: float) -> Outputs:
    """Of scores for every pixel: the best class, or what is said where none is sure enough."""
    ids = steps.add("ArgMax", OUTPUT, axis=3, keepdims=0)
    if threshold:
        unsure = 0 if Mask.ground(recipe.classes) else VOID
        surest = steps.several("TopK", 2, OUTPUT, [1], axis=3)[0]
        height, width = recipe.input_size
        sure = steps.add(
            "GreaterOrEqual", steps.shaped(surest, -1, height, width), np.float32(threshold)
        )
        ids = steps.add("Where", sure, ids, unsure)
    steps.give("ids", steps.cast(ids, "uint8"))
    return {"ids": ("uint8", (1, *recipe.input_size))}


def _side(recipe: Recipe, stride: int) -> tuple[int, int]:
    """(height, width) of a map of the network."""
    height, width = recipe.input_size
    return height // stride, width // stride


def _names(recipe: Recipe) -> tuple[str, ...]:
    """What the outputs of the head are called."""
    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    return tuple(shapes) if isinstance(shapes, dict) else (OUTPUT,)


_DECODERS: dict[type, Callable[[Steps, Recipe, float], Outputs]] = {
    PlainBoxes: _plain_boxes,
    Prototypes: _prototypes,
    TwoStage: _two_stage,
    PooledBox: _pooled_box,
    UNet: _unet,
}
"""Kind of head → what puts the steps of its decoding into a graph."""
