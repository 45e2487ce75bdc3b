"""Create ML's annotations of objects, one JSON for all images
(https://developer.apple.com/documentation/createml, "Building an object detector data source") ⇄
shapes.

A box there is its centre, width and height in pixels of the upright image.
"""

import json
from collections.abc import Iterable
from typing import Any

from cvtasks.answers import Boxes
from cvtasks.formats.reading import tool_json
from cvtasks.formats.shapes import Gathered, ImageShapes, Shape, ToolFile, misdrawn, number
from cvtasks.text import class_name, dumps


def parse_createml(content: bytes, name: str) -> ToolFile:
    """Read the file of a data set.

    Raises:
        DataError: it is no such JSON.
    """
    with tool_json(name, "Create ML's JSON is a list of images with `image` and `annotations`"):
        document = json.loads(content)
        if not isinstance(document, list):
            raise TypeError("the list of images")
        found = ToolFile(tuple(_image(entry, name) for entry in document))
    return found


def _image(entry: dict[str, Any], name: str) -> ImageShapes:
    image = str(entry["imagefilename"] if "imagefilename" in entry else entry["image"])
    objects = entry["annotation"] if "annotation" in entry else entry["annotations"]
    found = Gathered()
    for index, one in enumerate(list(objects), start=1):
        place = f"annotation {index} of {image[:200]!r} in {name!r}"
        try:
            found.shapes.append(_shape(one, place))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            found.faults.append(misdrawn(place, error))
    return found.of(image, f"{image[:200]} of {name}")


def _shape(entry: dict[str, Any], place: str) -> Shape:
    given, label = entry["coordinates"], class_name(str(entry["label"]))
    x, y, width, height = (number(given[key], f"`{key}`") for key in ("x", "y", "width", "height"))
    # to a millionth of a pixel, which undoes the halving
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    left, top, right, bottom = (round(edge, 6) for edge in edges)
    return Shape(label, f"{place} ({label[:80]})", (left, top, right, bottom))


def createml_json(images: Iterable[tuple[str, Boxes]], *, scores: bool = False) -> str:
    """Boxes → the file of a data set.

    Create ML knows neither difficult objects nor crowds: they are left out, as what a detector need
    not find. A score stands in `confidence`, which it passes over.

    Args:
        images: (file name, its boxes), in order.
    """
    document = []
    for filename, boxes in images:
        entries = []
        for one in boxes.take(boxes.counted):
            left, top, right, bottom = one.xyxy
            centre = {"x": (left + right) / 2, "y": (top + bottom) / 2}
            sides = {"width": right - left, "height": bottom - top}
            entry: dict[str, Any] = {"label": one.name, "coordinates": {**centre, **sides}}
            entries.append(entry | ({"confidence": round(one.score, 6)} if scores else {}))
        document.append({"image": filename, "annotations": entries})
    return dumps(document, indent=1) + "\n"
