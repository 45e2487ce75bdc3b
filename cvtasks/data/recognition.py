"""Which format a data set has, by what lies at its path, or as it is named."""

import os
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path

from cvtasks.answers import Answer
from cvtasks.data.agreement import agree
from cvtasks.data.download.catalogue import KNOWN, resolve
from cvtasks.data.format import Format
from cvtasks.data.formats import FORMATS
from cvtasks.data.formats.bases.label_tables import doubts_at
from cvtasks.data.formats.class_tree import class_of
from cvtasks.data.formats.listing import IMAGES, images_in, seen, unread_among
from cvtasks.data.formats.mask_guesses import what_lies
from cvtasks.data.formats.places import is_split
from cvtasks.data.formats.yolo_places import holds_labels
from cvtasks.data.hints import Hints
from cvtasks.errors import DataError, did_you_mean, nearest
from cvtasks.tasks import TASKS
from cvtasks.text import counted, some

_TEXTS = (".json", ".xml", ".csv", ".txt", ".tsv", ".yaml", ".yml", ".names", ".data", ".xlsx")
_BESIDE = {"mask-folders", "label-maps"}  # formats of masks that lie beside their images
_TABLES = {"csv", "one-hot-csv"}  # formats in which tables tell labels
_BY_FOLDERS = {"mask-folders", "class-folders"}  # formats in which folders tell labels
_NO_IMAGE = (
    "It holds no image: where they lie elsewhere, move or link their folder into it, as 'images'. "
)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z")
_NO_LABELS = ("readme", "license", "licence", "copying", "attribution")


def recognised(
    path: str, kind: type[Answer], wanted: str, hints: Hints | None = None
) -> tuple[Format, Path]:
    """The format of the data set at `path`, and its root.

    Args:
        path, kind, wanted: as for `open_source` of `cvtasks.data`; `wanted` is its `format`.
        hints: a format that needs one which is given comes before all others, and one that needs
            another is none.

    Raises:
        DataError: nothing is there, its layout is not known, or it may be of several formats.
    """
    root = resolve(path)
    given = hints.given if hints else ()
    called = called_so(wanted, kind)
    fitting = {name: one for name, one in called.items() if one.needs in ("", *given)} or called
    found = [name for name, one in fitting.items() if path and one.is_at(root)]
    found = found or [name for name, one in fitting.items() if path and one.perhaps_at(root)]
    doubts = {name: fitting[name].doubt(root) for name in found}
    sure = [name for name in found if doubts[name] == min(doubts.values())]
    sure = [name for name in found if fitting[name].needs] or sure
    if len(sure) == 1:
        return fitting[sure[0]], root
    if sure and agree(root, [fitting[name] for name in sure], hints):
        others = tuple(fitting[name].name for name in sure[1:])
        return replace(fitting[sure[0]], also=others), root
    if sure:
        names = [f'{fitting[name].name} ("{name}")' for name in sure]
        raise DataError(
            "it must be clear in which format data are; there may be "
            f"{', '.join(names[:-1])} and {names[-1]} in {path!r}. Name the one that is meant "
            "(`data.format`), or move the other's files away.",
            "format unclear",
            ways={"format": sure[0]},
        )
    raise _unrecognised(path, root, kind, wanted, fitting)


