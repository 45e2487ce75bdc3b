"""Convolution with NumPy, written to be read: what a convolutional layer computes, one cell of the
kernel after the other.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.inspecting.arithmetic import same

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
class Extent:
    """How a window goes along one axis of an image; all in cells.

    Attributes:
        size: of the image along the axis.
        window: of the kernel, or of the pooling region.
        before, after: what padding adds at the two ends.
    """

    size: int
    window: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def reach(self) -> int:
        """What the window spans with its holes, d(K - 1) + 1."""
        return self.dilation * (self.window - 1) + 1

    @property
    def room(self) -> int:
        """How far the window can be moved."""
        return self.size + self.before + self.after - self.reach

    @property
    def output(self) -> int:
        """Positions of the window, ⌊(W - K + 2P)/S⌋ + 1."""
        return self.room // self.stride + 1

    @property
    def left_over(self) -> int:
        """Cells at the end that no position covers; 0 where the stride fits."""
        return self.room % self.stride

    def formula(self) -> str:
        """(W - K + 2P)/S + 1 with its numbers.

        >>> Extent(7, 3, stride=2).formula()
        '(7 - 3)/2 + 1 = 3'
        >>> Extent(7, 3, stride=3).formula()
        '(7 - 3)/3 + 1 = 2.33: does not fit, 1 left over at the end, 2 remain'
        """
        padding = ""
        if self.before or self.after:
            padding = (
                f" + 2·{self.before}"
                if self.before == self.after
                else f" + {self.before} + {self.after}"
            )
        start = f"({self.size} - {self.reach}{padding})/{self.stride} + 1 ="
        if not self.left_over:
            return f"{start} {self.output}"
        exact = f"{self.room / self.stride + 1:.2f}"
        return (
            f"{start} {exact}: does not fit, {self.left_over} left over at the end, {self.output} "
            "remain"
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
    for name, value in (
        ("The input's side", size),
        ("A window's side", window),
        ("The stride", stride),
        ("The dilation", dilation),
    ):
        if value < 1:
            raise UsageError(f"{name} must be at least 1; got {value}.")
    reach = dilation * (window - 1) + 1
    if isinstance(padding, int):
        if padding < 0:
            raise UsageError(f"the padding must be at least 0; got {padding}.")
        before = after = padding
    elif padding not in PADDINGS:
        raise UsageError(
            f"the padding must be a number or {', '.join(PADDINGS)}; got {padding!r}. "
            f"{did_you_mean(padding, PADDINGS)}"
        )
    elif padding == "valid":
        before = after = 0
    elif padding == "full":
        before = after = reach - 1
    elif padding == "same":
        keras_like = same(size, window, stride, dilation)
        before, after = keras_like.before, keras_like.after
    else:
        before = (reach - 1) // 2 if flip else reach // 2
        after = reach - 1 - before
    extent = Extent(size, window, stride, dilation, before, after)
    if extent.room < 0:
        raise UsageError(
            f"a window must fit into the padded input; one that spans {reach} does not fit into "
            f"{size} + {before} + {after} "
            "cells. Choose a smaller one, or another padding than valid."
        )
    return extent


def padded(
    image: np.ndarray, rows: Extent, columns: Extent, padding: str | int = "zero"
) -> np.ndarray:
    """The image (h, w) or (h, w, c) with the cells around it that the two extents ask for."""
    how = "constant" if isinstance(padding, int) else PADDINGS[padding][0]
    widths = [(rows.before, rows.after), (columns.before, columns.after)] + [(0, 0)] * (
        image.ndim - 2
    )
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
    rows = along(image.shape[0], weights.shape[0], stride, padding, dilation, flip)
    columns = along(image.shape[1], weights.shape[1], stride, padding, dilation, flip)
    ground = padded(image, rows, columns, padding)
    result = np.zeros(
        (rows.output, columns.output, *(weights.shape[3:] if layer else image.shape[2:]))
    )
    for m in range(rows.window):
        for n in range(columns.window):
            seen = ground[
                under(rows, m), under(columns, n)
            ]  # what the kernel's cell (m, n) lies on, at all positions
            result += seen @ weights[m, n] if layer else seen * weights[m, n]
    return result + bias


def under(axis: Extent, cell: int) -> slice:
    """The padded input's rows, or columns, that a cell of the kernel lies on while the kernel is
    moved.
    """
    first = cell * axis.dilation
    return slice(first, first + (axis.output - 1) * axis.stride + 1, axis.stride)


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
