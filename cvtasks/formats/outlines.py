"""A mask as the areas that people correct: polygons of its regions, or the pixels of each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Instances, Mask
from cvtasks.geometry.rings import joined, pieces

_TOLERANCE = 1.0  # pixels that a simplified outline may lie beside the region's edge
_LEAST = 9  # pixels of a region; less is a speck that nobody corrects


@dataclass(frozen=True, eq=False)
class Outline:
    """The outer edge of a connected region of a class, or of an object: (n, 2) float x and y in
    pixels, edges.

    Attributes:
        group: a number that parts of one object have in common; 0 for an object of one part.
        difficult: whether the object is neither to be found nor counted against.
    """

    name: str
    points: np.ndarray
    group: int = 0
    difficult: bool = False


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


def object_outlines(
    found: Instances, *, counted: bool = True, whole: bool = False
) -> list[Outline]:
    """The objects as polygons, parts below 9 pixels left out where an object has a larger one; a
    hole is joined to the edge around it by a line there and back.

    Args:
        counted: leave out what is difficult, or a crowd.
        whole: all parts of an object in one polygon, joined likewise.
    """
    import cv2

    drawn = []
    for index in np.flatnonzero(found.counted | (not counted)).tolist():
        parts: list[np.ndarray] = []
        for piece in pieces(*found.crop(index)):
            rings = [piece.outer, *piece.holes]
            if cv2.contourArea(piece.outer.astype(np.float32)) < _LEAST and parts:
                continue
            smooth = [
                cv2.approxPolyDP(ring.astype(np.float32), _TOLERANCE, closed=True)[:, 0]
                for ring in rings
            ]
            if len(smooth[0]) < 3:  # as thin as what it may lie beside
                parts.append(joined(rings))
            else:
                parts.append(joined([ring for ring in smooth if len(ring) >= 3]))
        parts = [joined(parts)] if whole and parts else parts
        group = index + 1 if len(parts) > 1 else 0
        ignored = not found.counted[index]
        drawn += [Outline(found.names[index], part, group, ignored) for part in parts]
    return drawn


def regions(mask: Mask) -> Iterator[tuple[int, np.ndarray]]:
    """The connected regions of a mask, exactly: id of the class, and (h, w) bool."""
    import cv2

    for index in mask.present().tolist():
        count, parts = cv2.connectedComponents((mask.ids == index).astype(np.uint8))
        for part in range(1, count):
            yield index, parts == part
