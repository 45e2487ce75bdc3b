"""What labelling tools hold of images, for instance segmentation: polygons, brushes and boxes as a
mask for each object.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import Instances
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import Frame, Truth
from cvtasks.data.formats.bases.shapes import Collection, ShapesSource, boxes_alone
from cvtasks.data.formats.cvat import CVAT, CVAT_TOOL
from cvtasks.data.formats.label_studio import LABEL_STUDIO, LABEL_STUDIO_TOOL
from cvtasks.data.formats.labelme import LABELME_JSON, LABELME_TOOL
from cvtasks.data.formats.shape_masks import FILLED, scale_of
from cvtasks.data.formats.supervisely import SUPERVISELY, SUPERVISELY_TOOL
from cvtasks.data.formats.via import VIA, VIA_TOOL
from cvtasks.data.source import Source
from cvtasks.errors import Complain, strictly
from cvtasks.formats.drawn import UPRIGHT_PIXELS
from cvtasks.formats.object_masks import instances_of
from cvtasks.formats.painting import UPRIGHT_OUTLINES, Ink, ink_of


class ShapeInstances(ShapesSource):
    """The images of a tool's files, with a mask for each shape.

    Shapes of one class and one group (LabelMe's `group_id`, CVAT's groups, Supervisely's
    `instance`) are parts of one object. A box is filled, with a remark.

    Raises:
        DataError: all shapes are boxes.
    """

    kind = Instances

    def __init__(self, found: Collection, complain: Complain = strictly) -> None:
        super().__init__(found, complain)
        shapes = [shape for entry in found.entries for shape in entry.shapes]
        if shapes and not any(shape.outline or shape.painted for shape in shapes):
            raise boxes_alone(found.root)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        entry = self._entries[index]
        for fault in entry.faults:
            complain(fault)
        objects: dict[tuple[str, ...], list[Ink]] = {}
        remarks = list(entry.remarks)
        scale = scale_of(entry, self.images[index])
        for number, shape in enumerate(entry.shapes):
            for label in self._labels(shape, complain):
                own = ("part", shape.group) if shape.group else ("whole", str(number))
                ink = ink_of(shape, label, scale)
                ink = replace(ink, crowd=True) if shape.everywhere else ink
                objects.setdefault((*own, str(label)), []).append(ink)
                remarks += [] if shape.outline or shape.painted else [FILLED]
        # shares of an image's sides, and what declares no size, are drawn as it is seen
        sure = entry.size is None and frame.turn != 1
        remarks += [UPRIGHT_OUTLINES] if sure and objects else []
        instances, changed = instances_of(
            list(objects.values()),
            self.classes,
            frame.size,
            entry.source,
            complain,
            declared=entry.size,
            turn=frame.turn,
            habit=(lambda: UPRIGHT_PIXELS) if sure else self._habit,
        )
        return instances, (*remarks, *changed)


def as_instances(boxes: Format, collect: Callable[[Path, str, Complain], Collection]) -> Format:
    """A tool's format of boxes, for instance segmentation; root and splits are the same."""

    def opens(root: Path, split: str, complain: Complain) -> Source:
        return ShapeInstances(collect(root, split, complain), complain)

    return replace(
        boxes, name=f"{boxes.name} as instances", kind=Instances, opens=opens, chosen=None
    )


LABELME_INSTANCES = as_instances(LABELME_JSON, LABELME_TOOL.collect)
CVAT_INSTANCES = as_instances(CVAT, CVAT_TOOL.collect)
LABEL_STUDIO_INSTANCES = as_instances(LABEL_STUDIO, LABEL_STUDIO_TOOL.collect)
SUPERVISELY_INSTANCES = as_instances(SUPERVISELY, SUPERVISELY_TOOL.collect)
VIA_INSTANCES = as_instances(VIA, VIA_TOOL.collect)
