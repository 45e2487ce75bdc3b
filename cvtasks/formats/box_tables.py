"""Tables of boxes, a line for each object: TensorFlow's, RetinaNet's and those of Open Images ⇄
shapes.

TensorFlow's and RetinaNet's corners are pixels, edges as here: their trainers divide them by the
sides. Those of Open Images are shares of the sides.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from cvtasks.answers import Boxes
from cvtasks.errors import DataError
from cvtasks.formats.drawn import Size, declared_size
from cvtasks.formats.encodings import text_of
from cvtasks.formats.reading import flag
from cvtasks.formats.shapes import Edges, Gathered, ImageShapes, Shape, ToolFile, misdrawn, number
from cvtasks.formats.tables import CORNERS, columns_of_boxes, left_over, plain_name, table_lines
from cvtasks.text import cell, class_name, some, without_guard

TENSORFLOW = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")
OPEN_IMAGES = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax")
_CORNERS = tuple(CORNERS)
_SIDES = ("x", "y", "w", "h")
_IMAGES = ("filename", "path")  # columns whose entries are names of files, blanks and all
_LOOKED_AT = 100  # lines, for a column that may name classes


@dataclass(frozen=True)
class Line:
    """A line of a table: its image, and the (height, width) that it declares; without an object,
    `edges` is None.
    """

    image: str
    name: str = ""
    edges: Edges | None = None
    size: Size | None = None
    crowd: bool = False
    split: str = ""


def parse_tensorflow(content: bytes, name: str) -> ToolFile:
    """Read a table with TensorFlow's header or one like it (`columns_of_boxes`), its columns in any
    order, further ones passed over; a line without a class and corners is an image without objects.
    Without a column of classes, and of text that may be one, all objects are called "object". A
    column of whole boxes holds none
    (empty, `[]`), one (`[834.0, 222.0, 56.0, 36.0]`) or several in a line; whether these are two
    corners or a corner and sides, its heading says, or what all of them can be.

    Raises:
        DataError: it is no table, lacks a column, or nothing tells how its boxes are written, or
            which column names the classes.
    """
    table = _with_header(content, name, ("filename", "class", *_CORNERS), columns_of_boxes)
    rows = list(table)
    header = rows[0][1] if rows else {}
    if "class" not in header and (maybe := left_over(row for _, row in rows[:_LOOKED_AT])):
        raise DataError(
            f"it must be clear which column names the classes; {name!r} has none that is called "
            f"so, and text in {some(maybe, 5)}. Call it `class`; if all objects are of one class, "
            "take these columns out.",
            "columns",
        )
    written = next((key for key in ("xywh", "xyxy", "bbox") if key in header), "")
    sides = "w" in header
    if written:
        sides = (written == "xywh") if written != "bbox" else _as_sides(rows, name)

    keys = (written,) if written else _SIDES if sides else _CORNERS

    def lines(row: dict[str, str]) -> list[Line]:
        image, label = row["filename"], without_guard(row.get("class", "object"))
        size = declared_size(row.get("height"), row.get("width"))
        split = row.get("split", "")
        if not any(row.get(key) for key in ("class", *keys)):
            return [Line(image, size=size, split=split)]
        found = []
        for one in _whole_boxes(row[written]) if written else [[row[key] for key in keys]]:
            left, top, right, bottom = (
                number(entry, f"`{key}`")
                for entry, key in zip(one, _SIDES if sides else _CORNERS, strict=True)
            )
            if sides:
                right, bottom = left + right, top + bottom
            found.append(Line(image, label, (left, top, right, bottom), size, split=split))
        return found or [Line(image, size=size, split=split)]

    return _gathered(rows, lines, name)


def _whole_boxes(text: str) -> list[list[str]]:
    """The four entries of each box that a cell holds, as `[1, 2, 3, 4]`, `1 2 3 4`, `[[…], […]]`.

    Raises:
        ValueError: it holds something else.
    """
    parts = re.sub(r"[\[\](){};,]", " ", text).split()
    if len(parts) % 4 or not text:
        raise ValueError(f"a box has four numbers; got {len(parts)} in {text[:80]!r}")
    return [parts[at : at + 4] for at in range(0, len(parts), 4)]


def _as_sides(rows: Iterable[tuple[int, dict[str, str]]], name: str) -> bool:
    """Whether boxes whose heading does not say it are a corner and sides, and not two corners: what
    fewer of them contradict.

    Raises:
        DataError: they can be both.
    """
    against_sides = against_corners = seen = 0
    for _, row in rows:
        height, width = declared_size(row.get("height"), row.get("width")) or (math.inf, math.inf)
        try:
            boxes = [[number(part, "`bbox`") for part in one] for one in _whole_boxes(row["bbox"])]
        except ValueError:  # a fault, which is told when the line is read
            continue
        for left, top, third, fourth in boxes:
            seen += 1
            against_sides += left + third > width + 1 or top + fourth > height + 1
            against_corners += third <= left or fourth <= top
    if seen and against_sides == against_corners:
        raise DataError(
            "it must be clear whether a box is two corners or a corner and sides; the "
            f"{seen:,} of the column `bbox` of {name!r} can be both. Call it `bbox_xyxy` (left, "
            "top, right, bottom) or `bbox_xywh` (left, top, width, height).",
            "boxes unclear",
        )
    return against_sides < against_corners


def parse_open_images(
    content: bytes, name: str, titles: Mapping[str, str] | None = None
) -> ToolFile:
    """Read a table of boxes of Open Images; `IsGroupOf` is a crowd.

    Args:
        titles: `LabelName` → the name of the class; those that it lacks keep their label.

    Raises:
        DataError: it is no table, or lacks a column.
    """

    def line(row: dict[str, str]) -> list[Line]:
        left, right, top, bottom = (number(row[key.lower()], f"`{key}`") for key in OPEN_IMAGES[2:])
        crowd = flag(row.get("isgroupof") or 0) and row.get("isgroupof") != "-1"
        label = row["labelname"]
        name = (titles or {}).get(label, label)
        return [Line(row["imageid"], name, (left, top, right, bottom), None, crowd)]

    rows = _with_header(content, name, tuple(key.lower() for key in OPEN_IMAGES))
    return _gathered(rows, line, name, in_shares=True)


def parse_retinanet(content: bytes, name: str) -> ToolFile:
    """Read a table without a header: path, x1, y1, x2, y2, class. Where all but the path is empty,
    the image has no objects.

    Raises:
        DataError: it is no table, or a line has not six entries.
    """

    def line(row: dict[str, str]) -> list[Line]:
        path, *corners, label = row.values()
        if not label and not any(corners):
            return [Line(path)]
        left, top, right, bottom = (
            number(text, key) for text, key in zip(corners, ("x1", "y1", "x2", "y2"), strict=True)
        )
        return [Line(path, label, (left, top, right, bottom))]

    keys = ("path", "x1", "y1", "x2", "y2", "class")
    return _gathered(_with_keys(_rows(content, name), keys, name), line, name)


def class_titles(content: bytes, name: str) -> dict[str, str]:
    """Label → name of the class, of Open Images' table of descriptions, with or without a header.

    Raises:
        DataError: it is no table of two columns.
    """
    found = {}
    for _, row in _rows(content, name):
        if len(row) != 2:
            raise DataError(
                f"a table of classes has two columns, label and name; {name!r} has a line of "
                f"{len(row)}. Write it again."
            )
        found[row[0].strip()] = class_name(row[1].strip())
    return found


def _as_it_is(header: Sequence[str], first: Sequence[str]) -> None:
    """No other names than the header's own."""


