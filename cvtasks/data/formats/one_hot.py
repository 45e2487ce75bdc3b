"""A table with a column for each class: `filename,cat,dog` and 0 or 1, as Roboflow writes it."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import FileLabels, distinct
from cvtasks.data.formats.listing import NamedFiles, files_in
from cvtasks.data.formats.places import is_split
from cvtasks.data.source import check_split, no_image, present
from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.reading import MEGABYTE, flag, read_text
from cvtasks.formats.tables import IMAGE_COLUMNS, LABEL_COLUMNS
from cvtasks.text import encodable

_MOST = 500 * MEGABYTE
_HEAD = 64_000  # characters in which a heading and a line must lie


@dataclass(frozen=True)
class _Table:
    """A table: its classes, and each line's number, image, split and the classes that it shows."""

    path: Path
    classes: tuple[str, ...]
    rows: list[tuple[int, str, str, tuple[str, ...]]]


class OneHotLabels(FileLabels):
    """The lines of a CSV whose first column names images and whose others are classes, 1 where an
    image shows it.

    The table lies at the root, or is it: one of any name; `train.csv`, `val.csv` …; or
    `<split>/_classes.csv` beside the images of a split, as Roboflow exports them. A column `split`
    says which split an image belongs to. An image is named from the table's folder and lies below
    it; its ending may be left out.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        tables = {name: _read(path) for name, path in _tables(root).items()}
        inner = _inner(tables)
        self.split = split = check_split(split, inner or tables, root)
        table = next(iter(tables.values())) if inner else tables[split]
        self.classes = tuple(dict.fromkeys(name for one in tables.values() for name in one.classes))
        places = {name: number for number, name in enumerate(self.classes)}
        home = table.path.parent
        named = NamedFiles(home, home, [row[1] for row in table.rows])
        images, shown = list[Path](), list[tuple[int, ...]]()
        for number, name, part, labels in table.rows:
            if inner and part != split:
                continue
            file = named.find(name)
            if file is None:
                text = (
                    f"an image must be named by its path below the table's folder; line {number} "
                    f"of {str(table.path)!r} has {name[:300]!r}, and not just one file there ends "
                    "like it. Move the image there, or correct the path."
                )
                complain(DataError(text, "image missing"))
                continue
            images.append(file)
            shown.append(tuple(sorted(places[label] for label in labels)))
        self.notes = named.notes
        kept = present(f"{str(table.path)!r}", {"image": images}, complain)
        self.files, self.shown = [images[index] for index in kept], [shown[index] for index in kept]
        self.names = distinct(self.files, home)


def _tables(root: Path) -> dict[str, Path]:
    """Split → its table; one without a name where there is a single one that is not called so."""
    if root.is_file():
        return {"": root} if root.suffix.lower() == ".csv" and _is_one_hot(root) else {}
    if not root.is_dir():
        return {}
    found = [path for path in files_in(root, ".csv") if path.is_file() and _is_one_hot(path)]
    if len(found) == 1 and not is_split(found[0].stem):
        return {"": found[0]}
    if found:
        return {path.stem: path for path in found}
    below = (child for child in sorted(root.iterdir()) if is_split(child.name) and child.is_dir())
    tables = {
        folder.name: [path for path in files_in(folder, ".csv") if _is_one_hot(path)]
        for folder in below
    }
    return {name: paths[0] for name, paths in tables.items() if len(paths) == 1}


def _is_one_hot(path: Path) -> bool:
    """Whether the heading and the first line of a table are those of classes."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            text = file.read(_HEAD)
        rows = csv.reader(text.splitlines())
        head, first = next(rows, []), next(rows, [])
    except (OSError, csv.Error):  # told by whoever reads it
        return False
    plain = [cell.strip().casefold() for cell in head]
    if len(plain) < 2 or plain[0] not in IMAGE_COLUMNS or len(first) != len(head):
        return False
    classes = [name for name in plain[1:] if name != "split"]
    if len(classes) == 1 and classes[0] in LABEL_COLUMNS:  # numbers of classes
        return False
    cells = [cell for cell, name in zip(first, plain, strict=True) if name != "split"][1:]
    return bool(cells) and all(cell.strip() in ("0", "1", "0.0", "1.0") for cell in cells)


def _read(path: Path) -> _Table:
    """A table.

    Raises:
        DataError: it cannot be read, has no line, two columns of one name, or a cell that is
            neither 0 nor 1.
    """
    lines = _cells(path)
    _, head = next(lines, (0, []))
    split = next((at for at, cell in enumerate(head) if cell.casefold() == "split"), None)
    columns = {at: encodable(name) for at, name in enumerate(head) if at and at != split}
    if len(set(columns.values())) < len(columns) or "" in columns.values():
        raise DataError(
            f"every column of a table must have a name of its own; {str(path)!r} has "
            f"{', '.join(head)[:200]}. Rename them."
        )
    rows = []
    for number, cells in lines:
        if len(cells) != len(head):
            raise DataError(
                f"a line of {str(path)!r} must have {len(head)} columns; line {number} has "
                f"{len(cells)}."
            )
        try:
            labels = tuple(name for at, name in columns.items() if flag(cells[at]))
        except ValueError as error:
            raise DataError(
                f"a cell says by 0 or 1 whether an image shows a class; line {number} of "
                f"{str(path)!r}: {error}. Correct it."
            ) from error
        rows.append((number, cells[0], "" if split is None else cells[split], labels))
    if not rows:
        raise no_image(repr(str(path)))
    return _Table(path, tuple(columns.values()), rows)


def _cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line that is not empty."""
    table = csv.reader(read_text(path, _MOST).splitlines(keepends=True), strict=True)
    try:
        for cells in filter(None, table):
            yield table.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(
            f"a table of labels must be a CSV file; line {table.line_num} of {str(path)!r} is not "
            f"one's: {error}. Correct it."
        ) from error


def _inner(tables: dict[str, _Table]) -> tuple[str, ...]:
    """The splits that the one table there is names itself; none if it does not."""
    if len(tables) != 1:
        return ()
    (table,) = tables.values()
    parts = {part for _, _, part, _ in table.rows}
    return tuple(sorted(parts)) if parts != {""} else ()


def _splits(root: Path) -> tuple[str, ...]:
    tables = _tables(root)
    return _inner({name: _read(path) for name, path in tables.items()}) or tuple(tables)


ONE_HOT = Format(
    "CSV with a column a class",
    "a CSV with filename,CLASS,CLASS … and 0 or 1, at the root or as <split>/_classes.csv",
    Labels,
    is_at=lambda root: bool(_tables(root)),
    splits_at=_splits,
    opens=OneHotLabels,
    file="CSV",
)
