"""Tables of boxes: TensorFlow's, RetinaNet's, and those of Open Images."""

import csv
from pathlib import Path

from cvtasks.data.formats.bases.tool_files import Tool, tool_format, with_endings
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in
from cvtasks.formats.box_tables import (
    OPEN_IMAGES,
    class_titles,
    parse_open_images,
    parse_retinanet,
    parse_tensorflow,
)
from cvtasks.formats.reading import MEGABYTE, is_number, read_annotation
from cvtasks.formats.shapes import ToolFile
from cvtasks.formats.tables import columns_of_boxes, table_lines
from cvtasks.media.file_types import SUFFIXES

_DEEP = 3  # folders above a table in which the names of the classes are looked for


def _columns(path: Path) -> list[str]:
    """The entries of a table's first line."""
    lines, sign, _ = table_lines(first_lines(path, 2))
    if not lines:
        return []
    try:
        return [entry.strip() for entry in next(csv.reader(lines[:1], delimiter=sign))]
    except csv.Error:
        return []


def _is_tensorflow(path: Path) -> bool:
    return columns_of_boxes(_columns(path)) is not None and not _is_open_images(path)


def _is_open_images(path: Path) -> bool:
    return set(OPEN_IMAGES) <= set(_columns(path))


def _is_retinanet(path: Path) -> bool:
    columns = _columns(path)
    if len(columns) != 6 or not columns[0].lower().endswith(SUFFIXES):
        return False
    return not any(columns[1:]) or all(is_number(entry) for entry in columns[1:5])


def _open_images(content: bytes, name: str) -> ToolFile:
    """A table whose labels are named as the table of descriptions near it says."""
    folder = Path(name).parent
    near = (folder, *folder.parents[: _DEEP - 1])
    lists = (file for one in near for file in files_in(one, ".csv"))
    titles = next((file for file in lists if "class-descriptions" in file.name.lower()), None)
    known = class_titles(read_annotation(titles, 16 * MEGABYTE), str(titles)) if titles else {}
    return parse_open_images(content, name, known)


def _without_blanks(name: str) -> list[str]:
    """The file that may be meant by a name with blanks around it, where none has these."""
    return [name.strip()]


TENSORFLOW_TOOL = Tool(
    (".csv",),
    _is_tensorflow,
    parse_tensorflow,
    parts=True,
    names_all=False,
    aliases=_without_blanks,
)
RETINANET_TOOL = Tool(
    (".csv",), _is_retinanet, parse_retinanet, names_all=False, aliases=_without_blanks
)
OPEN_IMAGES_TOOL = Tool(
    (".csv",), _is_open_images, _open_images, names_all=False, aliases=with_endings
)

TENSORFLOW_CSV = tool_format(
    TENSORFLOW_TOOL,
    "TensorFlow boxes CSV",
    "a CSV with the header filename,width,height,class,xmin,ymin,xmax,ymax or the like, and the "
    "images",
    "CSV of boxes",
)
RETINANET_CSV = tool_format(
    RETINANET_TOOL,
    "RetinaNet CSV",
    "a CSV without a header: path,x1,y1,x2,y2,class",
    "CSV of boxes",
)
OPEN_IMAGES_CSV = tool_format(
    OPEN_IMAGES_TOOL,
    "Open Images CSV",
    "<split>-annotations-bbox.csv, class-descriptions-boxable.csv, and images in <split>/",
    "CSV of boxes",
)
