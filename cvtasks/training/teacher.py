"""A finished model from whose answers another one learns.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); with a teacher
of the same network, Furlanello et al., "Born-Again Neural Networks" (2018). We differ: no
temperature, and the teacher's answer is the mean over an image and its mirror image.
"""

from typing import final

import numpy as np

from cvtasks.data.loading.batches import Batch
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.heads.arrays import Arrays, joined
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.first_weights import teacher_of
from cvtasks.weights.transfer import load_weights


@final
class Teacher:
    """The model that a recipe's `train.teacher` names, of the size of the training images.

    Args:
        side: of the images, in pixels; None where it changes from step to step.

    Raises:
        ModelError: there is no such model, or it answers something else than the recipe's.
    """

    def __init__(self, recipe: Recipe, side: int | None) -> None:
        how = recipe.train
        weights, its = teacher_of(recipe)
        network = build_network(its, (side, side), how.precision)
        load_weights(network, weights)
        self._engine = KerasEngine(network, its.head, how.precision, how.batch)
        self._head, self._share = recipe.head, how.teacher_share

    def taught(self, batch: Batch) -> Arrays:
        """The batch's targets, mixed with what the teacher answers."""
        mirrored = np.ascontiguousarray(batch.images[:, :, ::-1])
        return self._head.taught(
            batch.targets, self._answers(batch.images), self._answers(mirrored), self._share
        )

    def _answers(self, images: np.ndarray) -> Arrays:
        return joined(np.stack, list(self._engine.stream(images)))
