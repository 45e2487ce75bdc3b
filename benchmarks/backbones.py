"""The backbones side by side: parameters, multiply-adds, and how long one image takes.

    python benchmarks/backbones.py                            # the table of docs/backbones.md
    python benchmarks/backbones.py --time mobilenet efficientnet-lite0 mobilenet-v3-small

Parameters and multiply-adds are those of the backbone alone, of an image of 224 × 224 pixels, found
by `cvtasks.insight`. With `--time` the named ones are compiled by OpenVINO with random weights, as
classifiers of a thousand classes, and answer one image after the other in turns within one process,
in f32 and, where the CPU computes in it, in bf16.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from compare import interleaved, medians, print_times, report

from cvtasks.networks.backbones import BACKBONES
from cvtasks.weights.imagenet_files import FILES, PACKAGES

SIDE = 224


def main() -> None:
    """Print the table, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--time", nargs="+", default=[], choices=BACKBONES, metavar="NAME")
    parser.add_argument("--runs", type=int, default=30, help="calls of each (default: 30)")
    options = parser.parse_args()
    if options.time:
        measure(options.time, options.runs)
        return
    print("| backbone | parameters, million | multiply-adds, 10⁹ | maps of stride | ImageNet |")
    print("|---|---|---|---|---|")
    for name, its in BACKBONES.items():
        if its.strides[-1] == 32:
            print(row(name), flush=True)


def row(name: str) -> str:
    """A line of the table, for a backbone whose coarsest map has stride 32."""
    from cvtasks.insight.inspecting.inspect import inspect_network
    from cvtasks.insight.open import open_network

    its = BACKBONES[name]
    found = inspect_network(open_network(name, (SIDE, SIDE), values="none").network, name)
    parameters, products = found.total("parameters"), found.total("multiply_adds")
    strides = f"{its.strides[0]} … 32" + ("" if its.aligned else ", not padded")
    source = "keras.applications" if name in FILES else PACKAGES[name].name if its.imagenet else "–"
    return f"| `{name}` | {parameters / 1e6:.2f} | {products / 1e9:.2f} | {strides} | {source} |"


def measure(names: list[str], runs: int) -> None:
    """Time the graphs of backbones, in turns."""
    from cvtasks.engines.openvino_engine import has_bf16

    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    times = {}
    with tempfile.TemporaryDirectory() as place:
        for precision in ("f32", "bf16") if has_bf16() else ("f32",):
            engines = {name: engine_of(name, Path(place) / name, precision) for name in names}
            calls = {
                f"{name} {precision}": lambda engine=engine: list(engine.stream([image]))
                for name, engine in engines.items()
            }
            times |= interleaved(calls, runs)
    print_times(f"one image of {SIDE} × {SIDE} pixels", times)
    found = {name: round(seconds * 1000, 2) for name, seconds in medians(times).items()}
    report("backbones", {}, milliseconds=found)


def engine_of(name: str, folder: Path, precision: str):
    """The compiled graph of a classifier of a thousand classes, random weights."""
    from cvtasks.engines.export import export_graph
    from cvtasks.engines.openvino_engine import GRAPH, OpenVINOEngine
    from cvtasks.networks.build import build_network
    from cvtasks.recipe.recipe import parse_recipe
    from cvtasks.weights.transfer import save_weights

    classes = [str(number) for number in range(1000)]
    its = parse_recipe({"task": "classify", "backbone": name, "size": SIDE, "classes": classes})
    weights = folder / "weights.safetensors"
    if not folder.exists():
        folder.mkdir()
        network = build_network(its, its.input_size)
        save_weights(network, weights)
        export_graph(network, its.head, weights, folder)
    outputs = its.head.outputs(its.input_size, its.classes)
    return OpenVINOEngine(folder / GRAPH, weights, its.input_size, outputs, precision, many=False)


if __name__ == "__main__":
    main()
