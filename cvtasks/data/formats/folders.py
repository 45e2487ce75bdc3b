"""Folders alone: one of images beside one of masks, or one folder a class."""

import os
from collections.abc import Iterator
from pathlib import Path

from cvtasks.data.formats.bases import FileLabels, MaskSource, class_names, distinct
from cvtasks.data.source import check_split, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import read_text
from cvtasks.media.images import SUFFIXES
from cvtasks.text import encodable

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


class MaskFolders(MaskSource):
    """Images in `images/`, masks of the same stem in `masks/` (PNG of class ids, 255 = void), names
    in `classes.txt`.

    With splits both folders hold one folder a split (`images/train`, `masks/train`); without, there
    is one split with the empty name.
    """

    format = "image and mask folders"
    layout = "images/[SPLIT/], masks/[SPLIT/] and classes.txt (one name a line, background first)"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether both folders lie at `root`."""
        return (root / "images").is_dir() and (root / "masks").is_dir()

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The folders in `images/`."""
        return tuple(
            sorted(
                folder.name
                for folder in (root / "images").iterdir()
                if folder.is_dir() and seen(folder)
            )
        ) or ("",)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        names = root / "classes.txt"
        if not names.is_file():
            raise DataError(
                f"image and mask folders need {str(names)!r}, one class a line, background first. "
                "Write it."
            )
        self.classes = class_names(names)
        self.split = split = check_split(split, self.splits_at(root), root)
        images, masks = root / "images" / split, root / "masks" / split
        files = images_in(images)
        stems = {file.stem for file in files}
        if len(stems) < len(files):
            raise DataError(
                "images are matched to masks by their stems, so these must differ; in "
                f"{str(images)!r} some do not."
            )
        found = {file.stem: file for file in files_in(masks, ".png")}
        lonely = [file.name for stem, file in found.items() if stem not in stems]
        if lonely:
            text = (
                f"every mask needs its image; {str(masks)!r} has {len(lonely)} without, such as "
                f"{lonely[0]!r}."
            )
            complain(DataError(text, "image missing"))
        others = (
            file
            for name in self.splits_at(root)
            if name != split
            for file in files_in(root / "masks" / name, ".png")
        )
        pairs = [(file, found.get(file.stem, masks / f"{file.stem}.png")) for file in files]
        self._list(f"{str(images)!r}", pairs, complain, others)


_OTHERS = {
    "images",
    "masks",
    "labels",
    "annotations",
    "Annotations",
    "JPEGImages",
}  # folders that other formats have


class ClassFolders(FileLabels):
    """Images in the folder of their class: `<split>/<class>/…jpg`, or `<class>/…jpg`, which is one
    split without a name.

    A folder below the root is a split if it holds folders and a class if it holds images; all must
    be of one kind. The classes are the names of the folders of all splits, sorted. A file
    `classes.txt` at the root gives them readable names and an order: `n01440764 tench`, one a line.
    What begins with a dot plays no part.
    """

    format = "class folders"
    layout = (
        "[SPLIT/]CLASS/ with images in it, and classes.txt (FOLDER NAME, one a line) if folders "
        "have other names"
    )

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Whether folders of images lie at `root`, or below the folders there, and none that
        another format has.
        """
        if not root.is_dir():
            return False
        folders = _folders(root)
        if any(folder.name in _OTHERS for folder in folders):
            return False
        return any(
            _has_image(folder)
            for folder in [*folders, *(child for folder in folders for child in _folders(folder))]
        )

    @classmethod
    def splits_at(cls, root: Path) -> tuple[str, ...]:
        """The folders that hold folders."""
        return tuple(folder.name for folder in _parents(root)) or ("",)

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__(root, split, complain)
        parents = _parents(root)
        holders = [folder for folder in _folders(root) if _has_image(folder)]
        if parents and holders:
            raise DataError(
                "a folder below the root must be a split, which holds folders alone, or a class, "
                "which holds images alone, and "
                f"all must be the same; {str(parents[0])!r} holds folders and {str(holders[0])!r} "
                "images. Move one of them away."
            )
        self.split = split = check_split(split, self.splits_at(root), root)
        homes = parents or [root]
        titles = _titles(root, {folder.name for home in homes for folder in _folders(home)})
        self.classes = tuple(titles.values())
        place = {name: index for index, name in enumerate(titles)}
        self.files, self.shown, self._strange = [], [], 0
        for folder in _folders(root / split):
            for entry in _entries(folder):
                if entry.is_dir():
                    raise DataError(
                        f"a class's folder must hold images alone; {str(folder)!r} has the folder "
                        f"{entry.name!r}."
                    )
                if _is_image(entry.name):
                    self.files.append(folder / entry.name)
                    self.shown.append((place[folder.name],))
                else:
                    self._strange += 1
        present(f"{str(root / split)!r}", {"image": self.files}, complain)
        self.names = distinct(self.files, root / split)

    def remarks(self) -> list[str]:
        """How many files are no images by their names."""
        return (
            [f"files beside the images were passed over: {self._strange}"] if self._strange else []
        )


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder, sorted by name."""
    with os.scandir(folder) as found:
        yield from sorted(
            (entry for entry in found if seen(Path(entry.name))), key=lambda entry: entry.name
        )


def _folders(folder: Path) -> list[Path]:
    return [folder / entry.name for entry in _entries(folder) if entry.is_dir()]


def _parents(root: Path) -> list[Path]:
    """The folders that are splits, if they hold nothing but folders."""
    return [folder for folder in _folders(root) if _folders(folder)]


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _has_image(folder: Path) -> bool:
    with os.scandir(folder) as found:
        return any(
            _is_image(entry.name) and seen(Path(entry.name)) and entry.is_file() for entry in found
        )


def _titles(root: Path, folders: set[str]) -> dict[str, str]:
    """Folder → the class's name, in the order of the classes."""
    path = root / "classes.txt"
    if not path.is_file():
        return {name: encodable(name) for name in sorted(folders)}
    titles: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
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
