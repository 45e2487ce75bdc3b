"""Wrong images and masks, and some that only look wrong."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from cvtasks.media.images import image_size, read_image, read_mask
from tests.laws.tour import Case, Make, file, quarters

QUARTERS = "24 x 40: red green blue white"
Bytes = bytes | Callable[[], bytes]


def encoded(kind: str, image: np.ndarray | Image.Image | None = None, **options: object) -> bytes:
    image = quarters() if image is None else image
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(
        stream, kind, **options
    )
    return stream.getvalue()


def converted(mode: str) -> Image.Image:
    return Image.fromarray(quarters()).convert(mode)


def tiff(image: np.ndarray | None = None, **options: object) -> bytes:
    import tifffile

    stream = io.BytesIO()
    tifffile.imwrite(stream, quarters() if image is None else image, **options)
    return stream.getvalue()


def tagged(*tags: tuple[int, int, int, int], data: bytes = b"") -> bytes:
    """A TIFF of these (tag, kind, count, value), with data at byte 1000."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)).ljust(
        1000, b"\0"
    ) + data


def sized(
    height: int, width: int, *more: tuple[int, int, int, int], data: bytes = bytes(99)
) -> bytes:
    """A grey TIFF of one strip that declares this size."""
    strip = ((273, 4, 1, 1000), (278, 4, 1, height), (279, 4, 1, len(data)))
    given = {tag[0] for tag in more}
    plain = (
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        *strip,
    )
    return tagged(*(tag for tag in plain if tag[0] not in given), *more, data=data)


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def header(height: int, width: int, bits: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace))


def rows(image: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in image)


def png(*chunks: bytes, image: bytes | None = None, head: bytes | None = None) -> bytes:
    """A PNG with more chunks before its pixels, or with other pixels or another header."""
    pixels = chunk(b"IDAT", zlib.compress(rows(quarters()) if image is None else image))
    return (
        b"\x89PNG\r\n\x1a\n" + (head or header(24, 40)) + b"".join(chunks) + pixels + chunk(b"IEND")
    )


def interlaced() -> bytes:
    """The seven passes of Adam7 (PNG, section 8.2)."""
    starts = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    passes = (quarters()[top::down, left::right] for top, left, down, right in starts)
    return png(head=header(24, 40, interlace=1), image=b"".join(map(rows, passes)))


def animated(frames: int = 2, height: int = 24, width: int = 40) -> bytes:
    """An APNG whose first frame declares this size."""
    return png(
        chunk(b"acTL", struct.pack(">II", frames, 0)),
        chunk(b"fcTL", struct.pack(">5I2H2B", 0, width, height, 0, 0, 1, 9, 0, 0)),
    )


