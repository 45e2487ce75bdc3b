"""YOLOX: an anchor-free one-stage detector that says apart whether there is an object and which.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; the network is `cvtasks.networks.yolox`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.base import Top
from cvtasks.heads.cell_boxes import IGNORED, CellBoxes
from cvtasks.networks.backbones import BACKBONES
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

_SCALE = 5.0  # side of the object that a cell expects where one cell is chosen for it, in strides


@dataclass(frozen=True)
class Yolox(CellBoxes):
    """A feature pyramid, and on each of its maps a decoupled head of its own.

    On the backbones `cspdarknet-…` it is by default that of the published networks, on others that
    of YOLOX-nano.

    A target is `objects` (cells, 4 + classes), in which one cell holds an object's distances and a
    one for its class, and for the loss `truths` (max_truths, 5): left, top, right, bottom in
    pixels of the network input and the label, −1 where there are no more.

    Attributes:
        width: channels of the finest map of the pyramid and of the head; each coarser map has twice
            those of the one before.
        depth: bottlenecks of each cross-stage partial layer of the pyramid.
        depthwise: split 3×3 convolutions into depthwise and 1×1: a third of the time, at a lower
            score.
        max_truths: objects of an image that training looks at, at most; the largest.
    """

    name: ClassVar[str] = "yolox"

    strides: tuple[int, ...] = (8, 16, 32)
    width: Annotated[int, Range(2, 4096)] = 64
    depth: Annotated[int, Range(1, 16)] = 1
    depthwise: bool = True
    max_truths: Annotated[int, Range(1, 1000)] = 100
    nms: Annotated[float, Range(0, 1)] = 0.6
    max_detections: Annotated[int, Range(1, 10_000)] = 100
    min_score: Annotated[float, Range(1e-6, 1)] = 0.005

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """Width and depth as the published networks have them on their backbones."""
        row = BACKBONES.get(backbone)
        if row is None or row.module != "cspdarknet":
            return {}
        return {
            "width": int(256 * row.options["width"]),
            "depth": row.options["blocks"],
            "depthwise": row.options.get("depthwise", False),
        }

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        """`objects` (cells, 4 + classes)."""
        return {"objects": (len(cells(size, self.strides)[0]), 4 + len(classes))}

    def encode(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """Boxes → `objects` and `truths`, float32.

        A cell within a difficult object or a crowd that holds no other object is `IGNORED` in every
        class; all else is zero.
        """
        centres, sizes = cells(letterbox.input_size, self.strides)
        objects = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        placed = letterbox.boxes_to_input(truth.xyxy)
        for box in placed[~truth.counted]:
            objects[((centres > box[:2]) & (centres < box[2:])).all(axis=1), 4:] = IGNORED
        counted, labels = placed[truth.counted], truth.labels[truth.counted]
        owner = assign(counted, letterbox.input_size, self.strides, _SCALE)
        held = np.flatnonzero(owner >= 0)
        held = held[np.unique(owner[held], return_index=True)[1]]
        box, centre, size = counted[owner[held]], centres[held], sizes[held]
        objects[held, :4] = (
            np.concatenate([centre - box[:, :2], box[:, 2:] - centre], axis=1) / size
        )
        objects[held, 4:] = np.eye(len(truth.classes), dtype=np.float32)[labels[owner[held]]]
        truths = np.full((self.max_truths, 5), -1, np.float32)
        rows = np.concatenate([counted, labels[:, None]], axis=1)[: self.max_truths]
        truths[: len(rows)] = rows
        return {"objects": objects, "truths": truths}

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, cells, 5 + classes) float32."""
        from cvtasks.networks.yolox import yolox

        return yolox(
            {stride: maps[stride] for stride in self.strides},
            classes=len(classes),
            width=self.width,
            depth=self.depth,
            depthwise=self.depthwise,
        )

    def activate(self, logits: Any) -> Any:
        """`objects`: distances; scores are an object's times the class's, each by a sigmoid."""
        from cvtasks.networks.yolox import activate

        return {"objects": activate(logits)}

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropies of objects and classes plus the boxes' GIoU loss, over the cells that
        hold an object.
        """
        from cvtasks.networks.yolox import loss

        return loss(target["objects"], logits)

    def of_cells(self, output: Mapping[str, np.ndarray]) -> np.ndarray:
        """`objects`."""
        return output["objects"]

    def class_logits(self, logits: Any, index: int) -> Any:
        """The number whose sigmoid is the class's score."""
        from cvtasks.networks.yolox import class_logit

        if isinstance(logits, Mapping):
            return logits["objects"][..., 4 + index]
        return class_logit(logits, index)
