"""Large images that are read piece by piece, where their format allows it: memory holds a band of
them, not the whole.

The strips and tiles of a TIFF are images of their own but for their directory, and so are the rows
of a BMP: each piece gets one, and goes through the one loader. All other kinds are packed from
their first pixel to their last.
"""

import mmap
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any, BinaryIO, cast

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.file_types import kind_of
from cvtasks.media.image_headers import MAX_PIXELS
from cvtasks.media.images import read_image
from cvtasks.media.safe_paths import opened_regular
from cvtasks.media.tiff_directory import count_pages, first_directory

OVERVIEW = 4096
"""Pixels of the longest side at which a large image is looked at as a whole, and drawn."""

_ROWS = 256  # of a piece that may have any height
_MOST_PIXELS = 2**24  # of a piece; larger ones are no gain over the whole
_MOST_PIECES = 2**20
_AT_ONCE = "read as a whole, 3 bytes a pixel: {}"

Span = tuple[int, int]
"""Where bytes begin in a file, and how many there are."""


@dataclass(frozen=True)
class _Grid:
    """How an image is stored in pieces, row by row.

    Attributes:
        size: (height, width) of the image; `piece`: of a piece, the last ones may reach beyond it.
        spans: where the bytes of each piece lie.
        full: whether the last pieces are stored in full where they reach beyond the image.
        wrapped: the bytes of a piece, and its height in pixels → an encoded image.
    """

    size: tuple[int, int]
    piece: tuple[int, int]
    spans: tuple[Span, ...]
    full: bool
    wrapped: Callable[[bytes, int], bytes]

    @property
    def across(self) -> int:
        """How many pieces lie beside each other."""
        return -(-self.size[1] // self.piece[1])


class Strips:
    """An image (h, w, 3) uint8 RGB that is read where it is looked at: `image[top:bottom,
    left:right]` is an array. Threads may look at the same time.

    The pieces of the rows that were looked at last are kept, no others.
    """

    def __init__(self, path: str | Path, grid: _Grid) -> None:
        self._path, self._grid = path, grid
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = RLock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, 3)."""
        return *self._grid.size, 3

    def __getitem__(self, where: tuple[slice, slice]) -> np.ndarray:
        """A part, (h, w, 3) uint8.

        Raises:
            InputError: it cannot be read.
        """
        (top, bottom, _), (left, right, _) = (
            one.indices(side) for one, side in zip(where, self._grid.size, strict=True)
        )
        part: np.ndarray = np.empty((max(bottom - top, 0), max(right - left, 0), 3), np.uint8)
        if not part.size:
            return part
        (tall, wide), across = self._grid.piece, self._grid.across
        with self._lock:
            rows = range(top // tall, -(-bottom // tall))
            for row in rows:
                for column in range(left // wide, -(-right // wide)):
                    piece = self._piece(row * across + column)
                    y, x = row * tall, column * wide
                    low, high = max(top, y), min(bottom, y + tall)
                    begin, end = max(left, x), min(right, x + wide)
                    part[low - top : high - top, begin - left : end - left] = piece[
                        low - y : high - y, begin - x : end - x
                    ]
            while len(self._kept) > len(rows) * across:
                self._kept.popitem(last=False)
        return part

    @cached_property
    def overview(self) -> np.ndarray:
        """The whole, (h, w, 3) uint8, reduced by a whole number to at most `OVERVIEW` pixels a
        side: the mean of the pixels that become one. All pieces are read for it, once.

        Raises:
            InputError: one cannot be read.
        """
        height, width = self._grid.size
        factor = -(-max(height, width) // OVERVIEW)
        size = max(1, height // factor), max(1, width // factor)
        whole: np.ndarray = np.empty((*size, 3), np.uint8)
        band = max(1, _ROWS // factor)
        for top in range(0, size[0], band):
            bottom = min(top + band, size[0])
            end = height if bottom == size[0] else bottom * factor
            rows = self[top * factor : end, 0:width]
            shape = (size[1], bottom - top)
            whole[top:bottom] = cv2.resize(rows, shape, interpolation=cv2.INTER_AREA)
        return whole

    def _piece(self, number: int) -> np.ndarray:
        """One of the pieces, in full."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        begin, length = self._grid.spans[number]
        row = number // self._grid.across
        height = self._grid.piece[0]
        if not self._grid.full:
            height = min(height, self._grid.size[0] - row * height)
        name = str(self._path)
        try:
            with opened_regular(self._path) as file:
                file.seek(begin)
                content = file.read(length)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"an image must be a file that can be read; {name!r} cannot: {reason}. Check it."
            ) from error
        if len(content) < length:
            raise InputError(
                f"an image must be whole and undamaged; {name!r} ends within a strip. Save or "
                "fetch it again."
            )
        piece = read_image(self._grid.wrapped(content, height), name=name)
        self._kept[number] = piece
        return piece


