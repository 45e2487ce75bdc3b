"""What lies in a folder, without what is hidden, and what files name there."""

from collections.abc import Iterable
from pathlib import Path

from cvtasks.formats.reading import ELSEWHERE
from cvtasks.media.safe_paths import Ends, leads_out, of_windows, on_disk

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
"""Endings that images have."""

_SYSTEMS = {
    "__MACOSX",
    "@eaDir",
}  # folders in which macOS and Synology keep their own beside what one sees


def seen(path: Path, root: Path | None = None) -> bool:
    """Whether no part of a path below `root` is hidden (`.ipynb_checkpoints`, `._a.png`) or a
    system's own; of its name alone if there is no root."""
    parts = (path.name,) if root is None else path.relative_to(root).parts
    return not any(part.startswith(".") or part in _SYSTEMS for part in parts)


def images_in(folder: Path, *, deep: bool = False) -> list[Path]:
    """The image files in a folder, sorted, without hidden ones;
    those of its folders too if `deep`.
    """
    found = folder.rglob("*") if deep else folder.iterdir()
    return sorted(file for file in found if file.suffix.lower() in IMAGES and seen(file, folder))


def files_in(folder: Path, ending: str) -> list[Path]:
    """The files in a folder with an ending, such as ".txt", however it is spelt, sorted, without
    hidden ones.
    """
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ending and seen(file))


class NamedFiles:
    """The files that a list names from a folder; a path of another machine is followed by its last
    parts, as far as one file alone fits.

    Args:
        home: the folder. root: the one below which files are looked for.
    """

    def __init__(self, home: Path, root: Path) -> None:
        self._home, self._ends, self._followed = home, Ends(root), 0

    def find(self, name: str) -> Path | None:
        """The file, whether it is there or not; None where the name leads out of the folder, or is
        one of Windows, and not just one file ends like it.
        """
        path = None if leads_out(name) else on_disk(self._home / name)
        if path is None or (of_windows(name) and not path.is_file()):
            path = self._ends.find(name)
            self._followed += path is not None
        return path

    def beside(self, name: str, others: Iterable[str] = ()) -> Path | None:
        """The file, or that of one of the `others` which is there, or else the one that alone ends
        like one of them; the file's own path, which is not there, where none does.
        """
        names = [one for one in (name, *others) if one]
        for one in names:
            path = None if leads_out(one) else on_disk(self._home / one)
            if path is not None and path.is_file():
                return path
        for one in names:
            path = self._ends.find(one)
            if path is not None:
                self._followed += 1
                return path
        return None if not name or leads_out(name) or of_windows(name) else self._home / name

    @property
    def notes(self) -> tuple[str, ...]:
        """How many paths were followed, in a sentence, if any was."""
        return (f"{ELSEWHERE}: {self._followed}",) if self._followed else ()
