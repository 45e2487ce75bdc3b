"""The architecture as volumes: every map a box as high and as deep as the map is, and as thick as
it has channels (SVG).

As in the figures of the papers (AlexNet, VGG), with scales that keep 224×224 and 7×7, 3 and 2048
channels on one page: lengths go with the square roots. Layers of one resolution stand together; of
more than a few boxes alike only the first ones and the last are drawn, and it is said how many they
are. Branches are followed along the longest path.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from math import inf, prod
from operator import and_

import numpy as np

from cvtasks.drawing.sheets import INK, PALE, Page, text_width
from cvtasks.insight.inspecting.formulas import times_sign
from cvtasks.insight.inspecting.inspect import Inspection, Row, field_text
from cvtasks.insight.inspecting.table import summary

COLOURS = {  # kind of a box → its front; the other faces are darker and paler
    "image": "#c9ced6",
    "convolution": "#f3b562",
    "pooling": "#e4715f",
    "block": "#6fa8dc",
    "join": "#5bb5b0",
    "enlarging": "#7cc08a",
    "dense": "#a78bd4",
}
SHAPES_OF = {
    **dict.fromkeys(("conv", "depthwise", "separable"), "convolution"),
    **dict.fromkeys(("max pool", "mean pool", "global mean", "global max"), "pooling"),
    **dict.fromkeys(("add", "multiply"), "block"),
    "concat": "join",
    **dict.fromkeys(("enlarge", "transposed", "resize", "Enlarge"), "enlarging"),
    "dense": "dense",
}
_MOST = 6  # boxes of one resolution that are drawn
_HIGH, _DEEP = 230.0, 0.42  # pixels of the highest box; depth to height
_THICK = 1.15  # pixels a root of channels
_GAP, _BETWEEN, _MARGIN, _LABEL = 5.0, 26.0, 30.0, 104.0
_BASE = 74 + _HIGH * (1 + _DEEP * 0.5)  # where the boxes stand
_FRONT = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])


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

    A way that ends in single numbers for a map's channels, which weigh it, is no way of the map
    (squeeze-and-excitation).
    """
    ways: dict[str, list[Row]] = {}
    way: list[Row] = []
    for row in inspection.rows:
        if not row.inner:
            before = [ways[one] for one in row.inputs if one in ways]
            maps = [one for one in before if _places(one[-1]) != (1, 1)]
            ways[row.name] = way = [*max(maps or before, key=len, default=[]), row]
    return way


def within_blocks(inspection: Inspection, path: Sequence[Row]) -> set[str]:
    """Names of the rows of the path that lie in a branch: between a sum or a join and where its
    ways part.

    A way through a coarser resolution than that of its end, such as that of a U-Net through its
    depth, is no branch.
    """
    order = {row.name: number for number, row in enumerate(inspection.rows)}
    certain: dict[str, int] = {}  # the rows that every way to a row passes, a bit each
    nearest: dict[str, int] = {}
    for number, row in enumerate(inspection.rows):
        before = [certain[one] for one in row.inputs if one in certain]
        common = reduce(and_, before) if before else 0
        nearest[row.name] = common.bit_length() - 1  # the last of them; -1: the image
        certain[row.name] = common | 1 << number
    found: set[str] = set()
    for at, row in enumerate(path):
        between = [one for one in path[:at] if order[one.name] > nearest[row.name]]
        least = min((prod(_places(one)) for one in between if one.kind in SHAPES_OF), default=inf)
        if SHAPES_OF.get(row.kind) in ("block", "join") and least >= prod(_places(row)):
            found.update(one.name for one in between)
    return found


def stages(inspection: Inspection) -> list[Stage]:
    """The image, then the longest path by resolution."""
    height, width, channels = inspection.size
    found = [Stage((height, width), (("image", channels),), 1, ())]
    path = longest_path(inspection)
    hidden = within_blocks(inspection, path)
    for _, group in groupby((row for row in path if row.kind in SHAPES_OF), _places):
        rows = tuple(group)
        shown = [row for row in rows if row.name not in hidden]
        boxes = [(SHAPES_OF[row.kind], row.shape[-1]) for row in shown]
        kept = boxes if len(boxes) <= _MOST else [*boxes[: _MOST - 1], boxes[-1]]
        if shown:
            found.append(Stage(_places(rows[0]), tuple(kept), len(boxes), rows, shown[-1]))
    return found


