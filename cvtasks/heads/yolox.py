"""YOLOX: an anchor-free one-stage detector that says apart whether there is an object and which.

Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021"; the network is `cvtasks.networks.yolox`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.geometry.boxes import areas
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import cells, one_cell_each
from cvtasks.heads.base import Top
from cvtasks.heads.cell_boxes import PlainBoxes, last_strides
from cvtasks.heads.room import room_for, too_full
from cvtasks.networks.backbones import BACKBONES
from cvtasks.schema import NOT_IN_TABLE, Range
from cvtasks.tasks.base import Classes

_MOST = 1000  # `max_truths` of a recipe


@dataclass(frozen=True)
class Yolox(PlainBoxes):
    """A feature pyramid, and on each of its maps a decoupled head of its own.

    On the backbones `cspdarknet-…` it is by default that of the published networks, on others that
    of YOLOX-nano.

    A target is `objects` (cells, 4 + classes), in which one cell holds an object's distances and a
    one for its class. For the loss alone, which lets the cells that see an object best learn it,
    there are `truths` (max_truths, 5): left, top, right, bottom in pixels of the network input and
    the label, −1 where there are no more; and `places` (cells, 4): x, y and stride of a cell in
    pixels, and 0 where a cell without an object learns nothing, or 1.

    Attributes:
        width: channels of the finest map of the pyramid and of the head; each coarser map has twice
            those of the one before.
        depth: bottlenecks of each cross-stage partial layer of the pyramid.
        depthwise: split 3×3 convolutions into depthwise and 1×1: quicker, at a lower score.
        max_truths: objects of an image that training looks at, at most: the largest; cells that
            see others learn nothing. A new recipe has what its data need: those of the fullest
            image, or of four usual ones in a mosaic. Each costs memory and time, also where an
            image has fewer.
        l1: whether the loss has the L1 distance of the boxes too, as it has in the last epochs.
    """

    name: ClassVar[str] = "yolox"

    strides: tuple[int, ...] = (8, 16, 32)
    width: Annotated[int, Range(2, 4096)] = 64
    depth: Annotated[int, Range(1, 16)] = 1
    depthwise: bool = True
    max_truths: Annotated[int, Range(1, _MOST)] = 100
    nms: Annotated[float, Range(0, 1)] = 0.6
    max_detections: Annotated[int, Range(1, 10_000)] = 100
    min_score: Annotated[float, Range(1e-6, 1)] = 0.005
    l1: bool = field(default=False, metadata=NOT_IN_TABLE)

    @classmethod
    def suited(cls, truths: Iterable[Boxes]) -> dict[str, Any]:
        """`max_truths` for such truths."""
        found = room_for(truths, _MOST)
        return {"max_truths": found} if found else {}

    def beyond(self, truths: Iterable[Boxes]) -> str:
        """The images with more objects than `max_truths`."""
        found = too_full(truths, "max_truths", self.max_truths)
        left = "the largest are learned, the others neither learned nor taken for background"
        return f"{found}: {left}" if found else ""

    def closing(self) -> "Yolox":
        """With the L1 loss too."""
        return replace(self, l1=True)

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """Width and depth as the published networks have them on their backbones; the last strides
        of others.
        """
        row = BACKBONES.get(backbone)
        if row is None or row.module != "cspdarknet":
            return last_strides(backbone, cls.strides)
        return {
            "width": int(256 * row.options["width"]),
            "depth": row.options["blocks"],
            "depthwise": row.options.get("depthwise", False),
        }

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        """`objects` (cells, 4 + classes)."""
        return {"objects": (len(cells(size, self.strides)[0]), 4 + len(classes))}

    def encode(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """Boxes → `objects`, `truths` and `places`, float32.

        Cells within a difficult object, a crowd, or one of more than `max_truths` objects learn
        nothing unless they get another object.
        """
        return self.assigned(truth, letterbox)[0]

    def compact(self, truth: Boxes, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """`truths` and `places`, which the loss takes."""
        return self._learned_from(truth, letterbox)[0]

    def assigned(
        self, truth: Boxes, letterbox: Letterbox
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """What `encode` gives, and (cells,) int64: the box of the truth that each cell of `objects`
        holds, or −1.
        """
        centres, sizes = cells(letterbox.input_size, self.strides)
        target, placed = self._learned_from(truth, letterbox)
        counted = np.flatnonzero(truth.counted)
        chosen = one_cell_each(placed[counted], letterbox.input_size, self.strides)
        held, whose = chosen[chosen >= 0], counted[chosen >= 0]
        box, owner = placed[whose], np.full(len(centres), -1, np.int64)
        owner[held] = whose
        objects = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        edges = [centres[held] - box[:, :2], box[:, 2:] - centres[held]]
        objects[held, :4] = np.concatenate(edges, axis=1) / sizes[held]
        objects[held, 4 + truth.labels[whose]] = 1
        return {"objects": objects, **target}, owner

    def _learned_from(
        self, truth: Boxes, letterbox: Letterbox
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """`truths` and `places`; and (n, 4) the truth's boxes in pixels of the network input."""
        centres, sizes = cells(letterbox.input_size, self.strides)
        placed = letterbox.boxes_to_input(truth.xyxy)
        kept = self.kept(truth, letterbox)
        truths = np.full((self.max_truths, 5), -1, np.float32)
        truths[: len(kept), :4], truths[: len(kept), 4] = placed[kept], truth.labels[kept]
        learned = np.ones_like(sizes)
        left = np.setdiff1d(np.flatnonzero((areas(placed) > 0) | ~truth.counted), kept)
        for box in placed[left]:
            learned[((centres > box[:2]) & (centres < box[2:])).all(axis=1)] = 0
        places = np.concatenate([centres, sizes, learned], axis=1)
        return {"truths": truths, "places": places}, placed

    def kept(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """(n,) int64: the boxes of a truth that are `truths`, in their order."""
        counted = np.flatnonzero(truth.counted)
        sides = areas(letterbox.boxes_to_input(truth.xyxy[counted]))
        order = np.argsort(-sides, kind="stable")[: np.count_nonzero(sides > 0)]
        return counted[order[: self.max_truths]]

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, cells, 5 + classes) float32."""
        return self.detected(self.pyramid(maps), len(classes))

    def pyramid(self, maps: dict[int, Any]) -> dict[int, Any]:
        """The backbone's feature maps by stride → the levels of a feature pyramid."""
        from cvtasks.networks.yolox import pyramid

        chosen = {stride: maps[stride] for stride in self.strides}
        return pyramid(chosen, width=self.width, depth=self.depth, depthwise=self.depthwise)

    def detected(self, levels: dict[int, Any], classes: int, further: int = 0) -> Any:
        """Levels of the pyramid → logits, with `further` numbers a cell behind them."""
        from cvtasks.networks.yolox import detected

        return detected(
            levels, classes=classes, width=self.width, depthwise=self.depthwise, further=further
        )

    def activate(self, logits: Any) -> Any:
        """`objects`: distances; scores are an object's times the class's, each by a sigmoid."""
        from cvtasks.networks.yolox import activate

        return {"objects": activate(logits)}

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropies of objectness and classes, and IoU loss of the boxes, of the cells that
        SimOTA gives an object.
        """
        from cvtasks.networks.simota import yolox_loss

        return yolox_loss(target, logits, l1=self.l1)

    def of_cells(self, output: Mapping[str, np.ndarray]) -> np.ndarray:
        """`objects`."""
        return output["objects"]

    def class_logits(self, logits: Any, index: int) -> Any:
        """The number whose sigmoid is the class's score."""
        from cvtasks.networks.yolox import class_logit

        if isinstance(logits, Mapping):
            return logits["objects"][..., 4 + index]
        return class_logit(logits, index)
