"""Sheets of small images for a lecture: colours of numbers, a grid, captions below the tiles, a
title and a legend above.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cvtasks.text import visible

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

PAPER, INK, PALE, FRAME = (255, 255, 255), (20, 20, 24), (105, 105, 112), (190, 190, 196)
"""RGB of a sheet's paper, of its captions, of its legend, and of the line around an image."""
GREY = 128
"""What zero looks like where a number may have either sign."""

_BLUE, _RED = (
    np.array([33, 102, 172]),
    np.array([178, 24, 43]),
)  # ends of the scale of signed numbers, white between them
_EDGE, _GAP, _LINE, _CAPTION, _TITLE = 16, 8, 19, 17, 30  # in pixels
_BAR = (150, 14)  # width and height of a scale


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a sheet.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        caption: what stands below it; a second line in grey after a line break.
    """

    image: np.ndarray
    caption: str


@dataclass(frozen=True, eq=False)
class Scale:
    """What the colours of a sheet mean.

    Attributes:
        colours: (n, 3) uint8 RGB, from the lowest number to the highest.
        marks: what is written below it, evenly spread: the first at its left end, the last at its
            right one.
    """

    colours: np.ndarray
    marks: tuple[str, ...]


# === numbers → colours ===


def signed_grey(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Numbers of any shape → uint8 of that shape: 0 is 128, −limit is 1 and limit is 255; beyond,
    it is cut.

    Args:
        limit: the largest absolute value by default; all is 128 where that is 0.
    """
    most = float(np.abs(values).max(initial=0)) if limit is None else limit
    share = (
        np.clip(np.asarray(values, np.float32) / most, -1, 1)
        if most > 0
        else np.zeros(np.shape(values), np.float32)
    )
    return np.round(GREY + 127 * share).astype(np.uint8)


def heat(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """(h, w) numbers → (h, w, 3) uint8 RGB, matplotlib's viridis: dark for 0 and below, yellow for
    `limit`.

    Args:
        limit: the largest value by default; all is dark where that is not above 0.
    """
    most = float(values.max(initial=0)) if limit is None else limit
    share = (
        np.clip(np.asarray(values, np.float32) / most, 0, 1)
        if most > 0
        else np.zeros(np.shape(values), np.float32)
    )
    return cv2.cvtColor(
        cv2.applyColorMap(np.round(255 * share).astype(np.uint8), cv2.COLORMAP_VIRIDIS),
        cv2.COLOR_BGR2RGB,
    )


def blue_red(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """(h, w) numbers → (h, w, 3) uint8 RGB: 0 is white, −limit blue and limit red.

    Args:
        limit: the largest absolute value by default; all is white where that is 0.
    """
    most = float(np.abs(values).max(initial=0)) if limit is None else limit
    share = (
        np.clip(np.asarray(values, np.float64) / most, -1, 1)
        if most > 0
        else np.zeros(np.shape(values))
    )
    end = np.where(share[..., None] < 0, _BLUE, _RED)
    return np.round(255 + (end - 255) * np.abs(share)[..., None]).astype(np.uint8)


def scale_of(colouring: str, low: str, high: str) -> Scale:
    """The scale of `signed_grey`, `heat` or `blue_red`, by its name, with what its ends mean."""
    if colouring == "heat":
        return Scale(heat(np.linspace(0, 1, 256)[None])[0], (low, high))
    steps = np.linspace(-1, 1, 255)
    colours = (
        blue_red(steps[None])[0]
        if colouring == "blue_red"
        else signed_grey(steps)[:, None].repeat(3, axis=1)
    )
    return Scale(colours, (low, "0", high))


# === images → sheets ===


def enlarged_to(image: np.ndarray, side: int) -> np.ndarray:
    """(h, w, 3) uint8 → the same with its longer side about `side` pixels: small ones by a whole
    factor, each pixel a square.
    """
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= side // 2:
        factor = side // longest
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    size = tuple(max(1, round(side * part / longest)) for part in (width, height))
    return cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if longest > side else cv2.INTER_CUBIC
    )


def grid(images: Sequence[np.ndarray], columns: int, gap: int = 2) -> np.ndarray:
    """At least one image, (h, w, 3) uint8 each → one with all of them, `columns` in a row, each
    centred in a line around it.
    """
    images = [framed(image) for image in images]
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    drawn = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, 3), PAPER, np.uint8
    )
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        top = row * (height + gap) + (height - image.shape[0]) // 2
        left = column * (width + gap) + (width - image.shape[1]) // 2
        drawn[top : top + image.shape[0], left : left + image.shape[1]] = image
    return drawn


