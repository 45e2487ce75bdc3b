"""Wrong annotations, and some that only look wrong: Pascal VOC's XML, COCO's JSON, YOLO's text and
YAML, whole data sets.
"""

import io
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from cvtasks.answers import Boxes, Mask
from cvtasks.data import open_source
from cvtasks.formats.coco import coco_boxes, parse_coco
from cvtasks.formats.reading import read_annotation, read_text
from cvtasks.formats.voc import parse_voc
from cvtasks.formats.yolo import parse_yaml, parse_yolo
from tests.laws.tour import Case, Make, file

CLASSES = ("cat", "dog", "tvmonitor")
SIZE = (100, 200)
Bytes = bytes | Callable[[], bytes]


def bad(make: Make, says: str) -> Case:
    return Case(make, "DataError", says)


# === Pascal VOC ===


def voc(path: Path) -> object:
    return parse_voc(read_annotation(path), CLASSES, SIZE, str(path))


def box(left: object = 11, top: object = 21, right: object = 30, bottom: object = 40) -> str:
    low, high = (
        f"<xmin>{left}</xmin><ymin>{top}</ymin>",
        f"<xmax>{right}</xmax><ymax>{bottom}</ymax>",
    )
    return f"<bndbox>{low}{high}</bndbox>"


def thing(inside: str | None = None, name: str = "dog", more: str = "") -> str:
    return f"<object><name>{name}</name>{more}{box() if inside is None else inside}</object>"


def xml(*parts: str, before: str = "", tag: str = "annotation") -> bytes:
    size = "<size><width>200</width><height>100</height><depth>3</depth></size>"
    head = f"<filename>a.jpg</filename>{size}"
    return f"{before}<{tag}>{head}{''.join(parts or (thing(),))}</{tag.split()[0]}>".encode()


def read_voc(content: Bytes, says: str = "1 boxes: dog 10, 20, 30, 40") -> Case:
    return Case(file(content, voc), "", says)


def no_voc(content: Bytes, says: str) -> Case:
    return bad(file(content, voc), says)


def special(prepare: Callable[[Path], object], read: Callable[[Path], object]) -> Make:
    def make(folder: Path) -> Callable[[], object]:
        prepare(folder / "file")
        return partial(read, folder / "file")

    return make


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
FIT, NUMBER, INSIDE, ORDER = (
    "must be whole, correct XML",
    "must be a finite number",
    "must lie in its image",
    "left of its right one",
)

