"""Boxes that were found tile by tile, put together: what several tiles show is one box, and what
the edge of a tile cuts is joined across it.
"""

from dataclasses import dataclass

import numpy as np

from cvtasks.geometry.boxes import areas, intersections, nms

_NEAR = 0.05  # of a tile's side: a box that ends so near to its edge may be cut off there
_COVERED = 0.5  # share of a cut box that a better one covers where both are of one object
_ALONG = 0.6  # share of the shorter of two parts that lies beside the other, along a seam


@dataclass(frozen=True, eq=False)
class Whole:
    """Objects of an image, best score first.

    Attributes:
        members: for each the boxes that it was made of, by their indices.
        xyxy: (m, 4), the box around them.
        scores: (m,), their best.
    """

    members: tuple[np.ndarray, ...]
    xyxy: np.ndarray
    scores: np.ndarray


def joined(
    xyxy: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    tiles: np.ndarray,
    size: tuple[int, int],
    same: float,
) -> Whole:
    """The objects of an image by the boxes of its tiles.

    A box is cut where it ends at an edge of its tile within the image. Two cut boxes of a class
    become one where both reach across all that their tiles have in common, and lie beside each
    other along the seam. Of the boxes that overlap by more than `same` the best stays; one that is
    still cut goes where another of its class covers most of it.

    Args:
        xyxy: (n, 4) in pixels of the image; `labels`, `scores`: (n,).
        tiles: (n, 4), the edges of the tile in which each was found.
        size: (height, width) of the image.
        same: IoU above which two boxes of a class are of one object.
    """
    near = _NEAR * np.tile(tiles[:, 2:] - tiles[:, :2], 2)
    border = np.array([0, 0, size[1], size[0]])
    cut = (np.abs(xyxy - tiles) <= near) & (tiles != border)
    groups = _groups(xyxy, labels, tiles, near, cut)
    edges = np.array(
        [[*xyxy[one, :2].min(axis=0), *xyxy[one, 2:].max(axis=0)] for one in groups], xyxy.dtype
    ).reshape(-1, 4)
    best = np.array([scores[one].max() for one in groups], scores.dtype)
    of = np.array([labels[one[0]] for one in groups], labels.dtype)
    open_ = np.array([cut[one].any() for one in groups], bool)
    whole = np.flatnonzero(~open_)
    kept = whole[nms(edges[whole], best[whole], of[whole], same, len(whole))].tolist()
    sizes = areas(edges)
    # The largest first: of two parts of one object the smaller one is of no further use.
    for index in sorted(np.flatnonzero(open_).tolist(), key=lambda one: -sizes[one]):
        others = np.array([one for one in kept if of[one] == of[index]], int)
        shared = intersections(edges[index][None], edges[others])[0]
        if (shared <= _COVERED * sizes[index]).all():
            kept.append(index)
    order = np.array(kept, int)[np.argsort(-best[kept], kind="stable")]
    return Whole(tuple(groups[one] for one in order), edges[order], best[order])


def _groups(
    xyxy: np.ndarray, labels: np.ndarray, tiles: np.ndarray, near: np.ndarray, cut: np.ndarray
) -> list[np.ndarray]:
    """The boxes that are parts of one object; `cut` loses the edges at which they were joined."""
    group = np.arange(len(xyxy))
    joints = [pair for axis in (0, 1) for pair in _joints(xyxy, labels, tiles, near, cut, axis)]
    for axis, before, after in joints:
        cut[before, axis + 2] = cut[after, axis] = False
        group[group == group[after]] = group[before]
    order = np.argsort(group, kind="stable")
    ends = np.flatnonzero(np.diff(group[order])) + 1
    return np.split(order, ends) if len(order) else []


def _joints(
    xyxy: np.ndarray,
    labels: np.ndarray,
    tiles: np.ndarray,
    near: np.ndarray,
    cut: np.ndarray,
    axis: int,
) -> list[tuple[int, int, int]]:
    """(axis, box before a seam, box behind it) of the parts that belong together, each once on a
    side; `axis` is 0 for seams that go down and 1 for those that go across.
    """
    low, high, aside, beyond = axis, axis + 2, 1 - axis, 3 - axis
    first, second = np.flatnonzero(cut[:, high]), np.flatnonzero(cut[:, low])
    one, two = first[:, None], second[None]
    along = np.minimum(xyxy[one, beyond], xyxy[two, beyond]) - np.maximum(
        xyxy[one, aside], xyxy[two, aside]
    )
    shorter = np.minimum(xyxy[one, beyond] - xyxy[one, aside], xyxy[two, beyond] - xyxy[two, aside])
    fitting = (
        (labels[one] == labels[two])
        & (tiles[one, low] < tiles[two, low])
        & (tiles[two, low] <= tiles[one, high])
        & (tiles[one, aside] == tiles[two, aside])
        & (xyxy[one, low] <= tiles[two, low] + near[two, low])
        & (xyxy[two, high] >= tiles[one, high] - near[one, low])
        & (along >= _ALONG * shorter)
    )
    pairs = np.argwhere(fitting)
    longer = np.maximum(xyxy[one, beyond] - xyxy[one, aside], xyxy[two, beyond] - xyxy[two, aside])
    alike = (along / np.maximum(longer, 1e-9))[fitting]
    taken: set[tuple[int, bool]] = set()
    found = []
    for place in np.argsort(-alike, kind="stable").tolist():
        before, after = int(first[pairs[place, 0]]), int(second[pairs[place, 1]])
        if taken.isdisjoint(((before, False), (after, True))):
            taken |= {(before, False), (after, True)}
            found.append((axis, before, after))
    return found
