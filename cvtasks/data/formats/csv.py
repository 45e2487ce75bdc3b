"""A table of images and their labels."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import FileLabels, distinct
from cvtasks.data.formats.bases.names import numbered_classes
from cvtasks.data.formats.kinds import first_lines
from cvtasks.data.formats.listing import NamedFiles, files_in
from cvtasks.data.formats.places import is_split, split_in
from cvtasks.data.source import check_split, no_image, present
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.reading import MEGABYTE, read_text
from cvtasks.formats.tables import Columns, columns_of, sign_of
from cvtasks.text import encodable, some

_MOST = 500 * MEGABYTE

Row = tuple[int, str, tuple[str, ...], str]
"""The line's number, the image, its labels, its split."""


class CSVLabels(FileLabels):
    """The lines of a CSV file with a column that names images and one of labels, in their order.

    The root is the file; or the folder of a `labels.csv`, of one other such table, or of one for
    each split, `train.csv`, `val.csv` …. `image,label` and `image,label,split` are the columns that
    `cvtasks` writes; what others call them is known too, and two columns need no heading. An image
    is named from the CSV's folder and lies below it; its ending may be left out. Several labels
    have `|` between them; no label means that the image shows none of the classes. Other columns
    are passed over. The classes are those of a `classes.txt` beside the file, one name a line, or
    else all labels of all splits, sorted; numbers are named by a `classes.txt`, from 0 on, or by a
    JSON beside the file that has a name for each.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        tables = {name: _read(path) for name, path in _tables(root).items()}
        if not tables:
            raise DataError(
                f"CSV labels need a file 'labels.csv'; {str(root)!r} has none. Write it."
            )
        inner = _inner(tables)
        self.split = split = check_split(split, inner or tables, root)
        table = next(iter(tables.values())) if inner else tables[split]
        path = table.path
        every = {label for one in tables.values() for row in one.rows for label in row[2]}
        self.classes, places, self.taken_for = numbered_classes(path.parent, every)
        if not self.classes:
            raise DataError(
                f"a data set needs at least one class; {str(path)!r} has no label at all. Label "
                "its images."
            )
        named = NamedFiles(path.parent, path.parent, [row[1] for row in table.rows])
        images: list[Path] = []
        shown: list[tuple[int, ...]] = []
        for line, image, labels, part in table.rows:
            strange = [label for label in labels if label not in places]
            if strange:
                text = (
                    f'every label must be a class of the list beside the table; "{strange[0]}", '
                    f"line {line} of {str(path)!r}, is not. "
                    f"{did_you_mean(strange[0], self.classes)}"
                )
                complain(DataError(text, "class unknown"))
            if inner and part != split:
                continue
            file = named.find(image)
            if file is None:
                text = (
                    f"an image must be named by its path below the table's folder; line {line} of "
                    f"{str(path)!r} has {image[:300]!r}, and not just one file there ends like it. "
                    "Move the image there, or correct the path."
                )
                complain(DataError(text, "image missing"))
                continue
            images.append(file)
            shown.append(tuple(sorted(places[label] for label in labels if label in places)))
        self.notes = (*named.notes, *table.notes, *_passed_over(root, tables.values()))
        kept = present(f"{str(path)!r}", {"image": images}, complain)
        self.files, self.shown = [images[index] for index in kept], [shown[index] for index in kept]
        self.names = distinct(self.files, path.parent)


@dataclass(frozen=True)
class _Table:
    """A table's lines, and what reading them settled."""

    path: Path
    rows: list[Row]
    notes: tuple[str, ...]


def _tables(root: Path) -> dict[str, Path]:
    """Split → its table; one without a name where there is a single one that is not called so.
    Where some are, no other counts, such as a list of answers to be filled in.
    """
    if root.is_file():
        return {"": root} if root.suffix.lower() == ".csv" else {}
    own = root / "labels.csv"
    if own.is_file():
        return {"": own}
    found = [path for path in files_in(root, ".csv") if path.is_file() and _is_table(path)]
    called = {path: path.stem if is_split(path.stem) else split_in(path.stem) for path in found}
    named = {split: path for path, split in called.items() if split}
    return named or ({"": found[0]} if len(found) == 1 else {path.stem: path for path in found})


