"""COCO's annotation file, one JSON for all pictures ⇄ `Boxes` (Lin et al., "Microsoft COCO"; https://cocodataset.org/#format-data).

A box there is (left, top, width, height) in pixels, edges as here. Ids are whatever their author chose.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import EMPTY, RESIZED, fit
from cvtasks.text import encodable

Id = int | str
"""An image's or a category's id. Text that is a whole number becomes that number: some programs write "7" for 7."""


@dataclass(frozen=True)
class CocoImage:
    """An entry of `images`: its id, its file's name, and its objects as the file has them, (id, box, label, area, crowd, ignored)."""

    id: Id
    file_name: str
    size: tuple[Any, Any]
    objects: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class CocoFile:
    """What one JSON holds. `categories`: name → id, in the order of the ids, which is the order of the classes."""

    images: tuple[CocoImage, ...]
    categories: dict[str, Id]


def parse_coco(content: bytes, name: str, complain: Complain = strictly) -> CocoFile:
    """Read the JSON of a data set; boxes are looked at by `coco_boxes`, picture by picture.

    Args:
        complain: about an annotation whose id is another's too, or that names no image or category. If it returns, the
            annotation is left out.

    Raises:
        DataError: it is no JSON, not a data set, or an image or category has the id of another.
    """
    try:
        document = json.loads(content)
        if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in _LISTS):
            raise DataError(
                f"COCO's JSON is an object of lists: {', '.join(_LISTS)}; {name!r} is not. A bare list holds results, which "
                "`cvtasks evaluate --predictions` scores."
            )
        categories = {_id(entry["id"]): encodable(str(entry["name"])) for entry in document["categories"]}
        _unique("category", (entry["id"] for entry in document["categories"]), name)
        _unique("category's name", (entry["name"] for entry in document["categories"]), name)
        _unique("image", (entry["id"] for entry in document["images"]), name)
        ordered = dict(sorted(categories.items(), key=lambda item: _order(item[0])))
        labels = {key: label for label, key in enumerate(ordered)}
        objects: dict[Id, list[tuple[Any, ...]]] = {_id(entry["id"]): [] for entry in document["images"]}
        seen: set[Id] = set()
        for entry in document["annotations"]:
            image, category, number = _id(entry["image_id"]), _id(entry["category_id"]), entry.get("id", "?")
            if "id" in entry and _id(number) in seen:
                complain(_twice("annotation", number, name))
                continue
            if image not in objects or category not in labels:
                what, key = ("image", image) if image not in objects else ("category", category)
                text = f"every {what}_id must be that of an entry; annotation {number} of {name!r} has {key!r}."
                complain(DataError(text, f"{what} unknown"))
                continue
            seen |= {_id(number)} if "id" in entry else set()
            flags = bool(entry.get("iscrowd", 0)), bool(entry.get("ignore", 0))
            objects[image].append((number, entry.get("bbox"), labels[category], entry.get("area"), *flags))
        images = tuple(
            CocoImage(
                _id(entry["id"]),
                str(entry["file_name"]),
                (entry.get("height"), entry.get("width")),
                tuple(objects[_id(entry["id"])]),
            )
            for entry in sorted(document["images"], key=lambda entry: _order(_id(entry["id"])))  # scores tie as in pycocotools
        )
    except (ValueError, RecursionError) as error:
        raise DataError(f"an annotation must be JSON; {name!r} is not: {error}. Write it again.") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"an entry of {name!r} lacks or misstates what COCO asks for: {type(error).__name__}: {error}."
        ) from error
    if not ordered:
        raise DataError(f"COCO's JSON needs at least one category; {name!r} has none. Add the classes to `categories`.")
    return CocoFile(images, {what: key for key, what in ordered.items()})


