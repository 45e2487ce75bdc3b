"""Sources: where samples come from. The format is recognised from what lies at the path."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.data.download.catalogue import KNOWN, resolve
from cvtasks.errors import Complain, DataError, strictly

if TYPE_CHECKING:
    from cvtasks.answers import Answer
    from cvtasks.data.format import Format
    from cvtasks.data.formats import FORMATS
    from cvtasks.data.source import Source
    from cvtasks.data.views import Remapped

__all__ = ["FORMATS", "Format", "Remapped", "Source", "open_source", "split_of", "splits_of"]

_HOME = {
    "FORMATS": "cvtasks.data.formats",
    "Format": "cvtasks.data.format",
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
    path: str, split: str, kind: "type[Answer]", complain: Complain = strictly
) -> "Source":
    """Open the data set at `path`, or the fetched one of that name, for a task whose truth is of
    type `kind`.

    Args:
        split: its name; "val", "valid" and "validation" are one. Empty for the only split there is.
        complain: about files that are missing, and whatever cannot be used; if it returns, that is
            left out.

    Raises:
        DataError: nothing is there, its layout is not known, or the split does not exist.
    """
    from cvtasks.formats.reading import readable

    with readable(path):
        found, root = _recognised(path, kind)
        return found.open(root, split, complain)


def splits_of(path: str, kind: "type[Answer]") -> tuple[str, ...]:
    """Names of the splits of the data set at `path`; one empty name where all of it is one split.
    Errors as `open_source`'s.
    """
    from cvtasks.formats.reading import readable

    with readable(path):
        found, root = _recognised(path, kind)
        return found.splits_at(root)


def _recognised(path: str, kind: "type[Answer]") -> "tuple[Format, Path]":
    """The format of the data set at `path`, and its root."""
    from cvtasks.data.formats import FORMATS

    root = resolve(path)
    fitting = [one for one in FORMATS.values() if one.kind is kind]
    if path:
        for one in fitting:
            if one.is_at(root):
                return one, root
    if not path or not root.is_dir():
        files = " or ".join(sorted(one.file for one in fitting if one.file))
        what = f"a folder, or its {files}" if files else "a folder"
        raise DataError(
            f"a data set is {what}; {path[:300]!r} is none. Give the path of one "
            "(`data.path` of a recipe), or the name of a data set that `cvtasks data get` fetches: "
            f"{', '.join(KNOWN)}.",
            ways={"data": ""},
        )
    below = [
        str(child)
        for child in sorted(root.iterdir())
        if child.is_dir() and any(one.is_at(child) for one in fitting)
    ]
    if below:
        raise DataError(
            f"a data set is the folder in which its own folders lie; {path!r} holds one below. "
            f"Give {below[0]!r}."
        )
    layouts = "; ".join(f"{one.name}: {one.layout}" for one in fitting)
    raise DataError(
        f"the layout of {path!r} is not known for {kind.__name__.lower()} data. Known layouts: "
        f"{layouts}."
    )
