"""What the curves of a finished run say."""

from collections.abc import Sequence

import numpy as np

from cvtasks.text import counted
from cvtasks.training.progress import Epoch, Verdict

_FEWEST = 4  # looks that say anything
_RISE = 0.01  # of a score that counts
_WORSE = 1.1  # times the lowest loss of validation
_GAP = 0.2  # between the scores of training and validation


def verdict(history: Sequence[Epoch], kept: int) -> Verdict | None:
    """A sentence where the network over-fits, has not converged, or knows its training images far
    better than others; None where there is nothing to say, or too little to go by.

    Args:
        kept: the epoch, counted from 0, whose weights are kept.
    """
    looks = [row for row in history if row.scores]
    if len(looks) < _FEWEST:
        return None
    return _over_fitted(looks, kept) or _rising(looks, kept) or _apart(looks)


def _over_fitted(looks: Sequence[Epoch], kept: int) -> Verdict | None:
    """The loss of validation has turned, that of training has not, and the best epoch is past."""
    late = max(2, len(looks) // 4)
    if any("validation" not in row.losses for row in looks) or kept >= looks[-late].epoch:
        return None
    validation = _smoothed([row.losses["validation"] for row in looks])
    training = _smoothed([row.losses.get("training", row.loss) for row in looks])
    turned = int(np.argmin(validation))
    if turned >= len(looks) - late or validation[-1] < _WORSE * validation[turned]:
        return None
    if not training[-1] < training[turned]:
        return None
    return Verdict(
        f"it over-fits after epoch {looks[turned].epoch + 1}: the loss of validation has risen "
        f"from {validation[turned]:.3f} to {validation[-1]:.3f}, that of training fallen from "
        f"{training[turned]:.3f} to {training[-1]:.3f}. Kept is epoch {kept + 1}; more images or "
        "more variation (`data`) help, more epochs do not."
    )


def _rising(looks: Sequence[Epoch], kept: int) -> Verdict | None:
    """The score of the last third rises by more than it varies, and the best epoch is there."""
    name, scores = _headline(looks)
    last = scores[-max(_FEWEST, len(scores) // 3) :]
    if not np.isfinite(last).all() or kept < looks[-len(last) // 2].epoch:
        return None
    steps = np.arange(len(last))
    slope, start = np.polyfit(steps, last, 1)
    rise = slope * steps[-1]
    if rise < max(_RISE, 2 * float(np.std(last - start - slope * steps))):
        return None
    return Verdict(
        f"it has not converged: {name} rises by {rise:.3f} in the last "
        f"{counted(len(last), 'look')}, to {last[-1]:.3f}. Train longer (`train.epochs`).",
        more=looks[-1].epoch + 1,
    )


def _apart(looks: Sequence[Epoch]) -> Verdict | None:
    """The scores of the two splits lie far from each other."""
    name, scores = _headline(looks)
    known, other = looks[-1].train_scores.get(name, np.nan), scores[-1]
    if not known - other >= _GAP:
        return None
    return Verdict(
        f"it knows its training images far better than others: {name} {known:.3f} of a sample of "
        f"them, {other:.3f} of validation. More images or more variation (`data`) help more than "
        "more epochs."
    )


def _headline(looks: Sequence[Epoch]) -> tuple[str, np.ndarray]:
    name = next(iter(looks[0].scores))
    return name, np.array([row.scores.get(name, np.nan) for row in looks])


def _smoothed(numbers: Sequence[float]) -> np.ndarray:
    """Means of each number and its neighbours, fewer at the ends."""
    padded = np.pad(np.asarray(numbers, np.float64), 1, constant_values=np.nan)
    return np.nanmean(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
