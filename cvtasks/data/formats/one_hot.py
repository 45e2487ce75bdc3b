"""A table with a column for each class: `filename,cat,dog` and 0 or 1, as Roboflow writes it."""

from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Doubt, Format
from cvtasks.data.formats.bases.label_lines import Line, Lines, LinesOfLabels, parted
from cvtasks.data.formats.bases.label_tables import (
    classes_by_column,
    column_of_splits,
    passed_over,
    tables_at,
)
from cvtasks.data.formats.bases.table_cells import cells_of, head_of, sign_at
from cvtasks.data.formats.class_folders import folders_tell
from cvtasks.data.source import check_split, no_image
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.cell_kinds import cell_kind
from cvtasks.formats.tables import ClassColumns, plain_name
from cvtasks.text import class_name, encodable


class OneHotLabels(LinesOfLabels):
    """The lines of a CSV with a column that names images and one for each class, 1 where an image
    shows it.

    The table lies at the root, or is it: one of any name; `train.csv`, `val.csv` …; or
    `<split>/_classes.csv` beside the images of a split, as Roboflow exports them. A column `split`
    says which split an image belongs to. An image is named from the table's folder and lies below
    it; its ending may be left out. Yes is 1 (also 1.00) or true, no is 0 or false; -1 is a no where
    there is no other, and so is nothing where there are ones alone. Columns of other values are
    passed over.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        tables, classes = _read(root)
        parts = parted(tables)
        self.split = split = check_split(split, parts.lines, root)
        self.classes = classes
        places = {name: number for number, name in enumerate(classes)}
        self.take(parts, split, places.get, lambda label, line, path: label, complain)
        home = tables[0].path.parent if root.is_file() else root
        self.notes += tuple(passed_over(home, [table.path for table in tables]))


def _tables(root: Path) -> dict[str, Path]:
    """Split → its table."""
    return tables_at(root, lambda path, alike: classes_by_column(path, alike) is not None)


def _doubt(root: Path) -> Doubt:
    """Whether folders tell classes, and the table has a column for none of them."""
    told = {plain_name(name) for name in folders_tell(root)}
    heads = [head_of(path) for path in _tables(root).values()] if told else []
    if not told or any(plain_name(cell) in told for head in heads for cell in head):
        return Doubt.NONE
    return Doubt.OTHERS_TELL_MORE


def _read(root: Path) -> tuple[list[Lines], tuple[str, ...]]:
    """The tables and their classes.

    Raises:
        DataError: a table cannot be read, has no line, or two columns of one name.
    """
    paths = _tables(root)
    heads = {path: head_of(path) for path in paths.values()}
    tables, classes = [], dict[str, None]()
    for split, path in paths.items():
        alike = [one for one, head in heads.items() if head == heads[path]]
        columns = classes_by_column(path, alike)
        if columns is None:
            raise DataError(
                "a table with a column for each class has a column of images, and others of 0 and "
                f"1; {str(path)!r} has none. Write it so."
            )
        tables.append(_lines(path, split, columns))
        classes.update(dict.fromkeys(map(class_name, columns.classes.values())))
    return tables, tuple(classes)


def _lines(path: Path, split: str, columns: ClassColumns) -> Lines:
    """A table's lines."""
    head, *rows = cells_of(path)
    names = {at: class_name(name) for at, name in columns.classes.items()}
    if not rows:
        raise no_image(repr(str(path)))
    at, notes = column_of_splits(columns, head.cells, rows)
    lines, sign = list[Line](), sign_at(path)
    for row in rows:
        labels, fault = [], ""
        for place, name in names.items():
            kind = cell_kind(row.cells[place], sign)
            if kind == "yes":
                labels += [name] if name not in labels else []
            elif kind != columns.no and not fault:
                fault = (
                    "a cell says by 0 or 1 whether an image shows a class; line "
                    f"{row.line} of {str(path)!r} has {row.cells[place][:80]!r} for "
                    f"{name[:80]!r}. Correct it, or take the column away if it is no class's."
                )
        part = "" if at is None else encodable(row.cells[at])
        lines.append(Line(row.line, row.whole[columns.image], tuple(labels), part, fault))
    return Lines(path, split, lines, notes)


def _splits(root: Path) -> tuple[str, ...]:
    return tuple(parted(_read(root)[0]).lines)


ONE_HOT = Format(
    "CSV with a column a class",
    "a CSV with filename,CLASS,CLASS … and 0 or 1, at the root or as <split>/_classes.csv",
    Labels,
    is_at=lambda root: bool(_tables(root)),
    splits_at=_splits,
    opens=OneHotLabels,
    file="CSV",
    doubt=_doubt,
)
