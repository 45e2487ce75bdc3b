"""Outlines and painted areas of objects, as files have them → `Instances`."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from cvtasks.answers import Instances
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import Size, unknown
from cvtasks.formats.painting import Ground, Ink, ground_of
from cvtasks.geometry.boxes import iou
from cvtasks.geometry.rle import encode_rle, rle_extents, runs_mask, united_runs
from cvtasks.media.images import upright

TINY = "outlines and masks that cover no pixel were passed over"
SAME = "objects with the same class and mask as another one in their image were passed over"
APART = "masks of objects lie elsewhere than the boxes that their file gives; the masks count"
"""Remarks, one for each such object."""

_TOGETHER = 0.5  # IoU of a mask's extents and the box of its file, at least

Parts = Sequence[Ink]
"""The areas that make up one object; class and marks are those of the first."""


def instances_of(
    objects: Sequence[Parts],
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    declared: Size | None = None,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> tuple[Instances, tuple[str, ...]]:
    """The objects of an image, each once, and remarks about what was changed or passed over.

    A pixel belongs to a polygon if COCO's rasteriser says so (`cvtasks.geometry.rle`), and to an
    object if it belongs to one of its parts. Boxes are the masks' extents. Objects may overlap.

    Args:
        size: (height, width) of the image as it really is, upright. turn: its EXIF orientation.
        name: what errors call the file.
        complain: about an area that does not fit its image, or cannot be decoded. If it returns,
            the object is left out.
        declared: what the file says of the image's size.
        habit: whether other images show that areas were drawn on "upright" or "stored" pixels.

    Raises:
        DataError: the image has another shape than the file declares, or nothing tells on which
            pixels areas were drawn.
    """
    if not objects:
        return Instances.nothing(size, classes), ()
    ground = ground_of(size, name, declared=declared, turn=turn, habit=habit)
    made: dict[tuple[int, bytes], tuple[Ink, float]] = {}
    grown = math.prod(ground.frame) / math.prod(ground.drawn_on)
    remarks = list(ground.remarks)
    for parts in objects:
        first = parts[0]
        try:
            runs = _upright(
                united_runs([ground.runs(ink) for ink in parts], ground.frame), ground, turn
            )
        except DataError as error:
            complain(error)
            continue
        extents, (pixels,) = rle_extents([runs], size)
        remarks += [APART] if _apart(first, extents, ground) else []
        if not pixels:
            remarks.append(TINY)
            continue
        key = first.label, runs
        remarks += [SAME] if key in made else []
        if key not in made or made[key][0].difficult or made[key][0].crowd:  # what counts stays
            made[key] = first, float(pixels) if first.area is None else first.area * grown
    kept = [ink for ink, _ in made.values()]
    found = Instances.of(
        [runs for _, runs in made],
        [ink.label for ink in kept],
        classes,
        size,
        difficult=[ink.difficult for ink in kept],
        crowd=[ink.crowd for ink in kept],
        areas=[area for _, area in made.values()],
    )
    return found, tuple(remarks)


def _apart(ink: Ink, extents: np.ndarray, ground: Ground) -> bool:
    """Whether a mask with these extents (1, 4), if it has any, is elsewhere than its file's box."""
    if ink.box is None or ground.stored or not extents.any():
        return False
    across, down = ground.frame[1] / ground.drawn_on[1], ground.frame[0] / ground.drawn_on[0]
    box = np.array([ink.box], np.float64) * [across, down, across, down]
    return float(iou(extents.astype(np.float64), box)[0, 0]) < _TOGETHER


def _upright(runs: bytes, ground: Ground, turn: int) -> bytes:
    """Runs of the stored pixels of an image → of the upright ones."""
    if not ground.stored:
        return runs
    turned = upright(runs_mask(runs, ground.frame).astype(np.uint8), turn)
    return str(encode_rle(turned)["counts"]).encode("ascii")
