"""Sheets about the way back through a filter or a pooling, and about a transposed convolution."""

import numpy as np

from cvtasks.drawing.sheets import MARK, PADDING, PLAIN, RESULT, WINDOW, Page
from cvtasks.insight.by_hand.convolution import region
from cvtasks.insight.by_hand.layout import (
    CORNER,
    EDGE,
    TEXT,
    captioned,
    cells,
    headed,
    lines,
    new_page,
    wide,
)
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling, Step, Work, number
from cvtasks.insight.by_hand.transposing import Transposing
from cvtasks.insight.by_hand.way_back import Back, laid_at

_MOST_PANELS = 3
"""Cells of a kernel, or numbers of an input, that are worked out on a sheet."""
_REGIONS = (
    WINDOW,
    (205, 222, 250),
    (246, 210, 224),
    (222, 214, 244),
)  # by turns, beside each other


_FRAMES = ("#b08000", "#2862be", "#be2860", "#6046b0")
"""Of regions that share cells, in the order of `_REGIONS`."""


def way_back_sheet(channel: np.ndarray, work: Work, back: Back) -> np.ndarray:
    """What comes back through a filter or a pooling over a small channel (h, w), with numbers.

    Args:
        back: what `way_back` found.

    Returns:
        (h', w', 3) uint8 RGB.
    """
    page = new_page()
    if isinstance(work, RegionPooling):
        _pooling(page, channel, work, back)
    else:
        _filter(page, channel, work, back)
    return page.pixels()


def _filter(page: Page, channel: np.ndarray, work: Filtering, back: Back) -> None:
    divided = f" / {work.kernel.divisor}" if work.kernel.divisor != 1 else ""
    top = headed(
        page,
        f"there and back: {work.heading}",
        "all places share the kernel: each adds its part to ∂L/∂K(m, n) = Σ δ(i, j) · I below it"
        + divided,
        "∂L/∂I: each δ writes the kernel, times itself, where it lay: a transposed convolution",
    )
    caption = "h = max(0, S)" if work.relu else "S, the output"
    made = [
        ("I, the input", channel, PLAIN),
        ("K, the kernel", work.kernel.cells, WINDOW),
        (caption, back.forward, PLAIN),
        ("δ = ∂L/∂S comes back" if not work.relu else "∂L/∂h comes back", back.upstream, PLAIN),
    ]
    if work.relu:
        made.append(("δ, where S > 0", back.passed, PLAIN))
    made.append(("∂L/∂I", back.image, RESULT))
    x, below = EDGE, top
    for name, values, fill in made:
        x = captioned(page, x, top + 0.3, name, values, fill)
        below = max(below, top + 1.2 + values.shape[0])
    kernel = np.full((1, 1), np.nan) if back.kernel is None else back.kernel
    x = captioned(page, EDGE, below + 0.3, "∂L/∂K", kernel, RESULT)
    page.text(
        EDGE,
        below + kernel.shape[0] + 1.3,
        f"∂L/∂b = Σ δ = {number(back.bias or 0.0)}",
        TEXT * page.unit,
    )
    for step in back.steps[:_MOST_PANELS]:
        x = _kernel_cell(page, x + 0.4, below + 0.3, channel, work, step)


def _kernel_cell(
    page: Page, x: float, y: float, channel: np.ndarray, work: Filtering, step: Step
) -> float:
    """What one cell of the kernel lay on, with δ in the corners; returns where the next may
    stand.
    """
    (rows, columns), ground = work.extents(channel.shape), work.ground(channel)
    m, n = laid_at(work, (step.row, step.column))
    fills = np.full((*ground.shape, 3), PADDING)
    fills[rows.inside, columns.inside] = PLAIN
    fills[rows.under(m), columns.under(n)] = WINDOW
    caption = f"K({step.row}, {step.column}) lay on these"
    behind = captioned(page, x, y, caption, ground, fills)
    down, across = (
        range(*axis.under(cell).indices(axis.padded)) for axis, cell in ((rows, m), (columns, n))
    )
    for (i, j), delta in np.ndenumerate(step.weights if step.weights is not None else ()):
        page.text(
            *(x + across[j] + 0.94, y + 0.4 + down[i] + 0.84, number(delta)),
            *(CORNER * page.unit, MARK, "right"),
        )
    lines(page, x, y + 0.9 + ground.shape[0], step.work)
    return max(behind, x + max(map(wide, step.work)) + 0.7)


