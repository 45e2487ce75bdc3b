"""An inspection to read: a table for the terminal, plain values for JSON, CSV."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cvtasks.insight.inspecting.inspect import Inspection, Row, field_text, window_text
from cvtasks.text import cell

_Column = tuple[str, Callable[[Row], str]]
_LEAST = 12  # characters of a layer's name


def short(number: int) -> str:
    """A count in at most five characters.

    >>> [short(number) for number in (0, 999, 34944, 138357544, 15470264320)]
    ['0', '999', '34.9k', '138M', '15.5G']
    """
    value, unit = float(number), ""
    for unit in ("", "k", "M", "G", "T"):
        if value < 999.5 or unit == "T":
            break
        value /= 1000
    if not unit:
        return f"{number}"
    return (
        f"{value:.2f}{unit}"
        if value < 9.995
        else f"{value:.1f}{unit}"
        if value < 99.95
        else f"{value:.0f}{unit}"
    )


def table(rows: Sequence[Row], width: int) -> list[str]:
    """Rows as lines of at most `width` characters (at least 100): a head, and a line a row.

    From 150 characters on, weights and biases, connections and exact numbers have columns of their
    own.
    """
    columns = _WIDE if width >= 150 else _NARROW
    heads = ["layer", *(name for name, _ in columns)]
    last = [row.name.rpartition("/")[2] for row in rows]
    names = last if len(set(last)) == len(last) else [row.name for row in rows]
    cells = [
        [name, *(show(row) for _, show in columns)] for name, row in zip(names, rows, strict=True)
    ]
    widths = [max(len(line[i]) for line in [heads, *cells]) for i in range(len(heads))]
    widths[0] = max(
        _LEAST, min(widths[0], max(width, 100) - sum(widths[1:]) - 2 * (len(widths) - 1))
    )
    lines = [_line(line, widths) for line in [heads, *cells]]
    rule = "─" * max(map(len, lines))
    return [lines[0], rule, *lines[1:], rule]


def totals(inspection: Inspection) -> list[str]:
    """What all layers cost together."""
    size = "×".join(map(str, inspection.size))
    sums = {
        what: inspection.total(what) for what in ("parameters", "weights", "biases", "statistics")
    }
    statistics = f" + {sums['statistics']:,} statistics" if sums["statistics"] else ""
    plural = "" if len(inspection.rows) == 1 else "s"
    lines = [
        f"{inspection.name}: {len(inspection.rows)} layer{plural}, an image of {size}",
        f"parameters: {sums['parameters']:,} = {sums['weights']:,} weights + {sums['biases']:,} "
        f"biases{statistics}",
        f"multiply-adds: {inspection.total('multiply_adds'):,}; connections: "
        f"{inspection.total('connections'):,}",
        f"memory of all outputs: {inspection.total('memory') / 1e6:,.1f} MB an image",
    ]
    notes = [
        f"{row.name}: {note}"
        for row in inspection.rows
        for note in row.notes
        if "counted where" not in note
    ]
    return [
        *lines,
        *notes[:5],
        *([f"… and {len(notes) - 5} more notes"] if len(notes) > 5 else []),
    ]


def to_csv(rows: Sequence[Row]) -> str:
    """All columns of the rows; pairs are written height×width, and what a layer does not have is
    empty.
    """
    text = io.StringIO()
    records = [record(row) for row in rows]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(list(records[0]) if records else [])
    for one in records:
        writer.writerow([cell(_cell(value)) for value in one.values()])
    return text.getvalue()


def record(row: Row) -> dict[str, Any]:
    """A row as plain values, for JSON and CSV; what a layer does not have is None."""
    local, windows = row.field.local, row.windows
    return {
        "layer": row.name,
        "kind": row.kind,
        "inputs": list(row.inputs),
        "kernel": None if windows is None else [window.kernel for window in windows],
        "stride": None if windows is None else [window.stride for window in windows],
        "padding": None
        if windows is None
        else [[window.before, window.after] for window in windows],
        "dilation": None if windows is None else [window.dilation for window in windows],
        "input": [list(shape) for shape in row.before],
        "output": list(row.shape),
        "weights": row.costs.weights,
        "biases": row.costs.biases,
        "statistics": row.costs.statistics,
        "parameters": row.costs.parameters,
        "connections": row.costs.connections,
        "multiply_adds": row.costs.multiply_adds if row.costs.counted else None,
        "memory_bytes": row.costs.memory,
        "sees_whole_image": row.field.whole,
        "receptive_field": None if local is None else [axis.size for axis in local],
        "effective_stride": None if local is None else [_plain(axis.stride) for axis in local],
        "effective_padding": None if local is None else [axis.padding for axis in local],
        "offset": None if local is None else [-axis.padding for axis in local],
        "aligned": row.field.aligned,
        "notes": list(row.notes),
    }


def summary(inspection: Inspection) -> Mapping[str, Any]:
    """The totals of a network, as plain values."""
    return {
        "network": inspection.name,
        "input": list(inspection.size),
        "layers": len(inspection.rows),
        "parameters": inspection.total("parameters"),
        "weights": inspection.total("weights"),
        "biases": inspection.total("biases"),
        "statistics": inspection.total("statistics"),
        "connections": inspection.total("connections"),
        "multiply_adds": inspection.total("multiply_adds"),
        "memory_bytes": inspection.total("memory"),
    }


def _plain(number: Any) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            return " ".join(str(_cell(part)) for part in value)
        return (
            "×".join(map(str, value))
            if all(isinstance(part, int | float) for part in value)
            else "; ".join(value)
        )
    return value


def _line(cells: list[str], widths: list[int]) -> str:
    name, kind, *others = cells
    padded = [f"{_cut(name, widths[0]):<{widths[0]}}", f"{kind:<{widths[1]}}"]
    padded += [f"{cell:>{width}}" for cell, width in zip(others, widths[2:], strict=True)]
    return "  ".join(padded)


def _cut(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    head = (width - 1) // 3
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def _window(row: Row) -> str:
    kernel, stride, padding = window_text(row)
    padded = f" p{padding}" if padding not in ("", "0") else ""
    return f"{kernel}{'' if stride in ('', '1') else f'/{stride}'}{padded}".strip()


def _uses(row: Row, show: Callable[[int], str]) -> str:
    return (
        "?"
        if not row.costs.counted
        else show(row.costs.multiply_adds)
        if row.costs.multiply_adds
        else "–"
    )


def _count(number: int, show: Callable[[int], str]) -> str:
    return show(number) if number else "–"


def _exact(number: int) -> str:
    return f"{number:,}"


def _shape(row: Row) -> str:
    return "×".join(map(str, row.shape))


_NARROW: list[_Column] = [
    ("kind", lambda row: _cut(row.kind, 11)),
    ("window", _window),
    ("output", _shape),
    ("param", lambda row: "shared" if row.costs.shared else _count(row.costs.parameters, short)),
    ("m-adds", lambda row: _uses(row, short)),
    ("bytes", lambda row: short(row.costs.memory)),
    ("field", lambda row: field_text(row)[0]),
    ("step", lambda row: field_text(row)[1]),
    ("offset", lambda row: field_text(row)[2]),
]
_WIDE: list[_Column] = [
    ("kind", lambda row: _cut(row.kind, 14)),
    ("kernel", lambda row: window_text(row)[0]),
    ("stride", lambda row: window_text(row)[1]),
    ("pad", lambda row: window_text(row)[2]),
    ("output", _shape),
    ("weights", lambda row: "shared" if row.costs.shared else _count(row.costs.weights, _exact)),
    ("biases", lambda row: _count(row.costs.biases, _exact)),
    ("connections", lambda row: _count(row.costs.connections, short)),
    ("m-adds", lambda row: _uses(row, short)),
    ("bytes", lambda row: short(row.costs.memory)),
    ("field", lambda row: field_text(row)[0]),
    ("step", lambda row: field_text(row)[1]),
    ("offset", lambda row: field_text(row)[2]),
]
LEGEND = (
    "window: kernel/stride, p: zeros before/behind; m-adds: multiply-adds; field, step, offset: "
    "pixels of the image that a unit "
    "sees, from one unit to the next, and where unit 0 begins; +: and the whole image by another "
    "path"
)
"""What the columns mean, for those who have not read it."""
