"""Globs: what a pattern matches, each thing once.

`glob.glob` follows links to folders round and round: one that leads back to its own folder gives
each image forty times, two of them never end; and a folder that cannot be read is passed over
without a word.
"""

import glob
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

Unreadable = Callable[[str, OSError], None]
"""Is told of a folder that cannot be listed, and why."""


def matches(pattern: str, unreadable: Unreadable) -> list[str]:
    """The paths that a glob matches; `**` stands for any number of folders. Hidden ones need
    a dot in the pattern.

    An entry of a folder comes once, however many links to folders lead there, by the way without
    links if there is one. A link to a file is an entry of its own.
    """
    drive, rest = os.path.splitdrive(pattern)
    separators = re.escape(os.sep + (os.altsep or ""))
    parts = [part for part in re.split(f"[{separators}]", rest) if part]
    start = drive + (os.sep if re.match(f"[{separators}]", rest) else "")
    found: dict[tuple[str, str], str] = {}
    real: dict[str, str] = {}
    told: set[str] = set()

    def tell(folder: str, error: OSError) -> None:
        if folder not in told:
            told.add(folder)
            unreadable(folder, error)

    by_links = []
    folders_alone = bool(re.search(f"[{separators}]$", rest))
    for path in _match(start, parts, tell):
        if folders_alone and not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where this says no
            continue
        folder, name = os.path.split(path)
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        if real[folder] == os.path.abspath(folder):  # noqa: PTH100 - Path.absolute keeps ".."
            found.setdefault((real[folder], name), path)
        else:
            by_links.append(((real[folder], name), path))
    for entry, path in by_links:
        found.setdefault(entry, path)
    return list(found.values())


def _match(base: str, parts: list[str], tell: Unreadable) -> Iterator[str]:
    if not parts:
        yield base
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        for folder in _folders(base, tell):
            yield from _match(folder, rest or ["*"], tell)
    elif not glob.has_magic(part):
        if os.path.lexists(os.path.join(base, part)):  # noqa: PTH118 - keeps the path as it was given, "./" and all
            yield from _match(os.path.join(base, part), rest, tell)  # noqa: PTH118
    else:
        for name, is_folder, _ in _entries(base, tell):
            hidden = name.startswith(".") and not part.startswith(".")
            if (
                not hidden
                and (is_folder or not rest)
                and fnmatchcase(os.path.normcase(name), os.path.normcase(part))
            ):
                yield from _match(os.path.join(base, name), rest, tell)  # noqa: PTH118


def _folders(base: str, tell: Unreadable) -> Iterator[str]:
    """The folder and all below it that are not hidden, each once, those that only links lead to at
    the end.
    """
    seen: set[str] = set()
    waiting, links = deque([base]), deque[str]()
    while waiting or links:
        folder = waiting.popleft() if waiting else links.popleft()
        place = os.path.realpath(folder or ".")
        if place in seen:
            continue
        seen.add(place)
        yield folder
        for name, is_folder, is_link in _entries(folder, tell):
            if is_folder and not name.startswith("."):
                (links if is_link else waiting).append(os.path.join(folder, name))  # noqa: PTH118


def _entries(folder: str, tell: Unreadable) -> list[tuple[str, bool, bool]]:
    """Name of each entry, whether it is a folder or leads to one, whether it is a link."""
    found = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                try:
                    found.append((entry.name, entry.is_dir(), entry.is_symlink()))
                except OSError:  # a link that leads round in a circle
                    found.append((entry.name, False, True))
    except (FileNotFoundError, NotADirectoryError):
        pass  # nothing matches there
    except OSError as error:
        tell(folder or ".", error)
    return found