def _pooling(page: Page, channel: np.ndarray, work: RegionPooling, back: Back) -> None:
    rule = {
        "max": "the maximum's place, green, is remembered (the switch): it alone gets δ",
        "average": "each cell of a region gets the same share of δ",
        "sum": "each cell of a region gets δ",
        "lp": "each cell of a region gets δ · sign(h) · (|h| / S)^(p − 1)",
    }[work.how]
    top = headed(page, f"there and back: {work.heading}", rule)
    rows, columns = work.extents(channel.shape)
    fills = np.full((*channel.shape, 3), PLAIN)
    marked = fills.copy()
    colours = np.full((*back.forward.shape, 3), PLAIN)
    apart = all(axis.stride >= axis.reach for axis in (rows, columns))
    for step in back.steps:
        turn = step.row % 2 * 2 + step.column % 2
        colours[step.row, step.column] = _REGIONS[turn]
        down, across = region(rows, step.row), region(columns, step.column)
        if apart:
            fills[down, across] = _REGIONS[turn]
            continue
        inset = 0.06 * (turn + 1)  # regions share cells: frames, each a little further in
        page.frame(
            *(EDGE + across.start + inset, top + 0.7 + down.start + inset),
            *(across.stop - across.start - 2 * inset, down.stop - down.start - 2 * inset),
            _FRAMES[turn],
        )
    if work.how == "max":
        for step in back.steps:
            m, n = np.unravel_index(int(step.values.argmax()), step.values.shape)
            row = region(rows, step.row).start + int(m)
            column = region(columns, step.column).start + int(n)
            fills[row, column] = marked[row, column] = RESULT
    x, below = EDGE, top
    for name, values, fill in (
        ("the input and its regions", channel, fills),
        ("the output", back.forward, colours),
        ("δ comes back", back.upstream, colours),
        ("∂L/∂I", back.image, marked),
    ):
        x = captioned(page, x, top + 0.3, name, values, fill)
        below = max(below, top + 1.4 + values.shape[0])
    lines(
        *(page, EDGE, below + 0.2),
        [
            f"output row {step.row}, column {step.column}: {' '.join(step.work)}"
            for step in back.steps[:8]
        ],
    )


def transposed_sheet(channel: np.ndarray, work: Transposing) -> np.ndarray:
    """How the numbers of a small channel (h, w) write the kernel onto the output, one after the
    other, and the same as a convolution of the input with zeros between its numbers.

    Returns:
        (h', w', 3) uint8 RGB.
    """
    result, steps = work.apply(channel), work.steps(channel)
    size = f"{' × '.join(map(str, channel.shape))} → {' × '.join(map(str, result.shape))}"
    rows, columns = work.formulas(channel.shape)
    page = new_page()
    top = headed(
        page,
        f"{work.heading}: {size}",
        f"rows {rows};  columns {columns};  every number writes the kernel, times itself",
    )
    x = captioned(page, EDGE, top + 0.3, "the input", channel)
    divided = f" (/ {work.kernel.divisor})" if work.kernel.divisor != 1 else ""
    x = captioned(page, x, top + 0.3, f"K{divided}", work.kernel.cells, WINDOW)
    x = captioned(page, x, top + 0.3, "the output", result, RESULT)
    spread = work.spread(channel)
    fills = np.where((spread != 0)[..., None], PLAIN, PADDING)
    x = captioned(page, x, top + 0.3, "the same: zeros between, K turned, stride 1", spread, fills)
    cells(page, x - 0.3, top + 0.7, work.kernel.cells[::-1, ::-1], WINDOW)
    below = top + 1.7 + max(result.shape[0], spread.shape[0], channel.shape[0])
    x, sofar = EDGE, np.zeros([side + 2 * work.padding for side in result.shape])
    for step in steps[: _MOST_PANELS + 1]:
        here = tuple(
            slice(at * work.stride, at * work.stride + side)
            for at, side in zip((step.row, step.column), step.values.shape, strict=True)
        )
        sofar[here] += step.values
        fills = np.full((*sofar.shape, 3), PADDING if work.padding else PLAIN)
        inner = tuple(slice(work.padding, side - work.padding) for side in sofar.shape)
        fills[inner] = PLAIN
        fills[here] = WINDOW
        caption = f"+ {number(step.result)}·K"
        x = captioned(page, x, below + 0.3, caption, sofar, fills) + 0.2
    return page.pixels()
