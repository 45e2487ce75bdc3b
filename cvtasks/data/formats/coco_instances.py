"""COCO JSON, for instance segmentation: its polygons and run lengths as a mask for each object."""

from pathlib import Path

from cvtasks.answers import Instances
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import Frame, Truth
from cvtasks.data.formats.coco import COCO, COCODetection
from cvtasks.data.formats.coco_masks import COCO_MASKS, check_outlined
from cvtasks.errors import Complain, strictly
from cvtasks.formats.coco_outlines import coco_inks
from cvtasks.formats.drawn import UPRIGHT_PIXELS
from cvtasks.formats.object_masks import instances_of


class COCOInstances(COCODetection):
    """The images of one JSON file, with a mask for each object: files, classes and names are those
    of `COCODetection`.

    `iscrowd` is crowd, `ignore` difficult, `area` the object's area; the box is that around the
    mask, whatever `bbox` says.

    Raises:
        DataError: no object has an outline.
    """

    kind = Instances

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain, outlines=True)
        check_outlined(self.entries, root)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        image = self.entries[index]
        return instances_of(
            [[ink] for ink in coco_inks(image, complain)],
            self.classes,
            frame.size,
            f"{image.file_name[:200]} of {self._part.path}",
            complain,
            declared=self._declared(index),
            turn=frame.turn,
            habit=(lambda: UPRIGHT_PIXELS) if image.own else self._habit,
        )


COCO_INSTANCES = Format(
    "COCO JSON as instances",
    COCO.layout,
    Instances,
    is_at=COCO_MASKS.is_at,
    perhaps_at=COCO_MASKS.perhaps_at,
    splits_at=COCO.splits_at,
    opens=COCOInstances,
    file=COCO.file,
)
