"""YOLO's annotation files ⇄ `Boxes`: one text a picture, and a YAML that says where pictures lie and what the classes are called.

A line is `class cx cy w h`, the centre and the sides as shares of the picture's width and height
(https://docs.ultralytics.com/datasets/detect). A prediction's line has its score at the end.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import OUTLINES, fit
from cvtasks.text import encodable

SPLITS = ("train", "val", "test")
_KEYS = (*SPLITS, "valid", "validation")  # as others call "val"
_MOST = 1_000_000  # characters of a YAML; the 21,841 names of ImageNet have 0.5 million


@dataclass(frozen=True)
class YoloYaml:
    """What `data.yaml` says.

    Attributes:
        path: the folder that the splits are named from, itself from the YAML's folder; empty for that folder.
        splits: split → folders, or lists of pictures (`.txt`).
        classes: the names, in the order of their numbers.
    """

    path: str
    splits: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]


def parse_yaml(text: str, name: str) -> YoloYaml:
    """Read a `data.yaml`.

    Raises:
        DataError: it is no YAML, has aliases or is too long, has no `names`, or their numbers are not 0, 1, 2 …
    """
    import yaml

    if len(text) > _MOST:
        raise DataError(f"a data set's YAML may have {_MOST:,} characters; {name!r} has {len(text):,}. Check what it is.")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):  # few of them can stand for a terabyte
            raise DataError(f"a data set's YAML must not have aliases (*name); {name!r} has. Write out what they stand for.")
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # PyYAML's constructors of numbers and dates raise nearly every kind on what is none
        raise DataError(f"{name!r} must be YAML; it is not: {error}. Correct it.") from error
    if not isinstance(document, dict) or not isinstance(document.get("names"), list | dict):
        raise DataError(f"a YOLO data set's YAML lists the classes as `names`; {name!r} does not. Add them.")
    if "kpt_shape" in document:
        raise DataError(f"boxes are read, key points are not; {name!r} has `kpt_shape`. Give a data set for detection.")
    names = document["names"]
    if isinstance(names, dict):
        if names.keys() != set(range(len(names))):
            numbers = ", ".join(_word(number, "a number of `names`", name) for number in names)
            raise DataError(f"the numbers of `names` must be 0, 1, 2 …; {name!r} has {numbers}.")
        names = [names[number] for number in range(len(names))]
    classes = tuple(_word(entry, "a name", name) for entry in names)
    if not classes or len(set(classes)) < len(classes):
        raise DataError(f"`names` must be at least one class, each once; {name!r} has {', '.join(classes) or 'none'}.")
    if document.get("nc", len(classes)) != len(classes):
        number = _word(document["nc"], "`nc`", name)
        raise DataError(f"`nc` must be the number of `names`, {len(classes)}; {name!r} has {number}. Correct one.")
    return YoloYaml(
        _word(document.get("path") or "", "`path`", name),
        {split: _places(document[split], split, name) for split in _KEYS if document.get(split)},
        classes,
    )


def parse_yolo(
    text: str, classes: tuple[str, ...], size: tuple[int, int], name: str, complain: Complain = strictly
) -> tuple[Boxes, tuple[str, ...]]:
    """The text of one picture → its objects, and remarks about what was changed in reading. Without a line, no objects.

    A line with six numbers has a score at its end, which plays no part. One with an outline, `class x1 y1 x2 y2 x3 y3 …`,
    becomes the outline's box, with a remark. Edges are rounded to a millionth of a pixel, which undoes the format's division.

    Args:
        size: (height, width) of the picture.
        name: what errors call the file.
        complain: about a line that is neither, whose class does not exist, or whose box does not fit (`fit` of
            `cvtasks.formats.reading`). If it returns, the line is left out.
    """
    height, width = size
    edges, labels, places, outlines = [], [], [], 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"line {number} of {name!r}"
        try:
            label, *numbers = (float(word) for word in line.split())
        except ValueError:
            numbers = []
        if not numbers or not all(map(math.isfinite, (label, *numbers))) or not _is_a_line(len(numbers)):
            text = (
                f"a line must be numbers: class, centre x and y, width, height, or class and an outline x1 y1 x2 y2 x3 y3 …; "
                f"{place} is {line.strip()[:80]!r}. Correct it."
            )
            complain(DataError(text, "line"))
            continue
        if label not in range(len(classes)):
            text = f"a class must be a whole number from 0 to {len(classes) - 1}, one of the names in the YAML; {place} has {label:g}."
            complain(DataError(text, "class unknown"))
            continue
        if len(numbers) in (4, 5):
            x, y, w, h = numbers[:4]
            edges.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        else:
            edges.append((min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])))
            outlines += 1
        labels.append(int(label))
        places.append(place)
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and is refused
        pixels = (np.array(edges, np.float64).reshape(-1, 4) * [width, height, width, height]).round(6)
    xyxy, remarks, good = fit(pixels, size, places, complain)
    return Boxes.of(xyxy, [labels[index] for index in good], classes, size), remarks + (OUTLINES,) * outlines


def yolo_text(boxes: Boxes, *, scores: bool = False) -> str:
    """Boxes → the text of one picture, a line each, with its score at the end if asked for.

    Twelve digits bring back the same edges to a millionth of a pixel. The format knows neither difficult objects nor crowds:
    they are left out, as what a detector need not find. `areas` are lost.
    """
    counted = boxes.take(boxes.counted)
    height, width = boxes.size
    edges = counted.xyxy.astype(np.float64)
    corners, sides = edges[:, :2], edges[:, 2:] - edges[:, :2]
    rows = np.concatenate([corners + sides / 2, sides], axis=1) / [width, height, width, height]
    lines = (
        " ".join([str(label), *(f"{number:.12g}" for number in row), *([f"{score:.6g}"] if scores else [])])
        for label, row, score in zip(counted.labels.tolist(), rows.tolist(), counted.scores.tolist(), strict=True)
    )
    return "".join(f"{line}\n" for line in lines)


def yolo_yaml(classes: tuple[str, ...], splits: tuple[str, ...]) -> str:
    """The text of a `data.yaml` beside `images/SPLIT` and `labels/SPLIT`."""
    import yaml

    document = {**{split: f"images/{split}" for split in splits}, "names": dict(enumerate(classes))}
    readable = all(name.isprintable() for name in classes)  # an unescaped U+0085 would be read as a space
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=readable)


def _is_a_line(count: int) -> bool:
    """A box, a box and its score, or an outline of three points or more."""
    return count in (4, 5) or (count >= 6 and count % 2 == 0)


def _places(value: Any, split: str, name: str) -> tuple[str, ...]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) and place for place in places):
        kinds = ", ".join(sorted({type(place).__name__ for place in places}))
        raise DataError(f"`{split}` must be a folder, a list of pictures (.txt), or several, as text; {name!r} has {kinds}.")
    return tuple(places)


def _word(value: Any, what: str, name: str) -> str:
    """A value that may be written without quotes, as text."""
    if isinstance(value, list | dict | set | tuple | bytes):
        raise DataError(f"{what} must be a word or a number; {name!r} has a {type(value).__name__}. Correct it.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise DataError(f"{what} must have at most 64 bits; one of {name!r} has {value.bit_length()}. Correct it.")
    return encodable(str(value))
