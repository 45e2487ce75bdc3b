"""Data sets of boxes, for classification: an image shows the classes of its objects."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cvtasks.answers import Boxes, Labels, Sample
from cvtasks.data.formats.bases import BoxesSource
from cvtasks.data.formats.coco import COCODetection
from cvtasks.data.formats.voc import VOCDetection
from cvtasks.data.formats.yolo import YOLODetection
from cvtasks.data.source import Source
from cvtasks.errors import Complain, CVTasksError, strictly


class BoxLabels(Source):
    """The images of a source of boxes; root, splits and classes are that source's.

    A class of which an object counts is shown. One with nothing but difficult objects or crowds is
    difficult: 1 and 0 of the lists `<class>_<split>.txt` that VOC's challenge of classification has
    (Everingham and Winn, "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section
    3.1). Those lists themselves are not read.
    """

    kind = Labels
    boxes: type[BoxesSource]

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether the boxes lie at `root`."""
        return cls.boxes.is_at(root)

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The boxes' own."""
        return cls.boxes.splits_at(root)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        self._boxes = self.boxes(root, split, complain)
        self.classes, self.files, self.notes = (
            self._boxes.classes,
            self._boxes.files,
            self._boxes.notes,
        )
        self.split, self.taken_for = self._boxes.split, self._boxes.taken_for

    def __len__(self) -> int:
        return len(self._boxes)

    def __getitem__(self, index: int) -> Sample[Labels]:
        sample = self._boxes[index]
        return Sample(sample.image, self.truth(index), sample.name)

    def name(self, index: int) -> str:
        """The boxes' own."""
        return self._boxes.name(index)

    def truth(self, index: int) -> Labels:
        """The labels of one sample; its image is not decoded."""
        return labels_of(self._boxes.truth(index))

    def faults(self, index: int) -> list[CVTasksError]:
        """The boxes' own: where these cannot be used, neither can the labels."""
        return self._boxes.faults(index)

    def orphans(self) -> Iterator[CVTasksError]:
        """The boxes' own."""
        return self._boxes.orphans()

    def remarks_of(self, index: int) -> tuple[str, ...]:
        """The boxes' own."""
        return self._boxes.remarks_of(index)

    def remarks(self) -> list[str]:
        """The boxes' own."""
        return self._boxes.remarks()


class VOCLabels(BoxLabels):
    """`VOCDetection`, for classification."""

    format = "Pascal VOC classification"
    layout = VOCDetection.layout
    boxes = VOCDetection


class YOLOLabels(BoxLabels):
    """`YOLODetection`, for classification."""

    format = "YOLO boxes as labels"
    layout = YOLODetection.layout
    boxes = YOLODetection


class COCOLabels(BoxLabels):
    """`COCODetection`, for classification."""

    format = "COCO JSON as labels"
    layout = COCODetection.layout
    boxes = COCODetection


def labels_of(boxes: Boxes) -> Labels:
    """The classes of an image's objects; difficult are those of which no object counts.

    >>> found = labels_of(Boxes.of([[0, 0, 9, 9]] * 2, [0, 1], ("cat", "dog"), (9, 9), difficult=[False, True]))
    >>> found.names, found.difficult.tolist()
    (('cat',), [False, True])
    """
    shown = np.unique(boxes.labels[boxes.counted])
    return Labels.of(shown, boxes.classes, difficult=np.setdiff1d(boxes.labels, shown))