VOC = {
    "a box": read_voc(xml()),
    "no objects": read_voc(xml(""), "0 boxes"),
    "an empty annotation": read_voc(b"<annotation/>", "0 boxes"),
    "corners with fractions": read_voc(
        xml(thing(box("11.5", "21.25", 30, 40))), "11.5, 21.25, 30, 40"
    ),
    "corners with exponents": read_voc(xml(thing(box("1.1e1", "+21", "3E1", "40.")))),
    "white space around numbers": read_voc(xml(thing(box("\n 11\t", " 21 ", 30, 40)))),
    "a namespace": read_voc(xml(tag='annotation xmlns="http://example.org/voc"')),
    "a byte order mark": read_voc(b"\xef\xbb\xbf" + xml()),
    "UTF-16": read_voc(
        lambda: xml(before='<?xml version="1.0" encoding="UTF-16"?>').decode().encode("utf-16")
    ),
    "Latin 1": read_voc(
        lambda: (
            xml("<owner>Jürgen</owner>", thing(), before='<?xml version="1.0" encoding="latin-1"?>')
            .decode()
            .encode("latin-1")
        )
    ),
    "comments and instructions": read_voc(xml("<!-- a dog -->", "<?php evil() ?>", thing())),
    "parts with boxes of their own": read_voc(
        xml(thing(more=f"<part><name>head</name>{box(1, 1, 9, 9)}</part>"))
    ),
    "an object within an object": read_voc(
        xml(thing(more=f"<object><name>cat</name>{box(1, 1, 9, 9)}</object>"))
    ),
    "a file name that leads out": read_voc(xml().replace(b"a.jpg", b"../../../etc/passwd")),
    "a wrong size": no_voc(xml().replace(b">200<", b">640<"), "declares 640 x 100"),
    "a size of nonsense": read_voc(xml().replace(b">200<", b">many<")),
    "a box over the whole image": read_voc(xml(thing(box(1, 1, 200, 100))), "0, 0, 200, 100"),
    "a box counted from 0": read_voc(xml(thing(box(0, 0, 199, 99))), "0, 0, 199, 99"),
    "a box of one pixel": read_voc(xml(thing(box(5, 5, 5, 5))), "4, 4, 5, 5"),
    "the same box twice": read_voc(xml(thing(), thing())),
    "20,000 objects": read_voc(
        lambda: xml(*(thing(box(x, y, x, y)) for x in range(1, 201) for y in range(1, 101))),
        "20000 boxes",
    ),
    "difficult, in words": read_voc(xml(thing(more="<difficult>yes</difficult>"))),
    "difficult, in other words": no_voc(
        xml(thing(more="<difficult>maybe</difficult>")), "0 or 1, yes or no"
    ),
    "nothing": no_voc(b"", FIT),
    "text": no_voc(b"dog 11 21 30 40\n", FIT),
    "JSON": no_voc(b'{"images": []}', FIT),
    "HTML": no_voc(b"<html><body>404 Not Found</body></html>", "holds a <html>"),
    "cut": no_voc(xml()[:-60], FIT),
    "two roots": no_voc(xml() + xml(), FIT),
    "bytes behind its end": no_voc(xml() + b"\0\0", FIT),
    "zeros, as a crash leaves them": no_voc(bytes(4096), FIT),
    "an encoding that does not exist": no_voc(
        xml(before='<?xml version="1.0" encoding="klingon"?>'), FIT
    ),
    "bytes that are not UTF-8": no_voc(
        xml(thing(name="do\xff")).replace("ÿ".encode(), b"\xff"), FIT
    ),
    "a document type": no_voc(xml(before="<!DOCTYPE annotation>"), "document type or entities"),
    "a document type elsewhere": no_voc(
        xml(before='<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">'), "document type or entities"
    ),
    "a billion laughs": no_voc(
        xml(thing(name="&l9;"), before=f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>'),
        "document type or entities",
    ),
    "a file as an entity": no_voc(
        xml(thing(name="&x;"), before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
        "document type or entities",
    ),
    "an entity that is not declared": no_voc(xml(thing(name="&x;")), FIT),
    "100,000 levels": no_voc(lambda: b"<annotation>" + b"<a>" * 100_000, FIT),
    "an object below 100,000 levels": read_voc(
        lambda: xml("<a>" * 100_000 + thing() + "</a>" * 100_000), "0 boxes"
    ),
    "a class in capitals": no_voc(xml(thing(name="Dog")), 'Did you mean "dog"'),
    "a class in the plural": no_voc(xml(thing(name="dogs")), 'Did you mean "dog"'),
    "a class with a space": no_voc(xml(thing(name="tv monitor")), 'Did you mean "tvmonitor"'),
    "a class in look-alike letters": no_voc(xml(thing(name="dоg")), "is not"),
    "a class of nothing": no_voc(xml(thing(name="")), "every class"),
    "a class of a megabyte": no_voc(lambda: xml(thing(name="dog" * 350_000)), "every class"),
    "an object without a name": no_voc(xml(f"<object>{box()}</object>"), "every class"),
    "no box": no_voc(xml(thing("")), "needs a <bndbox>"),
    "an empty box": no_voc(xml(thing("<bndbox/>")), NUMBER),
    "three corners": no_voc(xml(thing(box().replace("<ymax>40</ymax>", ""))), "<ymax>"),
    "a corner that is not a number": no_voc(xml(thing(box("eleven"))), "'eleven'"),
    "a corner that is NaN": no_voc(xml(thing(box("nan"))), NUMBER),
    "a corner without bound": no_voc(xml(thing(box(right="inf"))), NUMBER),
    "a corner beyond all numbers": no_voc(xml(thing(box(right="1e999"))), NUMBER),
    "a corner of 10^30": no_voc(xml(thing(box(right="1e30"))), INSIDE),
    "a corner of 5000 digits": no_voc(xml(thing(box(right="9" * 5000))), NUMBER),
    "a corner with a decimal comma": no_voc(xml(thing(box(right="30,5"))), "'30,5'"),
    "left and right exchanged": no_voc(xml(thing(box(30, 21, 11, 40))), ORDER),
    "top and bottom exchanged": no_voc(xml(thing(box(11, 40, 30, 21))), ORDER),
    "a box of no height": no_voc(xml(thing(box(11, 40, 30, 39))), ORDER),
    "a box below nothing": no_voc(xml(thing(box(-50, 21, 30, 40))), INSIDE),
    "a box of a larger image": no_voc(xml(thing(box(11, 21, 300, 40))), INSIDE),
    "a box outside": no_voc(xml(thing(box(201, 21, 202, 40))), INSIDE),
    "a hundred thousand elements of nothing, a class that is none": no_voc(
        lambda: xml("<a/>" * 100_000, thing(name="?")), "every class"
    ),
    "16 MB of elements of nothing": no_voc(lambda: xml("<a/>" * 4_000_000), "may have at most"),
    "20 MB": no_voc(lambda: xml(" " * 20_000_000), "at most"),
    "a folder": bad(special(Path.mkdir, voc), "it is a folder"),
    "a named pipe": bad(special(os.mkfifo, voc), "regular file"),
    "a link to itself": bad(special(lambda path: path.symlink_to(path), voc), "Too many levels"),
    "no file": bad(special(lambda path: None, voc), "No such file"),
}

# === COCO ===


def coco(path: Path) -> object:
    found = parse_coco(read_annotation(path), str(path))
    return coco_boxes(found.images[0], tuple(found.categories), SIZE, str(path))


def document(**changes: object) -> bytes:
    """A data set of one image and one box; `images_…`, `annotations_…`, `categories_…` change an
    entry, None removes.
    """
    content: dict = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 200, "height": 100}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "bbox": [10, 20, 20, 20],
                "area": 400,
                "iscrowd": 0,
            }
        ],
        "categories": [{"id": 1, "name": "dog"}],
    }
    for key, value in changes.items():
        table, _, entry = key.partition("_")
        if entry:
            content[table][0][entry] = value
            content[table] = [
                {name: item for name, item in content[table][0].items() if item is not None}
            ]
        else:
            content[key] = value
    return json.dumps(content).encode()


