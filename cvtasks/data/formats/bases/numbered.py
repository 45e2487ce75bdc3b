"""Images whose pixels are numbers of objects."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cvtasks.data.formats.bases.boxes import Frame
from cvtasks.data.formats.bases.mask_files import TURNED_MASK, is_stored
from cvtasks.errors import DataError
from cvtasks.media.images import upright
from cvtasks.media.mask_values import packed, read_values

_VOID = 255  # of a palette, as Pascal VOC's edges of objects
_VOID_COLOUR = 0xE0E0C0  # which that palette shows it in


def read_numbers(
    path: Path, frame: Frame, habit: Callable[[], str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(h, w) int64: number of the object that each pixel shows, 0 where there is none, and remarks
    about what was done.

    Colours are numbers too, black none. Of a palette's indices, as Pascal VOC has them, 255 is
    void, and of colours the one that stands for it there.

    Args:
        frame: the image's. habit: on which pixels masks are drawn where EXIF tags turn images.

    Raises:
        DataError: it is of another size than its image, or holds no such numbers.
        InputError: it cannot be read.
    """
    stored = read_values(path)
    if stored.coloured:
        numbers = packed(stored.values).astype(np.int64)
        numbers[numbers == _VOID_COLOUR] = 0
    else:
        numbers = stored.values.astype(np.int64)
        if stored.palette is not None:
            numbers[numbers == _VOID] = 0
    turned = is_stored(numbers.shape, frame.size, frame.turn, str(path), habit)
    if turned:
        numbers = upright(numbers.astype(np.int32), frame.turn).astype(np.int64)
    if numbers.shape != frame.size:
        raise DataError(
            f"a mask must have its image's size (height, width) {frame.size}; {str(path)!r} has "
            f"{numbers.shape}. Resize it with nearest-neighbour interpolation.",
            "mask size",
        )
    return numbers, (TURNED_MASK,) * turned
