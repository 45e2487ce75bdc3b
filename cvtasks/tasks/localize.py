"""Single-object localization: the class of the object that an image is about,
and a box around it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.errors import ModelError
from cvtasks.geometry.boxes import areas
from cvtasks.metrics.base import Metric
from cvtasks.metrics.localization import LocationMetric
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes
from cvtasks.tasks.boxes_task import BoxesTask


@dataclass(frozen=True)
class Localize(BoxesTask):
    """The class of the object that an image is about, and a box around it.

    A truth is the object that an image is about, first, and all others of its class, any of which
    the metric takes for right. What of it shows in a window that training cuts is judged anew: the
    largest that is left is learned.

    Attributes:
        threshold: the least score, 0 to 1, of an answer that is shown to a user who asks for no
            other.
        object: which object an image is about, of those that are neither difficult nor a crowd: the
            "largest", or the "only" one. Images without it are left out.
    """

    name: ClassVar[str] = "localize"
    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.7, 1.3), "colour": 0.3},
        "train": {"ema": 0.998, "clip": 10.0, "weight_decay": 0.02},
    }

    threshold: Annotated[float, Range(0, 1)] = 0.05
    object: Literal["largest", "only"] = "largest"

    def check(self, classes: Classes) -> None:
        """Raise ModelError where there is no class."""
        if not classes:
            raise ModelError(
                "localization needs at least one class; got none. Name them in the recipe's "
                "`classes`."
            )

    @property
    def selection(self) -> str:
        """Images with an object."""
        if self.object == "only":
            return (
                "images with exactly one object of the classes that is neither difficult nor a "
                "crowd"
            )
        return (
            "images with an object of the classes that is neither difficult nor a crowd; the "
            "largest is learned, and in the score "
            "any other of its class is as good"
        )

    def select(self, truth: Boxes) -> Boxes | None:
        """The object that the image is about, then the others of its class; None where there is
        none.

        Difficult ones and crowds are not among them. Of objects of one area the first counts.
        """
        real = np.flatnonzero(truth.counted & (areas(truth.xyxy) > 0))
        if not len(real) or (self.object == "only" and len(real) > 1):
            return None
        first = real[truth.areas[real].argmax()]
        others = real[(truth.labels[real] == truth.labels[first]) & (real != first)]
        return truth.take(np.array([first, *others]))

    def metric(self, classes: Classes) -> LocationMetric:
        """Localization accuracy as ILSVRC has it, and how well the boxes fit."""
        return LocationMetric(classes)

    def tuned(self, metric: Metric[Boxes]) -> "Localize":
        """Itself."""
        return self

    def annotation(self, answer: Boxes) -> Boxes:
        """The object with its best class."""
        return answer.take(slice(1))

    def draw(self, image: np.ndarray, answer: Boxes) -> np.ndarray:
        """The image with a box around the object, its best class and that one's score; of a truth,
        thin ones around the others.

        Scores of 1 are a truth's, and of any truth what `select` says is drawn.
        """
        if not (answer.scores == 1).all():
            return draw_boxes(image, answer.take(slice(1)))
        chosen = self.select(answer)
        if chosen is None:
            return draw_boxes(image, answer.take(slice(0)))
        return draw_boxes(image, replace(chosen, difficult=np.arange(len(chosen)) > 0))

    def summary(self, answer: Boxes) -> str:
        """The best class and its score in percent."""
        return (
            f"{answer.names[0]} {answer.scores[0]:.0%}"
            if len(answer)
            else "no class is sure enough"
        )
