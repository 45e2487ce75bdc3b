"""Looking after each step of training, and after each look at the validation split: whether the
numbers are still finite.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from cvtasks.errors import NotFinite

_TRY = (
    "Try a lower `train.learning_rate` (now {rate:g}), `train.clip = 1.0` or `train.precision = "
    '"f32"`.'
)


def check_finite(
    network: keras.Model, loss: float, epoch: int, step: int, names: Sequence[str], rate: float
) -> None:
    """Raise NotFinite if the loss of a step, or a weight after it, is NaN or infinite.

    Args:
        epoch, step: the step that was just done, counted from 0.
        names: of its images; none where it is not known.
        rate: the recipe's learning rate, for the way out.
    """
    where = f"in epoch {epoch + 1}, step {step + 1}" + (
        f", with the images {', '.join(names)}" if names else ""
    )
    if not math.isfinite(loss):
        text = (
            f"the loss must stay a finite number; it became {loss} {where}. Nothing of it was "
            "saved. "
        )
        raise NotFinite(text + _TRY.format(rate=rate))
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
                f"weights must stay finite numbers; {variable.path} did not {where}. Nothing of it "
                "was saved. "
            )
            raise NotFinite(text + _TRY.format(rate=rate))


@contextmanager
def answers_named(epoch: int, rate: float) -> Iterator[None]:
    """Turn NotFinite about an answer into one that says of which epoch, and what to try; arguments
    as of `check_finite`.
    """
    try:
        yield
    except NotFinite as error:
        text = (
            "answers must stay finite numbers; those to the validation split did not in epoch "
            f"{epoch + 1}. Nothing of it was saved. "
        )
        raise NotFinite(text + _TRY.format(rate=rate)) from error
