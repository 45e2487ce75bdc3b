"""The elements of Pascal VOC's XML: the root of a file, and what one object says."""

import math
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from cvtasks.errors import DataError, did_you_mean
from cvtasks.formats.reading import flag
from cvtasks.formats.xml_reading import child_of, parsed_xml, tag_of, text_of
from cvtasks.text import composed, listed

_QUOTED = 80  # characters of a text that errors quote
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class VOCObject:
    """An object as its file has it: four corners, or `edges` counted from 0, of a rectangle that is
    turned by `angle` radians; and whether its corners are written with a decimal point each."""

    corners: tuple[float, ...]
    edges: bool
    angle: float
    label: int
    difficult: bool
    place: str
    pointed: bool = False


def root_of(content: bytes, name: str) -> Element:
    """The `annotation` of a file."""
    root = parsed_xml(content, name)
    if tag_of(root) != "annotation":
        raise DataError(
            f"Pascal VOC's XML holds an <annotation>; {name!r} holds a <{tag_of(root)}>. Is it "
            "another format?"
        )
    return root


def object_of(item: Element, number: int, classes: tuple[str, ...], name: str) -> VOCObject:
    """What one `object` says."""
    what = composed(text_of(item, "name"))
    place = f"object {number} ({short(what)}) of {name!r}"
    if what not in classes:  # `voc_xml` writes names so that XML has a place for them
        what = next((known for known in classes if composed(listed(known)) == what), what)
    if what not in classes:
        raise DataError(
            f'every class must be one of the data set\'s; "{short(what)}", object {number} of '
            f"{name!r}, is not. "
            f"{did_you_mean(short(what), classes)} Correct the name, or list the classes in "
            "classes.txt beside Annotations/.",
            "class unknown",
        )
    try:
        difficult = flag(text_of(item, "difficult"))
    except ValueError:
        raise DataError(
            f"<difficult> must be 0 or 1, yes or no; {place} has "
            f"{short(text_of(item, 'difficult'))!r}. Correct it.",
            "flag",
        ) from None
    rotated = child_of(item, "robndbox")
    if rotated is not None:
        x, y, width, height, angle = (
            _number(text_of(rotated, tag), tag, place) for tag in ("cx", "cy", "w", "h", "angle")
        )
        edges = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        return VOCObject(edges, True, angle, classes.index(what), difficult, place)
    box = child_of(item, "bndbox")
    if box is None:
        raise DataError(
            f"every object needs a <bndbox>; {place} has none. Add it or remove the object.",
            "box missing",
        )
    corners = tuple(_number(text_of(box, corner), corner, place) for corner in CORNERS)
    pointed = all("." in text_of(box, corner) for corner in CORNERS)
    return VOCObject(
        corners, False, _rotation(item, box, place), classes.index(what), difficult, place, pointed
    )


def _rotation(item: Element, box: Element, place: str) -> float:
    """Radians by which CVAT says, in degrees, that a box is turned.

    Raises:
        DataError: another program says it, in what unit and about which point nobody knows.
    """
    for element in (item, box):
        for tag in ("angle", "rotation"):
            if text_of(element, tag) and _number(text_of(element, tag), tag, place):
                raise DataError(
                    f"boxes are upright; {place} has an <{tag}> of {short(text_of(element, tag))}, "
                    "of which nobody knows what it "
                    f"turns. Write the upright box around the object, and take <{tag}> out.",
                    "box rotated",
                )
    attributes = child_of(item, "attributes")
    for attribute in () if attributes is None else attributes:
        if text_of(attribute, "name") == "rotation":
            return math.radians(_number(text_of(attribute, "value") or "0", "rotation", place))
    return 0.0


def _number(text: str, tag: str, place: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"<{tag}> must be a finite number; {place} has {short(text)!r}. Correct it.",
            "box not finite",
        )
    return number


def short(text: str) -> str:
    """A text as errors quote it."""
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
