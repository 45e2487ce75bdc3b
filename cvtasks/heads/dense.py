"""A dense one-stage detector without anchors: a class and a box for every cell of its feature maps.

Sources: `cvtasks.networks.detector` for the network and its losses, `cvtasks.heads.assignment` for
the label assignment.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.base import Top
from cvtasks.heads.cell_boxes import IGNORED, PlainBoxes
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes


@dataclass(frozen=True)
class Dense(PlainBoxes):
    """A feature pyramid, and on each of its maps the same convolutions for boxes and for classes.

    A target is (cells, 4 + classes).

    Attributes:
        scale: side of the object that a cell expects, in strides; decides which map learns which
            sizes.
        width: channels of the feature pyramid and of the head.
        depth: 3×3 convolutions of the head before its last one, for boxes and for classes each.
        box_weight: weight of the boxes' loss beside the scores', above 0.
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
        return self.assigned(truth, letterbox)[0]

    def compact(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """Boxes → `boxes` (cells, 4) float32, the distances, and `labels` (cells,) int16, as of
        `compacted`.
        """
        return compacted(self.encode(truth, letterbox))

    def assigned(self, truth: Boxes, letterbox: Letterbox) -> tuple[np.ndarray, np.ndarray]:
        """What `encode` gives, and (cells,) int64: the box of the truth that each cell holds,
        or −1.
        """
        centres, sizes = cells(letterbox.input_size, self.strides)
        target = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        placed = letterbox.boxes_to_input(truth.xyxy)
        for box in placed[~truth.counted]:
            target[((centres > box[:2]) & (centres < box[2:])).all(axis=1), 4:] = IGNORED
        counted = np.flatnonzero(truth.counted)
        owner = assign(placed[counted], letterbox.input_size, self.strides, self.scale)
        held = np.flatnonzero(owner >= 0)
        owner[held] = counted[owner[held]]
        box, centre, size = placed[owner[held]], centres[held], sizes[held]
        target[held, :4] = np.concatenate([centre - box[:, :2], box[:, 2:] - centre], axis=1) / size
        target[held, 4:] = np.eye(len(truth.classes), dtype=np.float32)[truth.labels[owner[held]]]
        return target, owner

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, cells, 4 + classes) float32."""
        return self.detected(self.pyramid(maps), len(classes))

    def pyramid(self, maps: dict[int, Any]) -> dict[int, Any]:
        """The backbone's feature maps by stride → the levels of a feature pyramid."""
        from cvtasks.networks.detector import pyramid

        return pyramid({stride: maps[stride] for stride in self.strides}, self.width)

    def detected(self, levels: dict[int, Any], classes: int, further: int = 0) -> Any:
        """Levels of the pyramid → logits, with `further` numbers a cell behind them."""
        from cvtasks.networks.detector import detected

        return detected(
            levels, classes=classes, width=self.width, depth=self.depth, further=further
        )

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

    def of_cells(self, output: np.ndarray) -> np.ndarray:
        """The output itself."""
        return output

    def class_logits(self, logits: Any, index: int) -> Any:
        """The class's own column."""
        return logits[..., 4 + index]


def compacted(target: np.ndarray) -> dict[str, np.ndarray]:
    """`Dense.encode`'s (cells, 4 + classes) → `boxes` (cells, 4) float32 and `labels` (cells,)
    int16: −1 where there is no object, −2 where a cell is `IGNORED`.
    """
    scores = target[:, 4:]
    labels = np.where(scores.max(axis=1) > 0, scores.argmax(axis=1), -1)
    labels[scores[:, 0] == IGNORED] = -2
    return {"boxes": target[:, :4], "labels": labels.astype(np.int16)}
