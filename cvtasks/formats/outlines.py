"""A mask as the areas that people correct: polygons of its regions, or the pixels of each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Mask

_TOLERANCE = 1.0  # pixels that a simplified outline may lie beside the region's edge
_LEAST = 9  # pixels of a region; less is a speck that nobody corrects


@dataclass(frozen=True, eq=False)
class Outline:
    """The outer edge of a connected region of a class: (n, 2) float x and y in pixels, edges."""

    name: str
    points: np.ndarray


def outlines(mask: Mask) -> list[Outline]:
    """The regions of a mask as polygons, the largest first, so that what lies in a hole of another
    is painted over it; holes of background are filled, regions below 9 pixels left out.
    """
    import cv2

    found = []
    for index in mask.present().tolist():
        # on doubled pixels: the middles of a region's outermost ones are at its edge, about
        doubled = (mask.ids == index).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
        rings, _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for ring in rings:
            area = cv2.contourArea(ring) / 4
            if area >= _LEAST:
                smooth = cv2.approxPolyDP(ring, 2 * _TOLERANCE, closed=True)
                found.append((area, mask.classes[index], (smooth[:, 0] + 0.5) / 2))
    found.sort(key=lambda one: -one[0])
    return [Outline(name, points) for _, name, points in found if len(points) >= 3]


def regions(mask: Mask) -> Iterator[tuple[int, np.ndarray]]:
    """The connected regions of a mask, exactly: id of the class, and (h, w) bool."""
    import cv2

    for index in mask.present().tolist():
        count, parts = cv2.connectedComponents((mask.ids == index).astype(np.uint8))
        for part in range(1, count):
            yield index, parts == part
