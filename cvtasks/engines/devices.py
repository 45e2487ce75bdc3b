"""Which devices Keras' back end is to see."""

import os


def choose_device(device: str) -> None:
    """Hide GPUs from Keras' back end, which must not be loaded yet, if `device` is "cpu"."""
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
