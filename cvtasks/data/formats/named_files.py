"""Which images are meant by the names in a list."""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path, PureWindowsPath

from cvtasks.data.formats.listing import bare, images_in
from cvtasks.data.formats.places import roles_of_split, split_called, split_in
from cvtasks.formats.reading import ALIKE, ELSEWHERE
from cvtasks.media.safe_paths import (
    ByLastParts,
    Ends,
    last_in_common,
    leads_out,
    of_windows,
    on_disk,
    parts_of,
)

_SEPARATORS = re.compile(r"[\\/]+")
_NEAR = 2  # folders before the name, in which a path of another machine speaks of a split


class NamedFiles:
    """The images that a list names from a folder.

    A path of another machine is followed by its last parts, as far as one file alone fits; and a
    name of which there is no file, to the one image that lies in another folder or is called alike.
    Neither leads into a folder that is called like another split than the one which the name itself
    speaks of (`train/a.jpg`), or else the list.

    Args:
        home: the folder. root: the one below which files are looked for.
        names: all that the list names; a file that one of them is, is no other's.
        plain: a file's name → what of it counts where names are alike.
        split: the one that the list is of; empty where it is of none.
        apart: whether lists of other splits name no image alike (`apart`): then those of `train`
            may be meant where none lies in a folder that is called like the split.
    """

    def __init__(
        self,
        home: Path,
        root: Path,
        names: Iterable[str] = (),
        plain: Callable[[str], str] = bare,
        split: str = "",
        apart: Callable[[], bool] = lambda: False,
    ) -> None:
        self._home, self._root, self._names, self._plain = home, root, names, plain
        self._split, self._apart = roles_of_split(split) or roles_of_split(split_in(split)), apart
        self._ends = Ends(root)
        self._ends_of: dict[frozenset[str], Ends] = {frozenset(): self._ends}
        self._images_of: dict[frozenset[str], dict[str, _Alike]] = {}
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
        splits = self._meant(names)
        for one in names:
            path = self._ends_in(splits).find(one)
            if path is not None and path not in self._taken:
                far = leads_out(one) or "/" in one or of_windows(one)
                self._followed, self._guessed = self._followed + far, self._guessed + (not far)
                return path
        for one in names:
            if path := self._like(one, splits):
                self._guessed += 1
                return path
        return None if not name or leads_out(name) or of_windows(name) else self._home / name

    def followed(self, name: str) -> Path | None:
        """The file to which a path of another machine leads; None if none or several."""
        return self._ends_in(self._meant([name])).find(name)

    def _own(self, name: str) -> Path | None:
        """The file of just that name, if it is there."""
        path = None if leads_out(name) else on_disk(self._home / name)
        return path if path is not None and path.is_file() else None

    def _meant(self, names: Iterable[str]) -> frozenset[str]:
        """The splits in whose folders an image may lie that has these names; none for any."""
        for name in names:
            if told := _told(name):
                return told | self._split if _is_far(name) else told
        return self._own_splits

    @cached_property
    def _own_splits(self) -> frozenset[str]:
        """The splits in whose folders images may lie whose names speak of none."""
        own = self._split
        lent = own and not any(own & self._called(one) for one in self._every) and self._apart()
        return own | {"train"} if lent else own

    @cached_property
    def _every(self) -> list[Path]:
        return images_in(self._root, deep=True)

    def _called(self, path: Path) -> frozenset[str]:
        """The splits after which the folders of a file are called."""
        base = self._home if path.is_relative_to(self._home) else self._root
        folders = path.relative_to(base).parts[:-1]
        return frozenset[str]().union(*(roles_of_split(split_called(one)) for one in folders))

    def _fits(self, path: Path, splits: frozenset[str]) -> bool:
        called = self._called(path)
        return not splits or not called or bool(called & splits)

    def _ends_in(self, splits: frozenset[str]) -> Ends:
        if splits not in self._ends_of:
            self._ends_of[splits] = self._ends.among(lambda path: self._fits(path, splits))
        return self._ends_of[splits]

    def _like(self, name: str, splits: frozenset[str]) -> Path | None:
        """The one image that is called alike and that no other name means; of several the one in
        the folder itself, or whose path is most alike.
        """
        parts = parts_of(name)
        alike = self._images(splits).get(self._plain(parts[-1])) if parts else None
        return alike.find(parts) if alike else None

    def _images(self, splits: frozenset[str]) -> dict[str, "_Alike"]:
        """What counts of a name → the images below the root that are called so."""
        if splits not in self._images_of:
            found: dict[str, list[Path]] = {}
            for path in self._every:
                if path not in self._taken and self._fits(path, splits):
                    found.setdefault(self._plain(path.name), []).append(path)
            self._images_of[splits] = {
                name: _Alike(paths, self._home) for name, paths in found.items()
            }
        return self._images_of[splits]

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


class _Alike:
    """Images that are called alike."""

    def __init__(self, paths: list[Path], home: Path) -> None:
        self._paths, self._home = paths, home
        self._best: dict[str, ByLastParts[Path]] = {}

    def find(self, parts: list[str]) -> Path | None:
        """The one that is meant by a path: of several those whose name differs in case alone, of
        these the one in the folder itself, or else in all folders of the path.
        """
        if len(self._paths) == 1:
            return self._paths[0]
        *folders, name = (part.casefold() for part in parts)
        best = self._among(name if name in self._called else "")
        found, _ = best.nearest(folders)
        every, _ = best.nearest(())
        if len(found) != 1 or len(every) == 1:
            return every[0] if len(every) == 1 else None
        return found[0] if last_in_common(_folders(found[0]), folders) == len(folders) else None

    @cached_property
    def _called(self) -> dict[str, list[Path]]:
        """Name in small letters → the images of that name."""
        found: dict[str, list[Path]] = {}
        for path in self._paths:
            found.setdefault(path.name.casefold(), []).append(path)
        return found

    def _among(self, name: str) -> ByLastParts[Path]:
        """Those of a name in small letters, or all; of these those in the folder itself, if any."""
        if name not in self._best:
            paths = self._called.get(name, self._paths)
            paths = [path for path in paths if path.parent == self._home] or paths
            self._best[name] = ByLastParts(paths, _folders)
        return self._best[name]


def apart(own: Iterable[str], others: Iterable[str]) -> bool:
    """Whether no image has the same name in both, whatever its folders.

    >>> apart(["a/1.jpg"], ["b\\\\2.jpg"]), apart(["a/1.jpg"], ["b\\\\1.jpg"])
    (True, False)
    """
    return {_last(name) for name in own}.isdisjoint(map(_last, others))


def _last(name: str) -> str:
    return _SEPARATORS.split(name.strip())[-1]


def _folders(path: Path) -> list[str]:
    return [part.casefold() for part in path.parent.parts]


def _is_far(name: str) -> bool:
    """Whether a name is an address, or a path from the root of a disk."""
    return bool(PureWindowsPath(name).anchor) or "://" in name


def _told(name: str) -> frozenset[str]:
    """The splits that the last of the folders in a name speaks of which speaks of one.

    >>> sorted(_told("train/a.jpg")), sorted(_told("D:\\\\test\\\\me\\\\data\\\\a.jpg"))
    (['train'], [])
    """
    folders = _SEPARATORS.split(name.strip())[:-1]
    near = folders[-_NEAR:] if _is_far(name) else folders
    return next(
        filter(None, (roles_of_split(split_called(one)) for one in near[::-1])), frozenset()
    )
