"""Run a compiled graph on the CPU by OpenVINO. Never imports Keras."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
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
from cvtasks.errors import ModelError  # noqa: E402

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


_graphs = Compiled()


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
        canvas: (H, W), and `output`: the shape of one image's output, that the graph must have.
        precision: what it computes in.
        many: prepare for throughput (several images at a time) rather than for one image soon.

    Raises:
        ModelError: the graph cannot be read or compiled, or belongs to another recipe.
        UsageError: this is a forked child of a process that has compiled one.
    """

    name = "openvino"

    def __init__(
        self,
        graph: Path,
        weights: Path,
        canvas: tuple[int, int],
        output: tuple[int, ...],
        precision: str,
        many: bool,
    ) -> None:
        _graphs.check()
        _graphs.add(core())  # it holds the threads of graphs that were given back
        self.precision = precision
        self._graph = graph
        content = self._read()
        constants = unpack(graph.with_name(CONSTANTS), weights)
        try:
            model = core().read_model(content, ov.Tensor(constants))
            shapes = [
                list(port.partial_shape.to_shape()) if port.partial_shape.is_static else None
                for port in model.inputs + model.outputs
            ]
        except Exception as error:  # OpenVINO raises nearly every kind on a foreign graph
            raise self._odd("read", error) from error
        if shapes != [[1, *canvas, 3], [1, *output]]:
            raise ModelError(
                f"the graph of this recipe must map {[1, *canvas, 3]} to {[1, *output]}; "
                f"{str(self._graph)!r} has {str(shapes)[:200]}. "
                "Copy or train the model again."
            )
        self._planar = (
            len(output) == 3
        )  # maps come out plane by plane, as whoever decodes them reads them
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if many else "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        try:
            self._compiled = core().compile_model(self._prepared(model), "CPU", settings)
            self._requests = (
                self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if many else 1
            )
        except Exception as error:
            raise self._odd("compiled", error) from error
        _graphs.add(self._compiled)

    def _read(self) -> bytes:
        try:
            with self._graph.open("rb") as file:
                content = file.read(GRAPH_LIMIT + 1)
        except OSError as error:
            raise self._odd("read", error) from error
        if len(content) > GRAPH_LIMIT:
            raise self._odd(
                "read", ValueError(f"a graph has at most {GRAPH_LIMIT} bytes; it has more")
            )
        return content

    def _prepared(self, model: ov.Model) -> ov.Model:
        """The graph with uint8 for an input and float32, plane by plane where it is a map, for an
        output.
        """
        prepared = ov.preprocess.PrePostProcessor(model)
        prepared.input().tensor().set_element_type(ov.Type.u8)
        prepared.input().preprocess().convert_element_type(ov.Type.f32)
        prepared.output().tensor().set_element_type(ov.Type.f32)
        if self._planar:
            prepared.output().model().set_layout(ov.Layout("NHWC"))
            prepared.output().tensor().set_layout(ov.Layout("NCHW"))
        return prepared.build()

    def _odd(self, what: str, error: Exception) -> ModelError:
        """The error for a graph that cannot be used; OpenVINO's own text says most in its last
        line.
        """
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return ModelError(
            f"the graph {str(self._graph)!r} cannot be {what}: {lines[-1][:300].rstrip('.')}. Copy "
            "or train the model again."
        )

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Canvases (H, W, 3) uint8 RGB → activated outputs, float32, in the same order; a few are
        under way at a time.

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

    def _finish(self, busy: deque, idle: list) -> np.ndarray:
        request = busy.popleft()
        try:
            request.wait()
        except RuntimeError as error:
            raise self._odd("run", error) from error
        output = request.get_output_tensor().data[0].copy()
        idle.append(request)
        return np.moveaxis(output, 0, -1) if self._planar else output
