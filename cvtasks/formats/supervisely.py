"""Supervisely's annotation files, one JSON an image, and the list of classes of their project
(https://docs.supervisely.com, "Supervisely annotation format"; also Dataset Ninja's downloads).

Points are pixels, which count from 0: a rectangle of whole numbers includes its last column and
row, and an outline runs through the middles of its pixels, as the program paints them. Numbers with
fractions are places between the pixels, edges as here.
"""

import base64
import binascii
import json
import math
import zlib
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.drawn import declared_size
from cvtasks.formats.reading import MEGABYTE, tool_json
from cvtasks.formats.shapes import (
    Edges,
    Gathered,
    ImageShapes,
    Painted,
    Point,
    Shape,
    around,
    misdrawn,
    number,
    of_no_use,
    polygon,
)
from cvtasks.geometry.rle import encode_rle, polygons_mask
from cvtasks.media.mask_values import read_stencil
from cvtasks.text import class_name

AREAS = ("rectangle", "polygon", "bitmap", "alpha_mask")
VALUED = "tags of images that have a value were passed over"
"""A remark for each such tag."""
_MOST_BITMAP = 64 * MEGABYTE  # unpacked
_MOST_PIXELS = 1 << 26  # of an outline that is painted


def parse_supervisely(content: bytes, name: str, image: str) -> ImageShapes:
    """Read the file of one image.

    Rectangles, polygons, which may have holes, bitmaps and alpha masks are objects; those that
    share an `instance` are parts of one. Tags of the image without a value are its tags.

    Args:
        image: the image's name, which the file itself does not say.

    Raises:
        DataError: it is no such JSON.
    """
    with tool_json(name, "Supervisely's JSON is an object with `size` and `objects`"):
        document = json.loads(content)
        objects, tags = document["objects"], document.get("tags") or []
        size = declared_size(document["size"]["height"], document["size"]["width"])
        if not (isinstance(objects, list) and isinstance(tags, list)):
            raise TypeError("objects or tags")
        named = [(class_name(str(tag["name"])), tag.get("value")) for tag in tags]
    found = Gathered(tags=[tag for tag, value in named if value is None])
    found.remarks += [VALUED] * (len(named) - len(found.tags))
    for index, entry in enumerate(objects, start=1):
        place = f"object {index} of {name!r}"
        try:
            group = str(entry.get("instance") or "")[:80]
            found.shapes.append(replace(_shape(entry, place), group=group))
        except DataError as error:
            found.faults.append(error)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            found.faults.append(misdrawn(place, error))
    return found.of(image, name, size)


def classes_of_project(content: bytes, name: str) -> tuple[str, ...]:
    """The classes that a project's `meta.json` lists, but those of points and lines.

    Raises:
        DataError: it is no such JSON.
    """
    with tool_json(name, "Supervisely's meta.json is an object with `classes`"):
        entries = json.loads(content)["classes"]
        return tuple(
            class_name(str(entry["title"]))
            for entry in entries
            if entry.get("shape", "any") in (*AREAS, "any")
        )


def _shape(entry: dict[str, Any], place: str) -> Shape:
    name, kind = class_name(str(entry["classTitle"])), str(entry["geometryType"])
    place = f"{place} ({name[:80]})"
    if kind == "rectangle":
        corners = entry["points"]["exterior"]
        if len(corners) != 2:
            raise ValueError(f"a rectangle must have two points; got {len(corners)}")
        return Shape(name, place, _edges([_point(one) for one in corners], _whole(corners)))
    if kind == "polygon":
        return _polygon(name, place, entry["points"])
    if kind in ("bitmap", "alpha_mask"):
        stored = entry.get(kind) or entry["bitmap"]
        x, y = _point(stored["origin"])
        pixels = _bitmap(stored["data"])
        return _painted(name, place, pixels, (round(x), round(y)))
    raise of_no_use(kind, place, "Supervisely")


def _polygon(name: str, place: str, points: dict[str, Any]) -> Shape:
    """The shape of an outline: painted where it runs through pixels, or has holes."""
    outer = points["exterior"]
    whole, holes = _whole(outer), [hole for hole in points.get("interior") or [] if len(hole) > 2]
    shape = polygon(name, place, map(_point, outer))
    if not whole and not holes:
        return shape
    left, top, right, bottom = _edges(list(shape.outline), whole)
    x, y = math.floor(left), math.floor(top)
    size = math.ceil(bottom) - y, math.ceil(right) - x
    if not 0 < math.prod(size) <= _MOST_PIXELS:
        raise ValueError(f"an outline covers 1 to {_MOST_PIXELS:,} pixels")
    pixels = np.zeros(size, np.uint8)
    for order, ring in enumerate([outer, *holes]):
        moved = [(u - x, v - y) for u, v in map(_point, ring)]
        if whole:
            cv2.fillPoly(pixels, [np.array(moved).round().astype(np.int32)], int(order == 0))
        else:
            flat = [part for point in moved for part in point]
            pixels[polygons_mask([flat], size)] = order == 0
    return _painted(name, place, pixels > 0, (x, y))


def _painted(name: str, place: str, pixels: np.ndarray, corner: tuple[int, int]) -> Shape:
    (height, width), (x, y) = pixels.shape, corner
    painted = Painted(x, y, encode_rle(pixels))
    return Shape(name, place, (x, y, x + width, y + height), painted=painted)


def _bitmap(text: str) -> np.ndarray:
    """(h, w) bool: a PNG, packed by zlib and in base64."""
    try:
        content = zlib.decompressobj().decompress(
            base64.b64decode(text, validate=True), _MOST_BITMAP
        )
        return read_stencil(content, name="its bitmap")
    except (binascii.Error, zlib.error, CVTasksError) as error:
        raise ValueError(f"a bitmap must be a PNG, packed by zlib, in base64: {error}") from error


def _edges(points: list[Point], whole: bool) -> Edges:
    """The box around points; around the pixels of these numbers where they are `whole`."""
    left, top, right, bottom = around(points)
    return left, top, right + whole, bottom + whole


def _whole(points: list[Any]) -> bool:
    """Whether points are numbers of pixels."""
    return all(type(part) is int for point in points for part in point)


def _point(point: Any) -> Point:
    x, y = point
    return number(x, "a coordinate"), number(y, "a coordinate")
