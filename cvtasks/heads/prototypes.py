"""Instance masks in one stage: a detector's cells, each with some numbers more, and maps for the
whole image whose sums, weighted by these numbers, are the objects' masks.

Source: Bolya et al., "YOLACT: Real-time Instance Segmentation" (2019); the networks are those of
`cvtasks.networks.detector` or `cvtasks.networks.yolox`, and `cvtasks.networks.prototypes`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Instances
from cvtasks.errors import ModelError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.rle import part_rle
from cvtasks.heads.arrays import Arrays
from cvtasks.heads.assignment import cells
from cvtasks.heads.base import Head, Top
from cvtasks.heads.cell_boxes import CellBoxes, last_strides
from cvtasks.heads.cell_masks import LEAST, UNIT, apart, enlarged, paint, shares
from cvtasks.heads.dense import Dense, compacted
from cvtasks.heads.score import Score, Seen
from cvtasks.heads.suppression import meant
from cvtasks.heads.yolox import Yolox
from cvtasks.networks.backbones import BACKBONES
from cvtasks.schema import NOT_IN_TABLE, Range, check_bounds
from cvtasks.tasks.base import Classes

_DETECTORS: dict[str, type[Dense] | type[Yolox]] = {"dense": Dense, "yolox": Yolox}

_SMALL = 0.075  # share of an image that the side of the median object has, for finer masks
_SPARE = 1.25  # times as many objects as the fullest image has are kept
_STEP = 50  # of these


@dataclass(frozen=True)
class Prototypes(CellBoxes[Instances]):
    """Boxes and classes of a one-stage detector, and a mask in each box.

    A target is `cells` (cells, 4 + classes + prototypes), in which an object's cells name the
    prototype that shows it, and `prototypes` (H / mask_stride, W / mask_stride, prototypes) int8,
    the share of each of their cells that an object covers, as a logit in sixteenths. Objects whose
    boxes lie apart share a prototype. What is for the loss alone depends on the kind of cells.

    Attributes:
        cells: the detector whose network, assignment and loss find the boxes: "dense", or "yolox".
            A model of that head gives its backbone, neck and head as a start.
        scale, box_weight: of `dense` cells, as that head has them.
        width: channels of the feature pyramid and of the head; of `yolox` cells those of its finest
            map.
        depth: 3×3 convolutions of the head for `dense` cells, bottlenecks of the pyramid's layers
            for `yolox` ones.
        depthwise, max_truths: of `yolox` cells, as that head has them.
        prototypes: how many; each costs a number a cell and a plane.
        mask_stride: pixels of the network input to a cell of the prototypes: 4, or 2 where objects
            are small; at most the finest of `strides`.
        mask_width: channels of the layers that make the prototypes; half as many at strides 1
            and 2.
        mask_weight: weight of the masks' loss beside the detector's.
        mask_dice: weight of the Dice loss beside the masks' cross-entropy, at least 0.
        mask_cells: cells of an image whose masks are learned in a step, at most.
    """

    name: ClassVar[str] = "prototypes"

    reasons: ClassVar[Mapping[str, str]] = {
        "mask_stride": "the median object is small, and its outline needs finer masks",
        "max_detections": "the fullest images hold more objects than usual",
        "max_truths": "so many objects a training image may hold",
    }

    meaning: ClassVar[str] = (
        f"Of `cells`: {CellBoxes.meaning} The last numbers are a weight for each prototype: the "
        "sum of the prototypes by these weights, above 0 and within the box, is the object's mask."
    )

    cells: Literal["dense", "yolox"] = "dense"
    strides: tuple[int, ...] = (8, 16, 32)
    scale: Annotated[float, Range(0.5, 100)] = 5.0
    width: Annotated[int, Range(2, 4096)] = 96
    depth: Annotated[int, Range(0, 16)] = 2
    box_weight: Annotated[float, Range(1e-6, 1000)] = 2.0
    depthwise: bool = True
    max_truths: Annotated[int, Range(1, 1000)] = 100
    prototypes: Annotated[int, Range(1, 256)] = 32
    mask_stride: Annotated[int, Range(1, 32)] = 4
    mask_width: Annotated[int, Range(1, 1024)] = 48
    mask_weight: Annotated[float, Range(1e-6, 1000)] = 2.0
    mask_dice: Annotated[float, Range(0, 100)] = 0.0
    mask_cells: Annotated[int, Range(1, 1000)] = 64
    nms: Annotated[float, Range(0, 1)] = 0.6
    max_detections: Annotated[int, Range(1, 10_000)] = 100
    min_score: Annotated[float, Range(1e-6, 1)] = 0.005
    l1: bool = field(default=False, metadata=NOT_IN_TABLE)

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """YOLOX's cells on its own backbones, as wide and deep as published; on others their last
        strides, and masks as fine as the finest of these.
        """
        row = BACKBONES.get(backbone)
        if row is None or row.module != "cspdarknet":
            found = last_strides(backbone, cls.strides)
            finest = min(found.get("strides", cls.strides))
            return found | ({"mask_stride": finest} if finest < cls.mask_stride else {})
        return {"cells": "yolox", **Yolox.usual(backbone)}

    @classmethod
    def suited(cls, truths: Iterable[Instances]) -> dict[str, Any]:
        """`max_truths` and `max_detections` for the fullest of such images, and `mask_stride` for
        the size of their objects.
        """
        every = list(truths)
        found = Yolox.suited(every)
        if not found:
            return {}
        most = _SPARE * max(int(truth.counted.sum()) for truth in every)
        if most > cls.max_detections:
            found["max_detections"] = min(_STEP * math.ceil(most / _STEP), 10_000)
        sides = np.concatenate([truth.sides()[truth.counted] for truth in every])
        if len(sides) and np.median(sides) < _SMALL:
            found["mask_stride"] = 2
        return found

    @classmethod
    def grown_from(cls, other: Head[Any]) -> Mapping[str, Any] | None:
        """The table of a detector of these cells."""
        if not isinstance(other, Dense | Yolox):
            return super().grown_from(other)
        own = {one.name for one in fields(cls) if one.metadata.get("in_table", True)}
        its = {one.name: getattr(other, one.name) for one in fields(other) if one.name in own}
        return {**{key: its[key] for key in its if key != "task"}, "cells": other.name}

    def shares_layers(self, other: Head[Any]) -> bool:
        """With a detector of these cells too."""
        return super().shares_layers(other) or (
            isinstance(other, Dense | Yolox) and other.name == self.cells
        )

    @property
    def detector(self) -> Dense | Yolox:
        """The head that finds the boxes; what is its own stands in the table of this one."""
        kind = _DETECTORS[self.cells]
        return kind(**{one.name: getattr(self, one.name) for one in fields(kind)})

    def beyond(self, truths: Iterable[Instances]) -> str:
        """As the head of the cells has it."""
        return self.detector.beyond(truths)

    def closing(self) -> "Prototypes":
        """As the head of the cells has it."""
        last = self.detector.closing()
        return replace(self, l1=True) if isinstance(last, Yolox) else self

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the strides, or the fields that the cells have, do not fit."""
        check_bounds(self.detector, "head")
        self.detector.check(classes, strides)
        fitting = [2**power for power in range(6) if 2**power <= self.strides[0]]
        if self.mask_stride not in fitting:
            raise ModelError(
                "`head.mask_stride` must be a power of two up to the finest of `head.strides`, "
                f"{', '.join(map(str, fitting))}; got {self.mask_stride}."
            )

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        """`cells` (cells, 4 + classes + prototypes) and `prototypes` (H / mask_stride,
        W / mask_stride, prototypes).
        """
        count = len(cells(size, self.strides)[0])
        return {
            "cells": (count, 4 + len(classes) + self.prototypes),
            "prototypes": (*(side // self.mask_stride for side in size), self.prototypes),
        }

    def encode(self, truth: Instances, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """Instances → `cells` float32 and `prototypes` int8; for the loss `own`, the prototype of
        an object, and `edges` of its box in cells of the prototypes, of each cell, or, where the
        cells are YOLOX's, of each of `truths`, with `places`.

        Difficult objects and crowds have no mask, and their cells are left out as the cells' head
        does it.
        """
        detector, counted = self.detector, np.flatnonzero(truth.counted)
        assigned: tuple[Arrays, np.ndarray] = detector.assigned(truth, letterbox)
        target, owner = assigned
        shapes = self.outputs(letterbox.input_size, truth.classes)
        edges = letterbox.boxes_to_input(truth.xyxy) / np.float32(self.mask_stride)
        shown = np.zeros(len(truth), np.int32)
        shown[counted] = apart(edges[counted], self.prototypes)
        maps = np.full(shapes["prototypes"], LEAST, np.int8)
        for index in counted.tolist():
            paint(maps[..., shown[index]], *truth.crop(index), letterbox, self.mask_stride)
        named = np.zeros((len(owner), self.prototypes), np.float32)
        held = np.flatnonzero(owner >= 0)
        named[held, shown[owner[held]]] = 1 / UNIT
        found = {
            "cells": np.concatenate([detector.of_cells(target), named], axis=1),
            "prototypes": maps,
        }
        if isinstance(detector, Yolox):
            whose = detector.kept(truth, letterbox)
            count, place = self.max_truths, np.arange(len(whose))
            found |= {name: target[name] for name in ("truths", "places")}
        else:
            count, whose, place = len(owner), owner[held], held
        own, places = np.full(count, -1, np.int32), np.zeros((count, 4), np.float32)
        own[place], places[place] = shown[whose], edges[whose]
        return {**found, "own": own, "edges": places}

    def compact(self, truth: Instances, letterbox: Letterbox) -> dict[str, np.ndarray]:
        """As `encode`, but for `cells`: their `boxes` and `labels` where they are the head
        "dense"'s, nothing where they are YOLOX's, which learns from `truths`.
        """
        target = self.encode(truth, letterbox)
        found = target.pop("cells")
        if self.cells == "dense":
            target |= compacted(found[:, : -self.prototypes])
        return target

    def decode(
        self,
        output: Mapping[str, np.ndarray],
        letterbox: Letterbox,
        classes: Classes,
        threshold: float = 0.0,
    ) -> Instances:
        """Instances, best score first; those that a better one of their class covers, by boxes, are
        left out, and those without a pixel.

        A mask is enlarged (bilinear) in its box alone, and has what is at least as sure as not.
        """
        found = self.found(self.of_cells(output), letterbox, classes, threshold)
        weights, maps = output["cells"][found.cells, -self.prototypes :], output["prototypes"]
        masks, kept = [], []
        for number, (box, weight) in enumerate(zip(found.xyxy.tolist(), weights, strict=True)):
            part, corner = enlarged(maps, weight, box, letterbox, self.mask_stride)
            if part.any():
                kept.append(number)
                masks.append(part_rle(part, corner, letterbox.size))
        return Instances.of(
            masks,
            found.labels[kept],
            classes,
            letterbox.size,
            xyxy=found.xyxy[kept],
            scores=found.scores[kept],
        )

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """`logits` (batch, cells, numbers of the detector's + prototypes) and `prototypes`,
        float32.
        """
        from cvtasks.networks.prototypes import prototypes

        detector = self.detector
        levels, first = detector.pyramid(maps), self.strides[0]
        return {
            "logits": detector.detected(levels, len(classes), further=self.prototypes),
            "prototypes": prototypes(
                levels[first],
                maps,
                first=first,
                stride=self.mask_stride,
                number=self.prototypes,
                width=self.mask_width,
            ),
        }

    def activate(self, logits: Any) -> Any:
        """Distances and scores as the cells' head has them, all else as it is."""
        from keras import ops

        raw, detector = logits["logits"], self.detector
        own = detector.of_cells(detector.activate(raw[..., : -self.prototypes]))
        return {
            "cells": ops.concatenate([own, raw[..., -self.prototypes :]], axis=-1),
            "prototypes": logits["prototypes"],
        }

    def loss(self, target: Any, logits: Any) -> Any:
        """The detector's, and `mask_weight` times that of the masks of some of its objects'
        cells.
        """
        from keras import ops

        from cvtasks.networks.prototypes import mask_loss, spread, taken
        from cvtasks.networks.simota import owners, yolox_loss

        raw = ops.cast(logits["logits"], "float32")
        cells_, weights = raw[..., : -self.prototypes], raw[..., -self.prototypes :]
        own, edges = target["own"], target["edges"]
        if self.cells == "dense":
            its = target["cells"][..., : -self.prototypes] if "cells" in target else target
            found = self.detector.loss(its, cells_)
            index, real = spread(own >= 0, self.mask_cells)
            whose = index
        else:
            owner = owners(target, cells_)
            found = yolox_loss(target, cells_, l1=self.l1, owner=owner)
            index, real = spread(owner >= 0, self.mask_cells)
            whose = ops.maximum(ops.take_along_axis(owner, index, axis=1), 0)
        masks = mask_loss(
            target["prototypes"],
            logits["prototypes"],
            taken(weights, index),
            ops.take_along_axis(own, whose, axis=1),
            taken(edges, whose),
            real,
            unit=UNIT,
            none=LEAST,
            dice=self.mask_dice,
        )
        return found + self.mask_weight * masks

    def of_cells(self, output: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the detector says of them."""
        return output["cells"][:, : -self.prototypes]

    def class_logits(self, logits: Any, index: int) -> Any:
        """As the cells' head has it; of an output the class's own column."""
        if "cells" in logits:
            return logits["cells"][..., 4 + index]
        return self.detector.class_logits(logits["logits"][..., : -self.prototypes], index)

    def score(self, kind: str, number: int, seen: Seen[Instances]) -> Score:
        """As of the detectors; of a region the mean logit of the mask of the box of that number,
        over the mask.
        """
        if kind != "region":
            return super().score(kind, number, seen)
        answer: Instances = seen.answer
        chosen = meant(answer, "box", number)
        cell, region = self.cell_of(seen, chosen), answer.plane(chosen)
        shape = seen.output["prototypes"].shape[:2]
        weight = shares(region, seen.letterbox, shape)
        from keras import ops

        def pick(logits: Any) -> Any:
            raw = logits["cells" if "cells" in logits else "logits"]
            mean = ops.einsum("bhwk,hw->bk", logits["prototypes"], weight)
            return ops.sum(raw[:, cell, -self.prototypes :] * mean, axis=-1)

        return Score(
            f"{answer.names[chosen]} mask {chosen}",
            pick,
            region=region,
            stride=int(cells(seen.letterbox.input_size, self.strides)[1][cell, 0]),
        )
