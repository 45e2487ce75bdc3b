"""What the detectors have in common that find a class and a box in every cell of their feature
maps.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays, Shapes, mapped
from cvtasks.heads.assignment import cells
from cvtasks.heads.base import Head
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.heads.suppression import left, meant
from cvtasks.networks.backbones import BACKBONES
from cvtasks.tasks.base import Classes

IGNORED = -1.0
"""Stands in a target's scores where a cell looks at something that neither helps nor hurts."""

B = TypeVar("B", bound=Boxes)

_CANDIDATES = 1000  # boxes that suppression looks at, the best first, or
_EACH = 4  # as many for each object that is kept at most; ten find the same, in twice the time


def last_strides(backbone: str, usual: Sequence[int]) -> dict[str, Any]:
    """`strides` of a new head on a backbone that ends at another stride than the usual ones do: as
    many of its last ones.

    >>> last_strides("resnet18", (8, 16, 32)), last_strides("nin", (8, 16, 32))
    ({}, {'strides': [1, 2, 4]})
    """
    own = BACKBONES[backbone].strides if backbone in BACKBONES else ()
    fits = not own or tuple(own[-len(usual) :]) == tuple(usual)
    return {} if fits else {"strides": [*own[-len(usual) :]]}


class Found(NamedTuple):
    """Objects in the cells of an output, the best first: (n,) their cells, (n, 4) their boxes in
    pixels of the image, (n,) their labels and scores.
    """

    cells: np.ndarray
    xyxy: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


