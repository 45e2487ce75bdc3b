"""A part of a network as a graph: a box a layer, an arrow wherever one's answers go, so that skips
and branches are seen.

Ways that run beside each other stand beside each other: between two layers that every way passes,
what hangs together is one branch, and is laid out in the same manner. An arrow that passes layers
by has a place of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from cvtasks.drawing.sheets import PALE, Page, text_width
from cvtasks.errors import UsageError, did_you_mean
from cvtasks.insight.inspecting.diagram import COLOURS, SHAPES_OF
from cvtasks.insight.inspecting.formulas import times_sign
from cvtasks.insight.inspecting.inspect import IMAGE, Inspection, Row, window_text
from cvtasks.insight.inspecting.table import short

MOST = 40
"""Layers that one drawing holds."""

_WIDE, _HIGH, _LOW = 232.0, 56.0, 36.0  # of a box; `_LOW`: of one with a single line
_DOWN, _ACROSS, _BYPASS = 34.0, 36.0, 60.0  # between boxes; room of an arrow that passes by
_MARGIN, _TOP = 34.0, 92.0
_SKIP = "#b3261e"
_PLAIN = "#e9ebef"


@dataclass(frozen=True)
class _Box:
    """Where a box is: its middle, how high it is, and how high its row of boxes."""

    x: float
    y: float
    high: float
    level: float


@dataclass
class Laid:
    """Where the layers of a part stand: name → x of its middle, from the part's left edge.

    Attributes:
        lanes: x of arrows that pass layers by: (from, to) → x.
        width: of the part.
    """

    x: dict[str, float] = field(default_factory=dict)
    lanes: dict[tuple[str, str], float] = field(default_factory=dict)
    width: float = _WIDE


def part_of(inspection: Inspection, names: Sequence[str]) -> list[Row]:
    """The rows whose names, or the last parts of these, begin with one of `names`: "conv2_block1"
    names all layers of that block, and none of "conv2_block10".

    Raises:
        UsageError: nothing is called so, or more than `MOST` layers are.
    """
    rows = [row for row in inspection.rows if not row.inner]
    for name in names:
        if not any(_called(row, name) for row in rows):
            known = dict.fromkeys(part for row in rows for part in _beginnings(row))
            raise UsageError(
                f"a part of {inspection.name} is named by the beginning that its layers' names "
                f"share; none begins with {name!r}. {did_you_mean(name, list(known))}"
            )
    found = [row for row in rows if any(_called(row, name) for name in names)]
    if len(found) > MOST:
        raise UsageError(
            f"a drawing holds at most {MOST} layers; {len(found)} of {inspection.name} begin with "
            f"{' or '.join(map(repr, names))}. Name a smaller part."
        )
    return found


def _called(row: Row, name: str) -> bool:
    last = row.name.rpartition("/")[2]
    goes_on = [one[len(name) :] for one in (row.name, last) if one.startswith(name)]
    return any(not (name[-1:].isdigit() and rest[:1].isdigit()) for rest in goes_on)


def _beginnings(row: Row) -> list[str]:
    """Of the last part of a name: as far as its first, second … underscore, and all of it."""
    words = row.name.rpartition("/")[2].split("_")
    return ["_".join(words[: count + 1]) for count in range(len(words))]


def graph_page(inspection: Inspection, rows: Sequence[Row], title: str = "") -> Page:
    """A part of a network, drawn from the top down; what goes into it stands above it.

    Args:
        rows: of the inspection, at least one, as `part_of` finds them.
        title: by default the network's name and the first layer's.
    """
    own = {row.name: row for row in rows}
    given = {name: list(row.inputs) for name, row in own.items()}
    entries = [one for one in dict.fromkeys(chain(*given.values())) if one not in own]
    order = [*entries, *own]
    edges = [(one, name) for name, before in given.items() for one in before]
    depth = _depths(order, edges)
    laid = lay_out(order, edges, depth)
    shapes = {row.name: row.shape for row in inspection.rows} | {IMAGE: inspection.size}
    page = Page(margin=_MARGIN)
    page.text(_MARGIN, 34, title or f"{inspection.name}: {rows[0].name} …", 24, bold=True)
    weights = sum(row.costs.parameters for row in rows)
    work = sum(row.costs.multiply_adds for row in rows)
    page.text(
        *(_MARGIN, 64, f"{weights:,} parameters, {work / 1e6:,.1f} million multiply-adds"),
        *(16, PALE),
    )
    lines = {name: _lines(own.get(name), name, shapes) for name in order}
    levels = [_LOW] * (max(depth.values()) + 1)
    for name in order:
        levels[depth[name]] = max(levels[depth[name]], _HIGH if len(lines[name]) > 1 else _LOW)
    tops = [_TOP + sum(levels[:level]) + level * _DOWN for level in range(len(levels))]
    boxes = {
        name: _Box(
            _MARGIN + laid.x[name],
            tops[depth[name]] + levels[depth[name]] / 2,
            _HIGH if len(lines[name]) > 1 else _LOW,
            levels[depth[name]],
        )
        for name in order
    }
    for pair in edges:
        _arrow(page, boxes[pair[0]], boxes[pair[1]], laid.lanes.get(pair))
    for name in order:
        _draw(page, boxes[name], own.get(name), lines[name])
    return page


def _depths(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many layers lie above each on the longest way."""
    depth = dict.fromkeys(order, 0)
    for name in order:
        depth[name] = max((depth[one] + 1 for one, to in edges if to == name), default=0)
    return depth


