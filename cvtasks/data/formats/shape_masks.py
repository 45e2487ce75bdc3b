"""What labelling tools hold of images, for segmentation: polygons, brushes and boxes as masks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import VOID, Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.painted import PaintedSource, with_ground
from cvtasks.data.formats.bases.shapes import Collection, boxes_alone
from cvtasks.data.formats.cvat import CVAT, CVAT_TOOL
from cvtasks.data.formats.label_studio import LABEL_STUDIO, LABEL_STUDIO_TOOL
from cvtasks.data.formats.labelme import LABELME_JSON, LABELME_TOOL
from cvtasks.data.formats.supervisely import SUPERVISELY, SUPERVISELY_TOOL
from cvtasks.data.formats.via import VIA, VIA_TOOL
from cvtasks.data.source import Source
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.drawn import Size
from cvtasks.formats.painting import Ink, ink_of
from cvtasks.formats.shapes import ImageShapes
from cvtasks.media.images import image_size

FILLED = "boxes without an outline were filled"
"""A remark for each such object."""


class ShapeMasks(PaintedSource):
    """The images of a tool's files, each with one mask of all its shapes.

    Shapes are painted in their order, a later one over an earlier one; a box is filled, with a
    remark. Difficult ones and crowds are void where no other shape is. The background comes before
    the tool's classes, unless it is one of them.

    Raises:
        DataError: all shapes are boxes.
    """

    def __init__(self, found: Collection, complain: Complain = strictly) -> None:
        super().__init__(complain)
        self.files, self._entries = list(found.images), found.entries
        self.names, self.split = found.names(), found.split
        self.classes, self._ids = with_ground(found.classes)
        self._places = dict(zip(found.classes, self._ids, strict=True))
        self.taken_for, self.notes = found.taken_for, found.notes
        self._orphans = found.orphans
        shapes = [shape for entry in self._entries for shape in entry.shapes]
        if shapes and not any(shape.outline or shape.painted for shape in shapes):
            raise boxes_alone(found.root)

    def orphans(self) -> Iterator[DataError]:
        """Files of the data set that belong to nothing."""
        return iter(self._orphans)

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """What reading one truth changed or passed over."""
        entry = self._entries[index]
        filled = [FILLED for shape in entry.shapes if not (shape.outline or shape.painted)]
        return (*entry.remarks, *filled, *super().remarks_of(index))

    def _declared(self, index: int) -> Size | None:
        return self._entries[index].size

    def _called(self, index: int) -> str:
        return self._entries[index].source

    def _inks(self, index: int, complain: Complain) -> Sequence[Ink]:
        entry = self._entries[index]
        for fault in entry.faults:
            complain(fault)
        inks = []
        for shape in entry.shapes:
            if shape.everywhere or shape.name in self._places:
                void = shape.everywhere or shape.difficult or shape.crowd
                label = VOID if void else self._places[shape.name]
                inks.append(ink_of(shape, label, scale_of(entry, self.files[index])))
                continue
            complain(
                DataError(
                    f'every object must be of a class of the data set; "{shape.name[:80]}" of '
                    f"{shape.place} is none. {did_you_mean(shape.name, self.classes)} Correct the "
                    "name, or list all classes in classes.txt at the data set's root, one a line.",
                    "class unknown",
                )
            )
        return inks


def scale_of(entry: ImageShapes, file: Path) -> tuple[float, float]:
    """What coordinates of an image's shapes are multiplied by to be pixels, across and down."""
    if not entry.in_shares:
        return 1.0, 1.0
    height, width = entry.size or image_size(file)
    return float(width), float(height)


def as_masks(boxes: Format, collect: Callable[[Path, str, Complain], Collection]) -> Format:
    """A tool's format of boxes, for segmentation; root and splits are the same."""

    def opens(root: Path, split: str, complain: Complain) -> Source:
        return ShapeMasks(collect(root, split, complain), complain)

    return replace(boxes, name=f"{boxes.name} as masks", kind=Mask, opens=opens, chosen=None)


LABELME_MASKS = as_masks(LABELME_JSON, LABELME_TOOL.collect)
CVAT_MASKS = as_masks(CVAT, CVAT_TOOL.collect)
LABEL_STUDIO_MASKS = as_masks(LABEL_STUDIO, LABEL_STUDIO_TOOL.collect)
SUPERVISELY_MASKS = as_masks(SUPERVISELY, SUPERVISELY_TOOL.collect)
VIA_MASKS = as_masks(VIA, VIA_TOOL.collect)
