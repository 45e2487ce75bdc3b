"""A value that is chosen for a recipe, and a recipe with other values."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from cvtasks.recipe.recipe import Recipe
from cvtasks.recipe.reference import toml


@dataclass(frozen=True)
class Choice:
    """A value for a dotted key, and why; the reason is empty where nothing is to be said."""

    key: str
    value: Any
    reason: str

    @property
    def line(self) -> str:
        """What is said of it."""
        return f"{self.key} = {toml(self.value)}: {self.reason}"


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with other values, by dotted keys of its own fields and of its tables."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        tables.setdefault(table, {})[name] = value
    own = tables.pop("", {})
    changed = {
        table: replace(getattr(recipe, table), **keys)
        for table, keys in tables.items()
        if table in {field.name for field in fields(recipe)}
    }
    return replace(recipe, **own, **changed)
