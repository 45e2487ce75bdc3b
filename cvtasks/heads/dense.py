"""A dense one-stage detector without anchors: a class and a box for every cell of its feature maps.

Sources: `cvtasks.networks.detector` for the network and its losses, `cvtasks.heads.assignment` for
the label assignment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.boxes import areas, clip, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.base import Head, Top
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

IGNORED = -1.0
"""Stands in a target's scores where a cell looks at something that neither helps nor hurts."""

_CANDIDATES = 1000  # boxes that suppression looks at, the best first


@dataclass(frozen=True)
class Dense(Head[Boxes]):
    """A feature pyramid, and on each of its maps the same convolutions for boxes and for classes.

    A target is (cells, 4 + classes): the distances from the cell's centre to the left, top, right
    and bottom edge of its object, in strides of the cell, and a score for each class. Cells come
    map by map, the finest first, row by row.

    Attributes:
        strides: of the feature maps that objects are looked for on, finest first; the last is the
            backbone's coarsest.
        scale: side of the object that a cell expects, in strides; decides which map learns which
            sizes.
        width: channels of the feature pyramid and of the head.
        depth: 3×3 convolutions of the head before its last one, for boxes and for classes each.
        box_weight: weight of the boxes' loss beside the scores', above 0.
        nms: IoU, 0 to 1, from which on a better box of the same class suppresses another.
        max_detections: objects of an image, at most.
        min_score: score below which evaluation leaves an object out, for speed.
    """

    name: ClassVar[str] = "dense"

    strides: tuple[int, ...] = (8, 16, 32)
    scale: Annotated[float, Range(0.5, 100)] = 5.0
    width: Annotated[int, Range(1, 4096)] = 96
    depth: Annotated[int, Range(0, 8)] = 2
    box_weight: Annotated[float, Range(1e-6, 1000)] = 2.0
    nms: Annotated[float, Range(0, 1)] = 0.6
    max_detections: Annotated[int, Range(1, 10_000)] = 100
    min_score: Annotated[float, Range(1e-6, 1)] = 0.005

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the strides are not the backbone's last ones."""
        fitting = [tuple(strides[first:]) for first in range(len(strides))]
        if self.strides not in fitting:
            raise ModelError(
                f"`head.strides` must be the backbone's last ones, such as {list(strides[-3:])}; "
                f"got {list(self.strides)}."
            )

    def outputs(self, size: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(cells, 4 + classes)."""
        return sum((size[0] // stride) * (size[1] // stride) for stride in self.strides), 4 + len(
            classes
        )

    def encode(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """Boxes → (cells, 4 + classes) float32.

        The cells of an object hold its distances and a one for its class. A cell within a difficult
        object or a crowd that no other object claims is `IGNORED` in every class; all else is zero.
        """
        centres, sizes = cells(letterbox.input_size, self.strides)
        target = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        placed = letterbox.boxes_to_input(truth.xyxy)
        for box in placed[~truth.counted]:
            target[((centres > box[:2]) & (centres < box[2:])).all(axis=1), 4:] = IGNORED
        counted = placed[truth.counted]
        owner = assign(counted, letterbox.input_size, self.strides, self.scale)
        held = np.flatnonzero(owner >= 0)
        box, centre, size = counted[owner[held]], centres[held], sizes[held]
        target[held, :4] = np.concatenate([centre - box[:, :2], box[:, 2:] - centre], axis=1) / size
        target[held, 4:] = np.eye(len(truth.classes), dtype=np.float32)[
            truth.labels[truth.counted][owner[held]]
        ]
        return target

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Boxes:
        """(cells, 4 + classes) → Boxes, best score first; those that a better one of their class
        covers are left out.
        """
        scores = output[:, 4:]
        found = np.flatnonzero(
            scores >= max(threshold, self.min_score)
        )  # a flat search: the quickest over rows of a few numbers
        if len(found) > _CANDIDATES:
            values = scores.reshape(-1)[found]
            found = np.sort(found[np.argpartition(-values, _CANDIDATES)[:_CANDIDATES]])
        cell, label = np.divmod(found, len(classes))
        centres, sizes = cells(letterbox.input_size, self.strides)
        edges = output[cell, :4] * sizes[cell]
        placed = np.concatenate(
            [centres[cell] - edges[:, :2], centres[cell] + edges[:, 2:]], axis=1
        )
        xyxy = clip(letterbox.boxes_to_image(placed), letterbox.size)
        score = scores[cell, label]
        real = np.flatnonzero(areas(xyxy) > 0)
        kept = real[nms(xyxy[real], score[real], label[real], self.nms, self.max_detections)]
        return Boxes.of(xyxy[kept], label[kept], classes, letterbox.size, scores=score[kept])

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, cells, 4 + classes) float32."""
        from cvtasks.networks.detector import detector

        chosen = {stride: maps[stride] for stride in self.strides}
        return detector(chosen, classes=len(classes), width=self.width, depth=self.depth)

    def activate(self, logits: Any) -> Any:
        """Offsets of centres and logarithms of sizes → distances; logits of classes → scores by a
        sigmoid.
        """
        from cvtasks.networks.detector import activate

        return activate(logits, scale=self.scale)

    def loss(self, target: Any, logits: Any) -> Any:
        """Quality focal loss of the scores plus `box_weight` times the boxes' GIoU loss."""
        from cvtasks.networks.detector import detection_loss

        return detection_loss(target, logits, scale=self.scale, box_weight=self.box_weight)

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The mean of the class's logit over the cells of the coarsest map around the middle of the
        network input: of an image with one large object of the class.
        """
        from keras import ops

        centres, sizes = cells(size, self.strides)
        away = np.abs(centres - np.array(size[::-1], np.float32) / 2).max(axis=1)
        coarsest = sizes[:, 0] == sizes.max()
        chosen = coarsest & (away <= away[coarsest].min())
        weight = (chosen / chosen.sum()).astype(np.float32)
        return lambda logits: ops.sum(logits[..., 4 + index] * weight, axis=1)

    def score(self, kind: str, number: int, seen: Seen[Boxes]) -> Score:
        """The logit of a box of the answer, in the cell that it comes from; of a class that of its
        best box, and the best box of all by default.
        """
        boxes = seen.answer
        if kind == "region":
            raise no_such_kind(kind, " or box:N")
        chosen = _box(boxes, kind, number)
        label, cell = int(boxes.labels[chosen]), self._cell(seen, boxes, chosen)
        return Score(
            boxes.names[chosen] if len(boxes) == 1 else f"{boxes.names[chosen]} box {chosen}",
            lambda logits: logits[:, cell, 4 + label],
            box=boxes.xyxy[chosen],
            stride=int(cells(seen.letterbox.input_size, self.strides)[1][cell, 0]),
        )

    def _cell(self, seen: Seen[Boxes], boxes: Boxes, chosen: int) -> int:
        """The cell that a box of the answer comes from: the one that gives it alone."""
        column = 4 + int(boxes.labels[chosen])
        for cell in np.flatnonzero(seen.output[:, column] == boxes.scores[chosen]):
            alone = seen.output.copy()
            alone[:, 4:] = 0
            alone[cell, column] = seen.output[cell, column]
            found = self.decode(alone, seen.letterbox, boxes.classes)
            if len(found) and np.array_equal(found.xyxy[0], boxes.xyxy[chosen]):
                return int(cell)
        raise UsageError(f"no cell gives the box {boxes.xyxy[chosen].tolist()}.")


def _box(boxes: Boxes, kind: str, number: int) -> int:
    """The index of the box that is meant; UsageError where the answer has none such."""
    if not len(boxes):
        raise UsageError(
            "a target must be in the answer; this one is empty: no object is sure enough. Lower "
            "the threshold, or take another image."
        )
    if kind == "class":
        own = np.flatnonzero(boxes.labels == number)
        if not len(own):
            there = ", ".join(dict.fromkeys(boxes.names))
            raise UsageError(
                f'a target must be in the answer; no "{boxes.classes[number]}" was found, only '
                f"{there}. Lower the threshold, or choose one of these."
            )
        return int(own[boxes.scores[own].argmax()])
    chosen = number if kind else int(boxes.scores.argmax())
    if chosen >= len(boxes):
        raise UsageError(
            f"a target must be in the answer, whose boxes are box:0 to box:{len(boxes) - 1}; got "
            f"box:{chosen}. Lower the threshold to have more."
        )
    return chosen
