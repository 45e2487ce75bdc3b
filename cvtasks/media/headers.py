"""What a picture's header says, read without decoding a pixel: kind, size, turn.

Decoders believe the declared size and allocate it before they look at the content, so lies are found here: a PNG of
69 bytes or a JPEG of 886 could otherwise claim gigabytes. Everything is computed from bytes in memory; no global state,
so any number of threads may read headers at once.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from cvtasks.errors import InputError
from cvtasks.media.directory import first_directory
from cvtasks.media.strangers import what_it_is

KINDS = "JPEG, PNG, WebP, BMP, TIFF, GIF"

# Deflate shrinks at most 1032 times (RFC 1951: 258 bytes in two bits), so this many bytes cannot hold more.
_DEFLATE = 1032
# An 8x8 block costs at least one bit (a progressive, flat, grey JPEG): 512 pixels a byte. Twice that is refused.
_JPEG_PIXELS_PER_BYTE = 1024
_MOST_SCANS = 500


@dataclass(frozen=True, slots=True)
class Header:
    """What the header of one picture declares; `width`, `height` in pixels as stored, before the turn."""

    kind: str  # one of KINDS
    width: int
    height: int
    turn: int = 1  # EXIF orientation, 1..8
    channels: str = ""  # PNG: "grey", "rgb", "indexed", "grey+alpha", "rgb+alpha"
    bits: int = 8  # PNG: bits a channel, 1..16
    clear_grey: int | None = None  # grey PNG: the decoded value that means transparent (1, 2, 4 bits stretched to 8)

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) in pixels after the turn."""
        return (self.width, self.height) if self.turn >= 5 else (self.height, self.width)


class _Damaged(ValueError):
    """The header contradicts itself or the file; the text says how."""


class _Foreign(ValueError):
    """The picture may be good, but is of a variant that is not read; the text says which."""


def read_header(content: bytes, name: str) -> Header:
    """Return what `content`, an encoded picture, declares. `name` is what errors call it.

    Raises:
        InputError: the content is no picture of a known kind, is cut short, or declares what it cannot hold.
    """
    kind = _kind(content)
    if kind is None:
        raise InputError(
            f"A picture must be one of {KINDS}, whatever its name ends in; {name} holds {what_it_is(content)}. "
            "Give another, or convert it to JPEG or PNG."
        )
    try:
        header = _PARSERS[kind](content)
        if header.width < 1 or header.height < 1:
            raise _Damaged(f"declares {header.width} x {header.height} pixels")
    except (IndexError, OverflowError, struct.error):
        raise damaged(name, kind, "ends within its header") from None
    except _Damaged as error:
        raise damaged(name, kind, str(error)) from None
    except _Foreign as error:
        raise InputError(
            f"A picture's channels must be whole numbers of at most 16 bits, 8 in a JPEG; {name}, a {kind}, {error}. "
            "Convert it to PNG first."
        ) from None
    return header


def is_picture(content: bytes) -> bool:
    """Whether content begins as a picture of a known kind does."""
    return _kind(content) is not None


def damaged(name: str, kind: str, reason: str) -> InputError:
    """Return the error for a picture of a known `kind` whose content is not whole; `reason` is a verb phrase."""
    return InputError(f"A picture must be whole and undamaged; {name}, a {kind}, {reason}. Save or fetch it again.")


# === one parser a kind: bytes -> Header ===


def _jpeg(content: bytes) -> Header:
    """Walk the segments up to the first scan (ITU T.81, annex B)."""
    size, marker_of_size, turn, at = None, 0, 1, 2
    while True:
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
            bits, *size = struct.unpack_from(">BHH", content, at + 2)
            marker_of_size = marker
            if bits != 8:
                raise _Foreign(f"has {bits}")
        elif marker == 0xE1 and content.startswith(b"Exif\0\0", at + 2):
            turn = _turn(content[at + 8 : at + length])
        at += length
    if size is None:
        raise _Damaged("declares no size")
    if marker_of_size == 0xC2 and content.count(b"\xff\xda", at) > _MOST_SCANS:
        raise _Damaged(f"has more than {_MOST_SCANS} scans, which serve only to keep a reader busy")
    if content.rfind(b"\xff\xd9", at) < 0:
        raise _Damaged("is cut short: it has no end mark")
    if size[0] * size[1] > _JPEG_PIXELS_PER_BYTE * len(content):
        raise _Damaged(f"declares {size[1]} x {size[0]} pixels, more than its {len(content)} bytes can hold")
    return Header("JPEG", size[1], size[0], turn)


_PNG_CHANNELS = {0: ("grey", 1), 2: ("rgb", 3), 3: ("indexed", 1), 4: ("grey+alpha", 2), 6: ("rgb+alpha", 4)}


