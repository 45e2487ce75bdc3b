"""The lists of classes that lie among YOLO's labels, and whether they say the same."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.formats.bases.names import LISTS_OF_NAMES, class_names, plain
from cvtasks.data.formats.listing import IMAGES, files_in, images_in
from cvtasks.data.formats.yolo_places import scope
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.yolo import parse_yaml
from cvtasks.text import some

_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "predefined_classes.txt")
NOT_LABELS = frozenset((*_LISTS, *LISTS_OF_NAMES))
"""Texts among labels that belong to no image."""
_USUAL = ("data.yaml", "data.yml", "dataset.yaml")
_NAMES = re.compile(r"""^\s*["']?names["']?\s*:""", re.MULTILINE)
_SPLITS = re.compile(r"""^\s*["']?(train|val|valid|validation|dev|test)["']?\s*:""", re.MULTILINE)
_SHOWN = 5  # classes of a list in a sentence


def yamls_of(root: Path) -> list[Path]:
    """The YAML that describes a data set: the root itself, one of the usual names in it, or else
    every other one there that has `names` and a split.
    """
    if root.is_file():
        return [root] if root.suffix.lower() in (".yaml", ".yml") else []
    usual = [root / name for name in _USUAL if (root / name).is_file()]
    if sure := [path for path in usual if not _of_names_alone(path)]:
        return sure[:1]
    return [path for path in _yamls(root) if _has_names(path) and _SPLITS.search(_text(path))]


@dataclass(frozen=True)
class ListOfClasses:
    """A list of classes, and what its folder's path says of the labels that it is for (`scope`)."""

    path: Path
    scope: tuple[str, ...]
    names: tuple[str, ...]


def lists_of(
    folders: Iterable[Path], root: Path, complain: Complain = strictly
) -> list[ListOfClasses]:
    """The lists of classes in folders of images and labels, and above them up to the root; those
    for most labels first, then those for training.

    Args:
        complain: about a list that cannot be read. If it returns, that is left out.

    Raises:
        DataError: of two lists for the same labels one has a class of the other at another place.
    """
    every = {root, root / "labels"}
    for folder in folders:
        every |= {one for one in (folder, *folder.parents) if one.is_relative_to(root)}
    found: list[ListOfClasses] = []
    for folder in sorted(every, key=lambda one: (len(one.parts), one)):
        for path in _lists_in(folder, root, every):
            try:
                said = scope(folder.relative_to(root).parts)
                found.append(ListOfClasses(path, said, _names(path)))
            except DataError as error:
                complain(error)
    found.sort(key=lambda one: (len(one.scope), not _to_train(one)))
    for index, one in enumerate(found):
        for upper in found[:index]:
            if one.scope[: len(upper.scope)] == upper.scope:
                refuse_other_order(upper.path, upper.names, one.path, one.names)
    return found


def refuse_other_order(
    path: Path, names: Sequence[str], other: Path, others: Sequence[str]
) -> None:
    """Raise a DataError if a class has another number in one list than in another; lists that call
    the same numbers otherwise pass.
    """
    numbers = {plain(name): number for number, name in enumerate(names)}
    if any(numbers.get(plain(name), number) != number for number, name in enumerate(others)):
        raise DataError(
            "the numbers of YOLO's labels must mean one list of classes; "
            f"{str(path)!r} lists {some(list(names), _SHOWN)}, {str(other)!r} lists "
            f"{some(list(others), _SHOWN)}. Remove the one by which the labels were not written.",
            "classes unclear",
        )


def begins(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether one of two lists is the beginning of the other: numbers mean the same in both."""
    return all(map(str.__eq__, map(plain, names), map(plain, others)))


def _lists_in(folder: Path, root: Path, folders: Iterable[Path]) -> list[Path]:
    """The lists of classes in a folder: the first of those that tools write; at the root also under
    a less usual name, and YAMLs that have `names` and no split.

    Args:
        folders: all in which images may lie.
    """
    usual = [
        folder / name
        for name in _LISTS
        if (folder / name).is_file() and not _labels_an_image(folder / name, folders)
    ]
    found = usual[:1] or files_in(folder, ".names")
    if folder == root:
        found = found or [folder / name for name in LISTS_OF_NAMES if _is_list(folder / name)][:1]
        found += [path for path in _yamls(root) if _of_names_alone(path)]
    return found


def _labels_an_image(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a text that is called like a list of classes has the objects, or no object, of an
    image of its name.
    """
    if path.suffix.lower() != ".txt":
        return False
    with suppress(DataError):
        lines = [line for line in read_text(path, MEGABYTE).splitlines() if line.strip()]
        return all(map(is_label, lines)) and any(
            image.stem == path.stem
            for folder in folders
            if folder.is_dir()
            for image in images_in(folder)
        )
    return False


def is_label(line: str) -> bool:
    """Whether a line is a class and four numbers or more."""
    fields = line.split()
    try:
        return len(fields) >= 5 and float(fields[0]) % 1 == 0 and bool([*map(float, fields)])
    except ValueError:
        return False


def _to_train(one: ListOfClasses) -> bool:
    return any(part.startswith("train") for part in one.scope)


def _names(path: Path) -> tuple[str, ...]:
    if path.suffix.lower() in (".yaml", ".yml"):
        return parse_yaml(read_text(path, MEGABYTE), str(path)).classes
    return class_names(path)


def _is_list(path: Path) -> bool:
    """Whether a text names classes: no images, nor boxes."""
    with suppress(DataError):
        names = class_names(path) if path.is_file() else ()
        return bool(names) and not any(
            Path(name).suffix.lower() in IMAGES or len(name.split()) > 4 for name in names
        )
    return False


def _yamls(root: Path) -> list[Path]:
    return [*files_in(root, ".yaml"), *files_in(root, ".yml")]


def _has_names(path: Path) -> bool:
    return bool(_NAMES.search(_text(path)))


def _of_names_alone(path: Path) -> bool:
    return _has_names(path) and not _SPLITS.search(_text(path))


def _text(path: Path) -> str:
    """A YAML; nothing where it cannot be read."""
    with suppress(DataError):
        return read_text(path, MEGABYTE)
    return ""
