"""Answers: the one type that a truth and a prediction share, in pixels of the original image."""

from cvtasks.answers.answer import A, Answer, Mixing, Oddity, Sample, Told, Window
from cvtasks.answers.boxes import Boxes
from cvtasks.answers.labels import Labels
from cvtasks.answers.mask import VOID, Mask

__all__ = [
    "VOID",
    "A",
    "Answer",
    "Boxes",
    "Labels",
    "Mask",
    "Mixing",
    "Oddity",
    "Sample",
    "Told",
    "Window",
]
