"""Which cell of which feature map answers for which object: static, by geometry alone, so that it
can be undone.

Source: Zhang et al., "Bridging the Gap Between Anchor-based and Anchor-free Detection via Adaptive
Training Sample Selection" (ATSS, 2020), algorithm 1. Two things differ. The threshold's standard
deviation is that of the candidates as they are (divided by their number n, NumPy's ddof 0); the
paper names none, and its code takes PyTorch's, divided by n − 1, which is 2 % larger for the 27
candidates of three maps. And every object keeps at least one cell, however small or crowded it is:
the law of the house wants every truth back.
"""

import math
from functools import lru_cache

import numpy as np

from cvtasks.geometry.boxes import areas, iou

_NEAREST = 9  # candidates of each map (ATSS, section 3.4)


@lru_cache(maxsize=64)
def cells(input_size: tuple[int, int], strides: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Centres (n, 2) as x, y and strides (n, 1), float32, in pixels of the network input: all
    of the finest map first, row by row.
    """
    centres, sizes = [], []
    for stride in strides:
        rows, columns = np.mgrid[: input_size[0] // stride, : input_size[1] // stride]
        centres.append((np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5) * stride)
        sizes.append(np.full((rows.size, 1), stride))
    found = np.concatenate(centres).astype(np.float32), np.concatenate(sizes).astype(np.float32)
    for array in found:
        array.setflags(write=False)  # it is shared
    return found


def assign(
    xyxy: np.ndarray, input_size: tuple[int, int], strides: tuple[int, ...], scale: float
) -> np.ndarray:
    """(m, 4) boxes in pixels of the network input → (n,) int64: each cell's box, or −1.

    A box without a cell of its own (there are more boxes than cells) is in none of them.

    Args:
        scale: side of the square that a cell expects to see, in strides.
    """
    centres, sizes = cells(input_size, strides)
    owner = np.full(len(centres), -1, np.int64)
    if not len(xyxy):
        return owner
    half = sizes * scale / 2
    overlap = iou(np.concatenate([centres - half, centres + half], axis=1), xyxy)  # (n, m)
    middle = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    distance = np.linalg.norm(centres[:, None] - middle[None], axis=2)
    within = (centres[:, None] > xyxy[None, :, :2]) & (centres[:, None] < xyxy[None, :, 2:])
    inside = np.asarray(within.all(axis=2))
    candidates = _candidates(distance, sizes[:, 0])
    chosen = overlap[candidates, np.arange(len(xyxy))]
    positive = np.zeros_like(inside)
    positive[candidates, np.arange(len(xyxy))] = chosen >= chosen.mean(axis=0) + chosen.std(axis=0)
    best = np.where(positive & inside, overlap, -1.0)
    taken = best.max(axis=1) >= 0
    owner[taken] = best[taken].argmax(axis=1)
    return _reserve(owner, overlap, distance, inside, areas(xyxy))


def one_cell_each(
    xyxy: np.ndarray, input_size: tuple[int, int], strides: tuple[int, ...]
) -> np.ndarray:
    """(m, 4) boxes in pixels of the network input → (m,) int64: a cell for each, no two the same;
    −1 for what is left where there are more boxes than cells.

    The cell that the box's middle lies in, on the map whose cells are nearest to a quarter of its
    side, or on another map; the smallest box first. Where all these are taken or lie off the box,
    the nearest free one.
    """
    centres, sizes = cells(input_size, strides)
    counts = [(input_size[0] // stride) * (input_size[1] // stride) for stride in strides]
    firsts = np.cumsum([0, *counts])
    chosen = np.full(len(xyxy), -1, np.int64)
    free = np.ones(len(centres), bool)
    middles = (xyxy[:, :2] + xyxy[:, 2:]) / 2
    for number in np.argsort(areas(xyxy), kind="stable").tolist():
        if not free.any():
            break
        box, (x, y) = xyxy[number], middles[number].tolist()
        side = max(math.sqrt(areas(box[None])[0]), 1e-3)
        off = [abs(math.log(side / (_SIDE * stride))) for stride in strides]
        for level in np.argsort(off, kind="stable").tolist():
            stride = strides[level]
            row, column = (
                min(max(int(at // stride), 0), length // stride - 1)
                for at, length in ((y, input_size[0]), (x, input_size[1]))
            )
            cell = int(firsts[level]) + row * (input_size[1] // stride) + column
            if free[cell] and (centres[cell] > box[:2]).all() and (centres[cell] < box[2:]).all():
                break
        else:
            away = np.abs(centres - middles[number]).max(axis=1)
            within = ((centres > box[:2]) & (centres < box[2:])).all(axis=1)
            cell = int(np.lexsort((away / sizes[:, 0], away, ~within, ~free))[0])
        chosen[number], free[cell] = cell, False
    return chosen


_SIDE = 4.0  # strides, of the object that a cell is chosen for


def _candidates(distance: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n, m) distances → (k, m): the cells of each map whose centres are nearest to the box's."""
    found = []
    for stride in np.unique(sizes):
        of_map = np.flatnonzero(sizes == stride)
        k = min(_NEAREST, len(of_map))
        found.append(of_map[np.argpartition(distance[of_map], k - 1, axis=0)[:k]])
    return np.concatenate(found)


def _reserve(
    owner: np.ndarray,
    overlap: np.ndarray,
    distance: np.ndarray,
    inside: np.ndarray,
    sizes: np.ndarray,
) -> np.ndarray:
    """Give each box that lost all its cells the best one that no other box needs, the smallest box
    first.
    """
    held = np.bincount(owner[owner >= 0], minlength=len(sizes))
    if held.all():
        return owner
    owner = owner.copy()
    for box in np.argsort(sizes, kind="stable"):
        if held[box]:
            continue
        spare = (owner < 0) | (held[owner] > 1)
        if not spare.any():
            break
        order = np.lexsort((distance[:, box], -overlap[:, box], ~inside[:, box], ~spare))
        cell = order[0]
        if owner[cell] >= 0:
            held[owner[cell]] -= 1
        owner[cell] = box
        held[box] = 1
    return owner
