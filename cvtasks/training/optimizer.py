"""The optimizer of a recipe, and what changes over a run: the learning rate, and how much of the
backbone is frozen.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np

from cvtasks.heads.base import Head
from cvtasks.networks.build import backbone_of
from cvtasks.networks.network import Network
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.training import quick_updates
from cvtasks.training.average import MovingAverage


class _Paced(keras.optimizers.Optimizer):
    """Mixed into an optimizer: each variable learns at its own share of the learning rate (1 until
    `pace` says otherwise), and quicker where `quick_updates` are for the back end.
    """

    _shares: dict[int, float] = {}  # noqa: RUF012  (exchanged as a whole, never changed)

    def pace(self, variables: Collection[keras.Variable], share: float) -> None:
        """Let these learn at `share` of the learning rate, 0 to 1; to be called once the optimizer
        is built.
        """
        self._shares = {self._get_variable_index(variable): share for variable in variables}

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; the share is a constant of the compiled step."""
        super().update_step(gradient, variable, learning_rate * self._share(variable))

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable], rate: Any
    ) -> None:
        """Update all variables."""
        if quick_updates.are_possible():
            self._update_quickly(grads, trainable_variables, rate)
        else:
            super()._backend_update_step(grads, trainable_variables, rate)

    @abstractmethod
    def _update_quickly(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], rate: Any
    ) -> None: ...

    def _clip_gradients(self, grads: Sequence[Any]) -> Any:
        if self.global_clipnorm and quick_updates.are_possible():
            return quick_updates.clipped(grads, self.global_clipnorm)
        return super()._clip_gradients(grads)

    def _apply_weight_decay(self, variables: Collection[keras.Variable]) -> None:
        """Keras' own decay, but that each variable decays at its share as well: what learns slower
        forgets slower, at 0 not at all.
        """
        if self.weight_decay is None:
            return
        decaying = [(own, self._share(own)) for own in variables if self._use_weight_decay(own)]
        rate = keras.ops.cast(self.learning_rate, "float32") * self.weight_decay
        if quick_updates.are_possible():
            quick_updates.decay(decaying, rate)
            return
        for variable, share in decaying:
            variable.assign(variable - variable * rate * share)

    def _share(self, variable: keras.Variable) -> float:
        return self._shares.get(self._get_variable_index(variable), 1.0)


class _AdamW(_Paced, keras.optimizers.AdamW):
    def _update_quickly(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], rate: Any
    ) -> None:
        places = [self._get_variable_index(variable) for variable in variables]
        moments = ([kept[at] for at in places] for kept in (self._momentums, self._velocities))
        shares = map(self._share, variables)
        changed = zip(gradients, variables, *moments, shares, strict=True)
        quick_updates.adam(changed, self, rate)


class _SGD(_Paced, keras.optimizers.SGD):
    def _update_quickly(
        self, gradients: Sequence[Any], variables: Sequence[keras.Variable], rate: Any
    ) -> None:
        kept = [
            self.momentums[self._get_variable_index(variable)] if self.momentum else None
            for variable in variables
        ]
        changed = zip(gradients, variables, kept, map(self._share, variables), strict=True)
        quick_updates.momentum(changed, self, rate)


def make_optimizer(
    how: Train, network: keras.Model, backbone: keras.Model
) -> keras.optimizers.Optimizer:
    """Build the optimizer of `network`'s trainable variables; those of its `backbone` learn at
    `how.backbone_rate`.
    """
    common = {
        "learning_rate": how.learning_rate,
        "global_clipnorm": how.clip or None,
        "gradient_accumulation_steps": how.accumulate if how.accumulate > 1 else None,
    }
    if how.optimizer == "adamw":
        optimizer = _AdamW(name="adamw", weight_decay=how.weight_decay, **common)
    else:
        optimizer = _SGD(
            name="sgd",
            momentum=how.momentum,
            nesterov=how.momentum > 0,
            weight_decay=how.weight_decay or None,
            **common,
        )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(network.trainable_variables)
    optimizer.pace(backbone.trainable_variables, how.backbone_rate)
    return optimizer


