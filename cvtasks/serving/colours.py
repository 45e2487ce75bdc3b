"""The colours in which answers are drawn, for whoever draws them elsewhere."""

from collections.abc import Sequence

import numpy as np

from cvtasks.answers import Mask
from cvtasks.drawing.colours import palette_of
from cvtasks.tasks.base import Task


def class_palette(task: Task, classes: Sequence[str]) -> np.ndarray:
    """(256, 3) uint8 RGB: the colour of each class by its id, as drawings have it."""
    palette = palette_of(classes)
    if task.answer is Mask and Mask.ground(tuple(classes)):
        return palette
    return np.roll(palette, -1, axis=0)


def colours_of(task: Task, classes: Sequence[str]) -> list[str]:
    """The colour of each class, as CSS writes it."""
    palette = class_palette(task, classes)
    return ["#{:02x}{:02x}{:02x}".format(*palette[i % 255].tolist()) for i in range(len(classes))]
