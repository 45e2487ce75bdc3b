"""Tables of images and their labels or boxes: which columns of a CSV are which."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cvtasks.formats.cell_kinds import Seen, is_class, is_no_label, yes_or_no
from cvtasks.formats.reading import is_number
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
SPLIT_COLUMNS = {"split", "set", "subset", "partition", "data_set", "dataset"}
"""What a column is called that may say which split an image belongs to."""
OF_LABELS = LABEL_COLUMNS | {"finding_labels"}
_OF_WHOLE_IMAGES = IMAGE_COLUMNS | {"image_index", "filepaths"}
_SILENT = {"split", "score", ""}  # what has these names is passed over without a word
SURE = {"confidence", "conf", "certainty", "prob", "probability", "likelihood"}
_NO_LABELS = {*_SILENT, *SURE, "fold", "folds", "kfold", "k_fold", "index"}
INDEX = "unnamed:"  # how pandas calls a column without a name
_SEVERAL = {"tags": " ,;", "labels": ",;"}
"""Column → signs that may stand between several labels."""

_EXCEL = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_NAMES = ("name", "object", "object_name", "cls", "type", "label_text", "class_label", "obj")
"""Headings of classes in a table of boxes, where none of `LABEL_COLUMNS` is there."""
_OF_SPLITS = ("split", "subset")  # in a table of boxes
_NEITHER = {
    *("width", "height", "image_width", "image_height", "img_width", "img_height", "depth"),
    *("score", "confidence", "area", "iscrowd", "difficult", "truncated", "occluded", "pose"),
    *("isoccluded", "istruncated", "isgroupof", "isdepiction", "isinside", "source", "segmented"),
    *("id", "annotation_id", "object_id", "index", "url", "license", "date", "", *SPLIT_COLUMNS),
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
        known: whether the column of labels is called so; else it is but the one that is left.
    """

    count: int
    image: int
    label: int
    split: int | None
    heading: bool
    several: str
    others: tuple[str, ...]
    known: bool = True


@dataclass(frozen=True)
class ClassColumns:
    """Places of the columns of a table that has one for each class.

    Attributes:
        count: how many there are. image: the one that names images. split: that of splits, or None.
        classes: place → the class's name.
        no: the kind of the cells that mean no (`cell_kind`): "no", or "minus" or "blank" where
            there is none.
        others: names of columns that are no class's.
    """

    count: int
    image: int
    split: int | None
    classes: Mapping[int, str]
    no: str
    others: tuple[str, ...]


def columns_of(head: Sequence[str], seen: Seen = ()) -> Columns | None:
    """The columns of a table of labels by its first line; None where they are not clear, or where
    it is no table of labels.

    Args:
        seen: what its columns hold: one that is not called like a label's and says yes or no alone
            is a class of its own (`class_columns`), and one of numbers with fractions none at all.

    >>> columns_of(["image_id", "label"]).label, columns_of(["cats/1.jpg", "cat"]).heading
    (1, False)
    >>> columns_of(["filename", "width", "xmin", "class"])
    >>> columns_of(["id", "cat"], [Counter(text=2), Counter(yes=1, no=1)])
    """
    plain = [plain_name(cell) for cell in head]
    if len(plain) == 2 and plain[0].endswith(SUFFIXES):
        return Columns(2, 0, 1, None, False, "", (), False)
    places = places_in(plain)
    if places is None:
        return None
    image, rest = places
    labels = [at for at in rest if plain[at] in OF_LABELS]
    labels.sort(key=lambda at: plain[at].endswith("_id"))  # a name tells more than its number
    rest = rest if labels or "split" in plain else _without_splits(plain, rest)
    if not labels and (len(rest) != 1 or (seen and is_no_label(seen[rest[0]]))):
        return None
    label = (labels or rest)[0]
    split = _split(plain, image, label)
    others, several = _others(head, {image, label, split}), _SEVERAL.get(plain[label], "")
    return Columns(len(plain), image, label, split, True, several, others, bool(labels))


def class_columns(head: Sequence[str], seen: Seen) -> ClassColumns | None:
    """The columns of a table with one for each class by its first line and what they hold; None
    where it is no such table.

    A column is a class's if its cells are yes or no, but for a few. One alone is one only if there
    is no other column, and no other cell.

    >>> flags, ages = Counter(yes=1, no=2), Counter(yes=1, whole=2)
    >>> class_columns(["id", "cat", "dog", "age"], [ages, flags, flags, ages]).others
    ('age',)
    >>> class_columns(["id", "level"], [ages, ages])
    """
    plain = [plain_name(cell) for cell in head]
    places = places_in(plain)
    if places is None or len(seen) != len(head) or any(plain[at] in OF_LABELS for at in places[1]):
        return None
    image, rest = places
    split = _split(plain, image, None)
    if split is not None and plain[split] != "split" and is_class(seen[split]):
        split = None
    rest = [at for at in rest if at != split]
    classes = [at for at in rest if is_class(seen[at])]
    if not classes or (len(classes) == 1 and (len(rest) > 1 or not yes_or_no(seen[classes[0]]))):
        return None
    kinds = sum((seen[at] for at in classes), Counter[str]())
    no = next((kind for kind in ("no", "minus") if kinds[kind]), "blank")
    names = {at: head[at].strip() for at in classes}
    others = _others(head, {image, split, *classes})
    return ClassColumns(len(plain), image, split, names, no, others)


