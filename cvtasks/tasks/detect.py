"""Object detection: a class and a box for every object."""

from dataclasses import dataclass
from typing import ClassVar

from cvtasks.metrics.detection import BoxesMetric
from cvtasks.tasks.base import Classes
from cvtasks.tasks.boxes_task import ObjectsTask


@dataclass(frozen=True)
class Detect(ObjectsTask):
    """A box, a class and a score for each object."""

    name: ClassVar[str] = "detect"

    def metric(self, classes: Classes) -> BoxesMetric:
        """Average precision by VOC and by COCO."""
        return BoxesMetric(classes)
