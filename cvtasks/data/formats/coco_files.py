"""Which files of a data set are COCO's, which splits they make, and where their images lie."""

import json
import mmap
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.formats import kinds
from cvtasks.data.formats.kinds import json_kind
from cvtasks.data.formats.listing import files_in, images_in
from cvtasks.data.formats.places import homes, is_split
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.errors import DataError
from cvtasks.formats.reading import MEGABYTE, read_annotation
from cvtasks.media.safe_paths import leads_out, of_windows, opened_regular, parts_of, read_head

MOST = 2000 * MEGABYTE  # COCO's own largest file has 450 MB
_NOTES = "notes.json"  # Label Studio's list of classes beside YOLO's labels
_SAMPLES = "samples.json"  # FiftyOne's own data, beside a metadata.json, which holds none
_OTHERS = ("captions", "person_keypoints", "image_info", "stuff", "panoptic", "lvis", "densepose")
"""What files are called that lie beside COCO's instances and say something else of their images."""
_COPY = re.compile(r" ?\(\d+\)$")  # behind the name of a file that was fetched again
_SPLIT_WORD = re.compile("train|val|test|dev", re.IGNORECASE)
_OBJECTS = re.compile(rb'"(?:bbox|segmentation)"\s*:|"annotations"\s*:\s*\[\s*\]')
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
_HEAD, _LOOKED_AT = 64_000, 20  # bytes of a file; names by which a folder is found


@dataclass(frozen=True)
class CocoPart:
    """The file that lists the images of a split, and the folder in whose name those of the split
    are; empty where they are all of the file's.
    """

    path: Path
    folder: str = ""

    def has(self, name: str) -> bool:
        """Whether an image of this `file_name` is of the split."""
        return not self.folder or folder_in(name) == self.folder


def is_coco(path: Path) -> bool:
    """Whether a file is COCO's JSON by its beginning."""
    return _is_json(path) and json_kind(path) == kinds.COCO


def lies_at(root: Path) -> bool:
    """Whether COCO's JSON lies at a root, or is it."""
    return is_coco(root) or bool(_sure(root))


def perhaps_at(root: Path) -> bool:
    """Whether JSON that is nobody's who is known lies at a root where COCO's may, or is it; to be
    complained of where it is read.
    """
    return _is_unknown(root) or bool(_unknown(root))


def coco_parts(root: Path) -> dict[str, CocoPart]:
    """Split → where its images are listed.

    Where COCO's own names are, files of other names (captions, key points) are no splits; where
    there is none beside or above the images, each split may have its own in its folder. Where one
    file alone names all images from folders that are called like splits, these are the splits. JSON
    of which nobody knows whose it is counts where none is COCO's.

    Raises:
        DataError: two files are of one split, or nobody knows of which split one is.
    """
    found = _sure(root) or {name: [file] for name, file in _unknown(root).items()}
    for split, files in found.items():
        if len(files) > 1:
            raise DataError(
                f"a split must have one annotation file; {split!r} has {str(files[0])!r} and "
                f"{str(files[1])!r}. Leave one, or join them into one.",
                "two annotation files",
            )
    parts = {split: files[0] for split, files in found.items()}
    _check_rest(list(parts.values()))
    if len(parts) == 1 and not speaks_of_split(next(iter(parts))):
        (path,) = parts.values()
        if folders := split_folders(path):
            return {folder: CocoPart(path, folder) for folder in folders}
    return {split: CocoPart(path) for split, path in parts.items()}


def speaks_of_split(name: str) -> bool:
    """Whether the name of a file speaks of a split.

    >>> speaks_of_split("trainval35k"), speaks_of_split("default")
    (True, False)
    """
    return bool(_SPLIT_WORD.search(name))


def folder_in(name: str) -> str:
    """The first folder in an image's path that is called like a split; empty where none is.

    >>> folder_in("images/train/a.jpg"), folder_in("val\\\\a.jpg"), folder_in("train.jpg")
    ('train', 'val', '')
    """
    return next((part for part in parts_of(name)[:-1] if is_split(part)), "")


@kept_while_unchanged(8)
def split_folders(path: Path) -> tuple[str, ...]:
    """The folders called like splits from which a file names its images, sorted: several, and none
    where an image is named otherwise.
    """
    try:
        first = _FILE_NAME.search(read_head(path, _HEAD))
        if first and not folder_in(json.loads(first[1])):
            return ()
        found = {folder_in(name) for name in _file_names(path)}
    except (DataError, OSError, ValueError, RecursionError, KeyError, TypeError):
        return ()  # a fault, which is told where the file is opened
    return tuple(sorted(found)) if len(found) > 1 and "" not in found else ()


