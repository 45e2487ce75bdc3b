"""Names that other people's files give, which must stay below the folder they are seen from."""

from pathlib import PurePosixPath, PureWindowsPath


def leads_out(name: str) -> bool:
    """Whether a relative path is none, or climbs, on this system or another.

    >>> [leads_out(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "C:b.jpg", "a\\\\..\\\\..\\\\b.jpg", "")]
    [False, True, True, True, True, True]
    """
    ways = PurePosixPath(name), PureWindowsPath(name)
    return not name or "\0" in name or any(way.is_absolute() or way.drive or way.root or ".." in way.parts for way in ways)
