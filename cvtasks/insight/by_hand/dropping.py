"""Dropout seen: the same units in two passes of training, and in a prediction."""

from dataclasses import dataclass

import numpy as np

from cvtasks.drawing.sheets import INK, LINE, MARK, PALE, PAPER, Page
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, TEXT, headed, new_page
from cvtasks.insight.by_hand.steps import factor, number

MOST_UNITS = 8
"""Of a sheet."""
_FILL, _TURN = "#b9e4c0", np.linspace(0, 2 * np.pi, 33)


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass of training.

    Attributes:
        kept: bools of the units' shape; False where a unit was dropped.
        values: float64, what goes on to the next layer.
    """

    kept: np.ndarray
    values: np.ndarray


def dropout(units: np.ndarray, rate: float, rng: np.random.Generator) -> Pass:
    """Drop each unit with a probability of `rate`; what is left is divided by 1 − rate, so that
    the mean over many passes is what was there. A prediction drops nothing.

    Args:
        units: activations of any shape.
        rate: from 0 on, below 1.

    Raises:
        UsageError: another rate.

    Srivastava et al., "Dropout", 2014, with the division at training ("inverted dropout"), as Keras
    has it.

    >>> dropout(np.array([1.0, 2.0]), 0.0, np.random.default_rng(0)).values.tolist()
    [1.0, 2.0]
    """
    if not 0 <= rate < 1:
        raise UsageError(f"the rate of dropout lies from 0 on and below 1; got {rate}. Try 0.5.")
    units = np.asarray(units, np.float64)
    kept = rng.random(units.shape) >= rate
    return Pass(kept, np.where(kept, units / (1 - rate), 0.0))


def two_passes(units: np.ndarray, rate: float, seed: int) -> tuple[Pass, Pass]:
    """Two passes with the same units (n,), by one seed."""
    rng = np.random.default_rng(seed)
    return dropout(units, rate, rng), dropout(units, rate, rng)


def mean_of_passes(units: np.ndarray, rate: float, seed: int, passes: int = 10_000) -> np.ndarray:
    """What goes on in the mean over many passes: near the units (n,) themselves."""
    rng = np.random.default_rng(seed)
    many = np.broadcast_to(np.asarray(units, np.float64), (passes, len(units)))
    return dropout(many, rate, rng).values.mean(axis=0)


def pass_work(units: np.ndarray, one: Pass, rate: float) -> list[str]:
    """The arithmetic of one pass over units (n,), and their sum, line by line."""
    parts = [
        f"{factor(unit)}/{number(1 - rate)} = {number(value)}" if kept else f"{number(unit)} → 0"
        for unit, kept, value in zip(units, one.kept, one.values, strict=True)
    ]
    mask = " ".join(str(int(kept)) for kept in one.kept)
    return [
        f"mask {mask}",
        ",  ".join(parts),
        f"a unit that adds them up gets {number(float(one.values.sum()))}",
    ]


def dropout_sheet(units: np.ndarray, rate: float = 0.5, seed: int = 1) -> np.ndarray:
    """A layer of units drawn in two passes of training and in a prediction: dropped units are
    crossed out, and nothing leads through them.

    Args:
        units: (n,) activations of the layer, at most `MOST_UNITS`.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        UsageError: too many units, or another rate.
    """
    units = np.asarray(units, np.float64)
    if units.ndim != 1 or not 1 <= len(units) <= MOST_UNITS:
        raise UsageError(f"a row of 1 to {MOST_UNITS} units is drawn; got {units.shape}.")
    page = new_page()
    top = headed(
        page,
        f"dropout, rate {number(rate)}: each pass of training drops other units",
        f"what is kept is divided by 1 − {number(rate)}; a prediction drops nothing",
    )
    passes = two_passes(units, rate, seed)
    everything = Pass(np.ones(len(units), bool), units)
    for count, (name, one) in enumerate(
        (
            ("training, one pass", passes[0]),
            ("training, the next", passes[1]),
            ("prediction", everything),
        )
    ):
        _network(page, EDGE + 9.2 * count, top, name, one)
    return page.pixels()


def _network(page: Page, x: float, y: float, name: str, one: Pass) -> None:
    """Inputs, the layer and a unit that adds it up, the upper left corner at (x, y)."""
    page.text(x, y + 0.4, name, CAPTION * page.unit, bold=True)
    count = len(one.values)
    middle = y + 1.4 + 1.5 * (count - 1) / 2
    inputs = [(x + 0.7, middle + 1.8 * (place - 1)) for place in range(3)]
    layer = [(x + 3.6, y + 1.4 + 1.5 * place) for place in range(count)]
    output = (x + 6.9, middle)
    for at, kept in zip(layer, one.kept, strict=True):
        for other in (*inputs, output):
            if kept:
                page.stroke([at, other], LINE, 1.5, below=True)
    for at in inputs:
        _unit(page, at, "x")
    for at, kept, value in zip(layer, one.kept, one.values, strict=True):
        _unit(page, at, number(value) if kept else "", kept)
    _unit(page, output, number(float(one.values.sum())), radius=0.75)
    page.text(output[0], middle + 1.1, "Σ", TEXT * page.unit, PALE, "center")


def _unit(
    page: Page, at: tuple[float, float], text: str, kept: bool = True, radius: float = 0.6
) -> None:
    x, y = at
    circle = np.stack([x + radius * np.cos(_TURN), y + radius * np.sin(_TURN)], axis=1)
    page.shape(circle, _FILL if kept else PAPER)
    if kept:
        page.text(x, y, text, TEXT * page.unit, INK, "center")
        return
    part = 0.7 * radius
    page.stroke([(x - part, y - part), (x + part, y + part)], MARK, 3)
    page.stroke([(x - part, y + part), (x + part, y - part)], MARK, 3)
