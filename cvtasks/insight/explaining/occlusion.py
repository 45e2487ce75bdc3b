"""Occlusion: cover a part of the image and see what that does to the score."""

from collections.abc import Iterator

import numpy as np

from cvtasks.geometry.letterbox import Letterbox
from cvtasks.insight.explaining.explainer import Explainer
from cvtasks.insight.explaining.targets import Pick

_PARTS = 6  # of the image's shorter side; a square covers one


def occlusion(
    explainer: Explainer,
    canvas: np.ndarray,
    letterbox: Letterbox,
    pick: Pick,
    side: int = 0,
    stride: int = 0,
) -> np.ndarray:
    """How much of the score is lost where the image is covered, (H, W) float32 on the canvas.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 4.2: a
    grey square moves over the image. A pixel has the mean loss over the squares that cover it;
    below 0, the score rises without it. Outside the image it is 0.

    Args:
        canvas: (H, W, 3), 0 to 255; `letterbox` says where the image lies on it.
        side: of the square in pixels of the canvas; a sixth of the image's shorter side by default.
        stride: from one square to the next; half a side by default.
    """
    top, left, height, width = letterbox.window
    side = side or max(1, min(height, width) // _PARTS)
    stride = stride or -(-side // 2)
    squares = [
        (slice(y, min(y + side, top + height)), slice(x, min(x + side, left + width)))
        for y in _starts(top, height, side, stride)
        for x in _starts(left, width, side, stride)
    ]

    def canvases() -> Iterator[np.ndarray]:
        yield canvas
        for square in squares:
            covered = canvas.copy()
            covered[square] = explainer.blank
            yield covered

    scores = explainer.many(pick, canvases())
    lost, times = np.zeros((2, *canvas.shape[:2]), np.float64)
    for square, score in zip(squares, scores[1:], strict=True):
        lost[square] += scores[0] - score
        times[square] += 1
    return np.divide(lost, times, out=lost, where=times > 0).astype(np.float32)


def _starts(first: int, length: int, side: int, stride: int) -> list[int]:
    """Where squares begin so that every pixel of first … first + length − 1 is covered."""
    last = max(length - side, 0)
    return [first + min(start, last) for start in range(0, last + stride, stride)]
