"""An inspection to read: a table for the terminal, the formulas of a layer, plain values for JSON,
CSV.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from cvtasks.insight.inspecting import formulas
from cvtasks.insight.inspecting.formulas import shown, times, times_sign
from cvtasks.insight.inspecting.inspect import Inspection, Row, field_text, window_text
from cvtasks.text import cell, counted

_LEAST = 12  # characters of a layer's name
_NOTES = 5  # of a network, below its totals


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
    digits = 0 if not unit else 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}{unit}"


def table(rows: Sequence[Row], width: int) -> list[str]:
    """Rows as lines of at most `width` characters (at least 80): a head, and a line a row.

    From 150 characters on, weights and biases, connections and exact numbers have columns of their
    own; below 100, bytes and offsets have none.
    """
    columns = _WIDE if width >= 150 else _NARROW if width >= 100 else _NARROWEST
    last = [row.name.rpartition("/")[2] for row in rows]
    names = last if len(set(last)) == len(last) else [row.name for row in rows]
    cells = [["layer", *columns]] + [
        [name, *(show(row) for show in columns.values())]
        for name, row in zip(names, rows, strict=True)
    ]
    return laid(cells, max(width, 80), left=2)


def laid(cells: Sequence[Sequence[str]], width: int, left: int = 1) -> list[str]:
    """Cells, a head first, as lines of at most `width` characters: names in the first column are
    cut, and the first `left` columns stand to the left.
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - sum(widths[1:]) - 2 * (len(widths) - 1)
    widths[0] = max(_LEAST, min(widths[0], room))
    lines = []
    for name, *others in cells:
        texts = [_cut(name, widths[0]), *others]
        places = enumerate(zip(texts, widths, strict=True))
        padded = [f"{text:{'<' if at < left else '>'}{wide}}" for at, (text, wide) in places]
        lines.append("  ".join(padded))
    rule = "─" * max(map(len, lines))
    return [lines[0], rule, *lines[1:], rule]


def layer_lines(row: Row) -> list[str]:
    """A layer's formulas with its numbers put in, its name first."""
    cost, shape, windows = row.costs, times_sign(row.shape), row.windows
    lines = [f"{row.name}: {row.kind}, {', '.join(map(times_sign, row.before))} → {shape}"]
    if row.kind in formulas.FORMULAS:
        lines.append(formulas.FORMULAS[row.kind])
    if windows is not None:
        lines += formulas.size_lines(windows, row.before[0], row.shape)
    lines += _cost_lines(row)
    lines += formulas.connection_lines(cost.connections, cost.multiply_adds)
    lines.append(
        f"units: {times(*row.shape)} = {shown(prod(row.shape))}; memory: {shown(cost.memory)} bytes"
    )
    if windows is not None:
        return [*lines, *formulas.field_lines(windows, row.given, row.field), *row.notes]
    seen, stride, offset = field_text(row)
    place = f", stride {stride}, offset {offset}" if stride else ""
    from_paths = ", the span of all paths that meet here" if len(row.before) > 1 else ""
    return [*lines, f"receptive field: {seen}{place}{from_paths}", *row.notes]


def _cost_lines(row: Row) -> list[str]:
    """Parameters and multiply-adds of a layer."""
    cost = row.costs
    if row.windows is not None and row.kind in ("conv", "depthwise", "transposed"):
        kernel, transposed = [window.kernel for window in row.windows], row.kind == "transposed"
        sides = row.before[0][:2] if transposed else row.shape[:2]
        used = cost.multiply_adds // prod(sides)
        channels = 1 if row.kind == "depthwise" else used // (prod(kernel) * row.shape[2])
        lines = ["its parameters are those of its first call"] if cost.shared else []
        lines += formulas.convolution_lines(
            kernel, channels, row.shape[2], sides, cost.biases, transposed
        )
        if row.kind == "conv":
            lines += formulas.dense_comparison(row.before[0], row.shape, used, cost.multiply_adds)
        return lines
    if row.kind == "dense":
        inputs, units = row.before[0][-1], row.shape[-1]
        return [
            f"weights: inputs · units = {times(inputs, units)} = {shown(inputs * units)}",
            f"biases: units = {shown(cost.biases)}; parameters: {shown(cost.parameters)}",
            f"multiply-adds: {shown(cost.multiply_adds)}",
        ]
    if not cost.parameters:
        return ["parameters: none"]
    statistics = f", statistics {shown(cost.statistics)}" if cost.statistics else ""
    return [f"parameters: factors {shown(cost.weights)}, shifts {shown(cost.biases)}{statistics}"]


