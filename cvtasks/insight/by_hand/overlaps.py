"""How far boxes overlap, and which of them non-maximum suppression leaves, with the arithmetic."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvtasks.drawing.sheets import LINE, PALE, PLAIN, RESULT
from cvtasks.errors import UsageError
from cvtasks.geometry.boxes import areas, intersections, iou, nms
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, TEXT, cells, headed, lines, new_page
from cvtasks.insight.by_hand.steps import number

MOST_BOXES = 8
"""Of a sheet; each has a letter and a colour."""
_COLOURS = (
    *("#2862be", "#be2860", "#2e7d32", "#b08000"),
    *("#6046b0", "#00838f", "#a0522d", "#546e7a"),
)
_SIDE = 7.0  # of the drawing, in cells


@dataclass(frozen=True, eq=False)
class Overlapping:
    """Boxes of one class, and how sure a detector is of each.

    Attributes:
        xyxy: (n, 4) left, top, right, bottom.
        scores: (n,); empty where nothing is to be suppressed.
        threshold: IoU above which a box goes where a surer one is.
    """

    xyxy: np.ndarray
    scores: np.ndarray
    threshold: float

    @property
    def names(self) -> str:
        """A letter for each box."""
        return "ABCDEFGH"[: len(self.xyxy)]

    @property
    def ious(self) -> np.ndarray:
        """(n, n) intersections over unions, 0 to 1."""
        return iou(self.xyxy, self.xyxy)

    @property
    def kept(self) -> list[int]:
        """The boxes that suppression leaves, the surest first; none where there are no scores."""
        if not len(self.scores):
            return []
        same = np.zeros(len(self.scores), int)
        return nms(self.xyxy, self.scores, same, self.threshold, len(same)).tolist()

    def work(self) -> list[str]:
        """The arithmetic, line by line."""
        own, shared, found = areas(self.xyxy), intersections(self.xyxy, self.xyxy), []
        for name, (left, top, right, bottom), area in zip(self.names, self.xyxy, own, strict=True):
            sides = f"({number(right)} − {number(left)}) · ({number(bottom)} − {number(top)})"
            found.append(f"{name}: {sides} = {number(area)}")
        for one, other in np.argwhere(np.triu(np.ones_like(shared), 1)):
            pair = f"{self.names[one]}, {self.names[other]}"
            if not shared[one, other]:
                found.append(f"IoU({pair}) = 0, as they share nothing")
                continue
            sides = " · ".join(self._side(one, other, axis) for axis in (0, 1))
            both = number(shared[one, other])
            union = f"({number(own[one])} + {number(own[other])} − {both})"
            found.append(f"{self.names[one]} ∩ {self.names[other]}: {sides} = {both}")
            found.append(f"IoU({pair}) = {both} / {union} = {number(self.ious[one, other])}")
        return found + self.suppression()

    def _side(self, one: int, other: int, axis: int) -> str:
        ends, starts = self.xyxy[[one, other], axis + 2], self.xyxy[[one, other], axis]
        least, most = (", ".join(map(number, sides)) for sides in (ends, starts))
        return f"(min({least}) − max({most}))"

    def suppression(self) -> list[str]:
        """What becomes of each box, the surest first, in sentences; none without scores."""
        found: list[str] = []
        kept: list[int] = []
        order = np.argsort(-self.scores, kind="stable").tolist()
        for count, box in enumerate(order, start=1):
            said = f"{count}. {self.names[box]}, {number(self.scores[box])}: "
            over = next((one for one in kept if self.ious[box, one] > self.threshold), None)
            if over is None:
                kept.append(box)
                found.append(f"{said}stays")
                continue
            share = number(self.ious[box, over])
            found.append(
                f"{said}goes, as IoU({self.names[over]}, {self.names[box]}) = {share} > "
                f"{number(self.threshold)}"
            )
        return found


def overlapping(xyxy: np.ndarray, scores: Sequence[float], threshold: float) -> Overlapping:
    """Boxes, checked.

    Args:
        xyxy: (n, 4). scores: of each, or none at all. threshold: 0 to 1.

    Raises:
        UsageError: fewer than two boxes or too many, no boxes, or scores of others.
    """
    if xyxy.ndim != 2 or xyxy.shape[1] != 4 or not 2 <= len(xyxy) <= MOST_BOXES:
        raise UsageError(
            f"2 to {MOST_BOXES} boxes of four numbers each, left, top, right and bottom, with "
            f'semicolons between, like "10 10 50 50; 30 30 70 70"; got {xyxy.shape[0]} of '
            f"{xyxy.shape[-1]}."
        )
    if (xyxy[:, 2:] <= xyxy[:, :2]).any():
        raise UsageError(
            "a box ends to the right of and below where it begins: left, top, right, bottom; got "
            f"{xyxy.tolist()}."
        )
    if len(scores) not in (0, len(xyxy)) or min(scores, default=1) <= 0:
        raise UsageError(
            f"there must be a score above 0 for each of the {len(xyxy)} boxes, or none; got "
            f"{[*scores]}."
        )
    if not 0 <= threshold <= 1:
        raise UsageError(f"the threshold is an IoU, 0 to 1; got {threshold}.")
    return Overlapping(xyxy.astype(np.float64), np.array(scores, np.float64), threshold)


def overlap_sheet(one: Overlapping) -> np.ndarray:
    """The boxes, drawn, the IoU of each pair, and what suppression does.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    page = new_page()
    said = one.suppression()
    top = headed(
        page,
        "intersection over union" + (" and non-maximum suppression" if said else ""),
        "IoU = |A ∩ B| / |A ∪ B|, |A ∪ B| = |A| + |B| − |A ∩ B|",
    )
    low, high = one.xyxy[:, :2].min(axis=0), one.xyxy[:, 2:].max(axis=0)
    scale = _SIDE / (high - low).max()
    across, down = ((high - low) * scale).tolist()
    page.frame(EDGE, top + 0.6, across, down, LINE, 1)
    gone = set(range(len(one.xyxy))) - set(one.kept) if said else set()
    for box, (left, upper, right, lower) in enumerate(one.xyxy):
        x, y = EDGE + (left - low[0]) * scale, top + 0.6 + (upper - low[1]) * scale
        width, height = (right - left) * scale, (lower - upper) * scale
        page.frame(x, y, width, height, _COLOURS[box], 1.5 if box in gone else 4)
        at = x + 0.15 + 0.3 * box, y + 0.4  # so that boxes that begin together can be told apart
        page.text(*at, one.names[box], CAPTION * page.unit, _COLOURS[box], bold=True)
    x, table = EDGE + _SIDE + 1.5, one.ious
    page.text(x, top + 0.3, "IoU of each pair", CAPTION * page.unit, PALE)
    fills = np.full((*table.shape, 3), PLAIN)
    fills[table > one.threshold] = RESULT
    for box, name in enumerate(one.names):
        for place in ((x + 1.4 + box, top + 1.0), (x + 0.4, top + 1.9 + box)):
            page.text(*place, name, TEXT * page.unit, _COLOURS[box], "center", bold=True)
    cells(page, x + 0.9, top + 1.4, table, fills)
    limit = f"green: above {number(one.threshold)}"
    page.text(x, top + 1.9 + len(table), limit, TEXT * page.unit, PALE)
    below = top + 1.4 + max(_SIDE, len(table) + 1.0)
    lines(page, EDGE, below, said)
    return page.pixels()
