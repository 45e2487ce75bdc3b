"""YOLO's annotation files ⇄ `Boxes`: one text an image, and a YAML that says where images lie and
what the classes are called.

A line is `class cx cy w h`, the centre and the sides as shares of the image's width and height
(https://docs.ultralytics.com/datasets/detect). A prediction's line has its score at the end, one of
a tracker its number too. Lines of outlines and of key points are longer, and some of them look
alike: `kinds_of` says what a text may be.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.drawn import Drawn, boxes_of
from cvtasks.formats.reading import KEY_POINTS, OUTLINES, TRACKS
from cvtasks.formats.yolo_lines import (
    OUTLINE,
    POSE,
    TRACK,
    kinds_of,
    look_like,
    numbers_of,
    unclear,
)
from cvtasks.text import composed, encodable

SPLITS = ("train", "val", "test")
_KEYS = (*SPLITS, "valid", "validation", "dev")  # as others call "val"
_MOST = 1_000_000  # characters of a YAML; the 21,841 names of ImageNet have 0.5 million


_TASKS = {"segment": OUTLINE, "obb": OUTLINE, "pose": POSE, "track": TRACK}  # of a YAML's `task`


@dataclass(frozen=True)
class YoloYaml:
    """What `data.yaml` says.

    Attributes:
        path: the folder that the splits are named from, itself from the YAML's folder; empty for
            that folder.
        splits: split → folders, or lists of images (`.txt`).
        classes: the names, in the order of their numbers.
        lines: what long lines of labels are, "outlines", "key points" or "tracks", by its
            `kpt_shape` or `task`; empty if it says nothing.
    """

    path: str
    splits: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]
    lines: str = ""


def parse_yaml(text: str, name: str) -> YoloYaml:
    """Read a `data.yaml`. Every value is the text that stands there: a class `on`, `010` or `null`
    keeps its name.

    Raises:
        DataError: it is no YAML, has aliases or is too long, has no `names`, or their numbers are
            not 0, 1, 2 …
    """
    if len(text) > _MOST:
        raise DataError(
            f"a data set's YAML may have {_MOST:,} characters; {name!r} has {len(text):,}. Check "
            "what it is."
        )
    document = _texts(text, name)
    if not isinstance(document, dict) or not isinstance(document.get("names"), list | dict):
        raise DataError(
            f"a YOLO data set's YAML lists the classes as `names`; {name!r} does not. Add them."
        )
    names = document["names"]
    if isinstance(names, dict):
        if names.keys() != set(map(str, range(len(names)))):
            raise DataError(
                f"the numbers of `names` must be 0, 1, 2 …; {name!r} has {', '.join(names)}. Write "
                "all of them."
            )
        names = [names[str(number)] for number in range(len(names))]
    classes = tuple(composed(_word(entry, "a name", name)) for entry in names)
    if "" in classes:
        number = classes.index("")
        raise DataError(
            f"every one of `names` must be a name; in {name!r} that of class {number} is empty. "
            "Write it."
        )
    if not classes or len(set(classes)) < len(classes):
        raise DataError(
            f"`names` must be at least one class, each once; {name!r} has "
            f"{', '.join(classes) or 'none'}."
        )
    count = _word(document.get("nc") or str(len(classes)), "`nc`", name)
    if count not in (f"{len(classes)}", f"{len(classes)}.0"):
        raise DataError(
            f"`nc` must be the number of `names`, {len(classes)}; {name!r} has {count[:80]}. "
            "Correct one."
        )
    task = _word(document.get("task") or "", "`task`", name)
    return YoloYaml(
        _word(document.get("path") or "", "`path`", name),
        {split: _places(document[split], split, name) for split in _KEYS if document.get(split)},
        classes,
        POSE if document.get("kpt_shape") else _TASKS.get(task, ""),
    )


def parse_darknet(text: str, name: str) -> tuple[str, dict[str, str]]:
    """Read Darknet's `….data`: lines `key = value` → the file of the names, and split → its list.

    Raises:
        DataError: a line is none, or there are no `names` or no split.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals or not value.strip():
            raise DataError(
                f"a line must be `key = value`; line {number} of {name!r} is "
                f"{line.strip()[:80]!r}. Correct it."
            )
        found[key.strip()] = value.strip()
    splits = {key: found[key] for key in _KEYS if key in found}
    if "names" not in found or not splits:
        raise DataError(
            f"Darknet's data are described by `names` and `train`; {name!r} lacks one. Add it."
        )
    return found["names"], splits


