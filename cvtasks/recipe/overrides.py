"""Changes to a recipe: values by dotted keys."""

import tomllib
import typing
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from cvtasks.errors import CVTasksWarning, ModelError
from cvtasks.heads import head_type
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.train_table import Train
from cvtasks.recipe.translation import new_name, new_value, task_of
from cvtasks.recipe.words import full_name
from cvtasks.schema import read_value
from cvtasks.tasks import TASKS

Override = str | tuple[str, Any]
"""A change to a recipe: "key=value" with a dotted key and a TOML value, or such a key and the value
itself.
"""


def kinds_of(document: Mapping[str, Any]) -> dict[str, type]:
    """Table → its dataclass, for a document whose task is known.

    Raises:
        ModelError: the task has no such head.
    """
    task = task_of(document)
    return {
        "task": TASKS[task].task,
        "head": head_type(task, read_value(str, head_of(document), "head.name")),
        "data": Data,
        "train": Train,
    }


def head_of(document: Mapping[str, Any]) -> Any:
    """The name of the head in a document, as it stands there; empty where it names none."""
    head = document.get("head", {})
    return head.get("name", "") if isinstance(head, Mapping) else ""


def key_of(override: Override) -> str:
    """The dotted key that an override changes.

    >>> key_of("train.epochs = 40"), key_of(("data.path", "a=b"))
    ('train.epochs', 'data.path')
    """
    return (override if isinstance(override, tuple) else override.partition("="))[0].strip()


def by_full_names(overrides: Iterable[Override]) -> list[Override]:
    """The changes by dotted keys. A warning says for which key a bare name or another program's
    word was taken.

    >>> by_full_names(["train.epochs=3", ("size", 64)])
    ['train.epochs=3', ('size', 64)]

    Raises:
        ModelError: a word means several keys.
    """
    found: list[Override] = []
    for override in overrides:
        key = key_of(override)
        is_one = isinstance(override, tuple) or "=" in override
        full = _full(key, override) if is_one else key
        if full == key:
            found.append(override)
            continue
        warnings.warn(f"`{key}` is taken for `{full}`.", CVTasksWarning, stacklevel=2)
        if isinstance(override, tuple):
            found.append((full, override[1]))
        else:
            found.append(full + override[len(override.partition("=")[0]) :])
    return found


def _full(key: str, override: Override) -> str:
    """The dotted key that an override means by its key; by that of the head alone, its name, unless
    a whole table is given.
    """
    if key != "head":
        return full_name(key)
    value = override[1] if isinstance(override, tuple) else override.partition("=")[2].strip()
    return "head.name" if isinstance(value, str) and not value.startswith("{") else key


def overridden(
    document: Mapping[str, Any], overrides: Iterable[Override], own: type
) -> dict[str, Any]:
    """A changed copy of a document.

    Args:
        own: the dataclass whose fields are the keys that stand in no table.

    Raises:
        ModelError: an override is none, or its key means several, or stands in no table.
    """
    result = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in document.items()
    }
    for override in by_full_names(overrides):
        key = key_of(override)
        if not key or key.count(".") > 1 or (isinstance(override, str) and "=" not in override):
            raise ModelError(
                f"an override is `key=value` or `table.key=value`; got {override!r}. Example: "
                "train.epochs=40"
            )
        given, key = key, new_name(key, task_of(result))
        table, _, name = key.rpartition(".")
        value = (
            override[1]
            if isinstance(override, tuple)
            else _value(override.partition("=")[2], _is_word(result, table, name, own))
        )
        value = value if key == given else new_value(key, value)
        target = result.setdefault(table, {}) if table else result
        if not isinstance(target, dict):
            raise ModelError(f"`{table}` is no table of a recipe, so `{key}` cannot be set.")
        target[name] = value
    return result


def _value(text: str, word: bool) -> Any:
    """A TOML value, or the text as it stands where it is none: a bare word, a path. If a `word` is
    wanted, nothing but a TOML string is taken for a value, so that a folder may be called 2024."""
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    if len(document) > 1 or (word and not isinstance(document["value"], str)):
        return text
    return document["value"]


def _is_word(document: Mapping[str, Any], table: str, name: str, own: type) -> bool:
    """Whether a key's value is a string."""
    if name == "name" and table in ("task", "head"):
        return True
    if table in ("task", "head") and task_of(document) not in TASKS:
        return False
    kinds = {"": own, "data": Data, "train": Train}
    kind = kinds_of(document)[table] if table in ("task", "head") else kinds.get(table)
    hint = typing.get_type_hints(kind).get(name) if kind else None
    return hint is str or (
        typing.get_origin(hint) is Literal
        and all(isinstance(one, str) for one in typing.get_args(hint))
    )
