"""Recipes of before `format = 1`: what their tables and keys are called now."""

from collections.abc import Mapping
from typing import Any

from cvtasks.errors import ModelError
from cvtasks.tasks import TASKS

FORMAT = 1
"""Of the recipes that are written."""

RENAMED = {
    "task": "task.name",
    "classify.threshold": "task.threshold",
    "classify.labels": "task.labels",
    "classify.picture": "task.preparation",
    "classify.top": "head.name",
    "classify.peak": "head.class_attention",
    "detect.threshold": "task.threshold",
    "detect.most": "head.max_detections",
    "detect.floor": "head.min_score",
    "localize.threshold": "task.threshold",
    "localize.object": "task.object",
    "segment.threshold": "task.threshold",
    "data.others": "data.unlisted",
    "data.sides": "data.multi_scale",
    "data.visible": "data.min_visibility",
    "train.setbacks": "train.max_rollbacks",
    "train.store": "train.weights_precision",
}
"""Old dotted key → new one. Any other key of a task's own table is its head's now."""

VALUES = {"task.preparation": {"whole": "none", "ink": "handwriting"}}
"""New dotted key → old value → new value."""


def new_name(key: str, task: str) -> str:
    """The name of a dotted key now, for a recipe of this task.

    >>> new_name("detect.nms", "detect"), new_name("data.others", ""), new_name("head.nms", "")
    ('head.nms', 'data.unlisted', 'head.nms')
    """
    table, _, name = key.rpartition(".")
    if table in TASKS:
        if table != task:
            return key
        return RENAMED.get(key, f"head.{name}")
    return RENAMED.get(key, key)


def renamed_keys(task: str) -> dict[str, str]:
    """Key of before, without its table → its dotted name now, for a recipe of this task.

    >>> renamed_keys("detect")["most"], renamed_keys("classify").get("most")
    ('head.max_detections', None)
    """
    return {
        key.rpartition(".")[2]: name
        for key, name in RENAMED.items()
        if key.partition(".")[0] in (task, "data", "train")
    }


def new_value(key: str, value: Any) -> Any:
    """The value of a new dotted key, where an old one is given."""
    return VALUES.get(key, {}).get(value, value) if isinstance(value, str) else value


def task_of(document: Mapping[str, Any]) -> str:
    """The name of the task in a document, old or new; empty where it says none."""
    task = document.get("task", "")
    name = task.get("name", "") if isinstance(task, Mapping) else task
    return name if isinstance(name, str) else ""


def check_format(document: Mapping[str, Any]) -> None:
    """Raise ModelError where a document's format is none that is known."""
    known = document.get("format", FORMAT)
    if type(known) is not int or known != FORMAT:
        raise ModelError(
            f"`format` must be {FORMAT}, which this cvtasks reads; got {known!r}. A newer cvtasks "
            "has written it, or it is a mistake."
        )


def current(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document by the names of now; the document itself is left as it was.

    Raises:
        ModelError: its format is not known, it has a format and a name of before, or an old and a
            new name of one key.
    """
    check_format(document)
    task = task_of(document)
    result: dict[str, Any] = {}
    given: dict[str, str] = {}
    for key, value in _flat(document):
        empty = value == {}
        name = new_name(f"{key}.", task).rstrip(".") if empty else new_name(key, task)
        if name != key:
            if "format" in document:
                raise ModelError(
                    f"`{key}` is called `{name}` since format {FORMAT}. Write it so, or leave out "
                    "`format` to have all old names read."
                )
            value = new_value(name, value)
        table, _, last = name.rpartition(".")
        place = result.setdefault(table, {}) if table else result
        if empty:
            place.setdefault(last, {})
        elif isinstance(place, dict):
            if name in given:
                raise ModelError(
                    f"`{given[name]}` and `{key}` are the old and the new name of one key. Leave "
                    "one of them out."
                )
            place[last], given[name] = value, key
    return result


def _flat(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The document's keys, those of its tables dotted; a table whose keys are no plain names stays
    whole.
    """
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        if key != "files" and isinstance(value, Mapping) and value:
            found += [(f"{key}.{name}", one) for name, one in value.items()]
        else:
            found.append((key, value))
    return found
