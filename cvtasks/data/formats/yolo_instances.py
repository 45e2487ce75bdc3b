"""YOLO text files of outlines and their YAML, for instance segmentation."""

import os
from dataclasses import replace
from pathlib import Path

from cvtasks.answers import Instances
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import Frame, Truth
from cvtasks.data.formats.bases.shapes import boxes_alone
from cvtasks.data.formats.yolo import YOLO, YOLODetection
from cvtasks.data.formats.yolo_plain import YOLO_FOLDERS, YOLOFolders
from cvtasks.errors import Complain, strictly
from cvtasks.formats.painting import UPRIGHT_OUTLINES
from cvtasks.formats.reading import UNLABELLED, read_text
from cvtasks.formats.yolo_lines import OUTLINE, any_long_lines
from cvtasks.formats.yolo_outlines import parse_yolo_outlines


class YOLOInstances(YOLODetection):
    """The images of one split of a `data.yaml`, and the outlines beside them; where they lie is as
    for `YOLODetection`. A line of a box alone is a fault.

    Raises:
        DataError: no line is an outline.
    """

    kind = Instances

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        if (self._lines or OUTLINE) != OUTLINE or self._boxes_alone():
            raise boxes_alone(root)

    def _boxes_alone(self) -> bool:
        """Whether there are lines, and none is long. Reads no further than the first that is."""
        some = False
        for text in self._texts():
            if any(any_long_lines(text)):
                return False
            some |= bool(text.strip())
        return some

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        path = self._labels[index]
        if not os.path.lexists(path):  # a link to nowhere is no image without objects
            return Instances.nothing(frame.size, self.classes), (UNLABELLED,)
        instances, remarks = parse_yolo_outlines(
            read_text(path),
            self._classes_at(index),
            frame.size,
            str(path),
            complain,
            lines=self._lines,
            others=lambda: self._kind,
            scored=lambda: self._scored,
        )
        instances = instances.with_classes(self.classes)
        turned = frame.turn != 1 and len(instances) > 0
        return instances, (*remarks, *((UPRIGHT_OUTLINES,) if turned else ()))


class YOLOFolderInstances(YOLOInstances, YOLOFolders):
    """The same of `images/`, `labels/` and a `classes.txt`."""


YOLO_INSTANCES = Format(
    "YOLO outlines",
    YOLO.layout,
    Instances,
    is_at=YOLO.is_at,
    splits_at=YOLO.splits_at,
    opens=YOLOInstances,
    file=YOLO.file,
)
YOLO_FOLDER_INSTANCES = replace(
    YOLO_FOLDERS, name="YOLO folders of outlines", kind=Instances, opens=YOLOFolderInstances
)
