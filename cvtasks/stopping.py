"""Leaving a long piece of work when the user asks for it, with what was done kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cvtasks.errors import CVTasksError


class Stopped(CVTasksError):
    """The work was asked to stop, and saved where it was."""

    exit_code = 130


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while the context lasts (in the main thread; elsewhere nothing sets it).

    Whoever asks a second time does not want to wait: KeyboardInterrupt is raised at once.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
