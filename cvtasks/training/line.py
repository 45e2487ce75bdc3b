"""A line between two hosts of a run: messages, one JSON text each, and word of its end."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, final

BEAT_S = 5.0
"""Seconds between two signs of life."""
SILENT_S = 60.0
"""Seconds without a sign after which the other end counts as gone."""

_LONGEST = 2**26  # bytes of a message; the history of a long run has some hundred thousand


@final
class Line:
    """A connection to another host of the run, of which nothing is taken but JSON.

    Args:
        name: what errors call the other end.
    """

    def __init__(self, connection: socket.socket, name: str = "") -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = name
        self._connection, self._file = connection, connection.makefile("rb")
        self._listens, self._sending, self._closed = False, threading.Lock(), threading.Event()
        self._ended = threading.Event()

    def send(self, kind: str, value: Any = None) -> None:
        """Send a message; where the line is gone, whoever listens hears of that."""
        text = json.dumps([kind, value]).encode() + b"\n"
        with self._sending, suppress(OSError):
            self._connection.sendall(text)

    def receive(self, seconds: float) -> tuple[str, Any]:
        """The next message, before anybody listens.

        Raises:
            OSError: the line is gone, or nothing came within so many seconds.
            ValueError: what came is no message.
        """
        self._connection.settimeout(seconds)
        text = self._file.readline(_LONGEST)
        if not text:
            raise ConnectionError("the line was closed")
        kind, value = json.loads(text)
        if not isinstance(kind, str):
            raise ValueError("a message begins with its kind")
        return kind, value

    def listen(self, heard: Callable[[str, Any], None], lost: Callable[[str], None]) -> None:
        """Hear all further messages, and give signs of life, by threads.

        Args:
            heard: called with kind and value of each message.
            lost: called at the line's end, with why.
        """
        self._listens = True
        for number, work in enumerate((self._beat, lambda: self._listen(heard, lost))):
            threading.Thread(target=work, name=f"line-{number}", daemon=True).start()

    def ended_within(self, seconds: float) -> bool:
        """Wait until the other end has closed the line, where somebody listens."""
        return self._ended.wait(seconds)

    def close(self) -> None:
        """Close this end."""
        self._closed.set()
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # who listens comes to an end
        self._connection.close()
        if not self._listens:
            self._file.close()

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S) and not self._ended.is_set():
            self.send("beat")

    def _listen(self, heard: Callable[[str, Any], None], lost: Callable[[str], None]) -> None:
        try:
            while True:
                kind, value = self.receive(SILENT_S)
                if kind != "beat":
                    heard(kind, value)
        except TimeoutError:
            reason = f"it gave no sign of life for {SILENT_S:.0f} s"
        except (OSError, ValueError):
            reason = "it ended without a word, as where it is killed or its network is gone"
        except Exception as error:  # nobody may wait for one that is no longer heard
            reason = f"what it said cannot be understood ({type(error).__name__}: {error})"
        self._file.close()
        self._ended.set()
        lost(reason)