def totals(inspection: Inspection) -> list[str]:
    """What all layers cost together."""
    sums, count = summary(inspection), len(inspection.rows)
    statistics = f" + {sums['statistics']:,} statistics" if sums["statistics"] else ""
    notes = [
        f"{row.name}: {note}"
        for row in inspection.rows
        for note in row.notes
        if "counted where" not in note
    ]
    more = len(notes) - _NOTES
    seen = [channels for row in inspection.rows[:1] for *_, channels in row.before[:1]]
    grey = ", made grey before the first layer" * (seen == [1] and inspection.size[-1] == 3)
    return [
        f"{inspection.name}: {count} layer{'' if count == 1 else 's'}, an image of "
        f"{times_sign(inspection.size)}{grey}",
        f"parameters: {sums['parameters']:,} = {sums['weights']:,} weights + {sums['biases']:,} "
        f"biases{statistics}",
        f"multiply-adds: {sums['multiply_adds']:,}; connections: {sums['connections']:,}",
        f"memory of all outputs: {sums['memory_bytes'] / 1e6:,.1f} MB an image",
        *notes[:_NOTES],
        *([f"… and {counted(more, 'more note')}"] if more > 0 else []),
    ]


def to_csv(rows: Sequence[Row]) -> str:
    """All columns of the rows; pairs are written height×width, and what a layer does not have is
    empty.
    """
    text = io.StringIO()
    records = [record(row) for row in rows]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(list(records[0]) if records else [])
    writer.writerows([cell(_cell(value)) for value in one.values()] for one in records)
    return text.getvalue()


def record(row: Row) -> dict[str, Any]:
    """A row as plain values, for JSON and CSV; what a layer does not have is None."""
    local, windows = row.field.local, row.windows

    return {
        "layer": row.name,
        "kind": row.kind,
        "inputs": list(row.inputs),
        "kernel": windows and [window.kernel for window in windows],
        "stride": windows and [window.stride for window in windows],
        "padding": windows and [[window.before, window.after] for window in windows],
        "dilation": windows and [window.dilation for window in windows],
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
        "receptive_field": local and [axis.size for axis in local],
        "effective_stride": local and [_plain(axis.stride) for axis in local],
        "effective_padding": local and [axis.padding for axis in local],
        "offset": local and [-axis.padding for axis in local],
        "aligned": row.field.aligned,
        "notes": list(row.notes),
    }


def summary(inspection: Inspection) -> Mapping[str, Any]:
    """The totals of a network, as plain values."""
    costs = ("parameters", "weights", "biases", "statistics", "connections", "multiply_adds")
    return {
        "network": inspection.name,
        "input": list(inspection.size),
        "layers": len(inspection.rows),
        **{cost: inspection.total(cost) for cost in costs},
        "memory_bytes": inspection.total("memory"),
    }


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def _cell(value: object) -> object:
    if not isinstance(value, list):
        return "" if value is None else value
    if value and isinstance(value[0], list):
        return " ".join(str(_cell(part)) for part in value)
    return ("; " if any(isinstance(part, str) for part in value) else "×").join(map(str, value))


def _cut(name: str, width: int) -> str:
    head = (width - 1) // 3
    return name if len(name) <= width else f"{name[:head]}…{name[head + 1 - width :]}"


def _window(row: Row) -> str:
    kernel, stride, padding = window_text(row)
    moved = "" if stride in ("", "1") else f"/{stride}"
    padded = "" if padding in ("", "0") else f" p{padding}"
    return f"{kernel}{moved}{padded}".strip()


def _shape(row: Row) -> str:
    return times_sign(row.shape)


def _count(cost: str, show: Callable[[int], str] = short) -> Callable[[Row], str]:
    """How a row shows one of its costs."""

    def text(row: Row) -> str:
        number = getattr(row.costs, cost)
        if cost == "multiply_adds" and not row.costs.counted:
            return "?"
        if cost in ("parameters", "weights") and row.costs.shared:
            return "shared"
        return show(number) if number else "–"

    return text


_LAST: dict[str, Callable[[Row], str]] = {
    "m-adds": _count("multiply_adds"),
    "bytes": lambda row: short(row.costs.memory),
    "field": lambda row: field_text(row)[0],
    "step": lambda row: field_text(row)[1],
    "offset": lambda row: field_text(row)[2],
}
_NARROW: dict[str, Callable[[Row], str]] = {
    "kind": lambda row: _cut(row.kind, 11),
    "window": _window,
    "output": _shape,
    "param": _count("parameters"),
    **_LAST,
}
_NARROWEST: dict[str, Callable[[Row], str]] = {
    name: column for name, column in _NARROW.items() if name not in ("bytes", "offset")
}
_WIDE: dict[str, Callable[[Row], str]] = {
    "kind": lambda row: _cut(row.kind, 14),
    "kernel": lambda row: window_text(row)[0],
    "stride": lambda row: window_text(row)[1],
    "pad": lambda row: window_text(row)[2],
    "output": _shape,
    "weights": _count("weights", "{:,}".format),
    "biases": _count("biases", "{:,}".format),
    "connections": _count("connections"),
    **_LAST,
}
LEGEND = (
    "window: kernel/stride, p: zeros before/behind; m-adds: multiply-adds; field, step, offset: "
    "pixels of the image that a unit sees, from one unit to the next, and where unit 0 begins; +: "
    "and the whole image by another path"
)
"""What the columns mean, for those who have not read it."""
