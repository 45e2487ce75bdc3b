"""The `metadata.jsonl` beside the images of Hugging Face's `imagefolder`
(https://huggingface.co/docs/datasets/image_dataset) → shapes: a line of JSON for each image.

`objects` has their boxes, left, top, width and height in pixels, and their classes, which may be
numbers; `label` is the class of the whole image.
"""

import json
from typing import Any

from cvtasks.formats.reading import tool_json
from cvtasks.formats.shapes import Gathered, ImageShapes, Shape, ToolFile, misdrawn, number
from cvtasks.text import class_name

NAME = "metadata.jsonl"
FILE, OBJECTS = "file_name", "objects"
LABELS = ("label", "labels")
_CLASSES = ("categories", "category", "labels", "label", "classes", "class", "category_id")


def parse_imagefolder(content: bytes, name: str) -> ToolFile:
    """Read the file of a data set.

    Raises:
        DataError: it is no such file.
    """
    images = []
    rule = f"each line of {NAME} is JSON with `{FILE}`, and `{OBJECTS}` or `{LABELS[0]}`"
    lines = content.decode(json.detect_encoding(content), "replace").lstrip("\ufeff").splitlines()
    for row, line in enumerate(lines, start=1):
        if line.strip():
            with tool_json(f"line {row} of {name}", rule):
                images.append(_image(json.loads(line), f"line {row} of {name!r}"))
    return ToolFile(tuple(images))


def _image(entry: dict[str, Any], place: str) -> ImageShapes:
    image, found = str(entry[FILE]), Gathered()
    for key in LABELS:
        given = entry.get(key)
        found.tags += [] if given is None else _names(given if isinstance(given, list) else [given])
    try:
        objects = _objects(entry.get(OBJECTS) or [])
    except (KeyError, TypeError, ValueError) as error:
        found.faults.append(misdrawn(f"`{OBJECTS}` of {image[:200]!r}, {place},", error))
        return found.of(image, place)
    for index, (label, box) in enumerate(objects, start=1):
        where = f"object {index} of {image[:200]!r}, {place}"
        try:
            left, top, width, height = (number(side, "`bbox`") for side in box)
            edges = (left, top, left + width, top + height)
            (named,) = _names([label])
            found.shapes.append(Shape(named, f"{where} ({named[:80]})", edges))
        except (TypeError, ValueError) as error:
            found.faults.append(misdrawn(where, error))
    return found.of(image, place)


def _objects(given: Any) -> list[tuple[Any, Any]]:
    """Class and box of each object: lists side by side, or an entry for each."""
    if isinstance(given, dict):
        return list(zip(given[_key(given)], given["bbox"], strict=True))
    return [(one[_key(one)], one["bbox"]) for one in given]


def _key(entry: dict[str, Any]) -> str:
    """Where the classes stand."""
    return next((key for key in _CLASSES if key in entry), _CLASSES[0])


def _names(labels: list[Any]) -> list[str]:
    """Names, or numbers as text."""
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, str | int) or label == "":
            raise ValueError(f"a class must be a name or a number; got {str(label)[:80]!r}")
    return [class_name(str(label)) for label in labels]
