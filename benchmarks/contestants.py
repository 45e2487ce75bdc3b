"""What `against_peers.py` scores and times: our models, and networks of others by the runtimes that
they are made for.

Each takes an image in three steps that can be timed alone: onto the network's input, through the
network, and from its output to an answer.
"""

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cvtasks.answers import Answer, Boxes, Mask
from cvtasks.drawing.colours import VOC_NAMES
from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.engines.openvino_engine import core, has_bf16
from cvtasks.evaluation.model_facts import model_bytes
from cvtasks.files.writing import sha256
from cvtasks.formats.coco_names import COCO_NAMES
from cvtasks.geometry.boxes import areas, clip
from cvtasks.geometry.letterbox import Letterbox, Size
from cvtasks.heads.assignment import cells
from cvtasks.heads.dense import Dense
from cvtasks.model import load
from cvtasks.tasks.detect import Detect
from cvtasks.zoo import WEIGHTS, model_folder

STRIDES = (8, 16, 32)
"""Of the maps on which YOLOX and YOLO11 look for objects."""

_DECODING = Dense(task=Detect(), strides=STRIDES, nms=0.6, min_score=0.005, max_detections=100)
_COCO_IDS = 90
_NO_COCO_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # that no class has

Run = Callable[[np.ndarray], Any]
"""The network's input → its output or outputs, as the runtime gives them."""


@dataclass(frozen=True)
class Contestant:
    """A network in a runtime.

    Attributes:
        name: of the network; `size` in pixels of its square input.
        runtime, precision: what runs it, and what it computes in.
        task: what it answers; `classes` of the answers.
        prepare: image (h, w, 3) uint8 → the network's input.
        run: that → its output.
        read: output, (height, width) of the image → the answer with all its scores.
        bytes: of its files; `sha256`: of the one with the weights.
        ours: the model's folder; None of a peer.
        count: multiply-adds of an image.
    """

    name: str
    size: int
    runtime: str
    precision: str
    task: str
    classes: tuple[str, ...]
    prepare: Callable[[np.ndarray], np.ndarray]
    run: Run
    read: Callable[[Any, Size], Answer]
    bytes: int
    sha256: str
    ours: Path | None
    count: Callable[[], int]

    @property
    def key(self) -> str:
        """What tells it from every other."""
        return f"{self.name}, {self.size} px, {self.runtime}, {self.precision}"

    def answer(self, image: np.ndarray) -> Answer:
        """The answer about an image (h, w, 3) uint8 RGB."""
        return self.read(self.run(self.prepare(image)), image.shape[:2])


# === ours ===


def of_models(names: Iterable[str]) -> Iterator[Contestant]:
    """Each model by the compiled graph, in every precision of this CPU."""
    for name in names:
        for precision in ("f32", "bf16") if has_bf16() else ("f32",):
            yield of_model(name, precision)


def of_model(name: str, precision: str) -> Contestant:
    """A model of the zoo, or of a folder."""
    folder = model_folder(name)
    model = load(name, engine="openvino", precision=precision)
    recipe, engine = model.recipe, model.engine
    task, head = recipe.task, recipe.head

    def prepare(image: np.ndarray) -> np.ndarray:
        image = task.prepare(image)
        return recipe.letterbox(image.shape[:2]).to_input(image)

    def count() -> int:
        # loads Keras, which is never done before a measurement
        from cvtasks.insight.inspecting.inspect import inspect_network
        from cvtasks.insight.open import open_network

        opened = open_network(name, None, values="none", top=True)
        return inspect_network(opened.network).total("multiply_adds")

    return Contestant(
        name=folder.name,
        size=recipe.size,
        runtime="OpenVINO",
        precision=precision,
        task=task.name,
        classes=recipe.classes,
        prepare=prepare,
        run=lambda given: next(iter(engine.stream([given]))),
        read=lambda output, size: head.decode(output, recipe.letterbox(size), recipe.classes),
        bytes=model_bytes(folder),
        sha256=sha256(folder / WEIGHTS),
        ours=folder,
        count=count,
    )


