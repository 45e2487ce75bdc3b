"""Reading a file that may turn out to be something else: a named pipe would block for ever, a device has no end."""

import os
import stat
from pathlib import Path

from cvtasks.errors import InputError

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def read_regular_file(path: str | Path, name: str, most: int) -> bytes:
    """Return the bytes of a regular file of at most `most` bytes; `name` is what errors call it.

    Raises:
        InputError: it does not exist, is no regular file, cannot be read or is larger.
    """
    try:
        _refuse_special(Path(path).stat(), name, most)
        # A pipe that takes the file's place in between must not block either, hence O_NONBLOCK and the second look.
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            _refuse_special(status, name, most)
            return file.read(status.st_size + 1)
    except FileNotFoundError:
        raise InputError(f"A picture must be a file that exists; {name} does not. Check the name.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL within the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"A picture must be a file that can be read; {name} cannot: {reason}. Check it.") from error


def read_head(path: str | Path, most: int = 1024) -> bytes:
    """Return up to `most` bytes from the beginning of a regular file.

    Raises:
        OSError: it cannot be read, or is no regular file. ValueError: its name cannot be one.
    """
    if not stat.S_ISREG(Path(path).stat().st_mode):
        raise OSError(f"it is {_KINDS.get(stat.S_IFMT(Path(path).stat().st_mode), 'a device')}")
    with open(path, "rb", opener=_without_waiting) as file:
        return file.read(most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_special(status: os.stat_result, name: str, most: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a device")
        raise InputError(f"A picture must be a regular file; {name} is {kind}. Name a picture file.")
    if status.st_size > most:
        raise InputError(
            f"A picture file may have at most {most:,} bytes at this limit of pixels; {name} has {status.st_size:,}. "
            "Raise the limit (max_pixels) if it really is a picture."
        )
