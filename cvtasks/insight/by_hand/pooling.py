"""Pooling with NumPy, written to be read: one number for each region,
for each channel by itself.
"""

from typing import Literal

import numpy as np

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.by_hand.convolution import Extent, along

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
    for i in range(rows.output):
        for j in range(columns.output):
            result[i, j] = pooled(image[region(rows, i), region(columns, j)], how, p)
    return result


def region(axis: Extent, position: int) -> slice:
    """The image's rows, or columns, in the region at a position; what lies outside of the image is
    left out.
    """
    first = position * axis.stride - axis.before
    return slice(max(first, 0), min(first + axis.window, axis.size))


def pooled(values: np.ndarray, how: Pooling, p: float = 2.0) -> np.ndarray:
    """One number of a region (k, l) or (k, l, c), for each channel by itself.

    Raises:
        UsageError: p is not a number above 0.
    """
    if how == "max":
        return values.max(axis=(0, 1))
    if how == "average":
        return values.mean(axis=(0, 1))
    if how == "sum":
        return values.sum(axis=(0, 1))
    if not 0 < p < np.inf:
        raise UsageError(
            f"p must be a number above 0; got {p}. The maximum, which p = ∞ stands for, is max."
        )
    largest = np.abs(values).max(axis=(0, 1))
    scale = np.exp2(
        np.floor(np.log2(np.where(largest > 0, largest, 1.0)))
    )  # powers of large numbers would not fit into a float
    return scale * ((np.abs(values) / scale) ** p).sum(axis=(0, 1)) ** (1 / p)
