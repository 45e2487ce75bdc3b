"""Leaving a long piece of work when the user, or the system, asks for it,
with what was done kept.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from cvtasks.errors import NO_WAYS, CVTasksError

_received: list[
    int
] = []  # signals that this process was sent to end it, while somebody minded them


class Stopped(CVTasksError):
    """The work was asked to stop, and saved where it was. Its exit code says by which signal: 130,
    143 or 129.
    """

    def __init__(self, text: str, ways: Mapping[str, str] = NO_WAYS) -> None:
        super().__init__(text, ways=ways)
        self.exit_code = exit_code()


class Interrupted(BaseException):
    """A signal ended what was being done. No Exception, so that nothing takes it for an error that
    it can deal with.
    """


def exit_code() -> int:
    """128 and the number of the first signal that came; that of SIGINT where none did."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def ending_signals() -> list[int]:
    """SIGINT, SIGTERM and SIGHUP, as far as the system has them. A SIGHUP that is ignored, as
    `nohup` has it, stays so.
    """
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return [int(number) for number in numbers]


@contextmanager
def stop_asked(then: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set while the context lasts (in the main thread;
    elsewhere nothing sets it).

    Whoever asks a second time does not want to wait: the handler that was there before is called,
    or else KeyboardInterrupt is raised at once.

    Args:
        then: called when the event is set, by the handler: it must be quick and must not wait.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            handler = before.get(number)
            if callable(handler):
                handler(number, frame)
            raise KeyboardInterrupt
        _received[:] = [number]
        asked.set()
        then()

    before = _handle(ask)
    try:
        yield asked
    finally:
        _restore(before)


@contextmanager
def interrupting(leave: Callable[[int], None]) -> Iterator[None]:
    """Raise Interrupted on the first of these signals; a second one calls `leave` with the exit
    code, which does not return.

    `stop_asked` within it takes the first signal for itself.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        _received.append(number)
        if len(_received) > 1:
            leave(exit_code())
        raise Interrupted

    _received.clear()
    before = _handle(interrupt, unless_ignored=True)
    try:
        yield
    finally:
        _restore(before)


def _handle(handler: Callable[[int, FrameType | None], None], unless_ignored: bool = False) -> dict:
    """Have the signals handled, in the main thread; returns number → what was there before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {
        number: signal.signal(number, handler)
        for number in ending_signals()
        if not (unless_ignored and signal.getsignal(number) is signal.SIG_IGN)
    }


def _restore(before: dict) -> None:
    for number, handler in before.items():
        signal.signal(number, handler if handler is not None else signal.SIG_DFL)
