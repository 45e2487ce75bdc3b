"""What is mapped: images and videos by ids that do not depend on the order in which they are found.

An id is the path below the place that was named, or an address without login and query.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

from cvtasks.errors import InputError, UsageError
from cvtasks.media.addresses import is_address, shown
from cvtasks.media.capture import VIDEO_SUFFIXES
from cvtasks.media.download import download
from cvtasks.media.file_types import SUFFIXES, UNREAD
from cvtasks.media.globs import matches
from cvtasks.media.names import natural_key, safe_stem
from cvtasks.media.objects import SCHEMES, fetch_object, is_object, list_objects, scheme_of
from cvtasks.media.sources import Item
from cvtasks.media.streams import Stream, address_stream, video_stream
from cvtasks.text import counted

_KNOWN = SUFFIXES + UNREAD + VIDEO_SUFFIXES  # what is not read fails with its reason
_MOST_BYTES = 2**30  # of a list
_LISTS = (".txt", ".lst", ".list")


@dataclass(frozen=True)
class Input:
    """One image or video that is yet to be read.

    Attributes:
        id: what its records are called.
        place: where it is read: a path, or an address that may hold a password.
        video: whether it is one, by its ending.
    """

    id: str
    place: str
    video: bool = False

    @property
    def source(self) -> str:
        """Where it comes from, as it may be written down."""
        return without_query(self.place)

    def item(self, most_pixels: int, home: str = "") -> Item:
        """The image; a relative path begins at `home`."""
        stem = safe_stem(PurePath(self.id).stem)
        return Item(stem, self.source, partial(_fetched, self._at(home)), most_pixels)

    def stream(self, home: str = "") -> Stream:
        """The video; a relative path begins at `home`.

        Raises:
            InputError: it is at an address of another kind than http.
        """
        if not is_address(self.place):
            return video_stream(self._at(home))
        if scheme_of(self.place) in ("http", "https"):
            return address_stream(self.place, live=False)
        raise InputError(
            f"a video must be a file or lie at an http address; {self.source!r} is neither. "
            "Fetch it and give its path."
        )

    def _at(self, home: str) -> str:
        return self.place if is_address(self.place) else str(Path(home, self.place))


def without_query(place: str) -> str:
    """A path as it is; an address without login, query and fragment.

    >>> without_query("https://me:secret@host/a.jpg?sig=5#x"), without_query("a?b.jpg")
    ('https://host/a.jpg', 'a?b.jpg')
    """
    if not is_address(place):
        return place
    scheme, _, rest = shown(place).partition("://")
    for mark in "?#":
        rest = rest.partition(mark)[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def listed(data: str, kept: list[str] | None = None) -> list[Input]:
    """The inputs that a path stands for, by their ids; in natural order, each once.

    Args:
        data: a folder, with those below it; a glob; a list, a text file with a path or an address a
            line; an image or a video; the address of one of these, of folders and globs in an
            object store alone.
        kept: is told what was left out, in sentences.

    Raises:
        UsageError: there is none. InputError: a folder or the list cannot be read.
    """
    remarks = [] if kept is None else kept
    if is_address(data):
        found = _of_address(data)
    elif os.path.isdir(data):  # noqa: PTH112 - Path.is_dir raises for names that are too long
        found = _of_folder(data)
    elif os.path.isfile(data):  # noqa: PTH113 - likewise
        if data.lower().endswith(_KNOWN):
            found = iter([(PurePath(data).name, data)])
        else:
            found = _of_list(Path(data))
    else:
        found = _of_glob(data)
    return _numbered(found, data, remarks)


def of_files(files: "list[Path]", remarks: list[str]) -> list[Input]:
    """The inputs that are these images of a data set; their ids begin below the folder of all."""
    root = os.path.commonpath([os.path.abspath(path.parent) for path in files])  # noqa: PTH100 - keeps links
    named = ((Path(os.path.relpath(path, root)).as_posix(), str(path)) for path in files)
    return _numbered(named, root, remarks)


def _numbered(found: Iterator[tuple[str, str]], data: str, remarks: list[str]) -> list[Input]:
    """Inputs with ids of their own: -2, -3 … where only the queries of addresses tell them
    apart.
    """
    pairs = list(found)
    unique = sorted(set(pairs), key=lambda pair: (natural_key(pair[0]), pair[1]))
    if len(unique) < len(pairs):
        remarks.append(f"{counted(len(pairs) - len(unique), 'input')} named again, done once")
    if not unique:
        raise UsageError(
            f"something to map must be there: images ({', '.join(SUFFIXES)}) or videos "
            f"({', '.join(VIDEO_SUFFIXES)}); {without_query(data)!r} gives none. Give a folder, a "
            "quoted glob, a list of paths, or DATA:SPLIT."
        )
    taken: dict[str, int] = {}
    inputs = []
    for name, place in unique:
        taken[name] = number = taken.get(name, 0) + 1
        own = name if number == 1 else f"{name}?{number}"
        inputs.append(Input(own, place, without_query(place).lower().endswith(VIDEO_SUFFIXES)))
    return inputs


def _of_folder(folder: str) -> Iterator[tuple[str, str]]:
    """Images and videos in a folder and below it, hidden ones left out; links to folders are
    followed once.
    """
    return _matching(str(Path(folder, "**", "*")), folder)


def _of_glob(pattern: str) -> Iterator[tuple[str, str]]:
    parts = PurePath(pattern).parts
    fixed = list(parts[:-1])
    while any(mark in part for part in fixed for mark in "*?["):
        fixed.pop()
    return _matching(pattern, str(PurePath(*fixed)) if fixed else "")


def _matching(pattern: str, root: str) -> Iterator[tuple[str, str]]:
    def unreadable(folder: str, error: OSError) -> None:
        raise InputError(
            f"a folder must be one that can be listed; {folder!r} cannot: {error.strerror}. Check "
            "its permissions."
        )

    for path in matches(pattern, unreadable):
        hidden = PurePath(path).name.startswith(".")
        if path.lower().endswith(_KNOWN) and not hidden and not os.path.isdir(path):  # noqa: PTH112
            yield PurePath(os.path.relpath(path, root or ".")).as_posix(), path


def _of_list(path: Path) -> Iterator[tuple[str, str]]:
    """The lines of a list; its relative paths begin at its own folder."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise _no_list(str(path), error) from error
    for line in _lines(content, str(path)):
        if is_address(line):
            yield without_query(line), line
        else:
            yield PurePath(line).as_posix(), str(path.parent / line)


