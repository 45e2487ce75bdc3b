"""What the stages of a pipeline cost."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from cvtasks.media.prefetch import shut
from cvtasks.text import counted

T = TypeVar("T")


class Stages:
    """How long each stage of a pipeline was busy, and how many frames came out at its end."""

    def __init__(self) -> None:
        self.frames = 0
        self.seconds: dict[str, float] = {}
        self._begun = self._ended = 0.0
        self._last: deque[float] = deque(maxlen=60)

    def begin(self) -> None:
        """Start the clock."""
        self._begun = time.monotonic()

    def end(self) -> None:
        """Stop the clock."""
        self._ended = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds from begin to end, or to now."""
        return (self._ended or time.monotonic()) - self._begun

    def pace(self) -> float:
        """Count a frame that is shown just now; returns frames a second over the last two seconds,
        or 60 frames.
        """
        now = time.monotonic()
        self._last.append(now)
        while now - self._last[0] > 2:
            self._last.popleft()
        return (len(self._last) - 1) / (now - self._last[0]) if len(self._last) > 1 else 0.0

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items, as they are; the time that making them takes counts for the stage."""
        yield from self._counted(stage, items, 1)

    def waited(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items, as they are; the time until each comes does not count for the stage that asks
        for it.
        """
        yield from self._counted(stage, items, -1)

    def _counted(self, stage: str, items: Iterable[T], sign: int) -> Iterator[T]:
        end = object()
        with shut(items):
            each = iter(items)
            while True:
                begun = time.perf_counter()
                item: Any = next(each, end)
                self.seconds[stage] = self.seconds.get(stage, 0.0) + sign * (
                    time.perf_counter() - begun
                )
                if item is end:
                    return
                yield item
                del item

    def __str__(self) -> str:
        each = (
            f"{name} {1000 * max(0.0, seconds) / max(1, self.frames):.1f} ms"
            for name, seconds in self.seconds.items()
        )
        speed = self.frames / self.elapsed if self.elapsed > 0 else 0.0
        count = counted(self.frames, "frame")
        return f"{count} in {self.elapsed:.1f} s, {speed:.1f} fps ({', '.join(each)} a frame)"
