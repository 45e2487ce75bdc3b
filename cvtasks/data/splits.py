"""The splits of a data set, each opened and checked once."""

from collections import Counter
from collections.abc import Callable
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


def open_usable(
    path: str,
    split: str,
    kind: type[Answer],
    say: Callable[[str], None],
    *,
    format: str = "",
    lists: str = "",
    hints: Hints | None = None,
) -> Source:
    """A split that is only to be read: refused where a truth has a fault, with the way past it, or
    without what has faults where `hints` say to drop it, which is said.

    Args:
        path, split, kind, format, lists, hints: as for `open_source`.
    """
    if hints is None or hints.faulty != "drop":
        return open_source(path, split, kind, _refuse, format=format, lists=lists, hints=hints)
    opened = Opened(path, split, kind, format, lists, hints)
    usable = opened.usable
    if opened.faults:
        say(f"data: {left_out(opened)}")
    return usable


def _refuse(error: CVTasksError) -> None:
    raise past_faults(error) from error


def past_faults(error: CVTasksError) -> CVTasksError:
    """The error about something that cannot be used, with the way to leave it out."""
    told = f"{error} {ALL_FAULTS}"
    return type(error)(told, error.rule, error.count, {**error.ways, "set": "data.faulty=drop"})


ALL_FAULTS = "`cvtasks data check` lists them all; `data.faulty=drop` leaves out what has them."
"""What to do about faults."""


def left_out(opened: Opened) -> str:
    """Words for what of a split cannot be used."""
    rules = Counter[str]()
    for fault in opened.faults:
        rules[fault.rule or "cannot be read"] += fault.count
    counts = ", ".join(f"{rule}: {number}" for rule, number in rules.items())
    whole = len(opened.source) - len(opened.usable)
    said = f"left out as faulty: {counts}; whole images among it: {whole}"
    return f"{said}. The first: {opened.faults[0]}"


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
