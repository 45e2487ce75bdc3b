"""What the tasks whose answer is boxes have in common: their records, rows and files."""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import did_you_mean
from cvtasks.files.writing import write_text
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