def _with_header(
    content: bytes,
    name: str,
    columns: tuple[str, ...],
    called: Callable[[Sequence[str], Sequence[str]], Mapping[str, str] | None] = _as_it_is,
) -> Iterator[tuple[int, dict[str, str]]]:
    """The number and the entries of each line, by the names of the header in small letters.

    Args:
        columns: that must be there, unless `called` knows the header, by itself and the line
            below it: heading → name.
    """
    rows = _rows(content, name)
    _, header = next(rows, (0, []))
    begun = list(islice(rows, 1))
    keys = tuple(key.strip().lower() for key in header)
    names = called(header, begun[0][1] if begun else [])
    if names:
        keys = tuple(names.get(plain_name(key), plain_name(key)) for key in header)
    lacking = [] if names else [key for key in columns if key not in keys]
    if lacking or len(set(keys)) < len(keys):
        raise DataError(
            f"a table of boxes needs the columns {', '.join(columns)}, each once; {name!r} lacks "
            f"{', '.join(lacking) or 'none, and has one twice'}. Write its header.",
            "columns",
        )
    return _with_keys(chain(begun, rows), keys, name)


def _with_keys(
    rows: Iterable[tuple[int, list[str]]], keys: tuple[str, ...], name: str
) -> Iterator[tuple[int, dict[str, str]]]:
    for index, row in rows:
        if len(row) != len(keys):
            raise DataError(
                f"every line must have {len(keys)} entries; line {index} of {name!r} has "
                f"{len(row)}. Write it again, with text that has commas in quotes.",
                "columns",
            )
        yield (
            index,
            {
                key: entry if key in _IMAGES else entry.strip()
                for key, entry in zip(keys, row, strict=True)
            },
        )