def read_large(
    path: str | Path,
    max_pixels: int,
    *,
    name: str | None = None,
    remark: Callable[[str], None] = lambda text: None,
) -> np.ndarray:
    """As `read_image`; one of more than the usual limit is `Strips`, where its format allows it,
    and `remark` is told where it does not.

    Raises:
        InputError: as `read_image`.
    """
    try:
        with opened_regular(path) as file:
            head = file.read(16)
            size, pages = _declared(file) if kind_of(head) in ("TIFF", "BMP") else (None, 1)
    except (OSError, ValueError, struct.error):
        size, pages = None, 1  # whoever reads it says what is wrong
    if size is None or not MAX_PIXELS < size[0] * size[1] <= max_pixels:
        image = read_image(path, max_pixels, name=name, remark=remark)
        if size is None and image.shape[0] * image.shape[1] > MAX_PIXELS:
            remark(_AT_ONCE.format("its kind is packed as one; TIFF and BMP are not"))
        return image
    found = strips_of(path)
    if isinstance(found, str):
        remark(_AT_ONCE.format(found))
        return read_image(path, max_pixels, name=name, remark=remark)
    if pages > 1:
        remark(f"{pages} pages: the first is read")
    _ = found.overview  # what is damaged is found now, and not amid the answers
    return cast(np.ndarray, found)  # it is looked at as an array is


