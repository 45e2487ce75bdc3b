"""Sheets about one filter or pooling: before and after, and each position worked out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvtasks.drawing.sheets import (
    MARK,
    PADDING,
    PALE,
    PLAIN,
    RESULT,
    WINDOW,
    Page,
    signed_grey,
)
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, ROW, cells, headed, lines, wide
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling, Step, Work, number
from cvtasks.insight.by_hand.transposing import Transposing

LONGEST_SIDE = 12
"""Rows and columns of an input whose steps can be drawn at most; with its padding twice as many."""
LONGEST_REACH = 11
"""Cells that a window may span for its numbers to be drawn beside an image."""
_MOST_CELLS = 6000  # of a sheet of steps, about
_PLACE = "#e11d48"  # of the frame around the patch in an image
_CELL = 40  # side of a cell in pixels
_SIDE, _TALL = 18.0, 22.0  # an image on the sheet, at most, in cells
_MOST_CLIPPED = 0.25  # share beyond black and white; above it the range is stretched instead
# percentile of |response| that is drawn white: the few strongest edges would make all others grey
_WHITE_AT = 99.5


def steps_drawn(shape: tuple[int, ...], work: Work) -> int:
    """How many positions a sheet of steps shows of an input of this shape; 0 where it is too large
    for one.
    """
    rows, columns = work.extents(shape)
    tall, wide = rows.padded, columns.padded
    if max(*shape[:2], *(n / 2 for n in (tall, wide, rows.output, columns.output))) > LONGEST_SIDE:
        return 0
    panel = (max(tall, rows.output) + 4) * (wide + columns.output + 2)
    return min(rows.output * columns.output, int(np.clip(_MOST_CELLS // panel, 4, 36)))


def steps_sheet(channel: np.ndarray, work: Work) -> np.ndarray:
    """Every position of the window over a small channel (h, w) in a panel of its own: input,
    window, arithmetic, output so far.

    Args:
        channel: at most `LONGEST_SIDE` rows and columns; so many of the first positions are drawn
            as `steps_drawn` says.

    Returns:
        (h', w', 3) uint8 RGB.

    Raises:
        UsageError: the input is too large.
    """
    most = steps_drawn(channel.shape, work)
    if not most:
        raise UsageError(
            f"steps are drawn for at most {LONGEST_SIDE} rows and columns and little padding; got "
            f"{channel.shape}. Cut out a part."
        )
    rows, columns = work.extents(channel.shape)
    result = work.apply(channel)
    steps = [work.step(channel, i, j) for i, j in list(np.ndindex(result.shape))[:most]]
    texts = [line for step in steps for line in step.work]
    width = max(columns.padded + 1 + columns.output, *map(wide, texts)) + 1.2
    height = max(rows.padded, rows.output) + ROW * max(len(step.work) for step in steps) + 1.2
    across = columns.output if columns.output <= 5 else 4
    across = max(1, min(across, int(60 // width)))
    page = Page(unit=_CELL, margin=EDGE)
    top = headed(page, *_heading(channel, work, len(steps), result.size))
    for count, step in enumerate(steps):
        down, right = divmod(count, across)
        _panel(page, EDGE + right * width, top + down * height, channel, work, step, result)
    return page.pixels()


def _panel(
    page: Page,
    x: float,
    y: float,
    channel: np.ndarray,
    work: Work,
    step: Step,
    result: np.ndarray,
) -> None:
    """One position of the window, its upper left corner at (x, y)."""
    (rows, columns), ground = work.extents(channel.shape), work.ground(channel)
    fills = np.full((*ground.shape, 3), PADDING)
    fills[rows.inside, columns.inside] = PLAIN
    below = rows.below(step.row), columns.below(step.column)
    fills[below] = WINDOW
    if isinstance(work, RegionPooling) and work.how == "max":
        largest = np.unravel_index(int(np.nanargmax(step.values)), step.values.shape)
        fills[below][largest] = RESULT
    right = cells(page, x, y, ground, fills)
    top, left = y + step.row * rows.stride, x + step.column * columns.stride
    if step.weights is not None:  # in the corners of the cells that they lie on
        for (i, j), weight in np.ndenumerate(step.weights):
            down, across = top + i * rows.dilation, left + j * rows.dilation
            page.text(across + 0.94, down + 0.84, number(weight), 10, MARK, "right")
    page.frame(left, top, columns.reach, rows.reach)
    done = np.arange(result.size).reshape(result.shape)
    here = done[step.row, step.column]
    sofar = np.where(done <= here, result, np.nan)
    cells(page, right, y, sofar, np.where((done == here)[..., None], RESULT, PLAIN))
    lines(page, x, y + max(ground.shape[0], rows.output) + 0.5, step.work)


def _heading(channel: np.ndarray, work: Work, drawn: int, there: int) -> list[str]:
    """The title of a sheet of steps, and below it what the eye needs to know."""
    rows, columns = work.extents(channel.shape)
    both = "" if rows == columns else f";  columns {columns.formula()}"
    padding, kernel = "grey: padding, which counts for nothing", ""
    if isinstance(work, Filtering):
        flipped = "turned by half a circle first, as a convolution asks for"
        turned = flipped if work.mode == "convolution" else "as it is"
        divided = f"; the sum is divided by {work.kernel.divisor}"
        kernel = f"in the corners the kernel, {turned}{divided if work.kernel.divisor != 1 else ''}"
        padding = "grey: padding"
    said = (
        f"{work.heading}: {rows.size} × {columns.size} → {rows.output} × {columns.output}",
        f"rows {rows.formula()}{both}",
        kernel,
        padding if rows.padded + columns.padded > rows.size + columns.size else "",
        f"the first {drawn} of {there} positions" if drawn < there else "",
    )
    return list(filter(None, said))


def before_after(
    image: np.ndarray, work: Work, place: tuple[int, int], channel: int, channel_name: str
) -> np.ndarray:
    """An image, what a filter makes of it, and the numbers of a small patch worked out.

    Args:
        image: (h, w) or (h, w, 3) uint8.
        place: row and column of the output, the middle of the patch.
        channel: whose numbers are shown, of an image with three; `channel_name` is what it is
            called.

    Returns:
        (h', w', 3) uint8 RGB.
    """
    response = work.apply(image)
    shown = displayed(response, work)
    rows, columns = extents = work.extents(image.shape)
    page = Page(unit=_CELL, margin=EDGE)
    top = headed(
        page,
        work.heading + (", each channel by itself" if channel_name else ""),
        f"rows {rows.formula()};  columns {columns.formula()}",
    )
    middles = [axis.middle(at) for at, axis in zip(place, extents, strict=True)]
    after = [at + 0.5 for at in place]
    bottom = _beside_each_other(page, top, (image, shown), (middles, after))
    if max(rows.reach, columns.reach) <= LONGEST_REACH:
        plain, answers = (
            each if each.ndim == 2 else each[..., channel] for each in (image, response)
        )
        _patch(page, bottom + 1, plain, answers, work, place, channel_name)
    else:
        too_many = f"a window that spans more than {LONGEST_REACH} cells is not written out"
        page.text(EDGE, bottom + 1, too_many, 15, PALE)
    return page.pixels()


def transposed_images(image: np.ndarray, made: np.ndarray, work: Transposing) -> np.ndarray:
    """An image (h, w) or (h, w, 3) uint8 and what a transposed convolution makes of it; returns
    (h', w', 3) uint8 RGB.
    """
    page = Page(unit=_CELL, margin=EDGE)
    rows, columns = work.formulas(image.shape)
    top = headed(page, work.heading, f"rows {rows};  columns {columns}", work.brightness())
    _beside_each_other(page, top, (image, displayed(made, Filtering(work.kernel))))
    return page.pixels()


def _beside_each_other(
    page: Page,
    top: float,
    images: tuple[np.ndarray, "Display"],
    marks: Sequence[Sequence[float]] = (),
) -> float:
    """An image before and after, each with a frame about a place (row, column) where there are
    marks; returns where they end.
    """
    before, after = images
    x = bottom = EDGE
    for order, (drawn, caption) in enumerate(
        (
            (before, f"before: {before.shape[0]} × {before.shape[1]}"),
            (
                after.image,
                f"after: {after.image.shape[0]} × {after.image.shape[1]};  {after.legend}",
            ),
        )
    ):
        scale = min(_SIDE / drawn.shape[1], _TALL / drawn.shape[0])
        height, width = (max(side * scale, 0.3) for side in drawn.shape[:2])
        page.text(x, top + 0.2, caption, 15, PALE)
        page.image(x, top + 0.7, _grey(drawn), width, height)
        for row, column in marks[order : order + 1]:
            page.frame(x + column * scale - 0.35, top + row * scale + 0.35, 0.7, 0.7, _PLACE)
        bottom = max(bottom, top + 0.7 + height)
        x += max(_SIDE, wide(caption, CAPTION)) + 1
    return bottom


def _patch(
    page: Page,
    y: float,
    plain: np.ndarray,
    answers: np.ndarray,
    work: Work,
    place: tuple[int, int],
    named: str,
) -> None:
    """Up to 3 × 3 positions of the output around a place: the input's numbers that they are
    computed from, kernel and output side by side, then the arithmetic of the middle one.
    """
    extents = work.extents(plain.shape)
    alone = any(2 * axis.stride + axis.reach > LONGEST_REACH + 2 for axis in extents)
    firsts = [at if alone else max(at - 1, 0) for at in place]
    ends = [
        at + 1 if alone else min(at + 2, axis.output)
        for at, axis in zip(place, extents, strict=True)
    ]
    spans = [
        slice(first * axis.stride, (end - 1) * axis.stride + axis.reach)
        for first, end, axis in zip(firsts, ends, extents, strict=True)
    ]
    values = work.ground(plain)[spans[0], spans[1]]
    row, column = (span.start - axis.before for span, axis in zip(spans, extents, strict=True))
    of = f"the {named} of the patch in the red frame" if named else "the patch in the red frame"
    page.text(EDGE, y, f"{of}: input, rows from {row}, columns from {column}", 15, PALE)
    y += 0.6
    levels = np.clip(np.nan_to_num(values, nan=255.0), 0, 255)
    x = cells(page, EDGE, y, values, np.repeat(levels[..., None], 3, axis=2))
    down, right = (
        at * axis.stride - span.start for at, axis, span in zip(place, extents, spans, strict=True)
    )
    page.frame(EDGE + right, y + down, extents[1].reach, extents[0].reach)
    if isinstance(work, Filtering):
        if work.kernel.divisor != 1:
            page.text(x, y + work.laid.shape[0] + 0.5, f"/ {work.kernel.divisor}")
        x = cells(page, x, y, work.laid, WINDOW)
    made = answers[firsts[0] : ends[0], firsts[1] : ends[1]]
    fills = np.full((*made.shape, 3), PLAIN)
    fills[place[0] - firsts[0], place[1] - firsts[1]] = RESULT
    x = cells(page, x, y, made, fills)
    page.text(x, y + 0.4, f"output at row {place[0]}, column {place[1]}", 15, PALE)
    lines(page, x, y + 1.1, work.step(plain, *place).work)


# === responses as images ===


@dataclass(frozen=True, eq=False)
class Display:
    """An image (h, w, 3) uint8 of a response, and what its brightness means."""

    image: np.ndarray
    legend: str


def displayed(response: np.ndarray, work: Work) -> Display:
    """A response (h, w) or (h, w, 3) to 0..255 input as an image; channels stay channels.

    Kernels whose weights add up to nothing, or less, answer with signs where no ReLU follows: mid
    grey stands for 0. All others keep to brightness: beyond 0..255 is clipped or, where that would
    be much of the image, all of it stretched. The legend says which.
    """
    if _answers_with_signs(work):
        sizes = np.abs(response)
        most = float(np.percentile(sizes, _WHITE_AT)) or float(sizes.max()) or 1.0
        beyond = float((sizes > most).mean())
        clipped = f"; {_percent(beyond)} is beyond and clipped" if beyond else ""
        return Display(
            _grey(signed_grey(response, most)),
            f"mid grey: 0, white: {number(most)}, black: -{number(most)}{clipped}",
        )
    low, high = float((response < -0.5).mean()), float((response > 255.5).mean())
    if low + high > _MOST_CLIPPED:
        least, most = float(response.min()), float(response.max())
        legend = f"black: {number(least)}, white: {number(most)} (stretched)"
        return Display(_grey((response - least) * 255 / ((most - least) or 1.0)), legend)
    parts = [
        f"{_percent(share)} {what} clipped"
        for share, what in ((low, "below 0"), (high, "above 255"))
        if share
    ]
    return Display(_grey(response), "black: 0, white: 255" + "".join(f"; {part}" for part in parts))


def _answers_with_signs(work: Work) -> bool:
    cells = work.kernel.cells if isinstance(work, Filtering) and not work.relu else np.ones(1)
    return bool(cells.sum() <= 1e-9 * np.abs(cells).sum())


def _grey(values: np.ndarray) -> np.ndarray:
    """Any numbers (h, w) or (h, w, 3) → (h, w, 3) uint8, rounded and clipped."""
    levels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def _percent(share: float) -> str:
    return "less than 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