def framed(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 → (h + 2, w + 2, 3): with a line around it, as it may be as white as the
    paper.
    """
    return np.stack([np.pad(image[..., i], 1, constant_values=FRAME[i]) for i in range(3)], axis=-1)


def sheet(
    tiles: Sequence[Tile],
    title: str,
    legend: Sequence[str] = (),
    scale: Scale | None = None,
    columns: int = 8,
    gap: int = _GAP,
) -> np.ndarray:
    """Tiles below a title, lines of legend and a scale of colours.

    Args:
        tiles: at least one; they are shown as large as they are.
        columns: tiles in a row, at most.
        gap: pixels between tiles beside each other.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    from PIL import Image, ImageDraw

    title, legend = visible(title), [visible(line) for line in legend]
    captions = [[visible(line) for line in tile.caption.split("\n")] for tile in tiles]
    lines = max(map(len, captions))
    across = max(
        *(tile.image.shape[1] for tile in tiles),
        *(_width(line, 12) for caption in captions for line in caption),
    )
    down = max(tile.image.shape[0] for tile in tiles) + lines * _CAPTION + 4
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    words = max(
        _width(title, 20), *(_width(line, 13) for line in legend), _BAR[0] + 40 if scale else 0, 0
    )
    head = _EDGE + _TITLE + _LINE * len(legend) + (_BAR[1] + 2 * _LINE if scale else _GAP)
    width = 2 * _EDGE + max(columns * (across + gap) - gap, words)
    canvas = np.full((head + rows * (down + _GAP) + _EDGE - _GAP, width, 3), PAPER, np.uint8)
    corners = []
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        left, top = _EDGE + column * (across + gap), head + row * (down + _GAP)
        height, wide = tile.image.shape[:2]
        inside = left + (across - wide) // 2
        bottom = top + down - lines * _CAPTION - 4
        canvas[bottom - height : bottom, inside : inside + wide] = tile.image
        corners.append((left + across / 2, bottom + 3))
    if scale:
        top = _EDGE + _TITLE + _LINE * len(legend) + 4
        bar = cv2.resize(scale.colours[None], _BAR, interpolation=cv2.INTER_NEAREST)
        canvas[top : top + _BAR[1], _EDGE + 18 : _EDGE + 18 + _BAR[0]] = bar
    image = Image.fromarray(canvas)
    pen = ImageDraw.Draw(image)
    pen.text((_EDGE, _EDGE), title, INK, text_font(20))
    for number, line in enumerate(legend):
        pen.text((_EDGE, _EDGE + _TITLE + number * _LINE), line, PALE, text_font(13))
    for caption, (x, y) in zip(captions, corners, strict=True):
        for number, line in enumerate(caption):
            pen.text(
                (x, y + number * _CAPTION),
                line,
                INK if number == 0 else PALE,
                text_font(12),
                anchor="ma",
            )
    if scale:
        for number, mark in enumerate(scale.marks):
            x = _EDGE + 18 + _BAR[0] * number / (len(scale.marks) - 1)
            pen.text((x, top + _BAR[1] + 3), mark, PALE, text_font(12), anchor="ma")
    return np.asarray(image)


def _width(text: str, size: int) -> int:
    return int(np.ceil(text_font(size).getlength(text)))


@lru_cache(maxsize=8)
def text_font(size: int) -> "FreeTypeFont":
    """DejaVu Sans, which comes with Matplotlib and has more than Latin letters;
    `size` in pixels.
    """
    from pathlib import Path

    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(
        str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size
    )
