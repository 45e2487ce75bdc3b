"""Masks of two levels that JPEG has smeared: what they held before, as far as that can be told."""

import cv2
import numpy as np

LEAST = 64
"""Grey levels that lie farther apart than JPEG's noise reaches, in a mask that is to be told."""

_EMPTY = 8  # the most that black is smeared to where there is nothing else
_NOISE = (0.12, 4)  # times the upper level, and levels: what is as near as that is of a level
_WHITE = 247  # and above is 255
_BETWEEN = 0.2  # of the pixels, at most: borders, also of masks that were resized
_PATCH = 5  # pixels of a side: borders between two levels are narrower
_PATCHES = (4, 2e-5)  # centres of such patches that thin lines may leave: some, and of all pixels


def upper_level(pixels: np.ndarray) -> int | None:
    """The level of (h, w) or (h, w, 3) uint8 beside black, 64 to 255; 0 where all is black, and
    None where there are more levels than two, or colours.

    Levels are two where all pixels lie near them but for borders, which are less than five pixels
    wide.

    >>> mask = np.zeros((32, 32), np.uint8)
    >>> mask[8:20, 8:20] = 251
    >>> upper_level(mask), upper_level(mask // 2), upper_level(0 * mask)
    (255, 125, 0)
    >>> mask[24:30, 8:16] = 120
    >>> upper_level(mask)
    """
    grey = _grey(pixels)
    if grey is None:
        return None
    if grey.max() <= _EMPTY:
        return 0
    counts = np.bincount(grey.ravel(), minlength=256)
    counts[:LEAST] = 0
    if not counts.any():
        return None
    peak = int(np.convolve(counts, np.ones(_PATCH, int), "same").argmax())
    near = _NOISE[0] * peak + _NOISE[1]
    low, high = grey <= near, np.abs(grey.astype(np.int16) - peak) <= near
    between = (~low & ~high).astype(np.uint8)
    patches = cv2.erode(between, np.ones((_PATCH, _PATCH), np.uint8), borderValue=0).sum()
    if between.mean() > _BETWEEN or patches > _PATCHES[0] + _PATCHES[1] * grey.size:
        return None
    level = int(np.median(grey[high]))
    return 255 if level >= _WHITE else level


def rounded(pixels: np.ndarray, level: int) -> np.ndarray:
    """(h, w) uint8 of 0 and `level`, whichever is nearer."""
    grey = _grey(pixels)
    if grey is None or not level:
        return np.zeros(pixels.shape[:2], np.uint8)
    return np.where(2 * grey.astype(np.int16) > level, np.uint8(level), np.uint8(0))


def _grey(pixels: np.ndarray) -> np.ndarray | None:
    """(h, w) uint8; None for colours."""
    if pixels.ndim == 2:
        return pixels
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return None if spread.max(initial=0) > _EMPTY else np.ascontiguousarray(pixels[..., 1])
