"""How far a score could be off by the choice of the images: the percentile bootstrap over images.

The images are drawn anew, as many as there are and with replacement; each number is computed
exactly as it would be on the images drawn, an image that was drawn twice counting twice. Of all
these numbers the middle 95 % are the interval. It says what other images of the same kind might
have given; it knows nothing of another training, nor of images of another kind.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from cvtasks.metrics.base import ByImage
from cvtasks.text import counted

RESAMPLES = 1000
LEVEL = 0.95

_LEAST = 200  # resamples, however many numbers one costs
_MOST_WORK = 400_000_000  # numbers that are handled in all: a few seconds
_AT_ONCE = 4_000_000  # numbers that are held at once
_SEED = 0

Interval = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """How much better one metric is than another on the same images.

    Attributes:
        value: the other's number less the first one's.
        low, high: the interval of that, from resamples that both share.
    """

    value: float
    low: float
    high: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


def resamples_of(*metrics: ByImage) -> int:
    """How many resamples are drawn for metrics that share them: 1,000, or as many as stay under a
    few seconds; 200 at least. The same for the same images and predictions on any machine.
    """
    cost = max(1, *(one.cost for one in metrics), *(one.images for one in metrics))
    return int(np.clip(_MOST_WORK // cost, _LEAST, RESAMPLES))


def drawn(images: int, resamples: int, at_once: int, seed: int = _SEED) -> Iterator[np.ndarray]:
    """Resamples of so many images, (at_once, images) int64 at a time: how often each is drawn.

    The nth resample depends on seed, images and n alone.
    """
    generator = np.random.default_rng([seed, images])
    for begun in range(0, resamples, at_once):
        yield np.stack(
            [
                np.bincount(generator.integers(0, images, images), minlength=images)
                for _ in range(min(at_once, resamples - begun))
            ]
        )


def resampled(
    metric: ByImage, resamples: int | None = None, seed: int = _SEED
) -> dict[str, np.ndarray]:
    """Name of a number → what it is on each resample, (r,); without those that fewer than two
    images say something of: resamples of one never vary.
    """
    several = _of_several(metric)
    if not several:
        return {}
    at_once = max(1, _AT_ONCE // max(metric.cost, metric.images, 1))
    parts: list[Mapping[str, np.ndarray]] = [
        metric.numbers(counts)
        for counts in drawn(metric.images, resamples or resamples_of(metric), at_once, seed)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in several}


def _of_several(metric: ByImage) -> list[str]:
    """The names of the numbers that at least two images say something of.

    Two images differ in a digit of their binary number: there is a digit for which those images
    that have it and those that have it not both give a number. Of one image one side is NaN.
    """
    if metric.images < 2:
        return []
    digits = np.arange((metric.images - 1).bit_length())
    with_it = np.arange(metric.images) >> digits[:, None] & 1
    numbers = metric.numbers(np.concatenate([with_it, 1 - with_it]))
    known = {name: ~np.isnan(values) for name, values in numbers.items()}
    return [
        name for name, sides in known.items() if (sides[: len(digits)] & sides[len(digits) :]).any()
    ]


def intervals(metric: ByImage | None) -> dict[str, Interval]:
    """Name of a number → its 95 % interval; without those that have none (`resampled`)."""
    if metric is None:
        return {}
    found = {name: interval_of(values) for name, values in resampled(metric).items()}
    return {name: interval for name, interval in found.items() if interval}


def differences(first: ByImage, other: ByImage) -> dict[str, Difference]:
    """Name of a number that both have of two images or more → how much more of it `other` has, with
    its interval.

    The two must have counted the same images in the same order: the resamples are shared, so that
    what is hard about an image is hard for both and falls out.

    Raises:
        ValueError: they have not counted as many images.
    """
    if first.images != other.images:
        raise ValueError(
            "metrics are compared on the same images; got "
            f"{first.images} and {counted(other.images, 'image')}."
        )
    count = resamples_of(first, other)
    mine, theirs = (resampled(one, count) for one in (first, other))
    whole = np.ones((1, first.images), np.int64)
    now, then = other.numbers(whole), first.numbers(whole)
    found = {}
    for name in [name for name in mine if name in theirs]:
        interval = interval_of(theirs[name] - mine[name])
        if interval:
            found[name] = Difference(float(now[name][0] - then[name][0]), *interval)
    return found


def interval_of(values: np.ndarray, level: float = LEVEL) -> Interval | None:
    """(r,) numbers → the middle `level` of those that are not NaN; None where there are none."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
