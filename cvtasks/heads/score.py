"""Which number of a network's logits stands for a class, a box or a region of an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from cvtasks.answers import Told
from cvtasks.errors import UsageError
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays

Pick = Callable[[Any], Any]
"""Logits, or activated outputs, (batch, ...) → one number an image, (batch,)."""


class Seen(Protocol[Told]):
    """What a network made of one image."""

    @property
    def output(self) -> Arrays:
        """The activated output, without a batch axis."""

    @property
    def answer(self) -> Told:
        """What was decoded from it, in pixels of the image."""

    @property
    def letterbox(self) -> Letterbox:
        """Where the image lies on the network input."""


@dataclass(frozen=True, eq=False)
class Score:
    """How sure a network is of one thing.

    Attributes:
        name: "cat", "dog box 2", "person region 1".
        pick: where it stands in the logits, and in the activated outputs.
        box: (4,) left, top, right, bottom in pixels of the image, where it has one.
        region: (h, w) bool, the pixels of the image, where it has some.
        stride: of the feature map that it was found on; 0 for none.
    """

    name: str
    pick: Pick
    box: np.ndarray | None = None
    region: np.ndarray | None = None
    stride: int = 0


def no_such_kind(kind: str, fits: str) -> UsageError:
    """What to raise where a task's answers have no boxes, or no regions."""
    return UsageError(f'"{kind}:N" is not what this model answers with. Give a class{fits}.')
