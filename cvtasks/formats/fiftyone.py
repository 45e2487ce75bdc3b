"""FiftyOne's own exports, `labels.json` of its `FiftyOneImageDetectionDataset` and
`FiftyOneImageClassificationDataset` (https://docs.voxel51.com/user_guide/export_datasets.html)
→ shapes and tags.

An image is named by its file without the ending. Boxes are left, top, width and height in shares of
the sides of the upright image; a label is a class or its place in `classes`, counted from 0.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cvtasks.errors import DataError
from cvtasks.formats.reading import flag, tool_json
from cvtasks.formats.shapes import Gathered, ImageShapes, Shape, ToolFile, misdrawn, number
from cvtasks.text import class_name

CLASSES, LABELS, BOX = "classes", "labels", "bounding_box"
_LABEL, _POINTS = "label", "points"
_FLAWED = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


def parse_fiftyone(content: bytes, name: str) -> ToolFile:
    """Read the file of a data set: of boxes, or of classes of whole images, which are tags here;
    what most of its labels are, and each of the others is a fault. An image whose entry is null has
    not been labelled. The attributes `iscrowd` and `difficult` of an object count, all others are
    passed over.

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
        classes = tuple(map(class_name, given or ()))
        images = [_image(image, entry, classes, name) for image, entry in entries.items()]
    return ToolFile(tuple(_of_one_kind(images, name)), tuple(dict.fromkeys(classes)))


def _of_one_kind(images: Sequence[ImageShapes], name: str) -> Iterator[ImageShapes]:
    """The images with boxes alone, or with classes alone, whichever there are more of."""
    boxes = sum(len(one.shapes) for one in images)
    tags = sum(len(one.tags) for one in images)
    for one in images:
        other, what, most = (
            (one.tags, "the class", "boxes")
            if boxes >= tags
            else ([shape.name for shape in one.shapes], "the box of", "classes of whole images")
        )
        faults = [
            DataError(
                f"labels are boxes, or classes of whole images, all in one file; in {name!r} most "
                f"are {most}, and {one.image[:200]!r} has {what} {label[:80]!r}. Correct it, or "
                "take it out.",
                "shape",
            )
            for label in other
        ]
        kept = replace(one, tags=()) if boxes >= tags else replace(one, shapes=())
        yield replace(kept, faults=(*one.faults, *faults))


def _image(image: str, entry: Any, classes: Sequence[str], name: str) -> ImageShapes:
    source, found = f"{image[:200]} of {name}", Gathered()
    if entry is None:
        return replace(found.of(image, source), waiting=True)
    for index, one in enumerate(entry if isinstance(entry, list) else [entry], start=1):
        place = f"label {index} of {image[:200]!r} in {name!r}"
        try:
            if isinstance(one, dict) and _POINTS in one:
                raise ValueError(f"a label is a box or a class; this one has `{_POINTS}`")
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
    if not isinstance(said, dict):
        raise ValueError(f"`attributes` must be an object with their names; got {str(said)[:80]!r}")
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
        return class_name(given)
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise ValueError(f"a label is a class or the number of one; got {str(given)[:80]!r}")
    if not classes:
        return str(given)
    if given >= len(classes):
        raise ValueError(
            f"a number of a class is a place in `{CLASSES}`, 0 to {len(classes) - 1}; got {given}"
        )
    return classes[given]


def no_export(document: Any) -> str:
    """What other JSON of FiftyOne's is, and the way out, in words; empty for any other JSON."""
    keys = document.keys() if isinstance(document, dict) else set()
    if keys == {"samples"}:
        return (
            "it is of FiftyOne's own data set (FiftyOneDataset), which is not read: export as "
            "FiftyOneImageDetectionDataset, FiftyOneImageClassificationDataset or "
            "COCODetectionDataset"
        )
    if not keys or not keys <= {CLASSES, LABELS} or LABELS not in keys:
        return ""
    labels = document[LABELS]
    if not isinstance(labels, dict):
        return (
            f"FiftyOne's `{LABELS}` is an object with an entry for each image, by its name; this "
            f"one is {'a list' if isinstance(labels, list) else 'none'}: export it again"
        )
    if not labels:
        return f"FiftyOne's `{LABELS}` has an entry for each image, and this one is empty: label it"
    return (
        f"FiftyOne's JSON has `{CLASSES}` beside `{LABELS}`: add the list of them, or null where "
        "labels are names"
    )
