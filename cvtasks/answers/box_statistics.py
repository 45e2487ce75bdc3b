"""What objects of one class are like, in numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cvtasks.answers.boxes import Boxes


def agree(one: "Boxes", other: "Boxes") -> bool:
    """Whether each of some boxes is one of the others to a pixel, and the other way round."""
    if len(one) != len(other):
        return False
    near = (np.abs(one.xyxy[:, None] - other.xyxy[None]) <= 1).all(axis=2)
    for ours, theirs in (
        (one.labels, other.labels),
        (one.difficult, other.difficult),
        (one.crowd, other.crowd),
    ):
        near &= ours[:, None] == theirs[None]
    return bool(near.any(axis=0).all() and near.any(axis=1).all())


def row_of(
    own: np.ndarray,
    image: np.ndarray,
    lengths: np.ndarray,
    difficult: np.ndarray,
    crowd: np.ndarray,
) -> dict[str, Any]:
    """How many objects there are, in how many images, and how large; see `Boxes.statistics`.

    Args:
        own: (n,) bool: of all objects those of the class.
        image: (n,) int64: which image each object is in.
        lengths: (n, 2) float32: their widths and heights in pixels.
        difficult, crowd: (n,) bool.
    """
    width = height = small = large = None
    if own.any():
        width, height = np.median(lengths[own].astype(np.float64), axis=0).round(1).tolist()
        sides = np.sqrt(np.prod(lengths[own], axis=1, dtype=np.float64))
        small, large = np.percentile(sides, [10, 90]).round(1).tolist()
    return {
        "objects": int(own.sum()),
        "images": len(np.unique(image[own])),
        "difficult": int(difficult[own].sum()),
        "crowds": int(crowd[own].sum()),
        "width": width,
        "height": height,
        "small": small,
        "large": large,
    }
