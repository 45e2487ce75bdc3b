"""A head in one file: cells, mask coefficients and prototypes (Bolya et al., "YOLACT", 2019). For
tests only: arrays by name, of which one is whole numbers and one is for the loss alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from toy_instances import Instances

from cvtasks.geometry.boxes import areas, clip, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.assignment import assign, cells
from cvtasks.heads.base import Head, Top
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

STRIDES, SCALE, FINE = (8, 16, 32), 2.0, 2  # of the cells; of the masks and prototypes


@dataclass(frozen=True)
class Prototypes(Head[Instances]):
    """An object's mask is a sum of prototypes, weighted by the numbers of its cell, in its box.

    A target is `cells` (n, 4 + classes), as of the dense detector; `picked` (most,) int32, a cell
    of each object, −1 for none; `masks` (most, H / 2, W / 2), 0 or 1; and for the loss `owner`
    (n,) int32, each cell's object, −1 for none.
    """

    name: ClassVar[str] = "prototypes"

    width: Annotated[int, Range(1, 512)] = 16
    prototypes: Annotated[int, Range(1, 64)] = 8
    most: Annotated[int, Range(1, 64)] = 8

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Nothing."""

    def outputs(self, size: tuple[int, int], classes: Classes) -> dict[str, tuple[int, ...]]:
        return {
            "cells": (len(cells(size, STRIDES)[0]), 4 + len(classes)),
            "picked": (self.most,),
            "masks": (self.most, size[0] // FINE, size[1] // FINE),
        }

    def encode(self, truth: Instances, letterbox: Letterbox) -> dict[str, np.ndarray]:
        truth = truth.take(truth.counted)
        centres, sizes = cells(letterbox.input_size, STRIDES)
        placed = letterbox.boxes_to_input(truth.xyxy)
        owner = assign(placed, letterbox.input_size, STRIDES, SCALE)
        held = np.flatnonzero(owner >= 0)
        box, centre = placed[owner[held]], centres[held]
        target = np.zeros((len(centres), 4 + len(truth.classes)), np.float32)
        sides = np.concatenate([centre - box[:, :2], box[:, 2:] - centre], axis=1)
        target[held, :4] = sides / sizes[held]
        target[held, 4 + truth.labels[owner[held]]] = 1
        shapes = self.outputs(letterbox.input_size, truth.classes)
        masks, picked = np.zeros(shapes["masks"], np.float32), np.full(self.most, -1, np.int32)
        for k in range(min(self.most, len(truth))):
            whole = letterbox.ids_to_input(truth.masks[k].astype(np.uint8), fill=0).astype(
                np.float32
            )
            small = cv2.resize(whole, shapes["masks"][:0:-1], interpolation=cv2.INTER_AREA)
            masks[k] = small >= 0.5
            picked[k] = held[owner[held] == k][0]
        owner = np.where(owner < self.most, owner, -1).astype(np.int32)
        return {"cells": target, "picked": picked, "masks": masks, "owner": owner}

    def decode(
        self,
        output: dict[str, np.ndarray],
        letterbox: Letterbox,
        classes: Classes,
        threshold: float = 0.0,
    ) -> Instances:
        rows = np.flatnonzero(output["picked"] >= 0)
        cell = output["picked"][rows]
        centres, sizes = cells(letterbox.input_size, STRIDES)
        edges, scores = output["cells"][cell, :4] * sizes[cell], output["cells"][cell, 4:]
        label, score = scores.argmax(axis=1), scores.max(axis=1)
        sides = [centres[cell] - edges[:, :2], centres[cell] + edges[:, 2:]]
        xyxy = clip(letterbox.boxes_to_image(np.concatenate(sides, axis=1)), letterbox.size)
        good = np.flatnonzero((score >= max(threshold, 0.2)) & (areas(xyxy) > 0))
        kept = good[nms(xyxy[good], score[good], label[good], 0.6, self.most)]
        masks = np.zeros((len(kept), *letterbox.size), bool)
        for number, row in enumerate(rows[kept]):
            whole = cv2.resize(output["masks"][row], letterbox.input_size[::-1])
            masks[number] = cv2.resize(letterbox.crop(whole), letterbox.size[::-1]) > 0.5
        return Instances.of(
            xyxy[kept], label[kept], classes, letterbox.size, scores=score[kept], masks=masks
        )

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        from keras import layers

        from cvtasks.networks.detector import convolution_unit, detector

        joined = detector(
            {stride: maps[stride] for stride in STRIDES},
            classes=len(classes) + self.prototypes,
            width=self.width,
            depth=1,
        )
        x = convolution_unit(maps[FINE], self.width, 1, "prototypes_skip")
        coarse = convolution_unit(maps[STRIDES[0]], self.width, 1, "prototypes_coarse")
        up = layers.UpSampling2D(STRIDES[0] // FINE, interpolation="bilinear")(coarse)
        x = convolution_unit(layers.Add()([x, up]), self.width, 3, "prototypes1")
        last = layers.Conv2D(self.prototypes, 1, dtype="float32", name="prototypes")
        return {"cells": joined, "prototypes": last(x)}

    def activate(self, logits: Any) -> Any:
        from keras import ops

        from cvtasks.networks.detector import activate

        both = activate(logits["cells"][..., : -self.prototypes], scale=SCALE)
        picked = ops.top_k(ops.max(both[..., 4:], axis=-1), self.most)[1]
        raw = self._raw(logits, picked)
        inside = _inside(_taken(both[..., :4], picked), picked, logits["prototypes"])
        return {
            "cells": both,
            "picked": ops.cast(picked, "int32"),
            "masks": ops.multiply(ops.sigmoid(raw), inside),
        }

    def _raw(self, logits: Any, index: Any) -> Any:
        """The masks' logits (batch, m, h, w) of some cells (batch, m)."""
        from keras import ops

        weights = _taken(logits["cells"][..., -self.prototypes :], index)
        return ops.einsum("bmk,bhwk->bmhw", weights, logits["prototypes"])

    def loss(self, target: Any, logits: Any) -> Any:
        from keras import ops

        from cvtasks.networks.detector import detection_loss

        truth = ops.cast(target["cells"], "float32")
        logits = {name: ops.cast(array, "float32") for name, array in logits.items()}
        own = logits["cells"][..., : -self.prototypes]
        found = detection_loss(truth, own, scale=SCALE, box_weight=2.0)
        owner = ops.cast(target["owner"], "int32")
        index = ops.top_k(ops.cast(owner >= 0, "float32"), 32)[1]  # what learns masks
        whose = ops.take_along_axis(owner, index, axis=1)
        raw = self._raw(logits, index)
        masks = ops.cast(target["masks"], "float32")
        wanted = ops.take_along_axis(masks, ops.maximum(whose, 0)[..., None, None], axis=1)
        inside = _inside(_taken(truth[..., :4], index), index, logits["prototypes"])
        entropy = ops.maximum(raw, 0) - raw * wanted + ops.log1p(ops.exp(-ops.abs(raw)))
        each = ops.sum(entropy * inside, (2, 3)) / ops.maximum(ops.sum(inside, (2, 3)), 1)
        real = ops.cast(whose >= 0, "float32")
        return found + 2 * ops.sum(each * real, 1) / ops.maximum(ops.mean(ops.sum(real, 1)), 1)


def _taken(x: Any, index: Any) -> Any:
    """(batch, n, c), (batch, m) → (batch, m, c)."""
    from keras import ops

    return ops.take_along_axis(x, ops.expand_dims(ops.maximum(index, 0), -1), axis=1)


def _inside(distances: Any, index: Any, prototypes: Any) -> Any:
    """(batch, m, 4) distances of the cells `index` → (batch, m, h, w): 1 in their boxes, soft over
    a pixel.
    """
    from keras import ops

    height, width = prototypes.shape[1:3]
    centres, sizes = cells((height * FINE, width * FINE), STRIDES)
    place = ops.take(np.concatenate([centres, sizes], axis=1), index, axis=0) / FINE
    middle, size = place[..., :2], place[..., 2:]
    low, high = middle - distances[..., :2] * size, middle + distances[..., 2:] * size

    def along(axis: int, side: int) -> Any:
        at = ops.convert_to_tensor(np.arange(side, dtype=np.float32) + 0.5)
        before = ops.subtract(at, ops.expand_dims(low[..., axis], -1))
        behind = ops.subtract(ops.expand_dims(high[..., axis], -1), at)
        return ops.clip(ops.minimum(before, behind) + 1.0, 0, 1)

    return ops.multiply(ops.expand_dims(along(1, height), -1), ops.expand_dims(along(0, width), -2))
