"""A search for the learning rate: a short training in which it rises by the same factor in each
update, until the loss diverges.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017), section 3.3; the rise
by factors, and where the loss falls fastest, as in fast.ai's `lr_find`.
"""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cvtasks.errors import UsageError
from cvtasks.files.writing import write_bytes, write_text
from cvtasks.training.budget import first_batches
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of
from cvtasks.training.plan import Plan
from cvtasks.training.progress import Progress

LOWEST, HIGHEST = 1e-6, 1.0
"""The rates that a search goes through unless others are asked for."""

_DIVERGED = 4.0  # times the lowest loss, smoothed, that ends a search
_KEPT = 0.8  # of the mean of the losses before, in that smoothing
_FEWEST = 10  # updates before a search may end, and that it needs
_SHARE = 0.05  # of the updates: the half width of the smoothing that is written
_FALL = 0.02  # of the loss that must be gone somewhere for a rate to be suggested

OnUpdate = Callable[[int, float, float], None]


@dataclass(frozen=True, eq=False)
class RateSearch:
    """What a search found.

    Attributes:
        rates, losses: (n,) of each update.
        smoothed: (n,) weighted means of the losses around each.
        suggested: where the smoothed loss falls fastest; None where it does not fall.
        diverged: whether the search ended before the highest rate.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggested: float | None
    diverged: bool

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is lowest."""
        return float(self.rates[int(np.argmin(self.smoothed))])


def find_rate(
    plan: Plan,
    updates: int = 100,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    on_update: OnUpdate = lambda update, rate, loss: None,
) -> RateSearch:
    """Search by training for a while; nothing of what is learned is kept.

    The same plan and machine give the same numbers: batches, first weights and dropout are drawn by
    the recipe's seed.

    Args:
        updates: at most, each of `train.accumulate` steps.
        on_update: called after each, counted from 1, with its rate and loss.

    Raises:
        UsageError: there are too few updates, or the lowest rate is not below the highest.
    """
    if updates < _FEWEST or not 0 < lowest < highest < math.inf:
        raise UsageError(
            f"a search needs {_FEWEST} updates or more, and rates that rise from above 0; got "
            f"{updates} updates from {lowest:g} to {highest:g}. Correct them."
        )
    recipe = plan.recipe
    keras.utils.set_random_seed(recipe.train.seed)
    learner = Learner(recipe)
    learner.start()
    learner.restore(None, Progress())
    learner.enter(0)
    each = recipe.train.accumulate
    batches = first_batches(batches_of(recipe, plan.sources.train), updates * each)
    rates = np.geomspace(lowest, highest, updates)
    losses: list[float] = []
    least = running = math.inf
    for update, rate in enumerate(rates.tolist()):
        loss = sum(learner.step(next(batches), rate) for _ in range(each)) / each
        if not math.isfinite(loss):
            break
        losses.append(loss)
        running = loss if update == 0 else _KEPT * running + (1 - _KEPT) * loss
        least = min(least, running)
        on_update(update + 1, rate, loss)
        if update >= _FEWEST and running > _DIVERGED * least:
            break
    batches.close()
    return searched(rates[: len(losses)], np.array(losses), len(losses) < updates)


def searched(rates: np.ndarray, losses: np.ndarray, diverged: bool) -> RateSearch:
    """What rates and losses of n updates say."""
    if len(losses) < _FEWEST:
        return RateSearch(rates, losses, losses, None, diverged)
    smoothed = _smoothed(losses)
    bottom = int(np.argmin(smoothed))
    suggested = None
    if bottom >= 2 and smoothed[0] - smoothed[bottom] > _FALL * abs(smoothed[0]):
        slopes = np.gradient(smoothed, np.log(rates))
        suggested = float(rates[int(np.argmin(slopes[: bottom + 1]))])
    return RateSearch(rates, losses, smoothed, suggested, diverged)


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Means under a Hann window around each loss: no lag, as a moving average would have."""
    half = max(2, round(_SHARE * len(losses)))
    window = np.hanning(2 * half + 3)[1:-1]
    weighed = np.convolve(losses, window, "same")
    return weighed / np.convolve(np.ones_like(losses), window, "same")


def write_search(folder: Path, found: RateSearch, own: float) -> None:
    """Write `lr_find.csv` (learning rate, loss and smoothed loss of each update) and
    `lr_find.png`, with the suggested rate and the recipe's `own`.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["learning_rate", "loss", "smoothed_loss"])
    for rate, loss, smooth in zip(found.rates, found.losses, found.smoothed, strict=True):
        rows.writerow([f"{rate:.6e}", f"{loss:.6f}", f"{smooth:.6f}"])
    write_text(folder / "lr_find.csv", text.getvalue())
    write_bytes(folder / "lr_find.png", _drawn(found, own))


def _drawn(found: RateSearch, own: float) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.rates, found.losses, color="0.7", linewidth=1, label="loss")
    axes.plot(found.rates, found.smoothed, color="C0", label="smoothed")
    marks = {"suggested": found.suggested, "the recipe's": own}
    for (name, rate), style in zip(marks.items(), ("-", ":"), strict=True):
        if rate:
            axes.axvline(rate, color="C1", linestyle=style, label=f"{name} {rate:.2g}")
    if len(found.smoothed):
        first, low = float(found.smoothed[0]), float(found.smoothed.min())
        room = max(first - low, 0.1 * abs(first), 1e-6)
        axes.set_ylim(low - 0.3 * room, first + room)
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()
