"""A finished model from whose answers another one learns.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015); with a teacher
of the same network, Furlanello et al., "Born-Again Neural Networks" (2018). We differ: no
temperature, and the teacher's answer is the mean over an image and its mirror image.
"""

from collections.abc import Callable
from typing import Any, final

import keras
from keras import ops

from cvtasks.engines.keras_engine import check_process
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
        jax = keras.config.backend() == "jax"
        self._taught = self._under_jax() if jax else self._under_tensorflow()

    def taught(self, images: Any, targets: Arrays) -> Arrays:
        """Targets of a batch, mixed with what the teacher answers. All are and stay on the device,
        for which nobody waits.

        Args:
            images: (n, H, W, 3) uint8.
            targets: (n, ...), `encode`'s or `compact`'s.
        """
        return self._taught(images, targets)

    def _under_jax(self) -> Callable[[Any, Arrays], Arrays]:
        import jax

        network = self._network
        given = [
            [variable.value for variable in group]
            for group in (network.trainable_variables, network.non_trainable_variables)
        ]  # arguments of what is compiled: as constants, they would be compiled into it

        @jax.jit
        def taught(given: list[list[Any]], images: Any, targets: Arrays) -> Arrays:
            return self._mixed(
                lambda seen: network.stateless_call(*given, seen, training=False)[0],
                images,
                targets,
            )

        return lambda images, targets: taught(given, images, targets)

    def _under_tensorflow(self) -> Callable[[Any, Arrays], Arrays]:
        import tensorflow as tf

        def taught(images: Any, targets: Arrays) -> Arrays:
            return self._mixed(lambda seen: self._network(seen, training=False), images, targets)

        return tf.function(taught, autograph=False, reduce_retracing=True)

    def _mixed(self, answer: Callable[[Any], Arrays], images: Any, targets: Arrays) -> Arrays:
        mirrored = ops.flip(images, axis=2)
        return self._head.taught(targets, answer(images), answer(mirrored), self._share)
