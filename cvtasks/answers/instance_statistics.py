"""What masks of objects are like, in numbers, and what is odd about them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.answers.answer import Oddity
from cvtasks.geometry.rle import rle_extents, rle_iou

if TYPE_CHECKING:
    from cvtasks.answers.instances import Instances

_ALIKE = 0.9  # IoU from which on two masks are hardly of two objects


def with_areas(
    rows: Sequence[dict[str, Any]], truths: Sequence["Instances"]
) -> list[dict[str, Any]]:
    """Rows of `Boxes.statistics` with what masks say: `area`, the median of their pixels, `filled`,
    the median share of its box that a mask fills, and `small` and `large` by these pixels.

    Args:
        rows: one a class. truths: what they are of, with the same classes.
    """
    nothing = np.zeros(0)
    labels = np.concatenate([nothing, *(truth.labels for truth in truths)])
    found = [rle_extents(truth.masks.tolist(), truth.size) for truth in truths]
    areas = np.concatenate([nothing, *(pixels for _, pixels in found)])
    boxes = np.concatenate([nothing, *(_areas(edges) for edges, _ in found)])
    return [row | _row(areas[labels == i], boxes[labels == i]) for i, row in enumerate(rows)]


def _row(areas: np.ndarray, boxes: np.ndarray) -> dict[str, Any]:
    if not len(areas):
        return {"area": None, "filled": None}
    small, large = np.percentile(np.sqrt(areas), [10, 90]).round(1).tolist()
    filled = np.median(areas / np.maximum(boxes, 1)).round(2)
    return {
        "small": small,
        "large": large,
        "area": int(np.median(areas)),
        "filled": float(filled),
    }


def odd_masks(truth: "Instances") -> Iterator[Oddity]:
    """Masks that show nothing or one pixel, lie outside of their boxes, or are almost the same."""
    masks = truth.masks.tolist()
    extents, pixels = rle_extents(masks, truth.size)
    empty = int((pixels == 0).sum())
    if empty:
        reason = "a mask shows its object; some here show nothing."
        yield Oddity("mask empty", reason, empty, mistake=True)
    single = int((pixels == 1).sum())
    if single:
        reason = "an object has more than a pixel; masks of some here have not."
        yield Oddity("one-pixel mask", reason, single, mistake=True)
    beyond = np.maximum(truth.xyxy[:, :2] - extents[:, :2], extents[:, 2:] - truth.xyxy[:, 2:])
    outside = int(((beyond > 1).any(axis=1) & (pixels > 0)).sum())
    if outside:
        reason = "a mask lies in its box; some here reach out of it by more than a pixel."
        yield Oddity("mask outside its box", reason, outside, mistake=True)
    near = np.triu(rle_iou(masks, masks, truth.size) >= _ALIKE, 1)
    alike = int((near & truth.counted & truth.counted[:, None]).any(axis=0).sum())
    if alike:
        reason = f"each object has a mask of its own; here some overlap another's by {_ALIKE:.0%}."
        yield Oddity("masks alike", reason, alike, mistake=True)


def _areas(edges: np.ndarray) -> np.ndarray:
    return np.asarray(np.prod(edges[:, 2:] - edges[:, :2], axis=1), np.float64)
