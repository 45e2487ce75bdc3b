"""What lies in a folder, without what is hidden, and what files name there."""

import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path

from cvtasks.formats.reading import ALIKE, ELSEWHERE
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.media.safe_paths import Ends, leads_out, of_windows, on_disk, parts_of

IMAGES = frozenset(SUFFIXES)
"""Endings that images have; of several frames the first is the image."""

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


class NamedFiles:
    """The images that a list names from a folder.

    A path of another machine is followed by its last parts, as far as one file alone fits; and a
    name of which there is no file, to the one image that lies in another folder or is called alike.

    Args:
        home: the folder. root: the one below which files are looked for.
        names: all that the list names; a file that one of them is, is no other's.
        plain: a file's name → what of it counts where names are alike.
        fits: whether a file may be meant by a name that is not its own path; all may without it.
    """

    def __init__(
        self,
        home: Path,
        root: Path,
        names: Iterable[str] = (),
        plain: Callable[[str], str] = bare,
        fits: Callable[[Path], bool] | None = None,
    ) -> None:
        self._home, self._names, self._plain = home, names, plain
        self._ends, self._fits = Ends(root, fits), fits
        self._followed = self._guessed = 0

    def find(self, name: str, others: Iterable[str] = ()) -> Path | None:
        """The file, or that of one of the `others` which is there, or else the one that alone is
        meant by one of them; the file's own path, which is not there, where none is. None where
        that leads out of the folder or is one of Windows.
        """
        names = [one for one in (name, *others) if one]
        for one in names:
            if path := self._own(one):
                return path
        for one in names:
            path = self._ends.find(one)
            if path is not None and path not in self._taken:
                far = leads_out(one) or "/" in one or of_windows(one)
                self._followed, self._guessed = self._followed + far, self._guessed + (not far)
                return path
        for one in names:
            if path := self._like(one):
                self._guessed += 1
                return path
        return None if not name or leads_out(name) or of_windows(name) else self._home / name

    def _own(self, name: str) -> Path | None:
        """The file of just that name, if it is there."""
        path = None if leads_out(name) else on_disk(self._home / name)
        return path if path is not None and path.is_file() else None

    def _like(self, name: str) -> Path | None:
        """The one image that is called alike and that no other name means; of several the one in
        the folder itself, or whose path is most alike.
        """
        parts = parts_of(name)
        called = self._images.get(self._plain(parts[-1]), ()) if parts else ()
        found = [path for path in called if path not in self._taken]
        if not found:
            return None
        best = [path for path in found if path.name.casefold() == parts[-1].casefold()] or found
        best = [path for path in best if path.parent == self._home] or best
        folders = "/".join(parts[:-1]).casefold()
        near = [path for path in best if path.parent.as_posix().casefold().endswith(folders)]
        best = near if folders and near else best
        return best[0] if len(best) == 1 else None

    @cached_property
    def _images(self) -> dict[str, list[Path]]:
        """What counts of a name → the images below the root that are called so."""
        found: dict[str, list[Path]] = {}
        for path in filter(self._fits, images_in(self._ends.root, deep=True)):
            found.setdefault(self._plain(path.name), []).append(path)
        return found

    @cached_property
    def _taken(self) -> set[Path]:
        """The files that the list names exactly."""
        return {path for name in self._names if (path := self._own(name))}

    @property
    def notes(self) -> tuple[str, ...]:
        """How many paths were followed, and how many files are called otherwise, in a sentence
        each, where any was.
        """
        counts = {ELSEWHERE: self._followed, ALIKE: self._guessed}
        return tuple(f"{text}: {count}" for text, count in counts.items() if count)
