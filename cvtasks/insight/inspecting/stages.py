"""A long network in few rows: layers one after the other whose units lie as far apart are a stage.

A ResNet has five of them and its classifier; what each costs and sees is the sum and the end of its
layers (He et al., "Deep Residual Learning for Image Recognition", 2016, table 1).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

from cvtasks.insight.inspecting.formulas import times_sign
from cvtasks.insight.inspecting.inspect import Row, field_text
from cvtasks.insight.inspecting.table import laid, short

Stage = tuple[Row, ...]


def by_stage(rows: Sequence[Row]) -> list[Stage]:
    """The rows, divided where the step from one unit to the next changes.

    Rows that see the whole image belong to the stage before them where it goes on behind them, as
    with the gates of squeeze-and-excitation; else they are one of their own. Zeros around a map
    belong to the window that they are for.
    """
    steps: list[str | None] = [field_text(row)[1] or None for row in rows]
    for number in reversed(range(len(rows) - 1)):
        if rows[number].kind == "pad":
            steps[number] = steps[number + 1]
    last, known = "", [number for number, step in enumerate(steps) if step]
    for number, step in enumerate(steps):
        if step:
            last = step
        elif known and number < known[-1]:
            steps[number] = last
    pairs = groupby(zip(steps, rows, strict=True), lambda pair: pair[0])
    return [tuple(row for _, row in group) for _, group in pairs]


def stage_table(stages: Iterable[Stage], width: int) -> list[str]:
    """Stages as lines of at most `width` characters (at least 80): a head, and a line a stage."""
    found = list(stages)
    names = [_end(stage).name.rpartition("/")[2] for stage in found]
    cells = [
        [name, *(show(stage) for show in _COLUMNS.values())]
        for name, stage in zip(names, found, strict=True)
    ]
    return laid([["until layer", *_COLUMNS], *cells], max(width, 80))


def _end(stage: Stage) -> Row:
    """The last row of a stage; zeros that the next one's window begins with are no end."""
    return next((row for row in reversed(stage) if row.kind != "pad"), stage[-1])


def _total(cost: str) -> Callable[[Stage], str]:
    """How a stage shows the sum of one of its costs; + where it is more, and not known by how
    much.
    """

    def text(stage: Stage) -> str:
        total = sum(getattr(row.costs, cost) for row in stage)
        more = cost == "multiply_adds" and not all(row.costs.counted for row in stage)
        return f"{short(total) if total else '–'}{'+' if more else ''}"

    return text


_COLUMNS: dict[str, Callable[[Stage], str]] = {
    "layers": lambda stage: str(len(stage)),
    "output": lambda stage: times_sign(_end(stage).shape),
    "param": _total("parameters"),
    "m-adds": _total("multiply_adds"),
    "bytes": _total("memory"),
    "field": lambda stage: field_text(_end(stage))[0],
    "step": lambda stage: field_text(_end(stage))[1],
}
