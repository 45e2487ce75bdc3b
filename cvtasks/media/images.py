"""Reading and writing images and masks: the one loader of training, evaluation and inference.

The order is always the same: look at what the path is (a named pipe would block for ever), read the
bytes, believe the header only as far as the bytes can bear it (`headers.py`), then decode. OpenCV
decodes from memory, never by file name: by name it crashes on names that are not UTF-8 and returns
half of a truncated JPEG as a grey image without a word. Pillow decodes the rarer kinds: TIFF, whose
16-bit and alpha variants OpenCV reads wrongly, GIF and BMP, which depend on OpenCV's version; and
masks, whose palette indices it alone keeps. OpenCV's BGR order exists in this file alone.
"""

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cvtasks.errors import DataError, OutputError, TooLarge, UsageError, did_you_mean
from cvtasks.files.writing import write_bytes
from cvtasks.media.image_headers import MAX_PIXELS as MAX_PIXELS
from cvtasks.media.image_headers import Header, damaged, foreign, most_bytes, read_header
from cvtasks.media.safe_paths import read_regular_file

JPEG_SIDE = 65_500  # pixels that a side of a JPEG may have
_DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras, microscopes and scanners put into 16
_READ_AHEAD = 16  # bytes that a JPEG decoder looks at beyond the last pixel, and some
# What imencode is asked for; its own default for WebP is lossless, which is slow.
_WRITERS = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 95),
    ".png": (),
    ".webp": (cv2.IMWRITE_WEBP_QUALITY, 90),
}
# EXIF orientation -> what makes the stored image upright (Exif 2.32, tag 274).
_UPRIGHT = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: lambda image: cv2.transpose(image),
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def read_image(
    source: str | Path | bytes,
    max_pixels: int = MAX_PIXELS,
    *,
    name: str | None = None,
    remark: Callable[[str], None] = lambda text: None,
) -> np.ndarray:
    """An image as (h, w, 3) uint8 RGB, 0..255, upright: the EXIF turn is applied.

    `source` is a path, or the encoded bytes themselves. The content decides what it is, not the
    ending of the name: JPEG (also CMYK), PNG, WebP, BMP, TIFF, GIF. Of several frames or pages the
    first is read; transparent pixels are laid over white; grey is repeated three times. 16-bit
    values are shifted to 8 (value >> 8); where the file says that fewer bits hold a value, or the
    greatest value of all needs 14, 12, 10 or 8 bits at most, as those of many cameras and
    microscopes do, these are.

    Args:
        source: path or encoded bytes.
        max_pixels: refuse more pixels (width * height) than this before anything is decoded.
        name: what errors call the image; its path by default.
        remark: is told what was left out or changed, in a few words each: further pages and frames,
            unused bits.

    Raises:
        InputError: not a readable regular file, not an image, damaged or cut short, or too large.
    """
    content, name, header = open_image(source, max_pixels, name)
    for text in header.remarks:
        remark(text)
    decode = _decode if header.kind in ("JPEG", "PNG", "WebP") else _decode_rare
    image = decode(content, name, header, remark)
    if image.shape[:2] != header.upright:
        (height, width), (real_height, real_width) = header.upright, image.shape[:2]
        raise damaged(
            name,
            header.kind,
            f"declares {width} x {height} pixels and holds {real_width} x {real_height}",
        )
    return image


def image_size(
    source: str | Path | bytes, max_pixels: int = MAX_PIXELS, *, name: str | None = None
) -> tuple[int, int]:
    """(height, width) in pixels of the upright image, from its header alone.

    Args and errors are those of `read_image`; damage beyond the header may stay unseen.
    """
    return open_image(source, max_pixels, name)[2].upright


def image_turn(
    source: str | Path | bytes, max_pixels: int = MAX_PIXELS
) -> tuple[tuple[int, int], int]:
    """(height, width) of the upright image, as `image_size`, and the EXIF orientation, 1 to
    8, that made it so.
    """
    header = open_image(source, max_pixels, None)[2]
    return header.upright, header.turn


def upright(image: np.ndarray, turn: int) -> np.ndarray:
    """Stored pixels (h, w) or (h, w, channels) → what EXIF orientation `turn`, 1 to 8, makes of
    them.
    """
    return _UPRIGHT[turn](image) if turn != 1 else image


