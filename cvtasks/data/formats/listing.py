"""What lies in a folder, without what is hidden."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from cvtasks.media.file_types import SUFFIXES, UNREAD

IMAGES = frozenset(SUFFIXES)
"""Endings that images have; of several frames the first is the image."""

RECORD = "split.json"
"""The file beside lists that `data split` wrote: of which data they are, and of which split."""

_SYSTEMS = {
    "__MACOSX",
    "@eaDir",
}  # folders in which macOS and Synology keep their own beside what one sees


def seen(path: Path, root: Path | None = None) -> bool:
    """Whether no part of a path below `root` is hidden (`.ipynb_checkpoints`, `._a.png`) or a
    system's own; of its name alone if there is no root."""
    return all(map(is_seen, (path.name,) if root is None else path.relative_to(root).parts))


def is_seen(name: str) -> bool:
    """Whether what has this name is neither hidden nor a system's own."""
    return not name.startswith(".") and name not in _SYSTEMS


def holds_lists(folder: Path) -> bool:
    """Whether a folder holds lists that `data split` wrote, or nothing but folders of such."""
    if (folder / RECORD).is_file():
        return not images_in(folder)
    with os.scandir(folder) as found:
        entries = [entry for entry in found if is_seen(entry.name)]
    return bool(entries) and all(
        entry.is_dir() and (folder / entry.name / RECORD).is_file() for entry in entries
    )


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder, hidden ones too, in no order.

    Raises:
        OSError: it cannot be listed.
    """
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def images_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """The image files in a folder, sorted, without hidden ones;
    those of its folders too if `deep`.
    """
    places = folders_below(folder) if deep else [(folder, names_in(folder))]
    found = [
        place / name
        for place, names in places
        for name in names
        if name.lower().endswith(SUFFIXES) and is_seen(name)
    ]
    return sorted(found, key=lambda file: file.parts)  # as paths are sorted, in half the time


def folders_below(
    folder: Path, enters: Callable[[Path], bool] = lambda place: True
) -> Iterator[tuple[Path, list[str]]]:
    """A folder and those below it, hidden ones left out, each with the names of its files.

    Links to folders are followed. Every folder comes once, by its own path if it has one here, so
    that links may lead round in a circle.

    Args:
        enters: whether a folder below is looked into.
    """
    known: set[tuple[int, int]] = set()
    waiting = [folder]
    for start in waiting:  # grows by the links that are met
        for place, folders, files in os.walk(start):
            here = Path(place)
            status = here.stat()
            if (status.st_dev, status.st_ino) in known:
                folders.clear()
                continue
            known.add((status.st_dev, status.st_ino))
            folders[:] = [name for name in sorted(folders) if is_seen(name) and enters(here / name)]
            waiting += [here / name for name in folders if (here / name).is_symlink()]
            yield here, files


def unread_beside(files: Iterable[Path], root: Path) -> str:
    """What `unread_among` says of the folders of these files and of those beside them."""
    own = {file.parent for file in files}
    beside = {folder.parent for folder in own if folder != root and folder.is_relative_to(root)}
    return unread_among(
        entry for folder in own | {*_folders_in(beside)} for entry in _entries(folder)
    )


def unread_among(files: Iterable[Path]) -> str:
    """A sentence about images of kinds that are not read; empty where there is none."""
    found = Counter(file.suffix.lower() for file in files if seen(file))
    kinds = sorted(found.keys() & {*UNREAD})
    if not kinds:
        return ""
    count, named = sum(found[kind] for kind in kinds), ", ".join(kinds)
    return f"images of kinds that are not read ({named}): {count}; convert them to JPEG or PNG"


def _folders_in(folders: Iterable[Path]) -> Iterator[Path]:
    for entry in chain.from_iterable(map(_entries, folders)):
        if entry.suffix.lower() not in IMAGES and seen(entry) and entry.is_dir():
            yield entry


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it cannot be listed, though files in it can be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files in a folder with an ending, such as ".txt", however it is spelt, sorted, without
    hidden ones.
    """
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ending and seen(file))


def bare(name: str) -> str:
    """The name of an image's file as people write it who do not look: in small letters, without
    its ending.

    >>> [bare(name) for name in ("A b.JPG", "a b", "v1.2")]
    ['a b', 'a b', 'v1.2']
    """
    front, _, ending = name.rpartition(".")
    whole = front if front and f".{ending.casefold()}" in IMAGES else name
    return unicodedata.normalize("NFC", whole).casefold()
