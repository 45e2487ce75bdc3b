"""ONNX: converted by tf2onnx from a SavedModel, run by ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.errors import ModelError
from cvtasks.export import F16, F32, INPUT
from cvtasks.export.base import Given, Opened
from cvtasks.recipe.recipe import Recipe


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
    if given.precision == F16:
        halve(model)
    onnx.checker.check_model(model)
    path = place / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _converted(saved: Path) -> Any:
    """The ONNX model of a SavedModel."""
    import tensorflow as tf

    from cvtasks.engines.onnx_export import translated

    loaded = tf.saved_model.load(str(saved))  # kept: its variables end with it
    serve = loaded.signatures["serve"]
    [image] = serve.structured_input_signature[1].values()
    return translated(
        lambda image: serve(**{INPUT: image}), tf.TensorSpec(image.shape, image.dtype, name=INPUT)
    )


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
