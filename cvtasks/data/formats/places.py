"""Where data sets keep things: folders that are called after a split or after what lies in them,
and which image and annotation file belong together.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cvtasks.data.formats.listing import IMAGES, folders_below, is_seen, seen
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.text import agreeing, counted, some

_ROLES = {
    *("images", "image", "imgs", "img", "jpegimages", "photos", "data", "image_2"),
    *("annotations", "annotation", "anns", "ann", "labels", "label", "label_2"),
    *("xml", "xmls", "json", "jsons", "bbox", "bboxes", "csv"),
}
"""Names of folders that say what lies in them."""

UNREAD = "annotations outside the folders of splits, or in folders of other names, were not read"
"""A note, before the folders and how many files are there."""

_SPLIT = re.compile(
    r"(train|training|trainval|val|valid|validation|dev|test|testing)([-_ ]?\d{1,4})?",
    re.IGNORECASE,
)
_PURPOSES = {
    **dict.fromkeys(("train", "training"), frozenset({"train"})),
    **dict.fromkeys(("val", "valid", "validation", "dev"), frozenset({"val"})),
    **dict.fromkeys(("test", "testing"), frozenset({"test"})),
    "trainval": frozenset({"train", "val"}),
}
_OF_IMAGES = re.compile(
    r"(.+?)[-_ ]?(?:images?|imgs?|photos?|data|set)|(?:images?|imgs?|photos?)[-_ ](.+)",
    re.IGNORECASE,
)
_WORD = re.compile(r"(?<![a-z])(train|val|valid|validation|test)(?![a-z])", re.IGNORECASE)
_DEEP = 3  # folders in each other that are looked into
_TRIED = 3  # files of a folder that are looked at


def is_split(name: str) -> bool:
    """Whether a folder is called like a split.

    >>> [is_split(name) for name in ("train", "Valid", "val2017", "trains", "cats")]
    [True, True, True, False, False]
    """
    return bool(_SPLIT.fullmatch(name))


def in_no_split(images: Sequence[str]) -> tuple[str, ...]:
    """A note on images that have no split where others have one, as the data name them.

    >>> in_no_split(["3.jpg"]), in_no_split([])
    (('1 image is in no split, and is not used: 3.jpg. Give each a split',), ())
    """
    if not images:
        return ()
    told, agrees = some([name[:80] for name in images], 3), agreeing(len(images))
    return (
        f"{counted(len(images), 'image')} {agrees} in no split, and {agrees} not used: {told}. "
        "Give each a split",
    )


def roles_of_split(name: str) -> frozenset[str]:
    """What a split of a name is for: `train`, `val`, `test`, or several of them; nothing where the
    name is no split's.

    >>> [sorted(roles_of_split(name)) for name in ("Valid", "trainval", "test2017", "cats")]
    [['val'], ['train', 'val'], ['test'], []]
    """
    match = _SPLIT.fullmatch(name)
    return _PURPOSES[match[1].casefold()] if match else frozenset()


@lru_cache(maxsize=1 << 12)
def split_called(folder: str) -> str:
    """The split that a folder is called after; empty for none.

    >>> [split_called(name) for name in ("Train", "test_images", "images-val", "test_tube")]
    ['Train', 'test', 'val', '']
    """
    match = _OF_IMAGES.fullmatch(folder)
    name = next(filter(None, match.groups())) if match else folder
    return name if is_split(name) else ""


def _both(name: str) -> tuple[str, ...]:
    """The split and what lies in it, where a folder's name says both; else nothing.

    >>> _both("train_images"), _both("labels-val"), _both("train")
    (('train', 'images'), ('val', 'labels'), ())
    """
    front, _, back = re.sub("[- ]", "_", name).rpartition("_")
    for split, role in ((front, back), (back, front)):
        if is_split(split) and role.lower() in _ROLES:
            return split, role
    return ()


def split_in(stem: str) -> str:
    """The split that the name of a file speaks of; empty where it speaks of none, or of two.

    >>> split_in("train_labels"), split_in("oidv6-train-annotations-bbox"), split_in("via_data")
    ('train', 'train', '')
    """
    words = {word.group() for word in _WORD.finditer(stem)}
    return words.pop() if len(words) == 1 else ""


def places(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder where parts of a data set may lie, and the names of the files in it, sorted: the
    root, and those below it that are called like a split or after what lies in them.
    """
    waiting = [(root, 0)]
    while waiting:
        folder, deep = waiting.pop(0)
        with os.scandir(folder) as found:
            entries = sorted((one for one in found if is_seen(one.name)), key=lambda e: e.name)
        yield folder, [one.name for one in entries if not one.is_dir()]
        if deep < _DEEP:
            waiting += [
                (folder / one.name, deep + 1)
                for one in entries
                if one.is_dir()
                and (is_split(one.name) or one.name.lower() in _ROLES or _both(one.name))
            ]


