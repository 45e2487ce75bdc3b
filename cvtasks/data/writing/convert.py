"""A data set, written anew in another format. What was there is not touched."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from cvtasks.answers import Answer, Boxes, Labels, Mask
from cvtasks.data.source import Source
from cvtasks.data.writing.files import copy_images, new_path, write_new
from cvtasks.data.writing.table import WRITERS
from cvtasks.data.writing.writer import Classes, How, Labelled, Writer
from cvtasks.errors import DataError, UsageError, did_you_mean
from cvtasks.files.writing import folder_held
from cvtasks.text import listed


def writers_of(kind: type[Answer]) -> list[str]:
    """The names of the formats that hold answers of a kind."""
    return [name for name in WRITERS if writer_of(name, kind)]


def writer_of(name: str, kind: type[Answer]) -> Writer | None:
    """What writes answers of a kind in the format of that name; None if it cannot hold them."""
    named: Writer = resolve_name(WRITERS[name])
    return named.of(kind)


def convert(source: Source, to: str, folder: Path, split: str) -> list[str]:
    """Write the samples of `source` into `folder` as the split of that name, their images byte for
    byte.

    The folder may hold other splits with the same classes. Lists and JSON come last, so that what
    was broken off is no split.

    Args:
        source: its images are files. to: one of `WRITERS`.

    Returns:
        What the format cannot say, in sentences with counts.

    Raises:
        UsageError: an unknown format, or one that cannot hold such truths; it has no such split, or
            images are no files.
        DataError: the split exists, has other classes than the folder's, two images would get one
            name, another file has a name that is needed, or a truth of the source cannot be used.
        OutputError: the folder cannot be written, or another run writes into it.
    """
    writer = _writer(source, to)
    layout = writer.layout
    if not split or Path(split).name != split or split not in (layout.splits or (split,)):
        known = f"one of {', '.join(layout.splits)}" if layout.splits else "a plain word"
        raise UsageError(
            f"the split of a {to} data set must be {known}; got {split!r}. Give it another name."
        )
    classes, remarks = source.classes, list[str]()
    if layout.in_lines:
        classes, remarks = _in_lines(classes, to)
    found = (cast("Boxes | Labels | Mask", source.truth(index)) for index in range(len(source)))
    truths: list[Answer] = [replace(truth, classes=classes) for truth in found]
    with folder_held(folder):
        _write(source, truths, writer, folder, How(classes, split=split))
    for loss in writer.losses.get(source.kind, ()):
        lost = sum(map(loss.count, truths))
        remarks += [f"{loss.said}: {lost}"] if lost else []
    return remarks


def no_writer(kind: type[Answer]) -> str:
    """The error where no format holds answers of a kind."""
    return (
        f"annotations are written of the kinds that a format holds; {kind.__name__} has none. "
        "What a model says is saved as records, in JSON Lines."
    )


def _writer(source: Source, to: str) -> Writer:
    """The format of that name."""
    if to not in WRITERS:
        raise UsageError(
            f"a data set is written as one of {', '.join(WRITERS)}; got {to!r}. "
            f"{did_you_mean(to, WRITERS)}"
        )
    writer = writer_of(to, source.kind)
    if not writers_of(source.kind):
        raise UsageError(no_writer(source.kind))
    if writer is None:
        raise UsageError(
            f"a data set of {source.kind.__name__} is written as one of "
            f"{', '.join(writers_of(source.kind))}; {to!r} cannot hold it. Choose "
            "one of these."
        )
    if len(source.files) < len(source):
        raise UsageError(
            f"images that are files can be written anew; {source.format} has many in one. Give "
            "other data."
        )
    return writer


def _write(source: Source, truths: list[Answer], writer: Writer, folder: Path, how: How) -> None:
    layout, split = writer.layout, how.split
    new_path(folder / layout.claims(split))
    writer.begins(folder, how.classes, split, ())
    copies = copy_images(source, folder / layout.images(split))

    def images() -> Iterator[Labelled]:
        for copy, truth in zip(copies, truths, strict=True):
            yield Labelled(copy.name, copy, truth)

    for name, content in writer.writes[source.kind](images(), how):
        write_new(folder / layout.files(split) / name, content)
    writer.ends(folder, how.classes, split, [copy.name for copy in copies])


def _in_lines(classes: Classes, to: str) -> tuple[Classes, list[str]]:
    """The names as formats, of which `to` is one, can hold them that write them in lines, and a
    remark where that is not as they were.

    JSON and YAML hold any name; XML and a list of lines hold none with control characters, or with
    space around it.
    """
    written = tuple(map(listed, classes))
    changed = [name for name, line in zip(classes, written, strict=True) if name != line]
    if len(set(written)) < len(written):
        raise DataError(
            f'the format "{to}" has every name in one line; of the classes '
            f"{', '.join(map(repr, classes))} two would be the same. "
            "Rename one."
        )
    remark = f'the format "{to}" has names in one line; characters of these were escaped'
    return written, [f"{remark}: {len(changed)}"] if changed else []
