"""What helps rare classes: images with them are seen more often, or the loss weighs them more."""

import numpy as np

from cvtasks.data.source import Source


def times_shown(source: Source) -> np.ndarray:
    """(classes,) int64: how many samples show each class; background is never shown. Reads every
    truth.
    """
    return _times(_shown(source), source)


def _shown(source: Source) -> list[np.ndarray]:
    return [source.truth(index).present() for index in range(len(source))]


def _times(shown: list[np.ndarray], source: Source) -> np.ndarray:
    every = np.concatenate([np.zeros(0, np.int64), *shown])
    return np.bincount(every, minlength=len(source.classes))


def repeat_factors(source: Source, threshold: float) -> np.ndarray | None:
    """(n,) float64: how often each sample is to be seen in an epoch, at least once; None where all
    are to be seen once.

    A class that a share f of the images show has the factor √(threshold / f), or 1 if that is less;
    an image has the largest of its classes'.

    Args:
        threshold: the share of the images below which a class is rare; 0 for none.

    Source: Gupta, Dollár and Girshick, "LVIS" (2019), appendix B.
    """
    if not threshold:
        return None
    shown = _shown(source)
    share = _times(shown, source) / len(source)
    of_class = np.maximum(1.0, np.sqrt(threshold / np.maximum(share, 1 / len(source))))
    factors = np.array([of_class[classes].max(initial=1.0) for classes in shown])
    return factors if (factors > 1).any() else None


def times_seen(source: Source, threshold: float) -> int:
    """How many samples an epoch has, each as often as it is repeated (`repeat_factors`)."""
    factors = repeat_factors(source, threshold)
    return len(source) if factors is None else int(factors.cumsum()[-1])


def repeated(factors: np.ndarray, start: float) -> np.ndarray:
    """(m,) int64: each index so often as its factor says, in the mean over `start`, which is 0 to
    below 1; m is the factors' sum, rounded up or down.

    The k-th time of the index i is i + k n, k from 0, of n factors.

    >>> repeated(np.array([1.0, 2.5, 1.0]), 0.0), repeated(np.array([1.0, 2.5, 1.0]), 0.6)
    (array([0, 1, 2, 4]), array([0, 1, 2, 4, 7]))
    """
    ends = np.floor(np.cumsum(factors) + start).astype(np.int64)
    times = np.diff(ends, prepend=0)
    index = np.repeat(np.arange(len(factors)), times)
    again = np.arange(len(index)) - np.repeat(ends - times, times)
    return np.sort(index + again * len(factors))


_HEAVIEST = 10.0  # weight of a class, over that of the mean image or pixel


def balanced_weights(source: Source, threshold: float = 0.0) -> tuple[float, ...]:
    """A weight for each class, inverse to how much of it is seen (`Answer.counts`): all / (classes
    × own), at most 10, and 1 for a class that nothing shows. Four digits of each.

    Args:
        threshold: below which a class is rare, so that its images are seen more often
            (`repeat_factors`) and its weight is the less.

    Source: King and Zeng, "Logistic Regression in Rare Events Data" (2001), as scikit-learn's
    "balanced" has it.
    """
    factors = repeat_factors(source, threshold)
    times = np.ones(len(source)) if factors is None else factors
    seen = [time * source.truth(index).counts() for index, time in enumerate(times)]
    counts = np.sum(seen, axis=0)
    shown = counts > 0
    balanced = counts.sum() / (max(int(shown.sum()), 1) * np.maximum(counts, 1))
    weights = np.where(shown, np.minimum(balanced, _HEAVIEST), 1.0)
    return tuple(float(f"{weight:.4g}") for weight in weights)
