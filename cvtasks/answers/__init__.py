"""Answers: the one type that a truth and a prediction share, in pixels of the original image."""

from cvtasks.answers.answer import A, Answer, Mixing, Oddity, Sample, Told, Window
from cvtasks.answers.boxes import Boxes, Object
from cvtasks.answers.instances import Instance, Instances
from cvtasks.answers.labels import Label, Labels
from cvtasks.answers.mask import VOID, Mask, Region

__all__ = [
    "VOID",
    "A",
    "Answer",
    "Boxes",
    "Instance",
    "Instances",
    "Label",
    "Labels",
    "Mask",
    "Mixing",
    "Object",
    "Oddity",
    "Region",
    "Sample",
    "Told",
    "Window",
]
