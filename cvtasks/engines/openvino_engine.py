"""Run a compiled graph on the CPU by OpenVINO. Never imports Keras."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

# `import openvino` reports to its maker over the network. Without this package it falls back to a
# stub that does not.
sys.modules.setdefault(("openvino_telemetry"), None)  # type: ignore[arg-type]  # None: an import of it fails

import openvino as ov  # noqa: E402

from cvtasks.engines.constants import unpack  # noqa: E402
from cvtasks.engines.forks import Compiled  # noqa: E402
from cvtasks.engines.graph_cache import GRAPH as GRAPH  # noqa: E402
from cvtasks.engines.graph_faults import unusable  # noqa: E402
from cvtasks.errors import ModelError  # noqa: E402
from cvtasks.heads.arrays import Arrays, Shapes, mapped  # noqa: E402

CONSTANTS = "graph.safetensors"
"""Lies beside a `GRAPH` and holds the constants that are not in the weights."""

GRAPH_LIMIT = 8 << 20
"""Bytes of a graph without its constants; a detector on MobileNet has 0.3 million."""


@cache
def core() -> ov.Core:
    """The one core of this process, kept to its end.

    With the last core OpenVINO gives its CPU plug-in back, and with that the memory that it made
    the main thread's stack for signals: if that happens in another thread, the next Ctrl-C is a
    segmentation fault.
    """
    return ov.Core()


_graphs = Compiled("OpenVINO")


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 by itself."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVINOEngine:
    """A compiled graph that takes (1, H, W, 3) uint8 RGB.

    In a forked child it raises UsageError: the threads that run it stayed with the parent, and to
    wait for them would take for ever.

    Args:
        graph: the .xml file; its `CONSTANTS` lie beside it.
        weights: the file of weights that the graph was made from.
        input_size: (H, W), and `outputs`: one image's shapes of outputs, that the graph must have,
            by their names where there are several.
        precision: what it computes in; in int8 what the graph says, and the rest in float32.
        many: prepare for throughput (several images at a time) rather than for one image soon.
        constants: (bytes,) uint8, of a graph that has no `CONSTANTS` beside it. It may take any
            number of images.

    Raises:
        ModelError: the graph cannot be read or compiled, or belongs to another recipe.
        UsageError: this is a forked child of a process that has compiled one.
    """

    name = "openvino"

    def __init__(
        self,
        graph: Path,
        weights: Path,
        input_size: tuple[int, int],
        outputs: Shapes,
        precision: str,
        many: bool,
        constants: np.ndarray | None = None,
    ) -> None:
        _graphs.check()
        _graphs.add(core())  # it holds the threads of graphs that were given back
        self.precision = precision
        self._graph = graph
        content = self._read()
        fixed = constants is None
        if constants is None:
            constants = unpack(graph.with_name(CONSTANTS), weights)
        try:
            model = core().read_model(content, ov.Tensor(constants))
            if not fixed:
                model.reshape([1, *input_size, 3])
            inputs, found = _shapes(model.inputs), _shapes(model.outputs)
            self._names = _names(model, outputs)
        except Exception as error:  # OpenVINO raises nearly every kind on a foreign graph
            raise unusable(self._graph, "read", error) from error
        wanted = [
            [1, *(outputs.get(name, ()) if isinstance(outputs, Mapping) else outputs)]
            for name in self._names
        ]
        if inputs != [[1, *input_size, 3]] or found != wanted or len(wanted) != _count(outputs):
            asked = mapped(lambda shape: [1, *shape], outputs)
            raise ModelError(
                f"the graph of this recipe must map {[1, *input_size, 3]} to {asked}; "
                f"{str(self._graph)!r} has {str(inputs + found)[:200]}. Copy or train the model "
                "again."
            )
        # a map comes out plane by plane, as whoever decodes it reads it
        self._planar = not isinstance(outputs, Mapping) and len(outputs) == 3
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if many else "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32" if precision == "int8" else precision,
        }
        try:
            self._compiled = core().compile_model(self._prepared(model), "CPU", settings)
            self._requests = (
                self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if many else 1
            )
        except Exception as error:
            raise unusable(self._graph, "compiled", error) from error
        _graphs.add(self._compiled)

    def _read(self) -> bytes:
        try:
            with self._graph.open("rb") as file:
                content = file.read(GRAPH_LIMIT + 1)
        except OSError as error:
            raise unusable(self._graph, "read", error) from error
        if len(content) > GRAPH_LIMIT:
            raise unusable(
                self._graph,
                "read",
                ValueError(f"a graph has at most {GRAPH_LIMIT} bytes; it has more"),
            )
        return content

    def _prepared(self, model: ov.Model) -> ov.Model:
        """The graph with uint8 for an input and float32, plane by plane where it is a map, for an
        output.
        """
        prepared = ov.preprocess.PrePostProcessor(model)
        prepared.input().tensor().set_element_type(ov.Type.u8)
        prepared.input().preprocess().convert_element_type(ov.Type.f32)
        for number, port in enumerate(model.outputs):
            kind = ov.Type.f32 if port.get_element_type().is_real() else ov.Type.i32
            prepared.output(number).tensor().set_element_type(kind)
        if self._planar:
            prepared.output().model().set_layout(ov.Layout("NHWC"))
            prepared.output().tensor().set_layout(ov.Layout("NCHW"))
        return prepared.build()

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """Network inputs (H, W, 3) uint8 RGB → activated outputs, float32 (whole numbers int32), in
        the same order; a few are under way at a time.

        Raises:
            ModelError: the graph fails.
            UsageError: this is a forked child.
        """
        _graphs.check()
        idle = [
            self._compiled.create_infer_request()
            for _ in range(self._requests + 1 if self._requests > 1 else 1)
        ]
        busy: deque[ov.InferRequest] = deque()
        _graphs.add(*idle)
        try:
            for image in images:
                _graphs.check()
                if not idle:
                    yield self._finish(busy, idle)
                request = idle.pop()
                request.start_async(
                    [ov.Tensor(np.ascontiguousarray(image[None]))], share_inputs=True
                )
                busy.append(request)
            while busy:
                _graphs.check()
                yield self._finish(busy, idle)
        finally:
            while (
                busy and not _graphs.forked
            ):  # left early: what still computes reads memory that is about to go
                with suppress(RuntimeError):
                    busy.popleft().wait()

    def _finish(self, busy: deque, idle: list) -> Arrays:
        request = busy.popleft()
        try:
            request.wait()
        except RuntimeError as error:
            raise unusable(self._graph, "run", error) from error
        found = [
            request.get_output_tensor(number).data[0].copy() for number in range(len(self._names))
        ]
        idle.append(request)
        if self._names != ("",):
            return dict(zip(self._names, found, strict=True))
        return np.moveaxis(found[0], 0, -1) if self._planar else found[0]


def _shapes(ports: list) -> list[list[int] | None]:
    """The shape of each input or output of a graph; None where it is not fixed."""
    return [
        list(port.partial_shape.to_shape()) if port.partial_shape.is_static else None
        for port in ports
    ]


def _count(outputs: Shapes) -> int:
    return len(outputs) if isinstance(outputs, Mapping) else 1


def _names(model: ov.Model, outputs: Shapes) -> tuple[str, ...]:
    """The names of a graph's outputs, in its order: those of `outputs`; "" where they have none."""
    if not isinstance(outputs, Mapping):
        return ("",) * len(model.outputs)
    return tuple(
        next((name for name in port.get_names() if name in outputs), "") for port in model.outputs
    )
