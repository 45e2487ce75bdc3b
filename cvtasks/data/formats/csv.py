"""A table of images and their labels."""

import csv
from pathlib import Path

from cvtasks.answers import Labels
from cvtasks.data.format import Format
from cvtasks.data.formats.bases import FileLabels, class_names, distinct
from cvtasks.data.formats.listing import NamedFiles
from cvtasks.data.source import check_split, no_image, present
from cvtasks.errors import Complain, DataError, did_you_mean, strictly
from cvtasks.formats.reading import MEGABYTE, read_text

_COLUMNS = ("image", "label", "split", "score")
_MOST = 500 * MEGABYTE

Row = tuple[int, str, tuple[str, ...], str]
"""The line's number, the image, its labels, its split."""


class CSVLabels(FileLabels):
    """The lines of a CSV file with the header `image,label` or `image,label,split`, in their order.

    The root is the file, or the folder of a `labels.csv`. An image is named from the CSV's folder
    and lies below it. Several labels have `|` between them; no label means that the image shows
    none of the classes. Without the column there is one split without a name; a column `score`, as
    predicted labels have it, is passed over. The classes are those of a `classes.txt` beside the
    file, one name a line, or else all labels of all splits, sorted.
    """

    def __init__(self, root: Path, split: str, complain: Complain = strictly) -> None:
        super().__init__()
        path = _csv(root)
        if path is None:
            raise DataError(
                f"CSV labels need a file 'labels.csv'; {str(root)!r} has none. Write it."
            )
        rows = _rows(path)
        self.split = split = check_split(split, sorted({row[3] for row in rows}), path)
        names = path.parent / "classes.txt"
        self.classes = (
            class_names(names)
            if names.is_file()
            else tuple(sorted({label for _, _, labels, _ in rows for label in labels}))
        )
        if not self.classes:
            raise DataError(
                f"a data set needs at least one class; {str(path)!r} has no label at all. Label "
                "its images."
            )
        place = {name: index for index, name in enumerate(self.classes)}
        named = NamedFiles(path.parent, path.parent, [row[1] for row in rows])
        images: list[Path] = []
        shown: list[tuple[int, ...]] = []
        for line, image, labels, part in rows:
            strange = [label for label in labels if label not in place]
            if strange:
                text = (
                    f'every label must be one of {str(names)!r}; "{strange[0]}", line {line} of '
                    f"{str(path)!r}, is not. "
                    f"{did_you_mean(strange[0], place)}"
                )
                complain(DataError(text, "class unknown"))
            if part != split:
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
            shown.append(tuple(sorted(place[label] for label in labels if label in place)))
        self.notes = named.notes
        kept = present(f"{str(path)!r}", {"image": images}, complain)
        self.files, self.shown = [images[index] for index in kept], [shown[index] for index in kept]
        self.names = distinct(self.files, path.parent)


def _csv(root: Path) -> Path | None:
    path = root if root.suffix.lower() == ".csv" else root / "labels.csv"
    return path if path.is_file() else None


def _rows(path: Path) -> list[Row]:
    """The lines of the table.

    Raises:
        DataError: it is no table with these columns, a line has more or fewer, a name leads out of
            the folder, or a label is empty or comes twice.
    """
    lines = read_text(path, _MOST).splitlines(keepends=True)
    first = "".join(lines[:1])
    # spreadsheets write semicolons where the comma is the decimal sign
    comma = ";" if first.count(";") > first.count(",") else ","
    table = csv.reader(lines, delimiter=comma, strict=True)
    rows: list[Row] = []
    try:
        header = [column.strip().lower() for column in next(table, [])]
        strange = [column for column in header if column not in _COLUMNS]
        if not {"image", "label"} <= set(header) or strange or len(set(header)) < len(header):
            raise DataError(
                "a table of labels must have the header image,label or image,label,split; "
                f"{str(path)!r} has "
                f"{','.join(header)[:80] or 'none'!r}. Name its columns so."
            )
        for cells in filter(None, table):
            line = table.line_num
            if len(cells) != len(header):
                raise DataError(
                    f"a line of {str(path)!r} must have {len(header)} columns; line {line} has "
                    f"{len(cells)}."
                )
            row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
            labels = (
                tuple(label.strip() for label in row["label"].split("|")) if row["label"] else ()
            )
            if "" in labels or len(set(labels)) < len(labels):
                raise DataError(
                    f"labels must be names, each once; line {line} of {str(path)!r} has "
                    f"{row['label']!r}."
                )
            rows.append((line, row["image"], labels, row.get("split", "")))
    except csv.Error as error:
        raise DataError(
            f"a table of labels must be a CSV file; line {table.line_num} of {str(path)!r} is not "
            f"one's: {error}. Correct it."
        ) from error
    if not rows:
        raise no_image(repr(str(path)))
    return rows


def _splits(root: Path) -> tuple[str, ...]:
    """What stands in the column `split`."""
    path = _csv(root)
    return tuple(sorted({row[3] for row in _rows(path)})) if path else ()


CSV = Format(
    "CSV labels",
    "labels.csv with the header image,label[,split]; several labels are written a|b",
    Labels,
    is_at=lambda root: _csv(root) is not None,
    splits_at=_splits,
    opens=CSVLabels,
    file="CSV",
)
