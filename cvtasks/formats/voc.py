"""Pascal VOC's annotation file, one XML an image ⇄ `Boxes`. Its corners exist in this file alone.

A corner counts pixels from 1, and the last pixel belongs to the box (Everingham and Winn, "The
PASCAL Visual Object Classes Challenge 2012 Development Kit", section 4): a box over the whole of a
w × h image is (1, 1, w, h) there and (0, 0, w, h) here.

Other programs (CVAT and what else writes what was drawn with a mouse) put edges into the same tags
that are counted from 0 and have fractions. A file with a fraction in any corner is therefore read
so, all of it, unless its `<source>` says that it is the devkit's or of this package, and so is one
beside it whose corners are whole but all written with a point. Any other file of whole numbers
alone is the devkit's way.
"""

import re
from collections.abc import Callable, Container
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import (
    UPRIGHT_PIXELS,
    Drawn,
    Size,
    boxes_of,
    declared_size,
    in_pixels,
    unknown,
)
from cvtasks.formats.reading import FRACTIONS, MISNAMED, ZERO_BASED
from cvtasks.formats.voc_elements import CORNERS, VOCObject, object_of, root_of, short
from cvtasks.formats.xml_reading import child_of, tag_of, text_of
from cvtasks.text import listed, one_line

# as <annotation> of <source>: corners with fractions count from 1, and the image was upright
_OWN = "cvtasks"


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
    content: bytes,
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    turn: int = 1,
    habit: Callable[[], str] = unknown,
    image: str = "",
    images: Container[str] = (),
    beside: Callable[[], bool] = bool,
) -> tuple[Boxes, tuple[str, ...]]:
    """One annotation file → its objects, and remarks about what was changed in reading.

    Read are `name`, `difficult` and `bndbox` of each `object`, whole or fractional, in any
    namespace and order, and the rotation that CVAT writes into `attributes` and roLabelImg into
    `robndbox`: then the upright box around it counts. What else is there plays no part, such as
    parts of a body with boxes of their own. Where `size` is another than the image's, boxes are
    scaled, or turned with it (`placed` of `cvtasks.formats.drawn`). Objects with the same class and
    box are one.

    Args:
        content: the XML.
        classes: names that objects may have.
        size: (height, width) of the image as it really is, upright. turn: its EXIF orientation.
        name: what errors call the file.
        complain: about an object whose class is unknown, with a number that is none, or a box that
            does not fit (`fit` of `cvtasks.formats.reading`). If it returns, the object is left
            out.
        habit: whether other files show that boxes were drawn on "upright" or "stored" pixels.
        image: the name of the image's file, to be compared with `filename`; not if empty.
        images: names, with or without endings, of the images beside it.
        beside: asked where all corners are whole and written with a point; whether files beside it
            have fractions.

    Raises:
        DataError: the file is no such XML or declares entities, is another image's, or of one of
            another shape.
    """
    root = root_of(content, name)
    source = _source(root)
    remarks = _filename(text_of(root, "filename"), image, images, name)
    objects = _objects(root, classes, name, complain)
    edges, counted_from = _edges(objects, source, beside)
    drawn = [
        Drawn(tuple(row), one.label, one.place, difficult=one.difficult, angle=one.angle)
        for row, one in zip(edges.tolist(), objects, strict=True)
    ]
    boxes, changed = boxes_of(
        in_pixels(drawn, size, complain),
        classes,
        size,
        name,
        complain,
        declared=_size(root),
        turn=turn,
        habit=(lambda: UPRIGHT_PIXELS) if source == _OWN else habit,
    )
    return boxes, (*remarks, *counted_from, *changed)


def _objects(
    root: Element, classes: tuple[str, ...], name: str, complain: Complain
) -> list[VOCObject]:
    """The objects of a file; `complain` hears of those that cannot be read."""
    objects = []
    for number, item in enumerate((child for child in root if tag_of(child) == "object"), start=1):
        try:
            objects.append(object_of(item, number, classes, name))
        except DataError as error:
            complain(error)
    return objects


def voc_size(content: bytes, name: str) -> Size | None:
    """(height, width) that an annotation file declares for its image, if it does; errors are those
    of `parse_voc`.
    """
    return _size(root_of(content, name))