# === runtimes ===


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def onnxruntime_of(file: Path) -> Run:
    """ONNX Runtime, on all cores."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    session = onnxruntime.InferenceSession(
        file.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda given: session.run(None, {name: given})[0]


def openvino_of(file: Path, size: int, precision: str) -> Run:
    """OpenVINO, on all cores, for an image at a time."""
    model = core().read_model(file)
    model.reshape([1, 3, size, size])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision}
    compiled = core().compile_model(model, "CPU", settings)
    return lambda given: compiled(given)[0].copy()


def litert_of(file: Path) -> tuple[Run, Any]:
    """LiteRT, on all cores: the run, which gives a list of outputs, and the interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=cores())
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(image: np.ndarray) -> list[np.ndarray]:
        interpreter.set_tensor(given, image)
        interpreter.invoke()
        return [interpreter.get_tensor(index)[0] for index in outputs]

    return run, interpreter


def missing(module: str) -> bool:
    """Whether a runtime is not installed."""
    return importlib.util.find_spec(module) is None


# === multiply-adds ===


def multiply_adds(model: Any) -> int:
    """Of the convolutions and products of matrices in an OpenVINO graph with fixed shapes."""
    total = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in ("Convolution", "GroupConvolution", "MatMul"):
            continue
        weights, made = list(node.input(1).get_shape()), list(node.output(0).get_shape())
        if kind == "MatMul":
            each = weights[-1 if node.get_attributes()["transpose_b"] else -2]
        else:  # (groups,) outputs, inputs of a group, then the kernel
            each = int(np.prod(weights[1 if kind == "Convolution" else 2 :]))
        total += int(np.prod(made)) * each
    return total


def litert_multiply_adds(interpreter: Any) -> int:
    """Of the convolutions in a LiteRT graph."""
    shapes = {
        one["index"]: [int(n) for n in one["shape"]] for one in interpreter.get_tensor_details()
    }
    total = 0
    for node in interpreter._get_ops_details():  # nothing public tells of the nodes
        if node["op_name"] not in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            continue
        weights = shapes[node["inputs"][1]]  # outputs, or 1, kernel, inputs
        each = weights[1] * weights[2] * (weights[3] if node["op_name"] == "CONV_2D" else 1)
        total += int(np.prod(shapes[node["outputs"][0]])) * each
    return total


# === peers ===


def yolox(file: Path) -> Iterator[Contestant]:
    """YOLOX-nano: at 416 px by ONNX Runtime, at 416 and 320 px by OpenVINO."""
    yield from _onnx("YOLOX-nano", file, (416, 320), _yolox_input, _yolox_output)


def yolo11(file: Path) -> Iterator[Contestant]:
    """YOLO11n as Ultralytics exports it, at the size that the file has."""
    side = int(core().read_model(file).inputs[0].get_partial_shape()[2].get_length())
    yield from _onnx(file.stem, file, (side,), _yolo11_input, _yolo11_output)


def _onnx(
    name: str,
    file: Path,
    sizes: Sequence[int],
    placed: Callable[[np.ndarray, int], np.ndarray],
    read: Callable[[np.ndarray, int, Size], Boxes],
) -> Iterator[Contestant]:
    """A detector in an ONNX file, in every way in which it runs here; the first size is its own."""
    ways = [] if missing("onnxruntime") else [("ONNX Runtime", "f32", sizes[0])]
    precisions = ("f32", "bf16") if has_bf16() else ("f32",)
    ways += [("OpenVINO", precision, size) for size in sizes for precision in precisions]
    for runtime, precision, size in ways:
        run = (
            onnxruntime_of(file)
            if runtime == "ONNX Runtime"
            else openvino_of(file, size, precision)
        )

        def count(size: int = size) -> int:
            model = core().read_model(file)
            model.reshape([1, 3, size, size])
            return multiply_adds(model)

        yield Contestant(
            name=name,
            size=size,
            runtime=runtime,
            precision=precision,
            task="detect",
            classes=COCO_NAMES,
            prepare=lambda image, size=size: placed(image, size),
            run=run,
            read=lambda output, of, size=size: read(output[0], size, of),
            bytes=file.stat().st_size,
            sha256=sha256(file),
            ours=None,
            count=count,
        )


def _yolox_input(image: np.ndarray, size: int) -> np.ndarray:
    """At the top left of grey, BGR from 0 to 255."""
    given = Letterbox(image.shape[:2], (size, size), "corner").to_input(image)
    return np.ascontiguousarray(given[None, ..., ::-1].transpose(0, 3, 1, 2), np.float32)


