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

from cvtasks.data.loading.batches import Batch, first_batches
from cvtasks.drawing.plots import rate_curve
from cvtasks.errors import UsageError
from cvtasks.files.writing import write_text
from cvtasks.media.images import write_image
from cvtasks.text import counted
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of
from cvtasks.training.plan import Plan
from cvtasks.training.progress import Progress

LOWEST, HIGHEST = 1e-6, 1.0
"""The rates that a search goes through unless others are asked for."""

_DIVERGED = 4.0  # times the lowest loss, smoothed, that ends a search
_KEPT = 0.8  # of the mean of the losses before, in that smoothing
_FEWEST = 10  # updates before a search may end, and that it needs
_WIDTH = 0.4  # powers of ten: of the weights by which the losses are smoothed

OnUpdate = Callable[[int, float, float], None]


@dataclass(frozen=True, eq=False)
class RateSearch:
    """What a search found.

    Attributes:
        rates, losses: (n,) of each update.
        smoothed: (n,) what lines through the losses around each say.
        suggested: where the loss falls fastest, by more than it varies; None where it does not.
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
            f"{counted(updates, 'update')} from {lowest:g} to {highest:g}. Correct them."
        )
    recipe = plan.recipe
    keras.utils.set_random_seed(recipe.train.seed)
    learner = Learner(recipe)
    learner.start()
    fed = batches_of(recipe, plan.sources.train)
    learner.devices.check_batch(fed.size)
    learner.settle(fed)
    learner.restore(None, Progress())
    learner.enter(0)
    each = recipe.train.accumulate
    batches = first_batches(fed, updates * each)
    rates = np.geomspace(lowest, highest, updates)
    losses: list[float] = []
    least = running = math.inf
    for update, rate in enumerate(rates.tolist()):
        loss = sum(_loss(learner, next(batches), rate) for _ in range(each)) / each
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


def _loss(learner: Learner, batch: Batch, rate: float) -> float:
    """Learn from a batch, and wait for its loss."""
    learner.step(batch, rate)
    return float(learner.recent()[-1, 0])


def searched(rates: np.ndarray, losses: np.ndarray, diverged: bool) -> RateSearch:
    """What rates and losses of n updates say."""
    if len(losses) < _FEWEST:
        return RateSearch(rates, losses, losses, None, diverged)
    smoothed, slopes, errors = _fitted(np.log10(rates), losses)
    bottom = int(np.argmin(smoothed))
    surely = (slopes + 3 * errors)[: bottom + 1]  # what is steep by chance alone is not taken
    surely[rates[: bottom + 1] < rates[0] * 10**_WIDTH] = 0  # the first lines see one side alone
    steepest = int(np.argmin(surely))
    suggested = float(rates[steepest]) if surely[steepest] < 0 else None
    return RateSearch(rates, losses, smoothed, suggested, diverged)


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels, slopes and the slopes' standard errors at each of `x` (n,), by straight lines through
    `y` (n,) that are fitted with Gaussian weights around it: no lag, as a moving average would
    have.
    """
    levels, slopes, spreads = [], [], []
    for place in x:
        weights = np.exp(-0.5 * ((x - place) / _WIDTH) ** 2)
        weights /= weights.sum()
        middle, mean = weights @ x, weights @ y
        across = weights @ (x - middle) ** 2
        slope = weights @ ((x - middle) * (y - mean)) / max(across, 1e-12)
        levels.append(mean + slope * (place - middle))
        slopes.append(slope)
        spreads.append(np.sqrt(np.sum((weights * (x - middle)) ** 2)) / max(across, 1e-12))
    fitted = np.array(levels)
    before = max(int(np.argmin(fitted)), _FEWEST)  # behind it the loss diverges, and is no measure
    noise = float(np.std((y - fitted)[:before]))
    return fitted, np.array(slopes), noise * np.array(spreads)


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
    marks = {"suggested": found.suggested, "the recipe's": own}
    drawn = rate_curve(found.rates, found.losses, found.smoothed, marks)
    write_image(folder / "lr_find.png", drawn)
