"""Object detection: a class and a box for every object, by a one-stage detector without anchors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.boxes import areas, clip, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.tasks.assignment import assign, cells
from cvtasks.tasks.base import Classes, Metric, Top
from cvtasks.tasks.boxes_task import BoxesTask
from cvtasks.tasks.score import Pick, Score, Seen, no_such_kind

IGNORED = -1.0
"""Stands in a target's scores where a cell looks at something that neither helps nor hurts."""

_CANDIDATES = 1000  # boxes that suppression looks at, the best first

_BOUNDS: dict[str, tuple[float, float]] = {
    "threshold": (0, 1),
    "scale": (0.5, 100),
    "width": (1, 4096),
    "depth": (0, 8),
    "box_weight": (1e-6, 1000),
    "nms": (0, 1),
    "most": (1, 10_000),
    "floor": (1e-6, 1),
}


@dataclass(frozen=True)
class Detect(BoxesTask):
    """The recipe's table `[detect]`.

    A target is (cells, 4 + classes): the distances from the cell's centre to the left, top, right
    and bottom edge of its object, in strides of the cell, and a score for each class. Cells come
    map by map, the finest first, row by row.

    Attributes:
        threshold: the least score, 0 to 1, of an object that is shown to a user who asks for no
            other; training ends by putting the one here that has the best F1 on the validation
            split.
        strides: of the feature maps that objects are looked for on, finest first; the last is the
            backbone's coarsest.
        scale: side of the object that a cell expects, in strides; decides which map learns which
            sizes.
        width: channels of the feature pyramid and of the head.
        depth: 3×3 convolutions of the head before its last one, for boxes and for classes each.
        box_weight: weight of the boxes' loss beside the scores', above 0.
        nms: IoU, 0 to 1, from which on a better box of the same class suppresses another.
        most: objects of an image, at most.
        floor: score below which evaluation leaves an object out, for speed.
    """

    name: ClassVar[str] = "detect"
    mosaics: ClassVar[bool] = True

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.6, 1.4), "colour": 0.3, "mosaic": 0.5, "close_mosaic": 5},
        "train": {"ema": 0.998, "clip": 10.0, "weight_decay": 0.02},
    }

    threshold: float = 0.35
    strides: tuple[int, ...] = (8, 16, 32)
    scale: float = 5.0
    width: int = 96
    depth: int = 2
    box_weight: float = 2.0
    nms: float = 0.6
    most: int = 100
    floor: float = 0.005

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the classes, the backbone's strides or the fields do not fit each
        other.
        """
        if not classes:
            raise ModelError(
                "detection needs at least one class; got none. Name them in the recipe's `classes`."
            )
        fitting = [tuple(strides[first:]) for first in range(len(strides))]
        if self.strides not in fitting:
            raise ModelError(
                f"`detect.strides` must be the backbone's last ones, such as {list(strides[-3:])}; "
                f"got {list(self.strides)}."
            )
        self.check_bounds(_BOUNDS)

    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(cells, 4 + classes)."""
        return sum(
            (canvas[0] // stride) * (canvas[1] // stride) for stride in self.strides
        ), 4 + len(classes)

    def encode(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """Boxes → (cells, 4 + classes) float32.

        The cells of an object hold its distances and a one for its class. A cell within a difficult
        object or a crowd that no other object claims is `IGNORED` in every class; all else is zero.
        """
        centres, sizes = cells(letterbox.canvas, self.strides)
        target = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        placed = letterbox.boxes(truth.xyxy)
        for box in placed[~truth.counted]:
            target[((centres > box[:2]) & (centres < box[2:])).all(axis=1), 4:] = IGNORED
        counted = placed[truth.counted]
        owner = assign(counted, letterbox.canvas, self.strides, self.scale)
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
            scores >= max(threshold, self.floor)
        )  # a flat search: the quickest over rows of a few numbers
        if len(found) > _CANDIDATES:
            values = scores.reshape(-1)[found]
            found = np.sort(found[np.argpartition(-values, _CANDIDATES)[:_CANDIDATES]])
        cell, label = np.divmod(found, len(classes))
        centres, sizes = cells(letterbox.canvas, self.strides)
        edges = output[cell, :4] * sizes[cell]
        placed = np.concatenate(
            [centres[cell] - edges[:, :2], centres[cell] + edges[:, 2:]], axis=1
        )
        xyxy = clip(letterbox.boxes_back(placed), letterbox.size)
        score = scores[cell, label]
        real = np.flatnonzero(areas(xyxy) > 0)
        kept = real[nms(xyxy[real], score[real], label[real], self.nms, self.most)]
        return Boxes.of(xyxy[kept], label[kept], classes, letterbox.size, scores=score[kept])

    def metric(self, classes: Classes) -> BoxesMetric:
        """Average precision by VOC and by COCO."""
        return BoxesMetric(classes)

    def tuned(self, metric: Metric[Boxes]) -> "Detect":
        """With the threshold at which mean F1 is best; itself where next to nothing was learned, as
        nothing is worth showing then.
        """
        if not isinstance(metric, BoxesMetric):
            raise TypeError(f"a detector is tuned by a BoxesMetric; got {type(metric).__name__}.")
        threshold, f1 = metric.best_threshold()
        return (
            self
            if math.isnan(f1) or not self.learned(metric)
            else replace(self, threshold=threshold)
        )

    def draw(self, image: np.ndarray, answer: Boxes) -> np.ndarray:
        """The image with a coloured, labelled box around every object."""
        return draw_boxes(image, answer)

    def summary(self, answer: Boxes) -> str:
        """How many objects of each class, the most frequent first."""
        counts = {name: answer.names.count(name) for name in answer.names}
        many = sorted(counts.items(), key=lambda item: -item[1])
        return (
            ", ".join(f"{count} × {name}" if count > 1 else name for name, count in many)
            or "nothing"
        )

    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
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

    def score(self, kind: str, number: int, seen: Seen) -> Score:
        """The logit of a box of the answer, in the cell that it comes from; of a class that of its
        best box, and the best box of all by default.
        """
        boxes = seen.answer
        if kind == "region" or not isinstance(boxes, Boxes):
            raise no_such_kind(kind, " or box:N")
        chosen = _box(boxes, kind, number)
        label, cell = int(boxes.labels[chosen]), self._cell(seen, boxes, chosen)
        return Score(
            boxes.names[chosen] if len(boxes) == 1 else f"{boxes.names[chosen]} box {chosen}",
            lambda logits: logits[:, cell, 4 + label],
            box=boxes.xyxy[chosen],
            stride=int(cells(seen.letterbox.canvas, self.strides)[1][cell, 0]),
        )

    def _cell(self, seen: Seen, boxes: Boxes, chosen: int) -> int:
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