def parse_yolo(
    text: str,
    classes: tuple[str, ...],
    size: tuple[int, int],
    name: str,
    complain: Complain = strictly,
    *,
    lines: str = "",
    others: Callable[[], str] | None = None,
    scored: Callable[[], bool] = lambda: False,
) -> tuple[Boxes, tuple[str, ...]]:
    """The text of one image → its objects, and remarks about what was changed in reading. Without a
    line, no objects.

    A line with five numbers behind the class has a score at its end, which plays no part. Of more
    numbers it is what `kinds_of` says: an outline, `class x1 y1 x2 y2 x3 y3 …`, becomes the
    outline's box, and of key points and tracks the box is read, with a remark. Edges are rounded to
    a millionth of a pixel, which undoes the format's division. Equal objects are one.

    Args:
        size: (height, width) of the image.
        name: what errors call the file.
        complain: about a line that is neither, whose class does not exist, that may be one thing or
            another, or whose box does not fit (`fit` of `cvtasks.formats.reading`). If it returns,
            the line is left out.
        lines: what long lines are, if that is known.
        others: asked where these lines alone do not tell; what all lines of the split are, or "".
        scored: as of `numbers_of`.
    """
    scores: list[str] = []
    read = list(numbers_of(text, classes, name, complain, lines, scored, scores.append))
    kinds = _kinds([numbers for numbers, _, _ in read if len(numbers) > 5], lines, others)
    edges: list[tuple[float, ...]] = []
    kept: list[tuple[int, str]] = []
    said = tuple(scores)
    for numbers, label, place in read:
        if len(numbers) > 5 and len(kinds) != 1:
            complain(unclear(numbers, place))
            continue
        if len(numbers) > 5 and OUTLINE in kinds:
            across, down = numbers[::2], numbers[1::2]
            edges.append((min(across), min(down), max(across), max(down)))
            said += (OUTLINES,)
        else:
            x, y, w, h = numbers[:4]
            edges.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
            said += () if len(numbers) <= 5 else (TRACKS,) if TRACK in kinds else (KEY_POINTS,)
        kept.append((label, place))
    shares = np.array(edges, np.float64).reshape(-1, 4)
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused
        pixels = (shares * np.array([size[1], size[0]] * 2)).round(6)
    objects = [
        Drawn(tuple(row), label, place)
        for row, (label, place) in zip(pixels.tolist(), kept, strict=True)
    ]
    boxes, changed = boxes_of(objects, classes, size, name, complain)
    return boxes, (*said, *changed)


def _kinds(long: list[list[float]], lines: str, others: Callable[[], str] | None) -> set[str]:
    """What the long lines of a text may be; one kind where it is clear."""
    kinds = {lines} if lines else kinds_of(long)
    if len(kinds) > 1:
        told = others() if others else look_like(long)
        return {told} if told in kinds else kinds
    return kinds


def yolo_text(boxes: Boxes, *, scores: bool = False) -> str:
    """Boxes → the text of one image, a line each, with its score at the end if asked for.

    Twelve digits bring back the same edges to a millionth of a pixel. The format knows neither
    difficult objects nor crowds: they are left out, as what a detector need not find. `areas` are
    lost.
    """
    counted = boxes.take(boxes.counted)
    height, width = boxes.size
    edges = counted.xyxy.astype(np.float64)
    corners, sides = edges[:, :2], edges[:, 2:] - edges[:, :2]
    rows = np.concatenate([corners + sides / 2, sides], axis=1) / [width, height, width, height]
    lines = (
        " ".join(
            [
                str(label),
                *(f"{number:.12g}" for number in row),
                *([f"{score:.6g}"] if scores else []),
            ]
        )
        for label, row, score in zip(
            counted.labels.tolist(), rows.tolist(), counted.scores.tolist(), strict=True
        )
    )
    return "".join(f"{line}\n" for line in lines)


def yolo_yaml(classes: tuple[str, ...], splits: tuple[str, ...]) -> str:
    """The text of a `data.yaml` beside `images/SPLIT` and `labels/SPLIT`."""
    import yaml

    document = {**{split: f"images/{split}" for split in splits}, "names": dict(enumerate(classes))}
    readable = all(
        name.isprintable() for name in classes
    )  # an unescaped U+0085 would be read as a space
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=readable)


def _texts(text: str, name: str) -> Any:
    """A YAML as lists, dictionaries and texts; None for what is empty or, without quotes, `null`
    where no name is meant.
    """
    import yaml

    def plain(node: Any) -> Any:
        if node.tag not in _TAGS:
            raise DataError(
                f"{name!r} must be YAML of lists and words alone; it has a {node.tag[:80]}. Write "
                "it plainly."
            )
        if isinstance(node, yaml.ScalarNode):
            return node.value
        if isinstance(node, yaml.SequenceNode):
            return [plain(entry) for entry in node.value]
        keys = [plain(key) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) < len(keys):
            twice = next(
                (key for key in keys if not isinstance(key, str) or keys.count(key) > 1), ""
            )
            raise DataError(
                f"{name!r} must be YAML whose keys are words, each once; {str(twice)[:80]!r} is "
                "not. Correct it."
            )
        return {key: plain(value) for key, (_, value) in zip(keys, node.value, strict=True)}

    try:
        if any(
            isinstance(token, yaml.AliasToken) for token in yaml.scan(text)
        ):  # few of them can stand for a terabyte
            raise DataError(
                f"a data set's YAML must not have aliases (*name); {name!r} has. Write out what "
                "they stand for."
            )
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = None if node is None else plain(node)
    except (
        yaml.YAMLError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(f"{name!r} must be YAML; it is not: {error}. Correct it.") from error
    if node is not None and isinstance(document, dict):
        # `test:` and `test: null` name no split, whereas a class may be called null.
        nothing = {key.value for key, value in node.value if value.tag.endswith(":null")}
        document = {key: value for key, value in document.items() if key not in nothing}
    return document


_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
}


def _places(value: Any, split: str, name: str) -> tuple[str, ...]:
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) and place for place in places):
        kinds = ", ".join(sorted({type(place).__name__ for place in places}))
        raise DataError(
            f"`{split}` must be a folder, a list of images (.txt), or several, as text; {name!r} "
            f"has {kinds}."
        )
    return tuple(places)


def _word(value: Any, what: str, name: str) -> str:
    if not isinstance(value, str):
        raise DataError(
            f"{what} must be a word or a number; {name!r} has a {type(value).__name__}. Correct it."
        )
    return encodable(value)
