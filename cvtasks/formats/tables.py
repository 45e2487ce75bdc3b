"""Tables of images and their labels or boxes: which columns of a CSV are which."""

from collections.abc import Sequence
from dataclasses import dataclass

from cvtasks.media.file_types import SUFFIXES

IMAGE_COLUMNS = {
    *("image", "filename", "file", "file_name", "fname", "image_id", "imageid", "image_name"),
    *("imagename", "img", "img_id", "img_name", "id", "id_code", "path", "filepath"),
    *("file_path", "image_path", "img_path", "imagepath", "image_file", "photo", "picture"),
    *("name", "datei", "dateiname", "bild", "fichier", "archivo", "imagen"),
}
"""What a column is called that names images, in small letters."""
LABEL_COLUMNS = {
    *("label", "labels", "label_name", "class", "classes", "class_name", "classname"),
    *("class_label", "category", "category_name", "target", "tag", "tags", "species"),
    *("breed", "diagnosis", "disease", "class_id", "category_id", "label_id"),
    *("klasse", "etikett", "classe", "clase", "etiqueta"),
}
"""What a column is called that holds labels."""
CORNERS = {
    "xmin": ("xmin", "x_min", "x1", "xtl", "left"),
    "ymin": ("ymin", "y_min", "y1", "ytl", "top"),
    "xmax": ("xmax", "x_max", "x2", "xbr", "right"),
    "ymax": ("ymax", "y_max", "y2", "ybr", "bottom"),
}
"""Edge of a box → what its column is called."""
SIDES = ({"x", "y", "w", "h"}, {"x", "y", "width", "height"})
"""Columns of a box's corner and sides, where none of another edge is there."""
BOX_COLUMNS = {
    **dict.fromkeys(("bbox", "bboxes", "box", "boxes", "bounding_box", "boundingbox"), "bbox"),
    **dict.fromkeys(("bbox_xywh", "box_xywh", "xywh"), "xywh"),
    **dict.fromkeys(("bbox_xyxy", "box_xyxy", "xyxy"), "xyxy"),
}
"""What a column is called that holds a whole box as text, in small letters → how it is written: two
corners, a corner and sides, or either.
"""
_OF_BOXES = {
    *(name for names in CORNERS.values() for name in names),
    *BOX_COLUMNS,
    *("region_shape_attributes", "encodedpixels", "rle", "segmentation", "polygon"),
}
_WEAK = ("id", "name")  # where another column may name images, these do not
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
    plain = [plain_name(cell) for cell in head]
    if len(plain) == 2 and plain[0].endswith(SUFFIXES):
        return Columns(2, 0, 1, None, False, "", ())
    named = _of_images(plain)
    if named is None or _OF_BOXES.intersection(plain):
        return None
    image = plain.index(named)
    rest = [at for at, name in enumerate(plain) if at != image and name not in _PASSED_OVER]
    labels = [at for at in rest if plain[at] in LABEL_COLUMNS]
    if not labels and (len(rest) != 1 or first[rest[0] : rest[0] + 1] in (["0"], ["1"])):
        return None
    label = (labels or rest)[0]
    split = plain.index("split") if "split" in plain else None
    others = tuple(head[at].strip() for at in rest if at != label)
    return Columns(len(plain), image, label, split, True, _SEVERAL.get(plain[label], ""), others)


_SEVERAL = {"tags": " ,;", "labels": ",;"}
"""Column → signs that may stand between several labels."""


def plain_name(heading: str) -> str:
    """What a column is called, in small letters and without spaces."""
    return heading.strip().casefold().replace(" ", "_")


def columns_of_boxes(head: Sequence[str]) -> dict[str, str] | None:
    """The columns of a table of boxes by its first line, heading in small letters → TensorFlow's
    name (`filename`, `class`, `xmin` …), `x`, `y`, `w`, `h`, or one of `BOX_COLUMNS`; None where it
    is no such table.

    >>> columns_of_boxes(["image_id", "x1", "y1", "x2", "y2", "label"])["label"]
    'class'
    >>> columns_of_boxes(["image", "x", "y", "width", "height"])["width"]
    'w'
    >>> columns_of_boxes(["image", "width", "height", "class"])
    """
    plain = [plain_name(cell) for cell in head]
    edges = {
        own: next((one for one in names if one in plain), "") for own, names in CORNERS.items()
    }
    image = _of_images(plain)
    if image is None:
        return None
    whole = [one for one in plain if one in BOX_COLUMNS]
    if all(edges.values()):
        found = {name: own for own, name in edges.items()}
    elif len(whole) == 1 and not any(edges.values()):
        found = {whole[0]: BOX_COLUMNS[whole[0]]}
    else:
        sides = next((one for one in SIDES if one <= set(plain)), None)
        if sides is None or any(edges.values()):
            return None
        found = {name: name[0] for name in sides}
    label = next((one for one in plain if one in LABEL_COLUMNS), None)
    return {image: "filename", **({label: "class"} if label else {}), **found}


def _of_images(plain: Sequence[str]) -> str | None:
    """The column that names images; None where there is none, or two have one name."""
    found = sorted(
        IMAGE_COLUMNS.intersection(plain), key=lambda one: (one in _WEAK, plain.index(one))
    )
    return found[0] if found and len(set(plain)) == len(plain) else None


def sign_of(line: str) -> str:
    """The sign between the columns: spreadsheets write semicolons where the comma is the decimal
    sign.
    """
    return max(",;\t", key=line.count)
