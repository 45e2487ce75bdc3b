"""Single-object localization: the class of the object that a picture is about, and a box around it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.boxes import clip
from cvtasks.drawing import draw_boxes
from cvtasks.errors import ModelError
from cvtasks.letterbox import Letterbox
from cvtasks.metrics.localization import LocationMetric
from cvtasks.tasks.base import Classes, Metric, Top
from cvtasks.tasks.boxes_task import BoxesTask

_GUESSES = 5  # classes of an answer, all with the one box: what top-5 accuracy looks at
_LEAST = 1e-6  # score below which a class is not in an answer

_BOUNDS: dict[str, tuple[float, float]] = {
    "threshold": (0, 1),
    "width": (1, 4096),
    "depth": (0, 8),
    "dropout": (0, 0.95),
    "smoothing": (0, 0.9),
    "box_weight": (1e-6, 1000),
    "l1_weight": (0, 1000),
}


@dataclass(frozen=True)
class Localize(BoxesTask):
    """The recipe's table `[localize]`.

    A target is (4 + classes,): left, top, right and bottom edge of the object as shares of the canvas, 0 to 1, and a one for its
    class; all zero where a picture has no object.

    Attributes:
        threshold: the least score, 0 to 1, of an answer that is shown to a user who asks for no other.
        object: which of a picture's objects counts, of those that are neither difficult nor a crowd: the "largest", or the
            "only" one. Pictures without it are left out.
        width: channels of the head; `depth`: its 3×3 convolutions.
        dropout: share of the channels that training hides from the last layer.
        smoothing: share of the truth that is spread over all classes.
        box_weight: weight of the box's loss beside the class's, above 0.
        l1_weight: weight, within the box's loss, of the edges' distances beside the generalized IoU.
    """

    name: ClassVar[str] = "localize"
    aligned: ClassVar[bool] = False

    start: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "data": {"scale": (0.7, 1.3), "colour": 0.3},
        "train": {"ema": 0.998, "clip": 10.0, "weight_decay": 0.02},
    }

    threshold: float = 0.05
    object: Literal["largest", "only"] = "largest"
    width: int = 128
    depth: int = 2
    dropout: float = 0.1
    smoothing: float = 0.0
    box_weight: float = 2.0
    l1_weight: float = 1.0

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where there is no class or a number is out of bounds."""
        if not classes:
            raise ModelError("localization needs at least one class; got none. Name them in the recipe's `classes`.")
        self.check_bounds(_BOUNDS)

    @property
    def selection(self) -> str:
        """Pictures with an object."""
        which = "an object" if self.object == "largest" else "exactly one object"
        return f"pictures with {which} of the classes that is neither difficult nor a crowd"

    def select(self, truth: Boxes) -> Boxes | None:
        """The object that counts, alone; None where there is none."""
        counted = np.flatnonzero(truth.counted & (truth.xyxy[:, 2:] > truth.xyxy[:, :2]).all(axis=1))
        if not len(counted) or (self.object == "only" and len(counted) > 1):
            return None
        return truth.take(counted[[np.argmax(truth.areas[counted])]])

    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(4 + classes,)."""
        return (4 + len(classes),)

    def encode(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """Boxes, of which the largest that counts is taken, → (4 + classes,) float32."""
        target = np.zeros(4 + len(truth.classes), np.float32)
        chosen = self.select(truth)
        if chosen is not None:
            height, width = letterbox.canvas
            target[:4] = letterbox.boxes(chosen.xyxy)[0] / (width, height, width, height)
            target[4 + chosen.labels[0]] = 1
        return target

    def decode(self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0) -> Boxes:
        """(4 + classes,) → Boxes: the one box with each of the five best classes, the best first, from `threshold` on."""
        height, width = letterbox.canvas
        box = letterbox.boxes_back(output[None, :4] * np.array([width, height, width, height], np.float32))
        scores = np.clip(output[4:], 0, 1).astype(np.float32)
        best = np.argsort(-scores, kind="stable")[:_GUESSES]
        best = best[scores[best] >= max(threshold, _LEAST)]
        xyxy = clip(box, letterbox.size).repeat(len(best), axis=0)
        return Boxes.of(xyxy, best, classes, letterbox.size, scores=scores[best])

    def metric(self, classes: Classes) -> LocationMetric:
        """Localization accuracy of the ImageNet challenge, and how well the box fits."""
        return LocationMetric(classes)

    def tuned(self, metric: Metric) -> "Localize":
        """Itself."""
        return self

    def draw(self, image: np.ndarray, answer: Boxes) -> np.ndarray:
        """The picture with the object's box, its best class and that one's score."""
        return draw_boxes(image, answer.take(np.arange(min(len(answer), 1))))

    def summary(self, answer: Boxes) -> str:
        """The five best classes with their scores in percent."""
        best = (f"{name} {score:.0%}" for name, score in zip(answer.names, answer.scores, strict=True))
        return ", ".join(best) or "nothing is sure enough"

    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, 4 + classes) float32."""
        from cvtasks.networks.localizer import localizer

        return localizer(maps, classes=len(classes), width=self.width, depth=self.depth, dropout=self.dropout)

    def activate(self, logits: Any) -> Any:
        """Edges within the canvas, and a softmax over the classes."""
        from cvtasks.networks.localizer import activate

        return activate(logits)

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy of the class plus `box_weight` × (GIoU loss + `l1_weight` × distance of the edges)."""
        from cvtasks.networks.localizer import localization_loss

        return localization_loss(
            target, logits, smoothing=self.smoothing, box_weight=self.box_weight, l1_weight=self.l1_weight
        )
