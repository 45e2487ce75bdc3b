"""The classifier that the backbone's paper gives it: one score a class."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from cvtasks.heads.base import Top
from cvtasks.heads.class_scores import ClassScores
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes


@dataclass(frozen=True)
class Own(ClassScores):
    """The backbone's own dense layers, or what else its paper has.

    Attributes:
        auxiliary: weight of the loss of each auxiliary classifier of the backbone; 0 for none.
            GoogLeNet's has 0.3.
    """

    name: ClassVar[str] = "own"
    on_features: ClassVar[bool] = False

    auxiliary: Annotated[float, Range(0, 10)] = 0.0

    @property
    def auxiliary_weight(self) -> float:
        """The field of nearly that name."""
        return self.auxiliary

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, classes), or (batch, classifiers, classes) with auxiliary ones;
        float32.
        """
        logits = top(len(classes), self.dropout, self.auxiliary > 0)
        if len(logits) == 1:
            return logits[0]
        from keras import ops

        return ops.stack(logits, axis=1)
