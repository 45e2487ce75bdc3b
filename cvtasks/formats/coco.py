"""COCO's annotation file, one JSON for all images ⇄ `Boxes` (Lin et al., "Microsoft COCO";
https://cocodataset.org/#format-data).

A box there is (left, top, width, height) in pixels, edges as here. Ids are whatever their author
chose.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.coco_entries import (
    Id,
    angle_of,
    around,
    categories_of,
    id_of,
    order_of,
    twice_of,
    unique,
)
from cvtasks.formats.drawn import cut_where, declared_size, placed, turned_about, unknown
from cvtasks.formats.reading import EMPTY, OUTLINES, RESIZED, ROTATED, fit, flag, once


@dataclass(frozen=True)
class CocoImage:
    """An entry of `images`: its id, its file's name, the (height, width) it declares, and its
    objects as the file has them.

    An object is (id, box, label, area, crowd, ignored, angle in radians, outline); the outline only
    where there is no box.
    """

    id: Id
    file_name: str
    size: tuple[Any, Any]
    objects: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class CocoFile:
    """What one JSON holds.

    Attributes:
        categories: name → id, in the order of the ids, which is the order of the classes.
        own: whether this package wrote it, so that its boxes are on upright images.
        remarks: what was passed over in reading, in sentences.
    """

    images: tuple[CocoImage, ...]
    categories: dict[str, Id]
    own: bool = False
    remarks: tuple[str, ...] = ()


def parse_coco(content: bytes, name: str, complain: Complain = strictly) -> CocoFile:
    """Read the JSON of a data set; boxes are looked at by `coco_boxes`, image by image.

    A category that no annotation has and all others name as their `supercategory`, itself of the
    supercategory "none", is no class: Roboflow's export puts the name of the project there. Nor are
    `_background_` and `__ignore__` of LabelMe where no annotation has them.

    Args:
        complain: about an annotation whose id is another's too, that names no image or category, or
            has a flag that is none. If it returns, the annotation is left out.

    Raises:
        DataError: it is no JSON, not a data set, or an image or category has the id of another.
    """
    try:
        document = json.loads(content)
        if not isinstance(document, dict) or not all(
            isinstance(document.get(key), list) for key in _LISTS
        ):
            raise DataError(
                f"COCO's JSON is an object of lists: {', '.join(_LISTS)}; {name!r} is not. A bare "
                "list holds results, which "
                "`cvtasks evaluate --predictions` scores."
            )
        ordered, remarks = categories_of(document, name)
        unique("image", (id_of(entry["id"]) for entry in document["images"]), name)
        objects = _objects(
            document, {key: label for label, key in enumerate(ordered)}, name, complain
        )
        images = tuple(
            CocoImage(
                id_of(entry["id"]),
                str(entry["file_name"]),
                (entry.get("height"), entry.get("width")),
                tuple(objects[id_of(entry["id"])]),
            )
            # scores tie as in pycocotools
            for entry in sorted(document["images"], key=lambda entry: order_of(id_of(entry["id"])))
        )
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"an annotation must be JSON; {name!r} is not: {error}. Write it again."
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"an entry of {name!r} lacks or misstates what COCO asks for: {type(error).__name__}: "
            f"{error}. Correct it."
        ) from error
    if not ordered:
        raise DataError(
            f"COCO's JSON needs at least one category; {name!r} has none. Add the classes to "
            "`categories`."
        )
    info = document.get("info")
    own = isinstance(info, dict) and info.get("contributor") == _OWN
    return CocoFile(images, {what: key for key, what in ordered.items()}, own, remarks)


def _objects(
    document: dict[str, Any], labels: dict[Id, int], name: str, complain: Complain
) -> dict[Id, list[tuple[Any, ...]]]:
    """Id of each image → its annotations, as `CocoImage` has them."""
    objects: dict[Id, list[tuple[Any, ...]]] = {
        id_of(entry["id"]): [] for entry in document["images"]
    }
    seen: set[Id] = set()
    for entry in document["annotations"]:
        image, category, number = (
            id_of(entry["image_id"]),
            id_of(entry["category_id"]),
            entry.get("id", "?"),
        )
        if "id" in entry and id_of(number) in seen:
            complain(twice_of("annotation", number, name))
            continue
        if image not in objects or category not in labels:
            what, key = ("image", image) if image not in objects else ("category", category)
            text = (
                f"every {what}_id must be that of an entry; annotation {number} of {name!r} has "
                f"{key!r}. Correct or remove it."
            )
            complain(DataError(text, f"{what} unknown"))
            continue
        seen |= {id_of(number)} if "id" in entry else set()
        try:
            flags, angle = (flag(entry.get("iscrowd")), flag(entry.get("ignore"))), angle_of(entry)
        except ValueError as error:
            text = (
                f"`iscrowd` and `ignore` are flags, `rotation` is degrees; annotation {number} of "
                f"{name!r}: {error}. Correct it."
            )
            complain(DataError(text, "flag"))
            continue
        box = entry.get("bbox")
        outline = entry.get("segmentation") if not box or box in ([0, 0, 0, 0], [0]) else None
        objects[image].append(
            (number, box, labels[category], entry.get("area"), *flags, angle, outline)
        )
    return objects


def coco_boxes(
    image: CocoImage,
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
) -> tuple[Boxes, tuple[str, ...]]:
    """The objects of one image of a file, and remarks about what was changed in reading.

    `iscrowd` is crowd, `ignore` difficult, `area` the object's area (the box's where there is
    none). Where there is no `bbox`, the box is that around the outline. A box that CVAT has turned
    becomes the upright one around it. COCO has a few boxes without width or height: they can
    neither be found nor learned, and are passed over with a remark, and so are doubles. Where the
    image has another size than the file declares, boxes are scaled, or turned with it
    (`cvtasks.formats.drawn`).

    Args:
        size: (height, width) of the image as it really is, upright. turn: its EXIF orientation.
        complain: about a box that is not four numbers, has a negative side, or does not fit (`fit`
            of `cvtasks.formats.reading`), and an area that is no number. If it returns, the object
            is left out.
        habit: whether other images show that boxes were drawn on "upright" or "stored" pixels.

    Raises:
        DataError: the image has another shape than the file declares, or nothing tells on which
            pixels boxes were drawn.
    """
    rows, outlines = [], 0
    for number, box, label, area, crowd, ignored, angle, outline in image.objects:
        place = f"annotation {number} of {name!r}"
        try:
            if outline:
                x, y, right, bottom = around(outline)
                box, outlines = [x, y, right - x, bottom - y], outlines + 1
            if not isinstance(box, list) or len(box) != 4:
                raise TypeError
            x, y, w, h = (float(side) for side in box)
            area = w * h if area is None else float(area)
        except (TypeError, ValueError, OverflowError, KeyError):
            received = f"{str(box)[:80]}, {str(area)[:80]}"
            text = (
                f"a bbox must be four numbers (left, top, width, height), and an area one; {place} "
                f"has {received}. Correct or remove it."
            )
            complain(DataError(text, "box missing"))
            continue
        if not abs(area) <= _LARGEST and np.isfinite((x, y, w, h)).all():
            text = f"an area must be a finite number; {place} has {area!r}. Correct or remove it."
            complain(DataError(text, "area"))
            continue
        rows.append(((x, y, x + w, y + h), label, ignored, crowd, area, angle, place))
    kept = [row for row in rows if not _flat(row[0])]
    columns: list[list[Any]] = (
        [list(column) for column in zip(*kept, strict=True)] if kept else [[]] * 7
    )
    edges, labels, ignored, crowd, areas, tilts, places = columns
    xyxy, angles = np.array(edges, np.float64).reshape(-1, 4), np.array(tilts, np.float64)
    declared = declared_size(*image.size)
    xyxy, moved = placed(
        turned_about(xyxy, angles), declared, size, f"{image.file_name} of {name}", turn, habit
    )
    if declared and RESIZED in moved:
        areas = [area * (math.prod(size) / math.prod(declared)) for area in areas]
    xyxy, remarks, good = fit(cut_where(xyxy, angles != 0, size), size, places, complain)
    labels, ignored, crowd, areas = (
        [part[index] for index in good] for part in (labels, ignored, crowd, areas)
    )
    first, twice = once(xyxy, labels, [not (a or b) for a, b in zip(ignored, crowd, strict=True)])
    labels, ignored, crowd, areas = (
        [part[index] for index in first] for part in (labels, ignored, crowd, areas)
    )
    remarks += (EMPTY,) * (len(rows) - len(kept)) + (OUTLINES,) * outlines
    remarks += (ROTATED,) * int((angles[good] != 0).sum()) + moved + twice
    return Boxes.of(
        xyxy[first], labels, classes, size, difficult=ignored, crowd=crowd, areas=areas
    ), remarks


def coco_document(
    images: Iterable[tuple[str, Boxes]],
    classes: tuple[str, ...],
    *,
    scores: bool = False,
    ids: Mapping[str, Id] | None = None,
) -> dict[str, Any]:
    """Boxes → COCO's JSON of a data set, as a dictionary.

    With scores it still is one, and its `annotations` are COCO's list of results. Images are
    numbered from 1, annotations and categories too (pycocotools mistakes an annotation 0 for none).

    Args:
        images: (file name, its boxes), in order. File names must differ.
        classes: all of them, in order.
        scores: write a `score` into each annotation: these are predictions.
        ids: class → id, where the numbers are given from elsewhere; 1, 2, 3 … otherwise.
    """
    numbers: Mapping[str, Id] = (
        {name: number for number, name in enumerate(classes, start=1)} if ids is None else ids
    )
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, boxes) in enumerate(images, start=1):
        height, width = boxes.size
        listed.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for index, (left, top, right, bottom) in enumerate(boxes.xyxy.tolist()):
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": numbers[boxes.classes[boxes.labels[index]]],
                "bbox": [
                    left,
                    top,
                    right - left,
                    bottom - top,
                ],  # of float32 numbers, exact enough to come back the same
                "area": float(boxes.areas[index]),
                "iscrowd": int(boxes.crowd[index]),
            }
            if boxes.difficult[index]:
                entry["ignore"] = 1
            if scores:
                entry["score"] = round(float(boxes.scores[index]), 6)
            annotations.append(entry)
    categories = [{"id": numbers[name], "name": name} for name in classes]
    return {
        "info": {"contributor": _OWN},
        "images": listed,
        "annotations": annotations,
        "categories": categories,
    }


def _flat(edges: tuple[float, ...]) -> bool:
    """Whether a box that lies within float32 has no width or no height there."""
    if not np.abs(edges).max() <= _LARGEST:
        return False
    left, top, right, bottom = np.array(edges, np.float32).tolist()
    return left == right or top == bottom


_OWN = "cvtasks"
_LISTS = ("images", "annotations", "categories")
_LARGEST = float(np.finfo(np.float32).max)
