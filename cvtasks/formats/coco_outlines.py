"""The polygons and run lengths of COCO's objects, as areas to be painted."""

from collections.abc import Iterator
from typing import Any

from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco import CocoImage, CocoObject
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.painting import Ink


def coco_inks(image: CocoImage, complain: Complain = strictly) -> Iterator[Ink]:
    """The area of each object of an image, its class the number of its category.

    Args:
        image: as `parse_coco` reads it with its outlines.
        complain: about an object without an outline, or one that is none. If it returns, the object
            is left out.
    """
    for one in image.objects:
        place = f"annotation {one.id} of {image.file_name[:200]!r}"
        try:
            yield _ink(one, place, declared_size(*image.size))
        except DataError as error:
            complain(error)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            complain(
                DataError(
                    "a segmentation must be polygons, of three points or more, or run lengths; "
                    f"{place} has {str(one.outline)[:80]} ({error}). Correct or remove it.",
                    "outline",
                )
            )


def _ink(one: CocoObject, place: str, size: Size | None) -> Ink:
    if not one.outline:
        raise DataError(
            f"every object must have an outline; {place} has none. Draw it, or remove the object.",
            "outline missing",
        )
    marks: dict[str, Any] = {"difficult": one.ignored, "crowd": one.crowd, "area": _area(one.area)}
    marks |= {} if one.crowd or one.angle else {"box": _box(one.box)}
    if isinstance(one.outline, dict):
        height, width = one.outline["size"]
        if size is not None and (height, width) != size:
            raise DataError(
                f"run lengths must be of their image, {size[1]:g} x {size[0]:g} (width x height) "
                f"pixels; those of {place} are of {width} x {height}. Write them again.",
                "outline outside",
            )
        return Ink(one.label, place, painted=(0, 0, one.outline), **marks)
    return Ink(one.label, place, tuple(map(_ring, _polygons(one.outline))), **marks)


def _area(area: Any) -> float | None:
    """What the file says of an object's area, where that can be one."""
    return float(area) if isinstance(area, int | float) and 0 < area < 1e18 else None


def _box(box: Any) -> tuple[float, ...] | None:
    """The edges of a box, where the file has one."""
    try:
        left, top, width, height = (float(side) for side in box)
    except (TypeError, ValueError, OverflowError):
        return None
    edges = (left, top, left + width, top + height)
    return edges if width > 0 and height > 0 and all(abs(edge) < 1e9 for edge in edges) else None


def _polygons(outline: Any) -> list[Any]:
    """The polygons of a segmentation, one of which may stand without its list."""
    return [outline] if isinstance(outline[0], int | float | str) else outline


def _ring(numbers: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(numbers, list) or len(numbers) % 2:
        raise ValueError("not pairs of numbers")
    sides = [float(number) for number in numbers]
    return tuple(zip(sides[::2], sides[1::2], strict=True))