def read_coco(content: Bytes, says: str = "1 boxes: dog 10, 20, 30, 40") -> Case:
    return Case(file(content, coco), "", says)


def no_coco(content: Bytes, says: str) -> Case:
    return bad(file(content, coco), says)


FOUR, OBJECT, MISSING = "must be four numbers", "an object of lists", "lacks or misstates"

COCO = {
    "a box": read_coco(document()),
    "ids that are texts": read_coco(document(images_id="x", annotations_image_id="x")),
    "an id in quotes": read_coco(document(images_id="1")),
    "ids below nothing": read_coco(document(images_id=-5, annotations_image_id=-5)),
    "a giant id": read_coco(document(images_id=10**30, annotations_image_id=10**30)),
    "no area": read_coco(document(annotations_area=None)),
    "a byte order mark": read_coco(b"\xef\xbb\xbf" + document()),
    "keys nobody knows": read_coco(document(info={"a": [1]}, licenses=None)),
    "a box of no width": read_coco(document(annotations_bbox=[10, 20, 0, 20]), "0 boxes"),
    "a wrong size": no_coco(document(images_width=7), "declares 7 x 100"),
    "20,000 boxes": read_coco(
        lambda: document(
            annotations=[
                {"id": n, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4 + n / 256]}
                for n in range(20_000)
            ]
        ),
        "20000 boxes",
    ),
    "nothing": no_coco(b"", "must be JSON"),
    "cut": no_coco(document()[:-9], "must be JSON"),
    "XML": no_coco(xml(), "must be JSON"),
    "bytes that are not UTF-8": no_coco(document().replace(b"dog", b"\xff\xfe"), "must be JSON"),
    "a bare list": no_coco(b"[]", OBJECT),
    "a number": no_coco(b"7", OBJECT),
    "no categories at all": no_coco(
        document(categories=[], annotations=[]), "at least one category"
    ),
    "no images": no_coco(document(images={}), OBJECT),
    "entries that are numbers": no_coco(document(annotations=[1, 2]), MISSING),
    "an id twice": no_coco(
        document(images=[{"id": 1, "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}]),
        "twice",
    ),
    "a category's id twice": no_coco(
        document(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "twice"
    ),
    "a category's name twice": no_coco(
        document(categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]), "twice"
    ),
    "an annotation's id twice": no_coco(
        document(annotations=json.loads(document())["annotations"] * 2), "twice"
    ),
    "an id that is a fraction": no_coco(document(images_id=1.5), MISSING),
    "an id that is a list": no_coco(document(images_id=[1]), MISSING),
    "an id that is true": no_coco(document(images_id=True), MISSING),
    "an id that is not finite": no_coco(document(images_id=float("inf")), MISSING),
    "no id": no_coco(document(images_id=None), MISSING),
    "no file name": no_coco(document(images_file_name=None), MISSING),
    "no image's id": no_coco(document(annotations_image_id=None), MISSING),
    "a category that does not exist": no_coco(
        document(annotations_category_id=9), "category_id must be that of an entry"
    ),
    "an image that does not exist": no_coco(
        document(annotations_image_id=9), "image_id must be that of an entry"
    ),
    "a box of three numbers": no_coco(document(annotations_bbox=[1, 2, 3]), FOUR),
    "a box of five numbers": no_coco(document(annotations_bbox=[1, 2, 3, 4, 5]), FOUR),
    "a box of words": no_coco(document(annotations_bbox=["a", "b", "c", "d"]), FOUR),
    "a box that is one word of four digits": no_coco(document(annotations_bbox="1234"), FOUR),
    "a box that is an object": no_coco(
        document(annotations_bbox={"1": 0, "2": 0, "3": 0, "4": 0}), FOUR
    ),
    "a box that is a number": no_coco(document(annotations_bbox=7), FOUR),
    "no box": no_coco(document(annotations_bbox=None), FOUR),
    "a box of nothing": no_coco(document(annotations_bbox=[]), FOUR),
    "a box with NaN": no_coco(document(annotations_bbox=[float("nan"), 2, 3, 4]), "finite"),
    "a box without bound": no_coco(document(annotations_bbox=[1, 2, float("inf"), 4]), "finite"),
    "a giant box": no_coco(document(annotations_bbox=[1, 2, 10**400, 4]), FOUR),
    "a box of a million numbers": no_coco(lambda: document(annotations_bbox=[1] * 1_000_000), FOUR),
    "a box below nothing": no_coco(document(annotations_bbox=[-90, 2, 30, 4]), INSIDE),
    "a width below nothing": no_coco(document(annotations_bbox=[50, 2, -30, 4]), ORDER),
    "an area in words": no_coco(document(annotations_area="large"), FOUR),
    "an area that is NaN": no_coco(document(annotations_area=float("nan")), "finite"),
    "a giant fraction as id": no_coco(
        document(images_id=0).replace(b'"id": 0', b'"id": 1e999'), MISSING
    ),
    "an integer beyond fractions as id": read_coco(
        document(images_id=10**400, annotations_image_id=10**400)
    ),
    "an integer of 5000 digits": no_coco(document().replace(b"400", b"9" * 5000), "must be JSON"),
    "100,000 levels": no_coco(lambda: b"[" * 100_000 + b"]" * 100_000, "must be JSON"),
    "a named pipe": bad(special(os.mkfifo, coco), "regular file"),
}

# === YOLO ===


def yolo(path: Path) -> object:
    return parse_yolo(read_text(path), CLASSES, SIZE, str(path))


def yaml(path: Path) -> object:
    return parse_yaml(read_text(path), str(path))


def read_yolo(content: Bytes, says: str = "1 boxes: dog 10, 20, 30, 40") -> Case:
    return Case(file(content, yolo), "", says)


def no_yolo(content: Bytes, says: str) -> Case:
    return bad(file(content, yolo), says)


def read_yaml(content: Bytes, says: str) -> Case:
    return Case(file(content, yaml), "", says)


def no_yaml(content: Bytes, says: str) -> Case:
    return bad(file(content, yaml), says)


LINE = b"1 0.1 0.3 0.1 0.2"
LAUGHING = b"a0: &a0 [ha]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10)
)
WORDS, WHOLE = "a line must be numbers", "a class must be a whole number"

YOLO = {
    "a box": read_yolo(LINE),
    "no lines": read_yolo(b"", "0 boxes"),
    "empty lines": read_yolo(b"\n\n" + LINE + b"\n \n"),
    "tabs": read_yolo(LINE.replace(b" ", b"\t")),
    "lines of Windows": read_yolo(LINE + b"\r\n"),
    "a byte order mark": read_yolo(b"\xef\xbb\xbf" + LINE),
    "a class as a fraction": read_yolo(b"1.0" + LINE[1:]),
    "a score behind it": read_yolo(LINE + b" 0.9"),
    "an outline": read_yolo(b"1 0.05 0.2 0.15 0.2 0.1 0.4", "10, 20, 30, 40"),
    "exponents": read_yolo(b"1e0 1e-1 3e-1 1e-1 2e-1"),
    "20,000 lines": read_yolo(lambda: (LINE + b"\n") * 20_000),
    "a class between two": no_yolo(b"0.5" + LINE[1:], WHOLE),
    "a class below nothing": no_yolo(b"-1" + LINE[1:], WHOLE),
    "a class beyond the last": no_yolo(b"3" + LINE[1:], WHOLE),
    "a class in words": no_yolo(b"dog" + LINE[1:], WORDS),
    "a class that is NaN": no_yolo(b"nan" + LINE[1:], WORDS),
    "a class without bound": no_yolo(b"inf" + LINE[1:], WORDS),
    "three numbers": no_yolo(b"1 0.1 0.3 0.1", WORDS),
    "seven numbers": no_yolo(LINE + b" 0.1 0.1 0.1", WORDS),
    "a class alone": no_yolo(b"1", WORDS),
    "a number that is NaN": no_yolo(b"1 nan 0.3 0.1 0.2", WORDS),
    "a decimal comma": no_yolo(b"1 0,1 0,3 0,1 0,2", WORDS),
    "commas": no_yolo(b"1,0.1,0.3,0.1,0.2", WORDS),
    "pixels": no_yolo(b"1 20 30 20 20", INSIDE),
    "a width below nothing": no_yolo(b"1 0.1 0.3 -0.1 0.2", ORDER),
    "a width of nothing": no_yolo(b"1 0.1 0.3 0 0.2", ORDER),
    "outside": no_yolo(b"1 1.5 0.3 0.1 0.2", INSIDE),
    "beyond all numbers": no_yolo(b"1 1e308 0.3 1e308 0.2", "finite"),
    "a line of 10 MB": no_yolo(lambda: b"x" * 10_000_000, WORDS),
    "an outline of a million points": no_yolo(lambda: b"1 " + b"2 2 3 3 " * 500_000, INSIDE),
    "bytes that are not UTF-8": no_yolo(b"\xff\xfe1\0", "UTF-8"),
    "a named pipe": bad(special(os.mkfifo, yolo), "regular file"),
    "yaml: names": read_yaml(b"names: {0: cat, 1: dog}\ntrain: a", "classes=('cat', 'dog')"),
    "yaml: names that YAML takes for something else": read_yaml(
        b"names: [no, 1, 2020-01-01]", "2020-01-01"
    ),
    "yaml: nothing": no_yaml(b"", "`names`"),
    "yaml: a list": no_yaml(b"- a\n- b", "`names`"),
    "yaml: no names": no_yaml(b"names: []", "at least one class"),
    "yaml: a name twice": no_yaml(b"names: [a, a]", "each once"),
    "yaml: names with a gap": no_yaml(b"names: {0: a, 2: b}", "0, 1, 2"),
    "yaml: names by words": no_yaml(b"names: {a: 0, b: 1}", "0, 1, 2"),
    "yaml: another number of names": no_yaml(b"names: [a, b]\nnc: 3", "`nc`"),
    "yaml: key points": read_yaml(b"names: [a]\nkpt_shape: [17, 3]", "lines='key points'"),
    "yaml: a split that is a number": read_yaml(b"names: [a]\ntrain: 2024", "('2024',)"),
    "yaml: tabs": no_yaml(b"names:\n\t- a", "must be YAML"),
    "yaml: Python": no_yaml(
        b"names: !!python/object/apply:os.system ['touch /tmp/tour-was-here']", "must be YAML"
    ),
    "yaml: a tag that is none": no_yaml(b"names: !whatever [a]", "must be YAML"),
    "yaml: two documents": no_yaml(b"names: [a]\n---\nnames: [b]", "must be YAML"),
    "yaml: a list in itself": no_yaml(b"names: &a [x, *a]", "aliases"),
    "yaml: a billion laughs beside the names": no_yaml(LAUGHING + b"names: [a]", "aliases"),
    "yaml: a billion laughs as names": no_yaml(LAUGHING + b"names: *a9", "aliases"),
    "yaml: a billion laughs as the number": no_yaml(LAUGHING + b"names: [a]\nnc: *a9", "aliases"),
    "yaml: a billion laughs as a split": no_yaml(LAUGHING + b"names: [a]\ntrain: *a9", "aliases"),
    "yaml: a billion laughs as the path": no_yaml(LAUGHING + b"names: [a]\npath: *a9", "aliases"),
    "yaml: 1,000 levels": no_yaml(lambda: b"names: " + b"[" * 1000, "must be YAML"),
    "yaml: an integer of 5000 digits": no_yaml(b"names: [a]\nnc: " + b"9" * 5000, "`nc` must be"),
}

# === whole data sets ===


def data(
    kind: type, files: dict[str, Bytes | Path | None], where: str = "", split: str = "train"
) -> Make:
    """A data set of these files by path: bytes, a link to a path, or an image where it is None. All
    truths are read.
    """

    def make(folder: Path) -> Callable[[], object]:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                Image.new("RGB", SIZE[::-1]).save(path)
            elif isinstance(content, Path):
                path.symlink_to(content)
            else:
                path.write_bytes(content if isinstance(content, bytes) else content())
        return partial(read, folder / where)

    def read(place: Path) -> str:
        source = open_source(str(place), split, kind)
        return (
            f"{len(source)} samples; "
            f"{[source.truth(index) and source[index].name for index in range(len(source))]}"
        )

    return make


VOC_FILES = {
    "ImageSets/Main/train.txt": b"a\n",
    "JPEGImages/a.jpg": None,
    "Annotations/a.xml": xml(),
}
YOLO_FILES = {
    "data.yaml": b"names: [cat, dog]\ntrain: images",
    "images/a.jpg": None,
    "labels/a.txt": LINE,
}
COCO_FILES = {"annotations/instances_train.json": document(), "train/a.jpg": None}
MASK_FILES = {"classes.txt": b"no\nyes\n", "images/a.png": None, "masks/a.png": None}
OUTSIDE = Path("/tour-of-nowhere")


def painted(size: tuple[int, int], value: int | tuple[int, int, int] = 0) -> Callable[[], bytes]:
    """A PNG (height, width) of one grey value or one colour."""

    def make() -> bytes:
        stream = io.BytesIO()
        Image.new("L" if isinstance(value, int) else "RGB", size[::-1], value).save(stream, "PNG")
        return stream.getvalue()

    return make


def voc_list(content: bytes, says: str) -> Case:
    return bad(data(Boxes, {**VOC_FILES, "ImageSets/Main/train.txt": content}), says)


def yolo_yaml(train: bytes, says: str, **more: bytes) -> Case:
    lists = {f"{name}.txt": content for name, content in more.items()}
    return bad(
        data(Boxes, {**YOLO_FILES, "data.yaml": b"names: [cat, dog]\ntrain: " + train, **lists}),
        says,
    )


def coco_name(name: str, says: str) -> Case:
    return bad(
        data(
            Boxes,
            {**COCO_FILES, "annotations/instances_train.json": document(images_file_name=name)},
        ),
        says,
    )


LONG = "x" * 300

SETS = {
    "voc: a data set": Case(data(Boxes, VOC_FILES), "", "1 samples; ['a']"),
    "voc: a data set, its list with marks": Case(
        data(Boxes, {**VOC_FILES, "ImageSets/Main/train.txt": b"\xef\xbb\xbfa  1\r\n\r\n"}),
        "",
        "['a']",
    ),
    "voc: a list that leads out": voc_list(b"../a", "bare name"),
    "voc: a list of two dots": voc_list(b"..", "bare name"),
    "voc: a list with a name too long": voc_list(LONG.encode(), "bare name"),
    "voc: a list with a NUL": voc_list(b"a\0b", "bare name"),
    "voc: an empty list": voc_list(b"", "at least one image"),
    "voc: a list that is no text": voc_list(b"\xff\xfe", "UTF-8"),
    "voc: an image twice": voc_list(b"a\na", "again"),
    "voc: a split that does not exist": bad(
        data(Boxes, VOC_FILES, split="trian"), 'Did you mean "train"'
    ),
    "voc: a split that leads out": bad(
        data(Boxes, VOC_FILES, split="../Main/train"), "is no split"
    ),
    "voc: no annotation": bad(
        data(
            Boxes,
            {n: c for n, c in VOC_FILES.items() if "xml" not in n} | {"Annotations/b.xml": xml()},
        ),
        "annotation",
    ),
    "voc: masks of no list": bad(
        data(Mask, {**VOC_FILES, "ImageSets/Segmentation/train.txt": b"\xff"}), "UTF-8"
    ),
    "yolo: a data set": Case(data(Boxes, YOLO_FILES), "", "1 samples; ['a']"),
    "yolo: an image without labels": Case(
        data(Boxes, {**YOLO_FILES, "images/b.jpg": None}), "", "2 samples"
    ),
    "yolo: labels that are a link to themselves": bad(
        data(Boxes, {**YOLO_FILES, "images/b.jpg": None, "labels/b.txt": Path("b.txt")}),
        "Too many levels",
    ),
    "yolo: labels that are a link to nowhere": bad(
        data(Boxes, {**YOLO_FILES, "images/b.jpg": None, "labels/b.txt": OUTSIDE}), "b.txt"
    ),
    "yolo: images elsewhere": yolo_yaml(b"/etc", "must lie below"),
    "yolo: images that climb": yolo_yaml(b"a/../../..", "must lie below"),
    "yolo: a list that leads out": yolo_yaml(b"l.txt", "must lie below", l=b"/etc/passwd"),
    "yolo: a list with a name too long": yolo_yaml(
        b"l.txt", "that a file can have", l=LONG.encode() + b".jpg"
    ),
    "yolo: a split of a name too long": yolo_yaml(LONG.encode(), "that a file can have"),
    "yolo: a path with a NUL": yolo_yaml(b'"a\\0b"', "that a file can have"),
    "yolo: a home of a name too long": Case(
        data(
            Boxes,
            {
                **YOLO_FILES,
                "data.yaml": b"names: [cat, dog]\ntrain: images\npath: " + LONG.encode(),
            },
        ),
        "",
        "1 samples",
    ),
    "coco: a data set": Case(data(Boxes, COCO_FILES), "", "1 samples; ['a']"),
    "coco: a file name that climbs": coco_name("../b.jpg", "must lead to an image below"),
    "coco: a file name that climbs, of an image that is here": Case(
        data(
            Boxes,
            {
                **COCO_FILES,
                "annotations/instances_train.json": document(images_file_name="../a.jpg"),
            },
        ),
        "",
        "1 samples; ['a']",
    ),
    "coco: a file name from the root": coco_name("/etc/passwd", "must lead to an image below"),
    "coco: a file name with a NUL": coco_name("a\0", "must lead to an image below"),
    "coco: a file name too long": coco_name(LONG, "must lead to an image below"),
    "coco: a file name of half a letter": coco_name("\ud800.jpg", "must lead to an image below"),
    "coco: a file name of nothing": coco_name("", "must lead to an image below"),
    "coco: a file name that is a folder": coco_name(".", "1"),
    "coco: no images": bad(
        data(
            Boxes,
            {**COCO_FILES, "annotations/instances_train.json": document(images=[], annotations=[])},
        ),
        "at least one image",
    ),
    "mask: a data set of the wrong size": bad(
        data(Mask, {**MASK_FILES, "masks/a.png": painted((3, 4))}, split=""),
        "must have its image's size",
    ),
    "mask: a data set with an id too great": bad(
        data(Mask, {**MASK_FILES, "masks/a.png": painted(SIZE, 7)}, split=""), "7"
    ),
    "mask: a data set of colours": bad(
        data(Mask, {**MASK_FILES, "masks/a.png": painted(SIZE, (255, 0, 9))}, split=""),
        "data.values",
    ),
    "mask: a data set": Case(
        data(Mask, {**MASK_FILES, "masks/a.png": painted(SIZE, 1)}, split=""),
        "",
        "1 samples; ['a']",
    ),
    "mask: names of classes that are no text": bad(
        data(Mask, {**MASK_FILES, "classes.txt": b"\xff\xfe"}, split=""), "UTF-8"
    ),
    "mask: a list of classes twice": bad(
        data(Mask, {**MASK_FILES, "classes.txt": b"a\na", "masks/a.png": painted(SIZE)}, split=""),
        "classes.txt",
    ),
}

CASES = {
    **{
        f"{kind}: {name}": case
        for kind, cases in (("voc", VOC), ("coco", COCO), ("yolo", YOLO))
        for name, case in cases.items()
    },
    **SETS,
}
