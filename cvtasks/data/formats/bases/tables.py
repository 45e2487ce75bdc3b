"""Tables of images and their labels: which columns of a CSV are which."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cvtasks.data.formats.kinds import first_lines
from cvtasks.media.file_types import SUFFIXES

IMAGE_COLUMNS = {
    *("image", "filename", "file", "file_name", "fname", "image_id", "imageid", "image_name"),
    *("imagename", "img", "img_id", "img_name", "id", "id_code", "path", "filepath"),
    *("file_path", "image_path", "img_path", "imagepath", "image_file", "photo", "picture"),
    *("name",),
}
"""What a column is called that names images, in small letters."""
LABEL_COLUMNS = {
    *("label", "labels", "label_name", "class", "classes", "class_name", "classname"),
    *("class_label", "category", "category_name", "target", "tag", "tags", "species"),
    *("breed", "diagnosis", "disease", "class_id", "category_id", "label_id"),
}
"""What a column is called that holds labels."""
_OF_BOXES = {
    *("xmin", "ymin", "x_min", "y_min", "x1", "y1", "xtl", "ytl", "bbox", "bboxes"),
    *("bounding_box", "boundingbox", "region_shape_attributes", "encodedpixels", "rle"),
    *("segmentation", "polygon"),
}
_PASSED_OVER = {"split", "score"}


@dataclass(frozen=True)
class Columns:
    """Places of a table's columns.

    Attributes:
        count: how many there are. image, label: those that count. split: that of splits, or None.
        heading: whether the first line names them, and is no image's.
        several: the sign between labels of one image, beside `|`; empty for none.
        others: names of columns that say nothing about labels.
    """

    count: int
    image: int
    label: int
    split: int | None
    heading: bool
    several: str
    others: tuple[str, ...]


def columns_of(head: Sequence[str], first: Sequence[str] = ()) -> Columns | None:
    """The columns of a table of labels by its first line; None where they are not clear, or where
    it is no table of labels.

    Args:
        first: its second line: a column of 0 or 1 that is not called like a label's is a class of
            its own.

    >>> columns_of(["image_id", "label"]).label, columns_of(["cats/1.jpg", "cat"]).heading
    (1, False)
    >>> columns_of(["filename", "width", "xmin", "class"]), columns_of(["id", "cat"], ["a", "1"])
    (None, None)
    """
    plain = [cell.strip().casefold().replace(" ", "_") for cell in head]
    if len(plain) == 2 and plain[0].endswith(SUFFIXES):
        return Columns(2, 0, 1, None, False, "", ())
    images = [at for at, name in enumerate(plain) if name in IMAGE_COLUMNS]
    if not images or len(set(plain)) < len(plain) or _OF_BOXES.intersection(plain):
        return None
    image = images[0]
    rest = [at for at, name in enumerate(plain) if at != image and name not in _PASSED_OVER]
    named = [at for at in rest if plain[at] in LABEL_COLUMNS]
    if not named and (len(rest) != 1 or first[rest[0] : rest[0] + 1] in (["0"], ["1"])):
        return None
    label = (named or rest)[0]
    split = plain.index("split") if "split" in plain else None
    others = tuple(head[at].strip() for at in rest if at != label)
    return Columns(len(plain), image, label, split, True, _SEVERAL.get(plain[label], ""), others)


_SEVERAL = {"tags": " ,;", "labels": ",;"}
"""Column → signs that may stand between several labels."""


def begun(path: Path) -> tuple[list[str], list[str]]:
    """The cells of the first two lines of a CSV; none where it is no table."""
    lines = first_lines(path, 2)
    try:
        rows = list(csv.reader(lines, delimiter=sign_of(lines[0] if lines else "")))
    except csv.Error:
        return [], []
    return (rows[0] if rows else []), (rows[1] if len(rows) > 1 else [])


def sign_of(line: str) -> str:
    """The sign between the columns: spreadsheets write semicolons where the comma is the decimal
    sign.
    """
    return max(",;\t", key=line.count)
