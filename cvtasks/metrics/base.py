"""What a metric is: sums over a data set, and the same for any resample of its images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from cvtasks.answers import Answer, Boxes, Mask

Counted = TypeVar("Counted", bound=Answer, contravariant=True)
"""What a metric counts: who counts any answer counts boxes too."""


@dataclass(frozen=True, eq=False)
class ByImage:
    """The numbers of a metric where each image counts any number of times.

    Attributes:
        images: how many images were counted.
        numbers: (r, images) int64, r resamples that say how often each image counts → the name of
            a number of `Metric.result` → (r,) float64, what it is then; NaN where nothing is there
            to measure.
        cost: about how many numbers are handled for one resample.
    """

    images: int
    numbers: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    cost: int


class Metric(ABC, Generic[Counted]):
    """Sums over a data set. Knows nothing of networks."""

    @abstractmethod
    def add(self, truth: Counted, prediction: Counted) -> None:
        """Count one image."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """Name of the standard → number from 0 to 1; the headline first. NaN where nothing was
        there to measure.
        """

    @abstractmethod
    def per_class(self) -> dict[str, dict[str, float]]:
        """Name of the class → the same for it alone."""

    def by_image(self) -> ByImage | None:
        """What the numbers of `result`, the headline among them, are over any resample of the
        images: from it come the intervals (`cvtasks.metrics.bootstrap`). None where the metric
        cannot tell; it has no intervals then.
        """
        return None


def check_alike(truth: Boxes | Mask, prediction: Boxes | Mask, classes: tuple[str, ...]) -> None:
    """Raise ValueError where the two are of images of different sizes, or know other classes than
    a metric; the size (0, 0), of who does not know, fits any.
    """
    one_size = len({truth.size, prediction.size} - {(0, 0)}) <= 1
    if not one_size or {truth.classes, prediction.classes} != {classes}:
        raise ValueError(
            f"truth and prediction must have one size and the metric's classes {classes}; got "
            f"sizes {truth.size} and {prediction.size}, classes {truth.classes} and "
            f"{prediction.classes}."
        )


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Elementwise quotient in float64; NaN where `below` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def mean_of_known(rows: np.ndarray) -> np.ndarray:
    """(r, n) → (r,) mean of the numbers of each row that are not NaN; NaN where none is."""
    known = ~np.isnan(rows)
    return ratio(np.where(known, rows, 0).sum(axis=1), known.sum(axis=1))
