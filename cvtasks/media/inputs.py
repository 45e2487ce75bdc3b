"""What a Python caller may give as an image, and its reading: always (h, w, 3) uint8 RGB, or an
error that says the way out.
"""

import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from cvtasks.errors import CVTasksWarning, InputError, UsageError
from cvtasks.media.images import MAX_PIXELS, over_white, read_image
from cvtasks.media.prefetch import shut
from cvtasks.media.sources import Item, expand
from cvtasks.media.strips import Strips, read_large

if TYPE_CHECKING:
    from PIL.Image import Image

    GivenImage = str | os.PathLike[str] | bytes | bytearray | memoryview | np.ndarray | Image

_WHAT = (
    "an image is a path, an http(s) address, sample:NAME, the bytes of an image file, a PIL image, "
    "or an array (h, w, 3) uint8 RGB, "
    "(h, w, 4) RGBA or (h, w) grey"
)
_TO_UINT8 = {
    ("f"): (
        "(image * 255).round().astype(numpy.uint8) if its values are 0 to 1, "
        "image.round().astype(numpy.uint8) if 0 to 255"
    ),
    "b": "image.astype(numpy.uint8) * 255",
    "u": "(image >> 8).astype(numpy.uint8) if its values reach 65535",
    "i": "image.astype(numpy.uint8) if its values are 0 to 255",
}


def as_image(
    given: object, which: str = "", max_pixels: int = MAX_PIXELS, *, by_strips: bool = False
) -> np.ndarray:
    """An image as (h, w, 3) uint8 RGB, upright.

    Args:
        given: see `Model.predict`.
        which: what errors call it, where it is one of several.
        max_pixels: limit of `read_image`.
        by_strips: a file of more than the usual limit is `Strips`, where it can be.

    Raises:
        InputError: it cannot be read, or is damaged or too large. UsageError: it is none of what an
            image may be.

    Warns:
        CVTasksWarning: part of it was passed over, such as further pages.
    """
    if isinstance(given, np.ndarray):
        return _of_array(given, which)
    if isinstance(given, Strips):
        return cast(np.ndarray, given)  # it is looked at as an array is
    if isinstance(given, str | os.PathLike):
        limits = max_pixels, by_strips
        return _of_name(os.fspath(given), isinstance(given, str), which, *limits)
    if isinstance(given, bytes | bytearray | memoryview):
        return read_image(
            bytes(given),
            max_pixels,
            name=which or None,
            remark=partial(_remarked, which or "the given bytes"),
        )
    pil = sys.modules.get("PIL.Image")  # whoever has a PIL image has imported it
    if pil is not None and isinstance(given, pil.Image):
        return _of_pil(given, which)
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    raise _refused(f"a {kind}", _instead(given), which)


def tagged(
    given: object, max_pixels: int = MAX_PIXELS, *, by_strips: bool = False
) -> Iterator[tuple[Any, Any]]:
    """(tag, image) pairs of what `Model.predict_many` was given; an image without a tag has its
    number, from 0.

    Args:
        max_pixels, by_strips: of `as_image`.

    Raises:
        UsageError: it is one image, or nothing that has several; at once.
    """
    if isinstance(given, np.ndarray) and given.ndim != 4:
        raise UsageError(
            f"several images in one array are (n, h, w, 3); got {given.shape}. Give one image to "
            "predict, or as [image]."
        )
    pil = sys.modules.get("PIL.Image")
    single = isinstance(given, str | os.PathLike | bytes | bytearray | memoryview) or (
        pil and isinstance(given, pil.Image)
    )
    if single or isinstance(given, Mapping) or not isinstance(given, Iterable):
        what = f"one {type(given).__name__}" if single else f"a {type(given).__name__}"
        way_out = (
            "Give its items()."
            if isinstance(given, Mapping)
            else "Give one image to predict, or as [image]."
        )
        raise UsageError(
            "several images come in a list or from anything that gives one after the other; got "
            f"{what}. {way_out}"
        )
    return _pairs(given, partial(as_image, max_pixels=max_pixels, by_strips=by_strips))


def _pairs(
    given: Iterable[Any], read: Callable[[object, str], np.ndarray]
) -> Iterator[tuple[Any, Any]]:
    with shut(given):
        for number, one in enumerate(given):
            tag, image = number, one
            if isinstance(one, tuple | list):
                if isinstance(one, list) or len(one) != 2 or isinstance(one[0], np.ndarray):
                    raise UsageError(
                        "each of several images is an image, or a tuple of a tag and one; number "
                        f"{number} is a {type(one).__name__} of "
                        f"{len(one)}. Give one flat list."
                    )
                tag, image = one
            yield tag, read(image, f"number {number}")


