"""COCO JSON, for segmentation: its polygons and run lengths as masks of classes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import VOID, Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.painted import PaintedSource, with_ground
from cvtasks.data.formats.bases.shapes import boxes_alone
from cvtasks.data.formats.coco import COCO, COCODetection
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco import CocoImage
from cvtasks.formats.coco_outlines import coco_inks
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
        check_outlined(self._entries, root)

    def orphans(self) -> Iterator[DataError]:
        """Images in a folder of this split alone that the file does not list."""
        return self._of_boxes.orphans()

    def _declared(self, index: int) -> Size | None:
        return declared_size(*self._entries[index].size)

    def _inks(self, index: int, complain: Complain) -> Sequence[Ink]:
        return [
            replace(ink, label=VOID if ink.crowd or ink.difficult else self._ids[ink.label])
            for ink in coco_inks(self._entries[index], complain)
        ]


def check_outlined(images: Iterable[CocoImage], root: Path) -> None:
    """Raise DataError where there are objects, and none has an outline."""
    objects = [one for image in images for one in image.objects]
    if objects and not any(one.outline for one in objects):
        raise boxes_alone(root)


COCO_MASKS = Format(
    "COCO JSON as masks",
    COCO.layout,
    Mask,
    is_at=COCO.is_at,
    perhaps_at=lambda root: root.is_file() and COCO.perhaps_at(root),
    splits_at=COCO.splits_at,
    opens=COCOMasks,
    file=COCO.file,
)
