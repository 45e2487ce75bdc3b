"""Legends of masks: which value or colour stands for which class, as programs write it beside them.

CamVid's label_colors.txt (`64 128 64 Animal`), class_dict.csv (`name,r,g,b`), CVAT's labelmap.txt
(`name:r,g,b:parts:actions`), Roboflow's _classes.csv (`Pixel Value, Class`), JSON.
"""

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cvtasks.errors import DataError
from cvtasks.text import class_name

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Entry:
    """A class of a legend; what it does not say of it is None."""

    name: str
    value: int | None = None
    colour: Colour | None = None


_CVAT = re.compile(r"(?P<name>.+?):(?P<r>\d+),(?P<g>\d+),(?P<b>\d+):[^:]*:[^:]*")
_SPACED = re.compile(r"\d+\s+\d+\s+\d+")
_HEX = re.compile(r"#?([0-9a-fA-F]{6})")
_COLUMNS = {
    "name": (
        *("name", "class", "class name", "classname", "label", "title", "category", "readable"),
        *("label name", "class label", "category name"),
    ),
    "value": (
        *("value", "pixel value", "pixel", "id", "index", "class id", "label id", "class index"),
    ),
    "colour": ("colour", "color", "rgb", "hex", "color rgb"),
    "r": ("r", "red"),
    "g": ("g", "green"),
    "b": ("b", "blue"),
}
_LISTS = ("classes", "labels", "categories", "items", "legend", "names")


