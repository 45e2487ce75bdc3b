"""Softmax and cross-entropy with their arithmetic, and drawn: from a network's scores to
probabilities, to the loss, to what comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvtasks.drawing.sheets import INK, LINE, PALE, RESULT, WINDOW
from cvtasks.errors import UsageError
from cvtasks.insight.by_hand.layout import CAPTION, EDGE, TEXT, headed, new_page, wide
from cvtasks.insight.by_hand.steps import number

MOST_CLASSES = 12
"""Of a sheet."""
_BAR = "#4f7cac"


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities of scores along the last axis, p(i) = exp s(i) / Σ exp s(j).

    The largest score is taken off first, which changes nothing and keeps exp within what a float
    can hold.

    Args:
        scores: (…, c), any finite numbers.

    Returns:
        (…, c) float64, which add up to 1.

    >>> softmax(np.log([1, 2, 5])).round(3).tolist()
    [0.125, 0.25, 0.625]
    """
    scores = np.asarray(scores, np.float64)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def cross_entropy(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The loss of scores by what is right, H = −Σ y(i) log p(i) with the natural logarithm, which
    is −log p of the right class where y is 1 there and 0 elsewhere.

    Args:
        scores: (…, c).
        targets: (…, c) y, a distribution: not below 0, adding up to 1.

    Returns:
        (…) float64, 0 or more.

    Raises:
        UsageError: shapes that differ, or no distribution.

    >>> cross_entropy(np.log([1, 2, 5]), np.array([0, 1, 0])).round(3)
    np.float64(1.386)
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets, np.float64)
    if scores.shape != targets.shape:
        raise UsageError(
            f"scores and targets have one shape; got {scores.shape} and {targets.shape}."
        )
    if (targets < 0).any() or not np.allclose(targets.sum(axis=-1), 1):
        raise UsageError(
            "a target is a distribution, of numbers from 0 to 1 that add up to 1; got "
            f"{targets.tolist()}. Of one right class it is 1 there and 0 elsewhere."
        )
    from_largest = scores - scores.max(axis=-1, keepdims=True)
    logarithms = from_largest - np.log(np.exp(from_largest).sum(axis=-1, keepdims=True))
    return -np.where(targets > 0, targets * logarithms, 0.0).sum(axis=-1)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores (c,) of one image, and which of the classes is right.

    Attributes:
        target: the right class, from 0.
        names: of the classes.
    """

    scores: np.ndarray
    target: int
    names: Sequence[str]

    @property
    def powers(self) -> np.ndarray:
        """(c,) exp s."""
        return np.exp(self.scores)

    @property
    def probabilities(self) -> np.ndarray:
        """(c,) p, what softmax makes of the scores."""
        return softmax(self.scores)

    @property
    def one_hot(self) -> np.ndarray:
        """(c,) y: 1 for the right class, 0 for all others."""
        return np.eye(len(self.scores))[self.target]

    @property
    def loss(self) -> float:
        """H, 0 or more."""
        return float(cross_entropy(self.scores, self.one_hot))

    @property
    def gradient(self) -> np.ndarray:
        """(c,) ∂H/∂s = p − y: what the loss leads back to the scores."""
        return self.probabilities - self.one_hot

    def work(self) -> list[str]:
        """The arithmetic, line by line."""
        total, p = self.powers.sum(), self.probabilities
        name = self.names[self.target]
        return [
            f"Σ exp s = {' + '.join(map(decimal, self.powers))} = {decimal(total)}",
            *(
                f"p({one}) = {decimal(power)} / {decimal(total)} = {decimal(share)}"
                for one, power, share in zip(self.names, self.powers, p, strict=True)
            ),
            f"H = −log p({name}) = −log {p[self.target]:.4g} = {decimal(self.loss)}",
            f"∂H/∂s = p − y = {'  '.join(map(decimal, self.gradient))}",
        ]


def scored(scores: np.ndarray, target: int, names: Sequence[str] = ()) -> Scored:
    """Scores of one image (c,), checked.

    Args:
        target: the right class, from 0.
        names: of the classes; their numbers by default.

    Raises:
        UsageError: fewer than two scores or too many, no such class, other names, or numbers whose
            power a float cannot hold.

    >>> scored(np.array([3.2, 5.1, -1.7]), 0, ["cat", "car", "frog"]).work()[-2]
    'H = −log p(cat) = −log 0.13 = 2.04'
    """
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 1 or not 2 <= len(scores) <= MOST_CLASSES:
        raise UsageError(f"a row of 2 to {MOST_CLASSES} scores is worked out; got {scores.shape}.")
    if not 0 <= target < len(scores):
        raise UsageError(f"the right class is one of {len(scores)}, counted from 0; got {target}.")
    if names and len(names) != len(scores):
        raise UsageError(
            f"every score has a name; got {len(scores)} scores and {len(names)}: "
            f"{', '.join(names)}."
        )
    if not (np.abs(scores) <= 50).all():
        raise UsageError(
            "scores that are worked out lie between -50 and 50, as their powers are written down; "
            f"got {scores.tolist()}."
        )
    return Scored(scores, target, names or [str(count) for count in range(len(scores))])


def decimal(value: float) -> str:
    """A number as in all worked lines, and a very large one in powers of ten.

    >>> decimal(164.0219), decimal(0.00111), decimal(5184705528587072.0)
    ('164.02', '0.0011', '5.18e+15')
    """
    return number(value) if abs(value) < 1e6 else f"{value:.3g}"


def scores_sheet(one: Scored) -> np.ndarray:
    """A row a class: score, power, probability as number and bar, what is right, what comes back;
    the arithmetic of the loss below.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    page = new_page()
    y = headed(
        page,
        "softmax and cross-entropy",
        "p = exp s / Σ exp s      H = −Σ y · log p      ∂H/∂s = p − y",
    )
    names = max(2.0, *(wide(name, CAPTION) for name in one.names)) + 0.6
    columns = ("score s", "exp s", "p", "", "y", "p − y")
    widths = np.array([names, 2.6, 3.4, 2.2, 6.4, 1.6, 2.4])
    places = EDGE + np.cumsum(widths)
    for x, title in zip(places, columns, strict=False):
        page.text(x, y + 0.3, title, CAPTION * page.unit, PALE)
    rows = zip(
        *(one.names, one.scores, one.powers, one.probabilities, one.one_hot, one.gradient),
        strict=True,
    )
    for count, (name, score, power, p, right, back) in enumerate(rows):
        top = y + 0.8 + count
        if right:
            page.shape(_box(EDGE - 0.2, top, places[-1] - EDGE + 0.2, 0.95), _hexed(WINDOW))
        middle = top + 0.48
        page.text(EDGE, middle, name, CAPTION * page.unit, INK, bold=bool(right))
        for x, text in zip(
            places,
            (decimal(score), decimal(power), decimal(p), "", decimal(right), decimal(back)),
            strict=False,
        ):
            page.text(x, middle, text, CAPTION * page.unit)
        page.shape(_box(places[3], top + 0.22, max(5.6 * p, 0.02), 0.5), _BAR)
    below = y + 0.8 + len(one.names)
    page.frame(EDGE - 0.2, below + 0.1, float(places[-1] - EDGE + 0.2), 0, LINE, 1)
    totals = ("", "Σ " + decimal(one.powers.sum()), "Σ 1", "", "", "Σ 0")
    for x, text in zip(places, totals, strict=False):
        page.text(x, below + 0.5, text, TEXT * page.unit, PALE)
    page.shape(_box(EDGE - 0.2, below + 1.0, places[-1] - EDGE + 0.2, 0.95), _hexed(RESULT))
    page.text(EDGE, below + 1.48, one.work()[-2], 0.42 * page.unit)
    return page.pixels()


def _box(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """The corners of a rectangle."""
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def _hexed(colour: tuple[int, int, int]) -> str:
    """RGB as Matplotlib writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
