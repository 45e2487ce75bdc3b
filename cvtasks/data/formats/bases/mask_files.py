"""What masks mean beyond their numbers: 255 as the object of two classes, and masks of the stored
pixels of a turned image.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.drawn import STORED_PIXELS, habits
from cvtasks.media.images import image_turn, read_mask

VOID = 255
OBJECT = "masks hold 0 and 255 alone; with two classes 255 was read as the second one, not as void"
TURNED_MASK = (
    "masks are of the stored pixels of an image that its EXIF tag turns; they were turned with it"
)


def black_and_white(masks: Iterable[Path]) -> bool:
    """Whether masks hold no id but 0 and 255, and 255 somewhere. Reads no further than the first
    other id.
    """
    white = False
    for path in masks:
        try:
            counts = np.bincount(read_mask(path).ravel(), minlength=256)
        except CVTasksError:  # a fault, which is told when its turn comes
            continue
        if counts[1:VOID].any():
            return False
        white |= bool(counts[VOID])
    return white


def void_beside_ids(masks: Iterable[Path]) -> bool:
    """Whether a mask holds 255 and an id that is neither 0 nor 255. Reads no further than the first
    that does.
    """
    for path in masks:
        with suppress(CVTasksError):  # a fault, which is told when its turn comes
            counts = np.bincount(read_mask(path).ravel(), minlength=256)
            if counts[VOID] and counts[1:VOID].any():
                return True
    return False


def habit_of(pairs: Iterable[tuple[Path, Path]]) -> str:
    """Whether masks of images that EXIF tags turn are of "upright" or "stored" pixels, by those
    whose shape tells; or "".
    """
    found: set[str] = set()
    for image, mask in pairs:
        try:
            size, turn = image_turn(image)
            ways = habits(image_turn(mask)[0], size, turn) if turn >= 5 else []
        except CVTasksError:  # a fault, which is told when its turn comes
            continue
        found.update(ways if len(ways) == 1 else [])
    return found.pop() if len(found) == 1 else ""


def is_stored(
    shape: tuple[int, ...], size: tuple[int, int], turn: int, name: str, habit: Callable[[], str]
) -> bool:
    """Whether a mask of this shape is one of the stored pixels of an image that EXIF orientation
    `turn` makes upright, of `size`.

    Raises:
        DataError: neither its shape nor another mask tells.
    """
    if turn == 1 or (shape == size and size != size[::-1] and turn >= 5):
        return False
    if turn >= 5 and size != size[::-1]:
        return shape == size[::-1]
    way = habit()
    if not way:
        raise DataError(
            f"it must be clear on which pixels a mask was drawn; the image of {name!r} is turned "
            "by its EXIF tag (orientation "
            f"{turn}), and neither its shape nor another mask of the split tells whether the mask "
            "was drawn before or after that. "
            "Save the image upright, without the tag, and turn its mask if need be.",
            "EXIF turn unclear",
        )
    return way == STORED_PIXELS
