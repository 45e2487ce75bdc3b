"""Sheets for exercises about sizes: where a window lies on its input, and how much of the input
units of later layers see.
"""

import numpy as np

from cvtasks.drawing.sheets import FRAME, MARK, PADDING, PLAIN, RESULT, WINDOW
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.layout import EDGE, captioned, headed, new_page
from cvtasks.insight.inspecting.arithmetic import Windows, output_size, stacked_field
from cvtasks.insight.inspecting.formulas import size_lines

LONGEST = 24
"""Rows and columns that a sheet shows at most."""
_LEFT = (250, 205, 205)  # RGB of cells that no window reaches


def size_sheet(shape: tuple[int, int], windows: Windows) -> np.ndarray:
    """An input with its padding, the window at its first two positions, what no window reaches, and
    the output.

    Args:
        shape: height and width of the input.
        windows: of rows and columns, of a convolution or a pooling.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        UsageError: too many cells, or a window that does not fit into the padded input.
    """
    sides = [size + one.before + one.after for size, one in zip(shape, windows, strict=True)]
    outputs = [output_size(size, one) for size, one in zip(shape, windows, strict=True)]
    _check(max(sides))
    if min(outputs) < 1:
        raise UsageError(
            "a window must fit into the padded input to be drawn; one that spans "
            f"{' × '.join(str(one.reach) for one in windows)} does not fit into "
            f"{' × '.join(map(str, sides))}. Take a smaller one, or more padding."
        )
    rows, columns = windows
    fills = np.full((*sides, 3), PADDING)
    fills[rows.before :, columns.before :][: shape[0], : shape[1]] = PLAIN
    reached = [
        (count - 1) * one.stride + one.reach for count, one in zip(outputs, windows, strict=True)
    ]
    fills[reached[0] :] = fills[:, reached[1] :] = _LEFT
    fills[: rows.reach : rows.dilation, : columns.reach : columns.dilation] = WINDOW
    made = np.full((*outputs, 3), PLAIN)
    made[0, 0] = RESULT
    times = [" × ".join(map(str, each)) for each in (shape, outputs)]
    page = new_page()
    top = headed(
        page,
        f"{times[0]} → {times[1]}",
        *size_lines(windows, shape, tuple(outputs)),
        "amber: the first position, red: the next"
        + ("; pale red: no position reaches these" if reached != sides else ""),
    )
    name = _named("input", sides, shape)
    x = captioned(page, EDGE, top + 0.3, name, np.full(sides, np.nan), fills)
    for colour, right in ((FRAME, 0), (MARK, columns.stride if outputs[1] > 1 else 0)):
        page.frame(EDGE + right, top + 0.7, columns.reach, rows.reach, colour, 4)
    captioned(page, x, top + 0.3, "output", np.full(outputs, np.nan), made)
    page.frame(x, top + 0.7, 1, 1, FRAME, 4)
    if outputs[1] > 1:
        page.frame(x + 1, top + 0.7, 1, 1, MARK, 4)
    return page.pixels()


def _named(name: str, sides: list[int], shape: tuple[int, int]) -> str:
    return f"{name}, grey: its padding" if tuple(sides) != shape else name


def field_sheet(layers: int, kernel: int, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """What one unit behind several equal convolutions sees of every map before it, back to the
    input.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        UsageError: too many cells.
    """
    seen = [stacked_field(left, kernel, stride, dilation) for left in range(layers, 0, -1)] + [1]
    _check(seen[0])
    page = new_page()
    top = headed(
        page,
        f"a unit behind {layers} convolutions of {kernel} × {kernel} sees {seen[0]} × {seen[0]}",
        "amber: what the first unit of the next map looks at",
    )
    x = EDGE
    for count, side in enumerate(seen):
        fills = np.full((side, side, 3), PLAIN if count < layers else RESULT)
        if count < layers:
            span = dilation * (kernel - 1) + 1
            fills[:span:dilation, :span:dilation] = WINDOW
        name = f"map {count}: {side} × {side}" if count else f"input: {side} × {side}"
        x = captioned(page, x, top + 0.3, name, np.full((side, side), np.nan), fills)
    return page.pixels()


def _check(longest: int) -> None:
    if longest > LONGEST:
        raise UsageError(
            f"a sheet shows at most {LONGEST} rows and columns; these are {longest}. Take a "
            "smaller input, or leave the sheet out."
        )
