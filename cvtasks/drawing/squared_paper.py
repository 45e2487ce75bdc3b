"""Squared paper: grids of numbers, images and lines of text at places counted in cells, as one
image.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from cvtasks.drawing.sheets import text_font

WINDOW, RESULT, PADDING, PLAIN = (255, 224, 138), (185, 228, 192), (231, 233, 238), (255, 255, 255)
"""RGB fills: of the cells below the window, of a result, of padding, of all others."""
INK, PALE, MARK, FRAME = (21, 23, 28), (104, 112, 125), (179, 38, 30), (217, 119, 6)
"""RGB: of numbers, of remarks, of the small numbers in corners, of the frame around a window."""
CELL = 40
"""Side of a cell in pixels."""
_LINE = (167, 173, 184)
_SIZES = (15, 13, 11, 9, 8)  # of the numbers in cells, the first that fits; pixels


@dataclass(frozen=True, eq=False)
class Corner:
    """Small numbers in the lower right corners of some cells of a grid, such as a kernel's over the
    image's.

    Attributes:
        texts: rows of them, drawn from the cell (top, left) on, every `step` cells.
    """

    texts: list[list[str]]
    top: int
    left: int
    step: int = 1


class Paper:
    """A sheet of `width` × `height` cells, the origin in the upper left corner, x to the right and
    y down.
    """

    def __init__(self, width: float, height: float) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (round(width * CELL), round(height * CELL)), PLAIN)
        self._pen = ImageDraw.Draw(self._image)

    def text(
        self, x: float, y: float, text: str, size: int = 14, colour: tuple[int, int, int] = INK
    ) -> None:
        """A line whose left end is at x and whose middle is at y; `size` in pixels."""
        self._pen.text((x * CELL, y * CELL), text, colour, text_font(size), anchor="lm")

    def grid(
        self,
        x: float,
        y: float,
        texts: list[list[str]],
        fills: np.ndarray | None = None,
        corner: Corner | None = None,
    ) -> None:
        """A table whose upper left corner is at (x, y).

        Args:
            texts: rows of what the cells hold.
            fills: (r, c, 3) uint8 RGB; white by default.
        """
        longest = max((text for row in texts for text in row), key=len, default="")
        fitting = (size for size in _SIZES if text_font(size).getlength(longest) <= 0.9 * CELL)
        font = text_font(next(fitting, _SIZES[-1]))
        raised = 0.1 * CELL if corner else 0.0
        for i, row in enumerate(texts):
            for j, text in enumerate(row):
                fill = PLAIN if fills is None else tuple(fills[i, j].tolist())
                left, top = round((x + j) * CELL), round((y + i) * CELL)
                self._pen.rectangle((left, top, left + CELL, top + CELL), fill, _LINE)
                ink = PLAIN if np.dot(fill, (0.299, 0.587, 0.114)) < 128 else INK
                self._pen.text(
                    (left + CELL / 2 - raised, top + CELL / 2 - raised),
                    text,
                    ink,
                    font,
                    anchor="mm",
                )
        if corner is None:
            return
        for i, row in enumerate(corner.texts):
            for j, text in enumerate(row):
                place = (
                    x + corner.left + j * corner.step + 0.94,
                    y + corner.top + i * corner.step + 0.96,
                )
                self._pen.text(
                    (place[0] * CELL, place[1] * CELL), text, MARK, text_font(10), anchor="rb"
                )

    def frame(
        self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int] = FRAME
    ) -> None:
        """A rectangle without a filling."""
        corners = tuple(round(edge * CELL) for edge in (x, y, x + width, y + height))
        self._pen.rectangle(corners, None, colour, 3)

    def image(self, x: float, y: float, width: float, height: float, image: np.ndarray) -> None:
        """An image (h, w, 3) uint8, stretched over a rectangle; the pixels of a small one stay
        squares.
        """
        from PIL import Image

        size = max(1, round(width * CELL)), max(1, round(height * CELL))
        smaller = size[0] < image.shape[1]
        few = max(image.shape[:2]) < 128
        how = cv2.INTER_AREA if smaller else cv2.INTER_NEAREST if few else cv2.INTER_CUBIC
        drawn = cv2.resize(np.ascontiguousarray(image), size, interpolation=how)
        self._image.paste(Image.fromarray(drawn), (round(x * CELL), round(y * CELL)))

    def pixels(self) -> np.ndarray:
        """The sheet as (h, w, 3) uint8 RGB."""
        return np.asarray(self._image)


def text_width(text: str, size: int = 14) -> float:
    """How wide a line of text is, in cells."""
    return text_font(size).getlength(text) / CELL
