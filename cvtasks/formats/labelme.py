"""LabelMe's annotation file, one JSON an image (https://github.com/wkentaro/labelme, 5.x; also as
X-AnyLabeling writes it).

Points are in pixels of the upright image, edges as here: a rectangle is two opposite corners.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cvtasks.answers import Boxes
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.drawn import declared_size
from cvtasks.formats.outlines import Outline
from cvtasks.formats.reading import flag, tool_json
from cvtasks.formats.shapes import (
    Gathered,
    ImageShapes,
    Painted,
    Point,
    Shape,
    around,
    ellipse,
    misdrawn,
    number,
    of_no_use,
    polygon,
)
from cvtasks.geometry.rle import encode_rle
from cvtasks.text import class_name, dumps

_PIXELS = re.compile(rb'"imageData"\s*:\s*"([^"\\]*)"')
_VERSION = "5.5.0"  # of LabelMe, whose layout of the file this is


def parse_labelme(content: bytes, name: str) -> ImageShapes:
    """Read the file of one image. The image that it may hold itself plays no part.

    Rectangles, polygons, circles and painted masks are objects; what X-AnyLabeling calls a
    `rotation` is a polygon. Names in `flags` that are true are the image's tags. `difficult` of a
    shape is X-AnyLabeling's.

    Raises:
        DataError: it is no such JSON.
    """
    with tool_json(name, "LabelMe's JSON is an object with `shapes` and `imagePath`"):
        document = json.loads(_PIXELS.sub(b'"imageData": null', content))
        shapes, image = document["shapes"], document["imagePath"]
        flags = document.get("flags") or {}
        if not (isinstance(shapes, list) and isinstance(image, str) and isinstance(flags, dict)):
            raise TypeError("shapes, imagePath or flags")
    found = Gathered(tags=[class_name(str(key)) for key, value in flags.items() if value is True])
    for index, entry in enumerate(shapes, start=1):
        place = f"shape {index} of {name!r}"
        try:
            found.shapes.append(replace(_shape(entry, place), group=_group(entry)))
        except DataError as error:
            found.faults.append(error)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            found.faults.append(misdrawn(place, error))
    size = declared_size(document.get("imageHeight"), document.get("imageWidth"))
    return found.of(image, name, size)


def embedded_image(content: bytes) -> bytes:
    """The encoded image that a file holds itself; empty where it holds none."""
    held = _PIXELS.search(content)
    try:
        return base64.b64decode(held[1], validate=True) if held else b""
    except binascii.Error:
        return b""


def _shape(entry: dict[str, Any], place: str) -> Shape:
    name, kind = class_name(str(entry["label"]).strip()), entry.get("shape_type") or "polygon"
    place = f"{place} ({name[:80]})"
    points = [_point(point) for point in entry["points"]]
    difficult = flag(entry.get("difficult"))
    if kind == "rectangle" and len(points) in (2, 4):  # four corners are X-AnyLabeling's
        return Shape(name, place, around(points), difficult=difficult)
    if kind in ("polygon", "rotation"):
        return polygon(name, place, points, difficult=difficult)
    if kind == "circle" and len(points) == 2:
        radius = math.dist(*points)
        return ellipse(name, place, points[0], (radius, radius), difficult=difficult)
    if kind == "mask" and len(points) == 2:
        painted = _painted(entry["mask"], points[0])
        height, width = painted.rle["size"]
        edges = (painted.left, painted.top, painted.left + width, painted.top + height)
        return Shape(name, place, edges, painted=painted, difficult=difficult)
    if kind in ("rectangle", "circle", "mask"):
        raise ValueError(f"a {kind} must have two points; got {len(points)}")
    raise of_no_use(str(kind), place, "LabelMe")


def _group(entry: dict[str, Any]) -> str:
    """What parts of one object have in common."""
    group = entry.get("group_id")
    return "" if group is None else str(group)[:80]


def _point(point: Any) -> Point:
    x, y = point
    return number(x, "a coordinate"), number(y, "a coordinate")


def _painted(text: str, corner: Point) -> Painted:
    """The mask of a PNG in base64 whose left top pixel lies at a corner."""
    from cvtasks.media.images import read_image

    try:
        pixels = read_image(base64.b64decode(text, validate=True), name="its mask")
    except (binascii.Error, CVTasksError) as error:
        raise ValueError(f"a mask must be a PNG in base64: {error}") from error
    return Painted(round(corner[0]), round(corner[1]), encode_rle(pixels[..., 0] > 0))


def labelme_json(boxes: Boxes, filename: str, image_path: str = "", *, scores: bool = False) -> str:
    """Boxes of an image → the text of its file.

    LabelMe knows neither difficult objects nor crowds: both are written as `difficult`, which
    X-AnyLabeling shows. A score stands in `score`, which LabelMe passes over.

    Args:
        filename: the image's. image_path: the way to it from the JSON's folder, if not its name.
    """
    ignored = ~boxes.counted
    shapes = []
    for index, (left, top, right, bottom) in enumerate(boxes.xyxy.tolist()):
        shape = _drawn(boxes.names[index], "rectangle", [[left, top], [right, bottom]])
        shape |= {"difficult": True} if ignored[index] else {}
        shape |= {"score": round(float(boxes.scores[index]), 6)} if scores else {}
        shapes.append(shape)
    return _document(shapes, image_path or filename, boxes.size)


def labelme_outlines(outlines: Iterable[Outline], size: tuple[int, int], image_path: str) -> str:
    """Polygons of an image of (height, width) → the text of its file.

    Args:
        image_path: the way to the image from the JSON's folder.
    """
    shapes = []
    for one in outlines:
        shape = _drawn(one.name, "polygon", one.points.tolist())
        shape |= {"group_id": one.group} if one.group else {}
        shapes.append(shape | ({"difficult": True} if one.difficult else {}))
    return _document(shapes, image_path, size)


def _drawn(label: str, kind: str, points: list[list[float]]) -> dict[str, Any]:
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    }


def _document(shapes: list[dict[str, Any]], image_path: str, size: tuple[int, int]) -> str:
    document: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": size[0],
        "imageWidth": size[1],
    }
    return dumps(document, indent=2) + "\n"
