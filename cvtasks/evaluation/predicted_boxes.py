"""Predicted boxes and masks as other programs save them: COCO's results, and Pascal VOC's text
files of a class each.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.answers import Boxes, Instances
from cvtasks.answers.synonyms import called_otherwise, in_words
from cvtasks.data import Source
from cvtasks.data.formats.coco import COCODetection
from cvtasks.data.shared_classes import NONE
from cvtasks.data.views import View
from cvtasks.errors import DataError, did_you_mean
from cvtasks.evaluation.saved import Entry, Saved, key_of_path, lines, plain
from cvtasks.evaluation.wrong_records import is_four_numbers, is_number, shown
from cvtasks.formats.voc import from_voc_corners
from cvtasks.geometry.rle import checked_runs, polygons_runs, rle_extents
from cvtasks.text import composed, counted

COMP4 = re.compile(r"comp\d+_det_(?P<rest>.+)\.txt")
"""Names of the devkit's files: comp4_det_test_<class>.txt."""

_LARGEST = 1e18  # of an edge: areas stay within float32


def read_comp4(
    path: Path, data: Source, classes: tuple[str, ...], names: Mapping[str, str] = NONE
) -> Saved:
    """Read one file, or those of a folder, each with the predictions of one class: image, score and
    corners from 1.
    """
    files = sorted(path.glob("comp*_det_*.txt")) if path.is_dir() else [path]
    if not files:
        raise DataError(
            "a folder of predictions holds comp4_det_test_<class>.txt for each class; "
            f"{str(path)!r} has none."
        )
    found, seen = _Found(classes), set()
    passed: Counter[str] = Counter()
    for file in files:
        rest = COMP4.fullmatch(composed(file.name))
        fitting = [
            name
            for name in {*data.classes, *classes, *names}
            if rest and f"_{rest['rest']}".endswith(f"_{name}")
        ]
        if not fitting:
            raise DataError(
                f"the name of {str(file)!r} must end in a class of the data; it does not. "
                f"{did_you_mean(file.stem, data.classes)}"
            )
        longest = max(fitting, key=len)
        name = names.get(longest, longest)
        seen.add(name)
        for number, line in enumerate(lines(file), start=1):
            place = f"line {number} of {str(file)!r}"
            image, *numbers = line.split() or [""]
            try:
                score, *corners = map(float, numbers)
                xyxy = from_voc_corners(np.array(corners).reshape(4))
            except ValueError as error:
                raise DataError(
                    f"every line must be: image score xmin ymin xmax ymax; {place} is not: "
                    f"{line.strip()!r}."
                ) from error
            if name in classes:
                found.add(image, place, classes.index(name), score, xyxy.tolist())
            else:
                passed[name] += 1
    without = [name for name in classes if name not in seen]
    remarks = [f"no file, so nothing found, for {', '.join(without)}"] if without else []
    return Saved(
        path,
        "Pascal VOC comp4 files",
        (*remarks, *passed_over(passed)),
        found.entries(str),
        plain,
        complete=False,
    )


def read_coco_results(
    path: Path,
    document: list[Any],
    data: Source,
    classes: tuple[str, ...],
    called: Mapping[str, str] = NONE,
    *,
    masks: bool = False,
) -> Saved:
    """Read a list of results; what their ids mean is up to the data. `masks`: each is a mask."""
    whole = _coco_of(data)
    if whole is not None:
        names = {str(number): called.get(name, name) for name, number in whole.category_ids.items()}
        images = {str(number): name for name, number in whole.image_ids.items()}
        found, passed = _coco(
            path,
            document,
            names,
            lambda image: images.get(image, f"image {image}"),
            _Found(classes, NO_SIZES if masks else None),
        )
        entries = found.entries(str)
        mine = images.values() if whole is data else map(data.name, range(len(data)))
        left = (entries.keys() & whole.image_ids.keys()).difference(mine)
        if left:
            entries = {name: rows for name, rows in entries.items() if name not in left}
            many = counted(len(left), "image")
            passed = (f"predictions of {many} that this split leaves out were passed over", *passed)
        return Saved(path, "COCO results", passed, entries, str, complete=False)
    names = {str(number): name for number, name in enumerate(classes, start=1)}
    remark = f"categories are {', '.join(f'{number} {name}' for number, name in names.items())}"
    found, passed = _coco(path, document, names, str, _Found(classes, NO_SIZES if masks else None))
    return Saved(
        path,
        "COCO results",
        (remark, *passed),
        found.entries(_number),
        lambda name: _number(plain(name)),
        complete=False,
    )


