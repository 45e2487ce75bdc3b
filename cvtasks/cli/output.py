"""What reaches the terminal: sentences on stderr, results on stdout."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager


def printable(text: str) -> str:
    """The text with everything that could steer a terminal, or cannot be encoded, replaced."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(text: str) -> None:
    """Print a line to stderr."""
    encoding = sys.stderr.encoding or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding), file=sys.stderr, flush=True)


class Ticker:
    """A line about progress: redrawn in place on a terminal, once in a while (`pause` seconds) elsewhere."""

    def __init__(self, pause: float = 30.0) -> None:
        self._live = sys.stderr.isatty()
        self._pause = 0.2 if self._live else pause
        self._next = time.monotonic() + self._pause
        self._shown = 0

    def show(self, text: str) -> None:
        """Show the text if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._pause
        if self._live:
            print(f"\r{printable(text):<{self._shown}}", end="", file=sys.stderr, flush=True)
            self._shown = len(text)
        else:
            say(text)

    def clear(self) -> None:
        """Take the line away before another is printed."""
        if self._live and self._shown:
            print(f"\r{'':<{self._shown}}\r", end="", file=sys.stderr, flush=True)
            self._shown = 0


def duration(seconds: float) -> str:
    """Seconds in words.

    >>> duration(9), duration(61), duration(7380)
    ('9 s', '1 min 01 s', '2 h 03 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextmanager
def quiet_start() -> Iterator[None]:
    """Keep what is written to the stderr of the process while the context lasts; hand it on only if it ends in an error.

    TensorFlow's C++ part tells about the machine when it is imported and before any switch of it is read.
    """
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(real, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)


def start_keras() -> None:
    """Import Keras and wake its back end, without its notes about the machine."""
    with quiet_start():
        import keras

        keras.distribution.list_devices()
