"""int8 of an OpenVINO graph, by nncf: weights per channel, biases corrected."""

import contextlib
import io
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.advice import without_advice
from cvtasks.engines.openvino_engine import core, ov
from cvtasks.export.int8.layers import Layer, behind_the_last, relative_error

_WEIGHTED = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")
_MOVING = ("MaxPool", "Pad", "Reshape", "Squeeze", "StridedSlice", "Tile", "Transpose", "Unsqueeze")
_NOTHING = ("Constant", "Parameter", "Result")


def quantising(
    floats: Path, images: Sequence[np.ndarray], place: Path
) -> Callable[[Collection[str]], Path]:
    """A function that writes the int8 graph of a float one as `model.xml` and `model.bin` into the
    folder `place`, each time anew.

    Args:
        floats: the .xml of the float graph.
        images: network inputs, (H, W, 3) uint8, that ranges are measured on; read several times.

    Returns:
        From names of layers to be kept in float to the .xml; what is behind the last layers is kept
        anyway.
    """
    path = place / "model.xml"

    def quantise(keep: Collection[str]) -> Path:
        graph = _simplified(floats)
        tail, _ = _ends(graph)
        with _quiet_nncf() as nncf:
            made = nncf.quantize(
                graph,
                nncf.Dataset(images, _batch_of),
                preset=nncf.QuantizationPreset.MIXED,  # activations need not lie around zero
                subset_size=len(images),
                ignored_scope=nncf.IgnoredScope(names=[*tail, *keep], validate=False),
            )
        ov.save_model(made, str(path), compress_to_fp16=False)
        return path

    return quantise


def layers_of(path: Path) -> list[Layer]:
    """The layers of weights of a graph, in their order."""
    graph = _simplified(path, one_image=True)
    _, last = _ends(graph)
    return [
        Layer(
            node.get_friendly_name(),
            _multiply_adds(node),
            node.get_friendly_name() in last,
            _is_quantised(node.input_value(0)),
        )
        for node in graph.get_ordered_ops()
        if _is_weighted(node)
    ]


def errors_of(floats: Path, made: Path, images: Sequence[np.ndarray]) -> dict[str, float]:
    """Name of a layer → what int8 adds to the relative error of its output, on these images."""
    graphs = [_simplified(floats), core().read_model(str(made))]
    names = [one.name for one in layers_of(floats)]
    tapped = [_tapped(graph, names, graphs[0]) for graph in graphs]
    total = dict.fromkeys(names, 0.0)
    for image in images:
        wanted, found = (run(_batch_of(image)) for run in tapped)
        for number, name in enumerate(names):
            before, after = (
                relative_error(found[index], wanted[index])
                for index in (2 * number, 2 * number + 1)
            )
            total[name] += (after - before) / max(1, len(images))
    return total


def _tapped(graph: Any, names: Sequence[str], floats: Any) -> Any:
    """A compiled graph whose outputs are what each layer reads and gives, in turn."""
    nodes = {node.get_friendly_name(): node for node in graph.get_ops()}
    own = {node.get_friendly_name(): node for node in floats.get_ops()}
    ports = []
    for name in names:
        source = own[name].input_value(0)
        node = nodes[source.get_node().get_friendly_name()]
        ports += [node.output(source.get_index()), nodes[name].output(0)]
    results = [ov.opset13.result(port) for port in ports]
    tapped = ov.Model(results, graph.get_parameters(), "tapped")
    return core().compile_model(tapped, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def _batch_of(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[None], np.float32)


def _simplified(path: Path, one_image: bool = False) -> Any:
    """A graph with scales folded into the weights and with activations as one node, as the plug-in
    for the CPU will see it: what it computes at once is quantised at once.
    """
    graph = core().read_model(str(path))
    if one_image:
        graph.reshape([1, *list(graph.input(0).get_partial_shape())[1:]])
    with contextlib.suppress(ImportError):  # without it the graph is right too, and slower
        from openvino._offline_transformations import apply_moc_transformations

        apply_moc_transformations(graph, True)
    return graph


def _ends(graph: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of what computes behind the last layers of weights, and of those layers."""
    nodes = [node for node in graph.get_ordered_ops() if node.get_type_name() not in _NOTHING]
    readers = {
        node.get_friendly_name(): [
            port.get_node().get_friendly_name()
            for output in node.outputs()
            for port in output.get_target_inputs()
        ]
        for node in nodes
    }
    weighted = {node.get_friendly_name() for node in nodes if _is_weighted(node)}
    return behind_the_last([node.get_friendly_name() for node in nodes], readers, weighted)


def _is_weighted(node: Any) -> bool:
    return node.get_type_name() in _WEIGHTED and _is_constant(node.input_value(1))


def _is_constant(port: Any) -> bool:
    """Whether it is made of constants alone: weights may be unpacked from int8 or scaled."""
    node = port.get_node()
    return node.get_type_name() != "Parameter" and all(
        _is_constant(one) for one in node.input_values()
    )


def _is_quantised(port: Any) -> bool:
    """Whether a range was measured for all that is read here."""
    node = port.get_node()
    kind = node.get_type_name()
    if kind == "Concat":
        return all(_is_quantised(one) for one in node.input_values())
    if kind in _MOVING:
        return _is_quantised(node.input_value(0))
    return bool(kind == "FakeQuantize")


def _multiply_adds(node: Any) -> int:
    """Of one image, in a graph of fixed shapes."""
    weights = math.prod(node.input_value(1).get_shape())
    if node.get_type_name() == "MatMul":
        return weights * math.prod(list(node.get_output_shape(0))[:-1])
    transposed = "Backprop" in node.get_type_name()
    places = node.get_input_shape(0) if transposed else node.get_output_shape(0)
    return weights * math.prod(list(places)[2:])


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[Any]:
    """nncf, which tells of each of its steps. It would also report to its maker over the network:
    without `openvino_telemetry`, which `cvtasks.engines.openvino_engine` keeps away, it cannot.
    """
    with without_advice(), contextlib.redirect_stdout(io.StringIO()):
        import nncf

        yield nncf
