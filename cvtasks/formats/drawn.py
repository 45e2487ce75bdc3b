"""Objects as files have them → boxes in the pixels of their image, and on which pixels they were
drawn: an image of another size, the stored pixels of one that EXIF turns, a turned rectangle.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import RESIZED, ROTATED, TURNED, fit, once
from cvtasks.geometry.boxes import clip

UPRIGHT_PIXELS, STORED_PIXELS = "upright", "stored"
"""How a program shows an image that its EXIF tag turns: turned, or as it is stored."""

Size = tuple[float, float]
"""(height, width) in pixels."""

_MANY = 100  # pixels of a side from which half a pixel more or less is no other shape


def unknown() -> str:
    """The habit of a program of which nothing is known."""
    return ""


@dataclass(frozen=True)
class Drawn:
    """An object as its file has it.

    Attributes:
        edges: left, top, right and bottom in the pixels that it was drawn on.
        label: index of its class. place: words for errors, such as "line 3 of 'a.txt'".
        angle: radians by which the rectangle is turned about its centre.
        area: in the same pixels; None for the box's.
    """

    edges: tuple[float, ...]
    label: int
    place: str
    difficult: bool = False
    crowd: bool = False
    angle: float = 0.0
    area: float | None = None


def boxes_of(
    objects: Sequence[Drawn],
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    declared: Size | None = None,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> tuple[Boxes, tuple[str, ...]]:
    """The objects of an image as boxes on it, each once, and remarks about what was done for that:
    boxes turned upright, moved to the image's own pixels, cut at its edge, and doubles left out.

    Args:
        size: (height, width) of the image as it really is, upright. turn: its EXIF orientation.
        name: what errors call the file.
        complain: about a box that does not fit (`fit` of `cvtasks.formats.reading`). If it returns,
            the object is left out.
        declared: what the file says of the image's size.
        habit: whether other images show that boxes were drawn on "upright" or "stored" pixels.

    Raises:
        DataError: the image has another shape than the file declares, or nothing tells on which
            pixels boxes were drawn.
    """
    drawn = np.array([one.edges for one in objects], np.float64).reshape(-1, 4)
    angles = np.array([one.angle for one in objects], np.float64)
    xyxy, moved = placed(turned_about(drawn, angles), declared, size, name, turn, habit)
    xyxy, cut, good = fit(
        cut_where(xyxy, angles != 0, size), size, [one.place for one in objects], complain
    )
    fitting = [objects[index] for index in good]
    first, twice = once(
        xyxy, [one.label for one in fitting], [not (one.difficult or one.crowd) for one in fitting]
    )
    kept = [fitting[index] for index in first]
    grown = math.prod(size) / math.prod(declared) if declared and RESIZED in moved else 1.0
    areas = [one.area * grown for one in kept if one.area is not None]
    boxes = Boxes.of(
        xyxy[first],
        [one.label for one in kept],
        classes,
        size,
        difficult=[one.difficult for one in kept],
        crowd=[one.crowd for one in kept],
        areas=areas if len(areas) == len(kept) else None,
    )
    rotated = (ROTATED,) * int((angles[good] != 0).sum())
    return boxes, (*rotated, *moved, *cut, *twice)


_SMALL, _ROUNDED = 8, 1e-3  # pixels of a side whose shares may be pixels; what rounding adds to 1


def in_pixels(
    objects: Sequence[Drawn], size: tuple[int, int], complain: Complain = strictly
) -> list[Drawn]:
    """The objects whose boxes may be in pixels of an image (height, width): one that has fractions
    and lies within the first pixel looks like shares of the image's sides.

    Args:
        complain: about one that does. If it returns, the object is left out.
    """
    kept = []
    for one in objects:
        near = min(size) >= _SMALL and all(0 <= edge <= 1 + _ROUNDED for edge in one.edges)
        if near and any(edge % 1 for edge in one.edges):
            left, top, right, bottom = one.edges
            text = (
                f"a box is in pixels; {one.place} has {left:g}, {top:g}, {right:g}, {bottom:g} "
                "(left, top, right, bottom), which looks like shares of the image. Multiply them "
                "by its width and height."
            )
            complain(DataError(text, "box in shares"))
        else:
            kept.append(one)
    return kept


def declared_size(height: Any, width: Any) -> Size | None:
    """What a file says of its image's size; None where it says nothing that can be one: 0, nothing,
    words.

    >>> declared_size("100.0", 200), declared_size(0, 0), declared_size("", None)
    ((100.0, 200.0), None, None)
    """
    try:
        sides = float(height), float(width)
    except (TypeError, ValueError, OverflowError):
        return None
    good = not isinstance(height, bool) and all(0 < side < math.inf for side in sides)
    return sides if good else None


def habits(declared: Size | None, size: tuple[int, int], turn: int) -> list[str]:
    """On which pixels a file may have been drawn by the size that it declares; none where its shape
    is another.

    Args:
        size: (height, width) of the upright image. turn: its EXIF orientation, 1 to 8.
    """
    ways: dict[str, Size] = {UPRIGHT_PIXELS: size}
    if turn != 1:
        ways[STORED_PIXELS] = size[::-1] if turn >= 5 else size
    if declared is None:
        return list(ways)
    exact = [way for way, sides in ways.items() if declared == sides]
    return exact or [way for way, sides in ways.items() if _alike(declared, sides)]


@np.errstate(over="ignore", invalid="ignore")  # what is too large becomes infinite, and is refused
def placed(
    xyxy: np.ndarray,
    declared: Size | None,
    size: tuple[int, int],
    name: str,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Boxes in the pixels that a file was drawn on → (n, 4) in those of the upright image, and
    remarks about what was done.

    Args:
        xyxy: (n, 4) float64. declared: what the file says of the image's size.
        size: (height, width) of the upright image. turn: its EXIF orientation, 1 to 8.
        name: what errors call the file.
        habit: asked where the declared size does not tell: "upright", "stored", or "" if that
            cannot be known.

    Raises:
        DataError: the image has another shape than declared, or nothing tells whether the boxes
            were drawn before its turn.
    """
    if not len(xyxy):
        return xyxy, ()
    ways = habits(declared, size, turn)
    if not ways:
        height, width = declared or (0, 0)
        raise DataError(
            f"boxes must be drawn on their image, or on one of its shape; {name!r} declares "
            f"{width:g} x {height:g} (width x "
            f"height) pixels, the image has {size[1]} x {size[0]}. Is it another image, or was it "
            "cropped? Correct the boxes and "
            "the size, or take the size out if the boxes are right.",
            "size differs",
        )
    way = ways[0] if len(ways) == 1 else habit()
    if way not in ways:
        raise DataError(
            f"it must be clear on which pixels boxes were drawn; the image of {name!r} is turned "
            "by its EXIF tag (orientation "
            f"{turn}), and neither the size that the file declares nor another file of the split "
            "tells whether the boxes were "
            "drawn before or after that. Save the image upright, without the tag, and correct its "
            "boxes if need be.",
            "EXIF turn unclear",
        )
    stored = size[::-1] if way == STORED_PIXELS and turn >= 5 else size
    remarks: tuple[str, ...] = ()
    if declared is not None and declared != stored:
        xyxy, remarks = (
            xyxy * np.array([stored[1] / declared[1], stored[0] / declared[0]] * 2),
            (RESIZED,),
        )
    if way == STORED_PIXELS:
        xyxy, remarks = turned(xyxy, stored, turn), (*remarks, TURNED)
    return xyxy, remarks


