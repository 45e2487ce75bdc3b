"""The reference of a recipe's keys: what each means, read off the fields of its tables."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cvtasks.errors import UsageError, nearest
from cvtasks.heads import HEADS, head_type
from cvtasks.networks.backbones import BACKBONES, USUAL_BACKBONE
from cvtasks.recipe.data_table import Data
from cvtasks.recipe.recipe import Recipe
from cvtasks.recipe.train_table import Train
from cvtasks.recipe.translation import FORMAT, RENAMED
from cvtasks.recipe.words import OTHER_WORDS, OWN_KEYS, TABLES
from cvtasks.schema import ELSEWHERE, Field, fields_of, one_of
from cvtasks.tasks import TASKS

_BEYOND = {
    "format": Field("format", "whole number", FORMAT, None, (), "of the file: which names it has."),
    "files": Field(
        "files",
        "table",
        dataclasses.MISSING,
        None,
        (),
        "name → SHA-256 of the files that lie beside the recipe; training writes it.",
    ),
    "task": Field("name", "text", dataclasses.MISSING, None, (), "what is answered."),
    "head": Field(
        "name", "text", dataclasses.MISSING, None, (), "how the answer of the task is learned."
    ),
}
"""What is no field of a dataclass."""

_BACKBONE = "the network below the head, which makes feature maps of an image."


@dataclass(frozen=True)
class Key:
    """One key of recipes.

    Attributes:
        key: dotted, with its table.
        field: what its table says of it, with the default of the task that is asked for.
        task, head: whose recipes have it; empty for all.
        defaults: task → its own default, where that is another.
    """

    key: str
    field: Field
    task: str = ""
    head: str = ""
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def default(self) -> str:
        """The default as a recipe has it; empty where there is none."""
        return "" if self.field.default is dataclasses.MISSING else toml(self.field.default)

    @property
    def facts(self) -> str:
        """Type, bounds and defaults, in a line."""
        bounds = self.field.bounds
        parts = [self.field.type]
        if bounds:
            each = "each " if self.field.type.startswith(("list", "[")) else ""
            parts.append(f"{each}{bounds}")
        if self.default or not self.defaults:
            parts.append(f"default {self.default}" if self.default else "no default")
        parts += [f"{task} {toml(value)}" for task, value in self.defaults.items()]
        return "; ".join([", ".join(parts[:2]), *parts[2:]] if bounds else parts)

    def to_dict(self) -> dict[str, Any]:
        """What JSON has of it."""
        field, bounds = self.field, self.field.bounds
        return {
            "key": self.key,
            "type": field.type,
            "default": None if field.default is dataclasses.MISSING else field.default,
            "defaults": dict(self.defaults),
            "least": bounds.least if bounds else None,
            "most": bounds.most if bounds else None,
            "choices": list(field.choices),
            "task": self.task,
            "head": self.head,
            "meaning": field.meaning,
        }


def reference(task: str = "") -> list[Key]:
    """Every key of recipes, table by table.

    Args:
        task: only those of its recipes, with what a new one begins with; all for "".
    """
    tasks = [task] if task else list(TASKS)
    own = {field.name: field for field in fields_of(Recipe)}
    own["backbone"] = replace(
        own["backbone"], choices=tuple(BACKBONES), type=one_of(BACKBONES), meaning=_BACKBONE
    )
    found = [Key(name, own.get(name) or _BEYOND[name]) for name in OWN_KEYS]
    found.append(Key("files", _BEYOND["files"]))
    named = replace(_BEYOND["task"], choices=tuple(tasks), type=one_of(tasks))
    found.append(Key("task.name", replace(named, default=task) if task else named))
    found += [
        Key(f"task.{field.name}", field, task=one)
        for one in tasks
        for field in fields_of(TASKS[one].task)
    ]
    for one in tasks:
        names = tuple(HEADS[one])
        named = replace(_BEYOND["head"], choices=names, type=one_of(names), default=names[0])
        found.append(Key("head.name", named, task=one))
        found += [
            Key(f"head.{field.name}", field, one, name)
            for name in names
            for field in fields_of(head_type(one, name))
        ]
    for table, kind in (("data", Data), ("train", Train)):
        found += [Key(f"{table}.{field.name}", field) for field in fields_of(kind)]
    return [_begun(one, task) for one in found]


def _begun(key: Key, task: str) -> Key:
    """The key with the defaults of a new recipe for its task, or of all tasks that have their
    own.
    """
    of = task or key.task
    starts = {name: _start(name) for name in ([of] if of else TASKS)}
    own = {name: start[key.key] for name, start in starts.items() if key.key in start}
    if not own:
        return key
    same = len(own) == len(starts) and len(set(map(toml, own.values()))) == 1
    if same:
        return replace(key, field=replace(key.field, default=next(iter(own.values()))))
    return replace(key, defaults=own)


def _start(task: str) -> dict[str, Any]:
    """Dotted key → value that a new recipe for the task begins with, where its table's own default
    is another.
    """
    row = TASKS[task].task
    tables = {f"{t}.{key}": value for t, its in row.start.items() for key, value in its.items()}
    return {"backbone": USUAL_BACKBONE, "size": row.start_size, **tables}


def found_keys(word: str, task: str = "") -> list[Key]:
    """The keys that a word means: a dotted key, one without its table, a table, an old name or
    another program's word; else those with the word in their name, or in what they mean.

    Raises:
        UsageError: it means none.
    """
    known = reference(task)
    if word.removesuffix(".") in TABLES:
        return [one for one in known if one.key.startswith(f"{word.removesuffix('.')}.")]
    name = RENAMED.get(word) or OTHER_WORDS.get(word.rpartition(".")[2].lower(), word)
    if any(one.key == word for one in known):
        name = word
    found = [one for one in known if one.key == name]
    found = found or [one for one in known if one.key.rpartition(".")[2] == name]
    if "." not in word:  # a key that is none is not looked up in what others mean
        found = found or [one for one in known if word.lower() in one.key.partition(".")[2]]
        said = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
        found = found or [one for one in known if said.search(one.field.meaning)]
    if found:
        return found
    whose = f" of {task}" if task else ""
    first = "" if task else f"a task ({', '.join(TASKS)}), "
    raise UsageError(
        f"what is looked up is {first}a table ({', '.join(TABLES)}) or a key of a recipe{whose}; "
        f"got {word!r}. {_instead(word, task, [one.key for one in known])}"
    )


def _instead(word: str, task: str, keys: list[str]) -> str:
    """What to look up in the place of a word that means nothing: what is spelt nearly so, or all
    there is to choose from.
    """
    table, _, name = word.rpartition(".")
    asked = " ".join(filter(None, ("cvtasks recipe", task)))
    if word in TASKS:
        return f"`cvtasks recipe {word}` lists the keys of that task."
    own = {key.rpartition(".")[2]: key for key in keys if key.rpartition(".")[0] == table}
    others = {said: key for said, key in OTHER_WORDS.items() if key in keys}
    others |= {key.rpartition(".")[2]: key for key in keys}
    others |= {one: one for one in (*TABLES, *([] if task else TASKS))}
    if table in TABLES:
        meant = own.get(nearest(name, own)) or others.get(nearest(name, others, ELSEWHERE))
    else:
        meant = others.get(nearest(name, others))
    if meant:
        return f'Did you mean "{meant}"?'
    if table in TABLES:
        return f"`{asked} {table}` lists the keys of [{table}]."
    return f"`{asked}` lists all keys."


def toml(value: Any) -> str:
    """A value as a recipe has it, in a line.

    >>> toml((8, 16)), toml("cosine"), toml({"a": 0.5})
    ('[8, 16]', '"cosine"', '{a = 0.5}')
    """
    import tomli_w

    if isinstance(value, Mapping):
        return f"{{{', '.join(map(_item, value.items()))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return tomli_w.dumps({"value": value}).partition("=")[2].strip()


def _item(item: tuple[str, Any]) -> str:
    """A key and its value, in a table that stands in a line."""
    import tomli_w

    return f"{tomli_w.dumps({item[0]: 0}).partition(' = ')[0]} = {toml(item[1])}"
