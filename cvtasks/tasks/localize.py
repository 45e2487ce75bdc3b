"""Single-object localization: the class of the object that an image is about,
and a box around it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.drawing.annotate import draw_boxes
from cvtasks.errors import ModelError, UsageError
from cvtasks.geometry.boxes import areas, clip
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.metrics.localization import LocationMetric
from cvtasks.tasks.base import Classes, Metric, Top
from cvtasks.tasks.boxes_task import BoxesTask
from cvtasks.tasks.score import Pick, Score, Seen, no_such_kind

_GUESSES = 5  # classes of an answer, all with the one box: what top-5 accuracy looks at
# of a box's edges in pixels, as COCO writes them: what the way to the canvas and back does not
# change
_DECIMALS = 2

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

    A target is (4 + classes,): left, top, right and bottom edge of the object as fractions of the
    canvas, 0 to 1, and a one for its class; all zero where no object is left in the image, which
    then counts for nothing.

    A truth is the object that an image is about, first, and all others of its class, any of which
    the metric takes for right. What of it shows in a window that training cuts is judged anew: the
    largest that is left is learned.

    Attributes:
        threshold: the least score, 0 to 1, of an answer that is shown to a user who asks for no
            other.
        object: which object an image is about, of those that are neither difficult nor a crowd: the
            "largest", or the "only" one. Images without it are left out.
        width: channels of the head; `depth`: its 3×3 convolutions.
        dropout: share of the head's channels that training hides from the classes.
        smoothing: share of the truth that is spread over all classes.
        box_weight: weight of the box's loss beside the class's, above 0.
        l1_weight: weight, within the box's loss, of the errors of its four edges beside the
            generalized IoU.
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
            raise ModelError(
                "localization needs at least one class; got none. Name them in the recipe's "
                "`classes`."
            )
        self.check_bounds(_BOUNDS)

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

    def output_shape(self, canvas: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(4 + classes,)."""
        return (4 + len(classes),)

    def encode(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """Boxes, of which `select` says which counts, → (4 + classes,) float32."""
        target = np.zeros(4 + len(truth.classes), np.float32)
        chosen = self.select(truth)
        if chosen is not None:
            target[:4] = letterbox.boxes(chosen.xyxy)[0] / _sides(letterbox.canvas)
            target[4 + chosen.labels[0]] = 1
        return target

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Boxes:
        """(4 + classes,) → Boxes: the object, of the best class, unless that one's score is below
        `threshold`.

        For a threshold of 0 these are five guesses, as the metric wants them: the five best
        classes, all with the one box. A box that lies beside the image, or is thinner than what is
        written of it, becomes one pixel wide or high.
        """
        scores = np.clip(output[4:], 0, 1).astype(np.float32)
        best = np.argsort(-scores, kind="stable")[: 1 if threshold else _GUESSES]
        best = best[(scores[best] > 0) & (scores[best] >= threshold)]
        box = clip(
            letterbox.boxes_back(output[None, :4] * _sides(letterbox.canvas)), letterbox.size
        )
        low, high = np.split(box.astype(np.float64).round(_DECIMALS), 2, axis=1)
        flat = high <= low
        low = np.where(flat, np.minimum(low, _sides(letterbox.size)[:2] - 1), low)
        xyxy = np.concatenate([low, np.where(flat, low + 1, high)], axis=1)
        return Boxes.of(
            xyxy.repeat(len(best), axis=0), best, classes, letterbox.size, scores=scores[best]
        )

    def metric(self, classes: Classes) -> LocationMetric:
        """Localization accuracy as ILSVRC has it, and how well the boxes fit."""
        return LocationMetric(classes)

    def tuned(self, metric: Metric[Boxes]) -> "Localize":
        """Itself."""
        return self

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

    def head(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, 4 + classes) float32."""
        from cvtasks.networks.localizer import localizer

        return localizer(
            image,
            maps,
            classes=len(classes),
            width=self.width,
            depth=self.depth,
            dropout=self.dropout,
        )

    def activate(self, logits: Any) -> Any:
        """Edges within the canvas, and a softmax over the classes."""
        from cvtasks.networks.localizer import activate

        return activate(logits)

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy of the class plus `box_weight` × (GIoU loss + `l1_weight` × L1 loss of the
        edges).
        """
        from cvtasks.networks.localizer import localization_loss

        return localization_loss(
            target,
            logits,
            smoothing=self.smoothing,
            box_weight=self.box_weight,
            l1_weight=self.l1_weight,
        )

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The class's logit, whatever the box."""
        return lambda logits: logits[:, 4 + index]

    def score(self, kind: str, number: int, seen: Seen) -> Score:
        """A class, or the best one; the box is there for any class."""
        if kind == "region":
            raise no_such_kind(kind, " or box:0")
        if kind == "box" and number:
            raise UsageError(f"a localizer answers with one box, box:0; got box:{number}.")
        classes = seen.answer.classes
        index = number if kind == "class" else int(seen.output[4:].argmax())
        box = self.decode(seen.output, seen.letterbox, classes).xyxy[0]
        return Score(classes[index], self.class_score(index, seen.letterbox.canvas), box)


def _sides(size: tuple[int, int]) -> np.ndarray:
    """(height, width) → (4,) float32: what left, top, right and bottom are fractions of."""
    return np.array([size[1], size[0]] * 2, np.float32)
