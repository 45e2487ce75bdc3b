"""What labelling tools hold of an image: a class and a box, an outline or a painted mask for each
object. The readers of their files give these, whatever becomes of them: boxes, masks or labels.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvtasks.errors import DataError
from cvtasks.formats.drawn import Size

Point = tuple[float, float]
"""x and y in pixels from the left top corner of the image; or shares of its sides."""

Edges = tuple[float, float, float, float]
"""Left, top, right and bottom."""

_STEPS = 64  # points of an ellipse


@dataclass(frozen=True)
class Painted:
    """A mask as COCO's run lengths (`cvtasks.geometry.rle`), and where in the image its left top
    pixel lies.
    """

    left: int
    top: int
    rle: dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """An object as a tool's file has it, in the pixels that it was drawn on.

    Attributes:
        name: its class. place: words for errors, such as "shape 3 of 'a.json'".
        edges: the box around it.
        outline: (x, y) of the corners of its polygon; empty for a box or a painted mask.
        painted: its mask, where it was painted.
        angle: radians by which the box is turned about its centre, clockwise as the image is seen.
        difficult, crowd: as of `Boxes`.
        everywhere: whether it stands for a region where no class counts; then it has no name.
        group: what shapes of one class have in common that are parts of one object; empty for one
            alone.
    """

    name: str
    place: str
    edges: Edges
    outline: tuple[Point, ...] = ()
    painted: Painted | None = None
    angle: float = 0.0
    difficult: bool = False
    crowd: bool = False
    everywhere: bool = False
    group: str = ""


@dataclass(frozen=True)
class ImageShapes:
    """An image as a tool's file has it.

    Attributes:
        image: the name or the path of its file. source: what errors call it.
        size: the (height, width) that it declares, if it does.
        shapes: its objects. tags: classes of the image as a whole.
        split: the split that the file gives it; empty if none.
        in_shares: whether coordinates are shares of the image's sides, not pixels.
        faults: what of it cannot be read, an error for each thing.
        remarks: what was passed over or settled, a sentence for each time.
        waiting: nobody has labelled it yet: it says nothing, not even that nothing is there.
    """

    image: str
    source: str
    size: Size | None = None
    shapes: tuple[Shape, ...] = ()
    tags: tuple[str, ...] = ()
    split: str = ""
    in_shares: bool = False
    faults: tuple[DataError, ...] = ()
    remarks: tuple[str, ...] = ()
    waiting: bool = False


@dataclass(frozen=True)
class ToolFile:
    """What one file of a tool holds.

    Attributes:
        classes: as the file lists them; empty if it does not.
        faults: what of it belongs to no image and cannot be read.
    """

    images: tuple[ImageShapes, ...]
    classes: tuple[str, ...] = ()
    faults: tuple[DataError, ...] = ()


@dataclass
class Gathered:
    """The shapes of one image while its file is read: what cannot be is a fault of the image."""

    shapes: list[Shape] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    faults: list[DataError] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def of(
        self,
        image: str,
        source: str,
        size: Size | None = None,
        *,
        split: str = "",
        in_shares: bool = False,
    ) -> ImageShapes:
        """The image with what was gathered."""
        return ImageShapes(
            image,
            source,
            size,
            tuple(self.shapes),
            tuple(self.tags),
            split,
            in_shares,
            tuple(self.faults),
            tuple(self.remarks),
        )


def number(value: Any, what: str) -> float:
    """A finite number, also one that is written as text.

    Raises:
        ValueError: it is none; `what` is what it should be.
    """
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{what} must be a finite number; got {str(value)[:80]!r}")
    return found


def around(points: Sequence[Point]) -> Edges:
    """The box around points."""
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across), max(down)


def polygon(name: str, place: str, points: Iterable[Point], **more: Any) -> Shape:
    """The shape of an outline.

    Raises:
        ValueError: it has fewer than three points.
    """
    outline = tuple(points)
    if len(outline) < 3:
        raise ValueError(f"a polygon must have three points or more; got {len(outline)}")
    return Shape(name, place, around(outline), outline, **more)


def ellipse(
    name: str,
    place: str,
    centre: Point,
    radii: tuple[float, float],
    angle: float = 0.0,
    **more: Any,
) -> Shape:
    """The shape of an ellipse, turned by `angle` radians about its centre; its outline has 64
    points, its edges are exact.

    Raises:
        ValueError: a radius is not above 0.
    """
    (x, y), (across, down) = centre, radii
    if not (across > 0 and down > 0):
        raise ValueError(f"a radius must be above 0; got {across:g} and {down:g}")
    cosine, sine = math.cos(angle), math.sin(angle)
    half = math.hypot(across * cosine, down * sine), math.hypot(across * sine, down * cosine)
    turns = [2 * math.pi * step / _STEPS for step in range(_STEPS)]
    flat = [(across * math.cos(turn), down * math.sin(turn)) for turn in turns]
    outline = tuple((x + u * cosine - v * sine, y + u * sine + v * cosine) for u, v in flat)
    return Shape(name, place, (x - half[0], y - half[1], x + half[0], y + half[1]), outline, **more)


def corners_of(shape: Shape) -> tuple[Point, ...]:
    """The outline of a shape: its polygon, or the corners of its box, turned as it is."""
    if shape.outline:
        return shape.outline
    left, top, right, bottom = shape.edges
    x, y = (left + right) / 2, (top + bottom) / 2
    cosine, sine = math.cos(shape.angle), math.sin(shape.angle)
    corners = ((left, top), (right, top), (right, bottom), (left, bottom))
    return tuple(
        (x + (u - x) * cosine - (v - y) * sine, y + (u - x) * sine + (v - y) * cosine)
        for u, v in corners
    )


def of_no_use(kind: str, place: str, tool: str) -> DataError:
    """The error for a shape that is neither box nor area."""
    return DataError(
        f"an object must be a box or an area; {place} is a {kind[:80]!r}. Draw it as one in "
        f"{tool}, or remove it.",
        "shape unknown",
    )


def misdrawn(place: str, error: Exception) -> DataError:
    """The error for a shape whose numbers are none; `error` says which rule is broken."""
    said = str(error) if isinstance(error, ValueError) else f"it lacks or misstates {error}"
    return DataError(f"{place} cannot be read: {said}. Correct or remove it.", "shape")
