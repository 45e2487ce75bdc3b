"""What a mask's file holds, whatever its program wrote: ids, grey values, colours."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cvtasks.errors import DataError
from cvtasks.media.image_headers import Header, damaged, foreign
from cvtasks.media.images import MAX_PIXELS, needed, open_image, read_image, read_mask
from cvtasks.media.two_levels import LEAST, rounded, upper_level

_SMEARING = ("JPEG", "WebP")


@dataclass(frozen=True, eq=False)
class Stored:
    """What a mask's file holds.

    Attributes:
        values: (h, w) uint8 or uint16, or colours: (h, w, 3) uint8 RGB.
        palette: (n, 3) uint8 RGB, the colours that indices are shown in; None where the values are
            no indices.
        rounded: whether values of a JPEG were rounded to black and another level.
    """

    values: np.ndarray
    palette: np.ndarray | None = None
    rounded: bool = False

    @property
    def coloured(self) -> bool:
        """Whether pixels are colours."""
        return self.values.ndim == 3

    def found(self) -> np.ndarray:
        """The different values, or colours as `packed` has them, rising."""
        flat = packed(self.values) if self.coloured else self.values
        flat = flat.ravel()
        firsts = np.ones(len(flat), bool)  # of runs: far fewer than pixels, and these are sorted
        firsts[1:] = flat[1:] != flat[:-1]
        return np.unique(flat[firsts])


def packed(colours: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 RGB → (...) uint32, 0xRRGGBB.

    >>> [hex(one) for one in packed(np.array([[1, 2, 255]], np.uint8)).tolist()]
    ['0x102ff']
    """
    red, green, blue = np.moveaxis(colours.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue


def read_values(
    path: str | Path, max_pixels: int = MAX_PIXELS, *, rounding: bool = False
) -> Stored:
    """What a mask's pixels hold, exactly as stored: PNG, BMP, GIF, TIFF.

    Colours of which red, green and blue are the same everywhere are given as grey values; alpha
    that hides nothing is left out.

    Args:
        rounding: whether a JPEG is read too, if it holds black and one other level
            (`cvtasks.media.two_levels`), upright as its EXIF tag says.

    Raises:
        InputError: the file cannot be read, is no image, is damaged or too large.
        DataError: its kind does not keep values as they were (JPEG, WebP), or it has alpha or
            several pages.
    """
    content, name, header = open_image(path, max_pixels, None)
    if rounding and header.kind == "JPEG":
        return _rounded(path, name, max_pixels)
    if header.kind in _SMEARING:
        raise DataError(
            f"a mask's file must keep every value as it was; {name} is a {header.kind}, whose "
            "compression smears them, at the edges of objects above all. Save the masks as PNG, "
            "from the program in which they were drawn.",
            "mask smeared",
        )
    if header.kind == "PNG" and header.channels in ("indexed", "grey") and header.bits <= 8:
        indexed = header.channels == "indexed"
        return Stored(read_mask(path, max_pixels), _palette(content, header) if indexed else None)
    values = _decoded(content, name, header)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        if (values[..., -1] != values[0, 0, -1]).any():
            raise DataError(
                f"a mask must be opaque everywhere; {name} is clear in places. Save it without "
                "alpha.",
                "mask with alpha",
            )
        values = values[..., :-1]
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    return Stored(np.ascontiguousarray(values))


def _rounded(path: str | Path, name: str, max_pixels: int) -> Stored:
    pixels = read_image(path, max_pixels)
    level = upper_level(pixels)
    if isinstance(level, str):
        raise DataError(
            "a mask in JPEG, whose compression changes values, must hold black and one other level "
            f"alone, of {LEAST} at least; {name} {level}, so that the numbers of classes cannot be "
            "told. Save the masks as PNG, from the program in which they were drawn.",
            "mask smeared",
        )
    return Stored(rounded(pixels, level), rounded=True)


def read_stencil(content: bytes, name: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """(h, w) bool of an encoded PNG: the pixels that are not clear; of one without alpha, those
    that are not black.

    Raises:
        InputError: it is no PNG, is damaged or too large.
    """
    content, name, header = open_image(content, max_pixels, name)
    if header.kind != "PNG":
        raise foreign(name, header.kind, "is no PNG")
    pixels: np.ndarray | None = cv2.imdecode(
        np.frombuffer(needed(content, name, header), np.uint8), cv2.IMREAD_UNCHANGED
    )
    if pixels is None:
        raise damaged(name, "PNG", "cannot be decoded to its end")
    if pixels.ndim == 3:
        pixels = pixels[..., 3] if pixels.shape[2] == 4 else pixels.max(axis=2)
    return pixels > 0


def _palette(content: bytes, header: Header) -> np.ndarray:
    """The colours of an indexed PNG (its chunk PLTE)."""
    for begin, end in header.parts:
        if content[begin + 4 : begin + 8] == b"PLTE":
            return np.frombuffer(content[begin + 8 : end - 4], np.uint8).reshape(-1, 3)
    return np.zeros((0, 3), np.uint8)


def _has_pages(image: Any) -> bool:
    """Whether an image of Pillow's has another page, or frame, of the same size; a smaller one is
    an overview.
    """
    size = image.size
    try:
        image.seek(1)
    except Exception:  # none, or one that cannot be read; the first one was
        return False
    return bool(image.size == size)


def _decoded(content: bytes, name: str, header: Header) -> np.ndarray:
    """(h, w) or (h, w, channels) uint8 or uint16; of a palette's indices, which programs number
    anew when they write a GIF, the colours.
    """
    from PIL import BmpImagePlugin, GifImagePlugin, PngImagePlugin, TiffImagePlugin

    readers: dict[str, Any] = {
        "BMP": BmpImagePlugin.BmpImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }
    if header.kind == "PNG":
        content = needed(content, name, header)
    try:
        with readers[header.kind](io.BytesIO(content)) as image:
            image.load()
            values = np.asarray(image.convert("RGB") if image.mode == "P" else image)
            several = _has_pages(image)
        decoded = header.kind != "PNG" or cv2.imdecode(
            np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED
        )
        if decoded is None:
            raise ValueError("its rows end early")  # Pillow takes what is missing for 0
    # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error ...
    except Exception as error:
        raise damaged(name, header.kind, f"cannot be decoded ({error})") from error
    if several:
        raise DataError(
            f"a mask is one image, with the class of every pixel; {name} has several pages. Join "
            "them into one, which holds the number of the class at each pixel.",
            "mask pages",
        )
    if values.dtype.kind not in "bui" or values.min() < 0 or values.max() > 65535:
        raise foreign(name, header.kind, "holds other numbers than whole ones of 16 bits")
    return values.astype(np.uint16 if values.max() > 255 else np.uint8)
