"""The directory of tags that TIFF files, and EXIF data within other images, begin with (TIFF 6.0,
section 2).
"""

import struct
from mmap import mmap
from typing import TypeAlias

Buffer: TypeAlias = bytes | mmap

_MOST_TAGS = 65_535  # what 16 bits can count; large files have 64 of them


def first_directory(content: Buffer) -> dict[int, int]:
    """Tag -> first value, for the unsigned 8-, 16- and 32-bit numbers in the first directory
    of `content`.

    Raises:
        struct.error: an offset or a length leads out of the content. ValueError: the byte order is
            unknown, or there are more tags than a directory needs.
    """
    return _directory(content, *_start(content))[0]


def count_pages(content: Buffer) -> int:
    """How many pages there are; smaller copies of a page, and masks, are none. What is
    damaged behind the first is no page.
    """
    pages, read, seen = 0, 0, set()
    try:
        order, big, at = _start(content)
        while at and at not in seen and read < _MOST_TAGS:
            seen.add(at)
            tags, at = _directory(content, order, big, at)
            read += 1 + len(tags)
            pages += not tags.get(254, 0) & 5 and tags.get(255, 1) != 2
    except (struct.error, ValueError, OverflowError):
        pass
    return max(1, pages)


def _start(content: Buffer) -> tuple[str, bool, int]:
    """The order of bytes, as `struct` writes it, whether offsets have 64 bits, and where the first
    directory lies.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise ValueError(f"the byte order must be II or MM; got {content[:2]!r}")
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    return order, big, at


def _directory(content: Buffer, order: str, big: bool, at: int) -> tuple[dict[int, int], int]:
    """The tags of the directory at `at`, and where the next one lies; 0 if there is none."""
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, at)
    if count > _MOST_TAGS:
        raise ValueError(f"declares {count} tags, more than {_MOST_TAGS}")
    head, size, room, offset = ("HHQ", 20, 8, "Q") if big else ("HHI", 12, 4, "I")
    tags: dict[int, int] = {}
    end = at + (8 if big else 2) + count * size
    for entry in range(at + (8 if big else 2), end, size):
        tag, kind, length = struct.unpack_from(order + head, content, entry)
        if kind not in (1, 3, 4) or length < 1:
            continue
        value = entry + size - room
        if length * {1: 1, 3: 2, 4: 4}[kind] > room:
            (value,) = struct.unpack_from(order + offset, content, value)
        (tags[tag],) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], content, value)
    following = content[end : end + (8 if big else 4)]
    return tags, int.from_bytes(following, "little" if order == "<" else "big")


def turn_of(exif: bytes) -> int:
    """The orientation 1..8 that EXIF data asks for; 1 where it says nothing or nonsense."""
    try:
        turn = first_directory(exif).get(274, 1)
    except (OverflowError, struct.error, ValueError):
        return 1
    return turn if 1 <= turn <= 8 else 1
