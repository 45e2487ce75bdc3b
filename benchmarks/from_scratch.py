"""How good a detector becomes in an hour of two cores that begins with random weights, on the six
classes of Pascal VOC in which the data are complete.

    python benchmarks/from_scratch.py [--recipes labels ...] [--minutes 60] [--seed 1]
                                      [--backbone resnet18] [-o runs/from-scratch]

| recipe | what the minutes go into |
|---|---|
| `plain` | the detector alone |
| `labels` | `--share` of them: labels, then the detector |
| `labels-group` | the same with group normalisation, which does not mind small batches |

Labels are which of VOC's 20 classes an image shows, several at a time: the detector's backbone
learns them at 128 px, and the detector begins with it. Both see the images to train on and nothing
else. The detector trains at 160 px and looks at 192; epochs are those that fit, so that the
schedule ends with the minutes. Scored once, at the end, on the 485 images to validate on. Each part
is a run of `cvtasks train` with a folder of its own, whose `history.csv` and `log.jsonl` say how it
went; what it prints is kept beside it. A run that is there is not trained again; one that was
broken off goes on where it was.

What is known of others, for scale: Ultralytics' YOLO11n at 160 px reached .103 AP@0.5 in 18
minutes of two cores, and `detect-resnet18-scratch` .270 in a quarter of an hour. Wanted is .45.
`peer_from_scratch.py` gives LibreYOLO the same hour.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compare import data_folder, report

WANTED = 0.45
"""AP@0.5 of the best recipe in an hour."""

SIX = ("person", "cat", "cow", "dog", "horse", "sheep")
SCORES = ("VOC2012 area AP@0.5", "COCO AP75", "COCO AP")

_MANY = 1000  # epochs, of which as many are made as fit
_USUAL = (
    "data.workers=2",
    "train.batch=16",
    "train.learning_rate=0.001",
    "train.weight_decay=0.05",
    "train.warmup=1.0",
    "train.ema=0.998",
    "train.clip=10.0",
    "train.watch_train=0",
    "train.patience=0",
    f"train.epochs={_MANY}",
    f"train.validate_every={_MANY}",
)
_LABELS = (
    "task.labels=many",
    "data.crop=128",
    "data.scale=[0.7, 1.5]",
    "data.mixup=0.2",
    "data.close_mosaic=2",
    "head.dropout=0.2",
)
_DETECT = (
    "train.backbone_rate=1.0",  # what it has learned from labels is far from finished
    "head.width=96",
    "data.crop=160",
    "data.scale=[0.6, 1.5]",
    "data.mosaic=0.4",
    "data.close_mosaic=4",
)


@dataclass(frozen=True)
class Recipe:
    """How the minutes are spent.

    Attributes:
        labels: whether the backbone learns from labels first.
        norm: normalisation of the backbone; "" for its own.
    """

    labels: bool
    norm: str


RECIPES = {
    "plain": Recipe(False, ""),
    "labels": Recipe(True, ""),
    "labels-group": Recipe(True, "group"),
}


def main() -> None:
    """Train what is missing, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=["labels"])
    parser.add_argument("--minutes", type=float, default=60, help="of each recipe, in all")
    parser.add_argument("--share", type=float, default=0.35, help="of the minutes, for the labels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backbone", default="resnet18", help="cvtasks features lists them")
    parser.add_argument("--data", default="", help="VOC's devkit (default: in $CVTASKS_DATA)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the detector's recipe; needs a new OUT",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/from-scratch"))
    options = parser.parse_args()
    if not 0 < options.share < 1:
        parser.error(f"--share is a share of the minutes, above 0 and below 1; got {options.share}")
    rows = {}
    print(f"| recipe | minutes | {' | '.join(SCORES)} | epochs |\n|---|---|{'---|' * 4}")
    for name in options.recipes:
        rows[name] = learned(name, options)
        row = rows[name]
        scores = " | ".join(f"{row[score]:.4f}" for score in SCORES)
        print(f"| {name} | {row['minutes']:.1f} | {scores} | {row['epochs']} |", flush=True)
    report("from_scratch", {"AP@0.5": f">= {WANTED}"}, budget=options.minutes, recipes=rows)


def learned(name: str, options: argparse.Namespace) -> dict[str, float | str]:
    """The scores of a recipe, and the minutes and epochs of its runs."""
    recipe = RECIPES[name]
    marks = f"{name}-{options.backbone}-{options.minutes:g}-seed-{options.seed}"
    place = options.output / marks
    norm = (f"norm={recipe.norm}",) if recipe.norm else ()
    runs, weights, left = [], "none", options.minutes
    if recipe.labels:
        part = options.minutes * options.share
        runs.append(
            trained("classify", place / "labels", part, weights, (*_LABELS, *norm), options)
        )
        weights, left = str(runs[0]), options.minutes - part
    detector = (*_DETECT, *norm, *options.set)
    runs.append(trained("detect", place / "detect", left, weights, detector, options))
    metrics = json.loads((runs[-1] / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    scores: dict[str, float | str] = {score: metrics[score] for score in SCORES}
    epochs = " + ".join(str(len(history(run))) for run in runs)
    return scores | {"minutes": round(sum(map(taken, runs)), 1), "epochs": epochs}


def trained(
    task: str,
    folder: Path,
    minutes: float,
    weights: str,
    changes: Sequence[str],
    options: argparse.Namespace,
) -> Path:
    """The folder of a run, which is trained, or what is left of it."""
    if (folder / "README.md").exists():
        return folder
    command = [sys.executable, "-m", "cvtasks", "train"]
    if folder.exists():
        command += ["--resume", str(folder)]
    else:
        classes = ["--classes", ",".join(SIX)] if task == "detect" else []
        data = options.data or str(data_folder("voc2012/VOCdevkit/VOC2012"))
        command += [task, "--data", data, "--backbone", options.backbone, *classes]
        command += ["--size", "192" if task == "detect" else "160", "-o", str(folder)]
        command += ["--weights", weights, "--minutes", f"{minutes:.2f}"]
        every = (*_USUAL, f"train.seed={options.seed}", *changes)
        command += [word for change in every for word in ("--set", change)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}-log.txt"
    with log.open("a", encoding="utf-8") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.STDOUT)
    return folder


def taken(folder: Path) -> float:
    """Minutes of a run's epochs, however often it was resumed."""
    return sum(float(row["seconds"]) for row in history(folder)) / 60


def history(folder: Path) -> list[dict[str, str]]:
    """The epochs of a run."""
    return list(csv.DictReader((folder / "history.csv").read_text(encoding="utf-8").splitlines()))


if __name__ == "__main__":
    main()
