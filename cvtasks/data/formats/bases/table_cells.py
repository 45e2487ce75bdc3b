"""The cells of tables of labels: of their first lines, of all lines, and of what kinds they are."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import files_in
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.cell_kinds import Seen, cell_kind
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.tables import table_lines

ENDINGS = (".csv", ".tsv")
"""What files of tables end with."""
MOST = 500 * MEGABYTE
"""Bytes that a table or a list may have."""
_AT_ONCE = 10_000  # lines whose cells are counted together


class Cells(NamedTuple):
    """A line of a table: its number, its cells without blanks around them, and as they are."""

    line: int
    cells: list[str]
    whole: list[str]


def tables_in(folder: Path) -> list[Path]:
    """The tables in a folder, sorted."""
    found = [path for ending in ENDINGS for path in files_in(folder, ending) if path.is_file()]
    return sorted(found)


def head_of(path: Path) -> list[str]:
    """The cells of a table's first line; none where it cannot be read."""
    lines, sign, _ = table_lines(first_lines(path, 2))
    try:
        return next(csv.reader(lines[:1], delimiter=sign), [])
    except csv.Error:  # told by whoever reads it
        return []


def sign_at(path: Path) -> str:
    """The sign between the columns of a table."""
    return table_lines(first_lines(path, 2))[1]


def cells_of(path: Path) -> Iterator[Cells]:
    """The lines of a table that are not empty, the heading too.

    Raises:
        DataError: it cannot be read, or a line has more or fewer cells than the first.
    """
    lines, sign, before = table_lines(read_text(path, MOST).splitlines(keepends=True))
    table = csv.reader(lines, delimiter=sign, strict=True)
    count = None
    try:
        for cells in filter(None, table):
            count = len(cells) if count is None else count
            if len(cells) != count:
                raise DataError(
                    f"a line of {str(path)!r} must have {count} columns; line "
                    f"{table.line_num + before} has {len(cells)}."
                )
            yield Cells(table.line_num + before, [cell.strip() for cell in cells], cells)
    except csv.Error as error:
        raise DataError(
            f"a table of labels must be a CSV file; line {table.line_num + before} of "
            f"{str(path)!r} is not one's: {error}. Correct it."
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


@kept_while_unchanged(1 << 8)
def _kinds(path: Path) -> tuple[Counter[str], ...]:
    lines, sign = (row.cells for row in cells_of(path)), sign_at(path)
    kinds = tuple(Counter[str]() for _ in next(lines, []))
    while rows := list(islice(lines, _AT_ONCE)):
        for column, cells in zip(kinds, zip(*rows, strict=True), strict=True):
            for cell, count in Counter(cells).items():
                column[cell_kind(cell, sign)] += count
    return kinds
