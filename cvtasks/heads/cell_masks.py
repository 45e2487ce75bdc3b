"""Masks on the grid of a network's prototypes: objects onto it, and from it into the image."""

import math

import cv2
import numpy as np

from cvtasks.geometry.letterbox import Letterbox

UNIT = 16.0
"""The grid of a target has whole numbers, in parts of a logit: so many of them make 1."""

LEAST = -112
"""Of these, where an object has nothing of a cell; where it has all as many with the other sign.
That is within 0.1 % of 0 and 1.
"""

_HALF = 0.5


def apart(edges: np.ndarray, number: int) -> np.ndarray:
    """(n,) int32: one of `number` planes for each box, such that boxes in one plane lie apart.

    Where more lie over one another than there are planes, the plane that the fewest of them are in.

    Args:
        edges: (n, 4) left, top, right, bottom in cells.
    """
    low, high = np.floor(edges[:, :2]) - 1, np.ceil(edges[:, 2:]) + 1  # what is enlarged from
    meets = (low[:, None] < high[None]).all(axis=2)
    meets &= meets.T
    chosen = np.zeros(len(edges), np.int32)
    for index in range(1, len(edges)):
        there = chosen[:index][meets[index, :index]]
        chosen[index] = np.bincount(there, minlength=number).argmin()
    return chosen


def paint(
    plane: np.ndarray,
    part: np.ndarray,
    corner: tuple[int, int],
    letterbox: Letterbox,
    stride: int,
) -> None:
    """Write a mask into a plane (h, w) int8: the share of each cell that it covers, as a logit in
    parts of `UNIT`. A mask that covers half of no cell has all of the one that it covers most.

    Args:
        part: (h, w) bool of the image, its left top at `corner` (x, y).
        stride: pixels of the network input to a cell.
    """
    if not part.size:
        return
    top, left, height, width = letterbox.window
    rows, first_row = _overlap(
        part.shape[0], corner[1], height / letterbox.size[0], top, stride, plane.shape[0]
    )
    columns, first = _overlap(
        part.shape[1], corner[0], width / letterbox.size[1], left, stride, plane.shape[1]
    )
    share = rows @ part.astype(np.float32) @ columns.T
    most = float(share.max(initial=0))
    if not most:
        return
    share = np.clip(share / (most if most <= _HALF else 1), 1e-4, 1 - 1e-4)
    value = np.clip(np.rint(UNIT * np.log(share / (1 - share))), LEAST, -LEAST).astype(np.int8)
    place = plane[first_row : first_row + len(rows), first : first + len(columns)]
    np.maximum(place, value, out=place)


def _overlap(
    length: int, start: int, scale: float, before: int, stride: int, most: int
) -> tuple[np.ndarray, int]:
    """Along one side: (cells, length) float32, the share of each cell that a pixel of a part
    covers, and the first of these cells.
    """
    edges = ((start + np.arange(length + 1)) * scale + before) / stride
    first = max(math.floor(edges[0]), 0)
    last = min(math.ceil(edges[-1] - 1e-6), most)
    cell = np.arange(first, max(last, first))[:, None]
    covered = np.minimum(cell + 1, edges[1:]) - np.maximum(cell, edges[:-1])
    return np.maximum(covered, 0).astype(np.float32), first


def enlarged(
    maps: np.ndarray,
    weights: np.ndarray,
    box: list[float],
    letterbox: Letterbox,
    stride: int,
) -> tuple[np.ndarray, tuple[int, int]]:
    """The mask of an object in its box alone: (h, w) bool, and its left top corner (x, y), in
    pixels of the image.

    Args:
        maps: (h, w, prototypes), and `weights` (prototypes,), whose sum is the mask's logit.
        box: left, top, right, bottom in pixels of the image.
        stride: pixels of the network input to a cell of the maps.
    """
    top, left, height, width = letterbox.window
    x, columns, across = _span(
        box[0], box[2], letterbox.size[1], width / letterbox.size[1], left, stride, maps.shape[1]
    )
    y, rows, along = _span(
        box[1], box[3], letterbox.size[0], height / letterbox.size[0], top, stride, maps.shape[0]
    )
    logits = maps[rows, columns] @ weights
    share = 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    matrix = np.array([[across[0], 0, across[1]], [0, along[0], along[1]]])
    shown = cv2.warpAffine(
        share.astype(np.float32),
        matrix,
        (x.stop - x.start, y.stop - y.start),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return shown > _HALF, (x.start, y.start)


def _span(
    low: float, high: float, length: int, scale: float, before: int, stride: int, most: int
) -> tuple[slice, slice, tuple[float, float]]:
    """Along one side of a box: the pixels of the image whose middle lies in it, at least one; the
    cells around them; and the map from the pixels' numbers to the cells', each from the first of
    them on, as a factor and an offset.
    """
    first = min(max(math.ceil(low - 0.5), 0), length - 1)
    last = min(max(math.ceil(high - 0.5), first + 1), length)
    factor = scale / stride
    begin = ((first + 0.5) * scale + before) / stride - 0.5
    end = begin + (last - 1 - first) * factor
    from_ = min(max(math.floor(begin), 0), most - 1)
    to = min(max(math.floor(end) + 2, from_ + 1), most)
    return slice(first, last), slice(from_, to), (factor, begin - from_)


def shares(region: np.ndarray, letterbox: Letterbox, shape: tuple[int, ...]) -> np.ndarray:
    """(h, w) bool of the image → (height, width) float32 of `shape`: the share of its pixels that
    each cell of a grid over the network input has.
    """
    placed = letterbox.ids_to_input(region.astype(np.uint8), fill=0).astype(np.float32)
    share = cv2.resize(placed, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return share / max(float(share.sum()), 1e-6)