def _coco_of(data: Source) -> COCODetection | None:
    """The COCO data that a source is, or is a view of; None where it is of another format."""
    while isinstance(data, View):
        data = data.source
    return data if isinstance(data, COCODetection) else None


def read_coco_document(
    path: Path,
    document: dict[str, Any],
    data: Source,
    classes: tuple[str, ...],
    called: Mapping[str, str] = NONE,
    *,
    masks: bool = False,
) -> Saved:
    """Read a data set whose annotations have scores. `masks`: each is a mask."""
    try:
        names = {str(one["id"]): composed(str(one["name"])) for one in document["categories"]}
        files = {str(entry["id"]): str(entry["file_name"]) for entry in document["images"]}
        sizes = {
            files[str(entry["id"])]: (entry.get("height"), entry.get("width"))
            for entry in document["images"]
        }
        scored = [entry for entry in document["annotations"] if "score" in entry]
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(
            "predictions in one JSON object are a COCO document with images (id, file_name), "
            f"categories (id, name) and annotations; {str(path)!r} {_lacking(document)}. Give JSON "
            "lines, each with a `source`, or a list of COCO results."
        ) from error
    if len(scored) < len(document["annotations"]):
        raise DataError(
            f"every annotation of predictions needs a score; {str(path)!r} has some without. Is it "
            "the truth?"
        )
    otherwise = called_otherwise(names.values(), classes)
    for name in names.values():
        if name not in (*classes, *data.classes, *called, *otherwise):
            raise DataError(
                f'every class must be one of the data; "{name}" of {str(path)!r} is not. '
                f"{did_you_mean(name, classes)}"
            )
    called = {**otherwise, **called}
    names = {number: called.get(name, name) for number, name in names.items()}
    found, passed = _coco(
        path, scored, names, lambda image: files[image], _Found(classes, sizes if masks else None)
    )
    return Saved(
        path,
        "COCO document",
        (*otherwise_words(otherwise), *passed),
        found.entries(key_of_path),
        plain,
        complete=False,
    )


def _coco(
    path: Path,
    results: list[Any],
    names: dict[str, str],
    source: Callable[[str], str],
    found: "_Found",
) -> "tuple[_Found, tuple[str, ...]]":
    """Read results into `found`, with remarks; `names` are those of the categories, `source` says
    what the image of an id is called.
    """
    passed: Counter[str] = Counter()
    for number, entry in enumerate(results, start=1):
        place = f"entry {number} of {str(path)!r}"
        try:
            image, category = source(str(entry["image_id"])), str(entry["category_id"])
            score = float(entry["score"])
            where: Any = found.where(image, entry)
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise DataError(
                f"every entry must have image_id, category_id, {found.shape} and score; {place} "
                f"{found.unfit(entry, error)}. Save it again."
            ) from error
        if category not in names:
            raise DataError(
                f"every category_id must be one of {', '.join(names)}; {place} has {category}."
            )
        if names[category] in found.classes:
            label = found.classes.index(names[category])
            found.add(image, place, label, score, *where)
        else:
            passed[names[category]] += 1
    return found, passed_over(passed)


def _lacking(document: Mapping[str, Any]) -> str:
    """What a COCO document lacks, behind its name."""
    for table, keys in (("images", ("id", "file_name")), ("categories", ("id", "name"))):
        if table not in document:
            return f"has no {table}"
        entries = document[table] if isinstance(document[table], list) else [document[table]]
        for entry in entries:
            if not isinstance(entry, dict) or not all(key in entry for key in keys):
                return f"has {shown(entry)} among its {table}"
    return "has other annotations" if "annotations" in document else "has no annotations"


NO_SIZES: Mapping[str, tuple[Any, Any]] = {}
"""Of results that do not say how large images are."""


