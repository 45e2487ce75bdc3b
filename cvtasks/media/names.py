"""Names of files: safe ones for output, and the order people expect."""

import re
import unicodedata


def natural_key(name: str) -> tuple:
    """Return a key that sorts numbers within names by value.

    >>> sorted(["img10.png", "img2.png", "IMG1.png"], key=natural_key)
    ['IMG1.png', 'img2.png', 'img10.png']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def safe_stem(name: str) -> str:
    """Return a file stem near `name` that is valid and visible on every system.

    It has at most 150 bytes of UTF-8, no separators, control characters or undecodable bytes, no dot or dash in front,
    and is none of the names that Windows keeps for devices.

    >>> [safe_stem(name) for name in ("dog", "a/b", "..", "-rf", "con")]
    ['dog', 'a_b', 'picture', 'rf', '_con']
    """
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", unicodedata.normalize("NFC", name))
    name = name.encode()[:150].decode(errors="ignore").strip(" .").lstrip("-. ") or "picture"
    reserved = re.fullmatch(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", name, re.IGNORECASE)
    return "_" + name if reserved else name
