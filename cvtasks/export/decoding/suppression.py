"""Choosing and thinning boxes as steps of a graph, as `cvtasks.heads.suppression` does it."""

import numpy as np

from cvtasks.export.decoding.steps import Steps


def best(steps: Steps, scores: str, rows: int, classes: int, most: int) -> tuple[str, str, str]:
    """(1, rows, classes) → the `most` best scores, the best first, and the row and the label of
    each; (k,).
    """
    count = min(most, rows * classes)
    score, index = steps.several("TopK", 2, steps.shaped(scores, -1), [count], axis=0)
    row = steps.add("Div", index, classes)
    return score, row, steps.add("Sub", index, steps.add("Mul", row, classes))


def inside(steps: Steps, boxes: str, size: tuple[int, int]) -> str:
    """(k, 4) → the parts within a network input of (height, width)."""
    ends = np.array([size[1], size[0]] * 2, np.float32)
    return steps.add("Min", steps.add("Max", boxes, 0.0), ends)


def left(
    steps: Steps,
    boxes: str,
    score: str,
    label: str,
    *,
    classes: int,
    overlap: float,
    most: int,
    threshold: float,
) -> str:
    """(k, 4), (k,), (k,), the best first → (n,) int64: those that are as sure as the threshold, and
    that no better one of their class covers.

    Args:
        classes: how many there are.
        overlap: IoU, 0 to 1, from which on a better box suppresses another.
        most: boxes that are kept, at most.
        threshold: the least score, above 0.
    """
    sides = steps.add("Sub", steps.cut(boxes, 2, 4, 1), steps.cut(boxes, 0, 2, 1))
    shorter = steps.add("Min", steps.cut(sides, 0, 1, 1), steps.cut(sides, 1, 2, 1))
    real = steps.add("Where", steps.add("Greater", steps.shaped(shorter, -1), 0.0), score, 0.0)
    own = steps.add("Equal", np.arange(classes)[:, None], steps.add("Unsqueeze", label, [0]))
    by_class = steps.add("Where", own, steps.add("Unsqueeze", real, [0]), 0.0)
    chosen = steps.add(
        "NonMaxSuppression",
        steps.add("Unsqueeze", boxes, [0]),
        steps.add("Unsqueeze", by_class, [0]),
        [most],
        np.array([overlap], np.float32),
        # the operator takes what is above it, a threshold what is at least as sure
        np.nextafter(np.array([threshold], np.float32), np.float32(0)),
    )
    place = steps.shaped(steps.cut(chosen, 2, 3, 1), -1)
    # from one class after the other to the best first: candidates are in that order
    none = steps.add("Mul", score, 0.0)
    one = steps.add("Add", steps.add("Mul", steps.cast(place, "float32"), 0.0), 1.0)
    marked = steps.add("ScatterElements", none, place, one, axis=0)
    kept = steps.shaped(steps.add("NonZero", steps.add("Greater", marked, 0.5)), -1)
    return steps.cut(kept, 0, most, 0)
