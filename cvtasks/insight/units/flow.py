"""An image's way through a network: the tensors that it becomes, each as the maps or numbers that
it holds, in sizes that are to scale.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from cvtasks.drawing.sheets import INK, LINE, PALE, Page, blue_red, heat, text_width
from cvtasks.geometry.letterbox import Placement
from cvtasks.insight.graph import unfold
from cvtasks.insight.inspecting.diagram import SHAPES_OF, longest_path
from cvtasks.insight.inspecting.formulas import times_sign
from cvtasks.insight.inspecting.inspect import Row, inspect_network, window_text
from cvtasks.insight.units.map_geometry import Prepare, check_finite, on_input
from cvtasks.text import counted

MOST = 9
"""Tensors that are drawn, besides the image and the scores; of more, the last of each size."""
MAPS = 16
"""Maps of one that are drawn at most, the strongest; of large ones 9."""

_ACTIVATIONS = ("activation", "relu", "relu6", "leaky relu", "softmax")
_MARGIN, _TOP, _TALL, _SIDE = 30, 150, 470, 150  # of the page; the maps' height; the image's side
_BETWEEN, _GAP, _LEAST = 96, 5, 24  # of two tensors, of two maps; the smallest side of a map
_CELL, _BAR, _SURE = 30, "#6fa8dc", "#f3b562"


@dataclass(frozen=True, eq=False)
class Tensor:
    """What one layer makes of the image.

    Attributes:
        layer: its name.
        made_by: what makes it, in a few words; behind "…", of a tensor that is not here.
        values: (h, w, units) or (units,) float32.
    """

    layer: str
    made_by: str
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Flow:
    """An image and all that becomes of it.

    Attributes:
        image: (H, W, 3) uint8 RGB, the network input.
        scores: (classes,) 0 to 1, of a classifier.
    """

    image: np.ndarray
    tensors: tuple[Tensor, ...]
    scores: np.ndarray | None


def tensors_of(
    network: keras.Model,
    image: np.ndarray,
    prepare: Prepare | None = None,
    placement: Placement = "centre",
    activate: Callable[[Any], Any] | None = None,
) -> Flow:
    """Follow an image along the longest way through a network.

    A convolution's tensor is shown behind its activation. What is neither maps nor a row of numbers
    is left out, such as a detector's answer.

    Args:
        image: (h, w, 3) uint8 RGB of any size; it is fitted to the network input as everywhere.
        prepare: the task's own preparation.
        placement: where the image lies on the network input.
        activate: makes scores (batch, classes) of a classifier's logits.

    Raises:
        UsageError: the network is no graph of layers.
        ModelError: what it answers is no finite number.
    """
    _, given = on_input(network, image, prepare, placement)
    unfolded = unfold(network)
    steps = _steps(longest_path(inspect_network(unfolded.network)))
    steps = [
        (made, at)
        for made, at in steps
        if at.name in unfolded.outputs and len(at.shape) in (1, 3)  # not a detector's (cells, …)
    ]
    left_out = len(steps) > MOST
    if left_out:
        last = {at.shape[:2] if len(at.shape) == 3 else at.name: (made, at) for made, at in steps}
        steps = list(last.values())[-MOST:]
    tapped = unfolded.tap([at.name for _, at in steps])
    *answers, logits = tapped(given[None].astype(np.float32), training=False)
    found = []
    for (made, at), answer in zip(steps, answers, strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(answer), np.float32)[0]
        check_finite(values, at.name)
        found.append(Tensor(at.name, f"… {_said(made)}" if left_out else _said(made), values))
    scores = activate and np.asarray(keras.ops.convert_to_numpy(activate(logits)), np.float32)[0]
    return Flow(given, tuple(found), scores)


def _steps(path: Sequence[Row]) -> list[tuple[Row, Row]]:
    """What changes a tensor, and where it is to be looked at: behind its activation."""
    found: list[tuple[Row, Row]] = []
    for row in path:
        if row.kind in SHAPES_OF:
            found.append((row, row))
        elif row.kind in _ACTIVATIONS and found and found[-1][1].shape == row.shape:
            found[-1] = (found[-1][0], row)
    return found


def _said(row: Row) -> str:
    kernel, stride, _ = window_text(row)
    moved = f", /{stride}" if kernel and stride not in ("", "1") else ""
    return f"{kernel} {row.kind}{moved}".strip()


# === drawn ===


def flow_page(flow: Flow, title: str, classes: Sequence[str] = ()) -> np.ndarray:
    """The tensors from the left to the right, (h, w, 3) uint8 RGB.

    Args:
        classes: names of the scores.
    """
    page = Page(margin=_MARGIN)
    page.text(_MARGIN, 38, title, 26, bold=True)
    page.text(
        *(
            _MARGIN,
            74,
            "each map by its own largest number; of either sign: red above 0, blue below",
        ),
        *(17, PALE),
    )
    scale = _SIDE / max(flow.image.shape[:2])
    x, middle = float(_MARGIN), _TOP + 40 + _TALL / 2
    high, wide = (side * scale for side in flow.image.shape[:2])
    page.image(x, middle - high / 2, flow.image, wide, high)
    end = _head(page, x, wide, "image", times_sign(flow.image.shape))
    for tensor in flow.tensors:
        x = _joined(page, end, middle, tensor.made_by)
        draw = _maps if tensor.values.ndim == 3 else _numbers
        wide, remark = draw(page, x, middle, tensor.values, scale)
        end = _head(page, x, wide, tensor.layer, times_sign(tensor.values.shape), remark)
    if flow.scores is not None:
        x = _joined(page, end, middle, "scores")
        _scores(page, x, middle, flow.scores, classes)
    return page.pixels()


def _head(page: Page, x: float, wide: float, name: str, shape: str, remark: str = "") -> float:
    """Write what a tensor is above it; returns where it ends."""
    name = name if len(name) <= 24 else f"{name[:23]}…"
    size = 19.0 if len(name) < 13 else 15.0
    page.text(x, _TOP - 24, name, size, bold=True)
    page.text(x, _TOP, shape, 18)
    if remark:
        page.text(x, _TOP + 24, remark, 15, PALE)
    written = max(1.15 * text_width(name, size), text_width(shape, 18), text_width(remark, 15))
    return x + max(wide, written)


def _joined(page: Page, x: float, middle: float, said: str) -> float:
    """An arrow to the next tensor with what makes it; returns where that begins."""
    wide = max(_BETWEEN, text_width(said, 15) + 26)
    page.arrow([(x + 10, middle), (x + wide - 8, middle)], INK, 2.5)
    page.text(x + wide / 2, middle - 18, said, 15, at="center")
    return x + wide


def _maps(
    page: Page, x: float, middle: float, values: np.ndarray, scale: float
) -> tuple[float, str]:
    """Maps (h, w, units) as tiles below and beside each other; returns how wide they are, and what
    is to be said of them.
    """
    height, width, count = values.shape
    high, wide = (max(side * scale, _LEAST) for side in (height, width))
    most, units = MAPS if high < _SIDE / 2 else MAPS // 2 + 1, list(range(count))
    if count > most:
        peaks = np.abs(values).max(axis=(0, 1))
        units = sorted(np.argsort(-peaks, kind="stable")[:most].tolist())
    rows = max(1, min(len(units), int((_TALL + _GAP) // (high + _GAP))))
    columns = -(-len(units) // rows)
    rows = -(-len(units) // columns)
    top = middle - (rows * (high + _GAP) - _GAP) / 2
    for number, unit in enumerate(units):
        row, column = divmod(number, columns)
        left, upper = x + column * (wide + _GAP), top + row * (high + _GAP)
        its = values[..., unit]
        page.image(left, upper, (blue_red if values.min() < 0 else heat)(its), wide, high)
        page.frame(left, upper, wide, high, LINE, 1)
    remark = f"{most} of {count} maps" if count > most else ""
    return columns * (wide + _GAP) - _GAP, remark


def _numbers(
    page: Page, x: float, middle: float, values: np.ndarray, scale: float
) -> tuple[float, str]:
    """Numbers (units,) as a column of cells."""
    drawn = (blue_red if values.min() < 0 else heat)(values[:, None])
    high = min(_TALL, max(len(values) * 4.0, 120.0))
    page.image(x, middle - high / 2, drawn, _CELL, high)
    page.frame(x, middle - high / 2, _CELL, high, LINE, 1)
    return _CELL, ""


def _scores(
    page: Page, x: float, middle: float, scores: np.ndarray, classes: Sequence[str]
) -> None:
    """The ten best scores as bars with their names, in the order of the classes."""
    shown = np.sort(np.argsort(-scores, kind="stable")[:10])
    names = [classes[index] if classes else str(index) for index in shown]
    room, step = max(text_width(name, 19) for name in names) + 10, 36
    top = middle - len(shown) * step / 2
    _head(page, x, 0, "scores", counted(len(scores), "class"))
    for number, (index, name) in enumerate(zip(shown, names, strict=True)):
        upper, long = top + number * step, max(1.0, 120 * float(scores[index]))
        page.text(x, upper + step / 2, name, 19, bold=index == scores.argmax())
        left = x + room
        corners = [(left, upper + 6), (left + long, upper + 6)]
        corners += [(left + long, upper + step - 6), (left, upper + step - 6)]
        page.shape(corners, _SURE if index == scores.argmax() else _BAR)
        page.text(left + long + 8, upper + step / 2, f"{scores[index]:.2f}", 16, PALE)