IsOwn = Callable[[Path], bool]
"""Whether an annotation file in a folder of any name has its image where it says, so that it is
none of something else.
"""


def files_of(root: Path, endings: tuple[str, ...], is_own: IsOwn | None = None) -> Iterator[Path]:
    """The files of such endings in the places of a root; `is_own` as of `paired`."""
    for folder, names in _places_of(root, endings, is_own):
        yield from (folder / name for name in names if name.lower().endswith(endings))


def undivided_below(root: Path) -> list[tuple[Path, list[str]]]:
    """The folders of any name below a root whose classes.txt speaks for all of them, each with the
    names of its files, as files are written that a model has labelled; none where there is no such
    file, or one of the folders is called like a split.
    """
    if not (root / "classes.txt").is_file():
        return []
    found = []
    for folder, names in folders_below(root):
        if any(is_split(part) or _both(part) for part in folder.relative_to(root).parts[-1:]):
            return []
        found.append((folder, sorted(name for name in names if is_seen(name))))
    return found[1:]


def _places_of(
    root: Path, endings: tuple[str, ...], is_own: IsOwn | None
) -> Iterator[tuple[Path, list[str]]]:
    """The places of a root, and the folders of any name in which files have their images."""
    known = set()
    for folder, names in places(root):
        known.add(folder)
        yield folder, names
    for folder, names in undivided_below(root) if is_own else ():
        files = [folder / name for name in names if name.lower().endswith(endings)]
        if is_own and folder not in known and any(map(is_own, files[:_TRIED])):
            yield folder, names


@dataclass
class Paired:
    """The images of a split and their annotation files, by what both are called.

    Attributes:
        images, annotations: name → the files that have it.
    """

    images: dict[str, list[Path]] = field(default_factory=dict)
    annotations: dict[str, list[Path]] = field(default_factory=dict)


def paired(root: Path, endings: tuple[str, ...], is_own: IsOwn | None = None) -> dict[str, Paired]:
    """The splits of a root whose annotation files have one of these endings.

    A file's name is its path without its ending, and without folders that are called after what
    lies in them: `images/train/a.jpg`, `train/annotations/a.xml` and `train_labels/a.xml` belong
    together. The first folder of it that is called like a split is the split. Where there are none,
    all is one split without a name. A split without any annotation file is none. Where only the
    images, or only the annotations, lie in folders of splits, the others are of the split that has
    their name.

    Args:
        is_own: with it, folders of any name are looked into where `undivided_below` says so, and
            one of their first files is its own.
    """
    splits: dict[str, Paired] = {}
    for folder, names in _places_of(root, endings, is_own):
        whole = folder.relative_to(root).parts
        parts = [part for name in whole for part in _both(name) or (name,)]
        split = next((part for part in parts if is_split(part)), "")
        own = [part for part in parts if part.lower() not in _ROLES and part != split]
        for name in names:
            path, lower = folder / name, name.lower()
            key = "/".join([*own, path.stem])
            found = splits.setdefault(split, Paired())
            if path.suffix.lower() in IMAGES:
                found.images.setdefault(key, []).append(path)
            elif lower.endswith(endings):
                found.annotations.setdefault(key, []).append(path)
    _dealt_out(splits)
    annotated = {name: one for name, one in splits.items() if one.annotations}
    named = {name: one for name, one in annotated.items() if name}
    return named or annotated


