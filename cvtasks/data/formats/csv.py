"""A table of images and their labels."""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Doubt, Format
from cvtasks.data.formats.bases.label_lines import Line, Lines, LinesOfLabels, parted, with_labels
from cvtasks.data.formats.bases.label_tables import (
    classes_by_column,
    column_of_splits,
    passed_over,
    tables_at,
)
from cvtasks.data.formats.bases.names import names_beside, numbered_classes
from cvtasks.data.formats.bases.table_cells import cells_of, head_of, seen_in
from cvtasks.data.formats.bases.table_doubts import doubt_of
from cvtasks.data.formats.class_folders import folders_tell
from cvtasks.data.source import check_split, no_image
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.tables import Columns, columns_of
from cvtasks.text import composed, encodable, without_guard


class CSVLabels(LinesOfLabels):
    """The lines of a CSV file with a column that names images and one of labels, in their order.

    The root is the file; or the folder of a `labels.csv`, of one other such table, or of one for
    each split, `train.csv`, `val.csv` …; or that of folders called like splits with a table in
    each. `image,label` and `image,label,split` are the columns that `cvtasks` writes; what others
    call them is known too, and two columns need no heading. An image is named from the CSV's folder
    and lies below it; its ending may be left out. Several labels have `|` between them, or what
    `labels_in` knows; no label means that the image shows none of the classes. Other columns are
    passed over, and so is the apostrophe that keeps spreadsheets from running a text. The classes
    are those of a `classes.txt` beside the file, one name a line, or else all labels of all splits,
    sorted; numbers are named by a `classes.txt`, from 0 on, or by a JSON beside the file that has a
    name for each.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        tables = _read(root)
        if not tables:
            raise DataError(
                f"CSV labels need a file 'labels.csv'; {str(root)!r} has none. Write it."
            )
        self.split = split = check_split(split, parted(tables).lines, root)
        home = root if root.is_dir() else root.parent
        signs = {_signs(table.path) for table in tables}
        sign = signs.pop() if len(signs) == 1 else ""
        tables, every = with_labels(tables, names_beside(home), sign)
        self.classes, places, self.taken_for = numbered_classes(home, every)
        if not self.classes:
            raise DataError(
                f"a data set needs at least one class; {str(tables[0].path)!r} has no label at "
                "all. Label its images."
            )
        self.take(parted(tables), split, places.get, self._unknown, complain)
        self.notes += tuple(passed_over(home, [table.path for table in tables]))

    def _unknown(self, label: str, line: Line, path: Path) -> str:
        return (
            f'every label must be a class of the list beside the table; "{label}", line '
            f"{line.number} of {str(path)!r}, is not. {did_you_mean(label, self.classes)}"
        )


def _tables(root: Path) -> dict[str, Path]:
    """Split → its table; that of a `labels.csv` comes before all others."""
    own = root / "labels.csv"
    if own.is_file() and classes_by_column(own, [own]) is None:
        return {"": own}
    return tables_at(root, lambda path, alike: _columns(path, alike) is not None)


def _columns(path: Path, alike: Sequence[Path]) -> Columns | None:
    """The columns of a table of labels; what they hold is looked at only where their names do not
    tell.
    """
    columns = columns_of(head_of(path))
    if columns is None or columns.known:
        return columns
    return columns_of(head_of(path), seen_in(alike))


def _doubt(root: Path) -> Doubt:
    """Whether no column is called like a label's, while folders tell classes."""
    found = [columns_of(head_of(path)) for path in _tables(root).values()]
    if any(columns and columns.known for columns in found) or not folders_tell(root):
        return Doubt.NONE
    return Doubt.OTHERS_TELL_MORE


def _read(root: Path) -> list[Lines]:
    """The tables, each line with the text of its labels as one."""
    tables = _tables(root)
    alike = list(tables.values())
    names: set[str] = set()
    with suppress(DataError):  # which is told where the classes are read
        names.update(names_beside(root if root.is_dir() else root.parent))
    return [_lines(path, split, alike, names) for split, path in tables.items()]


def _lines(path: Path, split: str, alike: Sequence[Path], names: Collection[str]) -> Lines:
    """A table's lines, each with the whole text of its labels as a label; `names` of classes that
    are listed.

    Raises:
        DataError: it is no table with these columns, or a line has more or fewer.
    """
    rows = list(cells_of(path))
    head = rows[0].cells if rows else []
    columns = _columns(path, [one for one in alike if head_of(one) == head_of(path)])
    if columns is None and (doubt := doubt_of(path)):
        raise DataError(f"the labels of {str(path)!r} are not known. {doubt}", "soft labels")
    if columns is None:
        raise DataError(
            "a table of labels must have a column that names images and one of labels, such as "
            f"image,label or image,label,split; {str(path)!r} has "
            f"{','.join(head)[:80] or 'none'!r}. Name its columns so."
        )
    rows = rows[1:] if columns.heading else rows
    if not rows:
        raise no_image(repr(str(path)))
    at, notes = column_of_splits(columns, head, rows)
    if columns.heading and not columns.known and notes:
        notes = (f"labels were taken from the column {head[columns.label]!r}", *notes)
    lines = [
        Line(
            row.line,
            _image(row.whole[columns.image], path.parent),
            (_label(row.cells[columns.label], names),),
            "" if at is None else encodable(row.cells[at]),
        )
        for row in rows
    ]
    return Lines(path, split, lines, notes)


def _image(text: str, home: Path) -> str:
    """The name of an image, without the guard of `cell` where no file is called so with it."""
    name = without_guard(text)
    return text if name == text or os.path.isfile(home / text) else name  # noqa: PTH113 - any text


def _label(text: str, names: Collection[str]) -> str:
    """The text of labels, without the guard of `cell` unless a class is called so with it alone."""
    bare = without_guard(text)
    first, own = (composed(one).partition("|")[0] for one in (text, bare))
    return text if first in names and own not in names else bare


def _signs(path: Path) -> str:
    columns = columns_of(head_of(path))
    return columns.several if columns else ""


def _splits(root: Path) -> tuple[str, ...]:
    """What stands in the column `split`, or the names of the tables."""
    return tuple(parted(_read(root)).lines)


CSV = Format(
    "CSV labels",
    "labels.csv, or train.csv …, with the header image,label[,split] or the like; several labels "
    "are written a|b",
    Labels,
    is_at=lambda root: bool(_tables(root)),
    splits_at=_splits,
    opens=CSVLabels,
    file="CSV",
    doubt=_doubt,
)
