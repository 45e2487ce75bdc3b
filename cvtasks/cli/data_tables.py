"""What is found in data and what their parts hold, in lines of 80 columns."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cvtasks.text import table, visible, width

if TYPE_CHECKING:
    from cvtasks.data.checking.finding import Cause

COLUMNS = 80
_NAME = 24  # columns of a name, at most
_LEAST = 12  # columns that a name needs, where columns are to stand beside each other
_LINES = 4  # of a reason


def cause_lines(cause: "Cause") -> list[str]:
    """A cause of findings: what it is, how often and where, three examples, and what to do."""
    head = f"{cause.level}: {cause.rule} ({cause.count}){f' {cause.where}' if cause.where else ''}"
    if cause.in_files:
        names = ", ".join(short(PurePath(name).name) for name in cause.examples)
        lines = _wrapped(f"{head}: {names}", _LINES + 1, "")
        lines += _wrapped(f"the first: {cause.first}", _LINES, "  ") if cause.first else []
    else:
        lines = _wrapped(head, _LINES, "")
        for reason in cause.examples:
            lines += _wrapped(reason, _LINES, "  ")
    return [*lines, *(_wrapped(f"→ {cause.remedy}", _LINES, "  ") if cause.remedy else [])]


def parts_table(
    sizes: Mapping[str, int], rows: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[str]:
    """Images of each class in each part, and behind them its objects there; all images at the end.

    Args:
        sizes: part → its images. rows: part → its statistics.
    """
    kinds = [kind for kind in ("images", "objects") if kind in next(iter(rows.values()))[0]]
    columns = [(part, kind) for part in rows for kind in kinds]
    head = ["class", *(part if kind == "images" else kind for part, kind in columns)]
    classes = next(iter(rows.values()))
    body = [
        [row["class"], *(str(rows[part][place][kind]) for part, kind in columns)]
        for place, row in enumerate(classes)
    ]
    ends = {part: str(sizes[part]) for part in rows}
    last = ["all", *(ends[part] if kind == "images" else "" for part, kind in columns)]
    return narrow([head, *body, last])


def narrow(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of texts → lines of columns, as `table`, in blocks below each other where they would be
    too wide; long names in the first column are cut.
    """
    widths = [max(map(width, map(visible, column))) for column in zip(*rows, strict=True)]
    room = COLUMNS - sum(2 + taken for taken in widths[1:])  # for the names, if all is to be beside
    first = [short(row[0], room if room >= _LEAST else _NAME) for row in rows]
    start, blocks = 1, []
    while start < len(widths):
        end, taken = start, max(map(width, first))
        while end < len(widths) and (end == start or taken + 2 + widths[end] <= COLUMNS):
            taken += 2 + widths[end]
            end += 1
        blocks.append([[name, *row[start:end]] for name, row in zip(first, rows, strict=True)])
        start = end
    lines = [
        line for place, block in enumerate(blocks) for line in ([""] * (place > 0) + table(block))
    ]
    return [line.rstrip() for line in lines]


def short(name: str, most: int = _NAME) -> str:
    """A name as it is seen, without its middle where it has more columns than `most`."""
    shown = visible(name)
    if width(shown) <= most:
        return shown
    half = most // 2
    while width(shown[:half] + shown[-half:]) >= most:
        half -= 1
    return f"{shown[:half]}…{shown[-half:]}"


def _wrapped(text: str, lines: int, indent: str) -> list[str]:
    """Lines of 80 columns, so many at most."""
    shown = visible(text)
    columns = COLUMNS if width(shown) == len(shown) else COLUMNS // 2
    return wrap(
        shown,
        columns,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        max_lines=lines,
        placeholder=" …",
        break_on_hyphens=False,
    )