def _is_table(path: Path) -> bool:
    """Whether the first lines of a CSV are those of labels."""
    lines = first_lines(path, 2)
    try:
        rows = [*csv.reader(lines, delimiter=sign_of("".join(lines[:1])))]
    except csv.Error:  # told by whoever reads it
        return False
    return bool(rows) and columns_of(rows[0], (*rows[1:2], ())[0]) is not None


def _inner(tables: dict[str, _Table]) -> tuple[str, ...]:
    """The splits that the one table there is names itself; none if it does not."""
    parts = {row[3] for one in tables.values() for row in one.rows} if len(tables) == 1 else set()
    return tuple(sorted(parts)) if any(parts) else ()


def _read(path: Path) -> _Table:
    """A table.

    Raises:
        DataError: it is no table with these columns, a line has more or fewer, a name leads out of
            the folder, or a label is empty or comes twice.
    """
    lines = read_text(path, _MOST).splitlines(keepends=True)
    table = csv.reader(lines, delimiter=sign_of("".join(lines[:1])), strict=True)
    rows: list[Row] = []
    try:
        head = next(table, [])
        columns = columns_of(head)
        if columns is None:
            raise DataError(
                "a table of labels must have a column that names images and one of labels, such as "
                f"image,label or image,label,split; {str(path)!r} has "
                f"{','.join(head)[:80] or 'none'!r}. Name its columns so."
            )
        if not columns.heading:
            rows.append(_row(head, 1, columns, path))
        for cells in filter(None, table):
            rows.append(_row(cells, table.line_num, columns, path))
    except csv.Error as error:
        raise DataError(
            f"a table of labels must be a CSV file; line {table.line_num} of {str(path)!r} is not "
            f"one's: {error}. Correct it."
        ) from error
    if not rows:
        raise no_image(repr(str(path)))
    notes = [f"columns passed over: {some(columns.others, 5)}"] if columns.others else []
    if columns.several and any(len(labels) > 1 for _, _, labels, _ in rows):
        notes.append(f"between several labels of an image stands one of {columns.several + '|'!r}")
    return _Table(path, rows, tuple(notes))


def _passed_over(root: Path, tables: Iterable[_Table]) -> Iterator[str]:
    """A sentence about further tables in the folder, where there are some."""
    known = {one.path for one in tables}
    others = [path.name for path in files_in(root, ".csv") if path not in known]
    if others:
        yield f"tables passed over: {some(others, 5)}"


def _row(cells: list[str], line: int, columns: Columns, path: Path) -> Row:
    """A line of a table."""
    if len(cells) != columns.count:
        raise DataError(
            f"a line of {str(path)!r} must have {columns.count} columns; line {line} has "
            f"{len(cells)}."
        )
    text = cells[columns.label].strip()
    for sign in columns.several if "|" not in text else "":
        text = text.replace(sign, "|")
    several = text != cells[columns.label].strip()
    labels = tuple(label.strip() for label in text.split("|")) if text else ()
    labels = tuple(filter(None, labels)) if several else labels
    if "" in labels or len(set(labels)) < len(labels):
        raise DataError(
            f"labels must be names, each once; line {line} of {str(path)!r} has {text!r}."
        )
    part = "" if columns.split is None else cells[columns.split].strip()
    return line, cells[columns.image].strip(), tuple(map(encodable, labels)), part


def _splits(root: Path) -> tuple[str, ...]:
    """What stands in the column `split`, or the names of the tables."""
    tables = {name: _read(path) for name, path in _tables(root).items()}
    return _inner(tables) or tuple(tables)


CSV = Format(
    "CSV labels",
    "labels.csv, or train.csv …, with the header image,label[,split] or the like; several labels "
    "are written a|b",
    Labels,
    is_at=lambda root: bool(_tables(root)),
    splits_at=_splits,
    opens=CSVLabels,
    file="CSV",
)
