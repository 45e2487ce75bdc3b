"""Filters and poolings with their arithmetic written out, position by position."""

from dataclasses import dataclass

import numpy as np

from cvtasks.insight.by_hand.convolution import (
    Extent,
    Mode,
    Pooling,
    along,
    convolve,
    padded,
    pool,
    pool_extents,
    pooled,
)
from cvtasks.insight.by_hand.kernels import Kernel


@dataclass(frozen=True, eq=False)
class Step:
    """One position of the window over one channel.

    Attributes:
        row, column: of the output.
        values: (k, l) float64, what lies below the window; NaN for cells that count for nothing.
        weights: (k, l) float64, the kernel's cells as they are laid over the values; None for a
            pooling.
        result: the number that comes out.
        work: the arithmetic, a line for each row of the window.
    """

    row: int
    column: int
    values: np.ndarray
    weights: np.ndarray | None
    result: float
    work: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Filtering:
    """A kernel and how it is moved; see `convolve`.

    Attributes:
        bias: is added to every number.
        relu: what is below 0 then becomes 0: the feature map of a unit, h = max(0, x ⊗ w + b).
    """

    kernel: Kernel
    stride: int = 1
    padding: str | int = "zero"
    dilation: int = 1
    mode: Mode = "cross-correlation"
    bias: float = 0.0
    relu: bool = False

    @property
    def heading(self) -> str:
        """What is done, in a line."""
        padding = f"{self.padding} padding"
        if isinstance(self.padding, int):
            padding = f"{self.padding} zeros on each side"
        elif self.padding == "valid":
            padding = "no padding (valid)"
        parts = [
            f"{self.kernel.name or 'kernel'} {' × '.join(map(str, self.kernel.cells.shape))}",
            *(self.mode, padding, f"stride {self.stride}"),
            f"dilation {self.dilation}" if self.dilation > 1 else "",
            f"bias {number(self.bias)}" if self.bias else "",
            "ReLU" if self.relu else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def laid(self) -> np.ndarray:
        """(k, l) float64: the kernel's cells as they are laid over the image, flipped for a
        convolution.
        """
        return self.kernel.cells[::-1, ::-1] if self.mode == "convolution" else self.kernel.cells

    def extents(self, shape: tuple[int, ...]) -> tuple[Extent, Extent]:
        """How the kernel goes over the rows and the columns of an image of this shape."""
        flip = self.mode == "convolution"
        rows, columns = (
            along(side, window, self.stride, self.padding, self.dilation, flip)
            for side, window in zip(shape[:2], self.kernel.cells.shape, strict=True)
        )
        return rows, columns

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(h, w) or (h, w, c) → float64 of the same kind."""
        sums = convolve(
            image,
            self.kernel.cells,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            mode=self.mode,
        )
        sums = sums / self.kernel.divisor + self.bias
        return np.maximum(sums, 0) if self.relu else sums

    def ground(self, channel: np.ndarray) -> np.ndarray:
        """One channel (h, w) with its padding."""
        return padded(channel, *self.extents(channel.shape), self.padding)

    def step(self, channel: np.ndarray, row: int, column: int) -> Step:
        """The arithmetic at one position of the output over one channel (h, w)."""
        values = _below(self, channel, row, column)
        result = float((self.laid * values).sum())
        lines = [
            " + ".join(f"{factor(w)}·{factor(v)}" for w, v in zip(*line, strict=True))
            for line in zip(self.laid, values, strict=True)
        ]
        end = f" = {number(result)}"
        if self.kernel.divisor != 1:
            result /= self.kernel.divisor
            end += f"; /{self.kernel.divisor} = {number(result)}"
        if self.bias:
            result += self.bias
            end += f"; + {factor(self.bias)} = {number(result)}"
        if self.relu:
            end += f"; max(0, {number(result)}) = {number(max(0.0, result))}"
            result = max(0.0, result)
        return Step(row, column, values, self.laid, result, _joined(lines, "+ ", end))


@dataclass(frozen=True)
class RegionPooling:
    """A pooling and how its region is moved; see `pool`. A stride of 0 is the size."""

    how: Pooling
    size: int = 2
    stride: int = 0
    padding: str = "valid"
    p: float = 2.0

    @property
    def heading(self) -> str:
        """What is done, in a line."""
        name = f"L{number(self.p)}" if self.how == "lp" else self.how
        padding = "same padding" if self.padding == "same" else "no padding (valid)"
        return (
            f"{name} pooling {self.size} × {self.size}, {padding}, stride "
            f"{self.stride or self.size}"
        )

    def extents(self, shape: tuple[int, ...]) -> tuple[Extent, Extent]:
        """How the region goes over the rows and the columns of an image of this shape."""
        return pool_extents(shape, self.size, self.stride, self.padding)

    def apply(self, image: np.ndarray) -> np.ndarray:
        """(h, w) or (h, w, c) → float64 of the same kind."""
        return pool(image, self.size, self.how, stride=self.stride, padding=self.padding, p=self.p)

    def ground(self, channel: np.ndarray) -> np.ndarray:
        """One channel (h, w) with NaN for the cells of the padding, which count for nothing."""
        widths = [(axis.before, axis.after) for axis in self.extents(channel.shape)]
        return np.pad(np.asarray(channel, np.float64), widths, constant_values=np.nan)

    def step(self, channel: np.ndarray, row: int, column: int) -> Step:
        """The arithmetic at one position of the output over one channel (h, w)."""
        values = _below(self, channel, row, column)
        there = [[v for v in line if not np.isnan(v)] for line in values]
        result = float(pooled(values[~np.isnan(values)][:, None], self.how, self.p))
        power = number(self.p)
        show, joint, start, end = {
            "max": (number, ", ", "max(", ")"),
            "average": (factor, " + ", "(", f")/{sum(map(len, there))}"),
            "sum": (factor, " + ", "", ""),
            "lp": (lambda v: f"|{number(v)}|^{power}", " + ", "(", f")^(1/{power})"),
        }[self.how]
        lines = [joint.join(map(show, line)) for line in there if line]
        lines[0] = start + lines[0]
        worked = _joined(lines, joint.lstrip(" "), f"{end} = {number(result)}")
        return Step(row, column, values, None, result, worked)


Work = Filtering | RegionPooling
"""What can be done to an image, and worked out."""


def number(value: float) -> str:
    """A number with at most two digits after the point, or two that say something.

    >>> number(3.0), number(-0.25), number(1 / 3), number(0.001), number(-0.0)
    ('3', '-0.25', '0.33', '0.001', '0')
    """
    if value != 0 and abs(value) < 0.005:
        return f"{value:.2g}"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def table(values: np.ndarray) -> str:
    """(r, c) numbers as lines of text with straight columns; NaN is a dot.

    >>> print(table(np.array([[1, -2], [10, 0.5]])))
     1   -2
    10  0.5
    """
    cells = [["·" if np.isnan(v) else number(v) for v in row] for row in values]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:>{w}}" for cell, w in zip(row, widths, strict=True)) for row in cells
    )


def busiest(image: np.ndarray, work: Work) -> tuple[int, int]:
    """The output's row and column over the steepest place of an image (h, w) or (h, w, c): where
    there is something to see.
    """
    grey = np.asarray(image, np.float64).reshape(*image.shape[:2], -1).mean(axis=2)
    steep = np.zeros(grey.shape)
    steep[:, 1:] += np.abs(np.diff(grey, axis=1))
    steep[1:] += np.abs(np.diff(grey, axis=0))
    place = np.unravel_index(int(steep.argmax()), steep.shape)
    row, column = (
        round(float(np.clip((at - axis.middle(0) + 0.5) / axis.stride, 0, axis.output - 1)))
        for at, axis in zip(place, work.extents(grey.shape), strict=True)
    )
    return row, column


def _below(work: Work, channel: np.ndarray, row: int, column: int) -> np.ndarray:
    """What of a channel (h, w) with its padding lies below the window at a position."""
    rows, columns = work.extents(channel.shape)
    return work.ground(channel)[rows.below(row), columns.below(column)]


def factor(value: float) -> str:
    """A number as it stands in a product: a negative one in brackets."""
    text = number(value)
    return f"({text})" if text.startswith("-") else text


def _joined(lines: list[str], joint: str, end: str) -> tuple[str, ...]:
    """The lines of one sum, each after the first beginning with the plus; or of one list, each
    before the last ending in a comma.
    """
    if joint == ", ":
        return (*(f"{line}," for line in lines[:-1]), lines[-1] + end)
    whole = [*lines[:1], *(joint + line for line in lines[1:])]
    return (*whole[:-1], whole[-1] + end)
