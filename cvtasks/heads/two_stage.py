"""A detector of two stages, Faster R-CNN: one finds where objects are, the other looks at each
place and says what is there.

Source: Ren et al., "Faster R-CNN" (2015); the network and its losses, and what differs from the
paper, are `cvtasks.networks.two_stage`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import areas
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.base import Head, Top
from cvtasks.heads.cell_boxes import last_strides
from cvtasks.heads.dense import Dense
from cvtasks.heads.room import room_for, too_full
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.heads.suppression import meant, thinned
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

CLASSES = 5
"""Where the classes' numbers of a proposal begin."""

_EDGES, _BACKGROUND = slice(0, 4), 4  # where its other numbers stand
_PROPOSALS, _MOST = 64, 500  # by default, and at most
_EACH = 2  # proposals of a new recipe for each object of the fullest image, at least


@dataclass(frozen=True)
class TwoStage(Head[Boxes]):
    """The best cells of a first stage are proposals, always as many; the second looks at each.

    A target is `rois` (proposals, 5 + classes): left, top, right, bottom in pixels of the network
    input, and a one for background or for a class; all zeros behind a box that is difficult or a
    crowd. For the loss alone there is `cells` (cells, 5), what the first stage learns: a target of
    the head "dense" with the one class "object".

    Attributes:
        strides: of the feature maps that objects are looked for on, finest first; the last is the
            backbone's coarsest.
        scale: side of the object that a cell of the first stage expects, in strides; decides which
            map learns which sizes.
        width: channels of the feature pyramid and of both stages.
        depth: 3×3 convolutions of the first stage before its last one, for boxes and for scores
            each.
        proposals: places that the second stage looks at, and so the most objects of an image. A new
            recipe has twice the objects of its fullest image where that is more.
        pool: cells that a proposal is pooled to, each way.
        units: of each of the second stage's two dense layers.
        box_weight: weight of the boxes' loss beside the scores', in both stages, above 0.
        nms: IoU, 0 to 1, from which on a better box of the same class suppresses another.
        max_detections: objects of an image, at most.
        min_score: score below which evaluation leaves an object out, for speed.
    """

    name: ClassVar[str] = "two-stage"

    meaning: ClassVar[str] = (
        "A row is a proposal: left, top, right and bottom in pixels of the input, then a score, 0 "
        "to 1, for background and for each class. Of boxes of one class whose IoU is above `nms` "
        "the best stays."
    )

    strides: tuple[int, ...] = (8, 16, 32)
    scale: Annotated[float, Range(0.5, 100)] = 5.0
    width: Annotated[int, Range(1, 4096)] = 96
    depth: Annotated[int, Range(0, 8)] = 1
    proposals: Annotated[int, Range(1, _MOST)] = _PROPOSALS
    pool: Annotated[int, Range(1, 28)] = 7
    units: Annotated[int, Range(1, 4096)] = 256
    box_weight: Annotated[float, Range(1e-6, 1000)] = 2.0
    nms: Annotated[float, Range(0, 1)] = 0.5
    max_detections: Annotated[int, Range(1, 10_000)] = 100
    min_score: Annotated[float, Range(1e-6, 1)] = 0.005

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """The backbone's last strides, where it has other ones."""
        return last_strides(backbone, cls.strides)

    @classmethod
    def suited(cls, truths: Iterable[Boxes]) -> dict[str, Any]:
        """`proposals` for such truths, where they need more than usual."""
        found = _EACH * room_for(truths, _MOST // _EACH)
        return {"proposals": found} if found > _PROPOSALS else {}

    def beyond(self, truths: Iterable[Boxes]) -> str:
        """The images with more objects than `proposals`."""
        found = too_full(truths, "proposals", self.proposals)
        return f"{found}: the second stage takes the smallest for background" if found else ""

    @property
    def first(self) -> Dense:
        """The first stage, a detector of the one class "object"."""
        return Dense(
            self.task,
            strides=self.strides,
            scale=self.scale,
            width=self.width,
            depth=self.depth,
            box_weight=self.box_weight,
        )

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the strides are not the backbone's last ones."""
        self.first.check(classes, strides)

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        """`rois` (proposals, 5 + classes)."""
        return {"rois": (self.proposals, CLASSES + len(classes))}

    def encode(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """Boxes → `rois` and `cells`, float32; the largest objects first, then the largest of what
        is ignored.
        """
        placed = letterbox.boxes_to_input(truth.xyxy)
        sides = areas(placed)
        order = np.lexsort((-sides, ~truth.counted))
        order = order[sides[order] > 0][: self.proposals]
        rois = np.zeros((self.proposals, CLASSES + len(truth.classes)), np.float32)
        rois[: len(order), _EDGES], rois[len(order) :, _BACKGROUND] = placed[order], 1
        counted = np.flatnonzero(truth.counted[order])
        rois[counted, CLASSES + truth.labels[order[counted]]] = 1
        alike = replace(truth, labels=np.zeros_like(truth.labels), classes=("object",))
        return {"rois": rois, "cells": self.first.encode(alike, letterbox)}

    def decode(
        self,
        output: Mapping[str, np.ndarray],
        letterbox: Letterbox,
        classes: Classes,
        threshold: float = 0.0,
    ) -> Boxes:
        """Boxes, best score first; those that a better one of their class covers are left out."""
        rois = output["rois"]
        row, label = np.nonzero(rois[:, CLASSES:] >= max(threshold, self.min_score))
        return self._thinned(rois, row, label, letterbox, classes)

    def _thinned(
        self,
        rois: np.ndarray,
        row: np.ndarray,
        label: np.ndarray,
        letterbox: Letterbox,
        classes: Classes,
    ) -> Boxes:
        """The boxes of these rows, each for a class."""
        return thinned(
            rois[row, _EDGES],
            label,
            rois[row, CLASSES + label],
            letterbox,
            classes,
            overlap=self.nms,
            most=self.max_detections,
        )

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """`cells` (batch, cells, 5), `proposals` (batch, proposals, 4) and `rois` (batch,
        proposals, 5 + classes), float32.
        """
        from cvtasks.networks.two_stage import two_stage

        return two_stage(
            {stride: maps[stride] for stride in self.strides},
            classes=len(classes),
            width=self.width,
            depth=self.depth,
            scale=self.scale,
            proposals=self.proposals,
            pool=self.pool,
            units=self.units,
        )

    def activate(self, logits: Any) -> Any:
        """`rois`: the proposals, moved by their offsets, and scores by a softmax."""
        from cvtasks.networks.two_stage import activated_rois

        return {"rois": activated_rois(logits)}

    def loss(self, target: Any, logits: Any) -> Any:
        """The loss of the head "dense" in the first stage; in the second, the cross-entropy of the
        scores plus `box_weight` times the boxes' GIoU loss.
        """
        from cvtasks.networks.two_stage import second_loss

        return self.first.loss(target["cells"], logits["cells"]) + second_loss(
            target["rois"], logits, box_weight=self.box_weight
        )

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The mean of the class's logit over the proposals."""
        from keras import ops

        return lambda logits: ops.mean(logits["rois"][..., CLASSES + index], axis=1)

    def score(self, kind: str, number: int, seen: Seen[Boxes]) -> Score:
        """The logit of a box of the answer; of a class that of its best box, and the best box of
        all by default. Of another image, where proposals have another order, it is that of the
        proposal which has become most like this box.
        """
        from cvtasks.networks.two_stage import logit_of_box

        boxes = seen.answer
        if kind == "region":
            raise no_such_kind(kind, " or box:N")
        chosen = meant(boxes, kind, number)
        column = CLASSES + int(boxes.labels[chosen])
        box = seen.output["rois"][self._row(seen, chosen), _EDGES]
        return Score(
            boxes.names[chosen] if len(boxes) == 1 else f"{boxes.names[chosen]} box {chosen}",
            lambda logits: logit_of_box(logits, box, column),
            box=boxes.xyxy[chosen],
            stride=self.strides[-1],  # that the second stage's map has the most meaning from
        )

    def _row(self, seen: Seen[Boxes], chosen: int) -> int:
        """The proposal that a box of the answer comes from: the one that gives it alone."""
        rois, boxes = seen.output["rois"], seen.answer
        label = boxes.labels[chosen : chosen + 1]
        for row in np.flatnonzero(rois[:, CLASSES + label[0]] == boxes.scores[chosen]):
            its = np.array([row])
            alone = self._thinned(rois, its, label, seen.letterbox, boxes.classes)
            if len(alone) and np.array_equal(alone.xyxy[0], boxes.xyxy[chosen]):
                return int(row)
        raise UsageError(f"no proposal gives the box {boxes.xyxy[chosen].tolist()}.")
