"""From pictures to answers: letterbox, engine, decode; the same for every task, engine and purpose."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from cvtasks.answers import Answer
from cvtasks.letterbox import Letterbox
from cvtasks.media.prefetch import shut
from cvtasks.tasks import Task

Tag = TypeVar("Tag")


class Engine(Protocol):
    """Runs a network of fixed canvas."""

    @property
    def name(self) -> str:
        """What the records call it."""

    @property
    def precision(self) -> str:
        """What it computes in: "f32" or "bf16"."""

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Canvases (H, W, 3) uint8 RGB → activated outputs, float32, in the same order; takes a few ahead."""


def predict(
    engine: Engine,
    task: Task,
    classes: tuple[str, ...],
    canvas: tuple[int, int],
    pictures: Iterable[tuple[Tag, np.ndarray]],
    threshold: float = 0.0,
) -> Iterator[tuple[Tag, np.ndarray, Answer]]:
    """(tag, picture) pairs → (tag, picture, answer), in the same order; pictures are (h, w, 3) uint8 RGB of any size.

    Args:
        threshold: the least score, 0 to 1, of what the answers hold.
    """
    under_way: deque[tuple[Tag, np.ndarray, Letterbox]] = deque()

    def canvases() -> Iterator[np.ndarray]:
        for tag, picture in pictures:
            prepared = task.prepare(picture)
            letterbox = Letterbox(prepared.shape[:2], canvas)
            under_way.append((tag, picture, letterbox))
            yield letterbox.image(prepared)

    with shut(pictures), shut(engine.stream(canvases())) as outputs:
        for output in outputs:
            tag, picture, letterbox = under_way.popleft()
            yield tag, picture, task.decode(output, letterbox, classes, threshold)
