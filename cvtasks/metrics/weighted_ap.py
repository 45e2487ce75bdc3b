"""Average precision of one class where each image counts any number of times: sorted once, summed
for every resample.
"""

from dataclasses import dataclass

import numpy as np

ELEVEN = np.arange(11) * 0.1
"""Levels of recall of VOC2007, as `average_precision.eleven_point_ap` has them."""
COCO = np.linspace(0, 1, 101)
"""Levels of recall of COCO."""


@dataclass(frozen=True, eq=False)
class Ranked:
    """The predictions of a class from the surest down, and what became of them at one IoU.

    Attributes:
        hit: (h,) int64, places in the ranking that hit; `passed` (q,) those that count neither way.
    """

    hit: np.ndarray
    passed: np.ndarray


@dataclass(frozen=True, eq=False)
class ClassRanking:
    """The predictions of a class.

    Attributes:
        image: (p,) int64, the image of each prediction, from the surest down.
        ranked: for each IoU what became of them.
        objects: (m,) int64, the image of each object that counts.
    """

    image: np.ndarray
    ranked: tuple[Ranked, ...]
    objects: np.ndarray

    @property
    def cost(self) -> int:
        """Numbers that one resample handles."""
        hits = sum(len(one.hit) + len(one.passed) for one in self.ranked)
        return len(self.image) + 6 * hits + len(self.objects)

    def ap(self, counts: np.ndarray, *levels: np.ndarray | None) -> list[np.ndarray]:
        """(r, images) how often each image counts → for each of `levels` (r, IoUs) average
        precision; NaN where no object counts.

        Args:
            levels: recalls (k,) at which the best precision is averaged; None for the area.
        """
        # only the places up to the last hit say anything
        end = max((int(one.hit[-1]) + 1 for one in self.ranked if len(one.hit)), default=0)
        before = np.cumsum(counts[:, self.image[:end]], axis=1)
        objects = counts[:, self.objects].sum(axis=1)
        columns: list[list[np.ndarray]] = [[] for _ in levels]
        for one in self.ranked:
            total = before[:, one.hit]
            if len(one.passed):
                passed = np.cumsum(counts[:, self.image[one.passed]], axis=1)
                passed = np.pad(passed, ((0, 0), (1, 0)))
                total = total - passed[:, np.searchsorted(one.passed, one.hit)]
            found = np.cumsum(counts[:, self.image[one.hit]], axis=1)
            for column, level in zip(columns, levels, strict=True):
                column.append(average(found, total, objects, level))
        return [np.stack(column, axis=1) for column in columns]


def average(
    found: np.ndarray, total: np.ndarray, objects: np.ndarray, levels: np.ndarray | None
) -> np.ndarray:
    """Average precision (r,) by the hits of a ranking; NaN where there are no objects.

    Of the places between two hits none matters: recall stays, and precision falls. An image that
    counts twice hits twice in a row; its first hit's precision is no better than its second one's.

    Args:
        found: (r, h) hits up to each; `total` (r, h) predictions up to each.
        objects: (r,) to be found.
        levels: recalls (k,) at which the best precision is averaged; None for the area.
    """
    if not found.shape[1]:
        return np.where(objects > 0, 0.0, np.nan)
    precision = found / np.maximum(total, 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = found / np.maximum(objects, 1)[:, None]
    if levels is None:
        reached, whole = recall, 1
    else:
        reached, whole = np.searchsorted(levels, recall, side="right"), len(levels)
    steps = np.diff(reached, axis=1, prepend=0)
    return np.where(objects > 0, (steps * best).sum(axis=1) / whole, np.nan)
