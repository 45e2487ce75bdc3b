"""Looking after each step of training: whether its numbers are still numbers, and whether memory was enough."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from cvtasks.errors import ModelError
from cvtasks.preflight import FULL
from cvtasks.recipe import Recipe

_TRY = 'Try a lower `train.learning_rate` (now {rate:g}), `train.clip = 1.0` or `train.precision = "f32"`.'


@contextmanager
def memory_named(recipe: Recipe) -> Iterator[None]:
    """Turn a back end's way to say that memory is full into a ModelError that says what to try."""
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}".lower()
        if any(word in said for word in FULL):
            raise ModelError(
                f"a batch must fit into memory; one of {recipe.train.batch} pictures of {recipe.data.crop or recipe.size} pixels "
                f"with {recipe.backbone} does not. Try `--batch auto`, a smaller `train.batch` with `train.accumulate`, a smaller "
                '`size`, or `train.precision = "bf16"`.'
            ) from error
        raise


class NotFinite(ModelError):
    """Loss or weights became NaN or infinite."""


def check_finite(network: keras.Model, loss: float, epoch: int, step: int, names: Sequence[str], rate: float) -> None:
    """Raise NotFinite if the loss of a step, or a weight after it, is NaN or infinite.

    Args:
        epoch, step: the step that was just done, counted from 0.
        names: of its pictures; none where it is not known.
        rate: the recipe's learning rate, for the way out.
    """
    where = f"in epoch {epoch + 1}, step {step + 1}" + (f", with the pictures {', '.join(names)}" if names else "")
    if not math.isfinite(loss):
        text = f"the loss must stay a finite number; it became {loss} {where}. Nothing of it was saved. "
        raise NotFinite(text + _TRY.format(rate=rate))
    for variable in network.weights:
        values = variable.numpy()
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(values.sum(dtype=np.float32 if values.dtype.kind != "f" else None))
        if suspicious and not np.isfinite(values).all():  # the sum of finite numbers may be infinite too
            text = f"weights must stay finite numbers; {variable.path} did not {where}. Nothing of it was saved. "
            raise NotFinite(text + _TRY.format(rate=rate))