def _of_address(address: str) -> Iterator[tuple[str, str]]:
    """An image or a video; the lines of a list; or what lies in an object store."""
    shown_as = without_query(address)
    if shown_as.lower().endswith(_KNOWN) and "*" not in shown_as:
        yield shown_as, address
    elif shown_as.lower().endswith(_LISTS):
        content = _fetched(address)
        base = shown_as.rpartition("/")[0]
        for line in _lines(content if isinstance(content, bytes) else b"", shown_as):
            place = line if is_address(line) else f"{base}/{line}"
            yield without_query(place), place
    elif is_object(address):
        for one in list_objects(address, shown_as):
            if one.lower().endswith(_KNOWN):
                yield without_query(one), one
    else:
        raise UsageError(
            f"what lies at an http address must be an image, a video or a list ({_LISTS[0]}); "
            f"{shown_as!r} ends otherwise. Give a list of addresses."
        )


def _lines(content: bytes, name: str) -> Iterator[str]:
    """The lines of a list without empty ones and those that begin with #."""
    try:
        text = content.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError("it holds zero bytes")
    except ValueError as error:
        raise _no_list(name, error) from error
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            yield line


def _no_list(name: str, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(
        f"a list must be a text file in UTF-8 with a path or an address a line; {name!r} is none: "
        f"{reason}. Check it."
    )


def _fetched(place: str) -> str | bytes:
    """A path as it is, and what lies at an address."""
    if not is_address(place):
        return place
    if scheme_of(place) in ("http", "https"):
        return download(place)
    if is_object(place):
        return fetch_object(place, without_query(place))
    raise InputError(
        f"an address must be one of http, https, {', '.join(SCHEMES)}; {without_query(place)!r} is "
        "none. Fetch it and give its path."
    )
