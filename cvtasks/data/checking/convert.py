"""A data set for detection, written anew in another format. What was there is not touched."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.data.checking.writers import WRITERS
from cvtasks.data.source import Source
from cvtasks.errors import DataError, UsageError, did_you_mean
from cvtasks.files.writing import folder_held, made_beside, publish, write_bytes, write_text
from cvtasks.formats.coco import coco_document
from cvtasks.formats.reading import read_text, readable
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import SPLITS, parse_yaml, yolo_text, yolo_yaml
from cvtasks.media.names import safe_stem
from cvtasks.text import dumps, encodable, listed


def convert(source: Source, to: str, folder: Path, split: str) -> list[str]:
    """Write the samples of `source` into `folder` as the split of that name, their images byte for
    byte.

    The folder may hold other splits with the same classes. Lists and JSON come last, so that what
    was broken off is no split.

    Args:
        source: its truths are boxes, its images files. to: one of `WRITERS`.

    Returns:
        What the format cannot say, in sentences with counts.

    Raises:
        UsageError: an unknown format, the format has no such split, or truths are no boxes.
        DataError: the split exists, has other classes than the folder's, two images would get one
            name, another file has a name that is needed, or a truth of the source cannot be used.
        OutputError: the folder cannot be written, or another run writes into it.
    """
    if to not in WRITERS:
        raise UsageError(
            f"a data set is written as one of {', '.join(WRITERS)}; got {to!r}. "
            f"{did_you_mean(to, WRITERS)}"
        )
    writer: Writer = resolve_name(WRITERS[to])
    if not split or Path(split).name != split or split not in (writer.splits or (split,)):
        known = f"one of {', '.join(writer.splits)}" if writer.splits else "a plain word"
        raise UsageError(
            f"the split of a {to} data set must be {known}; got {split!r}. Give it another name."
        )
    if not issubclass(source.kind, Boxes):
        raise UsageError(
            f"data of boxes can be written anew; {source.format} holds {source.kind.__name__}. "
            "Give other data."
        )
    classes, remarks = _in_lines(source.classes) if writer.in_lines else (source.classes, [])
    boxes = (cast("Boxes", source.truth(index)) for index in range(len(source)))
    truths = [replace(truth, classes=classes) for truth in boxes]
    with folder_held(folder):
        writer.write(source, classes, truths, folder, split)
    lost = sum(int(writer.lost(truth).sum()) for truth in truths) if writer.lost else 0
    return [*remarks, *([f"{writer.loss}: {lost}"] if lost else [])]


def _write_voc(
    source: Source, classes: tuple[str, ...], truths: list[Boxes], folder: Path, split: str
) -> None:
    listed = new_path(folder / "ImageSets" / "Main" / f"{split}.txt")
    settle_classes(folder / "classes.txt", classes)
    images = copy_images(source, folder / "JPEGImages")
    for image, truth in zip(images, truths, strict=True):
        write_new(folder / "Annotations" / f"{image.stem}.xml", voc_xml(truth, image.name))
    write_new(listed, "".join(f"{image.stem}\n" for image in images))


def _write_coco(
    source: Source, classes: tuple[str, ...], truths: list[Boxes], folder: Path, split: str
) -> None:
    path = new_path(folder / "annotations" / f"instances_{split}.json")
    names = [image.name for image in copy_images(source, folder / "images" / split)]
    write_new(path, dumps(coco_document(zip(names, truths, strict=True), classes)) + "\n")


def _write_yolo(
    source: Source, classes: tuple[str, ...], truths: list[Boxes], folder: Path, split: str
) -> None:
    yaml, splits = folder / "data.yaml", {split}
    new_path(folder / "images" / split)
    if yaml.is_file():
        there = parse_yaml(read_text(yaml), str(yaml))
        _agree(yaml, there.classes, classes)
        splits |= there.splits.keys()
        if read_text(yaml) != yolo_yaml(classes, _in_order(there.splits)):
            raise DataError(
                f"{str(yaml)!r} is not as `data convert` writes it, and would lose by it. Choose "
                "another folder."
            )
    for image, truth in zip(copy_images(source, folder / "images" / split), truths, strict=True):
        write_new(folder / "labels" / split / f"{image.stem}.txt", yolo_text(truth))
    write_text(yaml, yolo_yaml(classes, _in_order(splits)))


def _in_lines(classes: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The names as Pascal VOC can hold them, and a remark where that is not as they were.

    JSON and YAML hold any name; XML and a list of lines hold none with control characters, or with
    space around it.
    """
    written = tuple(map(listed, classes))
    changed = [name for name, line in zip(classes, written, strict=True) if name != line]
    if len(set(written)) < len(written):
        raise DataError(
            "Pascal VOC writes every name in one line; of the classes "
            f"{', '.join(map(repr, classes))} two would be the same. "
            "Rename one."
        )
    remark = (
        f"Pascal VOC writes names in one line; characters of these were escaped: {len(changed)}"
    )
    return written, [remark] if changed else []


def _in_order(splits: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in SPLITS if name in splits)


def new_path(path: Path) -> Path:
    """The path; DataError where something has it."""
    if os.path.lexists(path):
        raise DataError(
            f"{str(path)!r} exists, and nothing is overwritten. Choose another folder or name of "
            "the split."
        )
    return path


def settle_classes(path: Path, classes: tuple[str, ...]) -> None:
    """Write the list of the classes; one that is there must say the same, DataError otherwise."""
    if path.exists():
        _agree(path, tuple(read_text(path).splitlines()), classes)
    else:
        write_new(path, "".join(f"{name}\n" for name in classes))


def _agree(path: Path, there: tuple[str, ...], classes: tuple[str, ...]) -> None:
    if there != classes:
        raise DataError(
            f"all splits of a data set have the same classes; {str(path)!r} says "
            f"{', '.join(there)}, the new one has "
            f"{', '.join(classes)}. Choose another folder."
        )


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
        if _clash(stems)
        else []
    )
    if twice:
        raise DataError(
            f"every image needs a name of its own; {' and '.join(twice[:2])} would share one. "
            "Rename an image."
        )
    for image, copy in zip(source.files, copies, strict=True):
        with readable(image):
            content = image.read_bytes()
        write_new(copy, content, f"another image than {str(image)!r}")
    return copies


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


def _clash(stems: list[str]) -> bool:
    return len(set(stems)) < len(stems)


@dataclass(frozen=True)
class Writer:
    """A format that data sets of boxes are written in.

    Attributes:
        write: (source, classes, truths, folder, split) → nothing; writes them.
        splits: the only names that splits can have; empty if any will do.
        in_lines: whether names of classes stand in lines, which hold no control characters.
        lost: truth → (n,) bool: the objects that it cannot say, and `loss`, what becomes of them.
    """

    write: Callable[[Source, tuple[str, ...], list[Boxes], Path, str], None]
    splits: tuple[str, ...] = ()
    in_lines: bool = False
    lost: Callable[[Boxes], np.ndarray] | None = None
    loss: str = ""


VOC = Writer(
    _write_voc,
    in_lines=True,
    lost=lambda truth: truth.crowd,
    loss="Pascal VOC knows no crowds, these became difficult",
)
COCO = Writer(_write_coco)
YOLO = Writer(
    _write_yolo,
    splits=SPLITS,
    lost=lambda truth: ~truth.counted,
    loss="YOLO knows neither difficult objects nor crowds, these were left out",
)
