"""Whether `cvtasks train TASK --data DATA` alone is nearly as good as the best of a grid.

    python benchmarks/defaults.py [--sets boxes ...] [--minutes 30] [-o runs/defaults]
    python benchmarks/defaults.py --sets classes --minutes 3 --only-default

Five small sets, made of `$CVTASKS_DATA`: the boxes of `nuclei`; the ten most frequent classes of
`coco_mini`; 200 images of Pascal VOC with six classes, from the ImageNet trunk, as the zoo's models
have seen them; 20 images of each class of `imagenette`; `nuclei` as masks of two classes. Each is
trained on by one command with nothing but its data and the minutes, with two seeds, and scored once
on images that no run has seen. Beside it stands the best of a grid in the same minutes: learning
rate × {1/3, 1, 3}, moving average on or off, backbone frozen or not. That one is chosen by the
fifth of the training images that every run sets aside, trained with both seeds, and scored once on
the same images. Wanted of the default is at least 0.95 of its score, in the mean over the seeds.

How many steps fit into the minutes is measured first, for all sets, with the backbone frozen and
not, and what the default does where they are few, and kept: let nothing else run for that moment.
All runs of a set then have as many, however busy the machine is. A run that is there is not trained
again; one that was broken off goes on. A set takes 14 times the minutes, or 13: whole, in half
hours, a day and a half. `--only-default` leaves out the grid, `--only-lengths` measures the steps
and ends.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from compare import data_folder, report

from cvtasks.drawing.colours import voc_palette
from cvtasks.files.writing import write_text
from cvtasks.geometry.rle import decode_rle
from cvtasks.media.images import write_mask
from cvtasks.text import dumps

LEAST = 0.95
"""Share of the grid's score that the default must reach."""

_SEEDS = (0, 1)
_DEFAULT = "default"
_TRUNK = "mobilenet_v1_100_224_trunk_conv1_to_conv_pw_12.npz"
_CLASSES, _EACH, _VOC_IMAGES = 10, 20, 200
_SIX = ("cat", "cow", "dog", "horse", "person", "sheep")
_SPLITS = ("train", "val")
_FROZEN = "[[0, 32]]"
_LENGTH = ("epochs", "epoch_steps", "freeze", "learning_rate")

Make = Callable[[Path, Path, Path], None]
"""Makes a set of (the given data, folder to learn from, folder to be judged by)."""


@dataclass(frozen=True)
class Set:
    """One of the five sets.

    Attributes:
        trunk: whether training begins with the ImageNet trunk, rather than with what is usual.
    """

    task: str
    make: Make
    classes: tuple[str, ...] = ()
    trunk: bool = False


@dataclass(frozen=True)
class Point:
    """A place in the grid: factor on the rate, and whether average and freezing are on."""

    rate: float
    average: bool
    frozen: bool

    @property
    def name(self) -> str:
        """Of its folder."""
        parts = ("" if self.average else "-raw", "-frozen" if self.frozen else "")
        return f"rate-{self.rate:.2g}{''.join(parts)}"

    def changes(self, usual: dict[str, Any]) -> list[str]:
        """What it sets, beside the default's table `[train]`."""
        return [
            f"train.learning_rate={usual['learning_rate'] * self.rate:.3g}",
            f"train.ema={(usual['ema'] or 0.998) if self.average else 0.0}",
            f"train.freeze={_FROZEN if self.frozen else '[]'}",
        ]


GRID = [Point(*one) for one in product((1 / 3, 1.0, 3.0), (True, False), (False, True))]