@kept_while_unchanged(8)
def listed_in(path: Path) -> frozenset[str]:
    """The names of the images that a file lists.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return frozenset(_file_names(path))
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise DataError(
            f"a COCO JSON must list images; {str(path)!r} does not. Correct it."
        ) from error


def _file_names(path: Path) -> list[str]:
    images = json.loads(read_annotation(path, MOST))["images"]
    return [str(image["file_name"]) for image in images]


def home_of(path: Path, root: Path, split: str, names: Iterable[str]) -> Path:
    """The folder that a file names its images from: of those where they may lie the first that has
    most of the first of them.
    """
    own = [root / split, root / split / "images", root / split / "data"]
    own += [root / "images" / split, root / "data" / split, root / "images", root / "data"]
    near = [name for name in names if not leads_out(name) and not of_windows(name)][:_LOOKED_AT]
    best, most = next((home for home in own if home.is_dir()), root / "images"), 0
    for home in dict.fromkeys([*own, *homes(path, root, split)]):
        there = sum((home / name).is_file() for name in near)
        if there > most:
            best, most = home, there
    return best


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json" and path.name != _NOTES and path.is_file()


def _is_unknown(path: Path) -> bool:
    return _is_json(path) and not json_kind(path)


def _is_called(path: Path) -> bool:
    """Whether a file has a name that COCO's files have: beside others of COCO it counts though it
    is damaged.
    """
    stem = path.stem
    return stem.startswith("instances_") or stem.endswith(".coco") or is_split(stem)


def _home(root: Path) -> Path:
    """The folder of the annotation files."""
    below = root / "annotations"
    return below if below.is_dir() else root


def _sure(root: Path) -> dict[str, list[Path]]:
    """Split → its files, where one at least is COCO's; one for each as a rule."""
    if not root.is_dir():
        return {}
    home = _home(root)
    files = _among(files_in(home, ".json"))
    instances = [file for file in files if file.stem.startswith("instances_")]
    stems = {file.stem for file in files}
    splits: dict[str, list[Path]] = {}
    for file in instances or files:
        short = _COPY.sub("", file.stem)
        name = short if short in stems else file.stem
        splits.setdefault(name.removeprefix("instances_"), []).append(file)
    if splits and (home != root or _beside(root, splits)):
        return splits
    return _own(root) or (splits if splits and images_in(root) else {})


def _unknown(root: Path) -> dict[str, Path]:
    """Split → its file, of nobody's that is known."""
    if not root.is_dir():
        return {}
    home = _home(root)
    files = [file for file in files_in(home, ".json") if _is_unknown(file)]
    samples = [file for file in files if file.name == _SAMPLES]
    files = samples or files
    instances = [file for file in files if file.stem.startswith("instances_")]
    splits = {file.stem.removeprefix("instances_"): file for file in instances or files}
    return splits if home != root or _beside(root, splits) else {}


def _beside(root: Path, splits: Iterable[str]) -> bool:
    """Whether there is a folder where the images of files at the root may lie."""
    return any((root / name).is_dir() for name in ("images", "data", *splits))


def _among(files: Sequence[Path]) -> list[Path]:
    """Those of some files that are COCO's; with these, those that are called so."""
    sure = {file for file in files if is_coco(file)}
    if not sure:
        return []
    return [file for file in files if file in sure or (_is_called(file) and _is_unknown(file))]


def _own(root: Path) -> dict[str, list[Path]]:
    """Folder → the files in it, of those that are called like splits."""
    folders = [one for one in sorted(root.iterdir()) if one.is_dir() and is_split(one.name)]
    inside = {
        folder: [
            file for place in (folder, folder / "annotations") for file in files_in(place, ".json")
        ]
        for folder in folders
    }
    known = set(_among([file for files in inside.values() for file in files]))
    found = {
        folder.name: _of_objects([file for file in files if file in known])
        for folder, files in inside.items()
    }
    return {split: files for split, files in found.items() if files}


def _of_objects(files: list[Path]) -> list[Path]:
    """Of several files of one split those that hold its objects."""
    for kept in (
        [file for file in files if not file.stem.startswith(_OTHERS)],
        [file for file in files if file.stem.startswith("instances")],
    ):
        files = kept or files
    if len(files) > 1:
        files = [file for file in files if not is_coco(file) or _holds_objects(file)] or files
    return files


def _check_rest(files: Sequence[Path]) -> None:
    """Raise DataError where a file beside those called `instances…` holds objects too."""
    named = {file.parent: file for file in files[::-1] if file.stem.startswith("instances")}
    for folder, file in named.items():
        for other in files_in(folder, ".json"):
            if other.stem.startswith(("instances", *_OTHERS)) or not is_coco(other):
                continue
            if _holds_objects(other):
                raise DataError(
                    "where annotation files are called instances_SPLIT.json, all that hold objects "
                    f"must be; {str(other)!r} lies beside {str(file)!r}. Rename it, join the two "
                    "into one, or move it away.",
                    "two annotation files",
                )


@kept_while_unchanged(64)
def _holds_objects(path: Path) -> bool:
    """Whether a file of COCO's has boxes or outlines, or could have: it may list images without
    objects.
    """
    with (
        opened_regular(path) as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return bool(_OBJECTS.search(content))
