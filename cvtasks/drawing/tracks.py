"""What is drawn of a video beside its boxes: the tails of tracks, and lines and zones with what was
counted there.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import cv2
import numpy as np

from cvtasks.drawing.annotate import usual_scale
from cvtasks.drawing.colours import palette_of
from cvtasks.text import visible

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (255, 220, 40)  # of lines and zones, in RGB: rare among classes
_VOID = 255


def draw_tails(
    image: np.ndarray, tails: Iterable[tuple[int, np.ndarray]], classes: Sequence[str]
) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with the way that each object came, which fades.

    Args:
        tails: of each object its class's number and the points (n, 2) where it was, the last one
            last.
    """
    drawn = np.ascontiguousarray(image).copy()
    palette = palette_of(classes)
    thick = max(1, round(min(image.shape[:2]) / 300))
    for label, points in tails:
        colour = palette[(label + 1) % _VOID].astype(float)
        whole = np.round(points).astype(int).tolist()
        for i, (start, end) in enumerate(pairwise(whole), start=1):
            bright = 0.35 + 0.65 * i / (len(whole) - 1)
            shade = tuple(round(float(part) * bright) for part in colour)
            cv2.line(drawn, start, end, shade, thick, cv2.LINE_AA)
    return drawn


def draw_places(
    image: np.ndarray, places: Iterable[tuple[np.ndarray, str, Sequence[str]]]
) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with lines and zones.

    Args:
        places: of each its points (n, 2) in pixels, two for a line, its name, and lines of text
            about what was counted.
    """
    drawn = np.ascontiguousarray(image).copy()
    scale = usual_scale(image)
    for points, name, texts in places:
        corners = np.round(points).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(
            drawn, [corners], len(points) > 2, _INK, max(1, round(3 * scale)), cv2.LINE_AA
        )
        _write(drawn, [name, *texts], points[0], scale)
    return drawn


def _write(drawn: np.ndarray, texts: Sequence[str], place: np.ndarray, scale: float) -> None:
    """Lines of text on a dark ground at a place, as far as it is within the image."""
    shown = [visible(text).encode("ascii", "replace").decode() for text in texts]
    thick = max(1, round(1.4 * scale))
    sizes = [cv2.getTextSize(text, _FONT, scale, thick)[0] for text in shown]
    row = round(1.6 * max(height for _, height in sizes))
    width, height = max(width for width, _ in sizes) + row, row * len(shown) + row // 2
    left = int(np.clip(place[0] - width / 2, 0, max(0, drawn.shape[1] - width)))
    top = int(np.clip(place[1] - height / 2, 0, max(0, drawn.shape[0] - height)))
    ground = drawn[top : top + height, left : left + width]
    ground[:] = (ground * 0.35).astype(np.uint8)
    for i, text in enumerate(shown):
        corner = (left + row // 2, top + row * (i + 1))
        cv2.putText(drawn, text, corner, _FONT, scale, _INK, thick, cv2.LINE_AA)
