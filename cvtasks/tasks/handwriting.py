"""A drawing on paper as MNIST's digits are: light on dark, of one size, centred."""

import cv2
import numpy as np

SIDE = 28
"""Side of a prepared image, in pixels."""
LONGEST = 20
"""The longer side of the drawing in it."""
_STROKE = 0.12  # of the drawing's longer side: how thick a line must be to survive being made small


def centred(image: np.ndarray) -> np.ndarray:
    """One drawing, dark on light or light on dark, (h, w, 3) uint8 RGB → (28, 28, 3) uint8, light
    on black.

    What was done to MNIST (LeCun et al., "Gradient-Based Learning Applied to Document Recognition",
    1998, section III-A): the drawing is made to fit 20×20 pixels, grey levels arise from that, and
    its centre of mass comes to the middle of 28×28. Before that the paper, which may be lit
    unevenly, is taken out: ink is what differs from the blurred image's surroundings (Otsu's
    threshold), and is made thicker where its lines would vanish. An image of 28×28 is taken to be
    prepared and comes back as it is; one without any ink comes back black.
    """
    if image.shape[:2] == (SIDE, SIDE):
        return image
    ink = _ink(image)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = LONGEST / max(part.shape)
    size = tuple(max(1, round(side * scale)) for side in part.shape[::-1])
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    y, x = np.mgrid[: small.shape[0], : small.shape[1]]
    weight = small.astype(np.float64) / small.sum()
    left, top = (
        int(np.clip(round((SIDE - 1) / 2 - (axis * weight).sum()), 0, SIDE - side))
        for axis, side in ((x, small.shape[1]), (y, small.shape[0]))
    )
    result = np.zeros((SIDE, SIDE), np.uint8)
    result[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cv2.cvtColor(result, cv2.COLOR_GRAY2RGB)


def _ink(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) → (h, w) uint8: 255 where there is ink, 0 on the paper."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if np.median(border) < 128:  # light on dark
        grey = 255 - grey
    paper = _paper(cv2.dilate(grey, np.ones((3, 3), np.uint8)))
    darker = cv2.subtract(paper, grey)
    if darker.max(initial=0) < 32:
        return np.zeros_like(grey)
    _, ink = cv2.threshold(darker, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    if count > 1:  # specks go: what is smaller than a twentieth of the largest stroke
        areas = stats[1:, cv2.CC_STAT_AREA]
        kept = 1 + np.flatnonzero(areas >= max(3, areas.max() / 20))
        ink = np.isin(parts, kept).astype(np.uint8) * 255
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    thick = 2 * float(cv2.distanceTransform(ink, cv2.DIST_L2, 3).max())
    missing = round(_STROKE * longest - thick)
    return (
        cv2.dilate(ink, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (missing + 1,) * 2))
        if missing > 0
        else ink
    )


def _paper(grey: np.ndarray) -> np.ndarray:
    """(h, w) uint8 → how bright the paper is at each place: the image, blurred over a sixth of it;
    made small, as that is quick.
    """
    scale = min(1.0, 96 / max(grey.shape))
    size = tuple(max(1, round(side * scale)) for side in grey.shape[::-1])
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(
        cv2.GaussianBlur(small, (0, 0), max(size) / 6),
        grey.shape[::-1],
        interpolation=cv2.INTER_LINEAR,
    )
