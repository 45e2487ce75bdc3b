"""The way back through a convolution or a pooling, with NumPy, written to be read: gradients, and
transposed convolution.

Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4;
Goodfellow, Bengio and Courville, "Deep Learning", 2016, section 9.5.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.convolution import (
    PADDINGS,
    Extent,
    Mode,
    Pooling,
    along,
    check_pooling,
    padded,
    pool_extents,
    region,
)


@dataclass(frozen=True)
class Gradients:
    """How a loss L changes with what went into a convolution.

    Attributes:
        image: ∂L/∂I, of the image's shape.
        kernel: ∂L/∂K, of the kernel's shape. Every place of the map adds its part, as all of them
            share the kernel.
        bias: ∂L/∂b, (f,): the sum of what comes back over all places.
    """

    image: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray


def convolution_gradients(
    image: np.ndarray,
    kernel: np.ndarray,
    upstream: np.ndarray,
    *,
    stride: int = 1,
    padding: str | int = "valid",
    dilation: int = 1,
    mode: Mode = "cross-correlation",
) -> Gradients:
    """The gradients of a layer S(i, j, f) = b(f) + Σ I(i·stride + m·dilation, j·stride +
    n·dilation, c) K(m, n, c, f).

    ∂L/∂K(m, n, c, f) = Σ_i Σ_j δ(i, j, f) I(i·stride + m·dilation, j·stride + n·dilation, c), where
    δ = ∂L/∂S, and ∂L/∂I is the transposed convolution of δ.

    Args:
        image: I (h, w, c).
        kernel: K (k, l, c, f), without flipping.
        upstream: δ (h', w', f).
        padding: as of `convolve`, of those that add zeros.
        mode: as of `convolve`; the kernel's gradient is turned as the kernel is.

    Raises:
        UsageError: shapes that do not belong together, or a padding that repeats cells of the
            image.
    """
    image, weights, delta = (np.asarray(array, np.float64) for array in (image, kernel, upstream))
    if image.ndim != 3 or weights.ndim != 4 or weights.shape[2] != image.shape[2]:
        raise UsageError(
            f"a layer takes (h, w, c) and (k, l, c, f); got {image.shape} and {weights.shape}."
        )
    if isinstance(padding, str) and PADDINGS.get(padding, ("constant", ""))[0] != "constant":
        raise UsageError(
            f"gradients are those of a padding with zeros, like same or valid; got {padding!r}. "
            "Choose one of these."
        )
    flip = mode == "convolution"
    if flip:
        weights = weights[::-1, ::-1]
    rows, columns = (
        along(image.shape[axis], weights.shape[axis], stride, padding, dilation, flip)
        for axis in (0, 1)
    )
    expected = (rows.output, columns.output, weights.shape[3])
    if delta.shape != expected:
        raise UsageError(
            f"the gradient that comes back must have the layer's output shape {expected}; got "
            f"{delta.shape}."
        )
    ground, shared = padded(image, rows, columns, padding), np.zeros_like(weights)
    for m, n in np.ndindex(weights.shape[:2]):
        # what the kernel's cell lay on, (h', w', c), and what comes back there
        shared[m, n] = np.einsum("ijc,ijf->cf", ground[rows.under(m), columns.under(n)], delta)
    by_image = _written(delta, weights, rows, columns)
    return Gradients(by_image, shared[::-1, ::-1] if flip else shared, delta.sum(axis=(0, 1)))


def convolve_transposed(
    maps: np.ndarray, kernel: np.ndarray, *, stride: int = 1, padding: int = 0
) -> np.ndarray:
    """Lay a kernel onto the output once for each place of a map, times the number there, and add up
    what lies on top of each other.

    "Deconvolution": what a convolution with the same numbers does to sizes is undone, its values
    are not.

    Args:
        maps: (h, w, f).
        kernel: (k, l, c, f), as a convolution from c channels to f has it, and Keras'
            `Conv2DTranspose` too.
        stride: of the steps on the output.
        padding: what is cut off the output on each side.

    Returns:
        ((h − 1) · stride + k − 2 · padding, (w − 1) · stride + l − 2 · padding, c) float64.

    Raises:
        UsageError: shapes that do not belong together, or nothing is left.

    >>> made = convolve_transposed(np.ones((2, 2, 1)), np.ones((3, 3, 1, 1)), stride=2)
    >>> made[..., 0].astype(int).tolist()
    [[1, 1, 2, 1, 1], [1, 1, 2, 1, 1], [2, 2, 4, 2, 2], [1, 1, 2, 1, 1], [1, 1, 2, 1, 1]]
    """
    maps, weights = np.asarray(maps, np.float64), np.asarray(kernel, np.float64)
    if maps.ndim != 3 or weights.ndim != 4 or weights.shape[3] != maps.shape[2]:
        raise UsageError(
            f"maps (h, w, f) go with a kernel (k, l, c, f); got {maps.shape} and {weights.shape}."
        )
    sides = [(maps.shape[axis] - 1) * stride + weights.shape[axis] - 2 * padding for axis in (0, 1)]
    if min(*sides, stride) < 1 or padding < 0:
        raise UsageError(
            f"a stride from 1 on and a padding that leaves something are needed; got {stride} and "
            f"{padding}. Try stride=1, padding=0."
        )
    rows, columns = (
        along(side, weights.shape[axis], stride, padding) for axis, side in enumerate(sides)
    )
    return _written(maps, weights, rows, columns)


def _written(maps: np.ndarray, weights: np.ndarray, rows: Extent, columns: Extent) -> np.ndarray:
    """The image of `rows` × `columns` that each number of the maps has written its kernel on."""
    ground = np.zeros((rows.padded, columns.padded, weights.shape[2]))
    for m, n in np.ndindex(weights.shape[:2]):
        ground[rows.under(m), columns.under(n)] += maps @ weights[m, n].T
    return ground[rows.inside, columns.inside]


def pool_gradient(
    image: np.ndarray,
    upstream: np.ndarray,
    size: int,
    how: Pooling = "max",
    *,
    stride: int = 0,
    padding: str = "valid",
    p: float = 2.0,
) -> np.ndarray:
    """∂L/∂I of a pooling: to the place of the maximum alone, which must be remembered; to all
    places of the region alike; or by `norm_slopes`.

    Args:
        image: I (h, w, c).
        upstream: ∂L/∂S (h', w', c).
        how: max, average, sum or lp. Of equal maxima the first, row by row, gets it all.
        p: of lp.

    Returns:
        (h, w, c) float64.

    Raises:
        UsageError: as of `pool`; or another shape of `upstream`.

    >>> pool_gradient(np.array([[[1], [2]], [[3], [0]]]), np.array([[[5]]]), 2)[..., 0].tolist()
    [[0.0, 0.0], [5.0, 0.0]]
    """
    check_pooling(how)
    image, delta = np.asarray(image, np.float64), np.asarray(upstream, np.float64)
    rows, columns = pool_extents(image.shape, size, stride, padding)
    if image.ndim != 3 or delta.shape != (rows.output, columns.output, image.shape[2]):
        raise UsageError(
            f"a pooling of (h, w, c) gets back (h', w', c); got {image.shape} and {delta.shape}."
        )
    result, channels = np.zeros_like(image), np.arange(image.shape[2])
    if how == "lp" and p < 1:
        raise UsageError(
            f"the gradient of an Lp pooling is that of p from 1 on, below it is without end at 0; "
            f"got {p:g}. Choose another p."
        )
    if how == "max":
        switches = pool_switches(image, size, stride=stride, padding=padding)
        for i, j in np.ndindex(delta.shape[:2]):
            m, n = switches[i, j].T
            result[m, n, channels] += delta[i, j]
        return result
    for i, j in np.ndindex(delta.shape[:2]):
        place = region(rows, i), region(columns, j)
        if how == "lp":
            result[place] += delta[i, j] * norm_slopes(image[place], p)
        else:
            result[place] += delta[i, j] / (image[place][..., 0].size if how == "average" else 1)
    return result


def norm_slopes(region: np.ndarray, p: float) -> np.ndarray:
    """∂S/∂h of S = (Σ |h|^p)^(1/p) over a region (m, n, c), p at least 1: sign(h) · (|h| / S)^(p −
    1), and 0 where all of the region is 0.

    >>> norm_slopes(np.array([[[3.0], [-4.0]]]), 2)[..., 0].tolist()
    [[0.6, -0.8]]
    """
    sizes = np.abs(region)
    largest = sizes.max(axis=(0, 1))
    shares = sizes / np.where(largest > 0, largest, 1.0)  # so that no power is too large
    whole = (shares**p).sum(axis=(0, 1)) ** (1 / p)
    return np.sign(region) * (shares / np.where(whole > 0, whole, 1.0)) ** (p - 1)


def pool_switches(
    image: np.ndarray, size: int, *, stride: int = 0, padding: str = "valid"
) -> np.ndarray:
    """Where the maximum of each region lies, which a max pooling remembers for the way back.

    Args:
        image: (h, w, c); size, stride and padding are those of `pool`.

    Returns:
        (h', w', c, 2) ints: the image's row and column, of equal maxima the first, row by row.

    Raises:
        UsageError: as of `pool`.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 2.1.

    >>> pool_switches(np.array([[[1], [2]], [[3], [0]]]), 2).tolist()
    [[[[1, 0]]]]
    """
    image = np.asarray(image, np.float64)
    if image.ndim != 3:
        raise UsageError(f"switches are those of an image (h, w, c); got {image.shape}.")
    rows, columns = pool_extents(image.shape, size, stride, padding)
    result = np.empty((rows.output, columns.output, image.shape[2], 2), int)
    for i, j in np.ndindex(result.shape[:2]):
        down, across = region(rows, i), region(columns, j)
        values = image[down, across]
        largest = values.reshape(-1, image.shape[2]).argmax(axis=0)
        m, n = np.unravel_index(largest, values.shape[:2])
        result[i, j] = np.stack([m + down.start, n + across.start], axis=-1)
    return result
