"""What reaches the terminal: sentences on stderr, results on stdout."""

import io
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from cvtasks.media.addresses import without_passwords
from cvtasks.text import harmless, padded, visible, width


def say(text: str) -> None:
    """Print a line to stderr; what could steer a terminal, line breaks too, is escaped (`cvtasks.text.visible`)."""
    print(_fitting(visible(text), sys.stderr), file=sys.stderr, flush=True)


def tell(*lines: str, end: str = "\n") -> None:
    """Print lines to stdout, escaped as `say` does it."""
    print(_fitting("\n".join(map(visible, lines)), sys.stdout), end=end)


def say_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """What `warnings.showwarning` is to do: whatever a library quotes in a warning is escaped too."""
    say(f"{filename}:{lineno}: {category.__name__}: {message}")


class Door(io.TextIOBase):
    """A standard stream behind which nothing steers the terminal, whoever writes: Typer, a warning, a traceback.

    What its encoding does not have, such as a dash in ASCII, is escaped too.

    Args:
        secret: whether passwords within addresses are hidden: in what is said of them, not in results.
    """

    def __init__(self, to: TextIO, secret: bool = False) -> None:
        self._to, self._secret = to, secret

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the real one."""
        return getattr(self._to, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._to.isatty()

    def fileno(self) -> int:
        """The number of the real one."""
        return self._to.fileno()

    def writable(self) -> bool:
        """It is there to be written."""
        return True

    def write(self, text: str) -> int:
        """Write; line breaks and tabs are left as they are."""
        self._to.write(_fitting(harmless(without_passwords(text) if self._secret else text), self))
        return len(text)

    def flush(self) -> None:
        """Send off what was written."""
        self._to.flush()


@contextmanager
def doors() -> Iterator[None]:
    """Put a `Door` before stdout and stderr as long as the context lasts, and let warnings go through it in one line."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Door(stream, stream is streams[1]) if stream else stream for stream in streams)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = say_warning
            yield
    finally:
        sys.stdout, sys.stderr = streams


def _fitting(text: str, stream: TextIO | None) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


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
            print(f"\r{_fitting(padded(text, self._shown), sys.stderr)}", end="", file=sys.stderr, flush=True)
            self._shown = width(visible(text))
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
def quiet_libraries() -> Iterator[None]:
    """Keep the words of libraries in C off the terminal while the context lasts; ours come as before.

    libpng, libjpeg, libtiff and FFmpeg write to the process' stderr about every damaged file, past Python and between its lines.
    What they found is told by whoever called them. So that file is nowhere, and `sys.stderr` is where it was.
    """
    own = sys.stderr
    try:
        ours = own is not None and own.fileno() == 2
        real = os.dup(2)
    except (OSError, ValueError):  # closed, or there is no stderr of the process
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if ours:
        own.flush()
        same = os.fdopen(os.dup(real), "w", encoding=own.encoding, errors=own.errors, buffering=1)
        sys.stderr = Door(same, secret=True) if isinstance(own, Door) else same
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        if ours:
            with suppress(OSError):
                sys.stderr.flush()
            sys.stderr = own  # the other is not closed: a logger may have it
        os.dup2(real, 2)
        os.close(real)
        os.close(nowhere)


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
