"""The splits of a data set, each opened and checked once."""

from functools import cached_property
from typing import final

from cvtasks.answers import Answer
from cvtasks.data import open_source, splits_of
from cvtasks.data.hints import Hints
from cvtasks.data.source import Source
from cvtasks.data.views import without_faults
from cvtasks.errors import CVTasksError
from cvtasks.recipe.recipe import Recipe


@final
class Opened:
    """A split as it was opened.

    Attributes:
        source: as the data have it.
    """

    def __init__(
        self,
        path: str,
        split: str,
        kind: type[Answer],
        format: str = "",
        lists: str = "",
        hints: Hints | None = None,
    ) -> None:
        self._faults: list[CVTasksError] = []
        self.source = open_source(
            path, split, kind, self._faults.append, format=format, lists=lists, hints=hints
        )

    @property
    def faults(self) -> list[CVTasksError]:
        """All that is wrong with it."""
        return self._checked[1]

    @property
    def usable(self) -> Source:
        """What can be used of it. DataError where that is nothing."""
        return self._checked[0]

    @cached_property
    def _checked(self) -> tuple[Source, list[CVTasksError]]:
        faults = list(self._faults)
        return without_faults(self.source, faults), faults


@final
class Splits:
    """The splits of a data set, each opened and checked once, when it is first asked for."""

    def __init__(
        self,
        path: str,
        kind: type[Answer],
        format: str = "",
        lists: str = "",
        hints: Hints | None = None,
    ) -> None:
        self._path, self._kind, self._format, self._lists = path, kind, format, lists
        self._hints = hints
        self._opened: dict[str, Opened] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What they are called; one empty name where all of the data is one split."""
        return splits_of(
            self._path, self._kind, format=self._format, lists=self._lists, hints=self._hints
        )

    def opened(self, split: str) -> Opened:
        """The split of that name; errors as `open_source`'s."""
        if split not in self._opened:
            self._opened[split] = Opened(
                self._path, split, self._kind, self._format, self._lists, self._hints
            )
        return self._opened[split]


def splits_for(recipe: Recipe) -> Splits:
    """The splits of a recipe's data set."""
    data = recipe.data
    return Splits(data.path, recipe.task.answer, data.format, data.lists, Hints.of(data))
