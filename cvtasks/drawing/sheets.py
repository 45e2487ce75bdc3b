"""Pages for a lecture, drawn by Matplotlib: images with captions below a title and a legend, grids
of numbers, lines of text and shapes
at any place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike

from cvtasks.drawing.plots import legible, pixels_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAPER, INK, PALE, LINE = "#ffffff", "#14141c", "#696970", "#bebec4"
"""Of a page, its numbers and captions, its legend, and the lines around images and cells."""
WINDOW, RESULT, PADDING, PLAIN = (255, 224, 138), (185, 228, 192), (231, 233, 238), (255, 255, 255)
"""RGB of cells: below a window, of a result, of padding, of all others."""
MARK, FRAME = "#b3261e", "#d97706"
"""Of the small numbers in corners, and of the frame around a window."""
GREY = 128
"""What zero looks like where a number may have either sign."""

Colours = Literal["heat", "rainbow", "blue_red", "signed_grey"]
"""Of numbers: Matplotlib's viridis and turbo from 0 on; blue, white and red, or black, grey and
white, for numbers of either sign.
"""

_FONT = "DejaVu Sans"  # comes with Matplotlib and has more than Latin letters
_DPI = 72  # so that a point of a font is a pixel
_AROUND = (190, 190, 196)  # RGB of `LINE`
_EDGE, _GAP, _LINE, _CAPTION, _TITLE = 16, 8, 19, 17, 30  # of a sheet, in pixels
_BAR = (150, 14)  # width and height of a scale
_RAMP = np.linspace(0, 1, 256)[None]
_SIZES = (0.375, 0.325, 0.275, 0.225, 0.2)  # of the numbers in cells, the first that fits; in cells


# === numbers → colours ===


def signed_grey(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """Numbers of any shape → uint8 of that shape: 0 is 128, −limit is 1 and limit is 255; beyond,
    it is cut.

    Args:
        limit: the largest absolute value by default; all is 128 where that is 0.
    """
    return np.round(GREY + 127 * _shares(values, limit)).astype(np.uint8)


def heat(values: np.ndarray, limit: float | None = None, colours: Colours = "heat") -> np.ndarray:
    """(h, w) numbers → (h, w, 3) uint8 RGB: dark for 0 and below, bright or red for `limit`.

    Args:
        limit: the largest value by default; all is dark where that is not above 0.
    """
    return _coloured(_shares(np.maximum(values, 0), limit), colours)


def blue_red(values: np.ndarray, limit: float | None = None) -> np.ndarray:
    """(h, w) numbers → (h, w, 3) uint8 RGB: 0 is white, −limit blue and limit red.

    Args:
        limit: the largest absolute value by default; all is white where that is 0.
    """
    return _coloured((1 + _shares(values, limit)) / 2, "blue_red")


def _shares(values: np.ndarray, limit: float | None) -> np.ndarray:
    """Of the limit, −1 to 1."""
    values = np.asarray(values, np.float32)
    most = float(np.abs(values).max(initial=0)) if limit is None else limit
    return np.clip(values / most, -1, 1) if most > 0 else np.zeros_like(values)


def _coloured(shares: np.ndarray, colours: Colours) -> np.ndarray:
    """(h, w) from 0 to 1 → (h, w, 3) uint8 RGB."""
    from matplotlib import colormaps
    from matplotlib.colors import Colormap, LinearSegmentedColormap

    if colours == "blue_red":
        ends = ["#2166ac", "#ffffff", "#b2182b"]
        chosen: Colormap = LinearSegmentedColormap.from_list(colours, ends, 255)  # odd: 0 is white
    else:
        chosen = colormaps[{"heat": "viridis", "rainbow": "turbo", "signed_grey": "gray"}[colours]]
    return np.asarray(chosen(shares, bytes=True))[..., :3]


# === pages ===


class Page:
    """A figure in units of so many pixels, the origin in the upper left corner, x to the right and
    y down. It grows with what is drawn on it.

    Args:
        width, height: at least.
        margin: what is left free at the right and at the bottom.
    """

    def __init__(
        self, width: float = 0.0, height: float = 0.0, unit: float = 1.0, margin: float = 0.0
    ) -> None:
        from matplotlib.figure import Figure

        self.unit, self._margin, self._size = unit, margin, np.array((width, height))
        self._figure = Figure(dpi=_DPI, facecolor=PAPER)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()

    def _hold(self, x: float, y: float) -> None:
        """Grow until a point lies on the page."""
        self._size = np.maximum(self._size, (x + self._margin, y + self._margin))

    def _fitted(self) -> "Figure":
        """The figure, as large as it has to be."""
        across, down = np.ceil(self._size * self.unit)
        self._figure.set_size_inches(across / _DPI, down / _DPI)
        self._axes.set(xlim=(0, across / self.unit), ylim=(down / self.unit, 0))
        return self._figure

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 14,
        colour: str = INK,
        at: str = "left",
        bold: bool = False,
    ) -> None:
        """A line whose middle is at y, and whose left or right end, or "center", is at x; `size` in
        pixels.
        """
        behind = {"left": 1.0, "center": 0.5, "right": 0.0}[at] * (1.15 if bold else 1.0)
        self._hold(x + behind * text_width(text, size) / self.unit, y + size / 2 / self.unit)
        self._figure.text(
            *(x, y, legible(text)),
            transform=self._axes.transData,
            fontsize=size,
            color=colour,
            ha=at,
            va="center_baseline",
            family=_FONT,
            weight="bold" if bold else "normal",
            parse_math=False,
        )

    def image(
        self, x: float, y: float, image: np.ndarray, width: float = 0, height: float = 0
    ) -> None:
        """An image (h, w, 3) uint8 whose upper left corner is at (x, y), of its own size or
        stretched; the pixels of a small one stay squares.
        """
        width, height = width or image.shape[1] / self.unit, height or image.shape[0] / self.unit
        self._hold(x + width, y + height)
        few = max(image.shape[:2]) < 128 or round(width * self.unit) == image.shape[1]
        self._axes.imshow(
            image,
            extent=(x, x + width, y + height, y),
            aspect="auto",
            interpolation="nearest" if few else "antialiased",
        )

    def frame(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: str = FRAME,
        thick: float = 3,
    ) -> None:
        """A rectangle without a filling."""
        self._axes.plot(
            [x, x + width, x + width, x, x], [y, y, y + height, y + height, y], colour, lw=thick
        )

    def stroke(
        self, points: ArrayLike, colour: str = INK, thick: float = 2, below: bool = False
    ) -> None:
        """A line through points (n, 2), above all shapes or below them."""
        corners = np.asarray(points)
        self._hold(*corners.max(axis=0))
        self._axes.plot(*corners.T, color=colour, lw=thick, zorder=0.9 if below else 2.0)

    def shape(self, points: ArrayLike, colour: str, shade: float = 0.0) -> None:
        """A polygon (n, 2) with a thin edge, shaded by so much: paler above 0, darker below."""
        from matplotlib.colors import to_rgb

        corners, inner = np.asarray(points), np.array(to_rgb(colour))
        self._hold(*corners.max(axis=0))
        filled = inner + abs(shade) * ((shade > 0) - inner)
        self._axes.fill(*corners.T, facecolor=filled, edgecolor=inner / 2, lw=0.8)

    def arrow(self, points: ArrayLike, colour: str = INK, thick: float = 2) -> None:
        """A line through points (n, 2) with a head at its end."""
        path = np.asarray(points, float)
        self.stroke(path, colour, thick)
        self._axes.annotate(
            "",
            xy=tuple(path[-1]),
            xytext=tuple(path[-2]),
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": thick, "shrinkB": 0},
        )

    def numbers(self, x: float, y: float, texts: list[list[str]], fills: ArrayLike = PLAIN) -> None:
        """A table of cells of one unit each, whose upper left corner is at (x, y).

        Args:
            texts: rows of what the cells hold.
            fills: (r, c, 3) uint8 RGB, or one colour for all.
        """
        rows, columns = len(texts), len(texts[0])
        fills = np.broadcast_to(np.asarray(fills, np.uint8), (rows, columns, 3))
        self.image(x, y, fills, columns, rows)
        across, down = x + np.arange(columns + 1), y + np.arange(rows + 1)
        self._axes.hlines(down, x, x + columns, LINE, linewidth=1)
        self._axes.vlines(across, y, y + rows, LINE, linewidth=1)
        longest = max((text for row in texts for text in row), key=len)
        sizes = [size * self.unit for size in _SIZES]
        fitting = (size for size in sizes if text_width(longest, size) <= 0.9 * self.unit)
        size = next(fitting, sizes[-1])
        dark = fills @ (0.299, 0.587, 0.114) < 128
        for (i, j), white in np.ndenumerate(dark):
            if texts[i][j]:
                ink = PAPER if white else INK
                self.text(x + j + 0.5, y + i + 0.5, texts[i][j], size, ink, "center")

    def pixels(self) -> np.ndarray:
        """The page as (h, w, 3) uint8 RGB."""
        return pixels_of(self._fitted())

    def svg(self) -> str:
        """The page as an SVG document whose texts are texts."""
        import io

        from matplotlib import rc_context

        content = io.StringIO()
        with rc_context({"svg.fonttype": "none", "svg.hashsalt": "page"}):
            self._fitted().savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = 14) -> float:
    """How wide a line of text is, in pixels."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=_FONT, size=size)
    return float(text_to_path.get_text_width_height_descent(legible(text), font, False)[0])


