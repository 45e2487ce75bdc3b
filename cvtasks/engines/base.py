"""What an engine is."""

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from cvtasks.heads.arrays import Arrays


class Engine(Protocol):
    """What runs a network of a fixed input size."""

    @property
    def name(self) -> str:
        """What the records call it."""

    @property
    def precision(self) -> str:
        """What it computes in: "f32", "bf16" or "int8"."""

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """Network inputs (H, W, 3) uint8 RGB → activated outputs, float32 (whole numbers int32), in
        the same order; takes a few ahead.
        """


@runtime_checkable
class Paced(Protocol):
    """An engine with a way of its own for images that nobody waits for one by one."""

    def at_pace(self, images: int, alone: bool) -> Engine:
        """The engine for so many images in all, which takes more of them ahead.

        Args:
            alone: each output is decoded by itself, and nothing else looks at it: what
                `Head.decode` does not look at may be zero.
        """
