"""Make the compiled graph of a network: Keras on TensorFlow writes a SavedModel,
OpenVINO reads it.
"""

import contextlib
import io
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import keras
import numpy as np

from cvtasks.engines.constants import pack
from cvtasks.engines.openvino_engine import CONSTANTS, GRAPH, core, ov
from cvtasks.errors import ModelError
from cvtasks.files.writing import write_bytes
from cvtasks.heads.base import Head
from cvtasks.networks.build import activated
from cvtasks.weights.safetensors_file import read_safetensors


def export_graph(
    network: keras.Model, head: Head, weights: Path, folder: Path
) -> tuple[Path, Path]:
    """Write `graph.xml` and its constants, `graph.safetensors`, into `folder`.

    The graph takes (1, H, W, 3) float 0–255 RGB of the network's own size and ends with the head's
    activation.

    Args:
        weights: the file that the network's weights were loaded from; in its precision the
            constants are stored. What is computed in is the engine's choice.

    Raises:
        ModelError: Keras does not run on TensorFlow, the one back end that can export.
    """
    if keras.config.backend() != "tensorflow":
        raise ModelError(
            f"a graph is exported by Keras on TensorFlow; it runs on {keras.config.backend()}. "
            "Set KERAS_BACKEND=tensorflow, or use the keras engine."
        )
    signature = [
        keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32", name="image")
    ]
    with tempfile.TemporaryDirectory() as place:
        with contextlib.redirect_stdout(
            io.StringIO()
        ):  # Keras prints what it wrote, whatever `verbose` says
            activated(network, head).export(
                place, format="tf_saved_model", verbose=False, input_signature=signature
            )
        graph = core().read_model(place)
        graph.reshape([1, *network.input_shape[1:]])
        made = Path(place) / GRAPH
        half = any(stored.dtype == np.float16 for stored in read_safetensors(weights).values())
        _softmax_by_planes(graph)
        ov.save_model(graph, made, compress_to_fp16=half)
        _keep_precise(made, _enlargement(graph))
        pack(made, weights, folder / CONSTANTS)
        write_bytes(folder / GRAPH, made.read_bytes())
    return folder / GRAPH, folder / CONSTANTS


def _softmax_by_planes(graph: ov.Model) -> None:
    """Let a last softmax over classes run over whole planes; over rows of a few numbers it takes a
    sixth of the time.

    The transpositions cancel out with those that OpenVINO makes around convolutions, and with a
    planar output's.
    """
    softmax = graph.get_results()[0].input_value(0).get_node()
    if softmax.get_type_name() == "Softmax" and len(softmax.get_output_partial_shape(0)) == 4:
        import openvino.opset13 as opset

        planes = opset.softmax(opset.transpose(softmax.input_value(0), np.array([0, 3, 1, 2])), 1)
        softmax.output(0).replace(opset.transpose(planes, np.array([0, 2, 3, 1])).output(0))


def _enlargement(graph: ov.Model) -> str:
    """The name of the enlargement of the scores that the graph ends with; "" where it has none."""
    node = graph.get_results()[0].input_value(0).get_node()
    while node.get_type_name() in ("Softmax", "Transpose"):
        node = node.input_value(0).get_node()
    return str(node.get_friendly_name()) if node.get_type_name() == "Interpolate" else ""


def _keep_precise(graph: Path, enlargement: str) -> None:
    """Mark what is to compute in float32 also where the rest computes in bfloat16: depthwise
    convolutions, which it costs most, and the enlargement of the scores, which takes four times as
    long in bfloat16.

    The mark must stand in the file: the CPU plug-in does not see one that was set on the graph in
    memory.
    """
    tree = ElementTree.parse(graph)
    for layer in tree.iterfind("./layers/layer"):
        if layer.get("type") != "GroupConvolution" and layer.get("name") != (enlargement or None):
            continue
        info = layer.find("rt_info")
        info = ElementTree.SubElement(layer, "rt_info") if info is None else info
        ElementTree.SubElement(info, "attribute", name="precise", version="0")
    tree.write(graph)
