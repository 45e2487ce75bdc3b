"""Tables that look like labels and are none: of probabilities, points, or values that were
measured.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from cvtasks.data.formats.bases.table_cells import cells_of, head_of, seen_in, sign_at
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.formats.cell_kinds import FEW, Seen, number_in
from cvtasks.formats.number_tables import are_points, number_columns, soft_columns, text_columns
from cvtasks.formats.tables import class_columns, columns_of
from cvtasks.text import some

_ROUNDING = 0.02  # how far from 1 the sum of probabilities may be
_NEARLY_ALL = 0.95  # of the lines, whose sums are 1


def doubt_of(path: Path) -> str:
    """Why a table is none of labels, by its own cells, and the way out; empty where it may be one,
    or where it does not look like one.
    """
    head = head_of(path)
    if not number_columns(head, [Counter(share=1)] * len(head)):  # whatever it holds
        return ""
    seen = seen_in([path])
    numbers = number_columns(head, seen)
    soft, mostly = soft_columns(numbers, seen)
    if not numbers or not _in_doubt(path, seen, soft, mostly):
        return ""
    kinds = sum((seen[at] for at in numbers), Counter[str]())
    soft_only = not any(kinds[kind] for kind in ("minus", "whole", "broken"))
    return _sentence(path.name, [*numbers.values()], soft_only, text_columns(head, seen))


def _in_doubt(path: Path, seen: Seen, soft: dict[int, str], mostly: bool) -> bool:
    """Whether a table of numbers with fractions is none of labels."""
    head = head_of(path)
    classes = class_columns(head, seen)
    if classes is None:
        return columns_of(head, seen) is None
    own = [seen[at] for at in classes.classes]
    if mostly and any(kinds["share"] > FEW * kinds.total() for kinds in own):
        return True
    return bool(soft) and _are_shares(path, tuple(soft))


def _are_shares(path: Path, columns: tuple[int, ...]) -> bool:
    """Whether these columns are probabilities of one class each: of nearly all lines they sum up to
    one, as near as rounding comes, and more than a few have other numbers than 0 and 1.
    """
    count, soft, whole = _sums(path, columns)
    return soft > FEW * count and whole >= _NEARLY_ALL * count


@kept_while_unchanged(1 << 8)
def _sums(path: Path, columns: tuple[int, ...]) -> tuple[int, int, int]:
    """How many lines a table has, how many of them have a number between 0 and 1 in these columns,
    and in how many these sum up to one.
    """
    sign, count, soft, whole = sign_at(path), 0, 0, 0
    for row in islice(cells_of(path), 1, None):
        values = [number_in(row.cells[at], sign) for at in columns]
        count += 1
        soft += any(0 < value < 1 for value in values)
        whole += abs(sum(values) - 1) <= _ROUNDING
    return count, soft, whole


def _sentence(table: str, columns: Sequence[str], soft: bool, texts: Sequence[str]) -> str:
    """What is said of such a table.

    Args:
        soft: whether all of these columns hold numbers from 0 to 1.
    """
    names = some(columns, 5)
    if texts:
        own = " or ".join(f"`{name}`" for name in texts[:3])
        return (
            f"{table!r} has numbers with fractions in {names}, which are no classes; where {own} "
            "holds them, call it `label`."
        )
    if are_points(columns):
        return (
            f"{table!r} has numbers with fractions in {names}: points or turns, which are no "
            "classes. Write a column `label` with the class of each image."
        )
    other = ""
    if len(columns) == 1:
        other = (
            "; where it holds classes, call it `label`; values that were measured, such as ages, "
            "are none"
        )
    if soft:
        return (
            f"{table!r} has numbers between 0 and 1 in {names}: soft labels or predictions, which "
            "are not read. Write 0 or 1 there, as a threshold says, or a column `label` with the "
            f"class of the largest number of each line in their place{other}."
        )
    return (
        f"{table!r} has numbers with fractions in {names}: values that were measured or "
        "predicted, which are no classes. Write a column `label` with the class of each image, "
        "such as a range of them"
        f"{'; where it holds classes, call it `label`' if len(columns) == 1 else ''}."
    )
