"""A finished model from whose answers another one learns.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); with a teacher
of the same network, Furlanello et al., "Born-Again Neural Networks" (2018). We differ: no
temperature, and the teacher's answer is the mean over an image and its mirror image.
"""

from typing import Any, final

from keras import ops

from cvtasks.engines.keras_engine import check_process
from cvtasks.engines.on_device import on_device
from cvtasks.heads.arrays import Arrays
from cvtasks.networks.build import activated, build_network
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
        check_process()
        weights, its = teacher_of(recipe)
        network = build_network(its, (side, side), recipe.train.precision)
        load_weights(network, weights)
        self._network = activated(network, its.head)
        self._head, self._share = recipe.head, recipe.train.teacher_share
        self._taught = on_device(self._mixed, self._network.variables)

    def taught(self, images: Any, targets: Arrays) -> Arrays:
        """Targets of a batch, mixed with what the teacher answers. All are and stay on the device,
        for which nobody waits.

        Args:
            images: (n, H, W, 3) uint8.
            targets: (n, ...), `encode`'s or `compact`'s.
        """
        return self._taught((images, targets))

    def _mixed(self, batch: tuple[Any, Arrays]) -> Arrays:
        images, targets = batch
        answers, mirrored = (
            self._network(seen, training=False) for seen in (images, ops.flip(images, axis=2))
        )
        return self._head.taught(targets, answers, mirrored, self._share)
