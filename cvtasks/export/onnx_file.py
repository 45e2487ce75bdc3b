"""ONNX: converted by tf2onnx from a SavedModel, run by ONNX Runtime."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.errors import ModelError
from cvtasks.export import F16, F32, INPUT
from cvtasks.export.base import Given, Opened
from cvtasks.recipe.recipe import Recipe

OPSET = 17
"""What ONNX Runtime 1.14, OpenCV 4.8 and onnxruntime-web read, and later ones."""


def write(given: Given, place: Path) -> Path:
    """Write `model.onnx`: any number of images a batch, the facts in its metadata. In f16 the
    weights are stored so, and computed with in float32.
    """
    import onnx

    from cvtasks.export.onnx_half import halve

    model = given.with_saved_model(_converted)
    for name, text in given.facts.items():
        model.metadata_props.add(key=name, value=text)
    model.producer_name, model.doc_string = "cvtasks", ""
    _call_batch(model)
    if given.precision == F16:
        halve(model)
    onnx.checker.check_model(model)
    path = place / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _converted(saved: Path) -> Any:
    """The ONNX model of a SavedModel."""
    with _quiet():
        import tensorflow as tf
        import tf2onnx

        loaded = tf.saved_model.load(str(saved))
        serve = loaded.signatures["serve"]
        [image] = serve.structured_input_signature[1].values()

        @tf.function(input_signature=[tf.TensorSpec(image.shape, image.dtype, name=INPUT)])
        def network(image: Any) -> Any:
            return serve(**{INPUT: image})

        model, _ = tf2onnx.convert.from_function(network, network.input_signature, opset=OPSET)
    return model


def _call_batch(model: Any) -> None:
    """Call the one open length of inputs and outputs "batch"."""
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "batch"


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx tells of each of its steps; what went wrong it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def open_exported(path: Path, recipe: Recipe) -> Opened:
    """Open the file on the CPU."""
    onnxruntime = onnx_runtime()
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # each fault of a file has its own kind
        raise ModelError(
            f"{path.name!r} must be an ONNX file; it cannot be opened: {str(error)[:300]}. Export "
            "the model again."
        ) from error
    names = [port.name for port in session.get_outputs()]

    def run(images: np.ndarray) -> Mapping[str, Any]:
        return dict(zip(names, session.run(names, {INPUT: images}), strict=True))

    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    precision = session.get_modelmeta().custom_metadata_map.get("precision", F32)
    return Opened("onnxruntime", precision, run, shapes, path)
