"""Images a second in a steady stream, from images in memory to answers at their own size.

    python benchmarks/throughput.py [--model MODEL] [--runs 7] [--images 48]

`Model.predict_many` (letterbox, compiled graph, decode) against

- a bare OpenVINO loop over the same graph, precision and element types, on inputs that are already
  letterboxed, its outputs dropped: one call after the other as compiled for latency, and the
  fastest such loop there is, a queue of requests as compiled for throughput. Wanted: at least 0.95
  times as fast as either; the rest is what cvtasks costs.
- `keras.Model.predict` of one image after the other, float32, inputs already letterboxed floats:
  what one writes without cvtasks. Wanted: at least 6 times as fast in bfloat16 and twice in
  float32.

Then the processor time, of all threads, that letterbox, engine and decode take for one image. The
images are those of `$CVTASKS_DATA/photos`, or made ones. Takes about four minutes.
"""

import argparse
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from compare import Times, interleaved, medians, photographs, print_times, report

from cvtasks.engines.constants import unpack
from cvtasks.engines.keras_engine import load_network
from cvtasks.engines.openvino_engine import CONSTANTS, GRAPH, has_bf16, ov
from cvtasks.model import Model, load
from cvtasks.networks.build import activated
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder

SIZES = ((500, 375), (320, 240))
WITHIN = {"bare loop": ">= 0.95", "bare queue": ">= 0.95"}
KERAS = {"bf16": ">= 6", "f32": ">= 2"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default="segment-efficientnet-lite0-voc",
        help="a name of the zoo or a folder with a graph",
    )
    parser.add_argument(
        "--runs", type=int, default=7, help="passes of each contestant (default: 7)"
    )
    parser.add_argument(
        "--images",
        type=int,
        default=48,
        help="images a pass (default: 48; keras does an eighth of them)",
    )
    options = parser.parse_args()
    folder = model_folder(options.model)
    if not (folder / GRAPH).is_file():
        raise SystemExit(
            f"{folder} has no {GRAPH}: the bare loop needs one. Train or export the model with "
            "TensorFlow."
        )
    recipe = read_recipe(folder / RECIPE)
    network = activated(load_network(folder / WEIGHTS, recipe), recipe.head)
    ratios, target = {}, {}
    for precision in ("bf16", "f32") if has_bf16() else ("f32",):
        model = load(folder, engine="openvino", precision=precision, many=True)
        peers = make_peers(folder, precision, network)
        for width, height in SIZES:
            images = photographs(width, height, options.images)
            title = f"{precision}, {width} x {height}"
            times, items = race(model, peers, images, options.runs)
            print_times(f"{title}: an image", times, items)
            print_shares(model, images, options.runs)
            each = medians(times, items)
            for peer, wanted in {**WITHIN, "keras predict": KERAS[precision]}.items():
                name = f"{title}: predict_many / {peer}"
                ratios[name], target[name] = round(each[peer] / each["predict_many"], 3), wanted
                print(f"  as fast as {peer:<17} {ratios[name]:6.2f} times (wanted: {wanted})")
    report("throughput", target, ratio=ratios)


Peer = Callable[[Sequence[np.ndarray]], object]
"""Takes network inputs (H, W, 3) uint8; drops what it computes."""


def make_peers(folder: Path, precision: str, network: keras.Model) -> dict[str, Peer]:
    """The peers by name. Keras' takes floats and computes in float32 whatever the precision."""
    one, many = (compiled(folder, precision, hint) for hint in ("LATENCY", "THROUGHPUT"))

    def loop(inputs: Sequence[np.ndarray]) -> None:
        for one_input in inputs:
            one(one_input[None])

    def queue(inputs: Sequence[np.ndarray]) -> None:
        requests = ov.AsyncInferQueue(many)
        for one_input in inputs:
            requests.start_async([ov.Tensor(one_input[None])], share_inputs=True)
        requests.wait_all()

    def predict(inputs: Sequence[np.ndarray]) -> None:
        for one_input in inputs:
            network.predict(one_input[None], verbose=0)

    return {"bare loop": loop, "bare queue": queue, "keras predict": predict}


def compiled(folder: Path, precision: str, hint: str) -> ov.CompiledModel:
    """The folder's graph as OpenVINO's own documentation compiles it: uint8 in, float32 out."""
    core = ov.Core()
    constants = ov.Tensor(unpack(folder / CONSTANTS, folder / WEIGHTS))
    prepared = ov.preprocess.PrePostProcessor(
        core.read_model((folder / GRAPH).read_bytes(), constants)
    )
    prepared.input().tensor().set_element_type(ov.Type.u8)
    prepared.input().preprocess().convert_element_type(ov.Type.f32)
    prepared.output().tensor().set_element_type(ov.Type.f32)
    return core.compile_model(
        prepared.build(), "CPU", {"PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": precision}
    )


def race(
    model: Model, peers: dict[str, Peer], images: list[np.ndarray], runs: int
) -> tuple[Times, dict[str, int]]:
    """Seconds of each contestant's passes, and how many images a pass of it has."""
    placed = letterboxed(model, images)
    floats = [one.astype(np.float32) for one in placed[: max(1, len(placed) // 8)]]
    inputs = {name: floats if name == "keras predict" else placed for name in peers}
    contestants = {"predict_many": partial(drain, model, images)}
    contestants |= {name: partial(peer, inputs[name]) for name, peer in peers.items()}
    items = {"predict_many": len(images)} | {name: len(given) for name, given in inputs.items()}
    return interleaved(contestants, runs), items


def drain(model: Model, images: list[np.ndarray]) -> None:
    """Predict all images and drop the answers."""
    deque(model.predict_many((None, image) for image in images), maxlen=0)


def letterboxed(model: Model, images: list[np.ndarray]) -> list[np.ndarray]:
    """Each image on the model's network input."""
    return [
        np.ascontiguousarray(model.recipe.letterbox(image.shape[:2]).to_input(image))
        for image in images
    ]


def print_shares(model: Model, images: list[np.ndarray], runs: int) -> None:
    """Print what each part of predict_many costs, by itself, in processor time of all threads for
    one image.
    """
    recipe, few = model.recipe, images[:16]
    placed = letterboxed(model, few)
    letterbox = recipe.letterbox(few[0].shape[:2])
    outputs = list(model.engine.stream(placed))

    def decode() -> None:
        for output in outputs:
            recipe.head.decode(output, letterbox, recipe.classes)

    parts = {
        "letterbox": partial(letterboxed, model, few),
        "engine": lambda: deque(model.engine.stream(placed), maxlen=0),
        "decode": decode,
    }
    each = medians(
        interleaved(parts, runs, clock=time.process_time), dict.fromkeys(parts, len(few))
    )
    whole = sum(each.values())
    parts_of = (
        (f"{name} {1000 * seconds:.2f} ms", f"({seconds / whole:.1%})")
        for name, seconds in each.items()
    )
    print("  processor time: " + ", ".join(map(" ".join, parts_of)))


if __name__ == "__main__":
    main()
