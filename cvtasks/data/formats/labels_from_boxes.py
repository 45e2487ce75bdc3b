"""Data sets of boxes, for classification: an image shows the classes of its objects."""

from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from cvtasks.answers import Answer, Boxes, Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases.shapes import (
    Collection,
    Settle,
    TagLabels,
    classes_of_tags,
)
from cvtasks.data.formats.coco import COCO
from cvtasks.data.formats.voc import VOC_DETECTION
from cvtasks.data.formats.yolo import YOLO
from cvtasks.data.source import Source
from cvtasks.data.views import View
from cvtasks.errors import Complain


class BoxLabels(View):
    """A source of boxes whose truths say which classes the images show.

    A class of which an object counts is shown. One with nothing but difficult objects or crowds is
    difficult: 1 and 0 of the lists `<class>_<split>.txt` that VOC's challenge of classification has
    (Everingham and Winn, "The PASCAL Visual Object Classes Challenge 2012 Development Kit", section
    3.1). Those lists themselves are not read.
    """

    kind = Labels

    def _truth_of(self, truth: Answer) -> Answer:
        return labels_of(cast(Boxes, truth))


class Tagging(Protocol):
    """How a tool's files are read whose images may have tags."""

    def tagged(self, root: Path) -> bool:
        """Whether an image has a tag."""

    def collect(self, root: Path, split: str, complain: Complain, settle: Settle) -> Collection:
        """The images of a split."""


def as_labels(boxes: Format, name: str, tool: Tagging | None = None) -> Format:
    """A format of boxes, for classification; root and splits are the same, and the classes too
    unless images have tags: then these are the labels.
    """

    def opens(root: Path, split: str, complain: Complain) -> Source:
        if tool is not None and tool.tagged(root):
            return TagLabels(tool.collect(root, split, complain, classes_of_tags), complain)
        return BoxLabels(boxes.open(root, split, complain))

    inner = boxes.chosen
    chosen = None if inner is None else lambda option: as_labels(inner(option), name)
    return replace(boxes, name=name, kind=Labels, opens=opens, chosen=chosen)


VOC_LABELS = as_labels(VOC_DETECTION, "Pascal VOC classification")
YOLO_LABELS = as_labels(YOLO, "YOLO boxes as labels")
COCO_LABELS = as_labels(COCO, "COCO JSON as labels")


def labels_of(boxes: Boxes) -> Labels:
    """The classes of an image's objects; difficult are those of which no object counts.

    >>> edges, hard = [[0, 0, 9, 9]] * 2, [False, True]
    >>> found = labels_of(Boxes.of(edges, [0, 1], ("cat", "dog"), (9, 9), difficult=hard))
    >>> found.names, found.difficult.tolist()
    (('cat',), [False, True])
    """
    shown = np.unique(boxes.labels[boxes.counted])
    return Labels.of(shown, boxes.classes, difficult=np.setdiff1d(boxes.labels, shown))
