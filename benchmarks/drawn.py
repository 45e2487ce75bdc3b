"""Drawn images in memory, as data of the benchmarks; a module, so that other processes find it."""

from typing import Any

import numpy as np
from compare import made_image

from cvtasks.answers import Answer, Boxes, Labels, Mask, Sample
from cvtasks.data import Source

CLASSES = {"detect": 20, "segment": 21, "classify": 1000}
KINDS: dict[str, type[Answer]] = {"detect": Boxes, "segment": Mask, "classify": Labels}


def names(task: str) -> list[str]:
    """Classes by number; of segmentation the first is the background."""
    return ["background", *map(str, range(1, CLASSES[task]))][-CLASSES[task] :]


class Drawn(Source):
    """Drawn images in memory, (375, 500) or as asked, with truths of a task."""

    def __init__(self, task: str, number: int, size: tuple[int, int] = (375, 500)) -> None:
        self.kind, self.classes = KINDS[task], tuple(names(task))
        self._task, self._number, self._size = task, number, size
        self._images = [made_image(size[1], size[0], seed) for seed in range(min(number, 64))]

    def __len__(self) -> int:
        return self._number

    def name(self, index: int) -> str:
        """Its number."""
        return f"{index:05d}"

    def __getitem__(self, index: int) -> Sample[Any]:
        return Sample(self._images[index % len(self._images)], self.truth(index), self.name(index))

    def truth(self, index: int) -> Answer:
        """Four boxes, bands of classes, or a class."""
        rng, (height, width) = np.random.default_rng(index), self._size
        if self._task == "classify":
            return Labels.of([index % len(self.classes)], self.classes)
        if self._task == "segment":
            ids = np.zeros(self._size, np.uint8)
            ids[height // 4 : height // 2] = rng.integers(1, len(self.classes))
            return Mask(ids, self.classes)
        corner = rng.uniform(0, 0.5, (4, 2)) * (width, height)
        boxes = np.hstack([corner, corner + rng.uniform(0.1, 0.5, (4, 2)) * (width, height)])
        return Boxes.of(boxes, rng.integers(0, len(self.classes), 4), self.classes, self._size)
