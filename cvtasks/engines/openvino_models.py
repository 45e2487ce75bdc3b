"""Open a model for OpenVINO: the graph beside its weights, or one that is made of them and kept."""

import hashlib
from functools import partial
from pathlib import Path

from cvtasks.engines.graph_cache import GRAPH, cached_graph
from cvtasks.engines.int8_graph import int8_graph, needs_int8
from cvtasks.engines.openvino_engine import CONSTANTS, OpenVINOEngine, core, has_bf16
from cvtasks.engines.table import AUTO, Setup
from cvtasks.errors import ModelError, UsageError
from cvtasks.recipe.recipe import Recipe


def open_engine(weights: Path, recipe: Recipe, setup: Setup) -> OpenVINOEngine:
    """Open the graph that lies beside the weights, or the one that is made of them and kept. One in
    int8 is never made here: an export measures what it loses.

    Raises:
        ModelError: the graph cannot be read, compiled or made; or there is none in int8.
        UsageError: bf16 was asked for, and this CPU does not compute in it.
    """
    precision = setup.precision
    if precision == AUTO:
        precision = "bf16" if has_bf16() else "f32"
    if precision == "bf16" and not has_bf16():
        raise UsageError(
            "precision bf16 needs a CPU that computes in it; this one does not. Choose f32."
        )
    output = recipe.head.outputs(recipe.input_size, recipe.classes)
    if precision == "int8":
        graph, constants = int8_graph(weights, recipe)
        size, how = recipe.input_size, (precision, setup.many, constants)
        try:
            return OpenVINOEngine(graph, weights, size, output, *how)
        except ModelError as error:
            said = str(error).removesuffix(" Copy or train the model again.").rstrip(".")
            raise needs_int8(said) from error

    def compiled(graph: Path) -> OpenVINOEngine:
        return OpenVINOEngine(graph, weights, recipe.input_size, output, precision, setup.many)

    # what the recipe does not list was not compared with a sum
    if {GRAPH, CONSTANTS} <= recipe.files.keys():
        return compiled(weights.with_name(GRAPH))
    key = hashlib.sha256(recipe.to_toml().encode()).hexdigest()  # it lists the weights' own
    make = partial(_export, weights, recipe)
    graph = cached_graph(key, make)
    try:
        return compiled(graph)
    # as it was written, and of no use: another version wrote it, or another process exchanges it
    # just now
    except ModelError:
        return compiled(cached_graph(key, make, again=True))


def _export(weights: Path, recipe: Recipe, place: Path) -> None:
    """Write the graph of a model's weights into `place`; loads Keras."""
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.keras_engine import load_network

    export_graph(load_network(weights, recipe), recipe.head, weights, place)


def facts() -> dict[str, str]:
    """The CPU as OpenVINO calls it, and what it computes in."""
    return {
        "openvino": core().get_property("CPU", "FULL_DEVICE_NAME"),
        "openvino precisions": "f32 and bf16" if has_bf16() else "f32",
    }
