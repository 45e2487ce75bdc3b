"""Names that other people's files give, which must stay below the folder they are seen from."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from cvtasks.text import decoded

_LONGEST, _LONGEST_PART = 1000, 255  # bytes of UTF-8: in all, and between slashes, where file systems end


def leads_out(name: str) -> bool:
    """Whether a relative path is none, climbs, or is too long, on this system or another.

    >>> [leads_out(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "C:b.jpg", "a\\\\..\\\\..\\\\b.jpg", "")]
    [False, True, True, True, True, True]
    """
    ways = PurePosixPath(name), PureWindowsPath(name)
    return no_name(name) or not name or any(way.is_absolute() or way.drive or way.root or ".." in way.parts for way in ways)


def no_name(name: str) -> bool:
    """Whether no file can have this path, absolute or not: it would be asked for, and the system raise an error of its own.

    >>> [no_name(name) for name in ("a" * 255, "a" * 256, "a/" * 501, "a\\0b")]
    [False, True, True, True]
    """
    try:
        encoded = name.encode("utf-8", "surrogateescape")  # as Python names files whose bytes are no UTF-8
    except UnicodeEncodeError:  # half a letter, which JSON can write
        return True
    return "\0" in name or len(encoded) > _LONGEST or max(map(len, encoded.split(b"/"))) > _LONGEST_PART


def on_disk(path: Path) -> Path:
    """The path itself, or that of the file whose name is no UTF-8 and was written so (`cvtasks.text.encodable`)."""
    if "\\x" not in path.name or path.is_file():
        return path
    other = path.with_name(decoded(path.name))
    return other if other.is_file() else path
