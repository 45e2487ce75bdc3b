"""Open a model for ONNX Runtime: the graph beside its weights, or one that is made of them and
kept.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from cvtasks.engines.graph_cache import cached_graph
from cvtasks.engines.onnxruntime_engine import ONNX_GRAPH, OnnxRuntimeEngine, facts, has_gpu
from cvtasks.engines.table import AUTO, Setup
from cvtasks.errors import ModelError, UsageError
from cvtasks.recipe.recipe import Recipe

__all__ = ["facts", "has_gpu", "open_engine"]

_MAKERS = ("keras", "tensorflow", "tf2onnx")
"""Packages that make a graph; to run one none is needed."""


def open_engine(weights: Path, recipe: Recipe, setup: Setup) -> OnnxRuntimeEngine:
    """Open the graph that lies beside the weights, or the one that is made of them and kept.

    Raises:
        ModelError: the graph cannot be read, run or made.
        UsageError: another precision than f32 was asked for; a GPU was, and there is none; or a
            graph is to be made, and what makes it is not installed.
    """
    if setup.precision not in (AUTO, "f32"):
        raise UsageError(
            f"the onnxruntime engine computes in f32; the precision asked for is "
            f"{setup.precision}. Choose f32, or the openvino engine."
        )
    outputs = recipe.head.outputs(recipe.input_size, recipe.classes)

    def opened(graph: Path) -> OnnxRuntimeEngine:
        size, how = recipe.input_size, (setup.device, setup.many, setup.batch)
        return OnnxRuntimeEngine(graph, size, outputs, *how)

    if ONNX_GRAPH in recipe.files:  # what it does not list was not compared with a sum
        return opened(weights.with_name(ONNX_GRAPH))
    key = hashlib.sha256(f"{ONNX_GRAPH}\n{recipe.to_toml()}".encode()).hexdigest()
    make = partial(_export, weights, recipe)
    graph = cached_graph(key, make, name=ONNX_GRAPH)
    try:
        return opened(graph)
    # as it was written, and of no use: another version wrote it, or another process exchanges it
    # just now
    except ModelError:
        return opened(cached_graph(key, make, again=True, name=ONNX_GRAPH))


def _export(weights: Path, recipe: Recipe, place: Path) -> None:
    """Write the graph of a model's weights into `place`, in a process of its own: it runs Keras on
    TensorFlow whatever this one does, and its memory is given back.
    """
    missing = [name for name in _MAKERS if not find_spec(name)]
    if missing:
        raise UsageError(
            f"this model has no {ONNX_GRAPH}; to make one takes {', '.join(missing)}, which is "
            'not installed. Install it: pip install "cvtasks[onnx]", or use another engine.'
        )
    home = str(Path(__file__).parents[2])  # where a checkout runs that is not installed, too
    found = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    quiet = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        replace(recipe, files={}).save(path)
        module, files = "cvtasks.engines.onnx_export", (weights, path, place / ONNX_GRAPH)
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *map(str, files)],
            env={**os.environ, **quiet, "PYTHONPATH": found, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ModelError(
            f"an ONNX graph could not be made of this model: {lines[-1][:300].rstrip('.')}. Use "
            "the keras engine."
        )
