"""Tables of labels: where they lie, and which of them are read."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cvtasks.data.formats.bases.table_cells import (
    ENDINGS,
    Cells,
    cells_of,
    head_of,
    seen_in,
    tables_in,
)
from cvtasks.data.formats.bases.table_doubts import doubt_of
from cvtasks.data.formats.listing import seen
from cvtasks.data.formats.places import is_split, split_in
from cvtasks.formats.tables import (
    ClassColumns,
    Columns,
    class_columns,
    places_in,
    plain_name,
)
from cvtasks.text import some

_OWN = "labels.csv"
_ANSWERS = {
    *("submission", "submissions", "prediction", "predictions", "pred", "preds", "predicted"),
    *("answer", "answers", "result", "results", "score", "scores", "prob", "probs", "oof"),
    *("probabilities", "output", "outputs", "logits", "soft"),
}
"""Words in the names of tables of answers, which tell no split."""

Finds = Callable[[Path, Sequence[Path]], bool]
"""(a table, it and others of the same heading) → whether it is one of those that are sought."""


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
    """Those that are sought. Tables with one heading are judged together: those of splits, and all
    others; where one of a split is in doubt, so are its likes. Any other that is in doubt, such as
    predictions, is left out.
    """
    doubts = {path: bool(doubt_of(path)) for path in paths}
    kept = [path for path in paths if not doubts[path] or _of_split(path)]
    groups = {path: (head_of(path), _of_split(path)) for path in kept}
    alike = {path: [one for one in kept if groups[one] == groups[path]] for path in kept}
    return [
        path
        for path in kept
        if not any(doubts[one] for one in alike[path]) and sought(path, alike[path])
    ]


def _of_split(path: Path) -> bool:
    """Whether a table is called like a split, and not like answers."""
    answers = _ANSWERS.intersection(re.split(r"[\W\d_]+", path.stem.casefold()))
    return not answers and bool(is_split(path.stem) or split_in(path.stem))


def classes_by_column(path: Path, alike: Sequence[Path]) -> ClassColumns | None:
    """The columns of a table with one for each class, by what it and its like hold; None where it
    is no such table.
    """
    head = head_of(path)
    if class_columns(head, [Counter(yes=1, no=1)] * len(head)) is None:  # whatever it holds
        return None
    return None if any(map(doubt_of, alike)) else class_columns(head, seen_in(alike))


def doubts_at(root: Path) -> str:
    """Why a table at the root, or in a folder of a split, is none of labels; empty where none is in
    doubt.

    Raises:
        DataError: a table of images cannot be read.
    """
    folders = [root, *_splits(root)] if root.is_dir() else []
    tables = [path for one in folders for path in tables_in(one)]
    for path in tables or [root]:
        head = head_of(path)
        if places_in([plain_name(cell) for cell in head]):
            for _ in cells_of(path) if not seen_in([path]) else ():
                pass  # what is wrong with it is raised
        if doubt := doubt_of(path):
            return doubt
    return ""


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
