"""Pascal VOC's annotation file, one XML a picture ⇄ `Boxes`. Its corners exist in this file alone.

A corner counts pixels from 1, and the last pixel belongs to the box (Everingham and Winn, "The PASCAL Visual Object Classes
Challenge 2012 Development Kit", section 4): a box over the whole of a w × h picture is (1, 1, w, h) there and (0, 0, w, h) here.
"""

import math
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.reading import RESIZED, ZERO_BASED, fit
from cvtasks.text import listed, one_line

_QUOTED = 80  # characters of a text that errors quote
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def from_voc_corners(corners: np.ndarray) -> np.ndarray:
    """(n, 4) xmin, ymin, xmax, ymax of the first and the last pixel, counted from 1 → (n, 4) edges.

    >>> from_voc_corners(np.array([[1.0, 1, 500, 375]])).tolist()
    [[0.0, 0.0, 500.0, 375.0]]
    """
    return corners - np.array([1, 1, 0, 0], corners.dtype)


def to_voc_corners(xyxy: np.ndarray) -> np.ndarray:
    """(n, 4) edges → (n, 4) float64 corners: the inverse of `from_voc_corners`."""
    return np.asarray(xyxy, np.float64) + np.array([1.0, 1, 0, 0])


def parse_voc(
    content: bytes, classes: tuple[str, ...], size: tuple[int, int], name: str, complain: Complain = strictly
) -> tuple[Boxes, tuple[str, ...]]:
    """One annotation file → its objects, and remarks about what was changed in reading.

    Read are `name`, `difficult` and `bndbox` of each `object`, whole or fractional, in any namespace and order. What else
    is there plays no part: parts of a body with boxes of their own, `filename`, which is the caller's to know. `size` is
    compared: where it differs from the picture's, there is a remark.

    Args:
        content: the XML.
        classes: names that objects may have.
        size: (height, width) of the picture as it really is.
        name: what errors call the file.
        complain: about an object whose class is unknown, with a number that is none, or a box that does not fit (`fit` of
            `cvtasks.formats.reading`). If it returns, the object is left out.

    Raises:
        DataError: the file is no such XML or declares entities.
    """
    try:
        root = fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError(
            f"an annotation must not declare a document type or entities; {name!r} does. Remove them.", "XML"
        ) from error
    except (ParseError, LookupError, ValueError) as error:  # LookupError, ValueError: an encoding that does not exist
        raise DataError(
            f"an annotation must be whole, correct XML; {name!r} is not: {error}. Write it again.", "XML"
        ) from error
    if _tag(root) != "annotation":
        raise DataError(f"Pascal VOC's XML holds an <annotation>; {name!r} holds a <{_tag(root)}>. Is it another format?")
    objects = []
    for number, item in enumerate((child for child in root if _tag(child) == "object"), start=1):
        try:
            objects.append(_object(item, number, classes, name))
        except DataError as error:
            complain(error)
    corners = np.array([entry[0] for entry in objects], np.float64).reshape(-1, 4)
    xyxy, remarks, good = fit(from_voc_corners(corners), size, [entry[3] for entry in objects], complain)
    remarks += (ZERO_BASED,) * int((corners[good, :2] == 0).any(axis=1).sum())
    labels, difficult = ([objects[index][part] for index in good] for part in (1, 2))
    declared = _child(root, "size")
    if declared is not None:
        sides = _text(declared, "height"), _text(declared, "width")
        if all(sides) and sides != ("0", "0") and sides != (str(size[0]), str(size[1])):
            remarks += (RESIZED,)
    return Boxes.of(xyxy, labels, classes, size, difficult=difficult), remarks


def voc_xml(boxes: Boxes, filename: str, *, scores: bool = False) -> str:
    """Boxes of the picture `filename` → the text of an annotation file.

    Names are written in one line, control characters escaped: XML has no place for them. Corners are written with as many
    digits as bring the same float32 back. VOC knows no crowds: these become difficult, which means the same to its
    evaluation. `areas` are lost. Scores stand in a `score`, which the devkit passes over.
    """
    height, width = boxes.size
    root = Element("annotation")
    _add(root, "filename", filename)
    size = SubElement(root, "size")
    for tag, side in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, str(side))
    _add(root, "segmented", "0")
    ignored = ~boxes.counted
    for index, (name, corners) in enumerate(zip(boxes.names, to_voc_corners(boxes.xyxy).tolist(), strict=True)):
        item = SubElement(root, "object")
        _add(item, "name", listed(name))
        _add(item, "difficult", str(int(ignored[index])))
        box = SubElement(item, "bndbox")
        for tag, corner in zip(_CORNERS, corners, strict=True):
            _add(box, tag, _digits(corner, 1.0 if tag in ("xmin", "ymin") else 0.0))
        if scores:
            _add(item, "score", f"{float(boxes.scores[index]):.6g}")
    indent(root, "\t")
    return tostring(root, encoding="unicode") + "\n"


def _object(item: Element, number: int, classes: tuple[str, ...], name: str) -> tuple[list[float], int, bool, str]:
    """Corners, label, difficult, and words for errors, of one object."""
    what = _text(item, "name")
    place = f"object {number} ({_short(what)}) of {name!r}"
    if what not in classes:  # `voc_xml` writes names so that XML has a place for them
        what = next((known for known in classes if listed(known) == what), what)
    if what not in classes:
        raise DataError(
            f'every class must be one of the data set\'s; "{_short(what)}", object {number} of {name!r}, is not. '
            f"{did_you_mean(_short(what), classes)} Correct the name, or list the classes in classes.txt beside Annotations/.",
            "class unknown",
        )
    box = _child(item, "bndbox")
    if box is None:
        raise DataError(f"every object needs a <bndbox>; {place} has none. Add it or remove the object.", "box missing")
    corners = [_number(_text(box, corner), corner, place) for corner in _CORNERS]
    return corners, classes.index(what), _number(_text(item, "difficult") or "0", "difficult", place) != 0, place


def _tag(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def _child(element: Element, tag: str) -> Element | None:
    return next((child for child in element if _tag(child) == tag), None)


def _text(element: Element, tag: str) -> str:
    """The text of the first child of that name; empty where there is none."""
    child = _child(element, tag)
    return "" if child is None else (child.text or "").strip()


def _number(text: str, tag: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"<{tag}> must be a finite number; {place} has {_short(text)!r}. Correct it.", "box not finite")
    return number


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"


def _digits(corner: float, offset: float) -> str:
    """The shortest decimal that reads back as the same float32 edge."""
    edge = np.float32(corner - offset)
    return next((text for d in range(12) if np.float32(float(text := f"{corner:.{d}f}") - offset) == edge), repr(corner))


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = one_line(text)