def lay_out(
    order: Sequence[str], edges: Sequence[tuple[str, str]], depth: Mapping[str, int]
) -> Laid:
    """Where layers stand, each pair of which that `edges` joins has a way that meets no other box.

    Args:
        order: one in which they can be computed.
        depth: their rows of boxes, from the top.
    """
    found = _layout(order, edges)
    hidden = [
        (one, to)
        for one, to in edges
        if (one, to) not in found.lanes
        and any(
            depth[one] < depth[name] < depth[to] and abs(found.x[name] - found.x[one]) < _WIDE
            for name in order
        )
    ]
    return _passed_by(found, found.width, hidden)


def _layout(order: Sequence[str], edges: Sequence[tuple[str, str]]) -> Laid:
    """Lay out layers in an order in which they can be computed."""
    place = {name: number for number, name in enumerate(order)}
    spans = [(place[one], place[to], (one, to)) for one, to in edges if {one, to} <= place.keys()]
    passed = [any(one < here < to for one, to, _ in spans) for here in range(len(order))]
    pieces: list[tuple[int, int]] = []  # runs between layers that every way passes
    start = 0
    for here in [*(i for i, by in enumerate(passed) if not by), len(order)]:
        if here > start:
            pieces.append((start, here))
        start = here + 1
    if pieces == [(0, len(order))] and len(_branches(order, edges)) == 1:
        return Laid(dict.fromkeys(order, _WIDE / 2))  # no layer takes them apart: one column
    whole, parts = Laid(), []
    for first, end in pieces:
        over = [pair for one, to, pair in spans if one < first and to >= end]
        parts.append(_beside(_branches(order[first:end], edges), over, edges))
    whole.width = max([_WIDE, *(part.width for part in parts)])
    for part in parts:
        shift = (whole.width - part.width) / 2
        whole.x |= {name: x + shift for name, x in part.x.items()}
        whole.lanes |= {pair: x + shift for pair, x in part.lanes.items()}
    for name in order:
        whole.x.setdefault(name, whole.width / 2)
    return whole


def _beside(
    branches: Sequence[Sequence[str]],
    over: Sequence[tuple[str, str]],
    edges: Sequence[tuple[str, str]],
) -> Laid:
    """Branches beside each other, and to their right the arrows that pass them all by."""
    found, x = Laid(), 0.0
    for branch in branches:
        part = _layout(branch, edges)
        found.x |= {name: x + at for name, at in part.x.items()}
        found.lanes |= {pair: x + at for pair, at in part.lanes.items()}
        x += part.width + _ACROSS
    return _passed_by(found, x - _ACROSS, over)


def _passed_by(found: Laid, width: float, over: Sequence[tuple[str, str]]) -> Laid:
    """The same with room on both sides, so that a trunk goes straight down, and arrows at the
    right.
    """
    room = _BYPASS * len(over)
    lanes = {pair: at + room for pair, at in found.lanes.items()}
    for number, pair in enumerate(over, start=1):
        lanes[pair] = room + width + (number - 0.5) * _BYPASS
    return Laid({name: at + room for name, at in found.x.items()}, lanes, width + 2 * room)


def _branches(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The layers by what hangs together, in their order."""
    group = {name: number for number, name in enumerate(names)}
    for one, to in edges:
        if one in group and to in group:
            old, new = group[to], group[one]
            group = {name: new if its == old else its for name, its in group.items()}
    found: dict[int, list[str]] = {}
    for name in names:
        found.setdefault(group[name], []).append(name)
    return list(found.values())


def _arrow(page: Page, one: _Box, to: _Box, lane: float | None) -> None:
    """From the bottom of a box to the top of another; one that passes others by goes out of the
    side and into the side.
    """
    start, end = one.y + one.high / 2, to.y - to.high / 2
    if lane is not None:
        x = _MARGIN + lane
        way = [(one.x + _WIDE / 2, one.y), (x, one.y), (x, to.y), (to.x + _WIDE / 2, to.y)]
        page.arrow(way, _SKIP, 3)
    elif one.x == to.x:
        page.arrow([(one.x, start), (to.x, end)])
    else:  # it turns just above where it goes, behind all boxes of its branch
        turn = to.y - to.level / 2 - _DOWN / 2
        page.arrow([(one.x, start), (one.x, turn), (to.x, turn), (to.x, end)])


def _lines(row: Row | None, name: str, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What stands in a box: what it does, then what comes out and what it has learned."""
    size = times_sign(shapes[name])
    if row is None:
        return ["the image" if name == IMAGE else f"from {name}", size]
    kernel, stride, _ = window_text(row)
    moved = f", stride {stride}" if stride not in ("", "1") else ""
    weights = f", {short(row.costs.parameters)} parameters" if row.costs.parameters else ""
    kind = {"batch norm": "batch norm", "add": "+   (sum)", "concat": "join of channels"}
    said = kind.get(row.kind, row.kind)
    said = f"{kernel} {said}" if kernel and row.kind != "pad" else said
    if row.kind in SHAPES_OF or row.kind == "dense":
        return [f"{said}{moved}", f"{size}{weights}"]
    return [said]


def _draw(page: Page, box: _Box, row: Row | None, lines: Sequence[str]) -> None:
    """A box with its lines."""
    left, right, top = box.x - _WIDE / 2, box.x + _WIDE / 2, box.y - box.high / 2
    bottom = top + box.high
    colour = COLOURS["image"] if row is None else COLOURS.get(SHAPES_OF.get(row.kind, ""), _PLAIN)
    page.shape([(left, top), (right, top), (right, bottom), (left, bottom)], colour, 0.25)
    for line, bold, at in zip(lines, (True, False), (-11, 13), strict=False):
        size, alone = 17 if bold else 14, len(lines) == 1
        fitting = min(size, size * (_WIDE - 16) / (1.15 * text_width(line, size)))
        page.text(
            box.x, box.y if alone else box.y + at, line, fitting, at="center", bold=bold > alone
        )
