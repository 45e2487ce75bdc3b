"""A mask as polygons that give it back when they are filled."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Ring:
    """The edge of a connected part of a mask, or of a hole in it: (n, 2) float64 x and y in pixels,
    edges and not centres.
    """

    points: np.ndarray
    hole: bool


def rings_of(
    part: np.ndarray, corner: tuple[int, int] = (0, 0), tolerance: float = 0.0
) -> list[Ring]:
    """The edges of a mask (h, w) bool, whose left top lies at `corner` (x, y): each part, the
    largest first, and behind it its holes.

    Points lie a quarter of a pixel within the mask: who fills the polygons and empties the holes,
    by the centres of pixels or by COCO's rasteriser, has the mask again.

    Args:
        tolerance: pixels that a polygon may lie beside the mask's edge, for fewer points; parts
            and holes that shrink to a line are left out then.

    >>> [ring.points.tolist() for ring in rings_of(np.ones((1, 2), bool), (3, 4))]
    [[[3.25, 4.25], [3.25, 4.75], [4.75, 4.75], [4.75, 4.25]]]
    """
    if not part.any():
        return []
    doubled = np.pad(part, 1).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, (levels,) = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [index for index, level in enumerate(levels.tolist()) if level[3] < 0]
    outer.sort(key=lambda index: -cv2.contourArea(found[index]))
    rings = []
    for index in outer:
        inside = [place for place, level in enumerate(levels.tolist()) if level[3] == index]
        for place in (index, *inside):
            points = found[place]
            if tolerance:
                points = cv2.approxPolyDP(points, 2 * tolerance, closed=True)
            if len(points) >= 3:
                xy = (points[:, 0].astype(np.float64) + 0.5) / 2 - 1 + corner
                rings.append(Ring(xy, hole=place != index))
            elif place == index:
                break
    return rings


def one_ring(rings: list[Ring]) -> np.ndarray:
    """(n, 2): all rings as one polygon. Each is joined to those before it by a line between their
    nearest points that is gone there and back, so that it bounds nothing.

    >>> square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    >>> one_ring([Ring(square, False), Ring(square / 4 + 4, False)]).tolist()[2:8]
    [[4.0, 4.0], [4.0, 4.0], [5.0, 4.0], [5.0, 5.0], [4.0, 5.0], [4.0, 4.0]]
    """
    whole = rings[0].points
    for ring in rings[1:]:
        ways = ((whole[:, None] - ring.points[None]) ** 2).sum(axis=2)
        here, there = np.unravel_index(ways.argmin(), ways.shape)
        turned = np.roll(ring.points, -int(there), axis=0)
        whole = np.concatenate(
            [whole[: here + 1], turned, turned[:1], whole[here : here + 1], whole[here + 1 :]]
        )
    return whole
