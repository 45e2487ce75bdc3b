"""What reaches the terminal: sentences on stderr, results on stdout."""

import io
import os
import shlex
import shutil
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cvtasks.errors import CVTasksError, OutputError
from cvtasks.media.addresses import without_passwords
from cvtasks.text import cut, harmless, padded, visible, width


class ReaderLeft(CVTasksError):
    """Whoever read our standard output, such as `head`, wants no more of it: no error, and nothing
    more to do.
    """

    exit_code = 0


class Messages(io.TextIOBase):
    """Standard error, through which nothing steers the terminal, whoever writes: Typer, a warning,
    a traceback.

    Passwords within addresses are hidden. What cannot be said there can be said nowhere, and is no
    reason to give up the work itself.
    """

    def __init__(self, to: TextIO) -> None:
        self._to = to

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is the real one's, whatever that is; nobody sets it
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
        """Write; line breaks and tabs are left as they are, what the encoding does not have is
        escaped.
        """
        if not isinstance(text, str):  # whoever asks whether a stream is one of bytes tries it so
            raise TypeError(f"text must be a string; got {type(text).__name__}.")
        try:
            self._to.write(_fitting(harmless(without_passwords(text)), self))
        except (OSError, ValueError):
            _silence(self._to)
        return len(text)

    def flush(self) -> None:
        """Send off what was written."""
        try:
            self._to.flush()
        except (OSError, ValueError):
            _silence(self._to)


class Results(io.TextIOBase):
    """Standard output, whose failures are errors in words rather than a traceback, or nothing at
    all, at the very end.

    Nothing that is written there steers the terminal; line breaks and tabs are left as they are.

    Args:
        to: the real one; None where it is closed.
    """

    def __init__(self, to: TextIO | None) -> None:
        self._to = to
        self._failed: CVTasksError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]  # it is the real one's, whatever that is; nobody sets it
        """That of the real one."""
        return getattr(self._to, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Whether somebody reads it on a terminal."""
        return self._to is not None and self._to.isatty()

    def fileno(self) -> int:
        """The number of the real one."""
        if self._to is None:
            raise io.UnsupportedOperation("standard output is closed")
        return self._to.fileno()

    def writable(self) -> bool:
        """It is there to be written."""
        return True

    def write(self, text: str) -> int:
        """Write, and send off what ends a line.

        Raises:
            ReaderLeft: nobody reads it any more. OutputError: it is closed, or the disk is full.
        """
        if not isinstance(text, str):  # whoever asks whether a stream is one of bytes tries it so
            raise TypeError(f"text must be a string; got {type(text).__name__}.")
        if not text:
            return 0
        whole = _fitting(harmless(text), self)
        self._checked(lambda to: to.write(whole))
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Send off what was written; raises as `write` does."""
        if self._to is not None:
            self._checked(lambda to: to.flush())

    def _checked(self, act: Callable[[TextIO], object]) -> None:
        if self._failed:  # it leads nowhere by now, and must not look as if it went well again
            raise self._failed
        try:
            if self._to is None:
                raise ValueError("it is closed")
            act(self._to)
        except BrokenPipeError as error:
            self._failed = ReaderLeft("nobody reads the output any more.")
            _silence(self._to)
            raise self._failed from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            self._failed = OutputError(
                f"standard output could not be written: {reason}. Send it elsewhere."
            )
            _silence(self._to)
            raise self._failed from error


@contextmanager
def streams() -> Iterator[None]:
    """See to the standard streams as long as the context lasts: they are `Results` and `Messages`,
    and none is missing.

    Where one was closed, the next file that is opened would get its number, and whatever C
    libraries say would be written into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
    out, err = sys.stdout, sys.stderr
    sys.stdout = Results(out)
    with ExitStack() as leaving:
        real = err or leaving.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        sys.stderr = Messages(real)
        leaving.enter_context(warnings.catch_warnings())
        warnings.showwarning = say_warning
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


def command_typed() -> str:
    """What the user typed, as a shell would read it again."""
    return " ".join(["cvtasks", *map(shlex.quote, sys.argv[1:])])


COLUMNS = 80
"""Of a terminal, where nothing says how many it has."""


def terminal_columns() -> int:
    """Those of the terminal, or of the variable COLUMNS; `COLUMNS` without either."""
    return shutil.get_terminal_size((COLUMNS, 24)).columns


def text_columns() -> int:
    """Columns of what is read: those of the terminal, from 40 to 100."""
    return max(40, min(terminal_columns(), 100))


def wrapped(text: str, indent: str = "  ", columns: int = 0) -> list[str]:
    """A text as lines that fit the terminal, broken between words alone: a path or an address stays
    whole. Further lines begin with `indent`.

    >>> wrapped("one two three", columns=8)
    ['one two', '  three']
    """
    shown, columns = visible(text), columns or terminal_columns()
    if width(shown) <= columns:
        return [shown]
    return textwrap.wrap(
        shown,
        columns if width(shown) <= len(shown) else max(columns // 2, 20),  # signs of two columns
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def say(text: str) -> None:
    """Print a line to stderr, on a terminal as several that fit it; what could steer a terminal,
    line breaks too, is escaped (`cvtasks.text.visible`).
    """
    lines = wrapped(text) if sys.stderr.isatty() else [visible(text)]
    _say("".join(f"{line}\n" for line in lines))


def tell(*lines: str) -> None:
    """Print lines to stdout, escaped as `say` does it."""
    sys.stdout.write(_fitting("".join(f"{visible(line)}\n" for line in lines), sys.stdout))


def say_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What `warnings.showwarning` is to do: whatever a library quotes in a warning is
    escaped too.
    """
    say(f"{filename}:{lineno}: {category.__name__}: {message}")


def _fitting(text: str, stream: TextIO | io.TextIOBase) -> str:
    """The text with escapes for what the stream's encoding does not have."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _say(text: str) -> None:
    """Write to stderr. What cannot be said there can be said nowhere, and is no reason to give up
    the work itself.
    """
    try:
        sys.stderr.write(_fitting(text, sys.stderr))
        sys.stderr.flush()
    except (OSError, ValueError):
        _silence(sys.stderr)


def _silence(stream: TextIO | None) -> None:
    """Lead a stream nowhere, so that what it still holds does not fail once more when the process
    ends.
    """
    if stream is None:
        return
    with suppress(OSError, ValueError, AttributeError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


class Ticker:
    """A line about progress: redrawn in place on a terminal, once in a while (`pause` seconds)
    elsewhere.
    """

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
            fitting = cut(visible(text), terminal_columns() - 1)  # a longer one is left behind
            _say(f"\r{padded(fitting, self._shown)}")
            self._shown = width(fitting)
        else:
            say(text)

    def clear(self) -> None:
        """Take the line away before another is printed."""
        if self._live and self._shown:
            _say(f"\r{'':<{self._shown}}\r")
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
    """Keep the words of libraries in C off the terminal while the context lasts; ours come as
    before.

    libpng, libjpeg, libtiff and FFmpeg write to the process' stderr about every damaged file, past
    Python and between its lines. What they found is told by whoever called them. So that file is
    nowhere, and `sys.stderr` is where it was.
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
        same = os.fdopen(
            os.dup(real), "w", encoding=own.encoding, errors="backslashreplace", buffering=1
        )
        sys.stderr = Messages(same) if isinstance(own, Messages) else same
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
    """Keep what is written to the stderr of the process while the context lasts; hand it on only if
    it ends in an error.

    TensorFlow's C++ part tells about the machine when it is imported and before any switch of it is
    read.
    """
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(real, 2)
            kept.seek(0)
            with suppress(OSError):
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
