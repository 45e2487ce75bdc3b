"""YOLOX: feature pyramid, decoupled head, and what its output means.

Sources: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", section 2.1 and figure 2, for the head;
Liu et al., "Path Aggregation Network" (2018), figure 1b, for the way down and up, here of
cross-stage partial layers (`cvtasks.networks.backbones.cspdarknet`).
"""

import itertools
from typing import Any

from keras import layers, ops

from cvtasks.networks.backbones.cspdarknet import Units
from cvtasks.networks.detector import FURTHER, all_cells, distances, rare, small

BOX, OBJECT, CLASSES = slice(0, 4), 4, slice(5, None)
"""Where a cell's logits stand: box, objectness, classes."""

MIDDLE = 0.5
"""Offset of an object in the middle of its cell from the cell's corner, in strides."""

_CONVOLUTIONS = 2  # of the head, before its last one, for boxes and for classes each


def detected(
    levels: dict[int, Any], *, classes: int, width: int, depthwise: bool, further: int = 0
) -> Any:
    """Build a head on each level of a pyramid.

    Args:
        levels: stride → level, as of `pyramid`.
        width: channels of the heads.
        depthwise: split 3×3 convolutions into depthwise and 1×1.
        further: how many more numbers a cell has.

    Returns:
        logits (batch, cells, 5 + classes + further) float32, the finest map first: offset of the
        object's centre from the cell's top left corner (x, y) in strides, logarithm of its width
        and height in strides, whether there is an object, and one number a class; those further
        ones come from the convolutions for boxes.
    """
    units = Units("batch", depthwise)
    return all_cells(
        {
            stride: _head(levels[stride], classes, width, stride, units, further)
            for stride in sorted(levels)
        }
    )


def activate(logits: Any) -> Any:
    """(batch, cells, 5 + classes) → (batch, cells, 4 + classes): distances left, top, right, bottom
    from the cell's centre in strides, and scores 0 to 1, an object's times the class's.
    """
    scores = ops.sigmoid(logits[..., OBJECT : OBJECT + 1]) * ops.sigmoid(logits[..., CLASSES])
    return ops.concatenate([*distances(logits[..., BOX], MIDDLE, 1.0), scores], axis=-1)


def class_logit(logits: Any, index: int) -> Any:
    """(batch, cells, 5 + classes) → (batch, cells): the number whose sigmoid is a class's score."""
    object_, class_ = logits[..., OBJECT], logits[..., 5 + index]
    unlikely = ops.stack([-object_, -class_, -object_ - class_], axis=-1)
    return -ops.logsumexp(unlikely, axis=-1)  # (1 − σσ) / σσ = e⁻ᵒ + e⁻ᶜ + e⁻ᵒ⁻ᶜ


def pyramid(maps: dict[int, Any], *, width: int, depth: int, depthwise: bool) -> dict[int, Any]:
    """Every map, having seen both the coarser and the finer ones.

    Args:
        maps: stride → feature map (batch, H / stride, W / stride, c), each stride twice the one
            before.
        width: channels of the finest level; coarser ones have twice those of the level before.
        depth: bottlenecks of each cross-stage partial layer.
        depthwise: split 3×3 convolutions into depthwise and 1×1.
    """
    units, strides = Units("batch", depthwise), sorted(maps)
    channels = {stride: width * stride // strides[0] for stride in strides}
    level, side = dict(maps), {}
    for fine, coarse in reversed(list(itertools.pairwise(strides))):
        side[coarse] = units.convolution(level[coarse], channels[fine], 1, f"lateral{coarse}")
        larger = layers.UpSampling2D(2, name=f"down{fine}_up")(side[coarse])
        both = layers.Concatenate(name=f"down{fine}_both")([larger, maps[fine]])
        level[fine] = units.partial(both, channels[fine], depth, f"down{fine}")
    for fine, coarse in itertools.pairwise(strides):
        smaller = units.spatial(level[fine], channels[fine], f"up{coarse}_shrink", stride=2)
        both = layers.Concatenate(name=f"up{coarse}_both")([smaller, side[coarse]])
        level[coarse] = units.partial(both, channels[coarse], depth, f"up{coarse}")
    return level


def _head(x: Any, classes: int, width: int, stride: int, units: Units, further: int) -> Any:
    """(batch, h, w, c) → logits (batch, h, w, 5 + classes + further): boxes and classes go
    apart.
    """
    x = units.convolution(x, width, 1, f"stem{stride}")
    kinds = {"box": x, "class": x}
    for kind in kinds:
        for number in range(_CONVOLUTIONS):
            kinds[kind] = units.spatial(kinds[kind], width, f"{kind}{number + 1}_{stride}")

    def last(kind: str, outputs: int, x: Any, **more: Any) -> Any:
        name = f"{kind}_logits{stride}"
        return layers.Conv2D(
            outputs, 1, dtype="float32", kernel_initializer=small(), name=name, **more
        )(x)

    found = [
        last("box", 4, kinds["box"]),
        last("object", 1, kinds["box"], bias_initializer=rare()),
        last("class", classes, kinds["class"], bias_initializer=rare()),
    ]
    if further:
        more = layers.Conv2D(further, 1, dtype="float32", name=f"{FURTHER}{stride}")
        found.append(more(kinds["box"]))
    return layers.Concatenate(dtype="float32", name=f"logits{stride}")(found)
