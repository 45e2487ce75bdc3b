"""Looking after each step of training: whether its numbers are still numbers, and whether memory is
enough.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np

from cvtasks.engines.keras_engine import has_gpu
from cvtasks.errors import ModelError, NotFinite
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.memory import FULL, available

_TRY = (
    "Try a lower `train.learning_rate` (now {rate:g}), `train.clip = 1.0` or `train.precision = "
    '"f32"`.'
)
_SMALLER = (
    "Try `--batch auto`, a smaller `train.batch` with `train.accumulate`, a smaller `size`, or "
    '`train.precision = "bf16"`.'
)


def check_memory(network: keras.Model, recipe: Recipe) -> None:
    """Raise ModelError if one batch certainly does not fit into a CPU's memory: the system would
    end the process there.

    Certain is half of what the layers put out: it is kept for the backward pass but where a layer
    computes in place. A GPU says itself, in the first step, what does not fit.

    Args:
        network: the recipe's, for its canvas.
    """
    free = 0 if has_gpu() else available()
    side = max(recipe.data.sides or (recipe.data.crop or recipe.size,))
    enlarged = side * side / (recipe.canvas[0] * recipe.canvas[1])
    needed = int(recipe.train.batch * enlarged * _put_out(network) / 2)
    if 0 < free < needed:
        raise ModelError(
            f"a batch must fit into memory; the maps of {recipe.train.batch} images of {side} "
            f"pixels with {recipe.backbone} take "
            f"{needed / 1e9:.1f} GB at least, and {free / 1e9:.1f} GB are free. {_SMALLER}"
        )


def _put_out(network: keras.Model) -> int:
    """Bytes of what all layers put out for one image."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            total += _put_out(layer)
        else:
            total += sum(
                math.prod(one.shape[1:]) * (2 if "16" in one.dtype else 4)
                for one in keras.tree.flatten(layer.output)
            )
    return total


@contextmanager
def memory_named(recipe: Recipe) -> Iterator[None]:
    """Turn a back end's way to say that memory is full into a ModelError that says what to try."""
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}".lower()
        if any(word in said for word in FULL):
            raise ModelError(
                f"a batch must fit into memory; one of {recipe.train.batch} images of "
                f"{recipe.data.crop or recipe.size} pixels "
                f"with {recipe.backbone} does not. {_SMALLER}"
            ) from error
        raise


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
