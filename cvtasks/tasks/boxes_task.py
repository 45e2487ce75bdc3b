"""What the tasks whose answer is boxes have in common: their records, rows and files; and further
those that find every object, how they begin and are tuned.
"""

import math
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import ModelError, did_you_mean
from cvtasks.files.writing import write_text
from cvtasks.metrics.base import Metric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes, Task

TRACK_COLUMNS = ("track", "filled")
"""Further columns, of objects that are tracked."""


@dataclass(frozen=True)
class BoxesTask(Task[Boxes], ABC):
    """A task that answers with boxes."""

    answer: ClassVar[type[Boxes]] = Boxes
    files_on_request: ClassVar[tuple[str, ...]] = ("voc", "yolo", "crops")
    columns: ClassVar[tuple[str, ...]] = ("class", "score", "x1", "y1", "x2", "y2")

    def keep(self, answer: Boxes, names: Sequence[str]) -> Boxes:
        """The objects of these classes."""
        return answer.take(np.array([name in names for name in answer.names], bool))

    def rows(self, answer: Boxes) -> list[dict[str, Any]]:
        """One row for each object: `class`, `score`, `x1`, `y1`, `x2`, `y2` in pixels; and of
        those that are tracked `track`, and `filled`, 0 or 1.
        """
        marks = zip(answer.tracks.tolist(), answer.filled.astype(int).tolist(), strict=True)
        return [
            {
                "class": one.name,
                "score": one.score,
                **dict(zip(("x1", "y1", "x2", "y2"), one.xyxy, strict=True)),
                **(dict(zip(TRACK_COLUMNS, mark, strict=True)) if mark[0] >= 0 else {}),
            }
            for one, mark in zip(answer, marks, strict=True)
        ]

    def write(self, kind: str, stem: Path, answer: Boxes, source: str) -> Path:
        """`voc`: an XML file; `yolo`: a text file, a line each with its score."""
        if kind == "voc":
            from cvtasks.formats.voc import voc_xml

            path, text = (
                stem.with_name(f"{stem.name}.xml"),
                voc_xml(answer, PurePath(source).name, scores=True),
            )
        else:
            from cvtasks.formats.yolo import yolo_text

            path, text = stem.with_name(f"{stem.name}.txt"), yolo_text(answer, scores=True)
        write_text(path, text)
        return path

    def from_record(self, record: Mapping[str, Any], classes: Classes) -> Boxes:
        """Boxes of a record."""
        boxes = record["boxes"]
        size = record.get("height", 0), record.get("width", 0)
        if not all(type(side) is int and side >= 0 for side in size):
            raise ValueError(
                f"`height` and `width` must be whole numbers of pixels; got {size[0]!r}, "
                f"{size[1]!r}."
            )
        for box in boxes:
            if box["name"] not in classes:
                raise ValueError(
                    f'every object must have a class of the model; "{box["name"]}" is none. '
                    f"{did_you_mean(box['name'], classes)}"
                )
        return Boxes.of(
            [box["xyxy"] for box in boxes],
            [classes.index(box["name"]) for box in boxes],
            classes,
            size,
            scores=[box["score"] for box in boxes],
            tracks=[box.get("track", -1) for box in boxes],
            filled=[box.get("filled", False) for box in boxes],
        )

    def summary(self, answer: Boxes) -> str:
        """How many objects of each class, the most frequent first."""
        counts = {name: answer.names.count(name) for name in answer.names}
        many = sorted(counts.items(), key=lambda item: -item[1])
        return (
            ", ".join(f"{count} × {name}" if count > 1 else name for name, count in many)
            or "nothing"
        )


@dataclass(frozen=True)
class ObjectsTask(BoxesTask, ABC):
    """A task that finds every object of an image.

    Attributes:
        threshold: the least score, 0 to 1, of an object that is shown to a user who asks for no
            other; training ends by putting the one here that has the best F1 on the validation
            split.
    """

    mosaics: ClassVar[bool] = True
    tiled: ClassVar[bool] = True

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.6, 1.4), "colour": 0.3, "mosaic": 0.5, "close_mosaic": 5},
        "train": {"ema": 0.998, "clip": 10.0, "weight_decay": 0.02},
    }

    threshold: Annotated[float, Range(0, 1)] = 0.35

    def check(self, classes: Classes) -> None:
        """Raise ModelError where there is no class."""
        if not classes:
            raise ModelError(
                f"the task {self.name} needs at least one class; got none. Name them in the "
                "recipe's `classes`."
            )

    def tuned(self, metric: Metric[Any]) -> Self:
        """With the threshold at which mean F1 is best, of those that are chosen
        (`cvtasks.metrics.average_precision.best_threshold`); itself where next to nothing was
        learned, as nothing is worth showing then.
        """
        if not isinstance(metric, BoxesMetric):
            raise TypeError(
                f"a task of objects is tuned by a BoxesMetric; got {type(metric).__name__}."
            )
        threshold, f1 = metric.best_threshold()
        return (
            self
            if math.isnan(f1) or not self.learned(metric)
            else replace(self, threshold=threshold)
        )
