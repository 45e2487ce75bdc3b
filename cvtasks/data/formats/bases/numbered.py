"""Images whose pixels are numbers of objects."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cvtasks.data.formats.bases.boxes import Frame
from cvtasks.data.formats.bases.mask_files import TURNED_MASK, is_stored
from cvtasks.errors import DataError
from cvtasks.media.images import upright
from cvtasks.media.mask_values import packed, read_values

ROUNDED = (
    "masks are JPEG files: values were rounded to black and one other level; borders may be off by "
    "a pixel or so"
)
"""A remark on a mask."""

_VOID, _VOID_COLOUR = 255, 0xE0E0C0  # of Pascal VOC's palette


def read_numbers(
    path: Path,
    frame: Frame,
    habit: Callable[[], str],
    *,
    void: bool = False,
    rounding: bool = False,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(h, w) int64: number of the object that each pixel shows, 0 where there is none, and remarks
    about what was done.

    Colours are numbers too, black none.

    Args:
        void: whether 255, and of colours the one that Pascal VOC's palette shows it in, are void.
        rounding: whether a JPEG is read too, if it holds black and one other level.
        frame: the image's. habit: on which pixels masks are drawn where EXIF tags turn images.

    Raises:
        DataError: it is of another size than its image, or holds no such numbers.
        InputError: it cannot be read.
    """
    stored = read_values(path, rounding=rounding)
    if stored.coloured:
        numbers = packed(stored.values).astype(np.int64)
        none = _VOID_COLOUR
    else:
        numbers = stored.values.astype(np.int64)
        none = _VOID
    if void:
        numbers[numbers == none] = 0
    turned = is_stored(numbers.shape, frame.size, frame.turn, str(path), habit)
    if turned:
        numbers = upright(numbers.astype(np.int32), frame.turn).astype(np.int64)
    if numbers.shape != frame.size:
        raise DataError(
            f"a mask must have its image's size (height, width) {frame.size}; {str(path)!r} has "
            f"{numbers.shape}. Resize it with nearest-neighbour interpolation.",
            "mask size",
        )
    return numbers, (TURNED_MASK,) * turned + (ROUNDED,) * stored.rounded
