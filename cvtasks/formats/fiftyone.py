"""FiftyOne's own exports, `labels.json` of its `FiftyOneImageDetectionDataset` and
`FiftyOneImageClassificationDataset` (https://docs.voxel51.com/user_guide/export_datasets.html)
→ shapes and tags.

An image is named by its file without the ending. Boxes are left, top, width and height in shares of
the sides of the upright image; a label is a class or its place in `classes`, counted from 0.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cvtasks.formats.reading import flag, tool_json
from cvtasks.formats.shapes import Gathered, ImageShapes, Shape, ToolFile, misdrawn, number
from cvtasks.text import encodable

CLASSES, LABELS, BOX = "classes", "labels", "bounding_box"
_LABEL = "label"
_FLAWED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


def parse_fiftyone(content: bytes, name: str) -> ToolFile:
    """Read the file of a data set: of boxes, or of classes of whole images, which are tags here. An
    image whose entry is null has not been labelled. The attributes `iscrowd` and `difficult` of an
    object count, all others are passed over.

    Raises:
        DataError: it is no such JSON.
    """
    rule = f"FiftyOne's JSON has `{CLASSES}` and, by the names of images, `{LABELS}`"
    with tool_json(name, rule):
        document = json.loads(content)
        given, entries = document[CLASSES], document[LABELS]
        if not isinstance(given, list | None) or not all(
            isinstance(one, str) for one in given or ()
        ):
            raise TypeError(f"`{CLASSES}`: a list of names, or null")
        if not isinstance(entries, dict):
            raise TypeError(f"`{LABELS}`: an object with an entry for each image")
        classes = tuple(map(encodable, given or ()))
        found = ToolFile(
            tuple(_image(image, entry, classes, name) for image, entry in entries.items()),
            tuple(dict.fromkeys(classes)),
        )
    return found


def _image(image: str, entry: Any, classes: Sequence[str], name: str) -> ImageShapes:
    source, found = f"{image[:200]} of {name}", Gathered()
    if entry is None:
        return replace(found.of(image, source), waiting=True)
    for index, one in enumerate(entry if isinstance(entry, list) else [entry], start=1):
        place = f"label {index} of {image[:200]!r} in {name!r}"
        try:
            if isinstance(one, dict) and BOX in one:
                found.shapes.append(_shape(one, classes, place))
            else:
                given = one[_LABEL] if isinstance(one, dict) else one
                found.tags.append(_class(given, classes))
        except _FLAWED as error:
            found.faults.append(misdrawn(place, error))
    return found.of(image, source, in_shares=True)


def _shape(entry: dict[str, Any], classes: Sequence[str], place: str) -> Shape:
    label = _class(entry[_LABEL], classes)
    left, top, width, height = (number(side, f"`{BOX}`") for side in entry[BOX])
    said = entry.get("attributes") or {}
    return Shape(
        label,
        f"{place} ({label[:80]})",
        (left, top, left + width, top + height),
        difficult=flag(said.get("difficult")),
        crowd=flag(said.get("iscrowd")),
    )


def _class(given: Any, classes: Sequence[str]) -> str:
    """The class that a label is, or names by its place.

    Raises:
        ValueError: it is none.
    """
    if isinstance(given, str) and given:
        return encodable(given)
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError(f"a label is a class or the number of one; got {str(given)[:80]!r}")
    if not classes:
        return str(given)
    if given >= len(classes):
        raise ValueError(
            f"a number of a class is a place in `{CLASSES}`, 0 to {len(classes) - 1}; got {given}"
        )
    return classes[given]
