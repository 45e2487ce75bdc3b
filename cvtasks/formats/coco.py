"""COCO's annotation file, one JSON for all images ⇄ `Boxes` (Lin et al., "Microsoft COCO";
https://cocodataset.org/#format-data).

A box there is (left, top, width, height) in pixels, edges as here. Ids are whatever their author
chose.
"""

import json
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
from cvtasks.formats.drawn import (
    UPRIGHT_PIXELS,
    Drawn,
    boxes_of,
    declared_size,
    in_pixels,
    unknown,
)
from cvtasks.formats.fiftyone import no_export
from cvtasks.formats.reading import EMPTY, OUTLINES, flag
from cvtasks.geometry.rings import joined, pieces
from cvtasks.geometry.rle import rle_part
from cvtasks.text import encodable, some


@dataclass(frozen=True)
class CocoObject:
    """An entry of `annotations` as the file has it; an angle in radians, and the outline only where
    there is no box, or it was asked for.
    """

    id: Any
    box: Any
    label: int
    area: Any
    crowd: bool
    ignored: bool
    angle: float
    outline: Any


@dataclass(frozen=True)
class CocoImage:
    """An entry of `images`: its id, its file's name, the (height, width) it declares, its objects,
    and whether this package wrote it, so that its boxes are on the upright image.
    """

    id: Id
    file_name: str
    size: tuple[Any, Any]
    objects: tuple[CocoObject, ...]
    own: bool = False


@dataclass(frozen=True)
class CocoFile:
    """What one JSON holds.

    Attributes:
        categories: name → id, in the order of the ids, which is the order of the classes.
        remarks: what was passed over in reading, in sentences.
    """

    images: tuple[CocoImage, ...]
    categories: dict[str, Id]
    remarks: tuple[str, ...] = ()


