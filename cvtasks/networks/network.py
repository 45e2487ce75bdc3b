"""The network of a task, as Keras trains it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from cvtasks.networks.quick_training import quicken


class Network(keras.Model):
    """A functional model whose loss sees targets and logits whole, each an array or a tree of them.

    Keras' own `compile(loss=)` calls a loss for each output, squeezes a last axis of 1 where target
    and output differ in rank, and casts the target: one class with auxiliary classifiers would be
    broadcast to a wrong loss, without a word.
    """

    _loss: Callable[[Any, Any], Any] | None = None
    _after: Callable[[], None] | None = None

    def compile(
        self,
        optimizer: keras.Optimizer | str,
        loss: Callable[[Any, Any], Any],
        after: Callable[[], None] | None = None,
        jit_compile: bool | str = "auto",
    ) -> None:
        """Make ready for training.

        Args:
            loss: (targets, logits), whole, → (batch,); its mean is minimised.
            after: called within the compiled step once the optimizer has made its own; may assign
                to the optimizer's variables.
            jit_compile: True, False, or "auto" for where it pays.
        """
        quicken(self)
        super().compile(optimizer, jit_compile=jit_compile)
        self._loss, self._after = loss, after

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The mean over the batch, and what layers add to it."""
        if self._loss is None:
            raise ValueError(
                "a network must be compiled with its task's loss before it is trained."
            )
        if sample_weight is not None:
            raise ValueError(
                "a network's images count alike; got weights for them. Give the loss what it needs "
                "in its target."
            )
        return ops.mean(self._loss(y, y_pred)) + sum(map(ops.sum, self.losses))

    def train_step(self, *arguments: Any) -> Any:
        """One step, with what comes after it. JAX hands over (state, data) and wants the new state;
        the others have (data).
        """
        done = super().train_step(*arguments)
        if keras.config.backend() != "jax":
            self.finish_step()
            return done
        logs, (trainable, non_trainable, optimizer, metrics) = done
        after = self.finished(trainable, non_trainable, optimizer)
        return logs, (trainable, non_trainable, after, metrics)

    def finish_step(self) -> None:
        """Do what comes after the optimizer's update. Part of the compiled step, where that may
        change variables.
        """
        if self._after is not None:
            self._after()

    def finished(
        self, trainable: Sequence[Any], non_trainable: Sequence[Any], optimizer: Sequence[Any]
    ) -> Sequence[Any]:
        """The optimizer's values after what `finish_step` does. Part of the compiled step, where
        that gets the values of variables and gives them back.
        """
        if self._after is None:
            return optimizer
        known = [
            *zip(self.trainable_variables, trainable, strict=True),
            *zip(self.non_trainable_variables, non_trainable, strict=True),
            *zip(self.optimizer.variables, optimizer, strict=True),
        ]
        with keras.StatelessScope(state_mapping=known) as scope:
            self._after()
        return [scope.get_current_value(own) for own in self.optimizer.variables]