def _dealt_out(splits: dict[str, Paired]) -> None:
    """Give images, or annotations, that lie outside the folders of splits to the split in which the
    others of their names are, where all the others are in one.
    """
    rest = splits.get("")
    named = [one for name, one in splits.items() if name]
    if rest is None or not named:
        return
    for own, others in (("annotations", "images"), ("images", "annotations")):
        waiting: dict[str, list[Path]] = getattr(rest, own)
        apart = not getattr(rest, others) and not any(getattr(one, own) for one in named)
        for key in list(waiting) if apart else ():
            fitting = [one for one in named if key in getattr(one, others)]
            if len(fitting) == 1:
                getattr(fitting[0], own)[key] = waiting.pop(key)
        if apart and own == "annotations":  # of no image: told with those of the first split
            named[0].annotations.update(waiting)
            waiting.clear()


def unread(
    root: Path,
    endings: tuple[str, ...],
    is_one: Callable[[Path], bool],
    is_own: IsOwn | None = None,
) -> tuple[str, ...]:
    """Notes on annotation files that belong to no split of `paired`: outside the folders of splits,
    where there are such, and in folders that are not looked into.

    Args:
        is_one: whether a file is of the format; asked about the first of each folder.
        is_own: as of `paired`.
    """
    splits = paired(root, endings, is_own)
    found = list(_places_of(root, endings, is_own))
    known = {
        file for one in splits.values() for files in one.annotations.values() for file in files
    }
    inside = {folder for folder, _ in found}
    others = [
        (folder, names)
        for place, _ in found
        for folder, names in _folders_below(place)
        if folder not in inside
    ]
    said = {}
    for folder, names in [*found, *others]:
        files = [folder / name for name in names if name.lower().endswith(endings)]
        left = [file for file in files if file not in known]
        if left and is_one(left[0]):
            within = folder.relative_to(root).as_posix()
            said[f"{within}/" if within != "." else "the folder itself"] = len(left)
    if not said:
        return ()
    where = some([f"{folder} ({count})" for folder, count in said.items()], 5)
    return (f"{UNREAD}: {where}",)


def _folders_below(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """The folders in a folder, none deeper, and the names of their files, sorted."""
    for one in sorted(folder.iterdir()):
        if one.is_dir() and seen(one):
            yield one, sorted(file.name for file in one.iterdir() if seen(file))


def pairs(
    found: Paired, complain: Complain = strictly
) -> Iterator[tuple[Path | None, Path | None]]:
    """The image and the annotation file of each name, sorted; one of them may be missing.

    Args:
        complain: about a name that several have. If it returns, the name is left out.
    """
    for key in sorted({*found.images, *found.annotations}):
        images, files = found.images.get(key, []), found.annotations.get(key, [])
        if max(len(images), len(files)) > 1:
            shared = images if len(images) > 1 else files
            complain(
                DataError(
                    "every image needs a name and an annotation file of its own; "
                    f"{' and '.join(repr(str(one)) for one in shared[:2])} share one. Remove or "
                    "rename one.",
                    "images share a name",
                )
            )
            continue
        yield next(iter(images), None), next(iter(files), None)


def without_image(file: Path | None) -> DataError:
    """The error for an annotation file that belongs to no image."""
    return DataError(
        f"an annotation needs the image of its name; {str(file)!r} has none. Add it, or remove the "
        "file.",
        "image missing",
    )


def homes(file: Path, root: Path, split: str) -> list[Path]:
    """Folders in which the images of an annotation file may lie, the likeliest first."""
    names = [split, file.stem.removeprefix("instances_")]
    names = list(dict.fromkeys(name for name in names if name))
    found: list[Path] = []
    for base in dict.fromkeys((file.parent, file.parent.parent, root)):
        if not base.is_relative_to(root):
            continue
        inner = [base / name for name in names]
        inner += [base / role / name for role in ("images", "data", "train") for name in names]
        found += [*inner, base / "images", base / "JPEGImages", base / "data", base / "img", base]
    return list(dict.fromkeys(home for home in found if home.is_dir()))