def turned(xyxy: np.ndarray, size: Size, turn: int) -> np.ndarray:
    """(n, 4) boxes on stored pixels → on the image that EXIF orientation `turn` makes of them (Exif
    2.32, tag 274).

    Args:
        size: (height, width) as stored.

    >>> turned(np.array([[10.0, 20, 40, 60]]), (100, 200), 6).tolist()
    [[40.0, 10.0, 80.0, 40.0]]
    """
    height, width = size
    x, y = xyxy[:, ::2], xyxy[:, 1::2]
    across, down = {
        1: (x, y),
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }[turn]
    if turn in (2, 3, 6, 7):
        across = across[:, ::-1]
    if turn in (3, 4, 7, 8):
        down = down[:, ::-1]
    return np.stack([across[:, 0], down[:, 0], across[:, 1], down[:, 1]], axis=1)


@np.errstate(over="ignore", invalid="ignore")
def turned_about(xyxy: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(n, 4) rectangles, each turned about its centre by `angles` (n) radians → the upright boxes
    around them.

    What is empty or inverted stays as it is, to be refused.

    >>> turned_about(np.array([[50.0, 20, 110, 40]]), np.radians([90])).round(6).tolist()
    [[70.0, 0.0, 90.0, 60.0]]
    """
    if not angles.any():
        return xyxy
    sides, centres = xyxy[:, 2:] - xyxy[:, :2], (xyxy[:, :2] + xyxy[:, 2:]) / 2
    cosine, sine = abs(np.cos(angles))[:, None], abs(np.sin(angles))[:, None]
    half = (sides * cosine + sides[:, ::-1] * sine) / 2
    whole = (angles != 0) & (sides > 0).all(axis=1)
    return np.where(whole[:, None], np.concatenate([centres - half, centres + half], axis=1), xyxy)


def cut_where(xyxy: np.ndarray, which: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(n, 4) boxes, those of `which` (n) bool cut at the image's edge: corners of turned rectangles
    often lie outside.

    What lies outside as a whole stays as it is, to be refused.
    """
    inside = clip(xyxy, size)
    seen = which & (inside[:, :2] < inside[:, 2:]).all(axis=1)
    return np.where(seen[:, None], inside, xyxy)


def _alike(one: Size, other: Size) -> bool:
    """Whether two sizes differ by a scale alone: the sides of the smaller are those of the larger,
    scaled and rounded.
    """
    small, large = sorted((one, other), key=math.prod)
    for below, above in ((0.5, 0.5), (0, 1), (1, 0)):  # to the nearest, down, up
        loose = [
            0.5 * (min(pair) >= _MANY) for pair in zip(small, large, strict=True)
        ]  # it may have been rounded twice
        least = max(
            (side - below - more) / whole
            for side, whole, more in zip(small, large, loose, strict=True)
        )
        most = min(
            (side + above + more) / whole
            for side, whole, more in zip(small, large, loose, strict=True)
        )
        if least <= most:
            return True
    return False
