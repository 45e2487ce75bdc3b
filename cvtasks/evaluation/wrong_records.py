"""Why saved predictions cannot be read, in words: what they must be, and what stands there."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.errors import DataError, did_you_mean
from cvtasks.tasks import TASKS
from cvtasks.tasks.base import Task
from cvtasks.text import cut, dumps, one_line

_LARGEST = 3e38  # of a number that float32 holds
_LONGEST = 60  # of what is shown of a value
_KEYS = {Mask: "mask", Labels: "labels", Boxes: "boxes"}
"""Answer → the key of its records."""


def wrong_record(
    line: str, place: str, task: Task, known: Collection[str], error: Exception
) -> DataError:
    """The error about a line that is no record of a task.

    Args:
        place: where the line stands.
        known: the classes that it may name.
        error: what reading it ended with, where nothing is found that is to be said better.
    """
    again = f"Save them again: `cvtasks {task.name} … --save json`."
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as broken:
        return DataError(
            f"every line of predictions must be a JSON object; {place} "
            f"{broken_words(broken, line)}. {again}"
        )
    if not isinstance(record, dict):
        return DataError(
            f"every line of predictions must be a JSON object; {place} is {shown(record)}. {again}"
        )
    key = _key(task.answer)
    others = [name for name in _KEYS.values() if name in record]
    if key and key not in record and others:
        whose = _writers(others[0], record.get("task"))
        return DataError(
            f"predictions of {task.name} have `{key}` in every line; {place} has `{others[0]}`, as "
            f"{whose} it. Name a model of the task that they are of, or predictions of {task.name}."
        )
    try:
        _check(_Part(record), task.answer, key, known)
    except _Wrong as wrong:
        return DataError(f"{wrong.rule}; {place} {wrong.received}. {wrong.way or again}")
    text = str(error) if isinstance(error, ValueError) else "it does not fit together"
    return DataError(
        f"every line must be a record of {task.name}; {place} is not: {text.rstrip('.')}. {again}"
    )


def _writers(key: str, said: Any) -> str:
    """The tasks whose records have a key, and that they write it; `said` is the one that the record
    names.
    """
    names = [name for name, row in TASKS.items() if _key(row.task.answer) == key]
    if said in names or len(names) == 1:
        return f"{said if said in names else names[0]} writes"
    return f"{', '.join(names)} write"


def broken_words(error: Exception, text: str) -> str:
    """What is wrong with a text that is no JSON, behind its place."""
    if not text.strip():
        return "is empty"
    if not isinstance(error, json.JSONDecodeError):
        return "has numbers that are too long, or lists too deep within each other"
    rest = one_line(text[error.pos :].strip())
    if not rest:
        return "breaks off at its end"
    return f"is none from character {error.pos + 1} on: {cut(rest, _LONGEST)!r}"


def shown(value: Any) -> str:
    """A value as JSON has it, its beginning where it is long.

    >>> shown(None), shown([1, "a"]), shown(float("nan"))
    ('null', '[1, "a"]', 'NaN')
    """
    return cut(dumps(value), _LONGEST)


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number that can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST


def is_four_numbers(value: Any) -> bool:
    """Whether a value of JSON is a list of four such numbers."""
    return isinstance(value, list) and len(value) == 4 and all(map(is_number, value))


class _Wrong(Exception):
    """What a record must have, what it has, and the way out where it is not to save it again."""

    def __init__(self, rule: str, received: str, way: str = "") -> None:
        super().__init__(rule)
        self.rule, self.received, self.way = rule, received, way


@dataclass(frozen=True)
class _Part:
    """A part of a record.

    Attributes:
        value: as JSON has it.
        where: which it is, such as `boxes[2].score`; empty for the record.
    """

    value: Any
    where: str = ""

    def must(self, holds: Callable[[Any], bool], rule: str) -> "_Part":
        """The part itself; raises _Wrong where its value is not so."""
        if not holds(self.value):
            raise _Wrong(f"`{self.where}` of a record must be {rule}", f"has {shown(self.value)}")
        return self

    def __getitem__(self, key: str) -> "_Part":
        """A member; raises _Wrong where there is none."""
        where = f"{self.where}.{key}".lstrip(".")
        if key not in self.value:
            raise _Wrong(f"every record must have `{where}`", "has none")
        return _Part(self.value[key], where)

    def items(self) -> "list[_Part]":
        """The objects of a list; raises _Wrong where it is none."""
        self.must(lambda it: isinstance(it, list), "a list")
        parts = [_Part(one, f"{self.where}[{i}]") for i, one in enumerate(self.value)]
        return [part.must(lambda it: isinstance(it, dict), "an object") for part in parts]


def _key(answer: type) -> str:
    """The key of an answer's records; empty where it is none that is known here."""
    return next((key for kind, key in _KEYS.items() if issubclass(answer, kind)), "")


def _check(record: _Part, answer: type, key: str, known: Collection[str]) -> None:
    """Raise _Wrong for what a record must have and has not."""
    record["source"].must(lambda it: isinstance(it, str), "text: the image's name or path")
    for side in ("height", "width"):
        if side in record.value:
            record[side].must(_is_side, "a whole number of pixels")
    if key == "mask":
        _check_mask(record["mask"], known)
        return
    for thing in record[key].items() if key else ():
        _check_name(thing["name"].value, known)
        if key == "labels":
            thing["score"].must(lambda it: is_number(it) and 0 <= it <= 1, "a number from 0 to 1")
            continue
        thing["score"].must(is_number, "a finite number")
        thing["xyxy"].must(_is_box, "four finite numbers: left, top, right, bottom, in this order")
        if "track" in thing.value:
            thing["track"].must(lambda it: type(it) is int and abs(it) < 2**63, "a whole number")
        if issubclass(answer, Instances):
            _check_runs(thing["mask"])


def _check_mask(mask: _Part, known: Collection[str]) -> None:
    mask.must(lambda it: isinstance(it, dict), "an object")
    mask["size"].must(_is_size, "two whole numbers of pixels: height, width")
    runs = mask["rle"].must(lambda it: isinstance(it, dict), "an object: class → run lengths")
    for name in runs.value:
        _check_name(name, known)
        _check_runs(runs[name])


def _check_runs(runs: _Part) -> None:
    """Raise _Wrong where there are no run lengths; whether they fill the mask, reading sees."""
    runs.must(lambda it: isinstance(it, dict), "an object: size and counts, as COCO has it")
    runs["size"].must(_is_size, "two whole numbers of pixels: height, width")
    runs["counts"].must(lambda it: isinstance(it, str | list), "run lengths, as COCO has them")


def _check_name(name: Any, known: Collection[str]) -> None:
    if not isinstance(name, str) or name not in known:
        near = did_you_mean(name, known) if isinstance(name, str) else ""
        rule = "every class of a record must be one of the model or of the data"
        raise _Wrong(rule, f"has {shown(name)}", near)


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_side, value))


def _is_box(value: Any) -> bool:
    return is_four_numbers(value) and value[0] <= value[2] and value[1] <= value[3]
