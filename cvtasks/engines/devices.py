"""Which device Keras' back end sees."""

import os

from cvtasks.errors import UsageError


def choose_device(device: str) -> None:
    """Hide GPUs from Keras' back end, which must not be loaded yet, if `device` is "cpu"."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"


def check_device(device: str) -> None:
    """Raise UsageError if a GPU was asked for and Keras' back end sees none; loads it."""
    from cvtasks.engines.keras_engine import has_gpu

    if device == "gpu" and not has_gpu():
        raise UsageError(
            "--device gpu needs a GPU that Keras' back end sees; it sees none. Choose --device cpu."
        )
