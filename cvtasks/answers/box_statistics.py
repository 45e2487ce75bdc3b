"""What objects of one class are like, in numbers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtasks.answers.answer import Oddity

if TYPE_CHECKING:
    from cvtasks.answers.boxes import Boxes


_LONG = 20  # times that one side of a box is seldom longer than the other


def lengths_of(boxes: "Boxes") -> np.ndarray:
    """(n, 2) float32: width and height of each box in pixels."""
    return boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]


def oddities(boxes: "Boxes") -> Iterator[Oddity]:
    """What is odd about boxes as a truth; see `Boxes.oddities`."""
    lengths = lengths_of(boxes)
    thin = int((lengths.min(axis=1, initial=9) <= 1).sum())
    if thin:
        reason = "a box has more than a pixel in each direction; some here do not."
        yield Oddity("one pixel", reason, thin, mistake=True)
    long = int((lengths.max(axis=1) > _LONG * lengths.min(axis=1)).sum())
    if long:
        reason = f"a side of a box is seldom {_LONG} times the other; here some are."
        yield Oddity("long box", reason, long, mistake=False)
    alike = len(boxes) - len(np.unique(boxes.xyxy, axis=0))
    if alike:
        reason = "each object has a box of its own; here boxes of two classes are the same."
        yield Oddity("boxes alike", reason, alike, mistake=True)
    for rule, marked in (("difficult", boxes.difficult), ("crowd", boxes.crowd)):
        if marked.any():
            reason = f"objects marked {rule}: neither to be found nor counted against."
            yield Oddity(rule, reason, int(marked.sum()), mistake=False)


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


def rows_of(truths: Sequence["Boxes"], classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """What objects of each class are like; see `Boxes.statistics`."""
    image = np.repeat(np.arange(len(truths)), [len(boxes) for boxes in truths])
    labels = np.concatenate([np.zeros(0, np.int64), *(boxes.labels for boxes in truths)])
    difficult = np.concatenate([np.zeros(0, bool), *(boxes.difficult for boxes in truths)])
    crowd = np.concatenate([np.zeros(0, bool), *(boxes.crowd for boxes in truths)])
    lengths = np.concatenate([np.zeros((0, 2), np.float32), *map(lengths_of, truths)])
    return [
        {"class": name, **_row_of(labels == label, image, lengths, difficult, crowd)}
        for label, name in enumerate(classes)
    ]


def _row_of(
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
