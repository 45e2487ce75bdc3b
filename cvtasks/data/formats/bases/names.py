"""Names of classes and of samples."""

import os
from collections.abc import Mapping
from pathlib import Path

from cvtasks.errors import DataError
from cvtasks.formats.reading import read_text
from cvtasks.text import encodable, some


def class_names(path: Path) -> tuple[str, ...]:
    """The lines of a `classes.txt`, without empty ones.

    Raises:
        DataError: it cannot be read, names nothing, or a class twice.
    """
    names = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"{str(path)!r} must name one class a line, each once; got "
            f"{', '.join(names) or 'none'}."
        )
    return names


def distinct(paths: list[Path], root: Path) -> list[str]:
    """A name for each image that no other has: its stem where these differ, else its path from
    `root`, or the way there from it, without its ending if that will do. What of it is no UTF-8 is
    escaped (`cvtasks.text.encodable`).
    """
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return list(map(encodable, stems))
    whole = [Path(os.path.relpath(path, root)) for path in paths]
    for names in (
        [path.with_suffix("").as_posix() for path in whole],
        [path.as_posix() for path in whole],
    ):
        if len(set(names)) == len(names):
            break
    return list(map(encodable, names))


def no_object(root: Path) -> DataError:
    """The error for a data set of which neither a list nor an object tells a class."""
    return DataError(
        f"a data set needs at least one object; the annotations of {str(root)!r} have none. "
        "Label its images, or list its classes in classes.txt, one a line."
    )


_SHOWN = 20  # names in a sentence


def spelt(counts: Mapping[str, int], where: str) -> tuple[tuple[str, ...], str]:
    """The classes that names of objects stand for, sorted, and what was concluded, in a sentence.

    Of names that differ in case, spaces, `-` and `_` alone, only the most frequent is a class, and
    an empty one is none.

    Args:
        counts: name → its objects. where: they were found, in words.
    """
    found: dict[str, str] = {}
    for name in sorted(filter(None, counts), key=lambda name: (-counts[name], name)):
        found.setdefault(plain(name), name)
    own = tuple(sorted(found.values()))
    shown = some([f"{name} ({counts[name]})" for name in own], _SHOWN)
    return (
        own,
        f"no classes.txt, so the classes are the names in {where}, with their objects: {shown}",
    )


def plain(name: str) -> str:
    """The name without case, spaces, hyphens and underscores."""
    return "".join(name.casefold().replace("-", " ").replace("_", " ").split())
