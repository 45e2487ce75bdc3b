"""Convolution and pooling with NumPy, written to be read: what a convolutional layer computes, one
cell of the kernel after the other; and a pooling, one number for each region of a channel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.inspecting import arithmetic
from cvtasks.insight.inspecting.arithmetic import Window, output_size
from cvtasks.text import agreeing

_Pad = Literal["constant", "edge", "reflect", "symmetric", "wrap"]  # what `numpy.pad` calls it
PADDINGS: dict[
    str, tuple[_Pad, str]
] = {  # name → that, and what a row a b c looks like with two cells more on each side
    "valid": ("constant", "a b c: nothing is added"),
    "zero": ("constant", "0 0 a b c 0 0: the result has the size of the input"),
    "replicate": ("edge", "a a a b c c c: the border is repeated"),
    "reflect": ("reflect", "c b a b c b a: a mirror in the middle of the border's cells"),
    "symmetric": ("symmetric", "b a a b c c b: a mirror at the edge"),
    "wrap": ("wrap", "b c a b c a b: the other side follows"),
    "full": ("constant", "0 0 a b c 0 0: zeros wherever the kernel still touches the input"),
    "same": ("constant", "0 0 a b c 0 0: zeros where Keras and TensorFlow put them"),
}
Mode = Literal["cross-correlation", "convolution"]
"""The kernel as it is, which is what networks call convolution; or flipped first, which is what
mathematics calls so.
"""


@dataclass(frozen=True)
class Extent(Window):
    """How a window, of a kernel or of a pooling, goes along an axis of `size` cells."""

    size: int = 0

    @property
    def padded(self) -> int:
        """Cells along the axis with those of the padding."""
        return self.before + self.size + self.after

    @property
    def inside(self) -> slice:
        """Where the input's own cells are among those."""
        return slice(self.before, self.before + self.size)

    @property
    def output(self) -> int:
        """Positions of the window, ⌊(W - K + 2P)/S⌋ + 1."""
        return output_size(self.size, self)

    @property
    def left_over(self) -> int:
        """Cells at the end that no position covers; 0 where the stride fits."""
        return (self.padded - self.reach) % self.stride

    def below(self, position: int) -> slice:
        """The padded input's cells that the window lies on at a position."""
        first = position * self.stride
        return slice(first, first + self.reach, self.dilation)

    def under(self, cell: int) -> slice:
        """The padded input's cells that a cell of the window lies on while it is moved."""
        first = cell * self.dilation
        return slice(first, first + (self.output - 1) * self.stride + 1, self.stride)

    def middle(self, position: int) -> float:
        """Where the middle of the window is at a position, in cells from the input's first edge."""
        return position * self.stride - self.before + self.reach / 2

    def formula(self) -> str:
        """(W - K + 2P)/S + 1 with its numbers.

        >>> Extent(3, 2, size=7).formula()
        '(7 - 3)/2 + 1 = 3'
        >>> Extent(3, 3, size=7).formula()
        '(7 - 3)/3 + 1 = 2.33: does not fit, 1 left over at the end, 2 remain'
        """
        padding = f" + {self.before} + {self.after}" if self.before or self.after else ""
        if padding and self.before == self.after:
            padding = f" + 2·{self.before}"
        start = f"({self.size} - {self.reach}{padding})/{self.stride} + 1 ="
        if not self.left_over:
            return f"{start} {self.output}"
        return (
            f"{start} {float(self.exact(self.size)):.2f}: does not fit, {self.left_over} left over "
            f"at the end, {self.output} {agreeing(self.output, 'remains', 'remain')}"
        )


