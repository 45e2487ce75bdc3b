"""COCO JSON, for segmentation: its polygons and run lengths as masks of classes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cvtasks.answers import VOID, Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.painted import PaintedSource, with_ground
from cvtasks.data.formats.coco import COCO, COCODetection, coco_files
from cvtasks.data.formats.kinds import COCO as KIND
from cvtasks.data.formats.kinds import json_kind
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco import CocoObject
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.painting import Ink


class COCOMasks(PaintedSource):
    """The images of one JSON file, each with one mask of all its objects.

    Objects are painted in the order of the annotations, a later one over an earlier one. Crowds and
    ignored ones are void where no other object is. Files and classes are those of detection
    (`COCODetection`), with the background before them.

    Raises:
        DataError: no object has an outline.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(complain)
        self._of_boxes = found = COCODetection(root, split, complain, outlines=True)
        self.files, self.names, self.split = found.images, found.names, found.split
        self.classes, self._ids = with_ground(found.classes)
        self.notes, self._entries = found.notes, found.entries
        objects = [one for entry in self._entries for one in entry.objects]
        if objects and not any(one.outline for one in objects):
            raise DataError(
                "segmentation learns from outlines or masks; the annotations of "
                f"{str(root)!r} have boxes alone. Train a detector on them, or have their objects "
                "outlined.",
                "outline missing",
            )

    def orphans(self) -> Iterator[DataError]:
        """Images in a folder of this split alone that the file does not list."""
        return self._of_boxes.orphans()

    def _declared(self, index: int) -> Size | None:
        return declared_size(*self._entries[index].size)

    def _inks(self, index: int, complain: Complain) -> Sequence[Ink]:
        inks = []
        for one in self._entries[index].objects:
            place = f"annotation {one.id} of {self._entries[index].file_name[:200]!r}"
            try:
                inks.append(self._ink(one, place))
            except DataError as error:
                complain(error)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                complain(
                    DataError(
                        "a segmentation must be polygons, of three points or more, or run lengths; "
                        f"{place} has {str(one.outline)[:80]} ({error}). Correct or remove it.",
                        "outline",
                    )
                )
        return inks

    def _ink(self, one: CocoObject, place: str) -> Ink:
        label = VOID if one.crowd or one.ignored else self._ids[one.label]
        if not one.outline:
            raise DataError(
                f"every object must have an outline; {place} has none. Draw it, or remove the "
                "object.",
                "outline missing",
            )
        if isinstance(one.outline, dict):
            return Ink(label, place, painted=(0, 0, one.outline))
        return Ink(label, place, tuple(map(_ring, _polygons(one.outline))))


def _polygons(outline: Any) -> list[Any]:
    """The polygons of a segmentation, one of which may stand without its list."""
    return [outline] if isinstance(outline[0], int | float | str) else outline


def _ring(numbers: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise ValueError("not pairs of numbers")
    sides = [float(number) for number in numbers]
    return tuple(zip(sides[::2], sides[1::2], strict=True))


def _sure(root: Path) -> bool:
    """Whether one of the files is COCO's by what it holds: a legend of masks is JSON too."""
    return any(json_kind(file) == KIND for file in coco_files(root).values())


COCO_MASKS = Format(
    "COCO JSON as masks",
    COCO.layout,
    Mask,
    is_at=lambda root: COCO.is_at(root) and (root.is_file() or _sure(root)),
    splits_at=COCO.splits_at,
    opens=COCOMasks,
    file=COCO.file,
)