def _yolox_output(output: np.ndarray, size: int, of: Size) -> Boxes:
    """Centre from the cell's corner, logarithm of the size, objectness, classes; in strides."""
    sides = np.exp(output[:, 2:4]) / 2
    off = output[:, :2] - 0.5  # from the cell's centre
    scores = output[:, 4:5] * output[:, 5:]
    found = np.concatenate([sides - off, sides + off, scores], axis=1)
    return _DECODING.decode(found, Letterbox(of, (size, size), "corner"), COCO_NAMES)


def _yolo11_input(image: np.ndarray, size: int) -> np.ndarray:
    """In the middle of grey, RGB from 0 to 1."""
    given = Letterbox(image.shape[:2], (size, size)).to_input(image)
    return np.ascontiguousarray(given[None].transpose(0, 3, 1, 2), np.float32) / 255


def _yolo11_output(output: np.ndarray, size: int, of: Size) -> Boxes:
    """(4 + classes, cells): centre and size in pixels, scores."""
    centres, strides = cells((size, size), STRIDES)
    box = output[:4].T
    low, high = box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2
    edges = np.concatenate([centres - low, high - centres], axis=1) / strides
    found = np.concatenate([edges, output[4:].T], axis=1)
    return _DECODING.decode(found, Letterbox(of, (size, size)), COCO_NAMES)


def ssd(file: Path) -> Iterator[Contestant]:
    """SSD on MobileNet, quantised, with the suppression within the file; ten objects an image."""
    run, interpreter = litert_of(file)
    known = iter(COCO_NAMES)
    names = tuple(
        f"no class {number}" if number in _NO_COCO_IDS else next(known)
        for number in range(1, _COCO_IDS + 1)
    )

    def read(outputs: list[np.ndarray], of: Size) -> Boxes:
        edges, labels, scores, _ = outputs
        xyxy = clip(edges[:, [1, 0, 3, 2]] * np.array([of[1], of[0]] * 2, np.float32), of)
        real = np.flatnonzero(areas(xyxy) > 0)
        kind = labels[real].astype(np.int64)
        return Boxes.of(xyxy[real], kind, names, of, scores=scores[real])

    yield Contestant(
        name="SSD MobileNet 0.75, quantised",
        size=300,
        runtime="LiteRT",
        precision="int8",
        task="detect",
        classes=names,
        prepare=lambda image: cv2.resize(image, (300, 300))[None],
        run=run,
        read=read,
        bytes=file.stat().st_size,
        sha256=sha256(file),
        ours=None,
        count=lambda: litert_multiply_adds(interpreter),
    )


def deeplab(file: Path) -> Iterator[Contestant]:
    """DeepLab on MobileNetV2, in two ways to give it an image: with the aspect kept, at the top
    left of grey, and squashed into the square.
    """
    run, interpreter = litert_of(file)
    side, classes = 257, VOC_NAMES

    def boxed(image: np.ndarray) -> np.ndarray:
        given = Letterbox(image.shape[:2], (side, side), "corner").to_input(image)
        return given.astype(np.float32)[None] / 127.5 - 1

    def squashed(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (side, side)).astype(np.float32)[None] / 127.5 - 1

    def read(outputs: list[np.ndarray], of: Size, boxed: bool) -> Mask:
        logits = outputs[0]
        if boxed:
            logits = Letterbox(of, (side, side), "corner").crop(logits)
        scaled = cv2.resize(np.ascontiguousarray(logits), of[::-1])
        return Mask(scaled.argmax(axis=-1).astype(np.uint8), classes)

    for way, prepare in (("", boxed), (", squashed", squashed)):
        yield Contestant(
            name=f"DeepLabV3 MobileNetV2{way}",
            size=side,
            runtime="LiteRT",
            precision="f32",
            task="segment",
            classes=classes,
            prepare=prepare,
            run=run,
            read=lambda outputs, of, way=way: read(outputs, of, not way),
            bytes=file.stat().st_size,
            sha256=sha256(file),
            ours=None,
            count=lambda: litert_multiply_adds(interpreter),
        )
