"""From pictures to answers: letterbox, engine, decode; the same for every task, engine and purpose."""

from collections import deque
from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any, Protocol, TypeVar

import numpy as np

from cvtasks.answers import Answer
from cvtasks.errors import NotFinite, UsageError
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

    Raises:
        UsageError: the threshold is no number from 0 to 1; at once, before a picture is taken.
        NotFinite: the network's output is no answer.
    """
    return _predict(engine, task, classes, canvas, pictures, least_score(threshold))


def _predict(
    engine: Engine,
    task: Task,
    classes: tuple[str, ...],
    canvas: tuple[int, int],
    pictures: Iterable[tuple[Tag, np.ndarray]],
    threshold: float,
) -> Iterator[tuple[Tag, np.ndarray, Answer]]:
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
            # Of a map every eighth row and column: a NaN reaches all around it, and to look at all takes as long as to decode.
            if not np.isfinite(output[::8, ::8] if output.ndim == 3 else output).all():
                raise NotFinite("a network must answer with finite numbers; this one does not. Copy or train the model again.")
            yield tag, picture, task.decode(output, letterbox, classes, threshold)


def least_score(threshold: object) -> float:
    """Return a threshold as a float.

    Raises:
        UsageError: it is no number from 0 to 1.

    >>> least_score(np.float32(0.5)), least_score(1)
    (0.5, 1.0)
    """
    given: Any = threshold
    if isinstance(threshold, np.generic) or (isinstance(threshold, np.ndarray) and not threshold.ndim):
        given = threshold.item()
    a_number = not isinstance(given, bool) and isinstance(given, Real)
    if a_number:
        if 0 <= given <= 1:
            return float(given)
        what = "one far outside" if abs(given) > 1e9 else f"{given!r}"  # Python does not print whole numbers of any length
        hint = f" {float(given):g} % is {float(given) / 100:g}." if 1 < given <= 100 else ""
    else:
        what, hint = f"{repr(threshold)[:60]}, a {type(threshold).__name__}", ""
    raise UsageError(f"a threshold is the least score of what is shown, a number from 0 to 1; got {what}.{hint} Correct it.")
