"""VGG Image Annotator 2: its project or its export of annotations, one JSON for all images
(https://www.robots.ox.ac.uk/~vgg/software/via) ⇄ shapes.

Coordinates are in pixels of the image as a browser shows it, upright.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from cvtasks.answers import Boxes
from cvtasks.errors import DataError, did_you_mean
from cvtasks.formats.reading import tool_json
from cvtasks.formats.shapes import (
    Gathered,
    ImageShapes,
    Shape,
    ToolFile,
    ellipse,
    misdrawn,
    number,
    of_no_use,
    polygon,
)
from cvtasks.text import class_name, dumps

_METADATA = "_via_img_metadata"


def parse_via(content: bytes, name: str, attribute: str = "") -> ToolFile:
    """Read a project or an export. Rectangles, polygons, circles and ellipses are objects.

    Args:
        attribute: of a region, which one is its class; may be empty where regions have one alone.

    Raises:
        DataError: it is no such JSON, regions have no such attribute, or several and none is named.
    """
    with tool_json(
        name,
        "VIA's JSON is an object of images with `filename` and `regions`",
        "Export it again, with VIA 2.",
    ):
        document = json.loads(content)
        entries = list(document.get(_METADATA, document).values())
        every = [(entry, _regions(entry)) for entry in entries]
        attribute = attribute or _attribute([one for _, own in every for one in own], name)
        found = ToolFile(tuple(_image(entry, own, attribute, name) for entry, own in every))
    return found


def _regions(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The regions of an image; VIA 1 numbers them."""
    found = entry["regions"]
    regions = list(found.values()) if isinstance(found, dict) else list(found)
    for region in regions:
        if not isinstance(region.get("region_attributes", {}), dict):
            raise TypeError("region_attributes")
    return regions


def _attribute(regions: list[dict[str, Any]], name: str) -> str:
    """The one attribute that regions have."""
    counts = Counter(
        str(key)
        for region in regions
        for key, value in region.get("region_attributes", {}).items()
        if value not in ("", {}, None)
    )
    if len(counts) > 1:
        counts.pop("score", None)  # how sure a model was
    if len(counts) > 1:
        some = ", ".join(f"{key} ({count})" for key, count in counts.most_common(20))
        raise DataError(
            "it must be clear which attribute of a region is its class; those of "
            f"{name!r} have {some}. Name one behind the format: "
            f"`data.format = via:{next(iter(counts))}`.",
            "class unclear",
            ways={"format": f"via:{next(iter(counts))}"},
        )
    return next(iter(counts), "")


def _image(
    entry: dict[str, Any], regions: list[dict[str, Any]], attribute: str, name: str
) -> ImageShapes:
    image = str(entry["filename"])
    found = Gathered()
    for index, region in enumerate(regions, start=1):
        place = f"region {index} of {image[:200]!r} in {name!r}"
        try:
            found.shapes.append(_shape(region, attribute, place))
        except DataError as error:
            found.faults.append(error)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            found.faults.append(misdrawn(place, error))
    return found.of(image, f"{image[:200]} of {name}")


def _shape(region: dict[str, Any], attribute: str, place: str) -> Shape:
    given = region["shape_attributes"]
    attributes = region.get("region_attributes", {})
    value = attributes.get(attribute)
    if isinstance(value, dict):  # boxes that were ticked
        ticked = [key for key, yes in value.items() if yes]
        value = ticked[0] if len(ticked) == 1 else None
    if value is None or value == "":
        near = did_you_mean(attribute, map(str, attributes)) if attribute else ""
        raise ValueError(f"it has no one value of the attribute {attribute!r}, its class. {near}")
    label, kind = class_name(str(value).strip()), given["name"]
    place = f"{place} ({label[:80]})"

    def side(key: str) -> float:
        return number(given[key], f"`{key}`")

    if kind == "rect":
        left, top = side("x"), side("y")
        return Shape(label, place, (left, top, left + side("width"), top + side("height")))
    if kind == "polygon":
        across, down = given["all_points_x"], given["all_points_y"]
        points = ((number(x, "x"), number(y, "y")) for x, y in zip(across, down, strict=True))
        return polygon(label, place, points)
    if kind == "circle":
        radius = side("r")
        return ellipse(label, place, (side("cx"), side("cy")), (radius, radius))
    if kind == "ellipse":
        angle = number(given.get("theta") or 0, "`theta`")
        angle = math.radians(angle) if abs(angle) > 2 * math.pi else angle
        return ellipse(label, place, (side("cx"), side("cy")), (side("rx"), side("ry")), angle)
    raise of_no_use(str(kind), place, "VIA")


def via_json(
    images: Iterable[tuple[str, int, Boxes]], classes: tuple[str, ...], *, scores: bool = False
) -> str:
    """Boxes → a project of VIA 2, with the attribute "class"; with scores also "score".

    Difficult objects and crowds are left out, as what a detector need not find: VIA knows neither.

    Args:
        images: (file name, bytes of the file, its boxes), in order.
    """
    metadata: dict[str, Any] = {}
    for filename, size, boxes in images:
        regions = []
        for one in boxes.take(boxes.counted):
            left, top, right, bottom = one.xyxy
            box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
            attributes = {"class": one.name, **({"score": f"{one.score:.6g}"} if scores else {})}
            regions.append(
                {"shape_attributes": {"name": "rect", **box}, "region_attributes": attributes}
            )
        metadata[f"{filename}{size}"] = {
            "filename": filename,
            "size": size,
            "regions": regions,
            "file_attributes": {},
        }
    kinds: dict[str, Any] = {
        "class": {
            "type": "dropdown",
            "description": "",
            "options": dict.fromkeys(classes, ""),
            "default_options": {},
        }
    }
    kinds |= {"score": {"type": "text", "description": "", "default_value": ""}} if scores else {}
    document = {
        "_via_settings": {"project": {"name": "cvtasks"}, "core": {"filepath": {}}},
        _METADATA: metadata,
        "_via_attributes": {"region": kinds, "file": {}},
        "_via_data_format_version": "2.0.10",
        "_via_image_id_list": list(metadata),
    }
    return dumps(document, indent=1) + "\n"