class CellBoxes(Head[B], Generic[B]):
    """A head whose output has (cells, 4 + classes): the distances from the cell's centre to the
    left, top, right and bottom edge of its object, in strides of the cell, and a score for each
    class. Cells come map by map, the finest first, row by row.

    Attributes:
        strides: of the feature maps that objects are looked for on, finest first; the last is the
            backbone's coarsest.
        nms: IoU, 0 to 1, from which on a better box of the same class suppresses another.
        max_detections: objects of an image, at most.
        min_score: score below which evaluation leaves an object out, for speed.
    """

    meaning: ClassVar[str] = (
        "A row is a cell: all cells of the map of the first of `strides`, row by row, then those "
        "of the next. The cell in row r and column c of the map of stride s has its middle at "
        "((c + 0.5)·s, (r + 0.5)·s) of the input. Its first four numbers are how far the left, "
        "top, right and bottom edge of its object are from there, in strides; then a score, 0 to "
        "1, for each class. Of boxes of one class whose IoU is above `nms` the best stays."
    )

    strides: tuple[int, ...]
    nms: float
    max_detections: int
    min_score: float

    @property
    def candidates(self) -> int:
        """Boxes that suppression looks at, the best first, at most."""
        return max(_CANDIDATES, _EACH * self.max_detections)

    @abstractmethod
    def of_cells(self, output: Arrays) -> np.ndarray:
        """(cells, 4 + classes) of an output, or of the output's part of a target."""

    @abstractmethod
    def class_logits(self, logits: Any, index: int) -> Any:
        """Logits, or activated outputs → (batch, cells): how sure each cell is of a class."""

    @classmethod
    def usual(cls, backbone: str) -> Mapping[str, Any]:
        """The backbone's last strides, where it has other ones."""
        return last_strides(backbone, cls.strides)

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where the strides are not the backbone's last ones."""
        fitting = [tuple(strides[first:]) for first in range(len(strides))]
        if self.strides not in fitting:
            raise ModelError(
                f"`head.strides` must be the backbone's last ones, such as {list(strides[-3:])}; "
                f"got {list(self.strides)}."
            )

    def found(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Found:
        """(cells, 4 + classes) → objects, best score first; those that a better one of their class
        covers are left out.
        """
        scores, most = output[:, 4:], self.candidates
        found = np.flatnonzero(
            scores >= max(threshold, self.min_score)
        )  # a flat search: the quickest over rows of a few numbers
        if len(found) > most:
            values = scores.reshape(-1)[found]
            found = np.sort(found[np.argpartition(-values, most)[:most]])
        cell, label = np.divmod(found, len(classes))
        centres, sizes = cells(letterbox.input_size, self.strides)
        edges = output[cell, :4] * sizes[cell]
        placed = np.concatenate(
            [centres[cell] - edges[:, :2], centres[cell] + edges[:, 2:]], axis=1
        )
        score = scores[cell, label]
        xyxy, kept = left(
            placed, label, score, letterbox, overlap=self.nms, most=self.max_detections
        )
        return Found(cell[kept], xyxy, label[kept], score[kept])

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
        return lambda logits: ops.sum(self.class_logits(logits, index) * weight, axis=1)

    def score(self, kind: str, number: int, seen: Seen[B]) -> Score:
        """The logit of a box of the answer, in the cell that it comes from; of a class that of its
        best box, and the best box of all by default.
        """
        boxes = seen.answer
        if kind == "region":
            raise no_such_kind(kind, " or box:N")
        chosen = meant(boxes, kind, number)
        label, cell = int(boxes.labels[chosen]), self.cell_of(seen, chosen)
        return Score(
            boxes.names[chosen] if len(boxes) == 1 else f"{boxes.names[chosen]} box {chosen}",
            lambda logits: self.class_logits(logits, label)[:, cell],
            box=boxes.xyxy[chosen],
            stride=int(cells(seen.letterbox.input_size, self.strides)[1][cell, 0]),
        )

    def cell_of(self, seen: Seen[B], chosen: int) -> int:
        """The cell that a box of the answer comes from: the one that gives it alone."""
        boxes, output = seen.answer, self.of_cells(seen.output)
        column = 4 + int(boxes.labels[chosen])
        for cell in np.flatnonzero(output[:, column] == boxes.scores[chosen]):
            alone = output.copy()
            alone[:, 4:] = 0
            alone[cell, column] = output[cell, column]
            found = self.found(alone, seen.letterbox, boxes.classes)
            if len(found.cells) and np.array_equal(found.xyxy[0], boxes.xyxy[chosen]):
                return int(cell)
        raise UsageError(f"no cell gives the box {boxes.xyxy[chosen].tolist()}.")


class PlainBoxes(CellBoxes[Boxes]):
    """One that answers with these boxes and nothing else."""

    narrows: ClassVar[bool] = True

    def narrowed(self, outputs: Any) -> tuple[dict[str, Any], Any]:
        """The best `scores` (batch, n), one more than `candidates`, in which place `at` (batch, n)
        of (cells × classes) they are, and the `edges` (batch, n, 4) of their cells' boxes.

        That is not all where a score that is left out equals the last that would be looked at.
        """
        from keras import ops

        cells = self.of_cells(outputs)
        batch, number, width = ops.shape(cells)
        classes, most = width - 4, self.candidates
        flat = ops.reshape(cells[..., 4:], (batch, -1))
        scores, at = ops.top_k(flat, min(most + 1, number * classes))
        at = ops.cast(at, "int32")
        rows = ops.arange(batch, dtype="int32")[:, None] * number + at // classes
        edges = ops.take(ops.reshape(cells[..., :4], (-1, 4)), ops.reshape(rows, (-1,)), axis=0)
        whole = ops.all(ops.isfinite(cells), axis=(1, 2))
        if number * classes > most:
            counted = ops.sum(ops.cast(flat >= 0.999 * self.min_score, "int32"), axis=1)
            apart = ops.logical_or(counted <= most, scores[:, most - 1] > scores[:, most])
            whole = ops.logical_and(whole, apart)
        return {"scores": scores, "at": at, "edges": ops.reshape(edges, (batch, -1, 4))}, whole

    def widened(self, parts: Mapping[str, np.ndarray], shapes: Shapes) -> Arrays:
        """(cells, 4 + classes) float32, zero where nothing was fetched."""

        def wide(shape: tuple[int, ...]) -> np.ndarray:
            cell, label = np.divmod(parts["at"], shape[1] - 4)
            filled = np.zeros(shape, np.float32)
            filled[cell, :4], filled[cell, 4 + label] = parts["edges"], parts["scores"]
            return filled

        return mapped(wide, shapes)

    def decode(
        self, output: Arrays, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Boxes:
        """Boxes, best score first; those that a better one of their class covers are left out."""
        found = self.found(self.of_cells(output), letterbox, classes, threshold)
        return Boxes.of(found.xyxy, found.labels, classes, letterbox.size, scores=found.scores)
