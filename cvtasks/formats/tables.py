"""Tables of images and their labels or boxes: which columns of a CSV are which."""

from collections.abc import Iterable, Mapping, Sequence
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
_NUMBERS = {"image_id", "imageid", "img_id", "id_code"}
_WEAK = {"id", "name"}
"""Columns that do not name images where another one may: those after that, and before."""
_PASSED_OVER = {"split", "score"}
_SPLITS = ("split", "subset")
_NAMES = ("name", "object", "object_name", "cls", "type", "label_text", "class_label", "obj")
"""Headings of classes in a table of boxes, where none of `LABEL_COLUMNS` is there."""
_NEITHER = {
    *("width", "height", "image_width", "image_height", "img_width", "img_height", "depth"),
    *("score", "confidence", "area", "iscrowd", "difficult", "truncated", "occluded", "pose"),
    *("isoccluded", "istruncated", "isgroupof", "isdepiction", "isinside", "source", "segmented"),
    *("id", "annotation_id", "object_id", "index", "url", "license", "date", "", *_SPLITS),
}
"""Columns of a table of boxes that are known to say neither image nor class."""


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


def columns_of_boxes(head: Sequence[str], first: Sequence[str] = ()) -> dict[str, str] | None:
    """The columns of a table of boxes by its first line, heading in small letters → TensorFlow's
    name (`filename`, `class`, `xmin` …), `x`, `y`, `w`, `h`, `split`, or one of `BOX_COLUMNS`; None
    where it is no such table.

    Args:
        first: its second line: what there is called like an image's file names the images.

    >>> columns_of_boxes(["image_id", "x1", "y1", "x2", "y2", "label"])["label"]
    'class'
    >>> columns_of_boxes(["image", "x", "y", "width", "height"])["width"]
    'w'
    >>> columns_of_boxes(["image", "width", "height", "class"])
    >>> columns_of_boxes(["id", "file", "bbox", "name"], ["3", "a.png", "[]", "cat"])
    {'file': 'filename', 'name': 'class', 'bbox': 'bbox'}
    """
    plain = [plain_name(cell) for cell in head]
    edges = {
        own: next((one for one in names if one in plain), "") for own, names in CORNERS.items()
    }
    image = _of_images(plain, first)
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
    own = [one for one in plain if one != image and one not in found]
    labels = [one for one in own if one in LABEL_COLUMNS]
    labels.sort(key=lambda one: one.endswith("_id"))  # a number, where there may be a name
    label = next(iter([*labels, *(one for one in _NAMES if one in own)]), None)
    split = next((one for one in _SPLITS if one in own), None)
    known = {**({label: "class"} if label else {}), **({split: "split"} if split else {})}
    return {image: "filename", **known, **found}


def left_over(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The columns of a table of boxes without classes that may hold them: of text, and not known to
    be something else.

    Args:
        rows: some lines, by the names of `columns_of_boxes`, and of other columns in small letters.
    """
    used = {*CORNERS, *BOX_COLUMNS.values(), *"xywh", *_NEITHER, *IMAGE_COLUMNS}
    return [*dict.fromkeys(k for row in rows for k in row if k not in used and not _number(row[k]))]


def _number(text: str) -> bool:
    try:
        float(text or 0)
    except ValueError:
        return False
    return True


def _of_images(plain: Sequence[str], first: Sequence[str] = ()) -> str | None:
    """The column that names images; None where there is none, or two have one name.

    One whose entry in the line `first` is called like an image comes first, numbers and names last.
    """

    def rank(one: str) -> tuple[bool, int, int]:
        at = plain.index(one)
        is_file = at < len(first) and first[at].strip().casefold().endswith(SUFFIXES)
        return not is_file, (one in _NUMBERS) + 2 * (one in _WEAK), at

    found = sorted(IMAGE_COLUMNS.intersection(plain), key=rank)
    return found[0] if found and len(set(plain)) == len(plain) else None


def sign_of(line: str) -> str:
    """The sign between the columns: spreadsheets write semicolons where the comma is the decimal
    sign.
    """
    return max(",;\t", key=line.count)
