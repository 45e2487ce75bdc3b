"""What `data.repeat` and `data.copy_paste` are worth on small sets, each against the same recipe
without it.

    python benchmarks/rare_classes.py [repeat] [paste] [--seeds 0 1] [-o runs/rare-classes]

repeat: of `$CVTASKS_DATA/imagenette` 40 images of each of the first five classes and 4 of the
others, from the MobileNet trunk in `$CVTASKS_DATA/weights`, 120 updates; with the threshold that a
new recipe chooses for these data, and with 0. Judged by 40 val images of each class, so that top-1
accuracy is the mean of the classes'. paste: the boxes of 60 training images of `nuclei`, from
`detect-yolox-nano-voc`, 90 updates at 192 pixels, with `data.copy_paste = 0.5` and with 0; judged
by its split val. Runs of a pair have the same seed and the same number of updates, and are compared
on the same images: the difference has a 95 % interval of a bootstrap. Wanted of what a new recipe
chooses by itself is that it does not lose.

A run that is there is not trained again; one that was broken off goes on. On two cores all take
about ten minutes.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from compare import data_folder, report

import cvtasks
from cvtasks.answers import Boxes
from cvtasks.data import open_source
from cvtasks.data.views import Subset
from cvtasks.data.writing.convert import convert
from cvtasks.evaluation.compare import compare
from cvtasks.training.plan import planned, resumed
from cvtasks.training.progress import Report

_TRUNK = "mobilenet_v1_100_224_trunk_conv1_to_conv_pw_12.npz"
_MANY, _FEW, _JUDGED, _NUCLEI = 40, 4, 40, 60
_HEADLINES = {"repeat": "top-1 accuracy", "paste": "VOC2012 area AP@0.5"}
_STEPS = {"train.validate_every": 3, "train.minutes": 0.0, "train.patience": 0}


def main() -> None:
    """Make the data, train what is missing, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", choices=[*_HEADLINES, []], default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/rare-classes"))
    options = parser.parse_args()
    given, found = data_folder(), dict[str, list[dict[str, float]]]()
    for what in options.what or _HEADLINES:
        place = options.output / what
        data = place / "data"
        if not data.exists():
            (make_uneven if what == "repeat" else make_nuclei)(given, data)
        for seed in options.seeds:
            pair = [trained(what, given, place, seed, on) for on in (False, True)]
            _, other = compare(pair, f"{data}:val")
            apart = other.differences[_HEADLINES[what]]
            row = {
                "with": other.result["metrics"][_HEADLINES[what]],
                "difference": apart.value,
                "low": apart.low,
                "high": apart.high,
            }
            found.setdefault(what, []).append(row)
            print(f"{what}, seed {seed}: {row}", flush=True)
    means = {
        what: round(float(np.mean([row["difference"] for row in rows])), 4)
        for what, rows in found.items()
    }
    report("rare_classes", {"repeat": "at least 0"}, runs=found, differences=means)


def trained(what: str, given: Path, place: Path, seed: int, on: bool) -> Path:
    """The folder of a run with the key in question or without; trains it, or what is left of it."""
    folder = place / f"{'with' if on else 'without'}-seed-{seed}"
    if (folder / "README.md").exists():
        return folder
    from cvtasks.training.run import run

    said = Report(on_message=print)
    if folder.exists():
        run(resumed(folder), folder, "", said)
        return folder
    data = place / "data"
    changes: dict[str, Any] = {**_STEPS, "train.seed": seed}
    if what == "repeat":
        changes |= {"train.weights": str(given / "weights" / _TRUNK), "size": 128}
        changes |= {"backbone": "mobilenet-12", "train.batch": 16}
        changes |= {"train.epochs": 12, "train.epoch_steps": 10}
        changes |= {} if on else {"data.repeat": 0.0}
        chosen = planned("classify", [("data.path", str(data)), *changes.items()]).recipe
        print(f"data.repeat = {chosen.data.repeat}")
    else:
        changes |= {"train.weights": "detect-yolox-nano-voc", "size": 192, "train.batch": 8}
        changes |= {"train.epochs": 15, "train.epoch_steps": 6, "data.multi_scale": []}
        changes |= {"data.copy_paste": 0.5 if on else 0.0}
    task = "classify" if what == "repeat" else "detect"
    cvtasks.train(task, data, folder, changes=changes, report=said)
    return folder


def make_uneven(given: Path, place: Path) -> None:
    """Folders of classes, of which half have a tenth of the images of the others."""
    names = sorted(path.name for path in (given / "imagenette" / "train").iterdir())
    for number, name in enumerate(names):
        few = number >= len(names) // 2
        for split, most in (("train", _FEW if few else _MANY), ("val", _JUDGED)):
            (place / split / name).mkdir(parents=True)
            for file in sorted((given / "imagenette" / split / name).iterdir())[:most]:
                (place / split / name / file.name).symlink_to(file.resolve())


def make_nuclei(given: Path, place: Path) -> None:
    """Some images of nuclei to train on, and all that there are to be judged by."""
    for split, most in (("train", _NUCLEI), ("val", None)):
        source = open_source(str(given / "nuclei" / f"{split}.json"), "", Boxes)
        drawn = np.random.default_rng(0).permutation(len(source))[:most]
        convert(Subset(source, np.sort(drawn).tolist()), "coco", place, split)


if __name__ == "__main__":
    main()
