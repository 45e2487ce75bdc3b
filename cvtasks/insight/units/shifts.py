"""What becomes of a layer's answers where the image moves to the right, pixel by pixel.

A convolution's answers move along (*equivariance*): what is elsewhere is answered to elsewhere.
Pooling and strides take small moves away, and a classifier, at best, all of them (*invariance*).
Neither holds without remainder (Zhang 2019, "Making Convolutional Networks Shift-Invariant Again",
section 3): behind a stride, answers move along with whole strides only, and at the borders
something else comes in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import keras
import numpy as np

from cvtasks.drawing.sheets import LINE, PALE, Page, blue_red, heat, text_width
from cvtasks.errors import UsageError
from cvtasks.geometry.letterbox import Placement
from cvtasks.insight.graph import unfold
from cvtasks.insight.units.feature_maps import last_of_each_size
from cvtasks.insight.units.map_geometry import (
    Prepare,
    axes_of,
    check_finite,
    check_has_places,
    on_input,
)
from cvtasks.text import counted

SCORES = "scores"
"""What the row of a classifier's answers is called."""

_MOST = 6  # moves that are looked at, besides none
_TILE, _GAP, _MARGIN, _LEFT, _BELOW = 150, 18, 26, 200, 58  # of the page, in pixels
_BARS, _BAR, _SURE = 10, "#6fa8dc", "#f3b562"  # classes that have a bar; the surest one's colour
_LEGEND = (
    "changed: how far answers are from those to the image that has not moved, as a share of them",
    "along: the same after moving those first answers along; – where that is no whole step",
)


@dataclass(frozen=True, eq=False)
class Moved:
    """What one layer answers to an image and to the moved ones.

    Attributes:
        layer: its name.
        values: (moves, h, w, units) float32; of a classifier (moves, classes).
        stride: pixels of the network input from one place to the next; 0 without places.
        changed: (moves,) the length of the difference to the first answers by their own length.
        along: (moves,) the same after moving the first answers along, over the places that both
            have; NaN where the move is no whole number of strides.
    """

    layer: str
    values: np.ndarray
    stride: float
    changed: np.ndarray
    along: np.ndarray


@dataclass(frozen=True, eq=False)
class Moves:
    """An image that moves, and what layers answer.

    Attributes:
        pixels: (moves,) to the right; the first is 0.
        images: (moves, H, W, 3) uint8 RGB network inputs.
    """

    pixels: np.ndarray
    images: np.ndarray
    layers: tuple[Moved, ...]


def shifted_answers(
    network: keras.Model,
    image: np.ndarray,
    most: int,
    layers: Sequence[str] = (),
    prepare: Prepare | None = None,
    placement: Placement = "centre",
    activate: Callable[[Any], Any] | None = None,
) -> Moves:
    """What layers answer to an image that moves to the right by 0 to `most` pixels of the network
    input; what comes in at the left is its edge.

    Args:
        image: (h, w, 3) uint8 RGB of any size; it is fitted to the network input as everywhere.
        most: 1 or more, less than the input is wide; above six, not every move is looked at, but
            multiples of a power of two.
        layers: by default the last at each size of map.
        prepare: the task's own preparation.
        placement: where the image lies on the network input.
        activate: makes scores (batch, classes) of a classifier's logits, which then come last.

    Raises:
        UsageError: no such move or layer, or a layer whose output has no places.
        ModelError: what it answers is no finite number.
    """
    _, given = on_input(network, image, prepare, placement)
    wide = given.shape[1]
    if not 1 <= most < wide:
        raise UsageError(
            f"an image moves by at least 1 pixel and by less than its width, {wide}; got {most}.",
            ways={"shift": f"{min(4, wide - 1)}"},
        )
    step = 2 ** max(0, ceil(log2(most / _MOST)))  # strides are powers of two
    pixels = np.unique([*range(0, most, step), most])
    images = np.stack([np.pad(given, ((0, 0), (by, 0), (0, 0)), "edge")[:, :wide] for by in pixels])
    unfolded, names = unfold(network), list(layers or last_of_each_size(network))
    for name in names:
        check_has_places(unfolded.at(name).shape, name, unfolded.spatial())
    *answers, logits = unfolded.tap(names)(images.astype(np.float32), training=False)
    found = []
    for name, answer in zip(names, answers, strict=True):
        values = np.asarray(keras.ops.convert_to_numpy(answer), np.float32)
        check_finite(values, name)
        middles = axes_of(unfolded.until(name))[1].middles
        stride = float(middles[1] - middles[0]) if len(middles) > 1 else float(wide)
        found.append(_moved(name, values, pixels, stride))
    if activate:
        scores = np.asarray(keras.ops.convert_to_numpy(activate(logits)), np.float32)
        found.append(_moved(SCORES, scores, pixels, 0.0))
    return Moves(pixels, images, tuple(found))


