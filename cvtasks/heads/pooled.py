"""A class map's mean over its places, and perhaps its largest value: one score a class."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from cvtasks.heads.base import Top
from cvtasks.heads.class_scores import ClassScores
from cvtasks.schema import Range
from cvtasks.tasks.base import Classes


@dataclass(frozen=True)
class Pooled(ClassScores):
    """The classifier that stands on any backbone's coarsest feature map.

    Attributes:
        class_attention: weight of the class map's largest value beside its mean, where many things
            are in an image (Zhu and Wu, "Residual Attention", 2021).
    """

    name: ClassVar[str] = "pooled"
    has_neck: ClassVar[bool] = False

    class_attention: Annotated[float, Range(0, 10)] = 0.0

    def build(self, image: Any, maps: dict[int, Any], classes: Classes, top: Top) -> Any:
        """Logits (batch, classes) float32."""
        from cvtasks.networks.pooled_head import pooled

        return pooled(
            maps[max(maps)],
            classes=len(classes),
            dropout=self.dropout,
            class_attention=self.class_attention,
        )
