"""What is said about data beside them, where they leave it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from cvtasks.recipe.data_table import VOID, Data, Value


@dataclass(frozen=True)
class Hints:
    """What a recipe says about data that do not say it themselves; each format heeds what it names
    in `Format.heeds`.

    Attributes:
        values, void, classes_from: the keys of the recipe's table `[data]`.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    void: Value = VOID
    classes_from: str = ""

    @classmethod
    def of(cls, data: Data) -> Self:
        """Those of a recipe's table."""
        return cls(values=data.values, void=data.void, classes_from=data.classes_from)

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that say something."""
        usual = type(self)()
        return tuple(key for key in vars(self) if getattr(self, key) != getattr(usual, key))


NONE = Hints()
"""Nothing is said."""
