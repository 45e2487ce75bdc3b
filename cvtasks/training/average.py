"""The moving average of a network's weights and statistics,
which is what gets evaluated and saved.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cvtasks.training import quick_updates


class MovingAverage:
    """One average for each weight of a network: what is trained, what is frozen, and the statistics
    of batch norms.

    With kernels alone averaged, a network would normalise by the statistics of another one. After
    `t` updates an average keeps min(`decay`, (1 + t) / (10 + t)) of itself, as TensorFlow's
    ExponentialMovingAverage does: a constant decay would drag the random first weights along for 1
    / (1 - decay) updates, which is more than many a run has.

    Its numbers are variables of the optimizer: back ends that hand a step its state know them, and
    they lie in checkpoints.

    Args:
        optimizer: built, and fresh.
        weights: all of the network's; their order must not depend on what is frozen.
        decay: 0 to below 1.
        every: steps that make one update.
        before: the average that a former optimizer of the same weights kept; this one goes on from
            there.
    """

    def __init__(
        self,
        optimizer: keras.Optimizer,
        weights: Sequence[keras.Variable],
        decay: float,
        every: int = 1,
        before: "MovingAverage | None" = None,
    ) -> None:
        self._weights, self._decay, self._every = tuple(weights), decay, every
        self._averages = tuple(
            optimizer.add_variable_from_reference(weight, name="average") for weight in weights
        )
        self._steps = optimizer.add_variable((), dtype="int32", name="average_steps")
        self._updates = optimizer.add_variable((), dtype="int32", name="average_updates")
        if before:
            self._updates.assign(np.array(before._updates.numpy()))
        self._assign(before._averages if before else self._weights)

    def begin(self) -> None:
        """Begin anew, with the weights as they are; the counts are variables of the optimizer, and
        its own affair.
        """
        self._assign(self._weights)

    def _assign(self, values: Sequence[Any]) -> None:
        for average, value in zip(self._averages, values, strict=True):
            average.assign(ops.copy(value.value))  # JAX would share it, and a step gives it up

    def move(self) -> None:
        """Count a step, and move the averages where it made an update.
        Part of the compiled step.
        """
        self._steps.assign_add(1)
        updated = ops.equal(self._steps % self._every, 0)
        count = ops.cast(self._updates, "float32")
        share = ops.where(updated, 1 - ops.minimum(self._decay, (1 + count) / (10 + count)), 0.0)
        moved = zip(self._averages, self._weights, strict=True)
        if quick_updates.are_possible():
            quick_updates.approach(moved, share)
        else:
            for average, weight in moved:
                average.assign(average + ops.cast(share, average.dtype) * (weight - average))
        self._updates.assign_add(ops.cast(updated, "int32"))

    def values(self) -> list[np.ndarray]:
        """The averages now, in the order of the weights, in arrays of their own."""
        return _copies(self._averages)


def _copies(variables: Sequence[Any]) -> list[np.ndarray]:
    return [
        np.array(variable.numpy()) for variable in variables
    ]  # JAX would share them, and a training step gives them up
