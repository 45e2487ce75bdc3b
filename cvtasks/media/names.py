"""Names of files: safe ones for output, and the order people expect."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable

from cvtasks.files.writing import numbered
from cvtasks.text import encodable

_LONGEST = 150  # bytes of a stem: numbers, endings and temporary names have room beside it
_UNSAFE = re.compile(
    r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff]'
)


def natural_key(name: str) -> tuple:
    """A key that sorts numbers within names by value.

    >>> sorted(["img10.png", "img2.png", "IMG1.png"], key=natural_key)
    ['IMG1.png', 'img2.png', 'img10.png']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def safe_stem(name: str) -> str:
    """A file stem near `name` that is valid and visible on every system.

    It has at most 150 bytes of UTF-8, no separators, control characters, marks that turn the
    direction of writing or undecodable bytes, no dot or dash in front, and is none of the names
    that Windows keeps for devices. A longer name ends in a check sum of what was cut, so that two
    of them stay apart.

    >>> [safe_stem(name) for name in ("dog", "a/b", "..", "-rf", "con")]
    ['dog', 'a_b', 'image', 'rf', '_con']
    """
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", encodable(name)))
    if len(name.encode()) > _LONGEST:
        digest = f"-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        name = name.encode()[: _LONGEST - len(digest)].decode(errors="ignore") + digest
    name = name.strip(" .").lstrip("-. ") or "image"
    reserved = re.fullmatch(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", name, re.IGNORECASE)
    return "_" + name if reserved else name


def distinct_stems(names: Iterable[str]) -> list[str]:
    """A safe stem for each name, all of them different: one that another has already got gets a
    number.

    >>> distinct_stems(["a/x", "b/x", "a/X"])
    ['a_x', 'b_x', 'a_X-2']
    """
    stems: list[str] = []
    taken: set[str] = set()
    for name in names:
        stem = next(stem for stem in numbered(safe_stem(name)) if stem.casefold() not in taken)
        taken.add(stem.casefold())
        stems.append(stem)
    return stems