def compile_network(
    network: Network,
    recipe: Recipe,
    before: MovingAverage | None = None,
    closing: Head | None = None,
) -> MovingAverage | None:
    """Make `network` ready to learn what is not frozen of it, with a fresh optimizer.

    Args:
        closing: whose loss counts once mosaics have ended, instead of that of the recipe's head,
            if it is another; targets are then (targets, whether they have), so that one compiled
            step does for both.
        before: the average that the network's optimizer before this one kept; the new one goes on
            from there.

    Returns:
        the average of its weights, or None where the recipe asks for none.
    """
    how = recipe.train
    optimizer = make_optimizer(how, network, backbone_of(network))
    average = (
        MovingAverage(optimizer, network.weights, how.ema, how.accumulate, before)
        if how.ema
        else None
    )
    jit: bool | str = "auto" if how.jit == "auto" else how.jit == "on"
    network.compile(
        optimizer,
        _turning(recipe.head, closing) if closing else recipe.head.loss,
        after=average.move if average else None,
        jit_compile=jit,
    )
    return average


def _turning(head: Head, closing: Head) -> Callable[[Any, Any], Any]:
    """A loss that is one of two."""

    def loss(given: tuple[Any, Any], logits: Any) -> Any:
        targets, closed = given
        return keras.ops.where(closed, closing.loss(targets, logits), head.loss(targets, logits))

    return loss


def renew(optimizer: keras.optimizers.Optimizer) -> None:
    """Have an optimizer that `compile_network` made forget all that it has seen; its average is to
    begin anew.
    """
    for variable in optimizer.variables:
        if variable is not optimizer.learning_rate:
            variable.assign(np.zeros(variable.shape, variable.dtype))


def learning_rate(how: Train, updates: float) -> float:
    """The learning rate after `updates` epochs, which may be a fraction.

    Where the frozen part of the backbone changes, a fresh optimizer begins; it is warmed up as the
    first one is, by a linear rise over `warmup` epochs to what the schedule says.

    >>> how = Train(epochs=10, learning_rate=1.0, schedule="step", freeze=((0, 4), (2, 0)))
    >>> [round(learning_rate(how, at), 4) for at in (0, 0.5, 1, 1.9, 2, 2.5, 3, 5.9, 6, 8.5)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0, 0.1, 0.01]
    """
    if updates < how.warmup:
        factor = updates / how.warmup
    else:
        done = min(1.0, (updates - how.warmup) / max(how.epochs - how.warmup, 1e-9))
        factor = {
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "poly": (1 - done) ** 0.9,
            "step": 0.1 ** sum(updates >= share * how.epochs for share in (0.6, 0.85)),
            "constant": 1.0,
        }[how.schedule]
    begun = _stage_begun(how, math.floor(updates))
    if begun and updates - begun < how.warmup:
        factor *= (updates - begun) / how.warmup
    return how.learning_rate * factor


def frozen_stride(how: Train, epoch: int) -> int:
    """Stride up to which the backbone is frozen in `epoch`, counted from 0; 0 where all of it
    learns.

    >>> [frozen_stride(Train(freeze=((1, 8), (3, 0))), epoch) for epoch in range(5)]
    [0, 8, 8, 0, 0]
    """
    return max(
        ((start, stride) for start, stride in how.freeze if start <= max(epoch, 0)), default=(0, 0)
    )[1]


def is_closed(recipe: Recipe, epoch: int) -> bool:
    """Whether mosaics have ended in `epoch`, counted from 0."""
    return epoch >= recipe.train.epochs - recipe.data.close_mosaic


def _stage_begun(how: Train, epoch: int) -> int:
    """The epoch in which what is frozen in `epoch` was frozen; 0 for the run's beginning."""
    changes = (start for start, _ in how.freeze if 0 < start <= epoch)
    return max(
        (start for start in changes if frozen_stride(how, start) != frozen_stride(how, start - 1)),
        default=0,
    )
