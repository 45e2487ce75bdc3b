"""Run a compiled graph on the CPU by OpenVINO. Never imports Keras."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

# `import openvino` reports to its maker over the network. Without this package it falls back to a stub that does not.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

from cvtasks.engines.constants import unpack  # noqa: E402
from cvtasks.errors import ModelError  # noqa: E402

GRAPH, CONSTANTS = "graph.xml", "graph.safetensors"
"""The graph's files in a model folder; the second holds the constants that are not in the weights."""


@cache
def core() -> ov.Core:
    """The one core of the process, kept to its end.

    With the last core OpenVINO gives its CPU plug-in back, and with that the memory that it made the main thread's stack for
    signals: if that happens in another thread, the next Ctrl-C is a segmentation fault.
    """
    return ov.Core()


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 by itself."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVINOEngine:
    """A compiled graph that takes (1, H, W, 3) uint8 RGB.

    Args:
        graph: the .xml file; its `CONSTANTS` lie beside it.
        weights: the file of weights that the graph was made from.
        canvas: (H, W), and `output`: the shape of one picture's output, that the graph must have.
        precision: what it computes in.
        many: prepare for throughput (several pictures at a time) rather than for one picture soon.

    Raises:
        ModelError: the graph cannot be read, or belongs to another recipe.
    """

    name = "openvino"

    def __init__(
        self,
        graph: Path,
        weights: Path,
        canvas: tuple[int, int],
        output: tuple[int, ...],
        precision: Literal["f32", "bf16"],
        many: bool,
    ) -> None:
        self.precision = precision
        try:
            model = core().read_model(graph.read_bytes(), ov.Tensor(unpack(graph.with_name(CONSTANTS), weights)))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(f"the graph {str(graph)!r} cannot be read: {reason} Delete it: it will be made again.") from error
        shapes = [
            list(port.partial_shape.to_shape()) if port.partial_shape.is_static else None
            for port in model.inputs + model.outputs
        ]
        if shapes != [[1, *canvas, 3], [1, *output]]:
            raise ModelError(
                f"the graph of this recipe must map {[1, *canvas, 3]} to {[1, *output]}; {str(graph)!r} has {shapes}. "
                "Delete it: it will be made again."
            )
        prepared = ov.preprocess.PrePostProcessor(model)
        prepared.input().tensor().set_element_type(ov.Type.u8)
        prepared.input().preprocess().convert_element_type(ov.Type.f32)
        prepared.output().tensor().set_element_type(ov.Type.f32)
        self._planar = len(output) == 3  # maps come out plane by plane, as whoever decodes them reads them
        if self._planar:
            prepared.output().model().set_layout(ov.Layout("NHWC"))
            prepared.output().tensor().set_layout(ov.Layout("NCHW"))
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT" if many else "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        self._compiled = core().compile_model(prepared.build(), "CPU", settings)
        self._requests = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") if many else 1

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Canvases (H, W, 3) uint8 RGB → activated outputs, float32, in the same order; a few are under way at a time."""
        idle = [self._compiled.create_infer_request() for _ in range(self._requests + 1 if self._requests > 1 else 1)]
        busy: deque[ov.InferRequest] = deque()
        try:
            for image in images:
                if not idle:
                    yield self._finish(busy, idle)
                request = idle.pop()
                request.start_async([ov.Tensor(np.ascontiguousarray(image[None]))], share_inputs=True)
                busy.append(request)
            while busy:
                yield self._finish(busy, idle)
        finally:
            for request in busy:  # left early: what still computes reads memory that is about to go
                with suppress(RuntimeError):
                    request.wait()

    def _finish(self, busy: deque, idle: list) -> np.ndarray:
        request = busy.popleft()
        request.wait()
        output = request.get_output_tensor().data[0].copy()
        idle.append(request)
        return np.moveaxis(output, 0, -1) if self._planar else output
