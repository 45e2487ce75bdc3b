"""What the heads of classification share: targets, answers and losses of one score a class."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from cvtasks.answers import Labels
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.base import Head, check_class_weights
from cvtasks.heads.score import Pick, Score, Seen, no_such_kind
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes

IGNORED = -1.0
"""Stands in a target where a class neither helps nor hurts."""


@dataclass(frozen=True)
class ClassScores(Head[Labels], ABC):
    """One score a class: by a softmax where an image has one label, by a sigmoid each where many.

    A target is (classes,): the share of each class in the truth, one for what is shown. Where an
    image may show several, `IGNORED` stands for a class whose objects are all difficult.

    Attributes:
        dropout: share of the features that training hides from the last layer, or from each dense
            layer of its own.
        smoothing: share of the truth that is spread over all classes.
        class_weights: weight of each class in the loss: of the images that show it, or, where an
            image may show several, of its presence against its absence; empty for 1 each.
    """

    aligned: ClassVar[bool] = False

    meaning: ClassVar[str] = (
        "A score, 0 to 1, for each class in their order; they add up to 1 where an image has one "
        "class."
    )

    dropout: Annotated[float, Range(0, 0.95)] = 0.2
    smoothing: Annotated[float, Range(0, 0.9)] = 0.0
    class_weights: Annotated[tuple[float, ...], Range(1e-6, 1e6)] = ()

    def check(self, classes: Classes, strides: Sequence[int]) -> None:
        """Raise ModelError where `class_weights` are not one for each class."""
        check_class_weights(self.class_weights, classes)

    @property
    def auxiliary_weight(self) -> float:
        """Weight of the loss of each auxiliary classifier; 0 where there is none."""
        return 0.0

    def outputs(self, size: tuple[int, int], classes: Classes) -> tuple[int, ...]:
        """(classes,)."""
        return (len(classes),)

    def encode(self, truth: Labels, letterbox: Letterbox) -> np.ndarray:
        """Labels → (classes,) float32."""
        return (
            np.where(truth.difficult, np.float32(IGNORED), truth.scores)
            if not self.task.exclusive
            else truth.scores.copy()
        )

    def decode(
        self, output: np.ndarray, letterbox: Letterbox, classes: Classes, threshold: float = 0.0
    ) -> Labels:
        """(classes,) → Labels without scores below `threshold`."""
        scores = np.clip(output, 0, 1).astype(np.float32)
        scores[scores < threshold] = 0
        return Labels(scores, output < 0, classes)

    def activate(self, logits: Any) -> Any:
        """Softmax, or sigmoid, of the main classifier's logits."""
        from keras import ops

        from cvtasks.networks.pooled_head import main_logits

        return (
            ops.softmax(main_logits(logits), axis=-1)
            if self.task.exclusive
            else ops.sigmoid(main_logits(logits))
        )

    def loss(self, target: Any, logits: Any) -> Any:
        """Cross-entropy; see `cvtasks.networks.pooled_head`."""
        from cvtasks.networks.pooled_head import classification_loss

        many = not self.task.exclusive
        return classification_loss(
            target,
            logits,
            many=many,
            smoothing=self.smoothing,
            auxiliary=self.auxiliary_weight,
            class_weights=self.class_weights,
        )

    def class_score(self, index: int, size: tuple[int, int]) -> Pick:
        """The class's logit, of the main classifier."""
        from cvtasks.networks.pooled_head import main_logits

        return lambda logits: main_logits(logits)[:, index]

    def score(self, kind: str, number: int, seen: Seen[Labels]) -> Score:
        """A class, or the best one."""
        if kind in ("box", "region"):
            raise no_such_kind(kind, "")
        index = number if kind else int(seen.output.argmax())
        return Score(seen.answer.classes[index], self.class_score(index, seen.letterbox.input_size))
