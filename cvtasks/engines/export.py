"""Make the compiled graph of a network: Keras on TensorFlow writes a SavedModel, OpenVINO reads it."""

import contextlib
import io
import tempfile
from pathlib import Path

import keras
import numpy as np

from cvtasks.engines.constants import pack
from cvtasks.engines.with_openvino import CONSTANTS, GRAPH, ov
from cvtasks.errors import ModelError
from cvtasks.files import write_bytes
from cvtasks.networks.build import activated
from cvtasks.networks.safetensors_file import read_safetensors
from cvtasks.tasks import Task


def export_graph(network: keras.Model, task: Task, weights: Path, folder: Path) -> tuple[Path, Path]:
    """Write `graph.xml` and its constants, `graph.safetensors`, into `folder`.

    The graph takes (1, H, W, 3) float 0–255 RGB of the network's own size and ends with the task's activation.

    Args:
        weights: the file that the network's weights were loaded from; in its precision the constants are stored. What is
            computed in is the engine's choice.

    Raises:
        ModelError: Keras does not run on TensorFlow, the one back end that can export.
    """
    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"a graph is exported by Keras on TensorFlow; it runs on {keras.config.backend()}. "
            "Set KERAS_BACKEND=tensorflow, or choose `--engine keras`."
        )
    signature = [keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32", name="image")]
    with tempfile.TemporaryDirectory() as place:
        with contextlib.redirect_stdout(io.StringIO()):  # Keras prints what it wrote, whatever `verbose` says
            activated(network, task).export(place, format="tf_saved_model", verbose=False, input_signature=signature)
        graph = ov.Core().read_model(place)
        graph.reshape([1, *network.input_shape[1:]])
        made = Path(place) / GRAPH
        half = any(stored.dtype == np.float16 for stored in read_safetensors(weights).values())
        ov.save_model(graph, made, compress_to_fp16=half)
        pack(made, weights, folder / CONSTANTS)
        write_bytes(folder / GRAPH, made.read_bytes())
    return folder / GRAPH, folder / CONSTANTS
