"""What an engine is."""

from collections.abc import Iterable, Iterator
from typing import Protocol

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
