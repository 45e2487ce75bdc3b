"""The network that is exported, and TensorFlow's SavedModel of it, which most formats begin
with.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

import keras

from cvtasks.export import INPUT, OUTPUT
from cvtasks.networks.build import activated


def on_tensorflow() -> bool:
    """Whether Keras runs on TensorFlow, the one back end that can export."""
    return bool(keras.config.backend() == "tensorflow")


def with_names(network: keras.Model, head: Any) -> keras.Model:
    """A network with its head's activation behind it and a name for each output."""
    whole = activated(network, head)
    if isinstance(whole.output, dict):
        return whole
    return keras.Model(whole.input, {OUTPUT: whole.output}, name=whole.name)


def write_saved_model(network: keras.Model, place: Path) -> None:
    """Write a SavedModel whose one function, "serve", takes any number of images a batch."""
    signature = [
        keras.InputSpec(shape=(None, *network.input_shape[1:]), dtype="float32", name=INPUT)
    ]
    # Keras prints what it wrote, whatever `verbose` says
    with contextlib.redirect_stdout(io.StringIO()):
        network.export(
            str(place), format="tf_saved_model", verbose=False, input_signature=signature
        )
