"""Reading what other people name: a file that may be a named pipe or a device, a path that may lead
out of its folder.

A named pipe would block for ever, a device has no end.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Generic, TypeVar

from cvtasks.errors import InputError
from cvtasks.text import decoded

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


class NotRegularError(OSError):
    """What is no regular file; the text says what it is: "it is a named pipe"."""


@contextmanager
def opened_regular(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file that others name, to be read.

    Raises:
        NotRegularError: it is something else. OSError: it cannot be read. ValueError: its name
            cannot be one.
    """
    _refuse_special(Path(path).stat())
    # A pipe that takes the file's place in between must not block either, hence O_NONBLOCK and the
    # second look.
    with open(path, "rb", opener=_without_waiting) as file:
        _refuse_special(os.fstat(file.fileno()))
        yield file


def read_regular_file(path: str | Path, name: str, most: int) -> bytes:
    """The bytes of a regular file of at most `most` bytes; `name` is what errors call it.

    Raises:
        InputError: it does not exist, is no regular file, cannot be read or is larger.
    """
    try:
        with opened_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise InputError(
                    f"an image file may have at most {most:,} bytes at this limit of pixels; "
                    f"{name} has {size:,}. Raise the limit (max_pixels) if it really is an image."
                )
            return file.read(size + 1)
    except NotRegularError as error:
        raise InputError(
            f"an image must be a regular file; {name} {str(error).removeprefix('it ')}. Name an "
            "image file."
        ) from None
    except FileNotFoundError:
        raise InputError(
            f"an image must be a file that exists; {name} does not. Check the name."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL within the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"an image must be a file that can be read; {name} cannot: {reason}. Check it."
        ) from error


def read_head(path: str | Path, most: int = 1024) -> bytes:
    """Up to `most` bytes from the beginning of a regular file.

    Raises:
        OSError, ValueError: as `opened_regular`.
    """
    with opened_regular(path) as file:
        return file.read(most)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_special(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(f"it is {_KINDS.get(stat.S_IFMT(status.st_mode), 'a device')}")


_LONGEST, _LONGEST_PART = (
    1000,
    255,
)  # bytes of UTF-8: in all, and between slashes, where file systems end


def leads_out(name: str) -> bool:
    """Whether a relative path is none, climbs, or is too long, on this system or another.

    >>> leads_out("a/b.jpg")
    False
    >>> all(map(leads_out, ("../b.jpg", "/b.jpg", "C:b.jpg", "a\\\\..\\\\..\\\\b.jpg", "")))
    True
    """
    ways = PurePosixPath(name), PureWindowsPath(name)
    return (
        no_name(name)
        or not name
        or any(way.is_absolute() or way.drive or way.root or ".." in way.parts for way in ways)
    )


def of_windows(name: str) -> bool:
    """Whether a path has a drive, or the separators of Windows.

    >>> [of_windows(name) for name in ("a\\\\b.jpg", "C:b.jpg", "a/b.jpg")]
    [True, True, False]
    """
    return "\\" in name or bool(PureWindowsPath(name).drive)


_T = TypeVar("_T")


class ByLastParts(Generic[_T]):
    """Things that have paths, found by the last parts of these.

    Those that share last parts are parted once by the part before, and only where one is looked
    for among them: many of one name cost no more than others.
    """

    def __init__(self, things: Sequence[_T], parts: Callable[[_T], Sequence[str]]) -> None:
        self._things, self._parts = things, parts
        self._inner: dict[tuple[str, ...], dict[str, list[_T]]] = {}

    def nearest(self, parts: Sequence[str]) -> tuple[Sequence[_T], int]:
        """Those that have most of the last parts of a path in common, and how many these are at
        least; all, and 0, where none has the last one.

        >>> files = ByLastParts(["a/1", "b/1", "b/2"], lambda name: name.split("/"))
        >>> files.nearest(["x", "b", "1"]), files.nearest(["c", "1"])
        ((['b/1'], 2), (['a/1', 'b/1'], 1))
        """
        found, common = self._things, 0
        while common < len(parts) and (common == 0 or len(found) > 1):
            shared = tuple(parts[len(parts) - common :])
            if shared not in self._inner:
                self._inner[shared] = self._parted(found, common)
            inner = self._inner[shared].get(parts[-1 - common])
            if inner is None:
                break
            found, common = inner, common + 1
        return found, common

    def _parted(self, things: Sequence[_T], common: int) -> dict[str, list[_T]]:
        """The part before the last `common` ones → the things that have it."""
        found: dict[str, list[_T]] = {}
        for thing in things:
            parts = self._parts(thing)
            if common < len(parts):
                found.setdefault(parts[-1 - common], []).append(thing)
        return found


class Ends:
    """Finds the files below a folder whose names were right on another machine, by their last
    parts.

    Raises nothing; what lies behind a link is found too, each folder once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def among(self, fits: Callable[[Path], bool]) -> "Ends":
        """One that finds only files that fit."""
        ends = Ends(self.root)
        ends._every = [path for path in self._every if fits(path)]
        return ends

    def find(self, name: str) -> Path | None:
        """The one file that has most of the last parts of `name` in common, its own name at least;
        None if none or several.

        A path that climbs, or that no file can have, is never found.
        """
        parts = parts_of(name)
        if not parts:
            return None
        best, common = self._files.nearest(parts)
        return best[0] if common and len(best) == 1 else None

    def folder(self, name: str) -> Path | None:
        """The folder that the longest end of `name` leads to from the root; None if none."""
        parts = parts_of(name)
        ends = (self.root.joinpath(*parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end.is_dir()), None)

    @cached_property
    def _files(self) -> ByLastParts[Path]:
        return ByLastParts(self._every, lambda path: path.parts)

    @cached_property
    def _every(self) -> list[Path]:
        found: list[Path] = []
        known: set[tuple[int, int]] = set()
        for folder, folders, files in os.walk(self.root, followlinks=True):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in known:  # a link that leads round in a circle
                folders.clear()
                continue
            known.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [Path(folder) / file for file in files]
        return found


def parts_of(name: str) -> list[str]:
    """The parts of a path of any system, without its drive; none where it climbs or no file can
    have it.
    """
    parts = [
        part
        for part in re.split(r"[\\/]+", re.sub("^[A-Za-z]:", "", name))
        if part not in ("", ".")
    ]
    return [] if no_name(name) or ".." in parts else parts


def last_in_common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many last parts two paths have in common.

    >>> last_in_common(("a", "b", "c"), ("x", "b", "c"))
    2
    """
    same = [a == b for a, b in zip(reversed(one), reversed(other), strict=False)]
    return same.index(False) if False in same else len(same)


def no_name(name: str) -> bool:
    """Whether no file can have this path, absolute or not: it would be asked for, and the system
    raise an error of its own.

    >>> [no_name(name) for name in ("a" * 255, "a" * 256, "a/" * 501, "a\\0b")]
    [False, True, True, True]
    """
    try:
        encoded = name.encode(
            "utf-8", "surrogateescape"
        )  # as Python names files whose bytes are no UTF-8
    except UnicodeEncodeError:  # half a letter, which JSON can write
        return True
    return (
        "\0" in name
        or len(encoded) > _LONGEST
        or max(map(len, encoded.split(b"/"))) > _LONGEST_PART
    )


def on_disk(path: Path) -> Path:
    """The path itself, or that of the file whose name is no UTF-8 and was written so
    (`cvtasks.text.encodable`).
    """
    if "\\x" not in path.name or path.is_file():
        return path
    other = path.with_name(decoded(path.name))
    return other if other.is_file() else path
