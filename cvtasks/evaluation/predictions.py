"""Saved predictions: records of ours for every task; for boxes and masks of objects also COCO's
results, and for boxes Pascal VOC's text files.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.answers import Boxes, Instances
from cvtasks.answers.synonyms import called_otherwise
from cvtasks.data import Source
from cvtasks.data.shared_classes import NONE
from cvtasks.errors import DataError
from cvtasks.evaluation.predicted_boxes import (
    COMP4,
    otherwise_words,
    passed_over,
    read_coco_document,
    read_coco_results,
    read_comp4,
)
from cvtasks.evaluation.saved import Entry, Saved, key_of_path, lines, plain
from cvtasks.evaluation.wrong_records import broken_words, wrong_record
from cvtasks.tasks.base import Task

__all__ = ["Entry", "Saved", "read_predictions"]


def read_predictions(
    path: Path, task: Task, data: Source, classes: tuple[str, ...], names: Mapping[str, str] = NONE
) -> Saved:
    """Read saved predictions; the format is recognised from what lies there.

    - JSON lines, as the task commands write them. A record belongs to the image whose file has the
      stem of its `source`, and where several have that, lies in the same folders.
    - COCO's results: a list of {image_id, category_id, bbox, score}, of masks with `segmentation`
      in place of `bbox`. On COCO data the ids are the data's. On other data `image_id` is the name
      of the image, or the number that it is, and `category_id` counts `classes` from 1.
    - A COCO document whose annotations have scores, such as the task commands write: images and
      classes by their names.
    - Pascal VOC, for boxes: `comp4_det_test_<class>.txt` or a folder of them, lines of image, score
      and corners from 1.

    Args:
        data: the data set with the classes it has; predictions of those that are not in `classes`
            are passed over.
        classes: what is scored.
        names: what data or model call a class → its name in `classes`, where it is another;
            predictions may have either, or another name of the same thing
            (`cvtasks.answers.synonyms`). What is in `classes` is meant as it stands; but the ids
            of COCO's results are the data's, whose names are taken for others.

    Raises:
        DataError: nothing of this lies there, an entry is not as it should be, or a class is
            unknown.
    """
    others = {name: scored for name, scored in names.items() if name not in classes}
    if issubclass(task.answer, Boxes):
        masks = issubclass(task.answer, Instances)
        if not masks and (path.is_dir() or COMP4.fullmatch(path.name)):
            return read_comp4(path, data, classes, others)
        document = None if path.is_dir() else _whole_json(path)
        if isinstance(document, list):
            return read_coco_results(path, document, data, classes, names, masks=masks)
        if isinstance(document, dict):
            return read_coco_document(path, document, data, classes, others, masks=masks)
    if path.is_dir():
        raise DataError(
            f"predictions of {task.name} are a file of JSON lines; {str(path)!r} is a folder. Name "
            "the file in it."
        )
    return _records(path, task, data, classes, others)


def _records(
    path: Path, task: Task, data: Source, classes: tuple[str, ...], names: Mapping[str, str]
) -> Saved:
    entries: dict[str, list[Entry]] = {}
    known, passed = tuple(dict.fromkeys((*classes, *data.classes, *names))), Counter[str]()
    otherwise: dict[str, str] | None = None  # the file's names of these classes
    for number, line in enumerate(lines(path), start=1):
        place = f"line {number} of {str(path)!r}"
        try:
            record = json.loads(line)
            # A video's last line says what was counted in all of it.
            if isinstance(record, dict) and "summary" in record:
                continue
            key = key_of_path(record["source"])
            if otherwise is None and any(name not in known for name in _names_in(record)):
                otherwise = called_otherwise(_all_names(path), classes)
                known, names = (*known, *otherwise), {**names, **otherwise}
            with np.errstate(
                over="ignore", invalid="ignore"
            ):  # what is too large becomes infinite, and is refused
                answer = task.from_record(record, known)
                answer = answer.renamed(names)
                passed.update(name for name in answer.names if name not in classes)
                entry = Entry(record["source"], place, answer.with_classes(classes))
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise wrong_record(line, place, task, known, error) from error
        entries.setdefault(key, []).append(entry)
    if not next(lines(path), ""):
        raise DataError(
            f"predictions of {task.name} have a line for every image; {str(path)!r} is empty. Save "
            f"them again: `cvtasks {task.name} … --save json`."
        )
    remarks = (*otherwise_words(otherwise or {}), *passed_over(passed))
    return Saved(path, "JSON lines", remarks, entries, plain, complete=True)


def _names_in(record: Mapping[str, Any]) -> Iterator[str]:
    """The names of classes in a record of any task."""
    for thing in (*record.get("labels", ()), *record.get("boxes", ())):
        yield thing["name"]
    yield from record.get("mask", {}).get("rle", {})


def _all_names(path: Path) -> list[str]:
    """The names of classes in all records of a file; a line that is none is passed over."""
    names: dict[str, None] = {}
    for line in lines(path):
        with suppress(AttributeError, LookupError, RecursionError, TypeError, ValueError):
            names |= dict.fromkeys(_names_in(json.loads(line)))
    return list(names)


def _whole_json(path: Path) -> Any:
    """The list or the object that the file is, or None where it holds lines of JSON or something
    else.
    """
    first = next((line.strip() for line in lines(path) if line.strip()), "")
    if first[:1] not in ("[", "{"):
        return None
    with suppress(ValueError, RecursionError):
        if "source" in json.loads(first):
            return None
    try:
        return json.loads("".join(lines(path)))
    except (ValueError, RecursionError) as error:
        if first[0] == "[":
            text = "".join(lines(path))
            raise DataError(
                f"COCO's results are one list in JSON; {str(path)!r} {broken_words(error, text)}. "
                "Save it again."
            ) from error
        return None
