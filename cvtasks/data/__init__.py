"""Sources: where samples come from. The format is recognised from what lies at the path."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import Complain, CVTasksError, DataError, strictly

if TYPE_CHECKING:
    from cvtasks.answers import Answer
    from cvtasks.data.format import Format
    from cvtasks.data.formats import FORMATS
    from cvtasks.data.hints import Hints
    from cvtasks.data.source import Source
    from cvtasks.data.views import Remapped

__all__ = [
    "FORMATS",
    "Format",
    "Hints",
    "Remapped",
    "Source",
    "open_source",
    "split_of",
    "splits_of",
]

_HOME = {
    "FORMATS": "cvtasks.data.formats",
    "Format": "cvtasks.data.format",
    "Hints": "cvtasks.data.hints",
    "Remapped": "cvtasks.data.views",
    "Source": "cvtasks.data.source",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that the light tables of this package, which
    the command line's help needs, do not load numpy.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def split_of(data: str) -> tuple[str, str]:
    """DATA of the command line → (path, split); the split is empty where none was given.

    >>> split_of("VOCdevkit/VOC2012:val"), split_of(r"C:\\data"), split_of(r"C:\\data:val")
    (('VOCdevkit/VOC2012', 'val'), ('C:\\\\data', ''), ('C:\\\\data', 'val'))
    """
    path, colon, split = data.rpartition(":")
    if not colon or "/" in split or "\\" in split:
        return data, ""
    try:
        whole = Path(data).exists()
    except OSError:  # no file can have this name
        whole = False
    return (data, "") if whole else (path, split)


def open_source(
    path: str,
    split: str,
    kind: "type[Answer]",
    complain: Complain = strictly,
    *,
    format: str = "",
    lists: str = "",
    hints: "Hints | None" = None,
) -> "Source":
    """Open the data set at `path`, or the fetched one of that name, for a task whose truth is of
    type `kind`.

    Args:
        split: its name; "val", "valid", "validation" and "dev" are one. Empty for the only split
            there is.
        complain: about files that are missing, and whatever cannot be used; if it returns, that is
            left out.
        format: the name of a row of `FORMATS`, or how it begins; empty for the one that is
            recognised.
        lists: a folder of lists that say which samples a split has (`cvtasks.data.lists`); the path
            may be that of such a folder too, where it has a record of the data.
        hints: what else is said about the data beside them.

    Raises:
        DataError: nothing is there, its layout is not known, it may be of several formats, or the
            split does not exist; nothing can be used: then the first complaint.
    """
    from cvtasks.data.lists import located, open_listed, read_lists
    from cvtasks.data.recognition import recognised
    from cvtasks.formats.encodings import hearing
    from cvtasks.formats.reading import readable

    with readable(path), hearing(), _first_complaint(complain) as hear:
        path, lists, format, hints = located(path, lists, format, hints)
        found, root = recognised(path, kind, format, hints)
        if not lists:
            return found.open(root, split, hear, hints)
        opens = partial(found.open, root, hints=hints)
        return open_listed(read_lists(Path(lists)), split, hear, opens, found.splits_at(root))


@contextmanager
def _first_complaint(complain: Complain) -> Iterator[Complain]:
    """Give what hears complaints and passes them on. Where nothing is left that can be used, the
    first of them is the error: it says why.
    """
    from cvtasks.data.source import EMPTY

    first: list[CVTasksError] = []

    def hear(error: CVTasksError) -> None:
        if not first:
            first.append(error)
        complain(error)

    try:
        yield hear
    except DataError as error:
        if error.rule == EMPTY and first and first[0] is not error:
            raise first[0] from error
        raise


def splits_of(
    path: str,
    kind: "type[Answer]",
    *,
    format: str = "",
    lists: str = "",
    hints: "Hints | None" = None,
) -> tuple[str, ...]:
    """Names of the splits of the data set at `path`; one empty name where all of it is one split.
    Errors as `open_source`'s.
    """
    from cvtasks.data.lists import located, read_lists
    from cvtasks.data.recognition import recognised
    from cvtasks.formats.encodings import hearing
    from cvtasks.formats.reading import readable

    with readable(path), hearing():
        path, lists, format, hints = located(path, lists, format, hints)
        found, root = recognised(path, kind, format, hints)
        return tuple(read_lists(Path(lists)).lines) if lists else found.splits_at(root)