def _png(content: bytes) -> Header:
    """Walk all chunks: each must lie within the file, and the compressed ones must be able to hold the picture."""
    if content[12:16] != b"IHDR":
        raise _Damaged("does not begin with its header chunk")
    width, height, bits, colour = struct.unpack_from(">IIBB", content, 16)
    if colour not in _PNG_CHANNELS:
        raise _Damaged(f"declares colour type {colour}, which does not exist")
    if bits not in (1, 2, 4, 8, 16):
        raise _Damaged(f"declares channels of {bits} bits, which do not exist")
    channels, count = _PNG_CHANNELS[colour]
    at, packed, turn, clear_grey = 8, 0, 1, None
    while True:
        if at + 8 > len(content):
            raise _Damaged("is cut short: it has no end chunk")
        length, chunk = struct.unpack_from(">I4s", content, at)
        if at + 12 + length > len(content):
            raise _Damaged(f"has a chunk of {length} bytes where {len(content) - at - 8} are left")
        if chunk == b"IDAT":
            packed += length
        elif chunk == b"eXIf":
            turn = _turn(content[at + 8 : at + 8 + length])
        elif chunk == b"tRNS" and channels == "grey" and length == 2:
            clear_grey = int.from_bytes(content[at + 8 : at + 10], "big") * (255 // (2**bits - 1) or 1)
        elif chunk == b"IEND":
            break
        at += 12 + length
    if width * height * count * bits > 8 * _DEFLATE * (packed + 64):
        raise _Damaged(f"declares {width} x {height} pixels, more than its {packed} compressed bytes can hold")
    return Header("PNG", width, height, turn, channels, bits, clear_grey)


def _webp(content: bytes) -> Header:
    """The container's three shapes (RFC 9649)."""
    whole = 8 + struct.unpack_from("<I", content, 4)[0]
    if whole > len(content):
        raise _Damaged(f"is cut short: {len(content)} of {whole} bytes are there")
    chunk, at, turn = content[12:16], 20, 1
    if chunk == b"VP8 ":
        return Header("WebP", *(side & 0x3FFF for side in struct.unpack_from("<HH", content, at + 6)))
    if chunk == b"VP8L":
        (packed,) = struct.unpack_from("<I", content, at + 1)
        return Header("WebP", (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1)
    if chunk != b"VP8X":
        raise _Damaged(f"begins with the unknown chunk {chunk!r}")
    low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", content, at + 4)
    at = 12
    while at + 8 <= whole:
        chunk, length = struct.unpack_from("<4sI", content, at)
        if chunk == b"EXIF":
            turn = _turn(content[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return Header("WebP", 1 + low_width + (high_width << 16), 1 + low_height + (high_height << 16), turn)


def _bmp(content: bytes) -> Header:
    """Old headers have 12 bytes and 16-bit sides; a negative height means stored from the top."""
    (length,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", content, 18)
    return Header("BMP", width, abs(height))


def _gif(content: bytes) -> Header:
    """The screen, made larger where the first frame leads beyond it, as readers do."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    at = 13 + (6 << (flags & 7) if flags & 0x80 else 0)  # behind the palette
    while content[at] != 0x2C:  # a frame
        if content[at] == 0x3B:
            raise _Damaged("holds no frame")
        if content[at] == 0x21:  # an extension: its kind, then blocks of a length and so many bytes
            at += 2
            while content[at]:
                at += 1 + content[at]
        at += 1
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", content, at + 1)
    return Header("GIF", max(width, left + frame_width), max(height, top + frame_height))


def _tiff(content: bytes) -> Header:
    """The first directory; sample formats that are no plain 8- or 16-bit picture are refused."""
    tags = first_directory(content)
    bits, samples = tags.get(258, 1), tags.get(277, 1)
    if tags.get(339, 1) not in (1, 4) or bits not in (1, 2, 4, 8, 16):
        kind = {2: "signed", 3: "floating-point"}.get(tags.get(339, 1), "unsigned")
        raise _Foreign(f"has {kind} ones of {bits} bits")
    if bits == 16 and (tags.get(262) == 0 or (tags.get(284) == 2 and samples > 1)):
        raise _Foreign("has 16-bit ones, inverted or in separate planes")
    if 256 not in tags or 257 not in tags:
        raise _Damaged("declares no size")
    turn = tags.get(274, 1)
    return Header("TIFF", tags[256], tags[257], turn if 1 <= turn <= 8 else 1)


def _turn(exif: bytes) -> int:
    """Return the orientation 1..8 that EXIF data asks for; 1 where it says nothing or nonsense."""
    try:
        turn = first_directory(exif).get(274, 1)
    except (OverflowError, struct.error, ValueError):
        return 1
    return turn if 1 <= turn <= 8 else 1


_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"RIFF": "WebP",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
}
_PARSERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "BMP": _bmp,
    "TIFF": _tiff,
    "GIF": _gif,
}


def _kind(content: bytes) -> str | None:
    kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
    return None if kind == "WebP" and content[8:12] != b"WEBP" else kind
