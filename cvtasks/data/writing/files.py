"""The files of a data set that is written: none is replaced, and splits agree about classes."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from cvtasks.data.source import Source
from cvtasks.data.writing.writer import Classes
from cvtasks.errors import DataError
from cvtasks.files.writing import made_beside, publish, write_bytes, write_text
from cvtasks.formats.reading import read_text, readable
from cvtasks.formats.yolo import SPLITS, parse_yaml, yolo_yaml
from cvtasks.media.names import safe_stem
from cvtasks.text import encodable

CLASSES, YAML = "classes.txt", "data.yaml"


def new_path(path: Path) -> Path:
    """The path; DataError where something has it."""
    if os.path.lexists(path):
        raise DataError(
            f"{str(path)!r} exists, and nothing is overwritten. Choose another folder or name of "
            "the split."
        )
    return path


def settle_classes(
    folder: Path, classes: Classes, split: str = "", names: Sequence[str] = ()
) -> None:
    """Write the list of the classes; one that is there must say the same, DataError otherwise."""
    path = folder / CLASSES
    if path.exists():
        _agree(path, tuple(read_text(path).splitlines()), classes)
    else:
        write_new(path, "".join(f"{name}\n" for name in classes))


def check_yaml(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Raise DataError if the folder's YAML has other classes, or more than is written here."""
    _yaml_splits(folder, classes)


def settle_yaml(folder: Path, classes: Classes, split: str, names: Sequence[str]) -> None:
    """Write the YAML of YOLO's data set, with the splits that it had and the new one, which is the
    one to train on unless it has a name.
    """
    splits = {split or "train", *_yaml_splits(folder, classes)}
    write_text(folder / YAML, yolo_yaml(classes, _in_order(splits)))


def copy_images(source: Source, folder: Path) -> list[Path]:
    """Copy the images, each called after its sample, by a name that every system allows; returns
    the copies.

    One that is there already must be the same.
    """
    copies = [
        folder / f"{safe_stem(source.name(index).replace('/', '-'))}{path.suffix.lower()}"
        for index, path in enumerate(source.files)
    ]
    stems = [copy.stem.casefold() for copy in copies]
    twice = (
        [copy.name for copy, stem in zip(copies, stems, strict=True) if stems.count(stem) > 1]
        if len(set(stems)) < len(stems)
        else []
    )
    if twice:
        raise DataError(
            f"every image needs a name of its own; {' and '.join(twice[:2])} would share one. "
            "Rename an image."
        )
    for image, copy in zip(source.files, copies, strict=True):
        copy_image(image, copy)
    return copies


def copy_image(image: Path, copy: Path) -> None:
    """Copy an image byte for byte; one that is there already must be the same."""
    with readable(image):
        content = image.read_bytes()
    write_new(copy, content, f"another image than {str(image)!r}")


def write_new(
    path: Path, content: str | bytes, otherwise: str = "another file than the one to be written"
) -> None:
    """Write a file of a name that is free; one that is there already must be the same, byte for
    byte.
    """
    content = encodable(content).encode() if isinstance(content, str) else content
    if not os.path.lexists(path):
        with made_beside(path.parent) as place:
            write_bytes(place / "made", content)
            with suppress(FileExistsError):  # it appeared just now: it is looked at like any other
                publish({place / "made": path})
                return
    if not path.is_file() or path.read_bytes() != content:
        raise DataError(f"{str(path)!r} exists and is {otherwise}. Choose another folder.")


def _yaml_splits(folder: Path, classes: Classes) -> tuple[str, ...]:
    """The splits of the folder's YAML; none where it has none."""
    yaml = folder / YAML
    if not yaml.is_file():
        return ()
    there = parse_yaml(read_text(yaml), str(yaml))
    _agree(yaml, there.classes, classes)
    if read_text(yaml) != yolo_yaml(classes, _in_order(there.splits)):
        raise DataError(
            f"{str(yaml)!r} is not as it is written here, and would lose by it. Choose another "
            "folder."
        )
    return tuple(there.splits)


def _in_order(splits: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in SPLITS if name in splits)


def _agree(path: Path, there: Classes, classes: Classes) -> None:
    if there != classes:
        raise DataError(
            f"all splits of a data set have the same classes; {str(path)!r} says "
            f"{', '.join(there)}, the new one has "
            f"{', '.join(classes)}. Choose another folder."
        )
