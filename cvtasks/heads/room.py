"""How many objects of an image a head must have room for."""

import math
from collections.abc import Iterable

from cvtasks.answers import Boxes
from cvtasks.text import agreeing

_MOSAIC = 4  # images that a mosaic has
_STEP = 16  # what is found is a multiple of this


def room_for(truths: Iterable[Boxes], most: int) -> int:
    """Objects of the fullest image, or of four usual ones in a mosaic, in steps of 16, at most
    `most`; 0 where there are no images.
    """
    counts = [int(truth.counted.sum()) for truth in truths]
    if not counts:
        return 0
    wanted = max(*counts, _MOSAIC * sum(counts) / len(counts), _STEP)
    return min(_STEP * math.ceil(wanted / _STEP), most)


def too_full(truths: Iterable[Boxes], key: str, most: int) -> str:
    """The images with more objects than `most`, the value of the head's `key`, and the fullest's
    number, as the begin of a sentence; empty where there are none.
    """
    counts = [int(truth.counted.sum()) for truth in truths]
    more = sum(count > most for count in counts)
    if not more:
        return ""
    return (
        f"{more} of {len(counts)} images {agreeing(more, 'holds', 'hold')} more objects than "
        f"`head.{key}` = {most}, up to {max(counts)}"
    )
