"""Looking at what the steps of a training leave: whether losses, gradients, weights and answers are
still finite numbers.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import final

import keras
import numpy as np

from cvtasks.errors import NotFinite
from cvtasks.training.progress import Progress
from cvtasks.training.steps import WATCHED

_TRY = (
    "Try a lower `train.learning_rate` (now {rate:g}), `train.clip = 1.0` or `train.precision = "
    '"f32"`.'
)
_AT_LEAST_S = 5.0  # between two looks while somebody watches: steps may be slow


@final
class Watch:
    """Looks at the losses of an epoch's steps: after `WATCHED` of them, or some seconds.

    When it looks changes nothing of what is learned: losses are summed one by one, whenever.

    Args:
        recent: loss and norm of the gradient of each step since it was called last, (n, 2).
        rate: the recipe's learning rate, for the way out.
        part: what errors say of the images, where there are others in a step.
    """

    def __init__(self, recent: Callable[[], np.ndarray], rate: float, part: str = "") -> None:
        self._recent, self._rate, self._part = recent, rate, part
        self._names: list[Sequence[str]] = []
        self._looked = time.monotonic()
        self.loss = math.nan
        """The last that is known; NaN before there is one."""

    def stepped(self, names: Sequence[str]) -> None:
        """A step was done, with the images of these names."""
        self._names.append(names)

    @property
    def is_due(self) -> bool:
        """Whether it is time to look. Hosts that learn as one look at the same steps, whatever
        the time is; what is late, they agree on.
        """
        return len(self._names) == WATCHED or (self.is_late and not self._part)

    @property
    def is_late(self) -> bool:
        """Whether it is some time since the last look."""
        return time.monotonic() - self._looked >= _AT_LEAST_S

    def look(self, progress: Progress) -> Progress:
        """Where the run stands, with the losses of the steps that were done.

        Raises:
            NotFinite: a loss or a gradient is NaN or infinite; names the step and its images.
        """
        names, self._names = self._names, []
        first = progress.step - len(names)
        for step, (loss, norm) in enumerate(self._recent().tolist()):
            self._check(
                loss,
                norm,
                f"{_where(progress.epoch, first + step + 1)}, with the images "
                f"{', '.join(names[step])}{self._part}",
            )
            self.loss = loss
            progress = replace(progress, loss_sum=progress.loss_sum + loss)
        self._looked = time.monotonic()
        return progress

    def _check(self, loss: float, norm: float, where: str) -> None:
        if not math.isfinite(loss):
            said = f"the loss must stay a finite number; it became {loss} {where}."
        elif not math.isfinite(norm):
            said = f"gradients must stay finite numbers; their norm became {norm} {where}."
        else:
            return
        raise NotFinite(f"{said} Nothing of it was saved. {_TRY.format(rate=self._rate)}")


def _where(epoch: int, step: int) -> str:
    """The place of a step, counted from 1, in an epoch, counted from 0."""
    return f"in epoch {epoch + 1}, step {step}"


def check_weights(network: keras.Model, epoch: int, step: int, rate: float) -> None:
    """Raise NotFinite if a weight is NaN or infinite: the loss does not always tell.

    Args:
        epoch: counted from 0; `step`: the last that was done, counted from 1.
        rate: the recipe's learning rate, for the way out.
    """
    for variable in network.weights:
        values = variable.numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(
                values.sum(dtype=np.float32 if values.dtype.kind != "f" else None)
            )
        if (
            suspicious and not np.isfinite(values).all()
        ):  # the sum of finite numbers may be infinite too
            text = (
                f"weights must stay finite numbers; {variable.path} did not up to "
                f"epoch {epoch + 1}, step {step}. Nothing of it was saved. "
            )
            raise NotFinite(text + _TRY.format(rate=rate))


@contextmanager
def answers_named(epoch: int, rate: float) -> Iterator[None]:
    """Turn NotFinite about an answer into one that says of which epoch, and what to try; arguments
    as of `check_weights`.
    """
    try:
        yield
    except NotFinite as error:
        text = (
            "answers must stay finite numbers; those to the validation split did not in epoch "
            f"{epoch + 1}. Nothing of it was saved. "
        )
        raise NotFinite(text + _TRY.format(rate=rate)) from error
