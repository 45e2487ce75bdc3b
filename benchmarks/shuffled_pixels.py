"""What the order of the pixels is worth: a fully connected network and LeNet-5, on images as they
are and with shuffled pixels.

    python benchmarks/shuffled_pixels.py --data mnist -o runs/shuffled [--results FILE] [--only
    mlp,lenet5]

Writes a copy of the data set, idx files, in which one permutation has changed the places of the
pixels, the same in every image, and trains each network on both by one recipe, with no
augmentation: a mirrored or enlarged image would tell what lies beside what. The test images are
looked at once, after the last epoch. Each finished run goes into `--results`, a JSON file; what is
in there is not trained again, and a run that was broken off goes on from its checkpoint. Prints the
table in Markdown.
"""

import argparse
import json
import os
import shutil
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from classic_networks import METRIC, OWN, Row, asked, measure

from cvtasks.answers import Labels
from cvtasks.data import open_source
from cvtasks.data.formats.idx import IdxLabels
from cvtasks.files.writing import write_bytes, write_text

SEED = 0
"""Of the permutation."""

_ALIKE: dict[str, Any] = {
    "task": {**OWN, "dropout": 0.2, "smoothing": 0.0},
    "data": {"scale": [1.0, 1.0], "flip": 0.0},
    "train": {"ema": 0.0},  # the networks themselves are compared
}
ROWS = {
    "mlp": Row("fully connected, 300-100-10", "LeCun 1998", "", "mlp", 28, 6, 2, **_ALIKE),
    "lenet5": Row("LeNet-5", "LeCun 1998", "", "lenet5", 28, 6, 2, **_ALIKE),
}
ORDERS = ("as they are", "shuffled")


def main() -> None:
    """Write the shuffled copy, train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        default="mnist",
        help="the folder of idx files of 28×28 pixels, or what `data get` has fetched",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("runs/shuffled"),
        help="where the copy and the runs go",
    )
    options, results = asked(parser, ROWS, "networks", Path(__file__))
    if not options.table:
        copy = options.output / "data"
        write_set(copy, shuffled(options.data))
        for key in options.only.split(","):
            for order, data in zip(ORDERS, (options.data, str(copy)), strict=True):
                for seed in range(1, ROWS[key].seeds + 1):
                    name = run_name(key, order, seed)
                    if name not in results:
                        command = f"python benchmarks/shuffled_pixels.py --only {key}"
                        results[name] = measure(
                            ROWS[key], data, options.output / name, seed, command
                        )
                        write_text(
                            options.results, json.dumps(results, indent=1, sort_keys=True) + "\n"
                        )
    print(table(results))


def permuted(images: np.ndarray) -> np.ndarray:
    """(n, h, w) → the same shape: the pixels of all images at other places,
    the same ones in each.
    """
    order = np.random.default_rng(SEED).permutation(images[0].size)
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


def shuffled(data: str) -> dict[str, bytes]:
    """The files of the data set's shuffled copy: name → content."""
    files = {}
    for split, stem in (("train", "train"), ("test", "t10k")):
        source = open_source(data, split, Labels)
        if not isinstance(source, IdxLabels):
            raise SystemExit(
                f"the data set must be idx files, as MNIST's are; {data!r} is {source.format}."
            )
        files[f"{stem}-images-idx3-ubyte"] = idx(permuted(source.images))
        files[f"{stem}-labels-idx1-ubyte"] = idx(source.labels)
        files["classes.txt"] = "".join(f"{name}\n" for name in source.classes).encode()
    return files


def idx(array: np.ndarray) -> bytes:
    """An array of uint8 as an idx file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_set(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files into a new folder, whole or not at all; one that holds just these stays as it
    is.
    """
    if folder.exists():
        if {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} != files:
            raise SystemExit(
                f"{str(folder)!r} holds something other than this copy. Remove it, or choose "
                "another -o."
            )
        return
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        for name, content in files.items():
            write_bytes(part / name, content)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def run_name(key: str, order: str, seed: int) -> str:
    """What a run's folder and its result are called."""
    return f"{key}-{order.replace(' ', '-')}-{seed}"


def table(results: dict[str, Any]) -> str:
    """The Markdown table of what has been measured."""
    lines = [
        "| network | parameters | epochs | accuracy on the test images as they are | with shuffled "
        "pixels |",
        "|---|---|---|---|---|",
    ]
    for key, row in ROWS.items():
        names = {
            order: [run_name(key, order, seed) for seed in range(1, row.seeds + 1)]
            for order in ORDERS
        }
        runs = {
            order: [results[name] for name in names[order] if name in results] for order in ORDERS
        }
        some = [one for order in ORDERS for one in runs[order]]
        if some:
            cells = " | ".join(_mean([one[METRIC] for one in runs[order]]) for order in ORDERS)
            lines.append(
                f"| {row.title} | {some[0]['parameters']:,} | {some[0]['epochs']} | {cells} |"
            )
    machines = sorted({one["machine"] for one in results.values()})
    minutes = sum(one["minutes"] for one in results.values())
    return "\n".join([*lines, "", *machines, f"{minutes:.0f} minutes of training in all"])


def _mean(scores: list[float]) -> str:
    if not scores:
        return "–"
    if len(scores) == 1:
        return f"{scores[0]:.4f} (one seed)"
    return f"{statistics.mean(scores):.4f} ± {statistics.stdev(scores):.4f} ({len(scores)} seeds)"


if __name__ == "__main__":
    main()