def _rows(content: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    """The number and the entries of each line that is not empty."""
    text = text_of(content, name)
    lines, comma, before = table_lines(io.StringIO(text, newline="").readlines())
    table = csv.reader(lines, delimiter=comma)
    try:
        for row in table:
            if any(entry.strip() for entry in row):
                if comma == ";":  # a spreadsheet's, of which the comma is the decimal sign
                    row = [re.sub(r"^\s*(-?\d+),(\d+)\s*$", r"\1.\2", entry) for entry in row]
                yield table.line_num + before, row
    except csv.Error as error:
        raise DataError(
            f"a table of boxes must be a CSV file; line {table.line_num + before} of {name!r} is "
            f"not one's: {error}. Correct it."
        ) from error


def _gathered(
    rows: Iterable[tuple[int, dict[str, str]]],
    read: Callable[[dict[str, str]], list[Line]],
    name: str,
    *,
    in_shares: bool = False,
) -> ToolFile:
    """The images of the lines, in the order of their first ones."""
    found: dict[str, Gathered] = {}
    sizes: dict[str, Size | None] = {}
    splits: dict[str, str] = {}
    for index, row in rows:
        place = f"line {index} of {name!r}"
        image = next(iter(row.values())) if "filename" not in row else row["filename"]
        image = row.get("imageid", image)
        own = found.setdefault(image, Gathered())
        try:
            lines = read(row)
        except (ValueError, OverflowError) as error:
            own.faults.append(misdrawn(place, error))
            continue
        for line in lines:
            sizes[image] = sizes.get(image) or line.size
            splits[image] = splits.get(image) or line.split
            if line.edges is not None:
                label = class_name(line.name)
                called = f"{place} ({label[:80]})"
                own.shapes.append(Shape(label, called, line.edges, crowd=line.crowd))
    images: list[ImageShapes] = [
        own.of(
            image,
            f"{image[:200]} of {name}",
            sizes.get(image),
            split=splits.get(image, ""),
            in_shares=in_shares,
        )
        for image, own in found.items()
    ]
    return ToolFile(tuple(images))


def tensorflow_csv(images: Iterable[tuple[str, Boxes]], *, scores: bool = False) -> str:
    """Boxes → a table with TensorFlow's header, and a score at its end if asked for.

    It knows neither difficult objects nor crowds: they are left out. Nor does it know images
    without objects: these have a line without a class.

    Args:
        images: (file name, its boxes), in order.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*TENSORFLOW, *(["score"] if scores else [])])
    for filename, boxes in images:
        height, width = boxes.size
        counted = boxes.take(boxes.counted)
        for one in counted:
            score = [f"{one.score:.6g}"] if scores else []
            table.writerow([filename, width, height, cell(one.name), *one.xyxy, *score])
        if not len(counted):
            table.writerow([filename, width, height, *[""] * (5 + scores)])
    return text.getvalue()
