"""Names of classes and of samples."""

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in
from cvtasks.errors import DataError
from cvtasks.formats.cell_kinds import has_fraction
from cvtasks.formats.reading import MEGABYTE, is_number, read_text
from cvtasks.media.file_types import SUFFIXES
from cvtasks.text import class_name, composed, encodable, some


def class_names(path: Path) -> tuple[str, ...]:
    """The lines of a `classes.txt`, without empty ones.

    Raises:
        DataError: it cannot be read, names nothing, or a class twice.
    """
    names = tuple(composed(line.strip()) for line in read_text(path).splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        raise DataError(
            f"{str(path)!r} must name one class a line, each once; got "
            f"{', '.join(names) or 'none'}."
        )
    return names


LISTS_OF_NAMES = ("classes.txt", "names.txt", "labels.txt", "class_names.txt", "label_names.txt")
"""Files that name the classes which numbers mean."""
LINE = re.compile(
    rf"(?P<image>.*?(?:{'|'.join(map(re.escape, SUFFIXES))}))\"?"
    r"(?:\s*[,;\t]\s*|\s+)(?P<label>\S.*)",
    re.IGNORECASE,
)
"""A line of an image and its label."""
LOOKED_AT = 5
"""Lines by which a list is told from other texts."""
_NUMBERED = re.compile(r"(\d{1,9})\s*[\s:,;=]\s*(\S.*)", re.ASCII)
_MOST = 4 * MEGABYTE  # of a JSON that names classes


def is_class_number(text: str) -> bool:
    """Whether a text is a number that a class may have: digits, nine at most.

    >>> [is_class_number(text) for text in ("0", "-1", "1" * 5000)]
    [True, False, False]
    """
    return text.isdecimal() and len(text) < 10


def numbered_classes(
    root: Path, labels: Collection[str]
) -> tuple[tuple[str, ...], dict[str, int], str]:
    """The classes that labels mean, label → index of its class, and what was concluded.

    A list of names at the root names the classes, also those of numbers, counted from 0 or as the
    list itself numbers them (`1 cat`); so does a JSON there that has a name for each label. Else
    the labels are the classes, sorted, numbers by their size.

    Raises:
        DataError: a list cannot be read, or names a class twice.
    """
    file = _list_of_names(root)
    numbers = bool(labels) and all(map(is_class_number, labels))
    if file is not None:
        classes = class_names(file)
        named = _by_number(classes)
        if (
            named
            and not set(labels) <= set(classes)
            and (numbers or {*labels} <= {*named.values()})
        ):
            pairs = enumerate(named.items())
            places = {word: place for place, words in pairs for word in reversed(words)}
            return tuple(named.values()), places, ""
        if numbers and not set(labels) <= set(classes):
            return classes, {str(number): number for number in range(len(classes))}, ""
        return classes, {name: number for number, name in enumerate(classes)}, ""
    own = sorted(labels, key=int) if numbers else sorted(labels)
    places = {name: number for number, name in enumerate(own)}
    for path in files_in(root, ".json") if numbers else ():
        if titles := _titles(path, own):
            return titles, places, f"labels are numbers, and {path.name} names them"
    said = ""
    if numbers:
        said = (
            "labels are numbers, and classes.txt, which would name them, is not there: the numbers "
            "are the names"
        )
    elif labels and all(is_number(label) for label in labels):
        broken = next((label for label in own if has_fraction(label)), own[0])
        said = (
            f"labels are numbers with fractions, such as {broken}, and the numbers are the names; "
            "values that were measured are no classes"
        )
    return tuple(own), places, said


def names_beside(root: Path) -> tuple[str, ...]:
    """The names in a list of names at a root; none where there is none.

    Raises:
        DataError: it cannot be read, or names a class twice.
    """
    file = _list_of_names(root)
    classes = class_names(file) if file else ()
    return (*classes, *_by_number(classes).values())


def _list_of_names(root: Path) -> Path | None:
    """The list of names at a root; one of images and their labels is none."""
    found = (root / name for name in LISTS_OF_NAMES)
    return next((file for file in found if file.is_file() and not is_label_list(file)), None)


def _by_number(lines: Sequence[str]) -> dict[str, str]:
    """Number → name, by lines of both that are counted from 0 or 1; nothing for others.

    >>> _by_number(["1 cat", "2: dog"]), _by_number(["3 door", "5 door"]), _by_number(["cat"])
    ({'1': 'cat', '2': 'dog'}, {}, {})
    """
    found = [_NUMBERED.fullmatch(line) for line in lines]
    names = {str(int(match[1])): match[2] for match in found if match}
    start = min(map(int, names), default=-1)
    counted = start in (0, 1) and [*names] == [str(start + at) for at in range(len(lines))]
    return names if counted and len({*names.values()}) == len(lines) else {}


def is_label_list(path: Path) -> bool:
    """Whether the first lines of a text are images with labels behind them."""
    lines = first_lines(path, LOOKED_AT)
    matches = [line for line in lines if LINE.fullmatch(line.strip())]
    return 2 * len(matches) > len(lines)  # a wrong line is told by whoever reads it


def _titles(path: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """The names that a JSON has for these labels; none where it lacks one."""
    try:
        if path.stat().st_size > _MOST:
            return ()
        table = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):  # not for this
        return ()
    found = [table.get(label) for label in labels] if isinstance(table, dict) else []
    names = tuple(class_name(name) for name in found if isinstance(name, str) and name.strip())
    return names if len(set(names)) == len(labels) else ()


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
    """The name without case, spaces, hyphens and underscores, its letters composed."""
    return "".join(composed(name).casefold().replace("-", " ").replace("_", " ").split())