def jpeg_sized(height: int, width: int) -> bytes:
    content = encoded("JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def scans(number: int, side: int) -> bytes:
    """A progressive grey JPEG, `side` a multiple of 8, with one scan again and again: 50 bytes
    each, and all blocks to do.
    """
    content = encoded("JPEG", np.zeros((16, 16), np.uint8), progressive=True)
    at, first = content.index(b"\xff\xc2") + 5, content.index(b"\xff\xda")
    content = content[:at] + struct.pack(">HH", side, side) + content[at + 4 : first]
    table = (
        b"\xff\xc4\0\x14\x10\1" + bytes(15) + b"\xe0"
    )  # the code 0 and 14 bits: so many blocks without anything
    bits = "011111111111111" * ((side // 8) ** 2 // 32767 + 1)
    packed = (
        int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2)
        .to_bytes(-(-len(bits) // 8), "big")
        .replace(b"\xff", b"\xff\0")
    )
    content += table + (b"\xff\xda\0\x08\1\1\0\1\x3f\0" + packed) * number + b"\xff\xd9"
    return content + bytes(side * side // 1000)


def gif_bomb(side: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", side, side, 0x80, 0, 0)
        + bytes(6)
        + b","
        + struct.pack("<4HB", 0, 0, side, side, 0)
        + b"\2\2\x4c\1\0;"
    )


def webp_sized(height: int, width: int) -> bytes:
    """A WebP whose canvas is not its frame's."""
    frame = encoded("WEBP", lossless=True)[12:]
    canvas = b"VP8X" + struct.pack(
        "<IIHBHB", 10, 0, width - 1 & 0xFFFF, width - 1 >> 16, height - 1 & 0xFFFF, height - 1 >> 16
    )
    return b"RIFF" + struct.pack("<I", 4 + len(canvas + frame)) + b"WEBP" + canvas + frame


def bmp_flipped(height: int | None = None) -> bytes:
    """A BMP stored from the top: a negative height, the rows in reading order."""
    content = encoded("BMP", quarters()[::-1].copy())
    return content[:22] + struct.pack("<i", -24 if height is None else height) + content[26:]


def turned(turn: int) -> bytes:
    exif = Image.Exif()
    exif[274] = turn
    return encoded("JPEG", quality=95, exif=exif)


def special(
    prepare: Callable[[Path], object], name: str = "image.jpg", read: Callable = read_image
) -> Make:
    """What lies at the path is made by `prepare(path)`."""

    def make(folder: Path) -> Callable[[], object]:
        prepare(folder / name)
        return partial(read, folder / name)

    return make


def linked(path: Path) -> None:
    (path.parent / "true").write_bytes(encoded("PNG"))
    path.symlink_to("true")


def looped(path: Path) -> None:
    path.with_name("other").symlink_to(path)
    path.symlink_to("other")


def sparse(path: Path) -> None:
    path.write_bytes(encoded("JPEG"))
    os.truncate(path, 1 << 40)


def raw_name(folder: Path) -> Callable[[], object]:
    path = os.fsencode(folder) + b"/\xff\xfe\xe4.jpg"
    Path(os.fsdecode(path)).write_bytes(encoded("PNG"))
    return partial(read_image, os.fsdecode(path))


def good(content: Bytes, says: str = QUARTERS, name: str = "image.jpg") -> Case:
    return Case(file(content, read_image, name), "", says)


def bad(
    content: Bytes, says: str, name: str = "image.jpg", read: Callable[[Path], object] = read_image
) -> Case:
    return Case(file(content, read, name), "InputError", says)


def too_large(content: Bytes, says: str) -> Case:
    return Case(file(content, read_image, "image.jpg"), "TooLarge", says)


def mask(content: Bytes, says: str, expect: str = "") -> Case:
    return Case(file(content, read_mask, "mask.png"), expect, says)


def ids(*values: int, dtype: type = np.uint8) -> np.ndarray:
    return np.array([values] * 3, dtype)


GREYS = "24 x 40: grey grey black white"
MP4 = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(99)
_ONE = b"\0\0\0\0\0"  # one pixel's row of a PNG


def indexed(values: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", values.shape[::-1], values.tobytes())
    image.putpalette(bytes(range(256)) * 3)
    return image


READ = {  # looks wrong, is fine
    "jpeg": good(lambda: encoded("JPEG", quality=95)),
    "jpeg of inks, Adobe's": good(lambda: encoded("JPEG", converted("CMYK"), quality=95)),
    "jpeg, progressive": good(lambda: encoded("JPEG", progressive=True)),
    "jpeg, grey": good(lambda: encoded("JPEG", converted("L")), GREYS),
    "jpeg, turned right": good(lambda: turned(6), "40 x 24: blue red white green"),
    "jpeg, mirrored": good(lambda: turned(2), "24 x 40: green red white blue"),
    "jpeg, a turn that does not exist": good(lambda: turned(99)),
    "jpeg with a megabyte behind it": good(lambda: encoded("JPEG") + bytes(1 << 20)),
    "jpeg named .png": good(lambda: encoded("JPEG"), name="image.png"),
    "a name without an ending": good(lambda: encoded("PNG"), name="image"),
    "a name with a percent sign": good(lambda: encoded("PNG"), name="100%d of it.jpg"),
    "a name with a line break": good(lambda: encoded("PNG"), name="two\nlines.png"),
    "a name of 255 bytes": good(lambda: encoded("PNG"), name="ü" * 125 + ".jpeg"),
    "a name that is not UTF-8": Case(raw_name, "", QUARTERS),
    "a link to an image": Case(special(linked), "", QUARTERS),
    "png, 16 bits": good(
        lambda: png(head=header(24, 40, 16), image=rows(quarters().astype(">u2") * 257))
    ),
    "png, 1 bit": good(
        lambda: encoded("PNG", converted("L").point(lambda v: 255 * (v > 100)).convert("1")),
        "white black white",
    ),
    "png, indexed, one clear": good(
        lambda: encoded("PNG", converted("RGB").quantize(4), transparency=0), "white"
    ),
    "png, clear grey": good(
        lambda: encoded("PNG", converted("L"), transparency=29), "24 x 40: grey grey white white"
    ),
    "png, half clear": good(
        lambda: encoded("PNG", np.dstack([quarters(), np.full((24, 40), 0, np.uint8)])),
        "white white",
    ),
    "png, interlaced": good(interlaced),
    "png, animated": good(
        lambda: encoded("PNG", save_all=True, append_images=[Image.new("RGB", (40, 24))])
    ),
    "png, a text that unpacks to 100 MB": good(
        lambda: png(chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000))))
    ),
    "png, a profile that unpacks to 100 MB": good(
        lambda: png(chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(100_000_000))))
    ),
    "png, one pixel": good(lambda: encoded("PNG", quarters()[:1, :1]), "1 x 1: red"),
    "png, a row alone": good(
        lambda: encoded("PNG", np.zeros((1, 40_000, 3), np.uint8)), "1 x 40000: black"
    ),
    "gif, animated": good(
        lambda: encoded("GIF", save_all=True, append_images=[Image.new("RGB", (40, 24))])
    ),
    "webp, animated": good(
        lambda: encoded(
            "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (40, 24))]
        )
    ),
    "tiff of two pages": good(
        lambda: encoded("TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    ),
    "tiff, big": good(lambda: tiff(photometric="rgb", bigtiff=True)),
    "tiff, 16 bits": good(lambda: tiff(quarters().astype(np.uint16) * 257, photometric="rgb")),
    "tiff, packed, in planes": good(
        lambda: tiff(
            quarters().transpose(2, 0, 1).copy(),
            photometric="rgb",
            planarconfig="separate",
            compression="zlib",
        )
    ),
    "jpeg of many scans, small": good(lambda: scans(400, 16), "16 x 16: grey grey grey grey"),
    "tiff, grey, by hand": good(
        lambda: sized(2, 2, data=b"\0\xff\xff\0"), "2 x 2: black white white black"
    ),
    "bmp, stored from the top": good(bmp_flipped),
}

REFUSED = {
    "nothing": bad(b"", "0 bytes"),
    "one byte": bad(b"\0", "something unknown"),
    "text": bad(b"hello, this is no image\n", "text"),
    "html": bad(b"\r\n<!DOCTYPE html><html><body>404 Not Found</body></html>", "HTML"),
    "svg": bad(b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "pdf": bad(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    "heic": bad(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    "avif": bad(lambda: encoded("AVIF"), "AVIF"),
    "video": bad(MP4, "MP4"),
    "zip": bad(b"PK\x03\x04\x14\0" + bytes(50), "an archive"),
    "ico": bad(lambda: encoded("ICO"), "something unknown"),
    "portable map": bad(b"P6\n1 1\n255\n\0\0\0", "a PPM"),
    "sound that begins as WebP does": bad(
        b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "something unknown"
    ),
    "a folder": Case(special(Path.mkdir), "InputError", "a folder"),
    "a named pipe": Case(special(os.mkfifo), "InputError", "a named pipe"),
    "a device without end": Case(
        lambda folder: partial(read_image, "/dev/zero"), "InputError", "a device"
    ),
    "a file that cannot be read": Case(
        lambda folder: partial(read_image, "/proc/self/mem"), "InputError", "cannot: Input/output"
    ),
    "a link to itself": Case(special(looped), "InputError", "Too many levels of symbolic links"),
    "a link to nowhere": Case(
        special(lambda path: path.symlink_to("gone")), "InputError", "does not. Check the name"
    ),
    "a name too long": Case(
        lambda folder: partial(read_image, folder / ("a" * 300)), "InputError", "File name too long"
    ),
    "a NUL within the name": Case(
        lambda folder: partial(read_image, f"{folder}/a\0b"), "InputError", "null byte"
    ),
    "a terabyte of holes": Case(special(sparse), "InputError", "may have at most"),
    "jpeg, its start alone": bad(b"\xff\xd8\xff", "ends"),
    "jpeg, cut": bad(lambda: encoded("JPEG")[:-200], "cut short"),
    "jpeg, cut, and an end mark": bad(
        lambda: encoded("JPEG", np.tile(quarters(), (9, 9, 1)))[:-2000] + b"\xff\xd9", "a JPEG"
    ),
    "jpeg of 4 gigapixels": bad(lambda: jpeg_sized(65_500, 65_500), "more than its"),
    "jpeg of 49 megapixels": bad(lambda: jpeg_sized(7000, 7000), "more than its"),
    "jpeg without height": bad(lambda: jpeg_sized(0, 40), "40 x 0"),
    "jpeg, its height a little too great": bad(lambda: jpeg_sized(200, 40), "a JPEG"),
    "jpeg, 600 scans": bad(lambda: scans(600, 16), "600 scans"),
    "jpeg, 499 scans of 16 megapixels": bad(lambda: scans(499, 4000), "a JPEG, has 499 scans"),
    "jpeg, a million marks": bad(
        lambda: b"\xff\xd8" + b"\xff\xfe\0\2" * 4_000_000 + encoded("JPEG")[2:], "parts"
    ),
    "png, its magic alone": bad(b"\x89PNG\r\n\x1a\n", "header chunk"),
    "png, cut": bad(lambda: png()[:-30], "chunk of"),
    "png without end": bad(lambda: png()[:-12], "no end chunk"),
    "png of 10 gigapixels": bad(
        lambda: png(head=header(100_000, 100_000), image=_ONE), "100000 x 100000"
    ),
    "png of 49 megapixels": bad(lambda: png(head=header(7000, 7000), image=_ONE), "more than its"),
    "png, half its rows": bad(lambda: png(image=rows(quarters()[:12])), "a PNG"),
    "png, no pixels": bad(lambda: png().replace(b"IDAT", b"tEXt"), "a PNG"),
    "png, pixels that do not unpack": bad(lambda: png().replace(b"IDAT\x78", b"IDAT\xff"), "a PNG"),
    "png, a wrong sum": bad(lambda: (c := png())[:-16] + bytes([c[-16] ^ 1]) + c[-15:], "a PNG"),
    "png, two headers": bad(lambda: png(header(30_000, 30_000)), "a PNG"),
    "png, colours of a kind that is none": bad(
        lambda: png(head=header(24, 40, 8, 5)), "colour type 5"
    ),
    "png, indexed without a palette": bad(
        lambda: png(head=header(24, 40, 8, 3), image=rows(quarters()[..., 0])), "a PNG"
    ),
    "png, a first frame beyond the screen": good(lambda: animated(2, 60_000, 60_000), "24 x 40"),
    "png, frames without number": good(lambda: animated(2**31 - 1), "24 x 40"),
    "png, a million chunks": bad(lambda: png(*[chunk(b"tEXt")] * 3_000_000), "parts"),
    "gif of 4 gigapixels": too_large(lambda: gif_bomb(65_535), "65,535 x 65,535"),
    "gif of 49 megapixels": bad(lambda: gif_bomb(7000), "a GIF"),
    "gif, cut": bad(lambda: encoded("GIF")[:60], "a GIF"),
    "gif without a frame": bad(b"GIF89a" + struct.pack("<HHBBB", 9, 9, 0, 0, 0) + b";", "no frame"),
    "gif, a comment of a million pieces": bad(
        lambda: b"GIF89a\x28\0\x18\0\0\0\0!\xfe" + b"\1a" * 6_000_000 + b"\0" + gif_bomb(9)[13:],
        "parts",
    ),
    "webp, cut": bad(lambda: encoded("WEBP")[:-9], "cut short"),
    "webp of 4 gigapixels": too_large(lambda: webp_sized(65_000, 65_000), "65,000 x 65,000"),
    "webp, its canvas is not its frame's": bad(lambda: webp_sized(7000, 7000), "a WebP"),
    "tiff, its magic alone": bad(b"II*\0", "ends within"),
    "tiff, cut": bad(lambda: tiff(photometric="rgb")[:-900], "a TIFF"),
    "tiff of 4 gigapixels": too_large(lambda: sized(65_000, 65_000), "65,000 x 65,000"),
    "tiff of 49 megapixels": bad(lambda: sized(7000, 7000), "a TIFF"),
    "tiff, packed, of 49 megapixels": bad(
        lambda: sized(7000, 7000, (259, 3, 1, 8), data=zlib.compress(bytes(99))), "a TIFF"
    ),
    "tiff, tiles of 4 gigapixels": bad(
        lambda: sized(
            24,
            40,
            (322, 4, 1, 65_536),
            (323, 4, 1, 65_536),
            (324, 4, 1, 1000),
            (325, 4, 1, 99),
            (259, 3, 1, 8),
        ),
        "a TIFF",
    ),
    "tiff, a strip that unpacks to 100 MB": good(
        lambda: sized(24, 40, (259, 3, 1, 8), data=zlib.compress(bytes(100_000_000))),
        "24 x 40: black",
    ),
    "tiff, a directory outside": bad(b"II*\0\xff\xff\xff\x7f" + bytes(50), "ends"),
    "tiff, a value of 4 gigabytes": bad(lambda: sized(24, 40, (270, 2, 2**32 - 1, 8)), "a TIFF"),
    "webp, a million chunks": bad(
        lambda: (
            b"RIFF"
            + struct.pack("<I", 24_000_022)
            + b"WEBPVP8X"
            + struct.pack("<I", 10)
            + bytes(10)
            + b"none\0\0\0\0" * 3_000_000
        ),
        "parts",
    ),
    "tiff of a million tags": bad(
        lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 1 << 40) + bytes(40_000_000), "a TIFF"
    ),
    "tiff, no size": bad(lambda: tagged((258, 3, 1, 8)), "no size"),
    "tiff of 65535 channels": bad(lambda: sized(24, 40, (277, 3, 1, 65_535)), "a TIFF"),
    "tiff of fractions": bad(lambda: tiff(quarters()[..., 0].astype(np.float32)), "floating-point"),
    "tiff, strips that do not cover it": bad(
        lambda: sized(24, 40, (257, 4, 1, 48), data=bytes(960)), "a TIFF"
    ),
    "bmp of 4 gigapixels": too_large(
        lambda: encoded("BMP")[:18] + struct.pack("<ii", 65_000, 65_000) + encoded("BMP")[26:],
        "65,000",
    ),
    "bmp of the least height there is": bad(lambda: bmp_flipped(-(2**31)), "2,147,483,648"),
    "bmp of a width below nothing": bad(
        lambda: encoded("BMP")[:18] + struct.pack("<i", -40) + encoded("BMP")[22:], "-40 x 24"
    ),
    "bmp, cut": bad(lambda: encoded("BMP")[:-900], "a BMP"),
    "bmp, its header alone": bad(lambda: encoded("BMP")[:20], "ends within"),
    "size of a bomb": bad(
        lambda: png(head=header(50_000, 50_000), image=_ONE), "50000 x 50000", read=image_size
    ),
    "size of a cut jpeg": bad(lambda: encoded("JPEG")[:99], "a JPEG", read=image_size),
}

VALUES = ids(0, 1, 2, 255)
MASKS = {
    "indexed": mask(lambda: encoded("PNG", indexed(VALUES)), "3 x 4: ids 0 1 2 255"),
    "grey": mask(lambda: encoded("PNG", VALUES), "3 x 4: ids 0 1 2 255"),
    "black and white, as two colours are drawn": mask(
        lambda: encoded("PNG", ids(0, 255)), "ids 0 255"
    ),
    "1 bit": mask(lambda: encoded("PNG", Image.fromarray(ids(0, 1) > 0)), "3 x 2: ids 0 1"),
    "16 bits, small numbers": mask(
        lambda: encoded("PNG", ids(0, 20, 255, dtype=np.uint16)), "ids 0 20 255"
    ),
    "16 bits, great numbers": mask(
        lambda: encoded("PNG", ids(0, 256, dtype=np.uint16)), "holds 256", "DataError"
    ),
    "colours": mask(lambda: encoded("PNG"), "rgb colours", "DataError"),
    "colours and alpha": mask(
        lambda: encoded("PNG", np.dstack([quarters(), quarters()[..., 0]])),
        "rgb+alpha",
        "DataError",
    ),
    "grey and alpha": mask(lambda: encoded("PNG", converted("LA")), "grey+alpha", "DataError"),
    "jpeg": mask(lambda: encoded("JPEG", converted("L")), "is a JPEG", "DataError"),
    "tiff": mask(lambda: tiff(VALUES), "is a TIFF", "DataError"),
    "cut": mask(lambda: encoded("PNG", np.tile(VALUES, (99, 99)))[:-40], "a PNG", "InputError"),
    "fewer rows than it declares": mask(
        lambda: png(head=header(24, 40, 8, 0), image=bytes(41 * 12)), "a PNG", "InputError"
    ),
    "10 gigapixels": mask(
        lambda: png(head=header(100_000, 100_000, 8, 0), image=_ONE),
        "100000 x 100000",
        "InputError",
    ),
    "nothing": mask(b"", "0 bytes", "InputError"),
    "a named pipe": Case(special(os.mkfifo, read=read_mask), "InputError", "a named pipe"),
}

CASES = {
    **{f"image: {name}": case for name, case in {**READ, **REFUSED}.items()},
    **{f"mask: {name}": case for name, case in MASKS.items()},
}
