"""What a start is worth: a finished detector, ImageNet weights, a model of another task and random
weights, in the same minutes.

    python benchmarks/fine_tune.py [--sets coco nuclei] [--starts model imagenet other random]
                                   [--model NAME|FOLDER] [--imagenet imagenet|FILE]
                                   [--other NAME|FOLDER]
                                   [--seeds 0 1 2] [--minutes 10] [-o runs/fine-tune]

One network, that of a finished detector, is trained from each start on two small sets of
`$CVTASKS_DATA`: the ten most frequent classes of `coco_mini`, and the boxes of `nuclei`. The model
gives backbone, neck and head; ImageNet weights, and a model of another task, give its backbone, and
are left out unless they are named: for that of `detect-yolox-nano-voc`, the default, there are
none. A first run of two epochs measures how many epochs fit into the minutes; all runs on a set
have as many. Scored once, after the last epoch, on the split val. Wanted: the means over the seeds
are in the order in which `cvtasks train` prefers the starts.

A run that is there is not trained again; one that was broken off goes on.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from compare import data_folder, report

from cvtasks.files.writing import write_text
from cvtasks.recipe.recipe import read_recipe
from cvtasks.schema import table_of
from cvtasks.zoo import RECIPE, model_folder

STARTS = ("model", "imagenet", "other", "random")
"""In the order in which `cvtasks train` prefers them."""

_CLASSES = 10
_SCORES = ("VOC2012 area AP@0.5", "COCO AP")
_SIZE = 320  # pixels of the network input
_SAME = ("name", "width", "depth", "depthwise")  # of the model's head
_PROBE = 2  # epochs that are measured, of which the last counts


@dataclass(frozen=True)
class Set:
    """One of the two sets.

    Attributes:
        path: below `$CVTASKS_DATA`.
        train: its annotations to train on, below the path.
    """

    path: str
    train: str

    def classes(self, given: Path) -> list[str]:
        """The most frequent classes to train on, the most frequent first."""
        document = json.loads((given / self.path / self.train).read_text(encoding="utf-8"))
        names = {row["id"]: row["name"] for row in document["categories"]}
        counts = Counter(names[row["category_id"]] for row in document["annotations"])
        return [name for name, _ in counts.most_common(_CLASSES)]


SETS = {
    "coco": Set("coco_mini", "instances_train.json"),
    "nuclei": Set("nuclei", "train.json"),
}


def main() -> None:
    """Train what is missing, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=list(STARTS))
    parser.add_argument("--model", default="detect-yolox-nano-voc", help="a name or a folder")
    parser.add_argument("--imagenet", default="", help="imagenet, or a file of its backbone's")
    parser.add_argument("--other", default="", help="a model of another task with its backbone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/fine-tune"))
    options = parser.parse_args()
    given, network = data_folder(), network_of(options.model)
    weights = {"model": options.model, "imagenet": options.imagenet, "other": options.other}
    weights["random"] = "none"
    starts = [start for start in options.starts if weights[start]]
    means: dict[str, dict[str, float]] = {}
    print(f"| set | epochs | start | {' | '.join(_SCORES)} | by seed |\n|---|---|---|---|---|---|")
    for name in options.sets:
        place = options.output / f"{name}-{options.minutes:g}"
        epochs = fitting(name, given, place, options.minutes, network)
        for start in starts:
            how = [*network, "--weights", weights[start]]
            scores = [
                scored(trained(name, given, place / f"{start}-{seed}", how, epochs, seed))
                for seed in options.seeds
            ]
            mean = np.mean(scores, axis=0)
            means.setdefault(name, {})[start] = round(float(mean[0]), 4)
            print(
                f"| {name} | {epochs} | {start} | {' | '.join(f'{one:.3f}' for one in mean)} | "
                f"{', '.join(f'{row[0]:.3f}' for row in scores)} |",
                flush=True,
            )
    wrong = [
        f"{name}: {worse} is better than {better}"
        for name, by_start in means.items()
        for better, worse in pairwise(starts)
        if by_start[worse] > by_start[better]
    ]
    report("fine_tune", {"wrong": "none"}, minutes=options.minutes, scores=means, wrong=wrong)


def network_of(model: str) -> list[str]:
    """Options for a network as the model's."""
    recipe = read_recipe(model_folder(model) / RECIPE)
    head = {"name": recipe.head.name, **table_of(recipe.head)}
    same = (f"head.{key}={json.dumps(value)}" for key, value in head.items() if key in _SAME)
    return ["--backbone", recipe.backbone, "--size", str(_SIZE), *changes(*same)]


def fitting(name: str, given: Path, place: Path, minutes: float, network: Sequence[str]) -> int:
    """How many epochs fit into the minutes, measured once and kept in a file."""
    kept = place / "epochs.txt"
    if not kept.exists():
        how = [*network, "--weights", "none"]
        folder = trained(name, given, place / "probe", how, _PROBE, 0)
        rows = list(csv.DictReader((folder / "history.csv").read_text().splitlines()))
        write_text(kept, str(max(1, round(minutes * 60 / float(rows[-1]["seconds"])))))
    return int(kept.read_text(encoding="utf-8"))


def trained(
    name: str, given: Path, folder: Path, how: Sequence[str], epochs: int, seed: int
) -> Path:
    """The folder of a run, which is trained, or what is left of it.

    Args:
        how: options that name network and start.
    """
    if (folder / "README.md").exists():
        return folder
    command = [sys.executable, "-m", "cvtasks", "train"]
    if folder.exists():
        command += ["--resume", str(folder)]
    else:
        one = SETS[name]
        command += ["detect", "--data", str(given / one.path), *how, "-o", str(folder)]
        command += ["--classes", ",".join(one.classes(given))]
        command += changes(
            f"train.epochs={epochs}",
            f"train.validate_every={epochs}",
            f"train.seed={seed}",
            "data.faulty=drop",
        )
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def changes(*wanted: str) -> list[str]:
    """Options that change values of the recipe."""
    return [part for change in wanted for part in ("--set", change)]


def scored(folder: Path) -> Sequence[float]:
    """What a finished run has measured."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    return [metrics[name] for name in _SCORES]


if __name__ == "__main__":
    main()
