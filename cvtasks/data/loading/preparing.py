"""From a source to what a step is fed with: a sample varied, and its truth encoded."""

from typing import TypeAlias, final

import numpy as np

from cvtasks.data.loading.augment import Augment
from cvtasks.data.source import Source
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.arrays import Arrays
from cvtasks.recipe.recipe import Recipe

Item: TypeAlias = tuple[np.ndarray, Arrays, str]
"""An image (H, W, 3) uint8, its target and its name."""


@final
class Preparing:
    """What makes an item of (source, epoch, step, index), of the side that the step has.

    May be called by several threads, and be sent to another process.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._head, self._seed = recipe.head, recipe.train.seed
        self._sides = recipe.data.multi_scale or (recipe.data.crop or recipe.size,)
        self._augment = Augment(recipe.data, recipe.size, self._seed, recipe.train.epochs)

    def __call__(self, source: Source, epoch: int, step: int, index: int) -> Item:
        """Vary and encode the sample `index`."""
        drawn = np.random.default_rng([self._seed, epoch, step]).integers(len(self._sides))
        sample = self._augment(source, epoch, index, self._sides[int(drawn)])
        size = sample.image.shape[:2]
        return sample.image, self._head.compact(sample.truth, Letterbox(size, size)), sample.name
