"""Pascal VOC's masks of objects: `SegmentationObject` numbers them, `SegmentationClass` says of
which class each is (Everingham and Winn, "The PASCAL Visual Object Classes Challenge 2012
Development Kit", section 3.3).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cvtasks.answers import Boxes, Instances, Mask
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import BoxesSource, Frame, Truth
from cvtasks.data.formats.bases.numbered import read_numbers
from cvtasks.data.formats.listing import files_in
from cvtasks.data.formats.voc import VOC_SEGMENTATION, VOCSegmentation
from cvtasks.data.formats.voc_lists import Stored, by_stem
from cvtasks.data.source import present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import Size
from cvtasks.formats.reading import read_annotation
from cvtasks.formats.voc import parse_voc
from cvtasks.geometry.boxes import iou
from cvtasks.media.images import image_size
from cvtasks.recipe.data_table import VOID, Value

_SAME = 0.5  # IoU from which on a box of the XML is that of a mask
UNMASKED = "objects of the XML have no mask of their own, and were passed over"
_OBJECTS = "SegmentationObject"


class VOCInstances(BoxesSource):
    """Images of `ImageSets/Segmentation/<split>.txt` with the objects of `SegmentationObject`.
    Which images, class masks and classes there are is as for `VOCSegmentation`, without the
    background.

    An object's class is the one that most of its pixels have in the class mask. It is difficult
    where the XML of the image, if there is one, says so of the box of its class that it fills. What
    is void, such as the edges of objects, belongs to none.
    """

    kind = Instances

    def __init__(
        self,
        root: Path,
        split: str,
        complain: Complain = strictly,
        values: Mapping[str, Value] | None = None,
        void: Value = VOID,
    ) -> None:
        super().__init__(complain)
        self._of_classes = VOCSegmentation(root, split, complain, values, void)
        self.split, self.notes = self._of_classes.split, self._of_classes.notes
        self.taken_for = self._of_classes.taken_for
        self._all_classes = self._of_classes.classes
        self.classes = self._all_classes[Mask.ground(self._all_classes) :]
        images = list(self._of_classes.files)
        there = by_stem(root / _OBJECTS, ".png")
        masks = [there.get(one.stem, root / _OBJECTS / f"{one.stem}.png") for one in images]
        self._kept = present(
            f'"{split}" of {str(root)!r}', {"image": images, "mask": masks}, complain
        )
        self.images, self._masks = (
            [files[index] for index in self._kept] for files in (images, masks)
        )
        self.names = [self._of_classes.name(index) for index in self._kept]
        stored = Stored(root)
        self._annotations = [stored.annotations.get(one.stem) for one in self.images]

    def _declared(self, index: int) -> Size | None:
        height, width = image_size(self._masks[index])
        return float(height), float(width)

    def _read(self, index: int, frame: Frame, complain: Complain) -> Truth:
        ids = self._of_classes.truth(self._kept[index])
        name = str(self._masks[index])
        numbers, remarks = read_numbers(self._masks[index], frame, self._habit, void=True)
        planes, labels = [], []
        things = np.where(ids.ids == VOID, 0, ids.ids.astype(np.int64) + 1)
        things[things <= Mask.ground(self._all_classes)] = 0
        for number in np.unique(numbers[numbers > 0]).tolist():
            plane = numbers == number
            counts = np.bincount(things[plane])
            if not counts[1:].any():
                complain(
                    DataError(
                        "every object must have a class in SegmentationClass; object "
                        f"{number} of {name!r} has none there. Correct one of both masks.",
                        "class unknown",
                    )
                )
                continue
            planes.append(plane)
            labels.append(int(counts[1:].argmax()) - Mask.ground(self._all_classes))
        found = Instances.of(planes, labels, self.classes, frame.size)
        difficult, unmasked = self._difficult(index, frame, found)
        marked = Instances.of(
            list(found.masks), labels, self.classes, frame.size, difficult=difficult
        )
        return marked, (*remarks, *(UNMASKED,) * unmasked)

    def _difficult(self, index: int, frame: Frame, found: Boxes) -> tuple[np.ndarray, int]:
        """(n,) bool: which objects the image's XML calls difficult, and how many of its objects
        are none of these.
        """
        path = self._annotations[index]
        marked = np.zeros(len(found), bool)
        if path is None:
            return marked, 0
        boxes, _ = parse_voc(
            read_annotation(path),
            self.classes,
            frame.size,
            str(path),
            lambda error: None,  # what its boxes lack is no matter of masks
            turn=frame.turn,
            habit=self._habit,
        )
        same = found.labels[:, None] == boxes.labels[None]
        overlap = np.where(same, iou(found.xyxy, boxes.xyxy), 0.0)
        if overlap.size:
            best = overlap.argmax(axis=1)
            marked = boxes.difficult[best] & (overlap.max(axis=1) >= _SAME)
        alone = overlap.max(axis=0, initial=0.0) < _SAME
        return marked, int(alone.sum())


def _is_at(root: Path) -> bool:
    return VOC_SEGMENTATION.is_at(root) and bool(files_in(root / _OBJECTS, ".png"))


def _perhaps_at(root: Path) -> bool:
    return VOC_SEGMENTATION.perhaps_at(root) and bool(files_in(root / _OBJECTS, ".png"))


VOC_INSTANCES = Format(
    "Pascal VOC instances",
    "JPEGImages/ (or one other folder of images), SegmentationObject/, SegmentationClass/ and "
    "perhaps ImageSets/Segmentation/<split>.txt",
    Instances,
    is_at=_is_at,
    perhaps_at=_perhaps_at,
    splits_at=VOC_SEGMENTATION.splits_at,
    opens=VOCInstances,
    heeds=VOC_SEGMENTATION.heeds,
)
