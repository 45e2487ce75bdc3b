"""OpenVINO: a graph and its constants, for a CPU, a GPU or an NPU of Intel's, and for ARM."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.openvino_engine import core, ov
from cvtasks.errors import ModelError
from cvtasks.export import INPUT, OUTPUT
from cvtasks.export.base import Given, Opened
from cvtasks.recipe.recipe import Recipe


def write(given: Given, place: Path) -> Path:
    """Write `model.xml` and `model.bin`: any number of images a batch, the facts as `rt_info`
    under "cvtasks". In f16 the constants are stored so, and computed with in what the device has.
    """

    def written(saved: Path) -> Path:
        graph = core().read_model(str(saved))
        graph.reshape([-1, *given.recipe.input_size, 3])
        graph.inputs[0].get_tensor().set_names({INPUT})
        for name, text in given.facts.items():
            graph.set_rt_info(text, ["cvtasks", name])
        path = place / "model.xml"
        ov.save_model(graph, str(path), compress_to_fp16=given.precision == "f16")
        return path

    path: Path = given.with_saved_model(written)
    return path


def open_exported(path: Path, recipe: Recipe) -> Opened:
    """Open the graph on the CPU, in float32 whatever that computes in by itself."""
    try:
        model = core().read_model(str(path))
        facts = model.get_rt_info(["cvtasks", "precision"]).astype(str)
        graph = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except Exception as error:  # OpenVINO raises nearly every kind on a foreign graph
        raise ModelError(
            f"{path.name!r} must be a graph of OpenVINO's that cvtasks wrote; it cannot be opened: "
            f"{str(error)[:300]}. Export the model again."
        ) from error
    shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    names = [_name(port, shapes) for port in graph.outputs]

    def run(images: np.ndarray) -> Mapping[str, Any]:
        found = graph([images])
        return {name: found[index] for index, name in enumerate(names)}

    return Opened("openvino", facts, run, shapes, path)


def _name(port: Any, shapes: Any) -> str:
    """The name of an output that the recipe knows; any other where it knows none of them."""
    known = shapes if isinstance(shapes, Mapping) else {OUTPUT}
    names = sorted(port.get_names())
    return next((name for name in names if name in known), names[0] if names else "")