def _moved(layer: str, values: np.ndarray, pixels: np.ndarray, stride: float) -> Moved:
    """Measure how far a layer's answers (moves, …) are from the first."""
    along = np.full(len(pixels), np.nan)
    for number, by in enumerate(pixels):
        places = by / stride if stride else 0.5
        if places == int(places) < values.shape[2]:
            start = int(places)
            still = values[0][:, : values.shape[2] - start]
            along[number] = _distance(values[number][:, start:], still)
    changed = np.array([_distance(one, values[0]) for one in values])
    return Moved(layer, values, stride, changed, along)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """The length of the difference of two arrays by the length of the second; where that is 0, 0
    if they are equal and else 1.
    """
    length, apart = float(np.linalg.norm(other)), float(np.linalg.norm(one - other))
    return apart / length if length else float(apart > 0)


# === drawn ===


def shift_page(moves: Moves, title: str, classes: Sequence[str] = ()) -> np.ndarray:
    """A row a layer, a tile a move: the map of the unit that answers most to the image, and a
    classifier's scores as bars.

    Args:
        classes: names of the scores.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    page = Page(margin=_MARGIN)
    page.text(_MARGIN, 38, title, 26, bold=True)
    for number, line in enumerate(_LEGEND):
        page.text(_MARGIN, 74 + 25 * number, line, 17, PALE)
    y = 124.0
    across = [_MARGIN + _LEFT + number * (_TILE + _GAP) for number in range(len(moves.pixels))]
    page.text(_MARGIN, y + _TILE / 2, "the image", 20, bold=True)
    for x, by, image in zip(across, moves.pixels, moves.images, strict=True):
        page.image(x, y, image, _TILE, _TILE)
        page.frame(x, y, _TILE, _TILE, LINE, 1)
        said = f"moved by {by}" if by else "as it is"
        page.text(x + _TILE / 2, y + _TILE + 19, said, 19, at="center", bold=True)
    for layer in moves.layers:
        y += _TILE + _BELOW
        maps = layer.values.ndim == 4
        _row_head(page, y, layer)
        for number, x in enumerate(across):
            if maps:
                page.image(x, y, _map(layer.values, number), _TILE, _TILE)
            else:
                _bars(page, x, y, layer.values[number], layer.values[0], classes)
            page.frame(x, y, _TILE, _TILE, LINE, 1)
            if number:
                along = layer.along[number]
                also = f"along {'–' if np.isnan(along) else f'{along:.2f}'}" if maps else ""
                for below, text in ((15, f"changed {layer.changed[number]:.2f}"), (35, also)):
                    page.text(x + _TILE / 2, y + _TILE + below, text, 17, at="center")
    return page.pixels()


def _row_head(page: Page, y: float, layer: Moved) -> None:
    """What stands to the left of a layer's tiles."""
    lines = [counted(layer.values.shape[-1], "class")]
    if layer.values.ndim == 4:
        _, height, width, units = layer.values.shape
        unit = f"unit {_strongest(layer.values)}"
        lines = [
            f"{height}×{width}×{units}",
            f"a step is {counted(layer.stride, 'pixel', 'g')}",
            unit,
        ]
    size = min(20.0, 20.0 * (_LEFT - 12) / (1.15 * text_width(layer.layer, 20)))
    page.text(_MARGIN, y + _TILE / 2 - 36, layer.layer, size, bold=True)
    for number, line in enumerate(lines):
        page.text(_MARGIN, y + _TILE / 2 - 8 + 23 * number, line, 16, PALE)


def _strongest(values: np.ndarray) -> int:
    """The unit with the largest answer to the image that has not moved."""
    return int(values[0].max(axis=(0, 1)).argmax())


def _map(values: np.ndarray, number: int) -> np.ndarray:
    """The strongest unit's answers to one move, in colours that are the same for all moves."""
    its = values[..., _strongest(values)]
    return (blue_red if its.min() < 0 else heat)(its[number], float(np.abs(its).max()))


def _bars(
    page: Page, x: float, y: float, scores: np.ndarray, first: np.ndarray, classes: Sequence[str]
) -> None:
    """Scores (classes,) from 0 to 1 as bars, of many those that were highest for the first
    image.
    """
    shown = np.sort(np.argsort(-first, kind="stable")[:_BARS])
    wide, best = _TILE / len(shown), int(scores.argmax())
    for place, index in enumerate(shown):
        left, right, foot = x + place * wide, x + (place + 1) * wide, y + _TILE
        top = foot - (_TILE - 30) * float(scores[index])
        corners = [(left, foot), (right, foot), (right, top), (left, top)]
        page.shape(corners, _SURE if index == best else _BAR)
    name = classes[best] if classes else str(best)
    page.text(x + _TILE / 2, y + 15, f"{name}  {scores[best]:.2f}", 17, at="center", bold=True)