def places_in(plain: Sequence[str]) -> tuple[int, list[int]] | None:
    """The column of images, and those that may hold labels; None for a table of something else."""
    named = _of_images(plain, known=_OF_WHOLE_IMAGES)
    if named is None or _OF_BOXES.intersection(plain):
        return None
    image = plain.index(named)
    return image, [
        at
        for at, name in enumerate(plain)
        if at != image and name not in _NO_LABELS and not name.startswith(INDEX)
    ]


def _others(head: Sequence[str], told: Collection[int | None]) -> tuple[str, ...]:
    """The names of the columns that are passed over and deserve a word."""
    named = ((at, name.strip(), plain_name(name)) for at, name in enumerate(head))
    return tuple(
        name
        for at, name, plain in named
        if at not in told and plain not in _SILENT and not plain.startswith(INDEX)
    )


def _split(plain: Sequence[str], image: int, label: int | None) -> int | None:
    """The column that may name splits."""
    if "split" in plain:
        return plain.index("split")
    found = [at for at, name in enumerate(plain) if name in SPLIT_COLUMNS]
    return found[0] if len(found) == 1 and found[0] not in (image, label) else None


def _without_splits(plain: Sequence[str], rest: list[int]) -> list[int]:
    """The columns without that of splits, if another one is left."""
    return [at for at in rest if plain[at] not in SPLIT_COLUMNS] or rest


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
    split = next((one for one in _OF_SPLITS if one in own), None)
    known = {**({label: "class"} if label else {}), **({split: "split"} if split else {})}
    return {image: "filename", **known, **found}


def left_over(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """The columns of a table of boxes without classes that may hold them: of text, and not known to
    be something else.

    Args:
        rows: some lines, by the names of `columns_of_boxes`, and of other columns in small letters.
    """
    used = {*CORNERS, *BOX_COLUMNS.values(), *"xywh", *_NEITHER, *IMAGE_COLUMNS}
    found = (key for row in rows for key, text in row.items() if text and not is_number(text))
    return [*dict.fromkeys(key for key in found if key not in used)]


def _of_images(
    plain: Sequence[str], first: Sequence[str] = (), known: Collection[str] = IMAGE_COLUMNS
) -> str | None:
    """The column that names images; None where there is none, or two have one name.

    One whose entry in the line `first` is called like an image comes first, numbers and names last.
    """

    def rank(one: str) -> tuple[bool, int, int]:
        at = plain.index(one)
        is_file = at < len(first) and first[at].strip().casefold().endswith(SUFFIXES)
        return not is_file, (one in _NUMBERS) + 2 * (one in _WEAK), at

    found = sorted({*known}.intersection(plain), key=rank)
    return found[0] if found and len(set(plain)) == len(plain) else None


def sign_of(line: str) -> str:
    """The sign between the columns: spreadsheets write semicolons where the comma is the decimal
    sign.
    """
    return max(",;\t", key=line.count)


def told_sign(line: str) -> str:
    """The sign between the columns that a first line tells Excel, `sep=;`; nothing where the line
    is a table's own.

    >>> told_sign("sep=;\\n"), told_sign("image;label")
    (';', '')
    """
    found = _EXCEL.fullmatch(line.lstrip("\ufeff").rstrip("\r\n"))
    return found[1] if found else ""


def table_lines(lines: Sequence[str]) -> tuple[Sequence[str], str, int]:
    """The lines of a table without blank ones before it and the one that tells Excel the sign
    between the columns, this sign, and how many lines were taken away.

    >>> table_lines(["", "sep=;", "image;label"]), table_lines([" ", "a.png,b"])
    ((['image;label'], ';', 2), (['a.png,b'], ',', 1))
    """
    blank = next((at for at, line in enumerate(lines) if line.strip("\ufeff \t\r\n")), len(lines))
    lines = lines[blank:]
    sign = told_sign(lines[0]) if lines else ""
    lines = lines[1:] if sign else lines
    return lines, sign or sign_of("".join(lines[:1])), blank + bool(sign)