def voc_has_fractions(content: bytes, name: str) -> bool:
    """Whether the corners of a file have fractions, and are counted from 0 therefore; errors are
    those of `parse_voc`.
    """
    root = root_of(content, name)
    boxes = (child_of(item, "bndbox") for item in root if tag_of(item) == "object")
    texts = (
        text_of(box, corner).partition(".")
        for box in boxes
        if box is not None
        for corner in CORNERS
    )
    return not _source(root) and any(fraction.strip("0").isdecimal() for _, _, fraction in texts)


def voc_filename(content: bytes, name: str) -> str:
    """The name of its image that an annotation file gives, without folders; empty if none."""
    return _bare(text_of(root_of(content, name), "filename"))


def voc_xml(boxes: Boxes, filename: str, *, scores: bool = False) -> str:
    """Boxes of the image `filename` → the text of an annotation file.

    Names are written in one line, control characters escaped: XML has no place for them. Corners
    are written with as many digits as bring the same float32 back. VOC knows no crowds: these
    become difficult, which means the same to its evaluation. `areas` are lost. Scores stand in a
    `score`, which the devkit passes over.
    """
    height, width = boxes.size
    root = Element("annotation")
    _add(root, "filename", filename)
    _add(SubElement(root, "source"), "annotation", _OWN)
    size = SubElement(root, "size")
    for tag, side in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, str(side))
    _add(root, "segmented", "0")
    ignored = ~boxes.counted
    for index, (name, corners) in enumerate(
        zip(boxes.names, to_voc_corners(boxes.xyxy).tolist(), strict=True)
    ):
        item = SubElement(root, "object")
        _add(item, "name", listed(name))
        _add(item, "difficult", str(int(ignored[index])))
        box = SubElement(item, "bndbox")
        for tag, corner in zip(CORNERS, corners, strict=True):
            _add(box, tag, _digits(corner, 1.0 if tag in ("xmin", "ymin") else 0.0))
        if scores:
            _add(item, "score", f"{float(boxes.scores[index]):.6g}")
    indent(root, "\t")
    return tostring(root, encoding="unicode") + "\n"


def _source(root: Element) -> str:
    """What wrote the file: `_OWN`, "devkit", or "" for anything else."""
    source = child_of(root, "source")
    text = "" if source is None else text_of(source, "annotation")
    return "devkit" if text.upper().startswith("PASCAL VOC") else _OWN if text == _OWN else ""


def _size(root: Element) -> Size | None:
    size = child_of(root, "size")
    return None if size is None else declared_size(text_of(size, "height"), text_of(size, "width"))


def _edges(
    objects: list[VOCObject], source: str, beside: Callable[[], bool]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n, 4) float64 edges from 0 of all objects of a file, and a remark on how their corners are
    counted.
    """
    corners = np.array([entry.corners for entry in objects], np.float64).reshape(-1, 4)
    whole = np.array([not entry.edges for entry in objects], bool)
    pointed = whole.any() and all(entry.pointed for entry in objects if not entry.edges)
    if not source and ((corners[whole] % 1 != 0).any() or (pointed and beside())):
        return corners, (FRACTIONS,)
    zeros = (ZERO_BASED,) * int((corners[whole, :2] == 0).any(axis=1).sum())
    return np.where(whole[:, None], from_voc_corners(corners), corners), zeros


def _filename(given: str, image: str, images: Container[str], name: str) -> tuple[str, ...]:
    """A remark where a file names an image that is not its own and not there; an error where it is
    there.
    """
    bare = _bare(given)
    own = {
        image.strip(),
        PurePosixPath(image).stem.strip(),
    }  # XML's texts are read without the space around them
    named = {bare, PurePosixPath(bare).stem}
    if not image or not bare or own & named:
        return ()
    there = next((text for text in (bare, PurePosixPath(bare).stem) if text in images), "")
    if there:
        raise DataError(
            f"an annotation must be that of the image of its name; {name!r} says "
            f"<filename>{short(bare)}</filename>, which is "
            f"another image beside {image!r}. Correct the file, or its <filename>.",
            "another image's",
        )
    return (MISNAMED,)


def _bare(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[\\/]", path)[-1]


def _digits(corner: float, offset: float) -> str:
    """The shortest decimal that reads back as the same float32 edge."""
    edge = np.float32(corner - offset)
    return next(
        (text for d in range(12) if np.float32(float(text := f"{corner:.{d}f}") - offset) == edge),
        repr(corner),
    )


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = one_line(text)
