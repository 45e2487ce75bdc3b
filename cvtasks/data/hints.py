"""What is said about data beside them, where they leave it open."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from cvtasks.recipe.data_table import VOID, Data, Value
from cvtasks.schema import check_keys, read_table
from cvtasks.text import composed


@dataclass(frozen=True)
class Hints:
    """What a recipe says about data that do not say it themselves; each format heeds what it names
    in `Format.heeds`.

    Attributes:
        values, void, classes_from: the keys of the recipe's table `[data]`.
        faulty: what becomes of what cannot be used, as the recipe has it; empty where nothing is
            said, which refuses it; no format's matter.
        said: those of the first three that somebody gave, also where that is what is usual: what
            another has gives way to it.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    void: Value = VOID
    classes_from: str = ""
    faulty: Literal["", "refuse", "drop"] = ""
    said: frozenset[str] = field(default=frozenset(), compare=False)

    @classmethod
    def of(cls, data: Data) -> Self:
        """Those of a recipe's table."""
        values = {composed(name): value for name, value in data.values.items()}
        return cls(values, data.void, data.classes_from, data.faulty)

    def beside(self, other: "Hints | None") -> "Hints":
        """These, and what they leave open as another has it."""
        if other is None:
            return self
        own: dict[str, Any] = {key: getattr(self, key) for key in {*self.given, *self.said}}
        said = self.said | other.said
        return replace(other, **own, faulty=self.faulty or other.faulty, said=said)

    def table(self) -> dict[str, Any]:
        """What is said, as a table that `read` takes."""
        found = {key: getattr(self, key) for key in self.given}
        return {k: dict(one) if isinstance(one, Mapping) else one for k, one in found.items()}

    @classmethod
    def read(cls, table: Any) -> Self:
        """Those of a table of keys of `[data]`.

        Raises:
            ModelError: it is none.
        """
        check_keys("hints.", table, ABOUT_FORMATS)
        return replace(cls.of(read_table(Data, table, "data")), faulty="")

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that tell a format something."""
        usual = type(self)()
        return tuple(key for key in ABOUT_FORMATS if getattr(self, key) != getattr(usual, key))


ABOUT_FORMATS = ("values", "void", "classes_from")
"""The keys that formats may heed."""


NONE = Hints()
"""Nothing is said."""
