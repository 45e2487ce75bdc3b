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
    "data.visible": "data.min_visibility",
    "train.setbacks": "train.max_rollbacks",
}
"""Old dotted key → new one. Any other key of a task's own table is its head's now."""

VALUES = {"task.preparation": {"whole": "none", "ink": "handwriting"}}
"""New dotted key → old value → new value."""


_OF_ONE_HEAD = {"class_attention": "pooled", "auxiliary": "own"}
"""Key of before in the one table of classification → the head that has it; elsewhere it was 0."""


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


def new_value(key: str, value: Any) -> Any:
    """The value of a new dotted key, where an old one is given."""
    return VALUES.get(key, {}).get(value, value) if isinstance(value, str) else value


def task_of(document: Mapping[str, Any]) -> str:
    """The name of the task in a document, old or new; empty where it says none."""
    task = document.get("task", "")
    name = task.get("name", "") if isinstance(task, Mapping) else task
    return name if isinstance(name, str) else ""


def current(document: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """A document by the names of now, and whether it was one of before `format = 1`; the document
    itself is left as it was.

    Raises:
        ModelError: its format is not known, or it has a format and a name of before.
    """
    known = document.get("format")
    if known is not None and known != FORMAT:
        raise ModelError(
            f"`format` must be {FORMAT}, which this cvtasks reads; got {known!r}. A newer cvtasks "
            "has written it, or it is a mistake."
        )
    task, old = task_of(document), False
    result: dict[str, Any] = {}
    for key, value in _flat(document):
        name = new_name(key, task)
        if key == task and key in TASKS and not value:  # an empty table of the task's name
            old = True
            continue
        if name != key:
            old = True
            if known is not None:
                raise ModelError(
                    f"`{key}` is called `{name}` since format {FORMAT}. Write it so, or leave out "
                    "`format` to have all old names read."
                )
            value = new_value(name, value)
        table, _, last = name.rpartition(".")
        place = result.setdefault(table, {}) if table else result
        if isinstance(place, dict):
            place[last] = value
    if old and task == "classify" and isinstance(result.get("head"), dict):
        head = result["head"]
        for key, owner in _OF_ONE_HEAD.items():
            if head.get("name", "pooled") != owner and head.get(key) == 0:
                del head[key]
    return result, old


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
