"""What sheets of worked numbers are made of: titles, lines and cells, all sized by the side of a
cell.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from cvtasks.drawing.sheets import PALE, PLAIN, Page, text_width
from cvtasks.insight.by_hand.steps import number

SIDE = 56
"""Pixels of a cell on a sheet that is made for a projector."""
EDGE, ROW = 0.8, 0.55
"""What is left free around a sheet, and the height of a line of text, in cells."""
TITLE, CAPTION, TEXT, CORNER = 0.5, 0.375, 0.35, 0.25
"""Sizes of letters, in cells."""


def new_page() -> Page:
    """An empty sheet for a projector."""
    return Page(unit=SIDE, margin=EDGE)


def headed(page: Page, title: str, *others: str) -> float:
    """Write a title and the lines below it; returns where they end."""
    page.text(EDGE, 0.9, title, TITLE * page.unit)
    for count, line in enumerate(others):
        page.text(EDGE, 1.65 + 0.6 * count, line, CAPTION * page.unit, PALE)
    return 1.9 + 0.6 * len(others)


def lines(page: Page, x: float, y: float, texts: Sequence[str]) -> float:
    """Write lines below each other, the middle of the first at y; returns where they end."""
    for count, line in enumerate(texts):
        page.text(x, y + ROW * count, line, TEXT * page.unit)
    return y + ROW * len(texts)


def cells(page: Page, x: float, y: float, values: np.ndarray, fills: ArrayLike = PLAIN) -> float:
    """Numbers (r, c) in cells, NaN as empty ones; returns where the next ones may stand."""
    page.numbers(x, y, [["" if np.isnan(v) else number(v) for v in row] for row in values], fills)
    return x + values.shape[1] + 1


def captioned(
    page: Page,
    x: float,
    y: float,
    caption: str,
    values: np.ndarray,
    fills: ArrayLike = PLAIN,
) -> float:
    """Numbers (r, c) in cells below a caption whose middle is at y; returns where the next may
    stand.
    """
    page.text(x, y, caption, CAPTION * page.unit, PALE)
    behind = cells(page, x, y + 0.4, values, fills)
    return max(behind, x + wide(caption, CAPTION) + 0.7)


def wide(text: str, size: float = TEXT) -> float:
    """How wide a line of text is, in cells."""
    return text_width(text, 100 * size) / 100
