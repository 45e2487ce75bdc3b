"""Run an ONNX graph by ONNX Runtime, on a CPU or a GPU. Never imports Keras."""

import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.engines.forks import Compiled
from cvtasks.engines.graph_faults import last_line, unusable
from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.engines.table import AUTO, DEVICES
from cvtasks.errors import CVTasksWarning, ModelError, UsageError
from cvtasks.heads.arrays import Arrays, Shapes
from cvtasks.text import is_encodable

ONNX_GRAPH = "graph.onnx"
"""The file of a graph that this engine runs."""

GRAPH_LIMIT = (2 << 30) - 1
"""Bytes of a graph with its constants: the most that its file format holds."""

BATCH = "batch"
"""Name of the first axis of inputs and outputs, whose length is free until a graph is opened."""

CPU = "CPUExecutionProvider"
GPUS: dict[str, tuple[str, dict[str, str]]] = {
    # in the order of speed; all are told not to compute in less than float32
    "CUDAExecutionProvider": ("CUDA", {"use_tf32": "0"}),
    "DmlExecutionProvider": ("DirectML", {}),
    "CoreMLExecutionProvider": (
        "CoreML",
        {"ModelFormat": "MLProgram", "MLComputeUnits": "CPUAndGPU"},
    ),
}
"""ONNX Runtime's name of what runs a graph on a GPU → what people call it, and its settings."""

_GPU_BATCH = 8
_ERRORS_NOT_EVEN = 4  # of its log on stderr: what it says there, its exceptions say too
_INPUTS = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(float16)": np.float16}

_graphs = Compiled("ONNX Runtime")


