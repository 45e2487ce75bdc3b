"""Names that other people's files give, which must stay below the folder they are seen from."""

import os
import re
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from cvtasks.text import decoded

_LONGEST, _LONGEST_PART = 1000, 255  # bytes of UTF-8: in all, and between slashes, where file systems end


def leads_out(name: str) -> bool:
    """Whether a relative path is none, climbs, or is too long, on this system or another.

    >>> [leads_out(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "C:b.jpg", "a\\\\..\\\\..\\\\b.jpg", "")]
    [False, True, True, True, True, True]
    """
    ways = PurePosixPath(name), PureWindowsPath(name)
    return no_name(name) or not name or any(way.is_absolute() or way.drive or way.root or ".." in way.parts for way in ways)


def of_windows(name: str) -> bool:
    """Whether a path has a drive, or the separators of Windows.

    >>> [of_windows(name) for name in ("a\\\\b.jpg", "C:b.jpg", "a/b.jpg")]
    [True, True, False]
    """
    return "\\" in name or bool(PureWindowsPath(name).drive)


class Ends:
    """Finds the files below a folder whose names were right on another machine, by their last parts.

    Raises nothing; what lies behind a link is found too, each folder once.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def find(self, name: str) -> Path | None:
        """The one file that has most of the last parts of `name` in common, its own name at least; None if none or several.

        A path that climbs, or that no file can have, is never found.
        """
        parts = _parts(name)
        if not parts:
            return None
        found = [(_common(path.parts, parts), path) for path in self._files.get(parts[-1], ())]
        best = [path for common, path in found if common == max(found)[0]]
        return best[0] if len(best) == 1 else None

    def folder(self, name: str) -> Path | None:
        """The folder that the longest end of `name` leads to from the root; None if none."""
        parts = _parts(name)
        ends = (self._root.joinpath(*parts[start:]) for start in range(len(parts)))
        return next((end for end in ends if end.is_dir()), None)

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """Name → the files of that name."""
        found: dict[str, list[Path]] = {}
        known: set[tuple[int, int]] = set()
        for folder, folders, files in os.walk(self._root, followlinks=True):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in known:  # a link that leads round in a circle
                folders.clear()
                continue
            known.add((status.st_dev, status.st_ino))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in files:
                found.setdefault(file, []).append(Path(folder) / file)
        return found


def _parts(name: str) -> list[str]:
    """The parts of a path of any system, without its drive; none where it climbs or no file can have it."""
    parts = [part for part in re.split(r"[\\/]+", re.sub("^[A-Za-z]:", "", name)) if part not in ("", ".")]
    return [] if no_name(name) or ".." in parts else parts


def _common(one: tuple[str, ...], other: list[str]) -> int:
    """How many last parts two paths have in common."""
    same = [a == b for a, b in zip(reversed(one), reversed(other), strict=False)]
    return same.index(False) if False in same else len(same)


def no_name(name: str) -> bool:
    """Whether no file can have this path, absolute or not: it would be asked for, and the system raise an error of its own.

    >>> [no_name(name) for name in ("a" * 255, "a" * 256, "a/" * 501, "a\\0b")]
    [False, True, True, True]
    """
    try:
        encoded = name.encode("utf-8", "surrogateescape")  # as Python names files whose bytes are no UTF-8
    except UnicodeEncodeError:  # half a letter, which JSON can write
        return True
    return "\0" in name or len(encoded) > _LONGEST or max(map(len, encoded.split(b"/"))) > _LONGEST_PART


def on_disk(path: Path) -> Path:
    """The path itself, or that of the file whose name is no UTF-8 and was written so (`cvtasks.text.encodable`)."""
    if "\\x" not in path.name or path.is_file():
        return path
    other = path.with_name(decoded(path.name))
    return other if other.is_file() else path