def _places(row: Row) -> tuple[int, ...]:
    return tuple(row.shape[:2]) if len(row.shape) == 3 else ()


def volumes(inspection: Inspection) -> str:
    """The image of the architecture, an SVG document."""
    found, page, x = stages(inspection), Page(640, margin=_MARGIN), _MARGIN
    size, costs = times_sign(inspection.size[:2]), summary(inspection)
    page.text(_MARGIN, 28, inspection.name, 21, bold=True)
    page.text(
        *(_MARGIN, 51),
        f"{costs['parameters'] / 1e6:,.2f} million parameters, "
        f"{costs['multiply_adds'] / 1e9:,.2f} billion multiply-adds at {size}",
        *(13, PALE),
    )
    for stage in found:
        end, lines = _draw(page, x, stage, max(inspection.size[:2])), _labels(stage)
        for number, line in enumerate(lines):
            page.text(
                *(x, _BASE + 20 + 16 * number, line, 12 if number else 13),
                PALE if number else INK,
                bold=not number,
            )
        x = (
            max(
                end,
                *(x + text_width(line, 15) for line in lines[:1]),
                *(x + text_width(line, 12) for line in lines),
            )
            + _BETWEEN
        )
    x, y = _MARGIN, _BASE + _LABEL + 14
    for kind in dict.fromkeys(kind for stage in found for kind, _ in stage.boxes):
        name = {"block": "block (sum)", "join": "join of branches"}.get(kind, kind)
        page.shape(np.add((x, y - 6), 12 * _FRONT), COLOURS[kind])
        page.text(x + 18, y, name, 12, PALE)
        x += 38 + text_width(name, 12)
    page.text(
        *(_MARGIN, y + 22),
        "lengths go with the square roots of sizes and channels; of branches the longest is "
        "counted",
        *(11, PALE),
    )
    return page.svg()


def _draw(page: Page, x: float, stage: Stage, highest: int) -> float:
    """The boxes of a stage from x on, whose depth goes up and to the right; returns where they
    end.
    """
    for number, (kind, channels) in enumerate(stage.boxes):
        high, deep, wide = min(max(2.2 * channels**0.5, 12.0), _HIGH * 0.7), 5.0, 9.0
        if stage.size:
            high, deep = (max(_HIGH * (side / highest) ** 0.5, 5.0) for side in stage.size)
            deep, wide = deep * _DEEP, max(_THICK * channels**0.5, 3.0)
        back = np.array((deep * 0.72, -deep * 0.5))
        if stage.count > len(stage.boxes) and number == len(stage.boxes) - 1:
            x += back[0] + 28 + _GAP
            page.text(x - _GAP - 14, _BASE - high / 2, "…", 16, PALE, "center")
        front = np.array((x, _BASE)) + np.multiply(_FRONT, (wide, -high))
        page.shape([front[1], front[2], front[2] + back, front[1] + back], COLOURS[kind], -0.2)
        page.shape([front[3], front[2], front[2] + back, front[3] + back], COLOURS[kind], 0.45)
        page.shape(front, COLOURS[kind])
        x += wide + _GAP
    return x - _GAP + float(back[0])


def _labels(stage: Stage) -> list[str]:
    """What stands below a stage: its volume, what it is made of, what its units see."""
    if stage.end is None:
        return [times_sign((*stage.size, stage.boxes[0][1])), "image"]
    counts = Counter(SHAPES_OF[row.kind] for row in stage.rows)
    lines = [times_sign(stage.end.shape)]
    for kind in ("pooling", "enlarging", "convolution", "dense", "join", "block"):
        name = "dense layer" if kind == "dense" else kind
        if counts[kind] == 1:
            lines.append(name if kind in ("pooling", "enlarging") else f"1 {name}")
        elif counts[kind]:
            lines.append(f"{counts[kind]} {name}s")
    seen = field_text(stage.end)[0]
    return [*lines, "sees the image" if seen == "image" else f"sees {seen} px"]