class OnnxRuntimeEngine:
    """A graph that takes (batch, H, W, 3) RGB, 0 to 255, in a session of ONNX Runtime.

    In a forked child it raises UsageError: the threads that run it stayed with the parent.

    Args:
        graph: the .onnx file. A first axis of inputs and outputs that is free is fixed here.
        input_size: (H, W), and `outputs`: one image's shapes of outputs, that the graph must have,
            by their names where there are several.
        device: "cpu", "gpu", or "auto" for a GPU where one is found.
        many: prepare for throughput rather than for one image soon: on a CPU as many images at a
            time as it has cores, on a GPU batches.
        batch: images a step; 0 for as many as suit it.

    Raises:
        ModelError: the graph cannot be read, or belongs to another recipe.
        UsageError: there is no GPU and one was asked for, or this is a forked child of a process
            that has opened one.

    Warns:
        CVTasksWarning: there is a GPU, and the graph runs on the CPU all the same.
    """

    name = "onnxruntime"
    precision = "f32"

    def __init__(
        self,
        graph: Path,
        input_size: tuple[int, int],
        outputs: Shapes,
        device: str = "cpu",
        many: bool = False,
        batch: int = 0,
    ) -> None:
        _graphs.check()
        self._graph, self._outputs, self._input_size = graph, outputs, input_size
        providers = _providers(device)
        on_gpu = providers[0] != CPU
        self._side_by_side = _cores() if many and not on_gpu and not batch else 1
        self._batch = batch or (_GPU_BATCH if many and on_gpu else 1)
        threads = 1 if self._side_by_side > 1 else _cores()
        self._session, unused = self._opened(providers, threads)
        if unused:
            _say_fallback(providers[0], device, unused)
        if (fixed := self._session.get_inputs()[0].shape[:1]) == [1]:
            self._batch = 1  # a graph of one image at a time
        elif fixed and isinstance(fixed[0], int) and fixed[0] != self._batch:
            raise self._foreign()
        self._input, self._kind = self._checked_input()
        self._names = self._checked_outputs()
        _graphs.add(self._session)

    @property
    def runs_on(self) -> str:
        """What runs it: CUDA, DirectML, CoreML or CPU."""
        return _called(self._session.get_providers()[0])

    def _opened(self, providers: list[str], threads: int) -> tuple[Any, str]:
        """A session, and why it does not run by the first of `providers`; "" if it does."""
        rt = onnx_runtime()
        options = rt.SessionOptions()
        options.log_severity_level = _ERRORS_NOT_EVEN
        options.intra_op_num_threads = threads
        options.add_free_dimension_override_by_name(BATCH, self._batch)
        settings = [GPUS[name][1] if name in GPUS else {} for name in providers]
        content = self._content()
        try:
            session = rt.InferenceSession(content, options, providers, settings, enable_fallback=0)
        except Exception as error:
            if len(providers) == 1:
                raise unusable(self._graph, "read", error) from error
            # where the CPU cannot either, it is the graph's fault, and is said so
            return self._opened([CPU], threads)[0], last_line(error)
        as_asked = session.get_providers()[:1] == providers[:1]
        return session, "" if as_asked else "its libraries cannot be loaded"

    def _content(self) -> str | bytes:
        """What a session is opened from: the file's name, or its bytes where ONNX Runtime cannot
        hold the name.
        """
        try:
            with self._graph.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > GRAPH_LIMIT:
                    raise unusable(
                        self._graph,
                        "read",
                        ValueError(f"a graph has at most {GRAPH_LIMIT} bytes; it has more"),
                    )
                return str(self._graph) if is_encodable(str(self._graph)) else file.read(size)
        except OSError as error:
            raise unusable(self._graph, "read", error) from error

    def _checked_input(self) -> tuple[str, Any]:
        """The name and the kind of number of the graph's input."""
        inputs = self._session.get_inputs()
        if (
            len(inputs) != 1
            or inputs[0].shape[1:] != [*self._input_size, 3]
            or inputs[0].type not in _INPUTS
        ):
            raise self._foreign()
        return inputs[0].name, _INPUTS[inputs[0].type]

    def _checked_outputs(self) -> tuple[str, ...]:
        """The names of the graph's outputs that are read, in the order of `outputs`."""
        found = {one.name: one for one in self._session.get_outputs()}
        wanted = self._wanted() if isinstance(self._outputs, Mapping) else {}
        if not wanted and len(found) == 1:
            wanted = {next(iter(found)): self._wanted()[""]}
        for name, shape in wanted.items():
            has = found.pop(name).shape[1:] if name in found else None
            # an axis of a free length is compared when there is an output
            if has is None or len(has) != len(shape):
                raise self._foreign()
            if any(isinstance(a, int) and a != b for a, b in zip(has, shape, strict=True)):
                raise self._foreign()
        if found or not wanted:
            raise self._foreign()
        return tuple(wanted)

    def _wanted(self) -> dict[str, tuple[int, ...]]:
        """The shapes of an image's outputs by name; "" where they have none."""
        has_names = isinstance(self._outputs, Mapping)
        return dict(self._outputs) if has_names else {"": self._outputs}  # type: ignore[arg-type, dict-item]

    def _foreign(self) -> ModelError:
        """The error for a graph of another recipe."""
        ports = (*self._session.get_inputs(), *self._session.get_outputs())
        found = ", ".join(f"{port.name} {port.shape}" for port in ports)
        asked = ", ".join(f"{name} {[*shape]}".strip() for name, shape in self._wanted().items())
        return ModelError(
            f"the graph of this recipe must map batches of {[*self._input_size, 3]} to those of "
            f"{asked}; {str(self._graph)!r} has {found[:200]}. Copy or train the model again."
        )

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[Arrays]:
        """Network inputs (H, W, 3) uint8 RGB → activated outputs, float32 (whole numbers int32), in
        the same order; a few are under way at a time.

        Raises:
            ModelError: the graph fails.
            UsageError: this is a forked child.
        """
        _graphs.check()
        images = iter(images)
        chunks = iter(lambda: list(islice(images, self._batch)), [])
        if self._side_by_side > 1:
            yield from self._beside(chunks)
            return
        for chunk in chunks:
            _graphs.check()
            yield from self._run(chunk)

    def _beside(self, chunks: Iterable[list[np.ndarray]]) -> Iterator[Arrays]:
        """The outputs of chunks that are computed by a thread each."""
        busy: deque[Future[list[Arrays]]] = deque()
        threads = ThreadPoolExecutor(self._side_by_side, "onnxruntime")
        try:
            for chunk in chunks:
                _graphs.check()
                if len(busy) > self._side_by_side:  # one waits, so that no thread does
                    yield from busy.popleft().result()
                busy.append(threads.submit(self._run, chunk))
            while busy:
                _graphs.check()
                yield from busy.popleft().result()
        finally:
            if not _graphs.forked:  # its threads stayed with the parent
                threads.shutdown(cancel_futures=True)

    def _run(self, chunk: list[np.ndarray]) -> list[Arrays]:
        """The outputs of each image of a chunk, which is filled up to a batch."""
        filled = np.stack(chunk + chunk[-1:] * (self._batch - len(chunk)))
        try:
            found = self._session.run(
                list(self._names), {self._input: filled.astype(self._kind, copy=False)}
            )
        except Exception as error:
            raise unusable(self._graph, "run", error) from error
        shapes = [array.shape for array in found]
        if shapes != [(self._batch, *shape) for shape in self._wanted().values()]:
            raise unusable(
                self._graph, "run", ValueError(f"its outputs are of {str(shapes)[:200]}")
            )
        plain = [_plain(array) for array in found]
        if not isinstance(self._outputs, Mapping):
            return list(plain[0][: len(chunk)])
        return [
            {name: array[index] for name, array in zip(self._names, plain, strict=True)}
            for index in range(len(chunk))
        ]


