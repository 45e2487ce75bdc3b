"""A timer for what is to be done now and then."""

import time
from typing import final


@final
class Timer:
    """Rings after so many seconds, and so many after that.

    Args:
        seconds: 0 for never.

    >>> Timer(0).rings(), Timer(1e-9).rings(), Timer(3600).rings()
    (False, True, False)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._since = seconds, time.monotonic()

    def rings(self) -> bool:
        """Whether the time has come; it begins again then."""
        due = 0 < self._seconds <= time.monotonic() - self._since
        if due:
            self._since = time.monotonic()
        return due
