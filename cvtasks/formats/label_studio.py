"""Label Studio's JSON export, a list of tasks (https://labelstud.io/guide/export; also JSON-MIN) ⇄
shapes.

Coordinates are percent of the image's sides, a rotation is in degrees, clockwise, about the left
top corner of the unrotated rectangle.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from cvtasks.answers import Boxes, Labels
from cvtasks.errors import DataError
from cvtasks.formats.brush import brushed
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.outlines import Outline
from cvtasks.formats.reading import tool_json
from cvtasks.formats.shapes import (
    Gathered,
    ImageShapes,
    Painted,
    Point,
    Shape,
    ToolFile,
    ellipse,
    misdrawn,
    number,
    of_no_use,
    polygon,
)
from cvtasks.geometry.rle import encode_rle
from cvtasks.media.file_types import SUFFIXES
from cvtasks.text import class_name, dumps, encodable, one_line

SEVERAL = "images have several annotations; the one marked as ground truth or the newest was read"
"""A remark for each such image."""

_IMAGES = re.compile(rf"({'|'.join(map(re.escape, SUFFIXES))})(?:$|[?&#])", re.IGNORECASE)
UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_AREAS = {
    "rectanglelabels": "rectangle",
    "polygonlabels": "polygon",
    "ellipselabels": "ellipse",
    "brushlabels": "brush",
}
_KINDS = {
    **_AREAS,
    **{kind: kind for kind in ("rectangle", "polygon", "ellipse", "brush")},
}
_CHOICE = "choice"  # what Label Studio's templates call the tag of a choice
_OF_TEXT = ("textarea", "rating", "number", "datetime", "relation", "taxonomy", "pairwise")


def parse_label_studio(content: bytes, name: str) -> ToolFile:
    """Read an export. Rectangles, polygons, ellipses and brushes are objects; choices are tags.

    Of a task's annotations one is read: what is marked as ground truth, else the newest that was
    not cancelled. Predictions play no part.

    Raises:
        DataError: it is no such JSON.
    """
    with tool_json(
        name,
        "Label Studio's export is a list of tasks with `data` and `annotations`",
        "Export it again, as JSON.",
    ):
        document = json.loads(content)
        if not isinstance(document, list) or not all(isinstance(task, dict) for task in document):
            raise TypeError("the list of tasks")
        found = ToolFile(tuple(_task(task, index, name) for index, task in enumerate(document, 1)))
    return found


def names_of_image(given: str) -> list[str]:
    """What the file of an image may be called whose address Label Studio has, the likeliest first.

    >>> names_of_image("/data/local-files/?d=photos/a%20b.jpg")
    ['photos/a b.jpg', 'a b.jpg']
    >>> names_of_image("/data/upload/1/0123abcd-a.jpg")
    ['data/upload/1/0123abcd-a.jpg', '0123abcd-a.jpg', 'a.jpg']
    >>> names_of_image("photos/a#1.jpg")
    ['photos/a', 'a', 'a#1.jpg']
    """
    try:
        address = urlsplit(given)
        path = (parse_qs(address.query).get("d") or [unquote(address.path)])[0]
    except ValueError:  # brackets that are none of an address
        path = given
    path = path.replace("\\", "/").lstrip("/")
    bare = PurePosixPath(path).name
    uploaded = UPLOADED.fullmatch(bare)
    names = [path, bare, *([uploaded[1]] if uploaded else [])]
    if not _is_address(given):  # what would be a sign in an address may be one of the name
        names.append(PurePosixPath(given.replace("\\", "/")).name)
    return [name for name in dict.fromkeys(names) if name and name != given]


def _is_address(text: str) -> bool:
    """Whether a text is, or begins, an address or a path on Label Studio's server, in which some
    signs of a name are written as `%` and two digits; not so a path of a file.
    """
    return text.startswith("/") or "://" in text or "?" in text


def _address(prefix: str, name: str) -> str:
    """The address of an image, as `names_of_image` reads it."""
    return f"{prefix}{quote(encodable(name)) if _is_address(prefix) else name}"


def _task(task: dict[str, Any], index: int, name: str) -> ImageShapes:
    data = task.get("data", task)
    texts = [value for value in data.values() if isinstance(value, str)]
    image = data.get("image") if isinstance(data.get("image"), str) else None
    image = image or next((text for text in texts if _IMAGES.search(text)), "")
    source = f"task {task.get('id', index)} of {name}"
    found = Gathered()
    size: Size | None = None
    results = _results(task, found)
    if results is None:
        return replace(found.of(image, source), waiting=True)
    for result in results:
        size = size or declared_size(result.get("original_height"), result.get("original_width"))
        _add(result, source, found)
    return found.of(image, source, size)


def _results(task: dict[str, Any], found: Gathered) -> list[dict[str, Any]] | None:
    """The entries of the annotation that counts; None where there is none, or all were skipped."""
    annotations = task.get("annotations", task.get("completions"))
    if annotations is None:  # JSON-MIN: lists of values under the names of the tags
        lists = [value for value in task.values() if isinstance(value, list)]
        several = [value for value in task.values() if isinstance(value, dict)]
        lists.append([value for value in several if "choices" in value])
        if isinstance(task.get(_CHOICE), str):  # a single choice is a word alone
            lists.append([{"choices": [task[_CHOICE]]}])
        return [{**one, "value": one} for each in lists for one in each if isinstance(one, dict)]
    good = [one for one in annotations if not one.get("was_cancelled")]
    if not good:
        return None
    if len(good) > 1:
        found.remarks.append(SEVERAL)
    newest = max(
        good,
        key=lambda one: (
            bool(one.get("ground_truth")),
            str(one.get("updated_at") or one.get("created_at") or ""),
        ),
    )
    return list(newest["result"])


def _add(result: dict[str, Any], source: str, found: Gathered) -> None:
    """Read one entry: an object, or a choice."""
    kind = str(result.get("type") or _kind_of(result["value"]))
    place = f"{kind[:40]} {str(result.get('id', ''))[:40]} of {source!r}"
    value = result["value"]
    try:
        if kind == "choices":
            found.tags += map(class_name, map(str, value["choices"]))
        elif kind in _KINDS:
            labels = value.get(kind) or value.get("labels")
            if labels is None and kind in _AREAS.values():
                return  # a region whose label is another entry of the same id
            if result.get("image_rotation"):
                raise ValueError(
                    f"its image was turned by {result['image_rotation']} degrees in Label Studio"
                )
            size = _size(result)
            found.shapes += [
                _shape(_KINDS[kind], value, size, class_name(str(label)), place) for label in labels
            ]
        elif kind == "labels":
            labels, shape = value["labels"], _kind_of(value)
            found.shapes += [
                _shape(shape, value, _size(result), class_name(str(one)), place) for one in labels
            ]
        elif kind not in _OF_TEXT:
            raise of_no_use(kind, place, "Label Studio")
    except DataError as error:
        found.faults.append(error)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        found.faults.append(misdrawn(place, error))


def _size(result: dict[str, Any]) -> Size:
    size = declared_size(result.get("original_height"), result.get("original_width"))
    if size is None:
        raise ValueError("it needs `original_width` and `original_height`, the image's")
    return size


def _kind_of(value: dict[str, Any]) -> str:
    """What an entry of JSON-MIN is, which does not say its type."""
    found = next((kind for kind in (*_AREAS, "choices", "keypointlabels") if kind in value), "")
    if found:
        return found
    if "points" in value:
        return "polygon"
    if "radiusX" in value:
        return "ellipse"
    if "rle" in value:
        return "brush"
    return "rectangle" if "width" in value and "height" in value else "unknown"


def _shape(kind: str, value: dict[str, Any], size: Size, name: str, place: str) -> Shape:
    height, width = size
    place = f"{place} ({name[:80]})"

    def share(key: str, side: float) -> float:
        return number(value[key], f"`{key}`") * side / 100

    angle = math.radians(number(value.get("rotation") or 0, "`rotation`"))
    if kind == "rectangle":
        corner, sides = (
            (share("x", width), share("y", height)),
            (share("width", width), share("height", height)),
        )
        return _rectangle(name, place, corner, sides, angle)
    if kind == "polygon":
        points = (
            (number(x, "x") * width / 100, number(y, "y") * height / 100)
            for x, y in value["points"]
        )
        return polygon(name, place, points)
    if kind == "ellipse":
        centre = share("x", width), share("y", height)
        return ellipse(
            name, place, centre, (share("radiusX", width), share("radiusY", height)), angle
        )
    if kind == "brush":
        mask = brushed(value["rle"], (round(height), round(width)))
        rows, columns = np.nonzero(mask)
        if not len(rows):
            raise ValueError("a brush must paint something; it paints nothing")
        edges = float(columns.min()), float(rows.min()), columns.max() + 1.0, rows.max() + 1.0
        return Shape(name, place, edges, painted=Painted(0, 0, encode_rle(mask)))
    raise of_no_use(kind, place, "Label Studio")


def _rectangle(
    name: str, place: str, corner: Point, sides: tuple[float, float], angle: float
) -> Shape:
    """A rectangle that is turned about its left top corner, as one turned about its centre."""
    (x, y), (width, height) = corner, sides
    cosine, sine = math.cos(angle), math.sin(angle)
    x += (width * cosine - height * sine) / 2 - width / 2
    y += (width * sine + height * cosine) / 2 - height / 2
    edges = tuple(round(edge, 6) for edge in (x, y, x + width, y + height))
    return Shape(name, place, (edges[0], edges[1], edges[2], edges[3]), angle=angle)


def label_studio_json(
    images: Iterable[tuple[str, Boxes]], *, scores: bool = False, prefix: str = ""
) -> str:
    """Boxes → tasks to import, with their annotations; with scores these are predictions, to be
    corrected in Label Studio.

    Difficult objects and crowds are left out, as what a detector need not find: Label Studio knows
    neither. The labelling setup needs `<RectangleLabels name="label" toName="image">` and
    `<Image name="image" value="$image">`.

    Args:
        images: (file name, its boxes), in order.
        prefix: what stands before a file's name in the image's address, such as
            `/data/local-files/?d=photos/`; behind an address the name is quoted.
    """

    def entries(boxes: Boxes) -> Iterator[_Entry]:
        height, width = boxes.size
        for one in boxes.take(boxes.counted):
            left, top, right, bottom = one.xyxy
            value = {
                "x": left / width * 100,
                "y": top / height * 100,
                "width": (right - left) / width * 100,
                "height": (bottom - top) / height * 100,
                "rotation": 0,
            }
            yield "rectanglelabels", one.name, value, one.score

    given = ((filename, boxes.size, entries(boxes)) for filename, boxes in images)
    return _written(given, scores, prefix)


def label_studio_outlines(
    images: Iterable[tuple[str, Size, Iterable[Outline]]], *, guessed: bool, prefix: str = ""
) -> str:
    """Polygons → tasks to import; the labelling setup needs `<PolygonLabels name="label"
    toName="image">`.

    Args:
        images: (file name, (height, width), its polygons), in order.
        guessed: whether they are predictions, which have no scores, or annotations.
        prefix: as for `label_studio_json`.
    """

    def entries(size: Size, rings: Iterable[Outline]) -> Iterator[_Entry]:
        for one in rings:
            points = one.points / (size[1], size[0]) * 100
            yield "polygonlabels", one.name, {"points": points.tolist(), "closed": True}, None

    given = ((filename, size, entries(size, rings)) for filename, size, rings in images)
    return _written(given, guessed, prefix)


def label_studio_choices(
    images: Iterable[tuple[str, Labels]], *, scores: bool = False, prefix: str = ""
) -> str:
    """Labels → tasks to import; the labelling setup needs `<Choices name="label" toName="image">`.

    Args:
        images: (file name, its labels), in order. scores, prefix: as for `label_studio_json`.
    """

    def entries(labels: Labels) -> Iterator[_Entry]:
        if len(labels.shown):  # all choices are one result
            yield "choices", list(labels.names), {}, float(labels.scores[labels.shown].min())

    given = ((filename, None, entries(labels)) for filename, labels in images)
    return _written(given, scores, prefix)


def label_studio_setup(kind: str, classes: Iterable[str], *, several: bool = False) -> str:
    """The labelling setup for tasks as they are written here.

    Args:
        kind: "RectangleLabels", "PolygonLabels" or "Choices".
        several: whether an image may have several choices.
    """
    view = Element("View")
    SubElement(view, "Image", {"name": "image", "value": "$image"})
    more = {"choice": "multiple"} if several else {}
    top = SubElement(view, kind, {"name": "label", "toName": "image", **more})
    for name in classes:
        SubElement(top, "Choice" if kind == "Choices" else "Label", {"value": one_line(name)})
    indent(view)
    return f"{tostring(view, encoding='unicode')}\n"


_Entry = tuple[str, str | list[str], dict[str, Any], float | None]
"""Kind of a result, the name or the names of what it is, where, and its score if it has one."""


def _written(
    images: Iterable[tuple[str, Size | None, Iterable[_Entry]]], guessed: bool, prefix: str
) -> str:
    """Tasks with predictions (`guessed`) or annotations."""
    tasks = []
    for task, (filename, size, entries) in enumerate(images, start=1):
        results = []
        for index, (kind, names, value, score) in enumerate(entries, start=1):
            label = names if isinstance(names, list) else [names]
            result: dict[str, Any] = {
                "id": f"{task}-{index}",
                "type": kind,
                "from_name": "label",
                "to_name": "image",
            }
            if size is not None:
                result |= {"original_width": int(size[1]), "original_height": int(size[0])}
                result |= {"image_rotation": 0}
            result |= {"value": {**value, kind: label}}
            known = guessed and score is not None
            results.append(result | ({"score": round(score or 0.0, 6)} if known else {}))
        answer: dict[str, Any] = {"result": results}
        if guessed and (not results or "score" in results[0]):
            answer |= {"score": min((one["score"] for one in results), default=0.0)}
        tasks.append(
            {
                "id": task,
                "data": {"image": _address(prefix, filename)},
                "annotations": [] if guessed else [answer],
                "predictions": [{"model_version": "cvtasks", **answer}] if guessed else [],
            }
        )
    return dumps(tasks, indent=1) + "\n"
