"""The directory of tags that TIFF files, and EXIF data within other pictures, begin with (TIFF 6.0, section 2)."""

import struct

_MOST_TAGS = 65_535  # what 16 bits can count; large files have 64 of them


def first_directory(content: bytes) -> dict[int, int]:
    """Return tag -> first value, for the unsigned 8-, 16- and 32-bit numbers in the first directory of `content`.

    Raises:
        struct.error: an offset or a length leads out of the content. ValueError: the byte order is unknown, or there are
            more tags than a directory needs.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise ValueError(f"the byte order must be II or MM; got {content[:2]!r}")
    big = struct.unpack_from(order + "H", content, 2)[0] == 43
    (at,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, at)
    if count > _MOST_TAGS:
        raise ValueError(f"declares {count} tags, more than {_MOST_TAGS}")
    head, size, room, offset = ("HHQ", 20, 8, "Q") if big else ("HHI", 12, 4, "I")
    tags: dict[int, int] = {}
    for entry in range(at + (8 if big else 2), at + (8 if big else 2) + count * size, size):
        tag, kind, length = struct.unpack_from(order + head, content, entry)
        if kind not in (1, 3, 4) or length < 1:
            continue
        value = entry + size - room
        if length * {1: 1, 3: 2, 4: 4}[kind] > room:
            (value,) = struct.unpack_from(order + offset, content, value)
        (tags[tag],) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[kind], content, value)
    return tags


def turn_of(exif: bytes) -> int:
    """Return the orientation 1..8 that EXIF data asks for; 1 where it says nothing or nonsense."""
    try:
        turn = first_directory(exif).get(274, 1)
    except (OverflowError, struct.error, ValueError):
        return 1
    return turn if 1 <= turn <= 8 else 1
