"""Writing files whole or not at all, and telling files apart."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cvtasks.errors import CVTasksError
from cvtasks.text import encodable


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on leaving without an error it replaces `path`, otherwise it is removed.

    The content is on the disk (fsync) before the name changes, so a crash or a full disk leaves the old file as it was.

    Raises:
        CVTasksError: the disk is full or the folder cannot be written; says which file was meant.
    """
    path = Path(path)
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]  # a long name has no room for an ending
    part = path.with_name(f".{digest}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):  # where the folder is none, there is nothing to remove either
            part.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; what UTF-8 cannot hold is escaped (`cvtasks.text.encodable`)."""
    with written_whole(path) as part:
        part.write_text(encodable(text), encoding="utf-8", newline="\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(content)


def cannot_write(path: str | Path, error: Exception) -> CVTasksError:
    """Return the error that says why `path` could not be written and what to do about it."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    way_out = "Free some space or choose another folder." if full else "Choose a folder that can be written."
    return CVTasksError(f"{str(path)!r} could not be written: {error}. What was there before is unchanged. {way_out}")


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
