"""What an image's header says, read without decoding a pixel: kind, size, turn.

Decoders believe the declared size and allocate it before they look at the content, so lies are
found here: a PNG of 69 bytes or a JPEG of 886 could otherwise claim gigabytes. Everything is
computed from bytes in memory; no global state, so any number of threads may read headers at once.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat

from cvtasks.errors import InputError
from cvtasks.media.file_types import kind_of, what_it_is
from cvtasks.media.tiff_directory import count_pages, first_directory, turn_of
from cvtasks.text import agreeing, counted

MAX_PIXELS = 50_000_000
"""An image of more is refused, unless whoever asks for it says otherwise."""
_MOST_SIDE = 1_000_000  # pixels: libpng reads no more, and nothing longer could be written


def most_bytes(max_pixels: int) -> int:
    """How long the file of an image of so many pixels may be."""
    return 8 * max_pixels + 2**24


KINDS = "JPEG, PNG, WebP, BMP, TIFF, GIF"

# Deflate shrinks at most 1032 times (RFC 1951: 258 bytes in two bits), so this many bytes cannot
# hold more.
_DEFLATE = 1032
# An 8x8 block costs at least one bit (a progressive, flat, grey JPEG): 512 pixels a byte. Twice
# that is refused.
_JPEG_PIXELS_PER_BYTE = 1024
_MOST_SCANS = 500
# a scan of nothing costs 50 bytes, and a look at every pixel; usual are ten scans
_SCANNED_PIXELS = 1_500_000_000
_MOST_PARTS = 200_000  # segments, chunks, blocks; a good file has some thousand


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of one image declares; `width`, `height` in pixels as stored, before the
    turn.
    """

    kind: str  # one of KINDS
    width: int
    height: int
    turn: int = 1  # EXIF orientation, 1..8
    channels: str = ""  # PNG: "grey", "rgb", "indexed", "grey+alpha", "rgb+alpha"
    bits: int = 8  # PNG: bits a channel, 1..16
    clear_grey: int | None = (
        None  # grey PNG: the decoded value that means transparent (1, 2, 4 bits stretched to 8)
    )
    end: int = 0  # JPEG whose pixels are one stretch of bytes: the place of its end mark
    parts: tuple[tuple[int, int], ...] = ()  # PNG: (begin, end) of the chunks that its pixels need
    used: int = 0  # TIFF: bits of a channel that hold a value, where it says so
    remarks: tuple[str, ...] = ()  # what is left out in reading it, in words

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) in pixels after the turn."""
        return (self.width, self.height) if self.turn >= 5 else (self.height, self.width)


class _Damaged(ValueError):
    """The header contradicts itself or the file; the text says how."""


class _Foreign(ValueError):
    """The image may be good, but is of a variant that is not read; the text says which."""


def read_header(content: bytes, name: str) -> Header:
    """What `content`, an encoded image, declares. `name` is what errors call it.

    Raises:
        InputError: the content is no image of a known kind, is cut short, or declares what it
            cannot hold, or a side that nothing could be written with.
    """
    kind = kind_of(content)
    if kind is None:
        raise InputError(
            f"an image must be one of {KINDS}, whatever its name ends in; {name} holds "
            f"{what_it_is(content)}. "
            "Give another, or convert it to JPEG or PNG."
        )
    try:
        header = _PARSERS[kind](content)
        if header.width < 1 or header.height < 1:
            raise _Damaged(f"declares {header.width} x {header.height} pixels")
    except (IndexError, OverflowError, struct.error):
        raise damaged(name, kind, "ends within its header") from None
    except _Foreign as error:
        raise foreign(name, kind, str(error)) from None
    except ValueError as error:  # _Damaged, or of a directory
        raise damaged(name, kind, str(error)) from None
    if max(header.width, header.height) > _MOST_SIDE:
        raise InputError(
            f"a side of an image may have at most {_MOST_SIDE:,} pixels; {name} declares "
            f"{header.width:,} x {header.height:,}. Cut it into pieces, or make it smaller."
        )
    return header


def foreign(name: str, kind: str, reason: str) -> InputError:
    """The error for an image of a variant that is not read; `reason` is a verb phrase."""
    return InputError(
        "an image must have channels of whole numbers of at most 16 bits, 8 in a JPEG, that are "
        "grey or colours; "
        f"{name}, a {kind}, {reason}. Save what is meant as a PNG of 8 bits first."
    )


def damaged(name: str, kind: str, reason: str) -> InputError:
    """The error for an image of a known `kind` whose content is not whole; `reason` is a
    verb phrase.
    """
    return InputError(
        f"an image must be whole and undamaged; {name}, a {kind}, {reason}. Save or fetch it again."
    )


# === one parser a kind: bytes -> Header ===


def _jpeg(content: bytes) -> Header:
    """Walk the segments up to the first scan (ITU T.81, annex B)."""
    size, marker_of_size, turn, at = None, 0, 1, 2
    for _ in _parts():
        at = content.find(b"\xff", at)
        if at < 0:
            raise _Damaged("ends before its first scan")
        while content[at] == 0xFF:
            at += 1
        marker = content[at]
        at += 1
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            continue
        if marker == 0xD9:
            raise _Damaged("ends before its first scan")
        (length,) = struct.unpack_from(">H", content, at)
        if marker == 0xDA:
            break
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, *size, channels = struct.unpack_from(">BHHB", content, at + 2)
            marker_of_size = marker
            if bits != 8:
                raise _Foreign(f"has channels of {bits} bits")
        elif marker == 0xE1 and content.startswith(b"Exif\0\0", at + 2):
            turn = turn_of(content[at + 8 : at + length])
        at += length
    if size is None:
        raise _Damaged("declares no size")
    scans = (
        content.count(b"\xff\xda", at) + 1 if marker_of_size in (0xC2, 0xCA) else 1
    )  # progressive
    if scans > min(_MOST_SCANS, max(1, _SCANNED_PIXELS // max(1, size[0] * size[1]))):
        raise _Damaged(
            f"has {scans} scans, more than its size needs; they serve only to keep a reader busy"
        )
    end = content.find(b"\xff\xd9", at)
    if end < 0:
        raise _Damaged("is cut short: it has no end mark")
    if size[0] * size[1] > _JPEG_PIXELS_PER_BYTE * len(content):
        raise _Damaged(
            f"declares {size[1]} x {size[0]} pixels, more than its {len(content)} bytes can hold"
        )
    whole = marker_of_size in (0xC0, 0xC1) and content[at + 2] == channels
    return Header("JPEG", size[1], size[0], turn, end=end if whole else 0)


_PNG_CHANNELS = {  # colour type → its name, channels, bits that these may have
    0: ("grey", 1, (1, 2, 4, 8, 16)),
    2: ("rgb", 3, (8, 16)),
    3: ("indexed", 1, (1, 2, 4, 8)),
    4: ("grey+alpha", 2, (8, 16)),
    6: ("rgb+alpha", 4, (8, 16)),
}


def _png(content: bytes) -> Header:
    """Walk all chunks: each must lie within the file, and the compressed ones must be able to hold
    the image.
    """
    width, height, bits, channels, count = _png_layout(content)
    at, packed, turn, clear_grey, frames = 8, 0, 1, None, 1
    parts: list[tuple[int, int]] = []
    needed = {b"IHDR": 13, b"IDAT": -1, b"IEND": 0} | (
        {b"PLTE": -1} if channels == "indexed" else {}
    )
    needed |= {b"tRNS": {"grey": 2, "rgb": 6, "indexed": -1}[channels]} if count in (1, 3) else {}
    for _ in _parts():
        if at + 8 > len(content):
            raise _Damaged("is cut short: it has no end chunk")
        length, chunk = struct.unpack_from(">I4s", content, at)
        if at + 12 + length > len(content):
            left = len(content) - at - 8
            raise _Damaged(f"has a chunk of {length} bytes where {left} {agreeing(left)} left")
        if chunk == b"IHDR" and parts:
            raise _Damaged("has two header chunks")
        if needed.get(chunk) in (length, -1):
            parts.append((at, at + 12 + length))
        if chunk == b"IDAT":
            packed += length
        elif chunk == b"eXIf":
            turn = turn_of(content[at + 8 : at + 8 + length])
        elif chunk == b"acTL" and length == 8:
            (frames,) = struct.unpack_from(">I", content, at + 8)
        elif chunk == b"tRNS" and channels == "grey" and length == 2:
            level = int.from_bytes(content[at + 8 : at + 10], "big")
            clear_grey = level * (255 // (2**bits - 1) or 1)
        elif chunk == b"IEND":
            break
        elif chunk[:1].isupper() and chunk not in (b"IHDR", b"PLTE"):
            raise _Damaged(f"has a chunk {chunk!r} that nobody knows and it cannot be read without")
        at += 12 + length
    if not packed:
        raise _Damaged("holds no pixels")
    if width * height * count * bits > 8 * _DEFLATE * (packed + 64):
        raise _Damaged(
            f"declares {width} x {height} pixels, more than its {packed} compressed bytes can hold"
        )
    remarks = ("animated: its first frame is read",) if frames > 1 else ()
    return Header(
        "PNG", width, height, turn, channels, bits, clear_grey, parts=tuple(parts), remarks=remarks
    )


def _png_layout(content: bytes) -> tuple[int, int, int, str, int]:
    """Width, height, bits of a channel, what the channels are, and how many, by the first chunk."""
    if content[12:16] != b"IHDR":
        raise _Damaged("does not begin with its header chunk")
    width, height, bits, colour, *methods = struct.unpack_from(">IIBBBBB", content, 16)
    if colour not in _PNG_CHANNELS:
        raise _Damaged(f"declares colour type {colour}, which does not exist")
    channels, count, depths = _PNG_CHANNELS[colour]
    if bits not in depths or methods[:2] != [0, 0] or methods[2] > 1:
        raise _Damaged(
            f"declares channels of {bits} bits, or a way of packing, which do not exist with its "
            "colours"
        )
    return width, height, bits, channels, count


def _webp(content: bytes) -> Header:
    """The container's three shapes (RFC 9649)."""
    whole = 8 + struct.unpack_from("<I", content, 4)[0]
    if whole > len(content):
        raise _Damaged(f"is cut short: it has {len(content)} of {whole} bytes")
    chunk, at, turn = content[12:16], 20, 1
    if chunk == b"VP8 ":
        return Header(
            "WebP", *(side & 0x3FFF for side in struct.unpack_from("<HH", content, at + 6))
        )
    if chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, at + 1)
        return Header("WebP", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if chunk != b"VP8X":
        raise _Damaged(f"begins with the unknown chunk {chunk!r}")
    low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", content, at + 4)
    at, parts = 12, _parts()
    while at + 8 <= whole:
        next(parts)
        chunk, length = struct.unpack_from("<4sI", content, at)
        if chunk == b"EXIF":
            turn = turn_of(content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    remarks = ("animated: its first frame is read",) if content[20] & 2 else ()
    return Header(
        "WebP",
        1 + low_width + (high_width << 16),
        1 + low_height + (high_height << 16),
        turn,
        remarks=remarks,
    )


def _bmp(content: bytes) -> Header:
    """Old headers have 12 bytes and 16-bit sides; a negative height means stored from the top."""
    (length,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", content, 18)
    return Header("BMP", width, abs(height))


def _gif(content: bytes) -> Header:
    """The screen, made larger where the first frame leads beyond it, as readers do."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at, parts = 13 + (6 << (flags & 7) if flags & 0x80 else 0), _parts()  # behind the palette
    while content[at] != 0x2C:  # a frame
        next(parts)
        if content[at] == 0x3B:
            raise _Damaged("holds no frame")
        if content[at] == 0x21:  # an extension: its kind, then blocks of a length and so many bytes
            at += 2
            while content[at]:
                next(parts)
                at += 1 + content[at]
        at += 1
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", content, at + 1)
    remarks = (
        ("animated: its first frame is read",) if _has_second_frame(content, at, parts) else ()
    )
    return Header(
        "GIF", max(width, left + frame_width), max(height, top + frame_height), remarks=remarks
    )


def _has_second_frame(content: bytes, at: int, parts: Iterator[None]) -> bool:
    """Whether another frame follows the GIF's first, which begins at `at`."""
    try:
        flags = content[at + 9]
        at += 11 + (6 << (flags & 7) if flags & 0x80 else 0)  # its blocks
        while True:
            while content[at]:
                next(parts)
                at += 1 + content[at]
            if content[at + 1] != 0x21:
                return content[at + 1] == 0x2C
            at += 3
    except (IndexError, _Damaged):
        return False


# what the channels are → their name, how many there may be; more of RGB are left out
_TIFF_CHANNELS = {
    0: ("grey", (1, 2)),
    1: ("grey", (1, 2)),
    2: ("RGB", tuple(range(3, 9))),
    3: ("indices of a palette", (1, 2)),
    5: ("CMYK", (4, 5)),
    6: ("YCbCr", (3,)),
    8: ("CIE L*a*b*", (3, 4)),
}
_DEEP_CHANNELS = {1: (1,), 2: (3, 4), 5: (4,)}  # of 16 bits


def _tiff(content: bytes) -> Header:
    """The first directory; sample formats that are no plain 8- or 16-bit image are refused."""
    tags = first_directory(content)
    bits, samples, colours = tags.get(258, 1), tags.get(277, 1), tags.get(262, 1)
    if tags.get(254, 0) & 1:
        raise _Foreign("begins with a small copy of what it holds, as raw data of cameras do")
    if tags.get(339, 1) not in (1, 4) or bits not in (1, 2, 4, 8, 16):
        kind = {2: "signed", 3: "floating-point", 5: "complex", 6: "complex"}.get(
            tags.get(339, 1), "unsigned"
        )
        raise _Foreign(f"has {kind} channels of {bits} bits")
    if bits == 16 and (colours == 0 or (tags.get(284) == 2 and samples > 1)):
        raise _Foreign("has 16-bit channels, inverted or in separate planes")
    if colours not in _TIFF_CHANNELS:
        raise _Foreign(
            "says that its channels are neither grey nor colours (photometric interpretation "
            f"{colours})"
        )
    name, counts = _TIFF_CHANNELS[colours]
    if samples not in (_DEEP_CHANNELS.get(colours, ()) if bits == 16 else counts):
        count = counted(samples, "channel")
        raise _Foreign(f"has {count} of {bits} bits that it calls {name}")
    if 256 not in tags or 257 not in tags:
        raise _Damaged("declares no size")
    turn, pages = tags.get(274, 1), count_pages(content)
    several = [
        (pages > 1, f"{pages} pages: the first is read"),
        (samples > 4 and colours == 2, f"{samples} channels: the first three are read as RGB"),
        (samples == 2 and tags.get(338, 0) == 0, "2 channels: the first is read"),
    ]
    highest = tags.get(281, tags.get(341, 0))
    used = max(8, highest.bit_length()) if bits == 16 and 0 < highest < 2**16 - 1 else 0
    remarks = tuple(text for true, text in several if true)
    return Header(
        "TIFF",
        tags[256],
        tags[257],
        turn if 1 <= turn <= 8 else 1,
        used=used,
        bits=bits,
        remarks=remarks,
    )


def _parts() -> Iterator[None]:
    """A turn for each part that a header may have; more serve only to keep a reader busy."""
    yield from repeat(None, _MOST_PARTS)
    raise _Damaged(f"has more than {_MOST_PARTS:,} parts")


_PARSERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
    "GIF": _gif,
}
