"""One folder of images a class."""

import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format, doubtful
from cvtasks.data.formats.bases import FileLabels, distinct
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in, holds_lists, images_in, is_seen
from cvtasks.data.formats.places import is_split, split_called
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import read_text
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.text import composed, encodable, some

_OTHERS = {
    "images",
    "masks",
    "labels",
    "annotations",
    "Annotations",
    "JPEGImages",
}  # folders that other formats have


_CELL, _WORDS = re.compile(r"[,;\t]"), re.compile(r"[,;\s]+")


class ClassFolders(FileLabels):
    """Images in the folder of their class: `<split>/<class>/…jpg`, or `<class>/…jpg`, which is one
    split without a name.

    A folder below the root is a split if it holds folders and a class if it holds images; all must
    be of one kind. The classes are the names of the folders of all splits, sorted. A file
    `classes.txt` at the root gives them readable names and an order: `n01440764 tench`, one a line.
    What begins with a dot plays no part.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        parents = _parents(root)
        classes, unlabelled = _holders(root, bool(parents))
        if parents and classes:
            raise DataError(
                "a folder below the root must be a split, which holds folders alone, or a class, "
                "which holds images alone, and "
                f"all must be the same; {str(parents[0])!r} holds folders and {str(classes[0])!r} "
                "images. Move one of them away."
            )
        self.split = split = check_split(split, _splits(root), root)
        folders = [folder for home in parents or [root] for folder in _folders(home)]
        titles = _titles(
            root, {composed(folder.name) for folder in folders if folder not in unlabelled}
        )
        self.classes = tuple(titles.values())
        place = {name: index for index, name in enumerate(titles)}
        self.files, self.shown, strange = [], [], 0
        for folder in (one for one in _folders(root / split) if one not in unlabelled):
            images, others = _images(folder)
            self.files += images
            self.shown += [(place[composed(folder.name)],)] * len(images)
            strange += others
        if strange:
            self.notes = (f"files beside the images were passed over: {strange}",)
        loose = [one.name for home in {root, root / split} for one in images_in(home)]
        if names := [folder.name for folder in unlabelled] + sorted(loose):
            told = some(names, 3)
            self.notes += (f"images that no folder gives a class were passed over: {told}",)
        self.notes += _tables(root, {path.name for path in self.files})
        self.notes += _lists(root, {path.name for path in self.files})
        present(f"{str(root / split)!r}", {"image": self.files}, complain)
        self.names = distinct(self.files, root / split)


def folders_tell(root: Path) -> tuple[str, ...]:
    """The classes that folders at a root tell: two at least, whose names are not those of splits;
    nothing where there are none.
    """
    if not _is_at(root):
        return ()
    folders = [folder for home in _parents(root) or [root] for folder in _folders(home)]
    called = {composed(folder.name) for folder in folders if _has_image(folder)}
    classes = sorted(name for name in called if not split_called(name))
    return tuple(classes) if len(classes) > 1 else ()


def _holders(root: Path, divided: bool) -> tuple[list[Path], list[Path]]:
    """The folders below a root that hold images: those of classes, and those called like a split to
    test on, where others are classes or splits.
    """
    holders = [folder for folder in _folders(root) if _has_image(folder)]
    apart = [folder for folder in holders if _is_split_alone(folder)]
    classes = [folder for folder in holders if folder not in apart]
    return (classes, apart) if divided or len(classes) > 1 else (holders, [])


def _images(folder: Path) -> tuple[list[Path], int]:
    """The images in a class's folder, and how many other files are there, but those of kinds that
    are told elsewhere.

    Raises:
        DataError: there is a folder in it.
    """
    found, others = [], 0
    for entry in _entries(folder):
        if entry.is_dir():
            raise DataError(
                f"a class's folder must hold images alone; {str(folder)!r} has the folder "
                f"{entry.name!r}."
            )
        if _is_image(entry.name):
            found.append(folder / entry.name)
        else:
            others += not entry.name.lower().endswith(UNREAD)
    return found, others


def _tables(root: Path, names: set[str]) -> tuple[str, ...]:
    """A note for each table at a root that speaks of these images; that no format knows it is why
    folders are taken for classes.
    """
    notes = []
    stems = {Path(name).stem for name in names}
    for path in files_in(root, ".csv") + files_in(root, ".tsv"):
        head, *rows = first_lines(path) or [""]
        cells = {cell.strip(' "').replace("\\", "/") for row in rows for cell in _CELL.split(row)}
        if any(cell.rpartition("/")[2] in names | stems for cell in cells if cell):
            columns = some([cell.strip(' "') for cell in _CELL.split(head)], 5)
            notes.append(
                f"the table {path.name!r} names these images, and was passed over: which of its "
                f"columns ({columns}) hold images and classes is not known. Where it tells the "
                "classes, call them image and label"
            )
    return tuple(notes)


def _lists(root: Path, names: set[str]) -> tuple[str, ...]:
    """A note for each other text at a root that names these images in most of its lines."""
    notes = []
    known = names | {stem for name in names if not (stem := Path(name).stem).isdecimal()}
    for path in files_in(root, ".txt"):
        lines = [
            {word.strip('"').replace("\\", "/").rpartition("/")[2] for word in _WORDS.split(line)}
            for line in first_lines(path)
        ]
        if lines and 2 * sum(not known.isdisjoint(words) for words in lines) > len(lines):
            notes.append(
                f"the list {path.name!r} names these images, and was passed over: where it tells "
                "the classes, write lines of an image and its label, such as `cats/1.jpg cat`"
            )
    return tuple(notes)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, sorted by name."""
    with os.scandir(folder) as found:
        yield from sorted(
            (entry for entry in found if is_seen(entry.name)), key=lambda entry: entry.name
        )


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without those of lists."""
    below = [folder / entry.name for entry in _entries(folder) if entry.is_dir()]
    return [one for one in below if not holds_lists(one)]


def _is_split_alone(folder: Path) -> bool:
    """Whether a folder is called like a split to test on, whose images need no class (`test1`)."""
    name = folder.name.casefold()
    called = split_called(name).startswith("test") or name.startswith("unlabel")
    return called and not _folders(folder)


def _parents(root: Path) -> list[Path]:
    """The folders that are splits, if they hold nothing but folders."""
    return [folder for folder in _folders(root) if _folders(folder)]


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _has_image(folder: Path) -> bool:
    with os.scandir(folder) as found:
        return any(
            _is_image(entry.name) and is_seen(entry.name) and entry.is_file() for entry in found
        )


def _titles(root: Path, folders: set[str]) -> dict[str, str]:
    """Folder (`composed`) → the class's name, in the order of the classes."""
    path = root / "classes.txt"
    if not path.is_file():
        return {name: encodable(name) for name in sorted(folders)}
    titles: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = composed(line.strip())
        if not text:
            continue
        starts = [
            name
            for name in folders
            if text == name or (text.startswith(name) and text[len(name)].isspace())
        ]
        folder = max(starts, key=len, default="")
        if not folder or folder in titles:
            what = "names a folder again" if folder else "does not"
            raise DataError(
                f"every line of {str(path)!r} must begin with the name of a folder, each once; "
                f"line {number}, {text!r}, {what}."
            )
        titles[folder] = text[len(folder) :].strip() or folder
    missing = sorted(folders - titles.keys())
    if missing:
        raise DataError(
            f"{str(path)!r} must name every class's folder; {missing[0]!r} is not in it. Add a "
            "line for it."
        )
    if len(set(titles.values())) < len(titles):
        raise DataError(
            f"{str(path)!r} must give every class a name of its own; got "
            f"{', '.join(titles.values())}."
        )
    return titles


def _is_at(root: Path) -> bool:
    """Whether folders of images lie at `root`, or below the folders there, and none that another
    format has.
    """
    if not root.is_dir():
        return False
    folders = _folders(root)
    if any(folder.name in _OTHERS for folder in folders):
        return False
    below = (child for folder in folders for child in _folders(folder))
    own = (folder for folder in folders if not is_split(folder.name))
    return any(_has_image(folder) for folder in chain(own, below))


def _splits(root: Path) -> tuple[str, ...]:
    """The folders that hold folders."""
    return tuple(folder.name for folder in _parents(root)) or ("",)


CLASS_FOLDERS = Format(
    "class folders",
    "[SPLIT/]CLASS/ with images in it, and classes.txt (FOLDER NAME, one a line) if folders have "
    "other names",
    Labels,
    is_at=_is_at,
    splits_at=_splits,
    opens=ClassFolders,
    doubt=doubtful,
)
