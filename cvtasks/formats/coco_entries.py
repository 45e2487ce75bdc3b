"""The entries of COCO's JSON: ids, categories, and what an annotation says of its box in other
words.
"""

import math
from collections.abc import Iterable
from typing import Any

from cvtasks.errors import DataError
from cvtasks.geometry.rle import rle_box
from cvtasks.text import class_name

Id = int | str
"""An image's or a category's id. Text that is a whole number becomes that number: some programs
write "7" for 7.
"""


_GROUND = ("__ignore__", "_background_")  # LabelMe's, first in its lists of classes


def categories_of(document: dict[str, Any], name: str) -> tuple[dict[Id, str], tuple[str, ...]]:
    """Id → name of the classes, in the order of the ids, and a remark where a category is none."""
    entries = document["categories"]
    unique("category", (id_of(entry["id"]) for entry in entries), name)
    roots = [
        entry
        for entry in entries
        if entry.get("supercategory") == "none"
        and len(entries) > 1
        and all(entry is other or other.get("supercategory") == entry["name"] for other in entries)
    ]
    roots += [entry for entry in entries if entry["name"] in _GROUND and len(entries) > 1]
    if roots:
        used = {id_of(entry["category_id"]) for entry in document["annotations"]}
        roots = [entry for entry in roots if id_of(entry["id"]) not in used]
    kept = {id_of(entry["id"]): _called(entry["name"]) for entry in entries if entry not in roots}
    unique("category's name", kept.values(), name)
    remarks = tuple(
        f'the category "{entry["name"]}", which no object has and '
        f"{'names what is no object' if entry['name'] in _GROUND else 'others are a kind of'}, is "
        "no class"
        for entry in roots
    )
    return dict(sorted(kept.items(), key=lambda item: order_of(item[0]))), remarks


def angle_of(entry: dict[str, Any]) -> float:
    """Radians by which CVAT's attribute says, in degrees, that a box is turned.

    Raises:
        ValueError: it is no number, or another program says it, in what unit nobody knows.
    """
    for key in ("rotation", "angle"):
        if entry.get(key) and _is_number(entry[key]):
            raise ValueError(
                f"`{key}` is {entry[key]!r}, of which nobody knows what it turns; write the "
                "upright box, without it"
            )
    attributes = entry.get("attributes")
    degrees = attributes.get("rotation") if isinstance(attributes, dict) else None
    if degrees is None or degrees == "":
        return 0.0
    angle = float(degrees) if isinstance(degrees, int | float | str) else math.nan
    if not math.isfinite(angle):
        raise ValueError(f"a rotation must be a finite number; got {degrees!r}")
    return math.radians(angle)


def _is_number(value: Any) -> bool:
    """Whether a value is a number other than 0, also as text."""
    try:
        return not isinstance(value, bool) and float(value) != 0
    except (TypeError, ValueError, OverflowError):
        return False


def around(outline: Any) -> tuple[float, float, float, float]:
    """The edges of the box around polygons, or a run-length encoding.

    Raises:
        KeyError, OverflowError, TypeError, ValueError: it is neither.
    """
    if isinstance(outline, dict):
        left, top, right, bottom = rle_box(outline)
        return float(left), float(top), float(right), float(bottom)
    polygons = [outline] if isinstance(outline[0], int | float | str) else outline
    if not all(
        isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0
        for polygon in polygons
    ):
        raise ValueError("a polygon must have three points or more")
    x = [float(number) for polygon in polygons for number in polygon[::2]]
    y = [float(number) for polygon in polygons for number in polygon[1::2]]
    return min(x), min(y), max(x), max(y)


def id_of(value: Any) -> Id:
    """An id as it stands, or as the number that its text is. Raises TypeError where it is neither
    number nor text.
    """
    if isinstance(value, str):
        return int(value) if value.isdecimal() else value
    if (
        isinstance(value, bool) or not isinstance(value, int | float) or value % 1 != 0
    ):  # also of NaN and infinity
        raise TypeError(f"an id must be a whole number or text; got {value!r}")
    return int(value)


def order_of(key: Id) -> tuple[bool, Id]:
    """Numbers first, then texts."""
    return isinstance(key, str), key


def _called(name: Any) -> str:
    """A category's name, which some programs write as a number."""
    if isinstance(name, bool) or not isinstance(name, str | int | float) or name == "":
        raise TypeError(f"a category's name must be text; got {name!r}")
    return class_name(str(name))


def unique(what: str, keys: Iterable[Id], name: str) -> None:
    """Raise DataError where a key comes again; `what` is what it is the key of."""
    seen = set()
    for key in keys:
        if key in seen:
            raise twice_of(what, key, name)
        seen.add(key)


def twice_of(what: str, key: Id, name: str) -> DataError:
    """The error for a key that comes again."""
    if what.endswith("name"):
        return DataError(
            f"every {what} needs to be its own; {name!r} has {key!r} twice. Rename one.",
            "name twice",
        )
    return DataError(
        f"every {what} needs an id of its own; {name!r} has {key!r} twice. Renumber them.",
        "id twice",
    )
