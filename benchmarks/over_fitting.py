"""Over-fitting, seen: LeNet-5 on a few images of a data set of 28×28 pixels, and what decay,
dropout, augmentation and more data do against it.

    python benchmarks/over_fitting.py --data fashion-mnist -o runs/over-fitting [--images N]
    [--epochs N] [--seed N] [--only plain,dropout]

Draws so many images of each class from the training split, and 50 of each from the test split to
validate on, by the seed; writes both as idx files, and trains one recipe that differs only in what
`ARMS` says. Writes `curves.png`, training and validation loss by epoch, and prints the table in
Markdown: losses and accuracy of the last epoch, and the lowest validation loss with its epoch,
which is where early stopping would have stopped. The training loss is that of the steps, with what
dropout and augmentation make harder.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np
from shuffled_pixels import idx, write_set

from cvtasks.answers import Labels
from cvtasks.cli.output import start_keras
from cvtasks.data import open_source
from cvtasks.data.formats.idx import IdxLabels
from cvtasks.drawing.plots import pixels_of
from cvtasks.media.images import write_image
from cvtasks.recipe.recipe import Recipe, parse_recipe

VALIDATION, SCORE = "val_loss", "top-1 accuracy"  # columns of a history
VALIDATED = 50  # images of each class
MORE = 5  # times as many, in the arm that has more data
ARMS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "plain": ("nothing against it", {}),
    "decay": ("weight decay 0.5", {"train": {"weight_decay": 0.5}}),
    "dropout": ("dropout 0.5", {"head": {"dropout": 0.5}}),
    "augment": (
        "augmentation: flip, size, angle",
        {"data": {"flip": 0.5, "scale": [0.8, 1.2], "rotate": 12.0}},
    ),
    "more": (f"{MORE} times the data", {}),
}
"""Name → how it is called, and the tables of its recipe that differ."""


def subset(source: IdxLabels, each: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`each` images of every class, (n, 28, 28) and (n,) uint8."""
    order = rng.permutation(len(source.labels))
    labels = np.asarray(source.labels)[order]
    chosen = np.concatenate([order[labels == one][:each] for one in np.unique(labels)])
    return source.images[chosen], np.asarray(source.labels)[chosen]


def write_data(data: str, folder: Path, each: int, seed: int) -> None:
    """Write a set of so many training images a class, and the images to validate on."""
    files = {}
    for split, stem, count in (("train", "train", each), ("test", "t10k", VALIDATED)):
        source = open_source(data, split, Labels)
        if not isinstance(source, IdxLabels):
            raise SystemExit(f"the data set must be idx files; {data!r} is {source.format}.")
        images, labels = subset(source, count, np.random.default_rng(seed))
        files[f"{stem}-images-idx3-ubyte"] = idx(images)
        files[f"{stem}-labels-idx1-ubyte"] = idx(labels)
        files["classes.txt"] = "".join(f"{name}\n" for name in source.classes).encode()
    write_set(folder, files)


def recipe(arm: str, data: Path, epochs: int, seed: int) -> Recipe:
    """An arm's whole recipe."""
    own = ARMS[arm][1]
    return parse_recipe(
        {
            "task": {"name": "classify"},
            "backbone": "lenet5",
            "size": 28,
            "classes": (data / "classes.txt").read_text().split("\n")[:-1],
            "head": {"name": "own", "dropout": 0.0, "smoothing": 0.0, **own.get("head", {})},
            "data": {
                "path": str(data),
                "train": "train",
                "validate": "test",
                "scale": [1.0, 1.0],
                "flip": 0.0,
                "colour": 0.0,
                "border": "edge",
                "workers": 0,
                **own.get("data", {}),
            },
            "train": {
                "epochs": epochs,
                "batch": 32,
                "learning_rate": 0.003,
                "schedule": "constant",
                "weight_decay": 0.0,
                "ema": 0.0,
                "precision": "f32",
                "validate_every": 1,
                "seed": seed,
                **own.get("train", {}),
            },
        }
    )


def history(folder: Path) -> dict[str, np.ndarray]:
    """The columns of a run's history, (epochs,) each."""
    with (folder / "history.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def curves(runs: dict[str, dict[str, np.ndarray]], title: str) -> np.ndarray:
    """Training and validation loss of each arm beside each other, (h, w, 3) uint8 RGB."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(runs), 5.4), layout="constrained", dpi=80)
    figure.suptitle(title, fontsize=22)
    top = max(np.nanmax(run[VALIDATION]) for run in runs.values())
    for axes, (arm, run) in zip(
        figure.subplots(1, len(runs), sharey=True, squeeze=False)[0], runs.items(), strict=True
    ):
        best = int(np.nanargmin(run[VALIDATION]))
        axes.plot(run["epoch"], run["loss"], lw=3, label="training")
        axes.plot(run["epoch"], run[VALIDATION], lw=3, ls="--", label="validation")
        axes.axvline(run["epoch"][best], color="black", lw=1.5, ls=":", label="lowest validation")
        axes.set_title(ARMS[arm][0], fontsize=18)
        axes.set_xlabel("epoch", fontsize=17)
        axes.tick_params(labelsize=14)
        axes.set_ylim(0, min(top * 1.05, 4))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("loss", fontsize=17)
    figure.axes[0].legend(fontsize=15, frameon=False)
    return pixels_of(figure)


def table(runs: dict[str, dict[str, np.ndarray]]) -> str:
    """The Markdown table of the last epochs."""
    lines = [
        "| against it | training loss | validation loss | its lowest, at epoch | accuracy |",
        "|---|---|---|---|---|",
    ]
    for arm, run in runs.items():
        best = int(np.nanargmin(run[VALIDATION]))
        lowest = f"{run[VALIDATION][best]:.2f}, at {run['epoch'][best]:.0f}"
        last = f"{run['loss'][-1]:.2f} | {run[VALIDATION][-1]:.2f} | {lowest}"
        lines.append(f"| {ARMS[arm][0]} | {last} | {run[SCORE][-1]:.3f} |")
    return "\n".join(lines)


def main() -> None:
    """Train all arms, draw their curves and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="fashion-mnist", help="a folder of idx files, or a name")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/over-fitting"))
    parser.add_argument("--images", type=int, default=20, help="of each class, to train on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(ARMS), help="arms, separated by commas")
    options = parser.parse_args()
    unknown = [arm for arm in options.only.split(",") if arm not in ARMS]
    if unknown:
        raise SystemExit(f"the arms are {', '.join(ARMS)}; got {unknown[0]!r}.")
    start_keras()
    import cvtasks

    runs = {}
    for arm in options.only.split(","):
        each = options.images * (MORE if arm == "more" else 1)
        data, folder = options.output / f"data-{each}-{options.seed}", options.output / arm
        write_data(options.data, data, each, options.seed)
        cvtasks.train(recipe(arm, data, options.epochs, options.seed), folder=folder)
        runs[arm] = history(folder)
    title = f"LeNet-5 on {options.images} images a class of {Path(options.data).name}"
    write_image(options.output / "curves.png", curves(runs, title))
    print(table(runs))


if __name__ == "__main__":
    main()
