"""Exported files that answer by themselves: made of files of the plain network, and checked against
what these put out.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from cvtasks.engines.base import Engine
from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.export import INPUT
from cvtasks.export.base import Run
from cvtasks.export.check import BOUNDS, Checked, check_passed
from cvtasks.export.decoding.check import compare_answers
from cvtasks.export.decoding.heads import answer_graph
from cvtasks.export.decoding.join import answering_onnx, answering_openvino
from cvtasks.export.decoding.steps import PREFIX
from cvtasks.recipe.recipe import Recipe

Named = Sequence[tuple[str, np.ndarray]]


def make_answering(
    format: str, path: Path, engine: Engine, recipe: Recipe, images: Named, drawn: str
) -> Checked:
    """Put decoding behind the network of a file, and check that it answers as the network's outputs
    are decoded, on the network inputs of images.

    Args:
        format: one of `cvtasks.export.decoding.FORMATS`.
        path: the file of the network, which is replaced.
        engine: the file as it was.
        images: (name, (h, w, 3) uint8 RGB), prepared as the task wants them.

    Raises:
        ModelError: it answers otherwise.
    """
    threshold = recipe.task.threshold
    run = _FORMATS[format](path, recipe, threshold)
    bounds = BOUNDS["f32"]
    seen = [image for _, image in images]
    found = compare_answers(run, engine, recipe, seen, bounds, threshold)
    names = tuple(name for name, _ in images)
    checked = Checked(bounds, found, None, names, drawn, tuple(found.faults(bounds)))
    check_passed(checked, f"{path.name} with decoding in the graph")
    return checked


def answer_shapes(recipe: Recipe) -> dict[str, list[int | str]]:
    """The outputs of a file that answers: name → shape, with names for what is as long as the
    answer.
    """
    ports = answer_graph(recipe, recipe.task.threshold).graph.output
    return {
        port.name: [one.dim_param or one.dim_value for one in port.type.tensor_type.shape.dim]
        for port in ports
    }


def _facts(recipe: Recipe, threshold: float) -> Mapping[str, str]:
    """What such a file says of itself otherwise than the plain one."""
    return {"outputs": json.dumps(answer_shapes(recipe)), "decoded": f"from {threshold:g}"}


def _onnx(path: Path, recipe: Recipe, threshold: float) -> Run:
    import onnx

    onnxruntime = onnx_runtime()
    joined = answering_onnx(onnx.load(str(path)), recipe, threshold)
    said = {entry.key: entry.value for entry in joined.metadata_props}
    onnx.helper.set_model_props(joined, {**said, **_facts(recipe, threshold)})
    path.write_bytes(joined.SerializeToString())
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {INPUT: images}), strict=True))


def _openvino(path: Path, recipe: Recipe, threshold: float) -> Run:
    from cvtasks.engines.openvino_engine import core, ov

    joined = answering_openvino(core().read_model(str(path)), recipe, threshold)
    for name, text in _facts(recipe, threshold).items():
        joined.set_rt_info(text, ["cvtasks", name])
    with tempfile.TemporaryDirectory(dir=path.parent) as place:
        made = Path(place) / path.name
        ov.save_model(joined, str(made), compress_to_fp16=False)  # what is small stays so
        _keep_precise(made)
        for suffix in (".bin", path.suffix):
            made.with_suffix(suffix).replace(path.with_suffix(suffix))
    graph = core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = list(answer_shapes(recipe))

    def run(images: np.ndarray) -> Mapping[str, Any]:
        found = graph([images])
        return {name: found[name] for name in names}

    return run


def _keep_precise(graph: Path) -> None:
    """Mark the steps of decoding to compute in float32 also where a device takes bfloat16 or half
    for the network: edges of boxes are numbers of hundreds of pixels.
    """
    tree = ElementTree.parse(graph)
    for layer in tree.iterfind("./layers/layer"):
        if (layer.get("name") or "").startswith(PREFIX) and layer.get("type") != "Const":
            info = layer.find("rt_info")
            info = ElementTree.SubElement(layer, "rt_info") if info is None else info
            ElementTree.SubElement(info, "attribute", name="precise", version="0")
    tree.write(graph)


_FORMATS: dict[str, Callable[[Path, Recipe, float], Run]] = {"onnx": _onnx, "openvino": _openvino}
