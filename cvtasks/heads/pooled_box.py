"""A class and a box from the whole of the feature maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import clip
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.base import Head, Top
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.heads.views import View, Views
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

_GUESSES = 5  # classes of an answer, all with the one box: what top-5 accuracy looks at
# of a box's edges in pixels, as COCO writes them: what the way to the network input and back does
# not change
_DECIMALS = 2


@dataclass(frozen=True)
class PooledBox(Head[Boxes]):
    """The one object's class and box.

    A target is (4 + classes,): left, top, right and bottom edge of the object as fractions of the
    network input, 0 to 1, and a one for its class; all zero where no object is left in the image,
    which then counts for nothing.

    Attributes:
        width: channels of the head.
        depth: its 3×3 convolutions.
        dropout: share of the head's channels that training hides from the classes.
        smoothing: share of the truth that is spread over all classes.
        box_weight: weight of the box's loss beside the class's, above 0.
        l1_weight: weight, within the box's loss, of the errors of its four edges beside the
            generalized IoU.
    """

    name: ClassVar[str] = "pooled"
    aligned: ClassVar[bool] = False

    meaning: ClassVar[str] = (
        "The first four numbers are the left, top, right and bottom edge of the object as shares "
        "of the input's sides; then a score, 0 to 1, for each class."
    )

    width: Annotated[int, Range(1, 4096)] = 128
    depth: Annotated[int, Range(0, 8)] = 2
    dropout: Annotated[float, Range(0, 0.95)] = 0.1
    smoothing: Annotated[float, Range(0, 0.9)] = 0.0
    box_weight: Annotated[float, Range(1e-6, 1000)] = 2.0
    l1_weight: Annotated[float, Range(0, 1000)] = 1.0

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Nothing: it stands on any backbone."""

    def outputs(self, size: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(4 + classes,)."""
        return (4 + len(classes),)

    def encode(self, truth: Boxes, letterbox: Letterbox) -> np.ndarray:
        """Boxes, of which the task says which counts, → (4 + classes,) float32."""
        target = np.zeros(4 + len(truth.classes), np.float32)
        chosen = self.task.select(truth)
        if chosen is not None:
            target[:4] = letterbox.boxes_to_input(chosen.xyxy)[0] / _sides(letterbox.input_size)
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
            letterbox.boxes_to_image(output[None, :4] * _sides(letterbox.input_size)),
            letterbox.size,
        )
        low, high = np.split(box.astype(np.float64).round(_DECIMALS), 2, axis=1)
        flat = high <= low
        low = np.where(flat, np.minimum(low, _sides(letterbox.size)[:2] - 1), low)
        xyxy = np.concatenate([low, np.where(flat, low + 1, high)], axis=1)
        return Boxes.of(
            xyxy.repeat(len(best), axis=0), best, classes, letterbox.size, scores=scores[best]
        )

    def decode_views(self, views: Views, classes: Classes, threshold: float = 0.0) -> Boxes:
        """(4 + classes,) of each view → Boxes: the mean of scores and edges."""
        first = views[0].letterbox
        back = [view.output if view.letterbox == first else _on(first, view) for view in views]
        for number, view in enumerate(views):
            if view.mirrored:
                _, left, _, width = first.window
                # left + right edge of the image
                ends = np.float32((2 * left + width) / first.input_size[1])
                mirrored = back[number]
                back[number] = mirrored.copy()
                back[number][[0, 2]] = ends - mirrored[[2, 0]]
        mean = back[0] if len(back) == 1 else sum(back[1:], back[0]) / len(back)
        return self.decode(mean, first, classes, threshold)

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
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
        """Edges within the network input, and a softmax over the classes."""
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

    def score(self, kind: str, number: int, seen: Seen[Boxes]) -> Score:
        """A class, or the best one; the box is there for any class."""
        if kind == "region":
            raise no_such_kind(kind, " or box:0")
        if kind == "box" and number:
            raise UsageError(f"a localizer answers with one box, box:0; got box:{number}.")
        classes = seen.answer.classes
        index = number if kind == "class" else int(seen.output[4:].argmax())
        box = self.decode(seen.output, seen.letterbox, classes).xyxy[0]
        return Score(classes[index], self.class_score(index, seen.letterbox.input_size), box)


def _on(letterbox: Letterbox, view: View) -> np.ndarray:
    """(4 + classes,) of a view as if the image had lain otherwise on the network input."""
    sides = _sides(letterbox.input_size)
    output = np.array(view.output)
    box = view.letterbox.boxes_to_image(output[None, :4] * sides)
    output[:4] = letterbox.boxes_to_input(box)[0] / sides
    return output


def _sides(size: tuple[int, int]) -> np.ndarray:
    """(height, width) → (4,) float32: what left, top, right and bottom are fractions of."""
    return np.array([size[1], size[0]] * 2, np.float32)