def _unrecognised(
    path: str, root: Path, kind: type[Answer], wanted: str, fitting: Mapping[str, Format]
) -> DataError:
    """The error for a place where none of the `fitting` formats lies."""
    if root.suffix.lower() in _ARCHIVES and root.is_file():
        return DataError(
            f"a data set is a folder; {path!r} is an archive. Unpack it, and give the folder.",
            ways={"data": ""},
        )
    if fitting.keys() & _TABLES and (doubt := doubts_at(root)):
        return DataError(f"the labels of {path!r} are not known. {doubt}", "soft labels")
    if not path or not root.is_dir():
        files = " or ".join(sorted({one.file for one in fitting.values() if one.file}))
        what = f"a folder, or its {files}" if files else "a folder"
        return DataError(
            f"a data set is {what}; {path[:300]!r} is none. {_meant(path, root)}Give the path of "
            "one (`data.path` of a recipe), or the name of a data set that `cvtasks data get` "
            "fetches: "
            f"{', '.join(KNOWN)}.",
            ways={"data": ""},
        )
    below = [
        str(child) for child in _whole(root) if any(one.is_at(child) for one in fitting.values())
    ]
    if below:
        several = len(below) > 1
        return DataError(
            f"a data set is the folder in which its own folders lie; {path!r} holds "
            f"{len(below) if several else 'one'} below. Give "
            f"{'one of ' * several}{some([repr(one) for one in below], 3)}."
        )
    if wanted:
        layouts = "; ".join(f"{one.name}: {one.layout}" for one in fitting.values())
        return DataError(
            f"the data must be in the format that is named; {path!r} is not: it needs {layouts}. "
            "Name another one (`data.format`), or none.",
            ways={"format": ""},
        )
    above = [one for one in fitting.values() if root.name and one.file and one.is_at(root.parent)]
    if above:
        return DataError(
            f"a data set is the folder in which its own files lie; that of {path!r} is the folder "
            f"above it ({above[0].name}). Give {str(root.parent)!r}.",
            ways={"data": str(root.parent)},
        )
    masks = what_lies(root) if fitting.keys() & _BESIDE else ""
    others = masks or _of_others(kind, root)
    if pair := _alike_named(root) if fitting.keys() & _BESIDE else ():
        one, other = (str(folder.relative_to(root)) for folder in pair)
        return DataError(
            "images and masks must lie in folders that are called so; "
            f"{one!r} and {other!r} in {path!r} hold images of the same names. If the ones are "
            "masks of the others, call the folders 'images' and 'masks'."
        )
    if not others and _is_bare(root, bool(fitting.keys() & _BY_FOLDERS)):
        return _unlabelled(root, path, "class-folders" in fitting)
    known = others or (
        f"{_none(root)}Known formats: {', '.join(fitting)}. Name one (`data.format`) to be told "
        "what it needs."
    )
    return DataError(
        f"the layout of {path!r} is not known for {kind.__name__.lower()} data. {known}",
        ways={} if others else {"format": ""},
    )


def _whole(root: Path) -> list[Path]:
    """The folders in a folder that may be a data set of their own: no folder of labels, and no
    split beside others.
    """
    folders = sorted(child for child in root.iterdir() if child.is_dir())
    several = sum(is_split(child.name) for child in folders) > 1
    return [
        child
        for child in folders
        if not holds_labels([child.name]) and not (several and is_split(child.name))
    ]


def _none(root: Path) -> str:
    """A sentence and a space for a folder without images that are read; else empty."""
    if images_in(root, deep=True):
        return ""
    unread = unread_among(file for file in root.rglob("*") if seen(file, root))
    return f"It holds only {unread}. " if unread else _NO_IMAGE


def _alike_named(root: Path) -> tuple[Path, ...]:
    """Two folders of which at least half of the images are called alike, where all folders of
    images have one of two names, perhaps in each split; empty where that is not so, or they are
    Pascal VOC's.
    """
    if (root / "SegmentationClass").is_dir():
        return ()
    stems: dict[Path, set[str]] = {}
    for file in images_in(root, deep=True):
        stems.setdefault(file.parent, set()).add(file.stem)
    for one, other in combinations(stems, 2) if len({one.name for one in stems}) == 2 else ():
        if one.name != other.name and 2 * len(stems[one] & stems[other]) >= max(
            len(stems[one]), len(stems[other])
        ):
            return one, other
    return ()


