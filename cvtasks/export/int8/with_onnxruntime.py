"""int8 of an ONNX file, by ONNX Runtime's own tool: pairs of QuantizeLinear and DequantizeLinear,
weights per channel.
"""

import math
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.advice import without_advice
from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.export.int8.layers import Layer, behind_the_last, relative_error

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_KINDS = (
    *_WEIGHTED,
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "GlobalAveragePool",
    "MaxPool",
    "Pad",
    "Relu",
    "Reshape",
    "Resize",
    "Slice",
    "Transpose",
)
"""What is computed in int8. Sigmoids and products are not: it gains no time, and costs accuracy."""


def quantising(
    floats: Path, images: Sequence[np.ndarray], place: Path
) -> Callable[[Collection[str]], Path]:
    """A function that writes the int8 file of a float one as `model.onnx` into the folder `place`,
    each time anew.

    Args:
        floats: the float file.
        images: network inputs, (H, W, 3) uint8, that ranges are measured on.

    Returns:
        From names of layers to be kept in float to the file; what is behind the last layers is kept
        anyway.
    """
    path = place / "model.onnx"

    def quantise(keep: Collection[str]) -> Path:
        _write(floats, images, keep, path)
        return path

    return quantise


def _write(floats: Path, images: Sequence[np.ndarray], keep: Collection[str], path: Path) -> None:
    """Write the file, with the layers `keep` in float."""
    import onnx

    onnx_runtime()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as temporary, without_advice():
        simple = Path(temporary) / "simple.onnx"
        _simplify(floats, simple)
        model = onnx.load(str(simple))
        tail, _ = _ends(model)
        quantize_static(
            str(simple),
            str(path),
            _Reader(model.graph.input[0].name, images),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_KINDS),
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*tail, *keep],
            extra_options={
                "ActivationSymmetric": False,
                "WeightSymmetric": True,
                # a range is that of the usual image, not of the one that has the largest number
                "CalibMovingAverage": True,
                "CalibMovingAverageConstant": 0.1,
            },
        )
    made = onnx.load(str(path))
    facts = {entry.key: entry.value for entry in onnx.load(str(floats)).metadata_props}
    del made.metadata_props[:]
    for name, text in facts.items():
        made.metadata_props.add(key=name, value=text)
    made.producer_name, made.doc_string = "cvtasks", ""
    path.write_bytes(made.SerializeToString())


