"""An image as the numbers that it is: one array where it is grey, three where it has colours."""

import numpy as np

from cvtasks.drawing.sheets import LINE, MARK, PALE, Page
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.kernels import kernel
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, captioned, cells, headed, new_page
from cvtasks.insight.by_hand.steps import Filtering, busiest

MOST_CELLS = 16
"""Rows and columns of numbers on a sheet, at most."""
_WIDE, _TALL = 12.0, 6.5  # of the image on a sheet, at most, in cells
_CHANNELS = ("red", "green", "blue")


def levels(values: np.ndarray) -> np.ndarray:
    """Grey levels uint8 of numbers: 0 is black and 1 is white where all lie between them, else 0
    and 255.

    Raises:
        UsageError: numbers that are no grey levels.

    >>> levels(np.array([[0, 0.5, 1]])).tolist(), levels(np.array([[0, 128, 255]])).tolist()
    ([[0, 128, 255]], [[0, 128, 255]])
    """
    values = np.asarray(values)
    if values.dtype == np.uint8:
        return values
    least, most = float(values.min()), float(values.max())
    if least < 0 or most > 255:
        raise UsageError(
            "numbers of an image lie between 0 and 1, or between 0 and 255; got "
            f"{least:g} to {most:g}."
        )
    return np.rint(values * (255 if most <= 1 else 1)).astype(np.uint8)


def patch_place(image: np.ndarray, side: int, at: tuple[int, int] | None = None) -> tuple[int, int]:
    """First row and column of a part of an image (h, w) or (h, w, 3), `side` long or as the image
    is: around a place, or around where the image is steepest.

    Raises:
        UsageError: the place is not in the image.
    """
    height, width = image.shape[:2]
    if at is not None and not (0 <= at[0] < height and 0 <= at[1] < width):
        raise UsageError(
            f"a place is a row and a column of the image's {height} and {width}, from 0; got "
            f"{at[0]},{at[1]}."
        )
    middle = at or busiest(image, Filtering(kernel("identity")))
    row, column = (
        max(0, min(place - side // 2, length - side))
        for place, length in zip(middle, (height, width), strict=True)
    )
    return row, column


def pixels_sheet(image: np.ndarray, first: tuple[int, int], side: int) -> np.ndarray:
    """An image with a frame around a part of it, and the numbers of that part: of a colour image
    the part as it looks, and red, green and blue as an array each.

    Args:
        image: (h, w, 3) uint8 RGB, or (h, w) of grey levels as `levels` takes them.
        first: row and column that the part begins with, as of `patch_place`.
        side: rows and columns of the part, at most `MOST_CELLS`.

    Returns:
        (h', w', 3) uint8 RGB.

    Raises:
        UsageError: numbers that are no grey levels, or too many of them.
    """
    if not 1 <= side <= MOST_CELLS:
        raise UsageError(f"a sheet shows 1 to {MOST_CELLS} rows and columns; got {side}.")
    height, width = image.shape[:2]
    part = image[first[0] : first[0] + side, first[1] : first[1] + side]
    where = (
        f"the numbers: rows {first[0]} to {first[0] + part.shape[0] - 1}, "
        f"columns {first[1]} to {first[1] + part.shape[1] - 1}"
    )
    page = new_page()
    if image.ndim == 2:
        top = headed(page, f"an image is an array of {height} × {width} numbers", where)
        grey = levels(image)
        x = _framed(page, top, np.repeat(grey[..., None], 3, axis=2), first, part.shape)
        shown = levels(image)[first[0] :, first[1] :][: part.shape[0], : part.shape[1]]
        captioned(page, x, top + 0.3, "0 is black", part.astype(float), _tripled(shown))
        return page.pixels()
    top = headed(page, f"a colour image is three arrays of {height} × {width} numbers", where)
    x = _framed(page, top, image, first, part.shape)
    page.text(x, top + 0.3, "the part in the frame", CAPTION * page.unit, PALE)
    cells(page, x, top + 0.7, np.full(part.shape[:2], np.nan), part)
    below = top + 1.4 + max(_TALL, part.shape[0])
    x = EDGE
    for channel, name in enumerate(_CHANNELS):
        tint = np.zeros_like(part)
        tint[..., channel] = part[..., channel]
        x = captioned(page, x, below, name, part[..., channel].astype(float), tint)
    return page.pixels()


def _framed(
    page: Page, top: float, image: np.ndarray, first: tuple[int, int], shape: tuple[int, ...]
) -> float:
    """Draw the whole image with a frame around its part; returns where the next may stand."""
    height, width = image.shape[:2]
    scale = min(_WIDE / width, _TALL / height)
    page.text(EDGE, top + 0.3, "the image", CAPTION * page.unit, PALE)
    page.image(EDGE, top + 0.7, image, width * scale, height * scale)
    page.frame(EDGE, top + 0.7, width * scale, height * scale, LINE, 1)
    if shape[:2] != image.shape[:2]:
        page.frame(
            EDGE + first[1] * scale,
            top + 0.7 + first[0] * scale,
            shape[1] * scale,
            shape[0] * scale,
            MARK,
        )
    return EDGE + max(width * scale, 2.4) + 1.0


def _tripled(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)
