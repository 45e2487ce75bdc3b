"""Outlines and painted areas as files have them → the ids of a mask, or a mask for each object, in
the pixels of their image.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cvtasks.answers.mask import VOID
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import STORED_PIXELS, Size, habits, unknown
from cvtasks.formats.reading import RESIZED, UPRIGHT, fit
from cvtasks.formats.shapes import Shape, corners_of
from cvtasks.geometry.rle import checked_runs, decode_rle, encode_rle, polygons_runs, runs_mask
from cvtasks.media.images import upright

TURNED_OUTLINES = (
    "files hold outlines on the stored pixels of an image that its EXIF tag turns; they were "
    "turned with it"
)
RESIZED_OUTLINES, UPRIGHT_OUTLINES = (
    text.replace("boxes", "outlines") for text in (RESIZED, UPRIGHT)
)

Ring = tuple[tuple[float, float], ...]
"""(x, y) of the corners of a polygon, in the pixels that it was drawn on."""


@dataclass(frozen=True)
class Ink:
    """An area of an image, of one class.

    Attributes:
        label: the id of its class, or 255 for void. place: words for errors.
        rings: its polygons, all of which are filled.
        painted: run lengths (`cvtasks.geometry.rle`), and where their left top pixel lies.
        difficult, crowd: as of `Boxes`, of an object; of a mask these are void.
        area, box: of an object in the pixels that it was drawn on, the box's four edges; None where
            the file does not say.
    """

    label: int
    place: str
    rings: tuple[Ring, ...] = ()
    painted: tuple[int, int, dict[str, Any]] | None = None
    difficult: bool = False
    crowd: bool = False
    area: float | None = None
    box: tuple[float, ...] | None = None


def ink_of(shape: Shape, label: int, scale: tuple[float, float]) -> Ink:
    """The area of a tool's shape; a box is filled.

    Args:
        label: the id of its class.
        scale: what its coordinates are multiplied by to be pixels, across and down.
    """
    if shape.painted is not None:
        painted = shape.painted.left, shape.painted.top, shape.painted.rle
        rings: tuple[Ring, ...] = ()
    else:
        painted = None
        rings = (tuple((x * scale[0], y * scale[1]) for x, y in corners_of(shape)),)
    return Ink(label, shape.place, rings, painted, shape.difficult, shape.crowd)


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
    ground = ground_of(size, name, declared=declared, turn=turn, habit=habit)
    ids = np.zeros(ground.frame, np.uint8)
    for ink in sorted(inks, key=lambda one: one.label != VOID):  # stable
        try:
            ids[runs_mask(ground.runs(ink), ground.frame)] = ink.label
        except DataError as error:
            complain(error)
    return (upright(ids, turn) if ground.stored else ids), ground.remarks


@dataclass(frozen=True)
class Ground:
    """The pixels that the areas of an image are painted on.

    Attributes:
        frame: (height, width) of these pixels. stored: whether they are the stored ones of an image
            that its EXIF tag turns.
        drawn_on: the (height, width) that the areas are given in.
    """

    frame: tuple[int, int]
    drawn_on: Size
    stored: bool

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is done to areas to bring them into the image."""
        scaled = self.drawn_on != (float(self.frame[0]), float(self.frame[1]))
        return (RESIZED_OUTLINES,) * scaled + (TURNED_OUTLINES,) * self.stored

    def runs(self, ink: Ink) -> bytes:
        """The pixels of an area, as compressed run lengths of a mask of `frame`.

        Raises:
            DataError: it does not fit, or cannot be decoded.
        """
        if ink.painted is None:
            return self._filled(ink)
        left, top, rle = ink.painted
        with _decoding(ink):
            if not ink.rings and (left, top, *rle["size"]) == (0, 0, *self.frame):
                return checked_runs(rle)
        plane = _unpacked(ink, self.frame, self.drawn_on)
        if ink.rings:
            plane = plane | runs_mask(self._filled(ink), self.frame)
        return str(encode_rle(plane)["counts"]).encode("ascii")

    def _filled(self, ink: Ink) -> bytes:
        """What the polygons of an area cover."""
        height, width = self.frame
        grown = np.array([width / self.drawn_on[1], height / self.drawn_on[0]])
        rings = [np.array(ring, np.float64).reshape(-1, 2) * grown for ring in ink.rings]
        for ring in rings:
            if len(ring) < 3:
                raise DataError(
                    f"a polygon must have three points or more; {ink.place} has {len(ring)}. "
                    "Remove it.",
                    "outline",
                )
            edges = np.concatenate([ring.min(axis=0), ring.max(axis=0)])
            fit(edges[None], self.frame, [ink.place])  # raises where it lies outside, or is flat
        inside = [np.clip(ring, 0, [width, height]) for ring in rings]
        return polygons_runs([ring.ravel().tolist() for ring in inside], self.frame)


def ground_of(
    size: tuple[int, int],
    name: str,
    *,
    declared: Size | None = None,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> Ground:
    """The pixels that the areas of an image of `size` are painted on; arguments and errors are
    those of `painted_ids`.
    """
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
    return Ground(frame, declared or (float(frame[0]), float(frame[1])), stored)


@contextmanager
def _decoding(ink: Ink) -> Iterator[None]:
    """What goes wrong with the run lengths of an area, as a DataError."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"a mask must be run lengths of its pixels; {ink.place}: {str(error)[:200]}. Write it "
            "again.",
            "outline",
        ) from error


def _unpacked(ink: Ink, frame: tuple[int, int], drawn_on: Size) -> np.ndarray:
    """(h, w) bool: the pixels of a painted area."""
    left, top, rle = ink.painted or (0, 0, {})
    with _decoding(ink):
        piece = decode_rle(rle)
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
