"""Where the class of the pixels of a map is settled before the map is resized."""

from typing import Any

from keras import ops

_ROUNDING = 1.0001  # a class must be ahead by more than what float32 loses when it interpolates


def open_pixels(scores: Any) -> tuple[Any, Any]:
    """(batch, H, W, classes), at least 0 → (batch, H, W) int32, the best class of each pixel, and
    (batch, H, W) bool, whether another may win where scores are interpolated between it and its
    neighbours.

    Between four pixels a class wins everywhere whose least score at any of them is above the best
    of all others at any of them: a mean of the first is above a mean of the second. A pixel of
    which this is so on all sides is settled.
    """
    ids = ops.cast(ops.argmax(scores, axis=-1), "int32")
    best = ops.max(scores, axis=-1)
    own = ops.arange(ops.shape(scores)[-1], dtype="int32") == ids[..., None]
    others = ops.max(ops.where(own, ops.zeros_like(scores), scores), axis=-1)
    one = ops.equal(_of_four(ops.minimum, ids), _of_four(ops.maximum, ids))
    ahead = _of_four(ops.minimum, best) > _ROUNDING * _of_four(ops.maximum, others)
    unsettled = ops.cast(ops.logical_not(ops.logical_and(one, ahead)), "int32")
    around = _of_four(ops.maximum, ops.pad(unsettled, ((0, 0), (1, 1), (1, 1))))
    return ids, around > 0


def _of_four(function: Any, maps: Any) -> Any:
    """(batch, H, W) → (batch, H − 1, W − 1): of each pixel and those right of, below and across."""
    rows = function(maps[:, :-1], maps[:, 1:])
    return function(rows[:, :, :-1], rows[:, :, 1:])
