"""Geometry of boxes: pure NumPy and OpenCV. A box is (x1, y1, x2, y2), edges in pixels: a whole w ×
h image is (0, 0, w, h).
"""

import numpy as np


def areas(xyxy: np.ndarray) -> np.ndarray:
    """(n, 4) → (n,): width × height, 0 where a box is empty or inverted."""
    return np.prod(np.maximum(xyxy[:, 2:] - xyxy[:, :2], 0), axis=1)


def intersections(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) → (n, m): the area that each pair shares."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, 4), (m, 4) → (n, m): intersection over union, 0 to 1; 0 where both are empty.

    As boxes are edges, this is also the devkit's number for its inclusive corners, which counts x2
    − x1 + 1 pixels.

    >>> others = np.array([[5.0, 0, 15, 10], [20, 20, 30, 30]])
    >>> iou(np.array([[0.0, 0, 10, 10]]), others).round(4).tolist()
    [[0.3333, 0.0]]
    """
    shared = intersections(a, b)
    union = areas(a)[:, None] + areas(b)[None] - shared
    return shared / np.maximum(union, np.finfo(shared.dtype).tiny)


def clip(xyxy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(n, 4) → the part inside an image of `size` (height, width)."""
    height, width = size
    return np.clip(xyxy, 0, np.array([width, height, width, height], xyxy.dtype))


def paired(overlap: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, m) IoU → indices (k,) of rows and of columns that belong together, each at most once: the
    largest overlaps first, down to `least`.

    >>> [found.tolist() for found in paired(np.array([[0.7, 0.9], [0.6, 0.8]]), 0.5)]
    [[0, 1], [1, 0]]
    """
    first, second = np.nonzero(overlap >= least)
    partner: dict[int, int] = {}
    taken: set[int] = set()
    for pair in np.argsort(-overlap[first, second], kind="stable").tolist():
        one, two = int(first[pair]), int(second[pair])
        if one not in partner and two not in taken:
            partner[one] = two
            taken.add(two)
    return np.array(list(partner), int), np.array(list(partner.values()), int)


def nms(
    xyxy: np.ndarray, scores: np.ndarray, labels: np.ndarray, threshold: float, most: int
) -> np.ndarray:
    """Non-maximum suppression within each class: indices of what is kept, best score first, at most
    `most`.

    Args:
        xyxy: (n, 4); `scores`, `labels`: (n,).
        threshold: a box goes where a better one of its class has a larger IoU with it.
    """
    if not len(xyxy):
        return np.zeros(0, np.int64)
    import cv2

    rects = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], axis=1).astype(np.float64)
    scores = scores.astype(np.float32)
    kept = []
    for label in np.unique(
        labels
    ):  # NMSBoxesBatched compares boxes of all classes, which takes longer
        of_class = np.flatnonzero(labels == label)
        # OpenCV takes arrays, of which its stubs do not know.
        found = cv2.dnn.NMSBoxes(rects[of_class], scores[of_class], 0.0, threshold)  # type: ignore[arg-type]
        kept.append(of_class[np.asarray(found, np.int64).reshape(-1)])
    best = np.concatenate(kept)
    return best[np.lexsort((best, -scores[best]))][:most]