def _of_array(array: np.ndarray, which: str) -> np.ndarray:
    """A colour image as it is; grey three times, transparent ones over white, as files of such are
    read.
    """
    shape = array.shape
    if array.dtype != np.uint8:
        way = _TO_UINT8.get(array.dtype.kind)
        raise _refused(
            f"an array {shape} {array.dtype}", f"Give {way}." if way else "Give numbers.", which
        )
    if (
        not array.size
        or array.ndim not in (2, 3)
        or (array.ndim == 3 and shape[2] not in (1, 3, 4))
    ):
        way = ""
        if array.ndim == 4 and len(array):
            way = "Give image[0]." if len(array) == 1 else "Give several images to predict_many."
        elif array.ndim == 3 and array.size and shape[0] in (1, 3, 4):
            way = "Give image.transpose(1, 2, 0): the channels come last."
        raise _refused(f"an array {shape}", way, which)
    if not array.flags.c_contiguous or type(array) is not np.ndarray:
        array = np.ascontiguousarray(np.asarray(array))
    if array.ndim == 2 or shape[2] == 1:
        return cv2.cvtColor(array, cv2.COLOR_GRAY2RGB)
    if shape[2] == 4:
        return over_white(
            cv2.cvtColor(array, cv2.COLOR_RGBA2RGB), np.ascontiguousarray(array[..., 3])
        )
    return array


def _of_pil(image: "Image", which: str) -> np.ndarray:
    """As `read_image` reads its file: turned as its EXIF says, 16 bits as 8, transparent pixels
    over white.
    """
    from PIL import Image as Images
    from PIL import ImageOps

    named = (
        repr(getattr(image, "filename", ""))
        if getattr(image, "filename", "")
        else which or "the one given"
    )
    if image.width * image.height > MAX_PIXELS:
        raise InputError(
            f"an image may have at most {MAX_PIXELS:,} pixels; {named} has {image.width} x "
            f"{image.height}. Make it smaller."
        )
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            encoded = (
                io.BytesIO()
            )  # the rule for how many of the bits hold something stands in one place
            Images.fromarray(np.asarray(image).astype(np.uint16)).save(
                encoded, "PNG", compress_level=1
            )
            return read_image(
                encoded.getvalue(), name=which or None, remark=partial(_remarked, named)
            )
        if image.mode in ("I", "F"):
            raise _refused(
                f"a PIL image of mode {image.mode}",
                "Turn it into uint8, by a rule that fits its values.",
                which,
            )
        if image.has_transparency_data:
            pixels = np.asarray(image.convert("RGBA"))
            return over_white(
                cv2.cvtColor(pixels, cv2.COLOR_RGBA2RGB), np.ascontiguousarray(pixels[..., 3])
            )
        pixels = np.array(image.convert("RGB"))
    except (UsageError, CVTasksWarning):
        raise
    except (
        Exception
    ) as error:  # its file is read only now, and Pillow's decoders raise nearly every kind
        raise InputError(
            f"an image must be one that can be decoded; {named} cannot: {error}. Check the file."
        ) from error
    return _of_array(pixels, which)


def _of_name(
    name: str | bytes, text: bool, which: str, max_pixels: int, by_strips: bool
) -> np.ndarray:
    """What lies at a path, or, where it is text, at an address or under sample:NAME."""
    name = os.fsdecode(name)
    if not name:
        raise _refused("an empty path", "", which)
    if (
        text
        and re.match(r"[a-z][a-z0-9+.-]*://|sample:", name, re.IGNORECASE)
        and not os.path.lexists(name)
    ):
        item = next(expand([name], max_pixels=max_pixels))
        if not isinstance(item, Item):
            raise _refused(
                f"{item.source!r}, a video or a stream",
                "Give its frames one by one as arrays.",
                which,
            )
        return item.read(partial(_remarked, repr(item.source)))
    path = Path(name)
    if name.startswith("~") and not os.path.lexists(path):
        with suppress(RuntimeError):  # no such user
            path = path.expanduser()
    remark = partial(_remarked, repr(str(path)))
    return (read_large if by_strips else read_image)(path, max_pixels, remark=remark)


def _remarked(which: str, text: str) -> None:
    """Say what was passed over or changed in reading an image."""
    warnings.warn(f"{which}: {text}", CVTasksWarning, stacklevel=2)


def _refused(what: str, way_out: str, which: str) -> UsageError:
    who = f"{which} is" if which else "got"
    return UsageError(f"{_WHAT}; {who} {what}. {way_out}".rstrip())


def _instead(given: object) -> str:
    """What to give in its place."""
    if hasattr(given, "permute"):
        return (
            "A tensor (3, h, w) of 0 to 1 becomes (tensor * 255).round().byte().permute(1, 2, "
            "0).cpu().numpy()."
        )
    if hasattr(given, "__array__"):
        return "Give numpy.asarray of it, as uint8."
    if hasattr(given, "read"):
        return "Give what its read() returns."
    if isinstance(given, list | tuple) or hasattr(given, "__next__"):
        return "Give several images to predict_many, in one flat list."
    return ""
