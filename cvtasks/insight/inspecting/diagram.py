"""The architecture as volumes: every map a box as high and as deep as the map is, and as thick as
it has channels (SVG).

As in the figures of the papers (AlexNet, VGG), with scales that keep 224×224 and 7×7, 3 and 2048
channels on one page: lengths go with the square roots. Layers of one resolution stand together; of
more than a few boxes alike only the first ones and the last are drawn, and it is said how many they
are. Branches are followed along the longest path.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from math import prod

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
_FONT = "font-family='Helvetica, Arial, DejaVu Sans, sans-serif'"


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
    highest = max(max(stage.size, default=1) for stage in found)
    parts, x = [], _MARGIN
    used: set[str] = set()
    tall = _HIGH * (1 + _DEEP * 0.5)
    base = 74 + tall
    for stage in found:
        drawn, wide = _drawn_stage(stage, highest, base)
        label = list(_labels(stage))
        room = max(wide, max(6.2 * len(line) for line in label))
        shift = x + (room - wide) / 2
        parts.append(f"<g transform='translate({shift:.1f} 0)'>{drawn}</g>")
        middle = x + room / 2
        for number, line in enumerate(label):
            weight, fill = ("bold", "#222") if number == 0 else ("normal", "#555")
            parts.append(
                f"<text x='{middle:.1f}' y='{base + 24 + 16 * number:.1f}' text-anchor='middle' "
                f"font-size='{13 - (number > 0)}' "
                f"font-weight='{weight}' fill='{fill}'>{escape(line)}</text>"
            )
        used.update(kind for kind, _ in stage.boxes)
        x += room + _BETWEEN
    width, height = max(x - _BETWEEN + _MARGIN, 640.0), base + _LABEL + 54
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0f}' height='{height:.0f}' "
        f"viewBox='0 0 {width:.0f} {height:.0f}' {_FONT}>"
        f"<rect width='100%' height='100%' fill='#ffffff'/>"
        f"<text x='{_MARGIN}' y='34' font-size='21' font-weight='bold' "
        f"fill='#222'>{escape(inspection.name)}</text>"
        f"<text x='{_MARGIN}' y='56' font-size='13' "
        f"fill='#555'>{escape(_subtitle(inspection))}</text>"
    )
    return "\n".join([head, *parts, *_legend(used, height - 36), "</svg>\n"])


def _subtitle(inspection: Inspection) -> str:
    millions, billions = (
        inspection.total("parameters") / 1e6,
        inspection.total("multiply_adds") / 1e9,
    )
    return (
        f"{millions:,.2f} million parameters, {billions:,.2f} billion multiply-adds at "
        f"{'×'.join(map(str, inspection.size[:2]))}"
    )


def _drawn_stage(stage: Stage, highest: int, base: float) -> tuple[str, float]:
    """The boxes of a stage from x = 0 on, standing on y = `base`;
    and how wide they are together.
    """
    parts, x, high, depth = [], 0.0, 0.0, 0.0
    for number, (kind, channels) in enumerate(stage.boxes):
        if stage.count > len(stage.boxes) and number == len(stage.boxes) - 1:
            x += depth * 0.72
            parts += [
                f"<circle cx='{x + 7 * dot:.1f}' cy='{base - high / 2:.1f}' r='1.9' fill='#777'/>"
                for dot in (1, 2, 3)
            ]
            x += 28 + _GAP
        if stage.size:
            high = max(_HIGH * (stage.size[0] / highest) ** 0.5, 5.0)
            depth = max(_HIGH * (stage.size[1] / highest) ** 0.5, 5.0) * _DEEP
            wide = max(_THICK * channels**0.5, 3.0)
        else:
            high, depth, wide = min(max(2.2 * channels**0.5, 12.0), _HIGH * 0.7), 5.0, 9.0
        parts.append(_box(x, base, wide, high, depth, COLOURS[kind]))
        x += wide + _GAP
    return "".join(parts), x - _GAP + depth * 0.72


def _box(x: float, base: float, wide: float, high: float, depth: float, colour: str) -> str:
    """A box whose front begins at (x, base); its depth goes up and to the right."""
    right, back = depth * 0.72, depth * 0.5
    top = base - high
    front = (
        f"{x:.1f},{base:.1f} {x + wide:.1f},{base:.1f} {x + wide:.1f},{top:.1f} {x:.1f},{top:.1f}"
    )
    lid = (
        f"{x:.1f},{top:.1f} {x + wide:.1f},{top:.1f} {x + wide + right:.1f},{top - back:.1f} "
        f"{x + right:.1f},{top - back:.1f}"
    )
    side = (
        f"{x + wide:.1f},{base:.1f} {x + wide + right:.1f},{base - back:.1f} "
        f"{x + wide + right:.1f},{top - back:.1f} {x + wide:.1f},{top:.1f}"
    )
    faces = ((side, _mixed(colour, 0.8, 0)), (lid, _mixed(colour, 0.55, 255)), (front, colour))
    edge = _mixed(colour, 0.5, 0)
    return "".join(
        f"<polygon points='{points}' fill='{fill}' stroke='{edge}' stroke-width='0.8' "
        "stroke-linejoin='round'/>"
        for points, fill in faces
    )


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


def _legend(used: set[str], y: float) -> Iterator[str]:
    x = _MARGIN
    for kind, colour in COLOURS.items():
        if kind in used:
            yield (
                f"<rect x='{x:.0f}' y='{y - 10:.0f}' width='12' height='12' rx='2' fill='{colour}' "
                f"stroke='{_mixed(colour, 0.5, 0)}' stroke-width='0.8'/>"
                f"<text x='{x + 18:.0f}' y='{y:.0f}' font-size='12' "
                f"fill='#444'>{_LEGEND.get(kind, kind)}</text>"
            )
            x += 38 + 6.6 * len(_LEGEND.get(kind, kind))
    yield (
        f"<text x='{_MARGIN}' y='{y + 22:.0f}' font-size='11' fill='#888'>lengths go with the "
        "square roots of sizes and "
        "channels; of branches the longest is counted</text>"
    )