def coco_boxes(
    image: CocoImage, classes: tuple[str, ...], size: tuple[int, int], name: str, complain: Complain = strictly
) -> tuple[Boxes, tuple[str, ...]]:
    """The objects of one image of a file, and remarks about what was changed in reading.

    `iscrowd` is crowd, `ignore` difficult, `area` the object's area (the box's where there is none). COCO has a few boxes
    without width or height: they can neither be found nor learned, and are passed over with a remark.

    Args:
        size: (height, width) of the picture as it really is.
        complain: about a box that is not four numbers, has a negative side, or does not fit (`fit` of
            `cvtasks.formats.reading`), and an area that is no number. If it returns, the object is left out.
    """
    rows = []
    for number, box, label, area, crowd, ignored in image.objects:
        place = f"annotation {number} of {name!r}"
        try:
            if not isinstance(box, list) or len(box) != 4:
                raise TypeError
            x, y, w, h = (float(side) for side in box)
            area = w * h if area is None else float(area)
        except (TypeError, ValueError, OverflowError):
            received = f"{str(box)[:80]}, {str(area)[:80]}"
            text = f"a bbox must be four numbers (left, top, width, height), and an area one; {place} has {received}."
            complain(DataError(text, "box missing"))
            continue
        if not abs(area) <= _LARGEST and np.isfinite((x, y, w, h)).all():
            text = f"an area must be a finite number; {place} has {area!r}. Correct or remove it."
            complain(DataError(text, "area"))
            continue
        rows.append(((x, y, x + w, y + h), label, ignored, crowd, area, place))
    kept = [row for row in rows if not _flat(row[0])]
    edges, labels, ignored, crowd, areas, places = zip(*kept, strict=True) if kept else ((),) * 6
    xyxy, remarks, good = fit(np.array(edges, np.float64), size, places, complain)
    labels, ignored, crowd, areas = ([part[index] for index in good] for part in (labels, ignored, crowd, areas))
    remarks += (EMPTY,) * (len(rows) - len(kept))
    if all(image.size) and image.size != size:
        remarks += (RESIZED,)
    return Boxes.of(xyxy, labels, classes, size, difficult=ignored, crowd=crowd, areas=areas), remarks


def coco_document(
    pictures: Iterable[tuple[str, Boxes]],
    classes: tuple[str, ...],
    *,
    scores: bool = False,
    ids: Mapping[str, Id] | None = None,
) -> dict[str, Any]:
    """Boxes → COCO's JSON of a data set, as a dictionary.

    With scores it still is one, and its `annotations` are COCO's list of results. Images are numbered from 1,
    annotations and categories too (pycocotools mistakes an annotation 0 for none).

    Args:
        pictures: (file name, its boxes), in order. File names must differ.
        classes: all of them, in order.
        scores: write a `score` into each annotation: these are predictions.
        ids: class → id, where the numbers are given from elsewhere; 1, 2, 3 … otherwise.
    """
    numbers: Mapping[str, Id] = {name: number for number, name in enumerate(classes, start=1)} if ids is None else ids
    images, annotations = [], []
    for image_id, (file_name, boxes) in enumerate(pictures, start=1):
        height, width = boxes.size
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for index, (left, top, right, bottom) in enumerate(boxes.xyxy.tolist()):
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": numbers[boxes.classes[boxes.labels[index]]],
                "bbox": [left, top, right - left, bottom - top],  # of float32 numbers, exact enough to come back the same
                "area": float(boxes.areas[index]),
                "iscrowd": int(boxes.crowd[index]),
            }
            if boxes.difficult[index]:
                entry["ignore"] = 1
            if scores:
                entry["score"] = round(float(boxes.scores[index]), 6)
            annotations.append(entry)
    categories = [{"id": numbers[name], "name": name} for name in classes]
    return {"images": images, "annotations": annotations, "categories": categories}


def _flat(edges: tuple[float, ...]) -> bool:
    """Whether a box that lies within float32 has no width or no height there."""
    if not np.abs(edges).max() <= _LARGEST:
        return False
    left, top, right, bottom = np.array(edges, np.float32).tolist()
    return left == right or top == bottom


_LISTS = ("images", "annotations", "categories")
_LARGEST = float(np.finfo(np.float32).max)


def _id(value: Any) -> Id:
    if isinstance(value, str):
        return int(value) if value.isdecimal() else value
    if isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0:  # also of NaN and infinity
        raise TypeError(f"an id must be a whole number or text; got {value!r}")
    return int(value)


def _order(key: Id) -> tuple[bool, Id]:
    """Numbers first, then texts."""
    return isinstance(key, str), key


def _unique(what: str, ids: Iterable[Any], name: str) -> None:
    seen = set()
    for key in map(_id, ids):
        if key in seen:
            raise _twice(what, key, name)
        seen.add(key)


def _twice(what: str, key: Id, name: str) -> DataError:
    return DataError(f"every {what} needs an id of its own; {name!r} has {key!r} twice. Renumber them.", "id twice")
