"""Mutated files for every reader of foreign files: `python fuzz.py READER COUNT SEED FOLDER`, which
`test_fuzz.py` starts.

Mutation `number` of a reader depends on (reader, seed, number) alone. Before each call its number
and the file are written to FOLDER/current, so that they are known even where a library takes the
whole process down; the end of it all is FOLDER/report.json. `python fuzz.py READER NUMBER SEED`
without a folder makes one call alone, with its traceback.

A reader must give a valid answer or raise one of its errors. Anything else, warnings included, is a
failure.
"""

import base64
import gzip
import io
import json
import os
import random
import re
import signal
import struct
import sys
import tempfile
import time
import tomllib
import traceback
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from cvtasks.errors import Complain, CVTasksError, DataError, InputError, strictly

CLASSES = ("cat", "dog")
SIZE = (24, 32)  # (height, width)
SLOW = 1.0  # seconds of one call
_HOPELESS = 15.0  # seconds after which a call is given up
_MEMORY = 2 << 30  # bytes that a reader may take beyond what the process has when it begins

Tree = Any


@dataclass(frozen=True)
class Seed:
    """A valid file, and what is inside it where a mutation of its bytes alone would not get past
    the first look.

    Attributes:
        content: the file. `inside`, `around`: the bytes behind a checksum, a length or a
            compression, and the way back.
        tree, text: what a structured text says, and the way back.
    """

    content: bytes
    inside: bytes = b""
    around: Callable[[bytes], bytes] = bytes
    tree: Tree = None
    text: Callable[[Tree], bytes] | None = None


@dataclass(frozen=True)
class Reader:
    """A reader: `read(content, which, folder)` of a mutation of seed `which` raises AssertionError
    for an answer that is none.

    `words` are pieces of the format's language that mutations insert.
    """

    seeds: Callable[[], list[Seed]]
    read: Callable[[bytes, int, Path], None]
    errors: tuple[type[Exception], ...] = (CVTasksError,)
    words: tuple[bytes, ...] = ()


# === mutations ===

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_EXTREMES = (
    *(
        b"NaN",
        b"nan",
        b"inf",
        b"-Infinity",
        b"1e400",
        b"-1e400",
        b"1e308",
        b"3.5e38",
        b"1e30",
        b"1e-400",
        b"-1",
        b"0",
        b"-0.0",
        b"0.5",
    ),
    *(
        b"",
        b"255",
        b"256",
        b"65536",
        b"2147483648",
        b"9223372036854775808",
        b"1" + b"0" * 40,
        b"9" * 400,
        b"9" * 5000,
    ),
    *(b"0x" + b"f" * 5000, b"1_0", b"+1", b"1.5.5", b"\xd9\xa3", b"true", b"null"),
)
_ODD: tuple[Tree, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        7,
        1.5,
        1e308,
        float("nan"),
        float("inf"),
        10**19,
        10**40,
        10**400,
        "",
        "7",
        "x" * 5000,
    ),
    *(
        [],
        {},
        [[]],
        [None],
        {"": []},
        "nan",
        "\ud800",
        "../x",
        "\0",
        [0] * 70,
        [-1, 2],
        [3, 2**62, 2**62],
        [10**15, 10**5],
    ),
)


def _place(rng: random.Random, content: bytes) -> tuple[int, int]:
    """A piece of up to a few dozen bytes, from and to."""
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + int(rng.paretovariate(0.7)))


