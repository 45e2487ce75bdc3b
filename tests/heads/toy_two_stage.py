"""A head in one file: a detector of two stages in one static graph (Ren et al., "Faster R-CNN",
2015), with bilinear samples for RoIAlign (He et al., "Mask R-CNN", 2017). For tests only: logits
that are in no output, a target for the loss alone, an assignment that is made within the loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import areas, clip, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.base import Head, Top
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

STRIDES, SCALE, POOL = (8, 16, 32), 2.0, 4
VARIANCE = (0.1, 0.1, 0.2, 0.2)  # of the offsets, as in the paper's code


@dataclass(frozen=True)
class TwoStage(Head[Boxes]):
    """The best cells of the first stage are proposals, always as many; the second looks at each.

    A target is `rois` (proposals, 4 + 1 + classes): boxes in pixels of the network input and a one
    for background or a class, and for the loss `cells` (n, 5) of the first stage.
    """

    name: ClassVar[str] = "two-stage"

    width: Annotated[int, Range(1, 512)] = 16
    proposals: Annotated[int, Range(1, 64)] = 12

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Nothing."""

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        return {"rois": (self.proposals, 5 + len(classes))}

    def encode(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        truth = truth.take(truth.counted)
        centres, sizes = cells(letterbox.input_size, STRIDES)
        placed = letterbox.boxes_to_input(truth.xyxy)
        owner = assign(placed, letterbox.input_size, STRIDES, SCALE)
        held = np.flatnonzero(owner >= 0)
        box, centre = placed[owner[held]], centres[held]
        first = np.zeros((len(centres), 5), np.float32)
        sides = np.concatenate([centre - box[:, :2], box[:, 2:] - centre], axis=1)
        first[held, :4], first[held, 4] = sides / sizes[held], 1
        rois = np.zeros((self.proposals, 5 + len(truth.classes)), np.float32)
        n = min(self.proposals, len(truth))
        rois[n:, 4] = 1
        rois[:n, :4] = placed[:n]
        rois[np.arange(n), 5 + truth.labels[:n]] = 1
        return {"rois": rois, "cells": first}

    def decode(
        self,
        output: dict[str, np.ndarray],
        letterbox: Letterbox,
        classes: Classes,
        threshold: float = 0.0,
    ) -> Boxes:
        rois = output["rois"]
        row, label = np.nonzero(rois[:, 5:] >= max(threshold, 0.05))
        xyxy = clip(letterbox.boxes_to_image(rois[row, :4]), letterbox.size)
        score = rois[row, 5 + label]
        good = np.flatnonzero(areas(xyxy) > 0)
        kept = good[nms(xyxy[good], score[good], label[good], 0.5, 100)]
        return Boxes.of(xyxy[kept], label[kept], classes, letterbox.size, scores=score[kept])

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        from keras import layers, ops

        from cvtasks.networks.detector import convolution_unit, detector

        finest, size, count = STRIDES[0], tuple(image.shape[1:3]), self.proposals

        class Proposals(layers.Layer):
            """Logits (batch, n, 5) → the surest boxes (batch, count, 4); nothing is learned
            through them.
            """

            def call(self, logits: Any) -> Any:
                return proposed(ops.stop_gradient(logits), size, count)

            def compute_output_shape(self, shape: tuple) -> tuple:
                return shape[0], count, 4

        class RoIAlign(layers.Layer):
            """A map (batch, h, w, c) and boxes → (batch, count, POOL, POOL, c)."""

            def call(self, inputs: Any) -> Any:
                return aligned(*inputs, finest)

            def compute_output_shape(self, shapes: list) -> tuple:
                return shapes[0][0], count, POOL, POOL, shapes[0][-1]

        chosen = {stride: maps[stride] for stride in STRIDES}
        stage = detector(chosen, classes=1, width=self.width, depth=1)
        boxes = Proposals(dtype="float32", name="proposals")(stage)
        x = convolution_unit(maps[finest], self.width, 3, "second")
        x = RoIAlign(dtype="float32", name="align")([x, boxes])
        x = layers.Reshape((count, POOL * POOL * self.width))(x)
        x = layers.Dense(64, activation="relu", name="shared")(x)
        edges = layers.Dense(4, kernel_initializer="zeros", dtype="float32", name="offsets")(x)
        scores = layers.Dense(1 + len(classes), dtype="float32", name="scores")(x)
        joined = layers.Concatenate(dtype="float32", name="rois")([edges, scores])
        return {"cells": stage, "proposals": boxes, "rois": joined}

    def activate(self, logits: Any) -> Any:
        from keras import ops

        rois = logits["rois"]
        box = refined(logits["proposals"], rois[..., :4])
        return {"rois": ops.concatenate([box, ops.softmax(rois[..., 4:], axis=-1)], axis=-1)}

    def loss(self, target: Any, logits: Any) -> Any:
        from keras import ops

        from cvtasks.networks.detector import detection_loss, generalized_iou

        logits = {name: ops.cast(array, "float32") for name, array in logits.items()}
        first = detection_loss(
            ops.cast(target["cells"], "float32"), logits["cells"], scale=SCALE, box_weight=2.0
        )
        truth = ops.cast(target["rois"], "float32")
        real = ops.sum(truth[..., 5:], axis=-1)
        overlap = _iou(logits["proposals"], truth[..., :4]) * real[:, None]
        whose, best = ops.argmax(overlap, axis=-1), ops.max(overlap, axis=-1)
        hit = ops.cast(best >= 0.5, "float32")
        mine = ops.take_along_axis(truth, whose[..., None], axis=1)
        background = ops.one_hot(ops.zeros_like(whose), truth.shape[-1] - 4)
        wanted = mine[..., 4:] * hit[..., None] + background * (1 - hit[..., None])
        share = ops.log_softmax(logits["rois"][..., 4:], axis=-1)
        entropy = ops.mean(-ops.sum(wanted * share, axis=-1), axis=1)
        box = refined(logits["proposals"], logits["rois"][..., :4])
        distances = [
            ops.concatenate([-one[..., :2], one[..., 2:]], axis=-1) for one in (box, mine[..., :4])
        ]
        missed = ops.sum(hit * (1 - generalized_iou(*distances)[1]), axis=1)
        return first + entropy + missed / ops.maximum(ops.mean(ops.sum(hit, axis=1)), 1)


def refined(proposals: Any, offsets: Any) -> Any:
    """Boxes (batch, n, 4) moved and scaled by offsets of their sides."""
    from keras import ops

    side = proposals[..., 2:] - proposals[..., :2]
    moved = offsets * ops.convert_to_tensor(VARIANCE, "float32")
    middle = (proposals[..., :2] + proposals[..., 2:]) / 2 + moved[..., :2] * side
    side = side * ops.exp(ops.clip(moved[..., 2:], -4, 4))
    return ops.concatenate([middle - side / 2, middle + side / 2], axis=-1)


def proposed(logits: Any, size: tuple[int, int], count: int) -> Any:
    """The surest cells' boxes in pixels; of those that a surer one covers only as many as are
    needed to be `count` (Bolya et al., "YOLACT", 2019, "Fast NMS").
    """
    from keras import ops

    from cvtasks.networks.detector import activate

    centre, stride = (ops.convert_to_tensor(array) for array in cells(size, STRIDES))
    found = activate(logits, scale=SCALE)
    low, high = centre - found[..., :2] * stride, centre + found[..., 2:4] * stride
    edges = ops.clip(ops.concatenate([low, high], axis=-1), 0.0, float(max(size)))
    score, index = ops.top_k(found[..., 4], 4 * count)
    edges = ops.take_along_axis(edges, index[..., None], axis=1)
    surer = ops.triu(ops.ones((4 * count, 4 * count)), 1)
    covered = ops.max(_iou(edges, edges) * surer, axis=1)
    index = ops.top_k(ops.where(covered > 0.7, score - 1.0, score), count)[1]
    edges = ops.take_along_axis(edges, index[..., None], axis=1)
    high = ops.maximum(edges[..., 2:], edges[..., :2] + 1.0)
    return ops.stop_gradient(ops.concatenate([edges[..., :2], high], axis=-1))


def aligned(x: Any, boxes: Any, stride: int) -> Any:
    """A bilinear sample of the map in the middle of each bin of each box."""
    from keras import ops

    part = (ops.arange(POOL, dtype="float32") + 0.5) / POOL
    boxes = ops.cast(boxes, "float32") / stride

    def weights(low: Any, high: Any, side: int) -> Any:
        at = ops.expand_dims(low, -1) + part * ops.expand_dims(high - low, -1) - 0.5
        at = ops.expand_dims(ops.clip(at, 0, side - 1.0), -1)
        return ops.maximum(1 - ops.abs(at - ops.arange(side, dtype="float32")), 0)

    rows = weights(boxes[..., 1], boxes[..., 3], x.shape[1])
    columns = weights(boxes[..., 0], boxes[..., 2], x.shape[2])
    cut = ops.einsum("bpyh,bhwc->bpywc", rows, ops.cast(x, "float32"))
    return ops.einsum("bpxw,bpywc->bpyxc", columns, cut)


def _iou(a: Any, b: Any) -> Any:
    """(batch, n, 4), (batch, m, 4) → (batch, n, m)."""
    from keras import ops

    low = ops.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = ops.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    shared = ops.prod(ops.maximum(high - low, 0), axis=-1)
    own, other = (ops.prod(ops.maximum(one[..., 2:] - one[..., :2], 0), axis=-1) for one in (a, b))
    return shared / ops.maximum(own[:, :, None] + other[:, None] - shared, 1e-6)