def along(
    size: int,
    window: int,
    stride: int = 1,
    padding: str | int = "valid",
    dilation: int = 1,
    flip: bool = False,
) -> Extent:
    """How a window goes along an axis of `size` cells.

    Args:
        padding: a name of `PADDINGS`, or how many zeros there are at each end (the P of the
            formula).
        flip: the kernel will be flipped; with an even window, its middle then lies on the other
            side of the centre.

    `zero`, `replicate`, `reflect`, `symmetric` and `wrap` put the window's cell ⌊K/2⌋ on every cell
    of the input, as scipy.ndimage does; an even window thus needs one cell more in front than
    behind. Keras' `same` puts it behind, and counts from the stride.

    Raises:
        UsageError: a number below 1, an unknown padding, or a window that is larger than the padded
            input.
    """
    if not isinstance(padding, int) and padding not in PADDINGS:
        raise UsageError(
            f"the padding must be a number or {', '.join(PADDINGS)}; got {padding!r}. "
            f"{did_you_mean(padding, PADDINGS)}"
        )
    known = isinstance(padding, int) or padding in ("valid", "same")
    one = arithmetic.padded(size, window, stride, padding if known else "valid", dilation)
    before, after = one.before, one.after
    if padding == "full":
        before = after = one.reach - 1
    elif not known:
        before = (one.reach - 1) // 2 if flip else one.reach // 2
        after = one.reach - 1 - before
    extent = Extent(window, stride, before, after, dilation, size=size)
    if extent.padded < extent.reach:
        raise UsageError(
            f"a window must fit into the padded input; one that spans {one.reach} does not fit "
            f"into {size} + {before} + {after} cells. Choose a smaller one, or another padding "
            "than valid."
        )
    return extent


def padded(
    image: np.ndarray, rows: Extent, columns: Extent, padding: str | int = "zero"
) -> np.ndarray:
    """The image (h, w) or (h, w, c) with the cells around it that the two extents ask for."""
    how = "constant" if isinstance(padding, int) else PADDINGS[padding][0]
    widths = [(axis.before, axis.after) for axis in (rows, columns)]
    widths += [(0, 0)] * (image.ndim - 2)
    return np.pad(image, widths, mode=how)