def main() -> None:
    """Make the sets, train what is missing, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=list(SETS))
    parser.add_argument("--minutes", type=float, default=30.0, help="of each run")
    parser.add_argument("--weights", help="start of every run instead of the set's own")
    parser.add_argument("--only-default", action="store_true", help="without the grid")
    parser.add_argument("--only-lengths", action="store_true", help="measure steps, train nothing")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/defaults"))
    options = parser.parse_args()
    trainers = {
        name: Trainer(
            SETS[name],
            options.output / "sets" / name,
            options.output / f"{name}-{options.minutes:g}",
            options,
        )
        for name in options.sets
    }
    for name, trainer in trainers.items():
        print(f"{name}: {trainer.lengths}", flush=True)
    rows = {}
    for name, trainer in trainers.items() if not options.only_lengths else ():
        rows[name] = trainer.compared()
        print(f"{name}: {rows[name]}", flush=True)
    report("defaults", {"ratio": f"at least {LEAST}"}, minutes=options.minutes, sets=rows)


class Trainer:
    """The runs of one set."""

    def __init__(self, one: Set, data: Path, place: Path, options: argparse.Namespace) -> None:
        self._set, self._place, self._options = one, place, options
        given = data_folder()
        self._learn, self._judge = data / "learn", data / "judge"
        if not data.exists():
            one.make(given, self._learn, self._judge)
        own = str(given / "weights" / _TRUNK) if one.trunk else ""
        self._weights = own if options.weights is None else options.weights
        self.lengths = {
            name: self._length(name, changes)
            for name, changes in {
                _DEFAULT: [],
                "all": ["train.freeze=[]"],
                "frozen": [f"train.freeze={_FROZEN}"],
            }.items()
        }
        """What runs have of the keys that minutes decide about: that of the default, and those of
        the grid.
        """
        self.usual = Point(1.0, True, f"train.freeze={_FROZEN}" in self.lengths[_DEFAULT])
        """The default's place in the grid."""

    def _length(self, name: str, changes: Sequence[str]) -> list[str]:
        """The steps that fit into the minutes, of a run that is stopped before it learns."""
        kept = self._place / f"length-{name}.json"
        if not kept.exists():
            folder = self._place / "measured"
            recipe = folder / "recipe.toml"
            command = self._command(folder, changes)
            command += ["--minutes", f"{self._options.minutes:g}"]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as run:
                while run.poll() is None and not (
                    recipe.exists() and not _table(recipe)["minutes"]
                ):
                    time.sleep(0.1)
                run.kill()
            how = _table(recipe)
            write_text(kept, json.dumps({key: how[key] for key in _LENGTH if how.get(key)}))
            shutil.rmtree(folder)
        length = json.loads(kept.read_text(encoding="utf-8"))
        return [f"train.{key}={value}" for key, value in length.items()]

    def _command(self, folder: Path, changes: Sequence[str]) -> list[str]:
        command = [sys.executable, "-m", "cvtasks", "train", self._set.task]
        command += ["--data", str(self._learn), "-o", str(folder)]
        command += ["--weights", self._weights] if self._weights else []
        command += ["--classes", ",".join(self._set.classes)] if self._set.classes else []
        return [*command, *(word for change in changes for word in ("--set", change))]

    def compared(self) -> dict[str, Any]:
        """The scores of the default and of the grid's best, and their ratio."""
        runs = [self.run(self.usual, seed) for seed in _SEEDS]
        row: dict[str, Any] = {"default": [self.judged(run) for run in runs]}
        if self._options.only_default:
            return row
        held = {point: self.held_out(self.run(point, _SEEDS[0])) for point in GRID}
        best = max(held, key=lambda point: held[point])
        again = [self.run(best, seed) for seed in _SEEDS]
        row |= {"best": best.name, "grid": [self.judged(run) for run in again]}
        row["held out"] = {point.name: score for point, score in held.items()}
        row["ratio"] = round(float(np.mean(row["default"]) / np.mean(row["grid"])), 3)
        return row

    def run(self, point: Point, seed: int) -> Path:
        """The folder of a run, trained; what all but the default change, they change of that."""
        name, changes = _DEFAULT, self.lengths[_DEFAULT]
        if point != self.usual:
            first = self.run(self.usual, _SEEDS[0])
            name, length = point.name, self.lengths["frozen" if point.frozen else "all"]
            changes = [*length, *point.changes(_table(first / "recipe.toml"))]
        folder = self._place / f"{name}-seed-{seed}"
        command = self._command(folder, [f"train.seed={seed}", *changes])
        if folder.exists():
            command = [sys.executable, "-m", "cvtasks", "train", "--resume", str(folder)]
        if not (folder / "README.md").exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with (folder.parent / f"{folder.name}.log").open("a", encoding="utf-8") as log:
                subprocess.run(command, check=True, stdout=log, stderr=log)
        return folder

    def held_out(self, folder: Path) -> float:
        """The headline of a run on the images that it set aside."""
        return headline(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))

    def judged(self, folder: Path) -> float:
        """The headline of a run on the images that none has seen; kept beside it."""
        file = folder.parent / f"{folder.name}.json"
        if not file.exists():
            command = [sys.executable, "-m", "cvtasks", "evaluate", str(folder), "--json"]
            command += ["--data", str(self._judge)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            write_text(file, done.stdout.decode())
        return headline(json.loads(file.read_text(encoding="utf-8")))


def _table(recipe: Path) -> dict[str, Any]:
    """`[train]` of a recipe."""
    table: dict[str, Any] = tomllib.loads(recipe.read_text(encoding="utf-8"))["train"]
    return table


def headline(measured: dict[str, Any]) -> float:
    """The first number of a report."""
    return round(float(next(iter(measured["metrics"].values()))), 4)


def make_boxes(given: Path, learn: Path, judge: Path) -> None:
    """All images of nuclei, in COCO's layout."""
    for split, place in zip(_SPLITS, (learn, judge), strict=True):
        document = json.loads((given / "nuclei" / f"{split}.json").read_text(encoding="utf-8"))
        _write_coco(document, given / "nuclei" / "images", place / f"{split}.json")


def make_frequent(given: Path, learn: Path, judge: Path) -> None:
    """All images of coco_mini, with the classes of which the training split has most objects."""
    documents = [
        json.loads((given / "coco_mini" / f"instances_{split}.json").read_text(encoding="utf-8"))
        for split in _SPLITS
    ]
    numbers = [entry["category_id"] for entry in documents[0]["annotations"]]
    kept = sorted(sorted(set(numbers)), key=lambda one: -numbers.count(one))[:_CLASSES]
    for document, split, place in zip(documents, _SPLITS, (learn, judge), strict=True):
        for key, name in (("annotations", "category_id"), ("categories", "id")):
            document[key] = [entry for entry in document[key] if entry[name] in kept]
        _write_coco(document, given / "coco_mini" / "images", place / f"{split}.json")


def _write_coco(document: dict[str, Any], images: Path, file: Path) -> None:
    _link((images / entry["file_name"] for entry in document["images"]), file.parent / "images")
    write_text(file, dumps(document))


def make_voc(given: Path, learn: Path, judge: Path) -> None:
    """Images of Pascal VOC that show one of the six classes, every so many of the training list."""
    voc = given / "voc2012" / "VOCdevkit" / "VOC2012"
    for split, place, most in zip(_SPLITS, (learn, judge), (_VOC_IMAGES, None), strict=True):
        lists = voc / "ImageSets" / "Main" / f"{split}.txt"
        names = [line.split()[0] for line in lists.read_text(encoding="utf-8").splitlines()]
        files = {name: voc / "Annotations" / f"{name}.xml" for name in names}
        shown = [
            name
            for name in names
            if any(f"<name>{one}</name>" in files[name].read_text("utf-8") for one in _SIX)
        ]
        chosen = shown[:: len(shown) // most][:most] if most else shown
        _link((files[name] for name in chosen), place / "Annotations")
        _link((voc / "JPEGImages" / f"{name}.jpg" for name in chosen), place / "JPEGImages")
        write_text(
            place / "ImageSets" / "Main" / f"{split}.txt", "".join(f"{name}\n" for name in chosen)
        )


def make_classes(given: Path, learn: Path, judge: Path) -> None:
    """A folder of images for each class of imagenette."""
    for split, place, most in zip(_SPLITS, (learn, judge), (_EACH, None), strict=True):
        for folder in sorted((given / "imagenette" / split).iterdir()):
            _link(sorted(folder.iterdir())[:most], place / folder.name)


def make_masks(given: Path, learn: Path, judge: Path) -> None:
    """All images of nuclei, with a mask of two classes for each."""
    for split, place in zip(_SPLITS, (learn, judge), strict=True):
        document = json.loads((given / "nuclei" / f"{split}.json").read_text(encoding="utf-8"))
        masks = {
            entry["id"]: np.zeros((entry["height"], entry["width"]), np.uint8)
            for entry in document["images"]
        }
        for entry in document["annotations"]:
            masks[entry["image_id"]][decode_rle(entry["segmentation"])] = 1
        for entry in document["images"]:
            stem = Path(entry["file_name"]).stem
            write_mask(place / "masks" / f"{stem}.png", masks[entry["id"]], voc_palette())
        _link(
            (given / "nuclei" / "images" / entry["file_name"] for entry in document["images"]),
            place / "images",
        )
        write_text(place / "classes.txt", "background\nnucleus\n")


def _link(files: Iterable[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).symlink_to(file.resolve())


SETS = {
    "boxes": Set("detect", make_boxes),
    "frequent": Set("detect", make_frequent),
    "voc": Set("detect", make_voc, classes=_SIX, trunk=True),
    "classes": Set("classify", make_classes),
    "masks": Set("segment", make_masks),
}


if __name__ == "__main__":
    main()
