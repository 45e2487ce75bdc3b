"""Make the compiled graph of a network: Keras on TensorFlow writes a SavedModel, OpenVINO reads it."""

import contextlib
import io
import tempfile
from pathlib import Path

import keras

from cvtasks.engines.with_openvino import GRAPH, ov
from cvtasks.errors import ModelError
from cvtasks.files import written_whole
from cvtasks.networks.build import activated
from cvtasks.tasks import Task


def export_graph(network: keras.Model, task: Task, folder: Path, half: bool) -> tuple[Path, Path]:
    """Write `graph.xml` and `graph.bin` into `folder`.

    The graph takes (1, H, W, 3) float 0–255 RGB of the network's own size and ends with the task's activation.

    Args:
        half: store the constants in half precision; what it computes in is the engine's choice.

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
        ov.save_model(graph, made, compress_to_fp16=half)
        targets = folder / GRAPH, (folder / GRAPH).with_suffix(".bin")
        for target in targets[::-1]:  # the constants first: a graph without them would not load
            with written_whole(target) as part:
                part.write_bytes(made.with_suffix(target.suffix).read_bytes())
    return targets