def _is_bare(root: Path, by_folders: bool) -> bool:
    """Whether a folder holds images and nothing that might be their labels: no text or, where
    folders may tell the labels, no second folder of images that is not called like a split.
    """
    files = [file for file in root.rglob("*") if seen(file, root) and file.is_file()]
    folders = {file.parent for file in files if file.suffix.lower() in IMAGES}
    texts = (file for file in files if file.suffix.lower() in _TEXTS)
    told = any(file.stem.casefold() not in _NO_LABELS for file in texts)
    telling = [folder for folder in folders if not is_split(folder.name)]
    return bool(folders) and not told and not (by_folders and len(telling) > 1)


def _unlabelled(root: Path, path: str, by_folders: bool) -> DataError:
    """The error for images without labels; `by_folders`: a folder for each class would do."""
    images = images_in(root, deep=True)
    count, named = counted(len(images), "image"), _named_classes(images, root) if by_folders else ()
    by_name = (
        f"Their names begin with {some(named, 5)}: where these are the classes, set "
        '`data.classes_from = "name"`. '
        if named
        else ""
    )
    way = "Lay those of each class into a folder of its name, or label" if by_folders else "Label"
    return DataError(
        f"images need labels to learn from; {path!r} holds {count}, and no labels. {by_name}"
        f"{way} them in LabelMe, CVAT, Label Studio or the like; a model can begin: "
        f"`cvtasks data prelabel MODEL {shlex.quote(path)}`. Where labels may lie: "
        "docs/formats.md.",
        "no labels",
        ways={"set": "data.classes_from=name"} if named else {},
    )


def _named_classes(images: Sequence[Path], root: Path) -> tuple[str, ...]:
    """The classes that the names of images seem to begin with: several, each of several images."""
    counts = Counter(class_of(image, root, "name") for image in images)
    frequent = sorted(name for name, count in counts.items() if name and count > 1)
    most = len(frequent) >= 2 and sum(counts[name] for name in frequent) > len(images) / 2
    return tuple(frequent) if most else ()


def _of_others(kind: type[Answer], root: Path) -> str:
    """What says for which tasks data are that hold no truths of this kind; empty where that is not
    known either.
    """
    others = [one for one in FORMATS.values() if one.kind is not kind and not one.needs]
    found = next((one for one in others if one.is_at(root)), None)
    if not found:
        return ""
    tasks = [name for name, row in TASKS.items() if row.task.answer is found.kind]
    return (
        f"It holds {found.name}, which are for {' and '.join(tasks)}: take that task, or a model "
        "for it. What others need: docs/formats.md."
    )


def _meant(path: str, root: Path) -> str:
    """A question for the folder that is spelt like a missing one, and a space; empty where there is
    none.
    """
    if not path or os.path.lexists(root):
        return ""
    with suppress(OSError, ValueError):  # a locked folder has no hint, nor a path that cannot be
        near = nearest(root.name, [one.name for one in root.parent.iterdir() if one.is_dir()])
        if near:
            return f"Did you mean {str(root.with_name(near))!r}? "
    return ""


def called_so(wanted: str, kind: type[Answer]) -> dict[str, Format]:
    """The formats of a kind of truth that are called so, or whose names begin so; all of them for
    an empty name. What stands behind a colon is the format's own matter.
    """
    name, _, option = wanted.partition(":")
    rows = {key: one for key, one in FORMATS.items() if one.kind is kind}
    called = [key for key in rows if key == name] or [
        key for key in rows if not name or key.startswith(f"{name}-")
    ]
    if not called:
        raise DataError(
            f"`data.format` names a format of {kind.__name__.lower()} data; got {wanted[:80]!r}. "
            f"{did_you_mean(name, rows)}",
            ways={"format": ""},
        )
    if not option:
        return {key: rows[key] for key in called}
    chosen = {key: choose(option) for key in called if (choose := rows[key].chosen)}
    if not chosen:
        raise DataError(
            f"nothing may stand behind this format's name; got {wanted[:80]!r}. Write "
            f"{name!r} alone.",
            ways={"format": name},
        )
    return chosen
