"""How fast a run is, and how long it still takes."""

import statistics
import time
from collections import deque
from collections.abc import Callable

_LEAST = 5  # steps that must have been timed before anything is foretold
_RECENT = 30


class Pace:
    """Times the steps and epochs of a run as they are told.

    The first step of a process compiles and takes many times as long as the rest, so it is not
    counted; the first step of another image size, or of another frozen part, compiles as well, and
    does not move the median of the recent steps.

    Args:
        epochs: of the run.
        clock: seconds, never falling.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._epochs, self._clock = epochs, clock
        self._steps: deque[float] = deque(maxlen=_RECENT)
        self._ends: list[float] = []
        self._last: float | None = None

    def step(self) -> None:
        """A step has just ended."""
        self._last = self._note(self._steps)

    def epoch(self) -> None:
        """What follows the last step of an epoch, the look at the validation split among it, has
        just ended.
        """
        self._last = self._note(self._ends)

    @property
    def speed(self) -> float | None:
        """Steps a second; None while it is not known."""
        return 1 / statistics.median(self._steps) if len(self._steps) >= _LEAST else None

    def left(self, epoch: int, step: int, steps: int) -> float | None:
        """Seconds to the end of the run; None while they are not known.

        Args:
            epoch: counted from 0; `step`: how many of its `steps` are done.
        """
        if len(self._steps) < _LEAST:
            return None
        to_go = steps - step + (self._epochs - epoch - 1) * steps
        return to_go * statistics.median(self._steps) + (self._epochs - epoch) * statistics.mean(
            self._ends or [0.0]
        )

    def _note(self, times: "deque[float] | list[float]") -> float:
        now = self._clock()
        if self._last is not None:
            times.append(now - self._last)
        return now