_CITIES = {
    **{7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole"},
    **{19: "traffic light", 20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky"},
    **{24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train"},
    **{32: "motorcycle", 33: "bicycle"},
}


def cityscapes(stem: str) -> tuple[list[Entry], range]:
    """The classes of a mask of Cityscapes by its name, and the other ids, which are void; nothing
    for any other mask (Cordts et al. 2016; cityscapesScripts, labels.py).

    >>> cityscapes("bonn_1_gtFine_labelIds")[0][0], len(cityscapes("a_labelTrainIds")[0])
    (Entry(name='road', value=7, colour=None), 19)
    """
    if stem.endswith("_labelTrainIds"):
        return [Entry(name, value) for value, name in enumerate(_CITIES.values())], range(0)
    if stem.endswith("_labelIds"):
        return [Entry(name, value) for value, name in _CITIES.items()], range(34)
    return [], range(0)


def parse_legend(text: str, name: str) -> list[Entry]:
    """The classes of a legend, in its order; a file of nothing but names gives names alone.

    Args:
        text: of the file. name: what errors call it; JSON where it ends in .json.

    Raises:
        DataError: it cannot be read as one, names nothing, or a class, value or colour twice.
    """
    is_json = name.rstrip("'\"").lower().endswith(".json")
    try:
        entries = _of_json(text, name) if is_json else _of_lines(text)
    except (csv.Error, OverflowError, ValueError) as error:
        raise DataError(
            "a legend has a class a line, with a colour or a value, such as `road,128,64,128`; "
            f"{name} is none: {str(error)[:200]}. Correct it."
        ) from error
    _check(entries, name)
    return entries


def _check(entries: Sequence[Entry], name: str) -> None:
    """Raise DataError for a legend that says nothing, or two things of one."""
    for what in ("name", "value", "colour"):
        said = [getattr(entry, what) for entry in entries]
        given = [one for one in said if one is not None]
        if given and len(given) < len(entries):
            lacking = entries[said.index(None)].name
            raise DataError(
                f"a legend must say the same of every class; {name} gives no {what} for "
                f'"{lacking}". Add it.'
            )
        if len(set(given)) < len(given):
            twice = next(one for one in given if given.count(one) > 1)
            raise DataError(
                f"every class of a legend must have a {what} of its own; {name} has {twice} twice. "
                "Correct it."
            )
    wide = [
        entry.name
        for entry in entries
        if not all(0 <= part <= 255 for part in entry.colour or ())
        or not 0 <= (entry.value or 0) <= 65535
    ]
    if wide:
        raise DataError(
            "a legend has colours of three numbers of 0 to 255, or values of 0 to 65535; "
            f'"{wide[0]}" in {name} has others. Correct it.'
        )
    if not all(entry.name for entry in entries) or not entries:
        raise DataError(
            f"a legend names classes, such as `road,128,64,128`, one a line; {name} has none, or "
            "one without a name. Write them."
        )


def _of_lines(text: str) -> list[Entry]:
    """Entries of a text with one class a line."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    cvat = [_CVAT.fullmatch(line) for line in lines]
    if lines and all(cvat):
        return [
            Entry(class_name(one["name"]), None, (int(one["r"]), int(one["g"]), int(one["b"])))
            for one in cvat
            if one
        ]
    rows = [_cells(line) for line in lines]
    head = _head(rows[0]) if rows else {}
    if head:
        return [_by_columns(row, head) for row in rows[1:] if any(row)]
    return [_by_numbers(row) for row in rows]


def _cells(line: str) -> list[str]:
    """The cells of a line: between commas, semicolons or tabs, else between spaces if it has
    numbers.
    """
    for sign in ",;\t":
        if sign in line:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=sign))]
            colours = [cell.split() if _SPACED.fullmatch(cell) else [cell] for cell in cells]
            return [part for cell in colours for part in cell]
    words = line.split()
    numbers = [word.isdecimal() for word in words]
    if len(words) > 3 and all(numbers[:3]):
        return [*words[:3], " ".join(words[3:])]
    if len(words) > 3 and all(numbers[-3:]):
        return [" ".join(words[:-3]), *words[-3:]]
    if len(words) > 1 and numbers[0]:
        return [words[0], " ".join(words[1:])]
    return [line]


def _head(row: Sequence[str]) -> dict[str, int]:
    """What the columns of a table are, if its first row says so: "name" … → number. A row with the
    word for names and no number is such a row, even where names are all that the table has.
    """
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        plain = cell.casefold().replace("_", " ").strip()
        for what, words in _COLUMNS.items():
            if plain in words:
                found.setdefault(what, place)
    numbered = len(found) == 1 and any(cell.isdecimal() for cell in row)
    return found if "name" in found and not numbered else {}


def _by_columns(row: Sequence[str], head: dict[str, int]) -> Entry:
    cells = {what: row[place] if place < len(row) else "" for what, place in head.items()}
    parts = [cells.get(one, "") for one in "rgb"]
    colour = _colour(parts if all(parts) else cells.get("colour"))
    return Entry(class_name(cells["name"]), _number(cells.get("value")), colour)


def _by_numbers(row: Sequence[str]) -> Entry:
    """A row without a heading: the three numbers in a row are a colour, a single one is a value."""
    words = [cell for cell in row if cell and not cell.isdecimal()]
    numbers = [int(cell) for cell in row if cell.isdecimal() and len(cell) < 7]
    if len(words) == 1 and len(numbers) == 3:
        return Entry(class_name(words[0]), None, (numbers[0], numbers[1], numbers[2]))
    if len(words) == 1 and len(numbers) == 1:
        return Entry(class_name(words[0]), numbers[0])
    return Entry(class_name(", ".join(row)))


def _of_json(text: str, name: str) -> list[Entry]:
    """Entries of a JSON: an object of names, or a list of objects, perhaps within another one."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"a legend must be JSON by its name; {name} is not: {error}. Write it again."
        ) from error
    if isinstance(document, dict):
        inside = [document[key] for key in _LISTS if isinstance(document.get(key), list | dict)]
        document = inside[0] if inside else document
    try:
        if isinstance(document, dict):
            return [_of_pair(key, value) for key, value in document.items()]
        if isinstance(document, list):
            return [_of_item(item) for item in document]
        raise TypeError(f"got {str(document)[:60]}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            'a legend in JSON is an object such as {"road": [128, 64, 128]} or a list of '
            f'{{"name": …, "color": …}}; {name} is not: {error}. Correct it.'
        ) from error


def _of_pair(key: str, value: Any) -> Entry:
    if isinstance(value, str) and key.isdecimal():  # {"0": "road"}
        return Entry(class_name(value), _number(key))
    if isinstance(value, dict):
        return _of_item({"name": key, **value})
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    colour = _colour(value) if number is None else None
    if number is None and colour is None:
        raise ValueError(f'"{key[:60]}" has {str(value)[:60]}')
    return Entry(class_name(key), number, colour)


def _of_item(item: Any) -> Entry:
    if isinstance(item, str):
        return Entry(class_name(item))
    plain = {str(key).casefold().replace("_", " "): value for key, value in item.items()}
    said = {
        what: next((plain[word] for word in words if word in plain), None)
        for what, words in _COLUMNS.items()
    }
    parts = [said[one] for one in "rgb"]
    colour = _colour(said["colour"] if None in parts else parts)
    if not isinstance(said["name"], str) or not said["name"]:
        raise KeyError("name")
    return Entry(class_name(said["name"]), _number(said["value"]), colour)


def _number(value: Any) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or float(value) % 1:
        raise ValueError(f"{value!r} is no whole number")
    return int(value)


def _colour(value: Any) -> Colour | None:
    """Three numbers, also as text, or #rrggbb; None for nothing."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        hexadecimal = _HEX.fullmatch(value.strip())
        if hexadecimal and not value.strip().isdecimal():
            number = int(hexadecimal[1], 16)
            return number >> 16, number >> 8 & 255, number & 255
        value = re.findall(r"\d+", value)
    if not isinstance(value, list | tuple) or len(value) not in (3, 4):
        raise ValueError(f"{str(value)[:60]} is no colour")
    red, green, blue = (_number(one) or 0 for one in value[:3])
    return red, green, blue
