"""CVAT for images 1.1, one XML for all images (https://docs.cvat.ai, "Formats: CVAT").

Coordinates are in pixels, edges as here. A rotation is in degrees, clockwise, about the centre.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cvtasks.answers import Boxes
from cvtasks.errors import DataError
from cvtasks.formats.drawn import declared_size
from cvtasks.formats.outlines import Outline
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
from cvtasks.formats.xml_reading import child_of, parsed_xml, tag_of, text_of
from cvtasks.geometry.rle import column_runs
from cvtasks.text import class_name, encodable, one_line

_NO_AREA = ("polyline", "points", "cuboid", "skeleton")


def parse_cvat(content: bytes, name: str) -> ToolFile:
    """Read the file of a task, a job or a project.

    Boxes, polygons, ellipses and masks are objects; a `tag` is a class of the image as a whole.
    An image's `subset` is its split, unless all of them are of one called "default". Attributes
    play no part.

    Raises:
        DataError: it is no such XML, or one of CVAT for video.
    """
    root = parsed_xml(content, name)
    if tag_of(root) != "annotations":
        raise DataError(
            f"CVAT's XML holds <annotations>; {name!r} holds a <{tag_of(root)[:80]}>. Is it "
            "another format?",
            "XML",
        )
    if child_of(root, "track") is not None:
        raise DataError(
            f"CVAT's annotations of images are read; {name!r} holds tracks of a video. Export them "
            'as "CVAT for images 1.1".',
            "tracks",
        )
    images = tuple(_image(item, name) for item in root if tag_of(item) == "image")
    if {image.split.casefold() for image in images} == {"default"}:
        images = tuple(
            Gathered(list(i.shapes), list(i.tags), list(i.faults)).of(i.image, i.source, i.size)
            for i in images
        )
    return ToolFile(images, _classes(root))


def _classes(root: Element) -> tuple[str, ...]:
    """The names of the labels that `meta` lists, in its order."""
    meta = child_of(root, "meta")
    found = [] if meta is None else [item for item in meta.iter() if tag_of(item) == "label"]
    names = (
        class_name(text_of(item, "name")) for item in found if child_of(item, "name") is not None
    )
    return tuple(dict.fromkeys(filter(None, names)))


def _image(item: Element, name: str) -> ImageShapes:
    image = item.get("name", "")
    found = Gathered()
    for index, entry in enumerate(item, start=1):
        kind, label = tag_of(entry), class_name(entry.get("label", ""))
        if kind == "tag":
            found.tags.append(label)
            continue
        place = f"{kind} {index} ({label[:80]}) of {image[:200]!r} in {name!r}"
        try:
            group = entry.get("group_id", "").strip()
            shape = _shape(entry, kind, label, place)
            found.shapes.append(replace(shape, group="" if group == "0" else group[:80]))
        except DataError as error:
            found.faults.append(error)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            found.faults.append(misdrawn(place, error))
    size = declared_size(item.get("height"), item.get("width"))
    return found.of(
        image, f"{image[:200]} of {name}", size, split=encodable(item.get("subset", ""))
    )


def _shape(entry: Element, kind: str, label: str, place: str) -> Shape:
    given = entry.attrib

    def side(key: str) -> float:
        return number(given[key], f"`{key}`")

    angle = math.radians(number(given.get("rotation") or 0, "`rotation`"))
    if kind == "box":
        return Shape(
            label, place, (side("xtl"), side("ytl"), side("xbr"), side("ybr")), angle=angle
        )
    if kind == "polygon":
        return polygon(label, place, map(_point, given["points"].split(";")))
    if kind == "ellipse":
        return ellipse(label, place, (side("cx"), side("cy")), (side("rx"), side("ry")), angle)
    if kind == "mask":
        left, top, width, height = (int(side(key)) for key in ("left", "top", "width", "height"))
        runs = [int(run) for run in given["rle"].split(",")]
        painted = Painted(left, top, column_runs(runs, (height, width)))
        return Shape(label, place, (left, top, left + width, top + height), painted=painted)
    raise of_no_use(kind, place, "CVAT")


def _point(text: str) -> Point:
    x, y = text.split(",")
    return number(x, "a coordinate"), number(y, "a coordinate")


def cvat_xml(
    images: Iterable[tuple[str, Boxes]],
    classes: tuple[str, ...],
    *,
    split: str = "",
    scores: bool = False,
) -> str:
    """Boxes → CVAT's XML for a task with these labels.

    CVAT knows neither difficult objects nor crowds: they are left out, as what a detector need not
    find. A score becomes the attribute "score", which CVAT shows where its label has one of that
    name.

    Args:
        images: (file name, its boxes), in order.
        split: the images' subset; none if empty.
    """
    attributes = ("score",) if scores else ()
    root = _task(classes, "rectangle", attributes)
    for number_, (filename, boxes) in enumerate(images):
        item = _item(root, number_, filename, boxes.size, split)
        for one in boxes.take(boxes.counted):
            sides = zip(("xtl", "ytl", "xbr", "ybr"), map(repr, one.xyxy), strict=True)
            box = SubElement(
                item,
                "box",
                {
                    "label": one_line(one.name),
                    "source": "auto" if scores else "manual",
                    "occluded": "0",
                    **dict(sides),
                    "z_order": "0",
                },
            )
            if scores:
                SubElement(box, "attribute", {"name": "score"}).text = f"{one.score:.6g}"
    return _whole(root)


def cvat_outlines(
    images: Iterable[tuple[str, tuple[int, int], Iterable[Outline]]],
    classes: tuple[str, ...],
    *,
    guessed: bool,
) -> str:
    """Polygons → CVAT's XML for a task with these labels, a later one above an earlier one.

    Args:
        images: (file name, (height, width), its polygons), in order.
        guessed: whether a model has drawn them.
    """
    root = _task(classes, "polygon")
    for number_, (filename, size, rings) in enumerate(images):
        item = _item(root, number_, filename, size)
        for order, one in enumerate(rings):
            SubElement(
                item,
                "polygon",
                {
                    "label": one_line(one.name),
                    "source": "auto" if guessed else "manual",
                    "occluded": "0",
                    "points": ";".join(f"{x:.2f},{y:.2f}" for x, y in one.points.tolist()),
                    "z_order": str(order),
                    **({"group_id": str(one.group)} if one.group else {}),
                },
            )
    return _whole(root)


def _task(classes: tuple[str, ...], kind: str, attributes: tuple[str, ...] = ()) -> Element:
    """The XML of a task without images."""
    root = Element("annotations")
    _text(root, "version", "1.1")
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for name in classes:
        label = SubElement(labels, "label")
        _text(label, "name", name)
        _text(label, "type", kind)
        inside = SubElement(label, "attributes")
        for own in attributes:
            attribute = SubElement(inside, "attribute")
            for tag, text in (
                ("name", own),
                ("mutable", "False"),
                ("input_type", "text"),
                ("default_value", ""),
                ("values", ""),
            ):
                _text(attribute, tag, text)
    return root


def _item(
    root: Element, number_: int, filename: str, size: tuple[int, int], split: str = ""
) -> Element:
    given = {"id": str(number_), "name": one_line(filename)}
    given |= {"subset": split} if split else {}
    return SubElement(root, "image", {**given, "width": str(size[1]), "height": str(size[0])})


def _whole(root: Element) -> str:
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def _text(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = one_line(text)