# === sheets of images ===


@dataclass(frozen=True, eq=False)
class Tile:
    """One image of a sheet.

    Attributes:
        image: (h, w, 3) uint8 RGB.
        caption: what stands below it; further lines in grey after line breaks.
    """

    image: np.ndarray
    caption: str


@dataclass(frozen=True)
class Scale:
    """What the colours of a sheet mean.

    Attributes:
        colours: which.
        marks: what is written below, evenly spread from the left end to the right one.
    """

    colours: Colours
    marks: tuple[str, ...] = ("−max", "0", "+max")


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
    centred in its cell, with a line around it, as it may be as white as the paper.
    """
    height, width = (max(image.shape[axis] for image in images) + 2 + gap for axis in (0, 1))
    cells = []
    for image in images:
        framed = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=_AROUND)
        down, across = height - framed.shape[0], width - framed.shape[1]
        sides = (down // 2, down - down // 2, across // 2, across - across // 2)
        cells.append(cv2.copyMakeBorder(framed, *sides, cv2.BORDER_CONSTANT, value=PLAIN))
    columns = min(columns, len(cells))
    cells += [np.full((height, width, 3), 255, np.uint8)] * (-len(cells) % columns)
    return np.vstack([np.hstack(cells[i : i + columns]) for i in range(0, len(cells), columns)])


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
    page, y = Page(margin=_EDGE), _EDGE + _TITLE
    page.text(_EDGE, _EDGE + 10, title, 20)
    for line in legend:
        page.text(_EDGE, y + 8, line, 13, PALE)
        y += _LINE
    if scale:
        page.image(_EDGE + 18, y + 4, _coloured(_RAMP, scale.colours), *_BAR)
        for x, mark in zip(np.linspace(0, _BAR[0], len(scale.marks)), scale.marks, strict=True):
            page.text(_EDGE + 18 + x, y + _BAR[1] + 14, mark, 12, PALE, "center")
    y += _BAR[1] + 2 * _LINE if scale else _GAP
    captions = [tile.caption.split("\n") for tile in tiles]
    words = [text_width(line, 12) for caption in captions for line in caption]
    across = max(*(tile.image.shape[1] for tile in tiles), *words)
    high = max(tile.image.shape[0] for tile in tiles)
    down = high + max(map(len, captions)) * _CAPTION + 2 * _GAP
    for number, (tile, caption) in enumerate(zip(tiles, captions, strict=True)):
        row, column = divmod(number, columns)
        height, width = tile.image.shape[:2]
        middle, bottom = _EDGE + column * (across + gap) + across / 2, y + row * down + high
        left = round(middle - width / 2)
        page.image(left, bottom - height, tile.image)
        page.frame(left, bottom - height, width, height, LINE, 1)
        for count, line in enumerate(caption):
            ink = PALE if count else INK
            page.text(middle, bottom + 11 + count * _CAPTION, line, 12, ink, "center")
    return page.pixels()