class _Found:
    """Gathers boxes or masks by image.

    Args:
        sizes: image → its (height, width), where masks are gathered and the file says that.
    """

    def __init__(
        self, classes: tuple[str, ...], sizes: Mapping[str, tuple[Any, Any]] | None = None
    ) -> None:
        self.classes = classes
        self._sizes = sizes
        self._rows: dict[str, list[tuple[str, int, float, list[float], bytes]]] = {}
        self._size_of: dict[str, tuple[int, int]] = {}

    @property
    def shape(self) -> str:
        """What an entry must have to be one of these, in words."""
        masks = "segmentation (run lengths, or polygons of an image whose size the file says)"
        return "bbox (left, top, width, height)" if self._sizes is None else masks

    def where(self, image: str, entry: Mapping[str, Any]) -> tuple[list[float], bytes]:
        """The edges of an entry of COCO's results, and its mask as run lengths, empty for boxes. Of
        a mask without a box they are its extent.

        Raises:
            KeyError, OverflowError, TypeError, ValueError: it has none.
        """
        edges: list[float] = []
        if self._sizes is None or "bbox" in entry:
            left, top, width, height = map(float, entry["bbox"])
            edges = [left, top, left + width, top + height]
        if self._sizes is None:
            return edges, b""
        outline = entry["segmentation"]
        size = outline["size"] if isinstance(outline, dict) else self._sizes[image]
        if not all(type(side) is int and side >= 0 for side in size):
            raise ValueError(f"a size is whole numbers of pixels, not {size}")
        known = self._size_of.setdefault(image, tuple(size))
        if known != tuple(size):
            raise ValueError(f"masks of one image have one size, not {known} and {tuple(size)}")
        runs = checked_runs(outline) if isinstance(outline, dict) else polygons_runs(outline, known)
        return edges or rle_extents([runs], known)[0][0].tolist(), runs

    def unfit(self, entry: Any, error: Exception) -> str:
        """What is wrong with an entry, behind its place; `error` is what reading it ended with."""
        if not isinstance(entry, dict):
            return f"is {shown(entry)}"
        shape = "bbox" if self._sizes is None else "segmentation"
        for key in ("image_id", "category_id", "score", shape):
            if key not in entry:
                return f"has no {key}"
        if not is_number(entry["score"]):
            return f"has score {shown(entry['score'])}"
        if "bbox" in entry and not is_four_numbers(entry["bbox"]):
            return f"has bbox {shown(entry['bbox'])}"
        if self._sizes is not None and isinstance(error, ValueError):
            return f"has another segmentation: {str(error).rstrip('.')}"
        unknown = isinstance(error, KeyError) and error.args == (str(entry["image_id"]),)
        if self._sizes is not None and (self._sizes is NO_SIZES or not unknown):
            return f"has segmentation {shown(entry[shape])}"
        return f"is of the image {shown(entry['image_id'])}, which the file does not have"

    def add(
        self,
        image: str,
        place: str,
        label: int,
        score: float,
        xyxy: list[float],
        mask: bytes = b"",
    ) -> None:
        """Add one; raises DataError where it is no box."""
        left, top, right, bottom = xyxy
        if not (
            all(abs(number) <= _LARGEST for number in (score, *xyxy))
            and left <= right
            and top <= bottom
        ):  # nor NaN
            raise DataError(
                "a box must have a finite score and edges, the left one left of the right one and "
                "the top above the bottom; "
                f"{place} has score {score:g} and, as left, top, right, bottom, "
                f"{', '.join(f'{edge:g}' for edge in xyxy)}."
            )
        self._rows.setdefault(image, []).append((place, label, score, xyxy, mask))

    def entries(self, key: Callable[[str], str]) -> dict[str, list[Entry]]:
        """`key` of what the image is called → one entry for each image."""
        made: dict[str, list[Entry]] = {}
        for image, rows in self._rows.items():
            places, labels, scores, xyxy, masks = zip(*rows, strict=True)
            if self._sizes is None:
                answer = Boxes.of(xyxy, labels, self.classes, (0, 0), scores=scores)
            else:
                size = self._size_of[image]
                answer = Instances.of(masks, labels, self.classes, size, xyxy=xyxy, scores=scores)
            made.setdefault(key(image), []).append(Entry(image, places[0], answer))
        return made


def _number(name: str) -> str:
    """The name without leading zeros where it is a number: "000139" and 139 are one image."""
    return name.lstrip("0") or "0" if name.isascii() and name.isdigit() else name


def otherwise_words(otherwise: Mapping[str, str]) -> tuple[str, ...]:
    """The remark about classes that predictions call by another name of the same thing."""
    return (f"names of one class: {in_words(otherwise)}",) if otherwise else ()


def passed_over(counts: Counter) -> tuple[str, ...]:
    """The remark about predictions of classes that are not scored."""
    names = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return (
        (f"predictions of classes that the model does not have were passed over: {names}",)
        if names
        else ()
    )