def parse_coco(
    content: bytes, name: str, complain: Complain = strictly, *, outlines: bool = False
) -> CocoFile:
    """Read the JSON of a data set; boxes are looked at by `coco_boxes`, image by image.

    A category that no annotation has and all others name as their `supercategory`, itself of the
    supercategory "none", is no class: Roboflow's export puts the name of the project there. Nor are
    `_background_` and `__ignore__` of LabelMe where no annotation has them.

    Args:
        complain: about an annotation whose id is another's too, that names no image or category, or
            has a flag that is none. If it returns, the annotation is left out.
        outlines: keep those of objects with boxes too.

    Raises:
        DataError: it is no JSON, not a data set, or an image or category has the id of another.
    """
    try:
        document = json.loads(content)
        if not isinstance(document, dict) or not all(
            isinstance(document.get(key), list) for key in _LISTS
        ):
            raise _no_data_set(document, name)
        info = document.get("info")
        own = isinstance(info, dict) and info.get("contributor") == _OWN
        ordered, remarks = categories_of(document, name)
        unique("image", (id_of(entry["id"]) for entry in document["images"]), name)
        objects = _objects(
            document, {key: label for label, key in enumerate(ordered)}, name, complain, outlines
        )
        images = tuple(
            CocoImage(
                id_of(entry["id"]),
                str(entry["file_name"]),
                (entry.get("height"), entry.get("width")),
                tuple(objects[id_of(entry["id"])]),
                own,
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
    return CocoFile(images, {what: key for key, what in ordered.items()}, remarks)


def _no_data_set(document: Any, name: str) -> DataError:
    """The error for JSON that is no object of COCO's lists."""
    rule = f"COCO's JSON is an object of lists: {', '.join(_LISTS)}"
    if isinstance(document, list):
        first = document[0] if document else None
        if isinstance(first, dict) and {"image_id", "score"} <= first.keys():
            return DataError(
                f"{rule}; {name!r} is a list of results, which are scored as predictions, not read "
                "as data.",
                ways={"predictions": ""},
            )
        got = "is a list"
    elif said := no_export(document):
        return DataError(f"a JSON of labels must be of a format that is read; {name!r}: {said}.")
    elif isinstance(document, dict):
        lacking = [key for key in _LISTS if not isinstance(document.get(key), list)]
        keys = [repr(encodable(key)[:40]) for key in document]
        top = some(keys, 8) or "nothing"
        got = f"has no list {' and no list '.join(lacking)}: at its top is {top}"
    else:
        got = "is neither object nor list"
    return DataError(
        f"{rule}; {name!r} {got}. Write the labels as COCO's, or in another format that is read, "
        "or move the file away where it holds none."
    )


def _objects(
    document: dict[str, Any],
    labels: dict[Id, int],
    name: str,
    complain: Complain,
    outlines: bool,
) -> dict[Id, list[CocoObject]]:
    """Id of each image → its annotations, as `CocoImage` has them."""
    objects: dict[Id, list[CocoObject]] = {id_of(entry["id"]): [] for entry in document["images"]}
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
        kept = outlines or not box or box in ([0, 0, 0, 0], [0])
        outline = entry.get("segmentation") if kept else None
        objects[image].append(
            CocoObject(number, box, labels[category], entry.get("area"), *flags, angle, outline)
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
        complain: about a box that is not four numbers, has a negative side, seems to be in shares
            of the image, or does not fit (`fit` of `cvtasks.formats.reading`), and an area that is
            no number. If it returns, the object is left out.
        habit: whether other images show that boxes were drawn on "upright" or "stored" pixels.

    Raises:
        DataError: the image has another shape than the file declares, or nothing tells on which
            pixels boxes were drawn.
    """
    objects: list[Drawn] = []
    own: tuple[str, ...] = ()
    for entry in image.objects:
        try:
            drawn = _drawn(entry, f"annotation {entry.id} of {name!r}")
        except DataError as error:
            complain(error)
            continue
        own += (OUTLINES,) if entry.outline else ()
        if _flat(drawn.edges):
            own += (EMPTY,)
        else:
            objects.append(drawn)
    boxes, changed = boxes_of(
        objects if image.own else in_pixels(objects, size, complain),
        classes,
        size,
        f"{image.file_name} of {name}",
        complain,
        declared=declared_size(*image.size),
        turn=turn,
        habit=(lambda: UPRIGHT_PIXELS) if image.own else habit,
    )
    return boxes, (*own, *changed)


def _drawn(entry: CocoObject, place: str) -> Drawn:
    """An entry as an object.

    Raises:
        DataError: its box is not four numbers, or its area is none.
    """
    box, area = entry.box, entry.area
    try:
        if entry.outline:
            x, y, right, bottom = around(entry.outline)
            box = [x, y, right - x, bottom - y]
        if not isinstance(box, list) or len(box) != 4:
            raise TypeError
        x, y, w, h = (float(side) for side in box)
        area = w * h if area is None else float(area)
    except (TypeError, ValueError, OverflowError, KeyError):
        text = (
            f"a bbox must be four numbers (left, top, width, height), and an area one; {place} has "
            f"{str(box)[:80]}, {str(area)[:80]}. Correct or remove it."
        )
        raise DataError(text, "box missing") from None
    if not abs(area) <= _LARGEST and np.isfinite((x, y, w, h)).all():
        text = f"an area must be a finite number; {place} has {area!r}. Correct or remove it."
        raise DataError(text, "area")
    edges = (x, y, x + w, y + h)
    return Drawn(edges, entry.label, place, entry.ignored, entry.crowd, entry.angle, area)


def coco_document(
    images: Iterable[tuple[str, Boxes]],
    classes: tuple[str, ...],
    *,
    scores: bool = False,
    ids: Mapping[str, Id] | None = None,
    polygons: bool = False,
) -> dict[str, Any]:
    """Boxes → COCO's JSON of a data set, as a dictionary; of instances with their masks as run
    lengths, `segmentation`.

    With scores it still is one, and its `annotations` are COCO's list of results. Images are
    numbered from 1, annotations and categories too (pycocotools mistakes an annotation 0 for none).

    Args:
        images: (file name, its boxes), in order. File names must differ.
        classes: all of them, in order.
        scores: write a `score` into each annotation: these are predictions.
        ids: class → id, where the numbers are given from elsewhere; 1, 2, 3 … otherwise.
        polygons: write masks as the polygons around their pieces, but those of crowds. They say the
            same: a hole is joined to the ring around it by a line there and back.
    """
    numbers: Mapping[str, Id] = (
        {name: number for number, name in enumerate(classes, start=1)} if ids is None else ids
    )
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, boxes) in enumerate(images, start=1):
        height, width = boxes.size
        segmentations = boxes.segmentations()
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
            if segmentations:
                whole = segmentations[index]
                drawn = polygons and not boxes.crowd[index] and _polygons(whole)
                entry["segmentation"] = drawn or whole
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


def _polygons(rle: dict[str, Any]) -> list[list[int]]:
    """The polygons around the pieces of a mask, along the edges of its pixels."""
    found = pieces(*rle_part(rle["counts"].encode("ascii"), tuple(rle["size"])))
    return [joined([piece.outer, *piece.holes]).ravel().tolist() for piece in found]


def _flat(edges: tuple[float, ...]) -> bool:
    """Whether a box that lies within float32 has no width or no height there."""
    if not np.abs(edges).max() <= _LARGEST:
        return False
    left, top, right, bottom = np.array(edges, np.float32).tolist()
    return left == right or top == bottom


_OWN = "cvtasks"
_LISTS = ("images", "annotations", "categories")
_LARGEST = float(np.finfo(np.float32).max)