def read_mask(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A mask as (h, w) uint8 class ids, exactly as stored.

    Read are PNGs that are indexed (the palette is ignored, the indices are the ids) or grey of 1 to
    16 bits (the stored value is the id: 1-bit masks give 0 and 1). By VOC's convention 255 is void.

    Raises:
        InputError: the file cannot be read, is no image, is damaged or too large.
        DataError: it is an image, but not one that holds ids: colours, JPEG, alpha, or an id above
            255.
    """
    content, name, header = open_image(path, max_pixels, None)
    if header.kind != "PNG" or header.channels not in ("indexed", "grey"):
        received = (
            f"a PNG of {header.channels} colours" if header.kind == "PNG" else f"a {header.kind}"
        )
        raise DataError(
            f"a mask must be an indexed or a grey PNG whose values are class ids; {name} is "
            f"{received}. Write ids, "
            "not colours: `cvtasks.media.images.write_mask` does; map colours back to ids with the "
            "data set's table.",
            "mask of colours",
        )
    from PIL.PngImagePlugin import PngImageFile

    content = needed(content, name, header)
    try:
        with PngImageFile(io.BytesIO(content)) as image:
            ids = np.asarray(image)
        if cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) is None:
            raise ValueError("its rows end early")  # Pillow takes what is missing for id 0
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error ...
    except Exception as error:
        raise damaged(name, "PNG", f"cannot be decoded ({error})") from error
    if header.channels == "grey" and header.bits in (2, 4):  # Pillow has stretched these to 0..255
        ids = ids // (255 // (2**header.bits - 1))
    if ids.max() > 255:
        raise DataError(
            f"the ids of a mask must lie in 0..255; {name} is a 16-bit PNG that holds {ids.max()}. "
            "Renumber its classes; 255 is void."
        )
    return ids.astype(np.uint8)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write `image` (h, w, 3) uint8 RGB to `path`, whole or not at all, as JPEG, PNG or WebP by the
    ending of its name.

    Raises:
        UsageError: another ending. OutputError: the file cannot be written or the image is too
            large for the kind.
        ValueError: `image` has another shape or type.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        hint = did_you_mean(suffix, _WRITERS)
        raise UsageError(
            f"an image's name must end in {', '.join(_WRITERS)}, the kinds that are written; got "
            f"{str(path)!r}. {hint}"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"an image must be (h, w, 3) uint8, not empty; got {image.shape} {image.dtype}."
        )
    try:
        done, encoded = cv2.imencode(
            suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), _WRITERS[suffix]
        )
    except cv2.error:  # some versions raise, some return False
        done = False
    if not done:
        height, width = image.shape[:2]
        raise OutputError(
            f"a side must have at most {JPEG_SIDE:,} pixels in a JPEG, 16,383 in a WebP and "
            f"1,000,000 in a PNG; {str(path)!r} was to hold {width} x {height}. Write a .png, or "
            "make it smaller."
        )
    write_bytes(path, encoded.tobytes())


def write_mask(path: str | Path, ids: np.ndarray, palette: np.ndarray) -> None:
    """Write class `ids` (h, w) uint8 as an indexed PNG, whole or not at all; viewers show id i as
    `palette[i]`.

    Args:
        palette: (256, 3) uint8 RGB. It changes the look alone: `read_mask` returns the same ids
            under any palette.

    Raises:
        OutputError: the file cannot be written. ValueError: a shape or a type is another.
    """
    write_bytes(path, mask_png(ids, palette))


def mask_png(ids: np.ndarray, palette: np.ndarray) -> bytes:
    """The indexed PNG that `write_mask` writes; raises ValueError as it does."""
    if ids.dtype != np.uint8 or ids.ndim != 2 or ids.size == 0:
        raise ValueError(f"a mask must be (h, w) uint8, not empty; got {ids.shape} {ids.dtype}.")
    if palette.dtype != np.uint8 or palette.shape != (256, 3):
        raise ValueError(f"a palette must be (256, 3) uint8; got {palette.shape} {palette.dtype}.")
    from PIL import Image

    image = Image.frombytes("P", ids.shape[::-1], ids.tobytes())
    image.putpalette(palette.tobytes())
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


# === from a path to bytes and a header that can be trusted ===


def open_image(
    source: str | Path | bytes, max_pixels: int, name: str | None
) -> tuple[bytes, str, Header]:
    """The encoded bytes, the name for errors, and the header, of at most `max_pixels`."""
    if isinstance(source, bytes):
        content, name = source, "the given bytes" if name is None else repr(name)
    else:
        name = repr(
            str(source) if name is None else name
        )  # repr: a name that is not UTF-8 can always be printed
        content = read_regular_file(source, name, most=most_bytes(max_pixels))
    header = read_header(content, name)
    if header.width * header.height > max_pixels:
        raise TooLarge(
            f"an image may have at most {max_pixels:,} pixels (max_pixels); {name} declares "
            f"{header.width:,} x "
            f"{header.height:,}. Make it smaller, or raise the limit if you trust the file."
        )
    return content, name, header


# === from bytes to pixels ===


def _decode(content: bytes, name: str, header: Header, remark: Callable[[str], None]) -> np.ndarray:
    """(h, w, 3) uint8 RGB, upright, of a JPEG, a PNG or a WebP."""
    # A JPEG has neither alpha nor 16 bits: its colours come straight in RGB. The rest is asked for
    # as it is stored.
    jpeg = header.kind == "JPEG"
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION if jpeg else cv2.IMREAD_UNCHANGED
    # before an end mark the decoder paints grey what is missing; without one it says that it is
    # missing
    if header.end:
        content = content[: header.end] + bytes(_READ_AHEAD)
    if header.kind == "PNG":
        content = needed(content, name, header)
    try:
        image: np.ndarray | None = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise damaged(name, header.kind, f"cannot be decoded ({error.err})") from error
    if image is None:
        raise damaged(name, header.kind, "cannot be decoded to its end")
    if not jpeg:
        clear = None if header.clear_grey is None else image == header.clear_grey
        if image.dtype == np.uint16:
            image = _eight_bits(image, header, remark)
        if image.ndim == 2:
            image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            if clear is not None:
                image[clear] = 255
        elif image.shape[2] == 4:
            image = over_white(cv2.cvtColor(image, cv2.COLOR_BGRA2RGB), image[..., 3])
        else:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return upright(image, header.turn)


def needed(content: bytes, name: str, header: Header) -> bytes:
    """The PNG without what its pixels do not need, and whole: libpng would tell the terminal about
    all that is odd in it.
    """
    for begin, end in header.parts:
        if zlib.crc32(memoryview(content)[begin + 4 : end - 4]) != int.from_bytes(
            content[end - 4 : end], "big"
        ):
            raise damaged(
                name,
                "PNG",
                "has a wrong check sum in its chunk "
                f"{content[begin + 4 : begin + 8].decode('ascii')}",
            )
    pieces = [content[begin:end] for begin, end in header.parts]
    return (
        content if 8 + sum(map(len, pieces)) == len(content) else b"".join([content[:8], *pieces])
    )


def _eight_bits(values: np.ndarray, header: Header, remark: Callable[[str], None]) -> np.ndarray:
    """Shift 16-bit values (h, w) or (h, w, c) to uint8, by the bits that hold something; alpha by
    its own.
    """
    colours = values[..., :3] if values.ndim == 3 and values.shape[2] == 4 else values
    highest = int(colours.max())
    used = (
        next(bits for bits in (header.used or 8, *_DEPTHS) if highest < 2**bits) if highest else 16
    )
    if used < 16:
        remark(f"16 bits a channel, of which {used} are used: these are read as 8")
    if colours is values:
        return (values >> (used - 8)).astype(np.uint8)
    alpha = values[..., 3:]
    depth = used if alpha.max() < 2**used and used < 16 else 16
    return np.dstack([colours >> (used - 8), alpha >> (depth - 8)]).astype(np.uint8)


def _decode_rare(
    content: bytes, name: str, header: Header, remark: Callable[[str], None]
) -> np.ndarray:
    """(h, w, 3) uint8 RGB of the first page or frame;
    Pillow turns a TIFF upright by itself.
    """
    from PIL import BmpImagePlugin, GifImagePlugin, TiffImagePlugin

    # The classes themselves: Image.open would warn of large images, and warnings cannot be silenced
    # thread by thread.
    readers: dict[str, Any] = {
        "BMP": BmpImagePlugin.BmpImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }
    try:
        with readers[header.kind](io.BytesIO(content)) as page:
            covered = sum(
                (right - left) * (bottom - top) for _, (left, top, right, bottom), *_ in page.tile
            )
            if header.kind == "TIFF" and covered < page.width * page.height:
                raise ValueError("its strips do not cover it")  # Pillow would leave the rest black
            page.load()
            if page.mode.startswith("I;16"):
                return cv2.cvtColor(
                    _eight_bits(np.asarray(page).astype(np.uint16), header, remark),
                    cv2.COLOR_GRAY2RGB,
                )
            if page.has_transparency_data:
                pixels = _deeper(np.asarray(page.convert("RGBA")), content, header, remark)
                return over_white(cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), pixels[..., 3])
            return _deeper(np.array(page.convert("RGB")), content, header, remark)
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, KeyError ...
    except Exception as error:
        if "pixel mode" in str(error):
            raise foreign(
                name, header.kind, f"has channels that Pillow does not read ({error})"
            ) from error
        raise damaged(name, header.kind, f"cannot be decoded ({error})") from error


def _deeper(
    pixels: np.ndarray, content: bytes, header: Header, remark: Callable[[str], None]
) -> np.ndarray:
    """The pixels (h, w, c) uint8 of a TIFF; dark ones of 16 bits, of which Pillow gives 8, from all
    of their bits.

    OpenCV has all bits, but reads some variants wrongly: it counts where its upper eight are what
    Pillow says.
    """
    if header.kind != "TIFF" or header.bits != 16 or pixels[..., :3].max() >= 2**6:
        return pixels
    read = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    whole: np.ndarray | None = cv2.imdecode(np.frombuffer(content, np.uint8), read)
    if (
        whole is None
        or whole.dtype != np.uint16
        or whole.ndim != 3
        or whole.shape[2] != pixels.shape[2]
    ):
        return pixels
    whole = cv2.cvtColor(whole, cv2.COLOR_BGRA2RGBA if whole.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    whole = upright(whole, header.turn)
    if whole.shape != pixels.shape or not ((whole >> 8).astype(np.uint8) == pixels).all():
        return pixels
    return _eight_bits(whole, header, remark)


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Lay `colours` (h, w, 3) with `alpha` (h, w), both uint8, over white;
    rounded to the nearest.
    """
    alpha = cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB)
    return cv2.add(cv2.multiply(colours, alpha, scale=1 / 255), 255 - alpha)
