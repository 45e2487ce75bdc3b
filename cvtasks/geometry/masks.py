"""Masks of objects, each as the part of an image that holds it."""

import math

import cv2
import numpy as np

_FINEST = 8  # parts of a pixel that are looked at where a mask is made smaller
_SIDE = 32_000  # pixels; OpenCV's warps know no longer ones


def warped(
    part: np.ndarray, corner: tuple[int, int], matrix: np.ndarray, window: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int], float]:
    """What a window shows of a mask under an affine map.

    A pixel is shown where half of it or more is covered: of a smaller mask by the share of its
    area, of a larger one by what lies around it (bilinear).

    Args:
        part: (h, w) bool of an image, its left top at `corner` (x, y).
        matrix: (2, 3): edges (x, y) of the image → edges of the window.
        window: (height, width).

    Returns:
        the part of the window (H, W) bool, its left top (x, y), and the share of the mask that lies
        within the window, 0 to 1; all empty where nothing does.
    """
    nothing = np.zeros((0, 0), bool), (0, 0), 0.0
    linear, moved = matrix[:, :2], matrix[:, 2]
    height, width = part.shape
    ends = np.array([(0, 0), (width, 0), (0, height), (width, height)])
    placed = (ends + corner) @ linear.T + moved
    low, high = np.floor(placed.min(axis=0)), np.ceil(placed.max(axis=0))
    if not part.size or (high <= 0).any() or (low >= window[::-1]).any():
        return nothing
    wide, tall = (high - low).astype(int).tolist()
    scale = math.sqrt(abs(np.linalg.det(linear)))
    fine = min(math.ceil(1 / max(scale, 1 / _FINEST) - 1e-6), max(1, _SIDE // max(wide, tall)))
    # OpenCV counts from the centre of the first pixel
    offset = fine * (linear @ (np.array(corner) + 0.5) + moved - low) - 0.5
    whole = cv2.warpAffine(
        part.astype(np.uint8) * 255,
        np.column_stack([fine * linear, offset]),
        (wide * fine, tall * fine),
        flags=cv2.INTER_LINEAR,
    )
    if fine > 1:
        whole = cv2.resize(whole, (wide, tall), interpolation=cv2.INTER_AREA)
    shown = whole >= 128
    x, y = low.astype(int).tolist()
    inside = shown[max(-y, 0) : window[0] - y, max(-x, 0) : window[1] - x]
    pixels = int(inside.sum())
    if not pixels:
        return nothing
    return inside, (max(x, 0), max(y, 0)), pixels / int(shown.sum())