def _flip(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    start, stop = _place(rng, content)
    return (
        content[:start]
        + rng.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * (stop - start)
        + content[stop:]
    )


def _insert(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.choice((1, 1, 2, 4, 64))) + content[at:]


def _delete(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    start, stop = _place(rng, content)
    return content[:start] + content[stop:]


def _duplicate(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    start, stop = _place(rng, content)
    at = rng.choice((stop, rng.randrange(len(content) + 1)))
    return content[:at] + content[start:stop] * rng.choice((1, 1, 1, 2, 50)) + content[at:]


def _swap(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    a, b, c, d = sorted(rng.randrange(len(content) + 1) for _ in range(4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


def _truncate(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    return content[: rng.randrange(len(content))]


def _splice(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    other = rng.choice(others)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def _field(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """A binary number of 2, 4 or 8 bytes becomes one at the edge of its range."""
    size, at = rng.choice((2, 4, 4, 8)), rng.randrange(len(content))
    number = rng.choice(
        (0, 1, 2, 0xFF, 0x4000, 0x7FFF, 0x7FFFFFFF, 0x80000000, 7000, 65535, 2**63, 2**64 - 1)
    )
    return (
        content[:at]
        + (number % 256**size).to_bytes(size, rng.choice(("big", "little")))
        + content[at + size :]
    )


def _number(rng: random.Random, content: bytes, others: list[bytes]) -> bytes:
    found = list(_NUMBER.finditer(content))
    if not found:
        return _flip(rng, content, others)
    one = rng.choice(found)
    return content[: one.start()] + rng.choice(_EXTREMES) + content[one.end() :]


_BYTES = (_flip, _flip, _set, _insert, _delete, _duplicate, _swap, _truncate, _splice)


def _branches(tree: Tree) -> list[tuple[Tree, Any]]:
    """Every (parent, key) of a tree of lists and dictionaries."""
    waiting, found = [tree], []
    while waiting:
        node = waiting.pop()
        keys = (
            list(node)
            if isinstance(node, dict)
            else range(len(node))
            if isinstance(node, list)
            else ()
        )
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    return found


def _reshaped(rng: random.Random, tree: Tree) -> Tree:
    """A copy of the tree in which values are dropped, doubled, exchanged, wrapped, renamed or of
    another type.
    """
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 2, 4))):
        branches = _branches(tree)
        if not branches:
            return rng.choice(_ODD)
        parent, key = rng.choice(branches)
        kind = rng.randrange(7)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(rng.randrange(len(parent) + 1), parent[key])
        elif kind == 1:
            parent[f"{key}{rng.choice(('x', ' ', '2'))}"] = parent[key]
        elif kind == 2:
            other, its = rng.choice(branches)
            parent[key] = json.loads(json.dumps(other[its] if _has(other, its) else None))
        elif kind == 3:
            parent[key] = rng.choice(([parent[key]], {"x": parent[key]}))
        elif kind == 4 and isinstance(parent, dict):
            parent[rng.choice([k for _, k in branches if isinstance(k, str)])] = parent.pop(key)
        else:
            parent[key] = json.loads(json.dumps(rng.choice(_ODD)))
    return tree


def _has(node: Tree, key: Any) -> bool:
    return key in node if isinstance(node, dict) else key < len(node)


def mutated(rng: random.Random, reader: Reader, seeds: list[Seed], which: int) -> bytes:
    """One mutation of a seed."""
    seed, textual = seeds[which], bool(reader.words)
    way = rng.random()
    if seed.text and way < 0.35:
        try:
            return seed.text(_reshaped(rng, seed.tree))
        except (TypeError, ValueError, AttributeError):  # this format has no word for it
            way = 1.0
    others = [other.inside or other.content for other in seeds]
    whole = not seed.inside or way < 0.4
    content = seed.content if whole else seed.inside
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        kind = rng.random()
        if not content:
            break
        if textual and kind < 0.3:
            content = _number(rng, content, others)
        elif textual and kind < 0.45:
            at, word = rng.randrange(len(content) + 1), rng.choice(reader.words)
            content = content[:at] + word + content[at:]
        elif not textual and kind < 0.25:
            content = _field(rng, content, others)
        else:
            content = rng.choice(_BYTES)(rng, content, others)
    return content if whole else seed.around(content)


# === images ===


def _pixels(*channels: int) -> np.ndarray:
    y, x = np.mgrid[:16, :16]
    planes = [(x * 13 + y * 7 * (k + 1)) % 256 for k in range(max(1, *channels, 1))]
    return (np.stack(planes, axis=2) if channels else planes[0]).astype(np.uint8)


def _encoded(image: Any, kind: str, **options: Any) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(out, kind, **options)
    return out.getvalue()


def _indexed() -> Any:
    from PIL import Image

    image = Image.fromarray(_pixels() % 20, "L").convert("L")
    image = Image.frombytes("P", (16, 16), image.tobytes())
    image.putpalette(bytes(range(256)) * 3)
    return image


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _interlaced(pixels: np.ndarray) -> bytes:
    """A PNG in the seven passes of Adam7 (PNG specification, section 8.2)."""
    passes = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    rows = b"".join(
        b"\0" + row.tobytes() for y, x, down, across in passes for row in pixels[y::down, x::across]
    )
    head = struct.pack(
        ">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2 if pixels.ndim == 3 else 0, 0, 0, 1
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _with_checksums(content: bytes) -> bytes:
    """A PNG with the checksums that its chunks ought to have."""
    changed, at = bytearray(content), 8
    while at + 12 <= len(changed):
        (length,) = struct.unpack_from(">I", changed, at)
        end = at + 8 + length
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


def _pngs() -> list[Seed]:
    grey = _encoded(_pixels(), "PNG")
    turned = _encoded(
        _pixels(3),
        "PNG",
        exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0",
    )
    kinds = [
        grey,
        _encoded(_indexed(), "PNG"),
        _interlaced(_pixels()),
        _interlaced(_pixels(3)),
        turned,
    ]
    kinds += [_encoded(_pixels(4), "PNG"), _encoded(_pixels().astype(np.uint16) * 257, "PNG")]
    kinds += [
        _encoded(_indexed(), "PNG", transparency=3, bits=8),
        _encoded(_indexed(), "PNG", bits=4),
    ]
    return [Seed(content, content, _with_checksums) for content in kinds]


def _masks() -> list[Seed]:
    """Grey and indexed PNGs, by the header's bits and colour type; values above 255 are no ids."""
    return [seed for seed in _pngs() if seed.content[24:26] in (b"\x08\0", b"\x08\3", b"\4\3")]


def _images() -> list[Seed]:
    rgb, grey, rgba = _pixels(3), _pixels(), _pixels(4)
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    others = [
        *(
            _encoded(rgb, "JPEG"),
            _encoded(grey, "JPEG", optimize=True),
            _encoded(rgb, "JPEG", progressive=True, exif=exif),
        ),
        _encoded(rgb, "JPEG", subsampling=2, restart_marker_blocks=1),
        *(
            _encoded(rgb, "WEBP"),
            _encoded(rgba, "WEBP"),
            _encoded(rgb, "WEBP", lossless=True),
            _encoded(rgb, "WEBP", exif=exif),
        ),
        *(_encoded(rgb, "BMP"), _encoded(grey, "BMP"), _encoded(_indexed(), "BMP")),
        *(
            _encoded(rgb, "TIFF"),
            _encoded(grey, "TIFF", compression="tiff_lzw"),
            _encoded(rgb, "TIFF", compression="packbits"),
        ),
        *(
            _encoded(rgba, "TIFF", compression="tiff_adobe_deflate"),
            _encoded(rgb, "TIFF", compression="jpeg"),
        ),
        *(_encoded(_indexed(), "GIF"), _encoded(grey, "GIF", transparency=3)),
    ]
    return [Seed(content) for content in others] + _pngs()


def _read_image(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.media.images import read_image

    image = read_image(content)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3


def _read_mask(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.media.images import read_mask

    ids = read_mask(_file(folder / "mask.png", content))
    assert ids.dtype == np.uint8
    assert ids.ndim == 2


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _there(folder: Path, *names: str) -> None:
    """See to it that files of these names exist; they are not opened."""
    for path in (folder / name for name in names):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            path.touch()


# === boxes ===


def _truth(number: int = 0) -> Any:
    from cvtasks.answers import Boxes

    edges = [[[2, 3, 20.5, 17], [0, 0, 32, 24]], [], [[1.25, 2, 3, 4]]][number]
    flags = {"difficult": [number == 2] * len(edges), "crowd": [False] * len(edges)}
    return Boxes.of(
        edges, [i % 2 for i in range(len(edges))], CLASSES, SIZE, scores=[0.5] * len(edges), **flags
    )


def _check_boxes(read: Callable[[Complain], tuple[Any, tuple[str, ...]]]) -> None:
    """What is read is a truth, in the way that leaves out what cannot be used and in the way that
    does not.
    """
    from cvtasks.answers import Boxes

    refused: list[CVTasksError] = []
    for complain in (refused.append, strictly):
        boxes, remarks = read(complain)
        assert isinstance(boxes, Boxes)
        assert boxes.size == SIZE
        height, width = SIZE
        assert (boxes.xyxy >= 0).all()
        assert (boxes.xyxy <= [width, height, width, height]).all()
        assert (boxes.xyxy[:, :2] < boxes.xyxy[:, 2:]).all()
        assert all(isinstance(remark, str) for remark in remarks)
    assert not refused


def _element(node: list) -> ElementTree.Element:
    tag, text, *children = node
    made = ElementTree.Element(tag)
    made.text = str(text)
    made.extend([_element(child) for child in children])
    return made


def _lists(element: ElementTree.Element) -> list:
    return [element.tag, (element.text or "").strip(), *map(_lists, element)]


def _xml(tree: Tree) -> bytes:
    return ElementTree.tostring(_element(tree), "utf-8")


def _vocs() -> list[Seed]:
    from cvtasks.formats.voc import voc_xml

    texts = [voc_xml(_truth(number), "a.jpg") for number in (0, 2)]
    return [
        Seed(text.encode(), tree=_lists(ElementTree.fromstring(text)), text=_xml) for text in texts
    ]


def _read_voc(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.formats.voc import parse_voc

    _check_boxes(lambda complain: parse_voc(content, CLASSES, SIZE, "a.xml", complain))


def _json(tree: Tree) -> bytes:
    return json.dumps(tree).encode()


def _coco_tree(scores: bool = False) -> dict:
    from cvtasks.formats.coco import coco_document

    tree = coco_document(
        [("a.png", _truth(0)), ("b.png", _truth(1)), ("c.png", _truth(2))], CLASSES, scores=scores
    )
    tree["annotations"][0]["iscrowd"] = 1
    return tree


def _cocos() -> list[Seed]:
    return [Seed(_json(_coco_tree()), tree=_coco_tree(), text=_json)]


def _read_coco(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.formats.coco import coco_boxes, parse_coco

    for complain in ([].append, strictly):
        file = parse_coco(content, "a.json", complain)
        assert file.categories
        for image in file.images:
            _check_boxes(
                lambda hear, its=(image, tuple(file.categories)): coco_boxes(
                    *its, SIZE, "a.json", hear
                )
            )


def _yolos() -> list[Seed]:
    from cvtasks.formats.yolo import yolo_text

    texts = [
        yolo_text(_truth(0)),
        yolo_text(_truth(0), scores=True),
        "1 0.1 0.2 0.5 0.6 0.3 0.9\n\n0 0.5 0.5 1 1\n",
    ]
    return [Seed(text.encode()) for text in texts]


def _read_yolo(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.formats.reading import read_text
    from cvtasks.formats.yolo import parse_yolo

    text = read_text(_file(folder / "a.txt", content))
    _check_boxes(lambda complain: parse_yolo(text, CLASSES, SIZE, "a.txt", complain))


def _yamls() -> list[Seed]:
    tree = {
        "path": "../a",
        "train": ["images/x", "y.txt"],
        "val": "images/val",
        "nc": 2,
        "names": {"0": "cat", "1": "dog"},
    }
    text = "path: .\ntrain: images/train\nnc: 2\nnames: {0: cat, 1: dog}\n"
    other = "val: [a, 'b']\nnames:\n- cat\n- &d dog\n"
    return [
        Seed(text.encode(), tree=tree, text=_json),
        Seed(other.encode(), tree=tree | {"names": ["a", "b"]}, text=_json),
    ]


def _read_yaml(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.formats.reading import read_text
    from cvtasks.formats.yolo import parse_yaml

    read = parse_yaml(read_text(_file(folder / "data.yaml", content)), "data.yaml")
    assert read.classes
    assert all(
        isinstance(name, str) for name in (read.path, *read.classes, *sum(read.splits.values(), ()))
    )


# === saved predictions ===


def _record(**fields: Tree) -> dict:
    return {"source": "some/a.png", "height": SIZE[0], "width": SIZE[1], **fields}


def _saved() -> list[Seed]:
    """Records of three tasks, COCO's results and document, VOC's text; `_PREDICTED` says which is
    whose.
    """
    box = {"name": "cat", "score": 0.5, "xyxy": [1.0, 2.0, 20.0, 19.5]}
    mask = {"size": [4, 3], "rle": {"dog": {"size": [4, 3], "counts": "336"}}}
    rows = [{"image_id": 1, "category_id": 2, "bbox": [1.0, 2.0, 9.5, 9.0], "score": 0.25}]
    trees = [
        *(
            _record(boxes=[box, box]),
            _record(labels=[{"name": "cat", "score": 0.5}]),
            _record(mask=mask),
        ),
        *(rows * 2, [rows[0] | {"image_id": "a"}], _coco_tree(scores=True)),
    ]
    comp4 = b"a 0.5 1 2 20 19\nb 0.25 3.5 2 20 19\n"
    return [*(Seed(_json(tree), tree=tree, text=_json) for tree in trees), Seed(comp4)]


_PREDICTED = (
    *(
        ("detect", "a.jsonl"),
        ("classify", "a.jsonl"),
        ("segment", "a.jsonl"),
        ("detect", "a.json"),
        ("localize", "a.json"),
    ),
    *(("detect", "a.json"), ("detect", "comp4_det_test_dog.txt")),
)


def _read_saved(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.answers import Boxes, Labels
    from cvtasks.data.formats.coco import COCODetection
    from cvtasks.evaluation.predictions import read_predictions
    from cvtasks.tasks import TASKS

    task, name = _PREDICTED[which]
    _there(folder, "images/a.png", "images/b.png", "images/c.png")
    data = COCODetection(_file(folder / "truth.json", _json(_coco_tree())), "")
    if task == "localize":
        data = type("Other", (), {"classes": CLASSES})()  # ids of images are their names
    saved = read_predictions(_file(folder / name, content), TASKS[task].task(), data, CLASSES)
    truth = _truth() if TASKS[task].task.answer is Boxes else Labels.of([0], CLASSES)
    for entries in saved.entries.values():
        assert all(isinstance(entry.answer, TASKS[task].task.answer) for entry in entries)
        assert all(isinstance(entry.source, str) for entry in entries)
    if task != "segment":
        for image in ("a", "b", "c")[: 1 if saved.complete else 3]:
            saved.pop(image, truth)
        saved.check_empty()


# === tables, arrays, recipes, weights ===


def _tables() -> list[Seed]:
    return [
        Seed(b"image,label,split\na.png,cat|dog,x\nb/c.png,dog,x\n'd.png',,y\n"),
        Seed(b"cat\ndog\n"),
    ]


def _read_table(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.data.formats.csv import CSVLabels

    _there(folder, "a.png", "b/c.png", "'d.png'")
    for index, (name, seed) in enumerate(
        zip(("labels.csv", "classes.txt"), _tables(), strict=True)
    ):
        _file(folder / name, content if index == which else seed.content)
    source = CSVLabels(folder, "x")
    for index in range(len(source)):
        assert source.truth(index).classes == source.classes


def _idx() -> list[Seed]:
    images = bytes([0, 0, 8, 3]) + struct.pack(">III", 3, 4, 4) + bytes(range(48))
    labels = bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + bytes([0, 9, 4])
    packed = [
        Seed(gzip.compress(part, mtime=0), part, lambda inside: gzip.compress(inside, mtime=0))
        for part in (images, labels)
    ]
    return [Seed(images), Seed(labels), *packed]


def _read_idx(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.data.formats.idx import IdxLabels

    for index, name in enumerate(("train-images-idx3-ubyte", "train-labels-idx1-ubyte")):
        (folder / name).unlink(missing_ok=True)
        (folder / f"{name}.gz").unlink(missing_ok=True)
        mine = which % 2 == index
        _file(
            folder / (f"{name}.gz" if mine and which > 1 else name),
            content if mine else _idx()[index].content,
        )
    source = IdxLabels(folder, "train")
    for index in range(min(len(source), 3)):
        assert source[index].image.shape[2] == 3


def _toml(tree: Tree) -> bytes:
    import tomli_w

    return tomli_w.dumps(tree).encode()


def _recipes() -> list[Seed]:
    detect = {
        (
            "task"
        ): (
            "detect"
        ), (
            "backbone"
        ): "tiny", "size": 64, "classes": list(CLASSES), "data": {"scale": [0.5, 1.5], "crop": 64},
        (
            "train"
        ): {(
            "epochs"
        ): 3, "freeze": [[1, 4]], "learning_rate": 1e-3, "weights": ""}, "files": {"a": "b"},
    }  # fmt: skip
    segment = {
        "task": "segment",
        "backbone": "resnet18",
        "size": 64,
        "classes": list(CLASSES),
        "norm": "group",
    }
    segment |= {"segment": {"channels": [8, 8], "dice": 0.25}, "data": {"sides": [64, 96]}}
    classify = {
        "task": "classify",
        "backbone": "lenet5",
        "size": 28,
        "classes": list(CLASSES),
        "data": {"mixup": 0.5},
    }
    now = {
        **{"format": 1, "backbone": "tiny", "size": 64, "classes": list(CLASSES)},
        "task": {"name": "detect", "threshold": 0.4},
        "head": {"name": "dense", "nms": 0.5, "max_detections": 20},
        "train": {"epochs": 3, "freeze": [[1, 4]]},
    }
    return [Seed(_toml(tree), tree=tree, text=_toml) for tree in (detect, segment, classify, now)]


def _read_recipe(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.errors import CVTasksWarning
    from cvtasks.recipe.recipe import parse_recipe, read_recipe

    with warnings.catch_warnings():  # recipes of before a format are read, and that is said
        warnings.simplefilter("ignore", CVTasksWarning)
        recipe = read_recipe(_file(folder / "recipe.toml", content))
    assert parse_recipe(tomllib.loads(recipe.to_toml())) == recipe


_ENDINGS = (".safetensors", ".npz", ".npz", ".h5", ".h5")


def _weights() -> list[Seed]:
    import h5py

    arrays = {
        "conv/kernel": np.arange(24, dtype="f4").reshape(2, 3, 4),
        "conv/bias": np.arange(4, dtype="f2"),
        "a": np.zeros(()),
    }
    with tempfile.TemporaryDirectory() as folder:
        from cvtasks.weights.safetensors_file import write_safetensors

        write_safetensors(Path(folder) / "a.safetensors", arrays, {"by": "x"})
        ours = (Path(folder) / "a.safetensors").read_bytes()
        files = []
        for earliest in ("earliest", "v110"):
            with h5py.File(Path(folder) / f"{earliest}.h5", "w", libver=earliest) as file:
                group = file.create_group("layers/conv/vars")
                group.attrs["name"] = "conv_1"
                group["0"] = arrays["conv/kernel"]
                group.create_dataset(
                    "1",
                    data=np.zeros((8, 8), "f4"),
                    chunks=(4, 8),
                    compression="gzip",
                    shuffle=True,
                )
                file["conv1/conv1_W_1:0"] = arrays["conv/bias"]
            files.append((Path(folder) / f"{earliest}.h5").read_bytes())
    length = 8 + int.from_bytes(ours[:8], "little")
    header, data = ours[8:length], ours[length:]

    def begun(header: bytes) -> bytes:
        return len(header).to_bytes(8, "little") + header + data

    out = io.BytesIO()
    np.savez(out, **arrays)
    member = out.getvalue()
    with zipfile.ZipFile(io.BytesIO(member)) as archive:
        kernel = archive.read("conv/kernel.npy")
    seeds = [
        Seed(ours, header, begun, json.loads(header), lambda tree: begun(_json(tree))),
        Seed(member, kernel, _zipped),
    ]
    return [*seeds, Seed(_zipped(kernel, zipfile.ZIP_DEFLATED), kernel, _zipped), *map(Seed, files)]


def _zipped(member: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("conv/kernel.npy"), member, compression)
    return out.getvalue()


def _read_weights(content: bytes, which: int, folder: Path) -> None:
    from cvtasks.weights.open import opened
    from cvtasks.weights.transfer import value_of  # the one way in which the library reads a tensor

    path = _file(folder / f"a{_ENDINGS[which]}", content)
    with opened(path) as tensors:
        for name, stored in tensors.items():
            assert value_of(path, name, stored).shape == stored.shape


# === readers ===

_XML_WORDS = (
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"&b;",
    b"&#0;",
    b"&amp;",
    b"<![CDATA[",
    b"]]>",
    b"<!--",
    b"<object/>",
    b"<bndbox>",
)
_XML_WORDS += (
    b"</object>",
    b"<?xml version='1.0' encoding='utf-7'?>",
    b"<?xml version='1.0' encoding='no'?>",
    b"<a>" * 3000,
)
_JSON_WORDS = (
    b"[" * 3000,
    b'{"a":' * 2000,
    b"]",
    b"}",
    b",",
    b'""',
    b"null",
    b'"\\ud800"',
    b"\\u0000",
    b'"id":',
    b"\xef\xbb\xbf",
)
_YAML_WORDS = (
    b"&a [*a]",
    b"*d",
    b'!!int ""',
    b'!!float ""',
    b"!!bool x",
    b"!!timestamp x",
    b"!!binary x",
    b"!!set",
    b"<<: ",
    b"? ",
)
_YAML_WORDS += (
    b"- ",
    b"\n---\n",
    b"%YAML 1.3\n",
    b"[" * 900,
    b"2001-99-99",
    b"!!python/name:os.system",
    b"|\n",
    b"\x00",
    b"1:60:60",
)
_YAML_WORDS += (
    b"&b [&c [x,x,x],*c,*c]",
    b"names:",
    b"kpt_shape:",
    b"!!omap",
    b"!!pairs [a]",
    b"2001-01-01T00:00:00+99:99",
    b"~",
)
_TOML_WORDS = (
    b"[" * 900,
    b"a" + b".a" * 2000 + b"=1",
    b'"""',
    b"1979-05-27T07:32:00Z",
    b"[[",
    b"]]",
    b"[x.y]\n",
    b"'",
    b"= {",
    b"\n",
)
_TEXT_WORDS = (
    b" ",
    b"\n",
    b"\r",
    b"\x85",
    b"\0",
    b"\xef\xbb\xbf",
    b",",
    b'"',
    b"|",
    b"../",
    b"nan ",
    b"1e400 ",
    b"-",
    b"e",
)

READERS: dict[str, Reader] = {
    "images": Reader(_images, _read_image, (InputError, DataError)),
    "masks": Reader(_masks, _read_mask, (InputError, DataError)),
    "voc": Reader(_vocs, _read_voc, (DataError,), _XML_WORDS),
    "coco": Reader(_cocos, _read_coco, (DataError,), _JSON_WORDS),
    "predictions": Reader(_saved, _read_saved, (DataError,), _JSON_WORDS),
    "yolo": Reader(_yolos, _read_yolo, (DataError,), _TEXT_WORDS),
    "yaml": Reader(_yamls, _read_yaml, (DataError,), _YAML_WORDS),
    "csv": Reader(_tables, _read_table, (DataError,), _TEXT_WORDS),
    "idx": Reader(_idx, _read_idx, (DataError,)),
    "recipe": Reader(_recipes, _read_recipe, words=_TOML_WORDS),
    "weights": Reader(_weights, _read_weights),
}


def _planted(content: bytes, which: int, folder: Path) -> None:
    """What must be found: three faults, of which one each kind of mutation of the one
    seed meets.
    """
    if content[:1] != b"a":
        raise KeyError("planted")
    if content.count(b"h") > 40:
        start = time.process_time()
        while time.process_time() - start < 1.2 * SLOW:
            pass
    assert b"\xff" not in content


def _fatal(content: bytes, which: int, folder: Path) -> None:
    """What takes the process down."""
    if b"\xff" in content:
        os.abort()


PLANTED: dict[str, Reader] = {
    name: Reader(lambda: [Seed(b"abcdefgh")], read)
    for name, read in (("faulty", _planted), ("fatal", _fatal))
}


# === the program ===


def inputs(name: str, numbers: Iterable[int], seed: int) -> Iterable[tuple[int, int, bytes]]:
    """(number, which seed, content) of these mutations."""
    reader = (READERS | PLANTED)[name]
    seeds = reader.seeds()
    for number in numbers:
        which = number % len(seeds)
        yield number, which, mutated(random.Random(f"{name} {seed} {number}"), reader, seeds, which)


def attack(name: str, numbers: Iterable[int], seed: int, folder: Path) -> dict[str, Any]:
    """Call the reader with each; returns counts of what was read and refused, the slowest call, and
    failures by kind.
    """
    reader, failures, outcomes, slowest = (
        (READERS | PLANTED)[name],
        {},
        {"read": 0, "refused": 0},
        (0.0, -1),
    )
    for number, which, content in inputs(name, numbers, seed):
        _file(folder / "current", b"%d " % number + content)
        took, outcome, error = _timed(reader, content, which, folder)
        slowest = max(slowest, (took, number))
        if took > SLOW:
            outcome, error = "failed", f"took {took:.1f} s"
        if outcome != "failed":
            outcomes[outcome] += 1
            continue
        kind = error.strip().splitlines()[-1][:60]
        known = failures.setdefault(kind, {"times": 0, "number": number, "error": error[-3000:]})
        known["times"] += 1
        known.setdefault("content", base64.b64encode(content).decode())
    return outcomes | {"slowest": slowest[0], "slowest number": slowest[1], "failures": failures}


def _timed(reader: Reader, content: bytes, which: int, folder: Path) -> tuple[float, str, str]:
    """Seconds, "read" or "refused" or "failed", and the traceback of a failure."""
    if hasattr(
        signal, "setitimer"
    ):  # a native library that never returns ends the process, and `current` names the file
        signal.setitimer(signal.ITIMER_PROF, _HOPELESS)
    start, outcome, error = (
        time.process_time(),
        "read",
        "",
    )  # of the processor: the machine may be busy
    try:
        reader.read(content, which, folder)
    except reader.errors as refusal:
        outcome = "refused" if str(refusal) else "failed"
    except Exception:
        outcome, error = "failed", traceback.format_exc()
    return time.process_time() - start, outcome, error


def _limit_memory() -> None:
    """Turn the allocation of more than an image could need into a MemoryError, where the system
    can.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    most = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(name: str, count: str, seed: str, *report: str) -> None:
    """Make the calls that the module's docstring says."""
    reader = (READERS | PLANTED)[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(*report or [scratch])
        for which, one in enumerate(
            reader.seeds()
        ):  # imports, and a proof that the seeds are valid
            reader.read(one.content, which, folder)
        _limit_memory()
        warnings.simplefilter("error")
        if report:
            result = attack(name, range(int(count)), int(seed), folder)
            _file(folder / "report.json", json.dumps(result).encode())
            return
        for number, which, content in inputs(name, [int(count)], int(seed)):
            print(f"{name} {number}, seed {which}: {content[:2000]!r}")
            reader.read(content, which, folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
