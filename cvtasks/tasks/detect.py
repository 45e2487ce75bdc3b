"""Object detection: a class and a box for every object, by a one-stage detector without anchors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from cvtasks.answers import Boxes
from cvtasks.errors import ModelError
from cvtasks.metrics.base import Metric
from cvtasks.metrics.detection import BoxesMetric
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes
from cvtasks.tasks.boxes_task import BoxesTask


@dataclass(frozen=True)
class Detect(BoxesTask):
    """A box, a class and a score for each object.

    Attributes:
        threshold: the least score, 0 to 1, of an object that is shown to a user who asks for no
            other; training ends by putting the one here that has the best F1 on the validation
            split.
    """

    name: ClassVar[str] = "detect"
    mosaics: ClassVar[bool] = True
    tiled: ClassVar[bool] = True

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.6, 1.4), "colour": 0.3, "mosaic": 0.5, "close_mosaic": 5},
        "train": {"ema": 0.998, "clip": 10.0, "weight_decay": 0.02},
    }

    threshold: Annotated[float, Range(0, 1)] = 0.35

    def check(self, classes: Classes) -> None:
        """Raise ModelError where there is no class."""
        if not classes:
            raise ModelError(
                "detection needs at least one class; got none. Name them in the recipe's `classes`."
            )

    def metric(self, classes: Classes) -> BoxesMetric:
        """Average precision by VOC and by COCO."""
        return BoxesMetric(classes)

    def tuned(self, metric: Metric[Boxes]) -> "Detect":
        """With the threshold at which mean F1 is best; itself where next to nothing was learned, as
        nothing is worth showing then.
        """
        if not isinstance(metric, BoxesMetric):
            raise TypeError(f"a detector is tuned by a BoxesMetric; got {type(metric).__name__}.")
        threshold, f1 = metric.best_threshold()
        return (
            self
            if math.isnan(f1) or not self.learned(metric)
            else replace(self, threshold=threshold)
        )
