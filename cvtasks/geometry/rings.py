"""Outlines of masks along the edges of their pixels, so that a mask comes back from them to the
pixel: rings, of which some are holes, and all of them as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # right, down, left, up


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece of a mask: its outer ring, clockwise as seen, and its holes, the other
    way round. Rings are (n, 2) int64, x and y of corners, not closed.
    """

    outer: np.ndarray
    holes: tuple[np.ndarray, ...]


def pieces(mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> list[Piece]:
    """(h, w) bool → its pieces, the largest first; pixels that touch at a corner alone are two.

    Args:
        corner: (x, y) of the mask's left top, which is added.

    >>> (square,) = pieces(np.ones((2, 3), bool))
    >>> square.outer.tolist()
    [[3, 0], [3, 2], [0, 2], [0, 0]]
    """
    outer: list[tuple[int, np.ndarray]] = []
    holes: list[np.ndarray] = []
    for ring in _rings(np.asarray(mask, bool)):
        area = _twice_area(ring)
        if area > 0:
            outer.append((area, ring))
        else:
            holes.append(ring)
    outer.sort(key=lambda one: -one[0])
    own: list[list[np.ndarray]] = [[] for _ in outer]
    for hole in holes:
        # the smallest ring around it: of islands in holes each has its own
        within = [number for number, (_, ring) in enumerate(outer) if _inside(hole, ring)]
        own[within[-1]].append(hole)
    return [
        Piece(ring + corner, tuple(hole + corner for hole in its))
        for (_, ring), its in zip(outer, own, strict=True)
    ]


def one_ring(mask: np.ndarray, corner: tuple[int, int] = (0, 0)) -> np.ndarray:
    """(h, w) bool → (n, 2) int64: a single ring around all pieces and their holes, for formats that
    know no more. It goes from one to another and back on the same line, which encloses nothing.

    >>> ring = one_ring(np.array([[1, 0, 1]], bool))
    >>> ring.tolist()
    [[1, 0], [3, 0], [3, 1], [2, 1], [2, 0], [3, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    """
    return joined([ring for piece in pieces(mask, corner) for ring in (piece.outer, *piece.holes)])


def joined(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Rings, each (n, 2), as a single one, (m, 2), as `one_ring` has them."""
    if not rings:
        return np.zeros((0, 2), np.int64)
    whole, *others = rings
    for ring in others:
        at = int(((whole - ring[0]) ** 2).sum(axis=1).argmin())
        whole = np.concatenate([whole[: at + 1], ring, ring[:1], whole[at:]])
    return whole


def _rings(mask: np.ndarray) -> list[np.ndarray]:
    """All rings of a mask, with what it shows on their right."""
    padded = np.pad(mask, 1)
    # edges between pixels, each from its beginning on, in the direction of `_STEPS`
    below = padded[1:, 1:-1] & ~padded[:-1, 1:-1]
    above = ~padded[1:, 1:-1] & padded[:-1, 1:-1]
    right = padded[1:-1, 1:] & ~padded[1:-1, :-1]
    left = ~padded[1:-1, 1:] & padded[1:-1, :-1]
    begins = [
        np.argwhere(below)[:, ::-1],
        np.argwhere(left)[:, ::-1],
        np.argwhere(above)[:, ::-1] + (1, 0),
        np.argwhere(right)[:, ::-1] + (0, 1),
    ]
    edges = {
        (x, y, direction): None
        for direction, places in enumerate(begins)
        for x, y in places.tolist()
    }
    left_over, rings = dict(edges), []
    while left_over:
        edge, corners = next(iter(left_over)), []
        while edge in left_over:
            del left_over[edge]
            x, y, direction = edge
            x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
            # where two pixels touch at a corner, turn right: each keeps its own ring
            turns = ((x, y, (direction + turn) % 4) for turn in (1, 0, 3))
            edge = next(turn for turn in turns if turn in edges)
            if edge[2] != direction:
                corners.append((x, y))
        rings.append(np.array(corners, np.int64))
    return rings


def _twice_area(ring: np.ndarray) -> int:
    x, y = ring.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _inside(ring: np.ndarray, outer: np.ndarray) -> bool:
    """Whether a ring lies in another: looked at in the middle of the pixel beside its first
    corner.
    """
    import cv2

    x, y = ring[np.lexsort((ring[:, 1], ring[:, 0]))[0]].tolist()
    at = x + 0.5, y + 0.5
    return cv2.pointPolygonTest(outer.astype(np.float32)[:, None], at, measureDist=False) > 0