def _plain(array: np.ndarray) -> np.ndarray:
    """An array as float32 or int32."""
    return array.astype(np.int32 if array.dtype.kind in "iu" else np.float32, copy=False)


def gpus() -> list[str]:
    """ONNX Runtime's names of what could run a graph on a GPU here, the fastest first."""
    there = onnx_runtime().get_available_providers()
    return [name for name in GPUS if name in there]


def has_gpu() -> bool:
    """Whether the ONNX Runtime that is installed is one for a GPU."""
    return bool(gpus())


def _providers(device: str) -> list[str]:
    """What is to run a graph, in the order in which it is tried.

    Raises:
        UsageError: a GPU was asked for, and this ONNX Runtime has none.
    """
    found = gpus() if device in (AUTO, "gpu") else []
    if device == "gpu" and not found:
        kinds = " or ".join(called for called, _ in GPUS.values())
        raise UsageError(
            f"the device gpu needs a GPU that ONNX Runtime sees, by {kinds}; it sees none. Install "
            "the ONNX Runtime for your GPU, such as onnxruntime-gpu, or choose cpu."
        )
    return [*found[:1], CPU]


def _say_fallback(provider: str, device: str, reason: str) -> None:
    """Say that a graph runs on the CPU though there is a GPU; UsageError where it must not."""
    if device == "gpu":
        raise UsageError(
            f"the device gpu needs a GPU that ONNX Runtime can use; {_called(provider)} cannot be "
            f"used: {reason}. Choose cpu, or the keras engine."
        )
    warnings.warn(
        f"ONNX Runtime runs the network on {DEVICES['cpu']}: {_called(provider)} cannot be used: "
        f"{reason}. Choose the device cpu, and this is not said.",
        CVTasksWarning,
        stacklevel=7,  # whoever called `load`
    )


def _called(provider: str) -> str:
    return GPUS[provider][0] if provider in GPUS else provider.removesuffix("ExecutionProvider")


def _cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def facts() -> dict[str, str]:
    """The version, and what it runs graphs on."""
    places = [*(GPUS[name][0] for name in gpus()), "CPU"]
    return {"onnxruntime": f"{onnx_runtime().__version__} on {', '.join(places)}"}