class _Reader:
    """Images as ONNX Runtime's tool asks for them."""

    def __init__(self, name: str, images: Sequence[np.ndarray]) -> None:
        self._name, self._images = name, images
        self._left = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image by the name of the input; None behind the last."""
        image = next(self._left, None)
        return None if image is None else {self._name: _batch_of(image)}

    def rewind(self) -> None:
        """Begin again."""
        self._left = iter(self._images)

    def __iter__(self) -> "_Reader":
        return self

    def __next__(self) -> dict[str, np.ndarray]:
        found = self.get_next()
        if found is None:
            raise StopIteration
        return found


def layers_of(path: Path) -> list[Layer]:
    """The layers of weights of a file, in their order."""
    with tempfile.TemporaryDirectory() as temporary, without_advice():
        simple = path
        if not _is_int8(path):
            simple = Path(temporary) / "simple.onnx"
            _simplify(path, simple)
        model = _of_one_image(simple)
    shapes = _shapes(model)
    made_by = {name: node for node in model.graph.node for name in node.output}
    _, last = _ends(model)
    return [
        Layer(node.name, _multiply_adds(node, shapes), node.name in last, _in_int8(node, made_by))
        for node in model.graph.node
        if _is_weighted(node, _constants(model))
    ]


def errors_of(floats: Path, made: Path, images: Sequence[np.ndarray]) -> dict[str, float]:
    """Name of a layer → what int8 adds to the relative error of its output, on these images."""
    import onnx

    with tempfile.TemporaryDirectory() as temporary, without_advice():
        simple = Path(temporary) / "simple.onnx"
        _simplify(floats, simple)
        model = onnx.load(str(simple))
        constants = _constants(model)
        layers = [node for node in model.graph.node if _is_weighted(node, constants)]
        ends = {node.name: (node.input[0], _end(node, model)) for node in layers}
        named = sorted({name for both in ends.values() for name in both})
        runs = [_tapped(one, named) for one in (model, onnx.load(str(made)))]
    total = dict.fromkeys(ends, 0.0)
    for image in images:
        wanted, found = (run(image) for run in runs)
        for layer, both in ends.items():
            before, after = (
                relative_error(found[name], wanted[name]) if name in found else 0.0 for name in both
            )
            total[layer] += (after - before) / max(1, len(images))
    return total


def _end(node: Any, model: Any) -> str:
    """What a layer's output is called: that of the bend behind it, which a layer in int8 may be one
    with.
    """
    readers = [one for one in model.graph.node if node.output[0] in one.input]
    bent = len(readers) == 1 and readers[0].op_type in ("Clip", "Relu")
    return str(readers[0].output[0] if bent else node.output[0])


def _tapped(model: Any, names: Sequence[str]) -> Any:
    """A function from an image to the arrays of these names, whether or not they are outputs."""
    import onnx

    source = model.graph.input[0].name
    there = {name for node in model.graph.node for name in node.output}
    del model.graph.output[:]
    # the int8 form of a value, where there is one: it is that which a bend became a part of
    forms = {name: f"{name}_DequantizeLinear_Output" for name in names}
    form = {name: one if one in there else name for name, one in forms.items()}
    for name in {*form.values()} & there:
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = onnx_runtime().InferenceSession(
        model.SerializeToString(), _options(), providers=["CPUExecutionProvider"]
    )
    outputs = [port.name for port in session.get_outputs()]

    def run(image: np.ndarray) -> Mapping[str, np.ndarray]:
        found = dict(
            zip(outputs, session.run(outputs, {source: _batch_of(image)}), strict=True)
        ) | {source: _batch_of(image)}
        return {name: found[own] for name, own in form.items() if own in found}

    return run


def _batch_of(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[None], np.float32)


def _options() -> Any:
    options = onnx_runtime().SessionOptions()
    options.log_severity_level = 3
    return options


def _simplify(path: Path, place: Path) -> None:
    """Write the file with its shapes inferred and its constants folded, as the tool wants it."""
    onnx_runtime()
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(path), str(place), skip_symbolic_shape=True)


def _is_int8(path: Path) -> bool:
    import onnx

    graph = onnx.load(str(path)).graph
    return any(node.op_type == "QuantizeLinear" for node in graph.node)


def _of_one_image(path: Path) -> Any:
    """The model with all shapes for one image."""
    import onnx

    model = onnx.load(str(path))
    del model.graph.value_info[:]
    for port in model.graph.input:
        port.type.tensor_type.shape.dim[0].dim_value = 1
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _shapes(model: Any) -> dict[str, list[int]]:
    """Name of a value → its lengths; 0 where one is not known."""
    values = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    shapes = {one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in values}
    return shapes | {one.name: list(one.dims) for one in model.graph.initializer}


def _constants(model: Any) -> set[str]:
    """Names of the values that are made of constants alone."""
    found = {one.name for one in model.graph.initializer}
    for node in model.graph.node:  # each stands behind what it reads
        if node.op_type == "Constant" or (node.input and found.issuperset(node.input)):
            found.update(node.output)
    return found


def _is_weighted(node: Any, constants: Collection[str]) -> bool:
    return node.op_type in _WEIGHTED and node.input[1] in constants


def _ends(model: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    """Names of what computes behind the last layers of weights, and of those layers."""
    readers: dict[str, list[str]] = {}
    by_value: dict[str, list[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            by_value.setdefault(name, []).append(node.name)
    for node in model.graph.node:
        readers[node.name] = [one for name in node.output for one in by_value.get(name, ())]
    constants = _constants(model)
    weighted = {node.name for node in model.graph.node if _is_weighted(node, constants)}
    return behind_the_last([node.name for node in model.graph.node], readers, weighted)


def _in_int8(node: Any, made_by: Mapping[str, Any]) -> bool:
    """Whether what it reads, and its weights, were whole numbers before."""
    kinds = [made_by[name].op_type for name in node.input[:2] if name in made_by]
    return kinds == ["DequantizeLinear"] * 2


def _multiply_adds(node: Any, shapes: Mapping[str, Sequence[int]]) -> int:
    """Of one image."""
    weights = math.prod(shapes.get(node.input[1], [0]))
    if node.op_type in ("Gemm", "MatMul"):
        return weights * math.prod(shapes.get(node.output[0], [0])[:-1])
    places = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
    return weights * math.prod(shapes.get(places, [0, 0, 0])[2:])