def _declared(file: BinaryIO) -> tuple[tuple[int, int], int]:
    """(height, width) that a TIFF or a BMP declares, and how many pages."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:2] == b"BM":
            width, height = struct.unpack_from("<ii", content, 18)
            return (abs(height), width), 1
        tags = first_directory(content)
        return (tags.get(257, 0), tags.get(256, 0)), count_pages(content)


def strips_of(path: str | Path) -> Strips | str:
    """An image file that is read piece by piece; in words why it is not, where it is not.

    What it holds is checked piece by piece.
    """
    try:
        with opened_regular(path) as file:
            head = file.read(2048)
            if head[:2] == b"BM":
                file.seek(0, 2)
                found = _bmp(head, file.tell())
            elif head[:2] in (b"II", b"MM"):
                found = _tiff(file)
            else:
                return "its kind is packed as one"
    except (OSError, ValueError, struct.error) as error:
        return f"its strips cannot be found ({error})"
    return found if isinstance(found, str) else Strips(path, found)


# === where the pieces lie ===


def _bmp(head: bytes, length: int) -> _Grid | str:
    """Rows of a bitmap, from the bottom up unless its height is negative."""
    begin, header = struct.unpack_from("<II", head, 10)
    if header < 40 or begin > len(head):
        return "its header is of an old kind"
    width, signed = struct.unpack_from("<ii", head, 18)
    bits, packing = struct.unpack_from("<HI", head, 28)
    if packing not in (0, 3) or bits not in (8, 16, 24, 32):
        return "its rows are packed"
    height, row = abs(signed), (width * bits + 31) // 32 * 4
    if begin + height * row > length:
        raise ValueError("it ends before its last row")
    spans = []
    for top in range(0, height, _ROWS):
        count = min(_ROWS, height - top)
        first = top if signed < 0 else height - top - count
        spans.append((begin + first * row, count * row))

    def wrapped(content: bytes, tall: int) -> bytes:
        patched = bytearray(head[:begin])
        struct.pack_into("<I", patched, 2, begin + len(content))
        struct.pack_into("<i", patched, 22, -tall if signed < 0 else tall)
        struct.pack_into("<I", patched, 34, len(content))
        return bytes(patched) + content

    return _Grid((height, width), (_ROWS, width), tuple(spans), full=False, wrapped=wrapped)


# tag → its type in a directory, for what says how the pixels of a strip are stored
_COPIED = {258: 3, 259: 3, 262: 3, 266: 3, 277: 3, 284: 3, 317: 3, 320: 3, 338: 3, 339: 3}
_COPIED |= {347: 7, 530: 3, 531: 3}
_OLD_JPEG = 6


def _tiff(file: Any) -> _Grid | str:
    """The strips or the tiles of the first page."""
    from PIL.TiffImagePlugin import TiffImageFile

    try:
        file.seek(0)
        with TiffImageFile(file) as page:
            tags: dict[int, Any] = dict(page.tag_v2)
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, KeyError …
        raise ValueError(str(error)) from error
    width, height = int(tags[256]), int(tags[257])
    if max(np.atleast_1d(tags.get(258, 1))) > 8:
        return "its channels have 16 bits, which are shifted by what the whole of it holds"
    if tags.get(284, 1) != 1 or tags.get(274, 1) != 1 or tags.get(259, 1) == _OLD_JPEG:
        return "it is turned, or its channels are stored apart"
    if 322 in tags:
        piece = int(tags[323]), int(tags[322])
        offsets, lengths = tags[324], tags[325]
    else:
        piece = min(int(tags.get(278, height)), height), width
        offsets, lengths = tags[273], tags.get(279, ())
    grid = _Grid(
        (height, width),
        piece,
        tuple((int(at), int(count)) for at, count in zip(offsets, lengths, strict=True)),
        322 in tags,
        lambda content, tall: _page(tags, piece[1], tall, content),
    )
    if tags.get(259, 1) == 1 and 322 not in tags:
        grid = _in_rows(grid, tags)
    if grid.piece[0] * grid.piece[1] > _MOST_PIXELS:
        return "its strips are too large"
    count = grid.across * -(-height // grid.piece[0])
    if len(grid.spans) != count or count > _MOST_PIECES:
        raise ValueError(f"it needs {count} strips and has {len(grid.spans)}")
    return grid


def _in_rows(grid: _Grid, tags: Mapping[int, Any]) -> _Grid:
    """Strips that are not packed, divided where they have many rows."""
    tall, width = grid.piece
    if tall <= _ROWS or len(grid.spans) > 1:
        return grid
    bits = int(np.atleast_1d(tags.get(258, 1))[0]) * int(tags.get(277, 1))
    row = (width * bits + 7) // 8
    begin, length = grid.spans[0]
    if length < row * tall:
        raise ValueError("it ends before its last row")
    spans = tuple(
        (begin + top * row, min(_ROWS, tall - top) * row) for top in range(0, tall, _ROWS)
    )
    return replace(grid, piece=(_ROWS, width), spans=spans)


def _page(tags: Mapping[int, Any], width: int, height: int, content: bytes) -> bytes:
    """A TIFF of one strip with the storage of another."""
    entries: dict[int, tuple[int, tuple[int, ...] | bytes]] = {
        256: (4, (width,)),
        257: (4, (height,)),
        273: (4, (8,)),
        278: (4, (height,)),
        279: (4, (len(content),)),
    }
    for tag, kind in _COPIED.items():
        if tag in tags:
            value = tags[tag]
            entries[tag] = (
                kind,
                bytes(value) if kind == 7 else tuple(map(int, np.atleast_1d(value))),
            )
    at = 8 + len(content) + len(content) % 2
    directory, beyond = [struct.pack("<H", len(entries))], b""
    after = at + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        packed = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        )
        entry = struct.pack("<HHI", tag, kind, len(values))
        if len(packed) > 4:
            entry += struct.pack("<I", after + len(beyond))
            beyond += packed + b"\0" * (len(packed) % 2)
        else:
            entry += packed.ljust(4, b"\0")
        directory.append(entry)
    padding = b"\0" * (len(content) % 2)
    head = struct.pack("<2sHI", b"II", 42, at)
    return b"".join([head, content, padding, *directory, b"\0\0\0\0", beyond])
