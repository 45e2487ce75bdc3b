"""A task in one file: a class, a box and a mask for every object. For tests only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.errors import ModelError
from cvtasks.metrics.base import ByImage, Metric, ratio
from cvtasks.tasks.base import Classes
from cvtasks.tasks.boxes_task import BoxesTask


@dataclass(frozen=True, eq=False)
class Instances(Boxes):
    """Boxes with a mask each, (n, h, w) bool."""

    masks: np.ndarray

    @classmethod
    def nothing(cls, size: tuple[int, int], classes: Classes) -> "Instances":
        """No objects."""
        return cls.of([], [], classes, size, masks=np.zeros((0, *size), bool))


class Found(Metric[Instances]):
    """F1 of objects at a mask IoU of 0.5."""

    def __init__(self, least: float = 0.5) -> None:
        self._least = least
        self.hits = self.objects = 0
        self._images: list[tuple[int, int]] = []

    def add(self, truth: Instances, prediction: Instances) -> None:
        """Count one image: each object is found once."""
        before, free = self.hits, list(range(len(prediction)))
        for mask, label in zip(truth.masks, truth.labels, strict=True):
            for other in free:
                both = (mask & prediction.masks[other]).sum()
                either = (mask | prediction.masks[other]).sum()
                if label == prediction.labels[other] and both >= self._least * either:
                    self.hits += 1
                    free.remove(other)
                    break
        self.objects += len(truth) + len(prediction)
        self._images.append((self.hits - before, len(truth) + len(prediction)))

    def result(self) -> dict[str, float]:
        """The one number."""
        return {"mask F1": 2 * self.hits / self.objects if self.objects else float("nan")}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Not told apart."""
        return {}

    def by_image(self) -> ByImage:
        """The one number over any resample."""
        hits, objects = np.array(self._images).reshape(-1, 2).T
        return ByImage(
            len(hits),
            lambda counts: {"mask F1": ratio(2 * (counts @ hits), counts @ objects)},
            2 * len(hits),
        )


@dataclass(frozen=True)
class ToyInstances(BoxesTask):
    """Its table has the threshold alone."""

    name: ClassVar[str] = "instances"
    answer: ClassVar[type[Instances]] = Instances

    def check(self, classes: Classes) -> None:
        if not classes:
            raise ModelError("an instance needs a class; got none. Name them.")

    def metric(self, classes: Classes) -> Metric[Any]:
        return Found()

    def tuned(self, metric: Metric[Any]) -> "ToyInstances":
        return self

    def draw(self, image: np.ndarray, answer: Boxes) -> np.ndarray:
        return draw_boxes(image, answer)

    def keep(self, answer: Boxes, names: Sequence[str]) -> Boxes:
        return answer.take(np.array([name in names for name in answer.names], bool))

    def summary(self, answer: Boxes) -> str:
        return f"{len(answer)} objects"
