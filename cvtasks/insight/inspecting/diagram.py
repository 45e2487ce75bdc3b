"""The architecture as volumes: every map a box as high and as deep as the map is, and as thick as
it has channels (SVG).

As in the figures of the papers (AlexNet, VGG), with scales that keep 224×224 and 7×7, 3 and 2048
channels on one page: lengths go with the square roots. Layers of one resolution stand together; of
more than a few boxes alike only the first ones and the last are drawn, and it is said how many they
are. Branches are followed along the longest path.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from cvtasks.drawing.sheets import PALE, Page, text_width
from cvtasks.insight.inspecting.inspect import Inspection, Row, field_text

COLOURS = {  # kind of a box → its front; the other faces are made of it
    "image": "#c9ced6",
    "convolution": "#f3b562",
    "pooling": "#e4715f",
    "block": "#6fa8dc",
    "join": "#5bb5b0",
    "enlarging": "#7cc08a",
    "dense": "#a78bd4",
}
_SHAPES_OF = {
    **dict.fromkeys(("conv", "depthwise", "separable"), "convolution"),
    **dict.fromkeys(("max pool", "mean pool", "global mean", "global max"), "pooling"),
    **dict.fromkeys(("add", "multiply"), "block"),
    "concat": "join",
    **dict.fromkeys(("enlarge", "transposed", "resize", "Enlarge"), "enlarging"),
    "dense": "dense",
}
_LEGEND = {"block": "block (sum)", "join": "join of branches"}
_MOST = 6  # boxes of one resolution that are drawn
_HIGH, _DEEP, _THICK = (
    230.0,
    0.42,
    1.15,
)  # pixels of the highest box; depth to height; pixels a root of channels
_GAP, _BETWEEN, _MARGIN, _LABEL = 5.0, 26.0, 30.0, 104.0


@dataclass(frozen=True)
class Stage:
    """Layers of one resolution, one after the other.

    Attributes:
        size: (height, width), or () behind the last map.
        boxes: what is drawn: (kind, channels) each.
        count: boxes there are.
        rows: all layers.
        end: the last that is drawn; None of the image.
    """

    size: tuple[int, ...]
    boxes: tuple[tuple[str, int], ...]
    count: int
    rows: tuple[Row, ...]
    end: Row | None = None


def longest_path(inspection: Inspection) -> list[Row]:
    """The rows on the longest way from the image to the last row;
    of ways of one length the first.
    """
    rows = {row.name: row for row in inspection.rows if not row.inner}
    length: dict[str, int] = {}
    for name, row in rows.items():
        length[name] = 1 + max((length.get(one, 0) for one in row.inputs), default=0)
    path = [list(rows)[-1]] if rows else []
    while path:
        before = [one for one in rows[path[-1]].inputs if one in rows]
        if not before:
            break
        path.append(max(before, key=lambda one: length[one]))
    return [rows[name] for name in reversed(path)]


def within_blocks(inspection: Inspection, path: Sequence[Row]) -> set[str]:
    """Names of the rows of the path that lie in a branch: between a sum or a join and where its
    ways part.

    A way through a coarser resolution than that of its end, such as that of a U-Net through its
    depth, is no branch.
    """
    order = {row.name: number for number, row in enumerate(inspection.rows)}
    certain: dict[str, int] = {}  # the rows that every way to a row passes, a bit each
    nearest: dict[str, int] = {}
    for name, number in order.items():
        before = [certain[one] for one in inspection.rows[number].inputs if one in certain]
        common = before[0] if before else 0
        for one in before[1:]:
            common &= one
        nearest[name] = common.bit_length() - 1  # the last of them; -1: the image
        certain[name] = common | 1 << number
    found: set[str] = set()
    for at, row in enumerate(path):
        if _SHAPES_OF.get(row.kind) in ("block", "join"):
            between = [one for one in path[:at] if order[one.name] > nearest[row.name]]
            if all(
                prod(_places(one)) >= prod(_places(row))
                for one in between
                if one.kind in _SHAPES_OF
            ):
                found.update(one.name for one in between)
    return found


def stages(inspection: Inspection) -> list[Stage]:
    """The image, then the longest path by resolution."""
    height, width, channels = inspection.size
    found = [Stage((height, width), (("image", channels),), 1, ())]
    path = longest_path(inspection)
    hidden = within_blocks(inspection, path)
    for _, group in groupby((row for row in path if row.kind in _SHAPES_OF), _places):
        rows = tuple(group)
        shown = [row for row in rows if row.name not in hidden]
        boxes = [(_SHAPES_OF[row.kind], row.shape[-1]) for row in shown]
        kept = boxes if len(boxes) <= _MOST else [*boxes[: _MOST - 1], boxes[-1]]
        if shown:
            found.append(Stage(_places(rows[0]), tuple(kept), len(boxes), rows, shown[-1]))
    return found


def _places(row: Row) -> tuple[int, ...]:
    return tuple(row.shape[:2]) if len(row.shape) == 3 else ()


def volumes(inspection: Inspection) -> str:
    """The image of the architecture, an SVG document."""
    found = stages(inspection)
    labels = [list(_labels(stage)) for stage in found]
    boxes = [list(_boxes(stage, max(found[0].size))) for stage in found]
    rooms = [
        max(own[-1].right, *(text_width(line, 13) for line in lines))
        for own, lines in zip(boxes, labels, strict=True)
    ]
    base = 74 + _HIGH * (1 + _DEEP * 0.5)
    wide = 2 * _MARGIN + sum(rooms) + _BETWEEN * (len(rooms) - 1)
    page = Page(max(wide, 640), base + _LABEL + 54)
    page.text(_MARGIN, 28, inspection.name, 21, bold=True)
    page.text(_MARGIN, 51, _subtitle(inspection), 13, PALE)
    x = _MARGIN
    for own, lines, room in zip(boxes, labels, rooms, strict=True):
        for box in own:
            _draw(page, box, x + (room - own[-1].right) / 2, base)
        for number, line in enumerate(lines):
            style = {"size": 12, "colour": PALE} if number else {"size": 13, "bold": True}
            page.text(x + room / 2, base + 20 + 16 * number, line, at="center", **style)
        x += room + _BETWEEN
    _draw_legend(page, {kind for stage in found for kind, _ in stage.boxes}, base + _LABEL + 14)
    return page.svg()


def _subtitle(inspection: Inspection) -> str:
    millions, billions = (
        inspection.total("parameters") / 1e6,
        inspection.total("multiply_adds") / 1e9,
    )
    return (
        f"{millions:,.2f} million parameters, {billions:,.2f} billion multiply-adds at "
        f"{'×'.join(map(str, inspection.size[:2]))}"
    )


@dataclass(frozen=True)
class _Box:
    """A box of a stage, its front from `x` on; after `dots` it is the last of many."""

    x: float
    wide: float
    high: float
    depth: float
    colour: str
    dots: bool

    @property
    def right(self) -> float:
        """Where its side ends."""
        return self.x + self.wide + self.depth * 0.72


def _boxes(stage: Stage, highest: int) -> Iterator[_Box]:
    """The boxes of a stage from x = 0 on."""
    x = 0.0
    for number, (kind, channels) in enumerate(stage.boxes):
        high, depth, wide = min(max(2.2 * channels**0.5, 12.0), _HIGH * 0.7), 5.0, 9.0
        if stage.size:
            high, depth = (max(_HIGH * (side / highest) ** 0.5, 5.0) for side in stage.size)
            depth, wide = depth * _DEEP, max(_THICK * channels**0.5, 3.0)
        dots = stage.count > len(stage.boxes) and number == len(stage.boxes) - 1
        if dots:
            x += depth * 0.72 + 28 + _GAP
        yield _Box(x, wide, high, depth, COLOURS[kind], dots)
        x += wide + _GAP


def _draw(page: Page, box: _Box, left: float, base: float) -> None:
    """A box that stands on y = `base`; its depth goes up and to the right."""
    x, top, back = left + box.x, base - box.high, box.depth * 0.5
    end, right, edge = x + box.wide, left + box.right, _mixed(box.colour, 0.5, 0)
    side = [(end, base), (right, base - back), (right, top - back), (end, top)]
    lid = [(x, top), (end, top), (right, top - back), (right - box.wide, top - back)]
    front = [(x, base), (end, base), (end, top), (x, top)]
    page.shape(side, _mixed(box.colour, 0.8, 0), edge)
    page.shape(lid, _mixed(box.colour, 0.55, 255), edge)
    page.shape(front, box.colour, edge)
    if box.dots:
        page.text(x - _GAP - 14, base - box.high / 2, "…", 16, PALE, "center")


def _mixed(colour: str, share: float, other: int) -> str:
    """A share of the colour and the rest of a grey."""
    parts = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(share * part + (1 - share) * other):02x}" for part in parts)


def _labels(stage: Stage) -> Iterator[str]:
    """What stands below a stage: its volume, what it is made of, what its units see."""
    if stage.end is None:
        yield "×".join(map(str, (*stage.size, stage.boxes[0][1])))
        yield "image"
        return
    yield "×".join(map(str, stage.end.shape))
    kinds = [_SHAPES_OF[row.kind] for row in stage.rows]
    for kind, one, many in (
        ("pooling", "pooling", "poolings"),
        ("enlarging", "enlarging", "enlargings"),
        ("convolution", "convolution", "convolutions"),
        ("dense", "dense layer", "dense layers"),
        ("join", "join", "joins"),
        ("block", "block", "blocks"),
    ):
        count = kinds.count(kind)
        if count:
            yield (
                one
                if count == 1 and kind in ("pooling", "enlarging")
                else f"{count} {one if count == 1 else many}"
            )
    seen = field_text(stage.end)[0]
    yield "sees the image" if seen == "image" else f"sees {seen} px"


def _draw_legend(page: Page, used: set[str], y: float) -> None:
    x = _MARGIN
    for kind, colour in COLOURS.items():
        if kind in used:
            name = _LEGEND.get(kind, kind)
            square = [(x, y - 6), (x + 12, y - 6), (x + 12, y + 6), (x, y + 6)]
            page.shape(square, colour, _mixed(colour, 0.5, 0))
            page.text(x + 18, y, name, 12, PALE)
            x += 38 + text_width(name, 12)
    rule = (
        "lengths go with the square roots of sizes and channels; of branches the longest is counted"
    )
    page.text(_MARGIN, y + 22, rule, 11, PALE)
