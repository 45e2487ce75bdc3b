"""int8 of a LiteRT file, by AI Edge Quantizer: weights per channel, float at both ends."""

import contextlib
import io
import math
import re
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.export import INPUT
from cvtasks.export.int8.layers import Layer, behind_the_last, relative_error
from cvtasks.export.litert import SIGNATURE, cores, facts_of, with_facts

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")


def quantising(
    floats: Path, images: Sequence[np.ndarray], place: Path
) -> Callable[[Collection[str]], Path]:
    """A function that writes the int8 file of a float one as `model.tflite` into the folder
    `place`, each time anew.

    Args:
        floats: the float file.
        images: network inputs, (H, W, 3) uint8, that ranges are measured on, once.

    Returns:
        From names of layers to be kept in float to the file; what is behind the last layers is kept
        anyway.
    """
    content = floats.read_bytes()
    tail, _ = _Graph(content).ends()
    path = place / "model.tflite"
    with _quiet():  # the ranges of all values that any attempt asks for
        ranges = _tool(floats, tail).calibrate({SIGNATURE: _Inputs(images)}, num_threads=cores())

    def quantise(keep: Collection[str]) -> Path:
        with _quiet():
            tool = _tool(floats, [*tail, *keep])
            made = tool.quantize(deepcopy(ranges), enable_progress_report=False)
        if made.quantized_model is None:
            raise RuntimeError("AI Edge Quantizer gave no file back")
        path.write_bytes(with_facts(bytes(made.quantized_model), facts_of(content)))
        return path

    return quantise


def _tool(floats: Path, kept: Sequence[str]) -> Any:
    """The tool, told to keep operators of these names in float."""
    from ai_edge_quantizer import algorithm_manager, qtyping, quantizer

    tool = quantizer.Quantizer(str(floats))
    every, none = qtyping.TFLOperationName, algorithm_manager.AlgorithmName.NO_QUANTIZE
    tool.add_static_config(
        regex=".*",
        operation_name=every.ALL_SUPPORTED,
        activation_num_bits=8,
        weight_num_bits=8,
    )
    for kind in (every.INPUT, every.OUTPUT):
        tool.update_quantization_recipe(".*", kind, algorithm_key=none)
    if kept:
        names = "|".join(map(re.escape, kept))
        tool.update_quantization_recipe(f"^({names});?$", every.ALL_SUPPORTED, algorithm_key=none)
    return tool


class _Inputs(Sequence[dict[str, np.ndarray]]):
    """Images as the tool reads them, by the name of the input."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: Any) -> Any:
        return {INPUT: _batch_of(self._images[index])}


def layers_of(path: Path) -> list[Layer]:
    """The layers of weights of a file, in their order."""
    graph = _Graph(path.read_bytes())
    _, last = graph.ends()
    return [
        Layer(name, graph.multiply_adds(one), name in last, graph.in_int8(one))
        for one in graph.operators
        for name in [graph.name(one)]
        if graph.is_weighted(one)
    ]


def errors_of(floats: Path, made: Path, images: Sequence[np.ndarray]) -> dict[str, float]:
    """Name of a layer → what int8 adds to the relative error of its output, on these images."""
    graph = _Graph(floats.read_bytes())
    layers = [one for one in graph.operators if graph.is_weighted(one)]
    runs = [_tapped(path) for path in (floats, made)]
    total = {graph.name(one): 0.0 for one in layers}
    for image in images:
        wanted, found = (run(image) for run in runs)
        for one in layers:
            before, after = (
                relative_error(found[name], wanted[name]) if name in found else 0.0
                for name in (graph.tensor(graph.data(one)), graph.name(one))
            )
            total[graph.name(one)] += (after - before) / max(1, len(images))
    return total


def _tapped(path: Path) -> Any:
    """A function from an image to all values of a file, by the names of its tensors, in float32."""
    from ai_edge_litert.interpreter import Interpreter

    with _quiet():
        interpreter = Interpreter(
            model_content=path.read_bytes(),
            num_threads=cores(),
            experimental_preserve_all_tensors=True,
        )
        runner = interpreter.get_signature_runner(SIGNATURE)

    def run(image: np.ndarray) -> dict[str, np.ndarray]:
        runner(**{INPUT: _batch_of(image)})
        found: dict[str, np.ndarray] = {}
        for one in interpreter.get_tensor_details():
            with contextlib.suppress(ValueError):  # what the kernels keep for themselves
                array = interpreter.get_tensor(one["index"])
                scale, zero = one["quantization"]
                if array.dtype == np.int8:
                    array = (array.astype(np.float32) - zero) * scale
                found.setdefault(one["name"].removesuffix("_quantized"), array)
        return found

    return run


def _batch_of(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image[None], np.float32)


class _Graph:
    """A file's operators; each is called as its output is."""

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated as schema

        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        kinds = {number: kind for kind, number in vars(schema.BuiltinOperator).items()}
        self._kinds = [
            kinds[max(one.builtinCode, one.deprecatedBuiltinCode)] for one in model.operatorCodes
        ]
        self._int8 = schema.TensorType.INT8
        self._tensors, self._buffers = model.subgraphs[0].tensors, model.buffers
        self.operators: list[Any] = list(model.subgraphs[0].operators)

    def kind(self, operator: Any) -> str:
        """Its name in the format."""
        return str(self._kinds[operator.opcodeIndex])

    def tensor(self, index: int) -> str:
        """Its name, also where it holds the int8 form of what has that name in a float file."""
        return bytes(self._tensors[index].name).decode().removesuffix("_quantized")

    def name(self, operator: Any) -> str:
        """What its output is called."""
        return self.tensor(operator.outputs[0])

    def data(self, operator: Any) -> int:
        """What it reads beside its weights."""
        return int(operator.inputs[2 if self.kind(operator) == "TRANSPOSE_CONV" else 0])

    def is_weighted(self, operator: Any) -> bool:
        """Whether it is a layer of weights."""
        return self.kind(operator) in _WEIGHTED

    def in_int8(self, operator: Any) -> bool:
        """Whether it computes with whole numbers of eight bits."""
        indices = (self.data(operator), operator.inputs[1])
        return all(self._tensors[index].type == self._int8 for index in indices)

    def multiply_adds(self, operator: Any) -> int:
        """Of a layer of weights."""
        weights, kind = self._tensors[operator.inputs[1]].shape, self.kind(operator)
        made = self._tensors[operator.outputs[0]].shape
        if kind == "FULLY_CONNECTED":
            return math.prod(map(int, weights)) * math.prod(map(int, made[:-1]))
        read = self._tensors[self.data(operator)].shape
        places = (read if kind == "TRANSPOSE_CONV" else made)[1:3]
        return math.prod(map(int, weights)) * math.prod(map(int, places))

    def ends(self) -> tuple[tuple[str, ...], frozenset[str]]:
        """Names of what computes behind the last layers of weights, and of those layers."""
        reading: dict[int, list[str]] = {}
        for one in self.operators:
            for index in one.inputs:
                reading.setdefault(int(index), []).append(self.name(one))
        readers: Mapping[str, list[str]] = {
            self.name(one): [name for index in one.outputs for name in reading.get(int(index), ())]
            for one in self.operators
        }
        weighted = {self.name(one) for one in self.operators if self.is_weighted(one)}
        return behind_the_last([self.name(one) for one in self.operators], readers, weighted)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The tool shows its progress, and warns of what it does itself; what goes wrong it raises."""
    with (
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
