"""Tables of labels: where they lie, what their columns hold, and their lines."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in, seen
from cvtasks.data.formats.places import is_split, split_in
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.reading import MEGABYTE, is_number, read_text
from cvtasks.formats.tables import (
    ClassColumns,
    Columns,
    Seen,
    cell_kind,
    class_columns,
    plain_name,
    sign_of,
    soft_columns,
)
from cvtasks.text import some

ENDINGS = (".csv", ".tsv")
"""What files of tables end with."""
MOST = 500 * MEGABYTE
"""Bytes that a table or a list may have."""
_OWN = "labels.csv"
_AT_ONCE = 10_000  # lines whose cells are counted together
_LOOKED_AT, _ROUNDING = 100, 0.02  # lines, and how far from 1 the sum of probabilities may be

Finds = Callable[[Path, Sequence[Path]], bool]
"""(a table, it and others of the same heading) → whether it is one of those that are sought."""


class Cells(NamedTuple):
    """A line of a table: its number, and its cells without blanks around them."""

    line: int
    cells: list[str]


def tables_in(folder: Path) -> list[Path]:
    """The tables in a folder, sorted."""
    found = [path for ending in ENDINGS for path in files_in(folder, ending) if path.is_file()]
    return sorted(found)


def tables_at(root: Path, sought: Finds) -> dict[str, Path]:
    """Split → its table, one without a name where there is a single one that is not called so: of
    the tables at the root, which may be one, or else of those in folders that are called like
    splits. Where some are called like splits, no other counts, such as a list of answers to be
    filled in.
    """
    if root.is_file():
        return {"": root} if root.suffix.lower() in ENDINGS and sought(root, [root]) else {}
    found = _sought(tables_in(root), sought)
    whole = sorted(found, key=lambda path: is_split(path.stem))  # these come before others
    called = {path: path.stem if is_split(path.stem) else split_in(path.stem) for path in whole}
    named = {split: path for path, split in called.items() if split}
    if found:
        return dict(sorted(named.items())) or (
            {"": found[0]} if len(found) == 1 else {path.stem: path for path in found}
        )
    folders = _splits(root) if root.is_dir() else []
    within = _sought([path for folder in folders for path in tables_in(folder)], sought)
    counts = Counter(path.name for path in within)
    usual = sorted(within, key=lambda path: (counts[path.name], path.name == _OWN))
    chosen = {path.parent.name: path for path in usual}  # the last of a folder
    return dict(sorted(chosen.items()))


def _splits(root: Path) -> list[Path]:
    return [
        child
        for child in sorted(root.iterdir())
        if is_split(child.name) and seen(child) and child.is_dir()
    ]


def _sought(paths: Sequence[Path], sought: Finds) -> list[Path]:
    heads = {path: head_of(path) for path in paths}
    alike = {path: [one for one in paths if heads[one] == heads[path]] for path in paths}
    return [path for path in paths if sought(path, alike[path])]


def head_of(path: Path) -> list[str]:
    """The cells of a table's first line; none where it cannot be read."""
    lines = first_lines(path, 1)
    try:
        return next(csv.reader(lines, delimiter=sign_of("".join(lines))), [])
    except csv.Error:  # told by whoever reads it
        return []


def cells_of(path: Path) -> Iterator[Cells]:
    """The lines of a table that are not empty, the heading too.

    Raises:
        DataError: it cannot be read, or a line has more or fewer cells than the first.
    """
    lines = read_text(path, MOST).splitlines(keepends=True)
    table = csv.reader(lines, delimiter=sign_of("".join(lines[:1])), strict=True)
    count = None
    try:
        for cells in filter(None, table):
            count = len(cells) if count is None else count
            if len(cells) != count:
                raise DataError(
                    f"a line of {str(path)!r} must have {count} columns; line {table.line_num} has "
                    f"{len(cells)}."
                )
            yield Cells(table.line_num, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise DataError(
            f"a table of labels must be a CSV file; line {table.line_num} of {str(path)!r} is not "
            f"one's: {error}. Correct it."
        ) from error


def seen_in(paths: Sequence[Path]) -> Seen:
    """For each column of tables with one heading, how many cells below it are of each kind; nothing
    where one cannot be read, which whoever reads it tells.
    """
    try:
        found = [_kinds(path) for path in paths]
    except (CVTasksError, OSError, ValueError):
        return ()
    return [sum(columns, Counter[str]()) for columns in zip(*found, strict=False)]


def classes_by_column(path: Path, alike: Sequence[Path]) -> ClassColumns | None:
    """The columns of a table with one for each class, by what it and its like hold; None where it
    is no such table.
    """
    head = head_of(path)
    if class_columns(head, [Counter(yes=1, no=1)] * len(head)) is None:  # whatever it holds
        return None
    seen = seen_in(alike)
    found, (soft, _) = class_columns(head, seen), soft_columns(head, seen)
    return None if found and soft and _are_shares(path, soft) else found


def _are_shares(path: Path, columns: Collection[int]) -> bool:
    """Whether these columns are probabilities of one class each: of the first lines all sum up to
    one, as near as rounding comes.
    """
    rows = [row.cells for row in islice(cells_of(path), 1, _LOOKED_AT)]
    sums = (sum(float(row[at]) for at in columns if is_number(row[at])) for row in rows)
    return all(abs(total - 1) <= _ROUNDING for total in sums)


def probabilities_at(root: Path) -> tuple[Path, tuple[str, ...]] | None:
    """A table of probabilities at the root, or in a folder of a split, and their columns; None
    where there is none.
    """
    folders = [root, *_splits(root)] if root.is_dir() else []
    for path in [path for one in folders for path in tables_in(one)] or [root]:
        columns, mostly = soft_columns(head_of(path), seen_in([path]))
        if columns and (mostly or _are_shares(path, columns)):
            return path, tuple(columns.values())
    return None


@kept_while_unchanged(1 << 8)
def _kinds(path: Path) -> tuple[Counter[str], ...]:
    lines = (row.cells for row in cells_of(path))
    kinds = tuple(Counter[str]() for _ in next(lines, []))
    while rows := list(islice(lines, _AT_ONCE)):
        for column, cells in zip(kinds, zip(*rows, strict=True), strict=True):
            for cell, count in Counter(cells).items():
                column[cell_kind(cell)] += count
    return kinds


def column_of_splits(
    columns: Columns | ClassColumns, head: Sequence[str], rows: Sequence[Cells]
) -> tuple[int | None, tuple[str, ...]]:
    """The column that says which split an image belongs to, None without one, and a sentence about
    the columns that say nothing. `split` says it, and another if all that it holds are usual names
    of splits.
    """
    at, passed = columns.split, columns.others
    if at is not None and plain_name(head[at]) != "split":
        place = at
        if not all(map(is_split, {row.cells[place] for row in rows})):
            at, passed = None, (*passed, head[place])
    return at, (f"columns passed over: {some(passed, 5)}",) if passed else ()


def passed_over(root: Path, read: Sequence[Path]) -> Iterator[str]:
    """A sentence about further tables in the folder and beside those that are read, where there
    are some.
    """
    folders = sorted({root, *(path.parent for path in read)})
    found = [path for folder in folders for path in tables_in(folder) if path not in read]
    others = [path.relative_to(root).as_posix() for path in found]
    if others:
        yield f"tables passed over: {some(others, 5)}"
