"""Sheets about one filter or pooling: before and after, and each position worked out."""

from collections.abc import Sequence

import numpy as np

from cvtasks.drawing.sheets import (
    INK,
    MARK,
    PADDING,
    PALE,
    PLAIN,
    RESULT,
    WINDOW,
    Page,
    text_width,
)
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.display import displayed
from cvtasks.insight.by_hand.steps import Filtering, RegionPooling, Step, Work, number

LONGEST_SIDE = 12
"""Rows and columns of an input whose steps can be drawn at most; with its padding twice as many."""
LONGEST_REACH = 11
"""Cells that a window may span for its numbers to be drawn beside an image."""
_MOST_CELLS = 6000  # of a sheet of steps, about
_PLACE = "#e11d48"  # of the frame around the patch in an image
_CELL = 40  # side of a cell in pixels
_SIDE, _TALL = 18.0, 22.0  # an image on the sheet, at most, in cells
_ROW = 0.55  # height of a line of text, in cells


def steps_drawn(shape: tuple[int, ...], work: Work) -> int:
    """How many positions a sheet of steps shows of an input of this shape; 0 where it is too large
    for one.
    """
    rows, columns = work.extents(shape)
    tall, wide = (axis.size + axis.before + axis.after for axis in (rows, columns))
    if (
        max(shape[:2]) > LONGEST_SIDE
        or max(tall, wide, rows.output, columns.output) > 2 * LONGEST_SIDE
    ):
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
    places = [(i, j) for i in range(rows.output) for j in range(columns.output)][:most]
    steps = [work.step(channel, i, j) for i, j in places]
    ground = work.ground(channel)
    lines = max(len(step.work) for step in steps)
    width = (
        max(
            ground.shape[1] + 1 + columns.output,
            *(_wide(line) for step in steps for line in step.work),
        )
        + 1.2
    )
    height = max(ground.shape[0], rows.output) + _ROW * lines + 1.2
    across = columns.output if columns.output <= 5 else 4
    across = max(1, min(across, int(60 // width), len(steps)))
    heading = _heading(channel, work, len(steps), result.size)
    head = 1.1 + 0.6 * len(heading)
    paper = Page(
        max(across * width + 0.4, 1.6 + max(_wide(line, 20) for line in heading[:1])),
        head + -(-len(steps) // across) * height,
        _CELL,
    )
    for count, line in enumerate(heading):
        paper.text(
            0.8,
            0.9 + 0.6 * count + (0.1 if count else 0),
            line,
            15 if count else 20,
            PALE if count else INK,
        )
    for count, step in enumerate(steps):
        x, y = 0.8 + count % across * width, head + count // across * height
        _panel(paper, x, y, channel, ground, work, step, result)
    return paper.pixels()


def _panel(
    paper: Page,
    x: float,
    y: float,
    channel: np.ndarray,
    ground: np.ndarray,
    work: Work,
    step: Step,
    result: np.ndarray,
) -> None:
    """One position of the window, its upper left corner at (x, y)."""
    rows, columns = work.extents(channel.shape)
    fills = _filled(ground.shape, PADDING)
    fills[rows.before : rows.before + rows.size, columns.before : columns.before + columns.size] = (
        PLAIN
    )
    under = np.s_[
        step.top : step.top + rows.reach : rows.dilation,
        step.left : step.left + columns.reach : columns.dilation,
    ]
    fills[under] = WINDOW
    if isinstance(work, RegionPooling) and work.how == "max":
        chosen = _filled(step.values.shape, WINDOW)
        chosen[np.unravel_index(int(np.nanargmax(step.values)), step.values.shape)] = RESULT
        fills[under] = chosen
    paper.numbers(x, y, _texts(ground), fills)
    if step.weights is not None:  # in the corners of the cells that they lie on
        for (i, j), weight in np.ndenumerate(step.weights):
            right = x + step.left + j * rows.dilation + 0.94
            paper.text(
                right, y + step.top + i * rows.dilation + 0.84, number(weight), 10, MARK, "right"
            )
    paper.frame(x + step.left, y + step.top, columns.reach, rows.reach)
    done = np.add.outer(np.arange(rows.output) * columns.output, np.arange(columns.output))
    here = step.row * columns.output + step.column
    after = np.where((done == here)[..., None], RESULT, PLAIN)
    right = x + ground.shape[1] + 1
    paper.numbers(right, y, _texts(np.where(done <= here, result, np.nan)), after)
    bottom = y + max(ground.shape[0], rows.output) + 0.5
    for count, line in enumerate(step.work):
        paper.text(x, bottom + _ROW * count, line)


def _heading(channel: np.ndarray, work: Work, drawn: int, there: int) -> list[str]:
    """The title of a sheet of steps, and below it what the eye needs to know."""
    rows, columns = work.extents(channel.shape)
    lines = [f"{work.heading}: {rows.size} × {columns.size} → {rows.output} × {columns.output}"]
    lines.append(
        f"rows {rows.formula()}"
        if rows == columns
        else f"rows {rows.formula()};  columns {columns.formula()}"
    )
    if isinstance(work, Filtering):
        turned = (
            "turned by half a circle first, as a convolution asks for"
            if work.mode == "convolution"
            else "as it is"
        )
        divided = (
            f"; the sum is divided by {work.kernel.divisor}" if work.kernel.divisor != 1 else ""
        )
        lines.append(f"in the corners the kernel, {turned}{divided}")
    if rows.before + rows.after + columns.before + columns.after:
        lines.append(
            "grey: padding" + ("" if isinstance(work, Filtering) else ", which counts for nothing")
        )
    if drawn < there:
        lines.append(f"the first {drawn} of {there} positions")
    return lines


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
    plain, answers = (
        (image, response) if image.ndim == 2 else (image[..., channel], response[..., channel])
    )
    rows, columns = work.extents(image.shape)
    patch = (
        _Patch(plain, answers, work, place)
        if max(rows.reach, columns.reach) <= LONGEST_REACH
        else None
    )
    lines = work.step(plain, *place).work if patch else ()
    boxes = [_fitted(rows.size, columns.size), _fitted(rows.output, columns.output)]
    tall = max(high for high, _ in boxes)
    below = max(patch.tall, 1.2 + _ROW * len(lines)) + 2.0 if patch else 1.2
    width = max(2 * _SIDE + 2.6, patch.wide + max(map(_wide, lines)) + 2.4 if patch else 0)
    paper = Page(width, 3.4 + tall + 1.2 + below, _CELL)
    paper.text(0.8, 0.9, work.heading + (", each channel by itself" if channel_name else ""), 20)
    paper.text(0.8, 1.75, f"rows {rows.formula()};  columns {columns.formula()}", 15, PALE)
    over = [
        at * axis.stride - axis.before + axis.reach / 2
        for at, axis in zip(place, (rows, columns), strict=True)
    ]
    for left, drawn, box, at, caption in (
        (0.8, image, boxes[0], over, f"before: {rows.size} × {columns.size}"),
        (
            width / 2 + 0.5,
            shown.image,
            boxes[1],
            [at + 0.5 for at in place],
            f"after: {rows.output} × {columns.output};  {shown.legend}",
        ),
    ):
        colours = drawn if drawn.ndim == 3 else np.repeat(drawn[..., None], 3, axis=2)
        paper.image(left, 2.5, colours, box[1], box[0])
        y, x = (a / count * side for a, count, side in zip(at, drawn.shape, box, strict=False))
        paper.frame(left + x - 0.35, 2.5 + y - 0.35, 0.7, 0.7, _PLACE)
        paper.text(left, 2.5 + tall + 0.45, caption, 15, PALE)
    if patch:
        patch.draw(paper, 0.8, 2.5 + tall + 1.7, lines, channel_name)
    else:
        paper.text(
            0.8,
            2.5 + tall + 1.5,
            f"a window that spans more than {LONGEST_REACH} cells is not written out",
            15,
            PALE,
        )
    return paper.pixels()


def _fitted(height: int, width: int) -> tuple[float, float]:
    """Height and width in cells of an image of so many pixels."""
    scale = min(_SIDE / width, _TALL / height)
    return max(height * scale, 0.3), max(width * scale, 0.3)


class _Patch:
    """Up to 3 × 3 positions of the output around a place, and the input's numbers that they are
    computed from.
    """

    def __init__(
        self, plain: np.ndarray, answers: np.ndarray, work: Work, place: tuple[int, int]
    ) -> None:
        extents = work.extents(plain.shape)
        self._work = work
        self._first = [max(at - 1, 0) for at in place]
        last = [min(at + 1, axis.output - 1) for at, axis in zip(place, extents, strict=True)]
        if any(2 * axis.stride + axis.reach > LONGEST_REACH + 2 for axis in extents):
            self._first, last = list(place), list(place)  # large strides: one position
        self._spans = [
            (first * axis.stride, end * axis.stride + axis.reach)
            for first, end, axis in zip(self._first, last, extents, strict=True)
        ]
        (top, bottom), (left, right) = self._spans
        self._values = work.ground(plain)[top:bottom, left:right]
        self._answers = answers[self._first[0] : last[0] + 1, self._first[1] : last[1] + 1]
        self._extents, self._place = extents, place
        kernel = work.kernel.cells.shape if isinstance(work, Filtering) else (0, -1)
        self._kernel_wide = kernel[1] + 1
        self.tall = max(self._values.shape[0], kernel[0], self._answers.shape[0]) + 0.9
        self.wide = self._values.shape[1] + 1 + self._kernel_wide + self._answers.shape[1] + 1

    def draw(
        self, paper: Page, x: float, y: float, lines: Sequence[str], channel_name: str
    ) -> None:
        """Input, kernel and output side by side, then the arithmetic of the middle position."""
        rows, columns = self._extents
        (top, _), (left, _) = self._spans
        corner_at = f"rows from {top - rows.before}, columns from {left - columns.before}"
        named = f" ({channel_name})" if channel_name else ""
        paper.text(x, y, f"the patch in the frame{named}: input, {corner_at}", 15, PALE)
        y += 0.6
        levels = np.clip(np.nan_to_num(self._values, nan=255.0), 0, 255).astype(np.uint8)
        paper.numbers(x, y, _texts(self._values), np.repeat(levels[..., None], 3, axis=2))
        at = [
            place * axis.stride - span[0]
            for place, axis, span in zip(self._place, self._extents, self._spans, strict=True)
        ]
        paper.frame(x + at[1], y + at[0], columns.reach, rows.reach)
        x += self._values.shape[1] + 1
        if isinstance(self._work, Filtering):
            laid = self._work.laid
            paper.numbers(x, y, _texts(laid), _filled(laid.shape, WINDOW))
            if self._work.kernel.divisor != 1:
                paper.text(x, y + laid.shape[0] + 0.5, f"/ {self._work.kernel.divisor}")
            x += self._kernel_wide
        fills = _filled(self._answers.shape, PLAIN)
        middle = self._place[0] - self._first[0], self._place[1] - self._first[1]
        fills[middle] = RESULT
        paper.numbers(x, y, _texts(self._answers), fills)
        x += self._answers.shape[1] + 1
        paper.text(x, y + 0.4, f"output at row {self._place[0]}, column {self._place[1]}", 15, PALE)
        for count, line in enumerate(lines):
            paper.text(x, y + 1.1 + _ROW * count, line)


def _wide(text: str, size: float = 14) -> float:
    """How wide a line of text is, in cells."""
    return text_width(text, size) / _CELL


def _texts(values: np.ndarray) -> list[list[str]]:
    return [["" if np.isnan(value) else number(value) for value in row] for row in values]


def _filled(shape: tuple[int, ...], colour: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (*shape, 3)).copy()
