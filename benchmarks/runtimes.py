"""One exported graph, three runtimes: OpenVINO (what cvtasks runs), ONNX Runtime and OpenCV's DNN
module.

    pip install tf2onnx onnxruntime
    python benchmarks/runtimes.py [--model detect-yolox-nano-voc] [--runs 60]

The network with its activation is exported once, as ONNX, by Keras on TensorFlow, and all three
read that file; beside them runs the graph that the model folder ships, in float32 and, where the
CPU computes in it, in bfloat16. One image at a time, all cores, in turns. Their outputs are
compared first. No target: it says whether the choice of the engine was right.
"""

import argparse
import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import keras
import numpy as np
from compare import interleaved, medians, photographs, print_times, report

from cvtasks.engines.keras_engine import load_network
from cvtasks.engines.onnx_runtime import onnx_runtime
from cvtasks.engines.openvino_engine import core, has_bf16
from cvtasks.model import load
from cvtasks.networks.build import activated
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder

Run = Callable[[np.ndarray], np.ndarray]
"""(1, H, W, 3) float32 → the output of one image."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model", default="detect-yolox-nano-voc", help="a name of the zoo or a folder"
    )
    parser.add_argument("--runs", type=int, default=60, help="calls of each (default: 60)")
    options = parser.parse_args()
    folder = model_folder(options.model)
    recipe = read_recipe(folder / RECIPE)
    photo = photographs(640, 480, 1)[0]
    placed = recipe.letterbox(photo.shape[:2]).to_input(photo)
    given = np.ascontiguousarray(placed[None], np.float32)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "graph.onnx"
        export(activated(load_network(folder / WEIGHTS, recipe), recipe.head), file)
        runs = {
            "ONNX Runtime": with_onnxruntime(file),
            "OpenCV DNN": with_opencv(file),
            "OpenVINO, the same file": with_openvino(file),
        }
    for precision in ("f32", "bf16") if has_bf16() else ("f32",):
        engine = load(folder, engine="openvino", precision=precision).engine
        runs[f"cvtasks' engine, {precision}"] = lambda image, engine=engine: next(
            engine.stream([image[0].astype(np.uint8)])
        )
    expected = runs["ONNX Runtime"](given)
    for name, run in runs.items():
        apart = float(np.abs(run(given) - expected).max())
        print(f"{name:<26} differs by at most {apart:.2g} from ONNX Runtime")
    times = interleaved(
        {name: lambda run=run: run(given) for name, run in runs.items()}, options.runs, block=5
    )
    print_times(f"{options.model}, {recipe.size} px, one image", times)
    each = medians(times)
    ours = each["cvtasks' engine, f32"]
    report(
        "runtimes",
        {},
        ratio={
            f"{name} / cvtasks' engine, f32": round(seconds / ours, 2)
            for name, seconds in each.items()
        },
    )


def export(network: keras.Model, file: Path) -> None:
    """Write the network as ONNX."""
    signature = [
        keras.InputSpec(shape=(1, *network.input_shape[1:]), dtype="float32", name="image")
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        network.export(file, format="onnx", verbose=False, input_signature=signature)


def with_onnxruntime(file: Path) -> Run:
    """ONNX Runtime, as its own documentation starts it."""
    onnxruntime = onnx_runtime()
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0][0]


def with_opencv(file: Path) -> Run:
    """OpenCV's DNN module."""
    network = cv2.dnn.readNetFromONNX(str(file))

    def run(image: np.ndarray) -> np.ndarray:
        network.setInput(image)
        return np.squeeze(network.forward(), 0)

    return run


def with_openvino(file: Path) -> Run:
    """OpenVINO on the ONNX file, in float32."""
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core().compile_model(core().read_model(file), "CPU", settings)
    return lambda image: compiled(image)[0][0].copy()


if __name__ == "__main__":
    main()