def convolve(
    image: np.ndarray,
    kernel: np.ndarray,
    *,
    stride: int = 1,
    padding: str | int = "valid",
    dilation: int = 1,
    mode: Mode = "cross-correlation",
    bias: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Slide a kernel over an image; at every position multiply what lies on top of each other, and
    add it up.

    S(i, j) = b + Σ_m Σ_n I(i·stride + m·dilation, j·stride + n·dilation) K(m, n); for
    `mode="convolution"` the kernel is turned by half a circle first (Goodfellow, Bengio and
    Courville, "Deep Learning", 2016, section 9.1).

    Args:
        image: (h, w) or (h, w, c), any numbers.
        kernel: (k, l), used for each channel by itself; or (k, l, c, f), a layer's: it adds up over
            the c channels.
        padding: a name of `PADDINGS`, or the number of zeros on each side.
        bias: one number, or (f,).

    Returns:
        float64: (h', w') or (h', w', c) of a (k, l) kernel, (h', w', f) of a layer's.

    Raises:
        UsageError: shapes, numbers or names that cannot be used.

    >>> convolve(np.array([[5, 3, 4], [1, 0, 0], [3, 6, 1]]), np.array([[0, 1], [-1, 2]])).tolist()
    [[2.0, 4.0], [9.0, -4.0]]
    """
    image, weights = np.asarray(image, np.float64), np.asarray(kernel, np.float64)
    layer = _checked(image, weights, mode)
    flip = mode == "convolution"
    if flip:
        weights = weights[::-1, ::-1]
    rows, columns = (
        along(image.shape[axis], weights.shape[axis], stride, padding, dilation, flip)
        for axis in (0, 1)
    )
    ground = padded(image, rows, columns, padding)
    result = np.zeros(
        (rows.output, columns.output, *(weights.shape[3:] if layer else image.shape[2:]))
    )
    for m, n in np.ndindex(weights.shape[:2]):
        seen = ground[rows.under(m), columns.under(n)]  # below the kernel's cell (m, n) everywhere
        result += seen @ weights[m, n] if layer else seen * weights[m, n]
    return result + bias


def _checked(image: np.ndarray, weights: np.ndarray, mode: str) -> bool:
    """Whether the kernel is a layer's; UsageError if the two do not belong together."""
    if mode not in ("cross-correlation", "convolution"):
        raise UsageError(f"the mode must be cross-correlation or convolution; got {mode!r}.")
    if image.ndim not in (2, 3):
        raise UsageError(f"an image must be (h, w) or (h, w, c); got {image.shape}.")
    if weights.ndim not in (2, 4) or (weights.ndim == 4 and weights.shape[2:3] != image.shape[2:]):
        raise UsageError(
            "a kernel must be (k, l), or (k, l, c, f) with the image's c channels; got "
            f"{weights.shape} for an image of "
            f"{image.shape}."
        )
    return weights.ndim == 4


# === pooling ===

POOLINGS = ("max", "average", "sum", "lp")
Pooling = Literal["max", "average", "sum", "lp"]


def check_pooling(how: str) -> None:
    """Raise UsageError if there is no such pooling."""
    if how not in POOLINGS:
        raise UsageError(
            f"the pooling must be {', '.join(POOLINGS)}; got {how!r}. {did_you_mean(how, POOLINGS)}"
        )


def pool_extents(
    shape: tuple[int, ...], size: int, stride: int = 0, padding: str = "valid"
) -> tuple[Extent, Extent]:
    """How a square region of `size` goes over rows and columns; a `stride` of 0 is the size, so
    that regions do not overlap.

    Raises:
        UsageError: another padding than valid or same, or a region that does not fit.
    """
    if padding not in ("valid", "same"):
        raise UsageError(
            f"the padding of a pooling must be valid or same; got {padding!r}. What is added by "
            "same counts for nothing."
        )
    rows, columns = (along(side, size, stride or size, padding) for side in shape[:2])
    return rows, columns


def pool(
    image: np.ndarray,
    size: int,
    how: Pooling = "max",
    *,
    stride: int = 0,
    padding: str = "valid",
    p: float = 2.0,
) -> np.ndarray:
    """Move a square region over an image and take one number of it each time.

    Args:
        image: (h, w) or (h, w, c), any numbers.
        size: side of the region.
        how: max; average; sum; or lp, the norm (Σ |h|^p)^(1/p), which is the sum at p = 1 and nears
            the maximum as p grows (numbers that are not negative).
        stride: 0 is the size.
        padding: valid, or same: as many positions as ⌈side/stride⌉; cells outside the image are
            left out.

    Returns:
        (h', w') or (h', w', c) float64.

    Raises:
        UsageError: a name, a shape or a number that cannot be used.

    >>> pool(np.array([[1, 2, 0, 1], [3, 4, 1, 0]]), 2).tolist()
    [[4.0, 1.0]]
    """
    check_pooling(how)
    image = np.asarray(image, np.float64)
    if image.ndim not in (2, 3):
        raise UsageError(f"an image must be (h, w) or (h, w, c); got {image.shape}.")
    rows, columns = pool_extents(image.shape, size, stride, padding)
    result = np.empty((rows.output, columns.output, *image.shape[2:]))
    for i, j in np.ndindex(result.shape[:2]):
        result[i, j] = pooled(image[region(rows, i), region(columns, j)], how, p)
    return result


def region(axis: Extent, position: int) -> slice:
    """The image's rows, or columns, in the region at a position; what lies outside of the image is
    left out.
    """
    first = position * axis.stride - axis.before
    return slice(max(first, 0), min(first + axis.kernel, axis.size))


def pooled(values: np.ndarray, how: Pooling, p: float = 2.0) -> np.ndarray:
    """One number of a region (k, l) or (k, l, c), for each channel by itself.

    Raises:
        UsageError: p is not a number above 0.
    """
    plain: dict[str, Callable[..., np.ndarray]] = {"max": np.max, "average": np.mean, "sum": np.sum}
    if how in plain:
        return plain[how](values, axis=(0, 1))
    if not 0 < p < np.inf:
        raise UsageError(
            f"p must be a number above 0; got {p}. The maximum, which p = ∞ stands for, is max."
        )
    largest = np.abs(values).max(axis=(0, 1))
    # powers of large numbers would not fit into a float
    scale = np.exp2(np.floor(np.log2(np.where(largest > 0, largest, 1.0))))
    return scale * ((np.abs(values) / scale) ** p).sum(axis=(0, 1)) ** (1 / p)
