"""What the formats of one kind of truth have in common: image-level labels, boxes, masks."""

from cvtasks.data.formats.bases.boxes import BoxesSource, Frame, Truth
from cvtasks.data.formats.bases.labels import ArrayLabels, FileLabels, LabelsSource
from cvtasks.data.formats.bases.masks import MaskSource
from cvtasks.data.formats.bases.names import class_names, distinct

__all__ = [
    "ArrayLabels",
    "BoxesSource",
    "FileLabels",
    "Frame",
    "LabelsSource",
    "MaskSource",
    "Truth",
    "class_names",
    "distinct",
]
