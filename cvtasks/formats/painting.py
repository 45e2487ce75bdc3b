"""Outlines and painted areas as files have them → the ids of a mask, in the pixels of its image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cvtasks.answers.mask import VOID
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import STORED_PIXELS, Size, habits, unknown
from cvtasks.formats.reading import RESIZED, fit
from cvtasks.geometry.rle import decode_rle, polygons_mask
from cvtasks.media.images import upright

TURNED_OUTLINES = (
    "files hold outlines on the stored pixels of an image that its EXIF tag turns; they were "
    "turned with it"
)
RESIZED_OUTLINES = RESIZED.replace("boxes", "outlines")

Ring = tuple[tuple[float, float], ...]
"""(x, y) of the corners of a polygon, in the pixels that it was drawn on."""


@dataclass(frozen=True)
class Ink:
    """An area of an image, of one class.

    Attributes:
        label: the id of its class, or 255 for void. place: words for errors.
        rings: its polygons, all of which are filled.
        painted: run lengths (`cvtasks.geometry.rle`), and where their left top pixel lies.
    """

    label: int
    place: str
    rings: tuple[Ring, ...] = ()
    painted: tuple[int, int, dict[str, Any]] | None = None


def painted_ids(
    inks: Sequence[Ink],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    declared: Size | None = None,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Areas → (height, width) uint8 ids, and remarks about what was changed. Background is 0.

    Areas are painted in their order, a later one over an earlier one; void ones first, so that they
    count where nothing else is. A pixel is in a polygon if COCO's rasteriser says so
    (`cvtasks.geometry.rle`).

    Args:
        size: of the image as it really is, upright. turn: its EXIF orientation.
        name: what errors call the file.
        complain: about an area that does not fit its image, or cannot be decoded. If it returns,
            the area is left out.
        declared: what the file says of the image's size.
        habit: whether other images show that areas were drawn on "upright" or "stored" pixels.

    Raises:
        DataError: the image has another shape than the file declares, or nothing tells on which
            pixels areas were drawn.
    """
    if not inks:
        return np.zeros(size, np.uint8), ()
    ways = habits(declared, size, turn)
    way = ways[0] if len(ways) == 1 else habit() if ways else ""
    if not way:
        what = (
            f"it declares {declared[1]:g} x {declared[0]:g} (width x height)"
            if declared and not ways
            else "nothing tells whether it was drawn before or after its EXIF turn"
        )
        raise DataError(
            f"outlines must be drawn on their image, {size[1]} x {size[0]}; of {name!r} {what}. Is "
            "it another image? Correct the file.",
            "size differs" if not ways else "EXIF turn unclear",
        )
    stored = way == STORED_PIXELS
    frame = size[::-1] if stored and turn >= 5 else size
    drawn_on = declared or (float(frame[0]), float(frame[1]))
    ids = np.zeros(frame, np.uint8)
    for ink in sorted(inks, key=lambda one: one.label != VOID):  # stable
        try:
            ids[_area(ink, frame, drawn_on)] = ink.label
        except DataError as error:
            complain(error)
    scaled = drawn_on != (float(frame[0]), float(frame[1]))
    remarks = (RESIZED_OUTLINES,) * scaled + (TURNED_OUTLINES,) * stored
    return (upright(ids, turn) if stored else ids), remarks


def _area(ink: Ink, frame: tuple[int, int], drawn_on: Size) -> np.ndarray:
    """(h, w) bool: the pixels of an area."""
    height, width = frame
    area = np.zeros(frame, bool)
    if ink.painted is not None:
        area |= _unpacked(ink, frame, drawn_on)
    grown = np.array([width / drawn_on[1], height / drawn_on[0]])
    rings = [np.array(ring, np.float64).reshape(-1, 2) * grown for ring in ink.rings]
    for ring in rings:
        if len(ring) < 3:
            raise DataError(
                f"a polygon must have three points or more; {ink.place} has {len(ring)}. Remove "
                "it.",
                "outline",
            )
        edges = np.concatenate([ring.min(axis=0), ring.max(axis=0)])
        fit(edges[None], frame, [ink.place])  # raises where it lies outside, or is flat
    if rings:
        inside = [np.clip(ring, 0, [width, height]) for ring in rings]
        area |= polygons_mask([ring.ravel().tolist() for ring in inside], frame)
    return area


def _unpacked(ink: Ink, frame: tuple[int, int], drawn_on: Size) -> np.ndarray:
    """(h, w) bool: the pixels of a painted area."""
    left, top, rle = ink.painted or (0, 0, {})
    try:
        piece = decode_rle(rle)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"a mask must be run lengths of its pixels; {ink.place}: {str(error)[:200]}. Write it "
            "again.",
            "outline",
        ) from error
    tall, wide = piece.shape
    sides = (round(drawn_on[0]), round(drawn_on[1]))
    if left < 0 or top < 0 or top + tall > sides[0] or left + wide > sides[1]:
        raise DataError(
            f"a mask must lie in its image, {sides[1]} x {sides[0]} (width x height) pixels; "
            f"{ink.place} has {wide} x {tall} from {left}, {top}. Is it another image?",
            "outline outside",
        )
    whole = np.zeros(sides, np.uint8)
    whole[top : top + tall, left : left + wide] = piece
    if sides != frame:
        return cv2.resize(whole, frame[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    return whole.astype(bool)
