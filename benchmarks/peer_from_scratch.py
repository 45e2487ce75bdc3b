"""LibreYOLO's smallest YOLOX from random weights, in the same time as `from_scratch.py`.

    python benchmarks/peer_from_scratch.py [--minutes 60] [-o runs/peer-from-scratch]

LibreYOLO (MIT) is installed from PyPI into an environment of its own in OUT/env, which takes 6 GB
with PyTorch, and only its program is called: `libreyolo train … --no-pretrained`, with its own
recipe, at 160 px in batches of 16, and `libreyolo val` at 192 px. How many epochs fit is measured
first, by runs of one and of two epochs, which do not count; warm-up and the epochs without mosaics
at the end are a tenth and a fifth of them, where its own numbers are meant for 300. The data are
the six classes of Pascal VOC's train and val, converted to YOLO by `cvtasks data convert`. What it
finds is scored by `cvtasks evaluate --predictions` on the data themselves, difficult objects and
all; its own score, on what YOLO's format can say, is in the log.

What is there is not made again.
"""

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from compare import data_folder, report
from from_scratch import SCORES, SIX

from cvtasks.files.writing import write_text
from cvtasks.formats.yolo import parse_yaml, yolo_yaml

_PROGRAM = "libreyolo==1.6.0"
_MODEL, _SIDE, _LOOK, _BATCH = "yolox-n", 160, 192, 16
_MODEL_OF_OURS = "detect-resnet18-scratch"  # says which classes count, in which order


def main() -> None:
    """Install, convert, measure, train, score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--data", default="", help="VOC's devkit (default: in $CVTASKS_DATA)")
    parser.add_argument("--images", type=int, default=0, help="to train on; 0 for all")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/peer-from-scratch"))
    options = parser.parse_args()
    out = options.output.absolute()
    out.mkdir(parents=True, exist_ok=True)
    given = options.data or str(data_folder("voc2012/VOCdevkit/VOC2012"))
    program = installed(out / "env")
    data = converted(given, out / "data", options.images)
    start, epoch = paces(program, data, out)
    epochs = max(1, int((options.minutes * 60 - start) / epoch))
    print(f"{start:.0f} s to begin, {epoch:.1f} s an epoch: {epochs} epochs", flush=True)
    begun = time.monotonic()
    trained(program, data, out, f"run-{options.minutes:g}", epochs)
    minutes = (time.monotonic() - begun) / 60
    metrics = scored(program, data, out, f"run-{options.minutes:g}", given)
    for name in SCORES:
        print(f"{name}: {metrics[name]:.4f}")
    report("peer_from_scratch", {}, epochs=epochs, minutes=round(minutes, 1), metrics=metrics)


def installed(folder: Path) -> Path:
    """LibreYOLO's program in an environment of its own."""
    program = folder / "bin" / "libreyolo"
    if not program.exists():
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", _PROGRAM], check=True)
    return program


def converted(given: str, folder: Path, images: int) -> Path:
    """VOC's train and val in YOLO's layout, with the six classes alone; the file that describes
    them.
    """
    file = folder / "data.yaml"
    if (folder / "done").exists():
        return file
    for split in ("train", "val"):
        command = [sys.executable, "-m", "cvtasks", "data", "convert", f"{given}:{split}"]
        subprocess.run([*command, str(folder), "--to", "yolo", "--split", split], check=True)
    names = parse_yaml(file.read_text(encoding="utf-8"), file.name).classes
    places = [names.index(name) for name in SIX]
    for label in folder.glob("labels/*/*.txt"):
        rows = (line.split() for line in label.read_text(encoding="utf-8").splitlines())
        kept = [(places.index(int(row[0])), row[1:]) for row in rows if int(row[0]) in places]
        write_text(label, "".join(f"{number} {' '.join(rest)}\n" for number, rest in kept))
    for image in sorted((folder / "images/train").iterdir())[images:] if images else ():
        image.unlink()
    write_text(file, yolo_yaml(SIX, ("train", "val")))
    write_text(folder / "done", "")
    return file


def paces(program: Path, data: Path, out: Path) -> tuple[float, float]:
    """Seconds that a run takes beside its epochs, and seconds of an epoch; measured once."""
    kept = out / "paces.json"
    if not kept.exists():
        taken = []
        for epochs in (1, 2):
            begun = time.monotonic()
            trained(program, data, out, f"probe-{epochs}", epochs)
            taken.append(time.monotonic() - begun)
        epoch = max(0.1, taken[1] - taken[0])
        write_text(kept, json.dumps([max(0.0, taken[0] - epoch), epoch]))
    start, epoch = json.loads(kept.read_text(encoding="utf-8"))
    return start, epoch


def trained(program: Path, data: Path, out: Path, name: str, epochs: int) -> None:
    """Train for so many epochs, or not at all where that was done."""
    if (out / f"{name}-done").exists():
        return
    options = {
        "data": data,
        "model": _MODEL,
        "epochs": epochs,
        "imgsz": _SIDE,
        "batch": _BATCH,
        "workers": 2,
        "device": "cpu",
        "warmup-epochs": max(1, epochs // 10),
        "no-aug-epochs": epochs // 5,
        "project": out,
        "name": name,
    }
    called(program, "train", options, ("no-pretrained", "no-val", "exist-ok"), out / f"{name}.log")
    write_text(out / f"{name}-done", "")


def scored(program: Path, data: Path, out: Path, name: str, given: str) -> dict[str, float]:
    """The scores of what the network finds, under the data's own annotations."""
    options = {
        "model": out / name / "weights" / "last.pt",
        "data": data,
        "imgsz": _LOOK,
        "conf": 0.005,
        "iou": 0.6,
        "workers": 0,
        "device": "cpu",
        "project": out,
        "name": f"{name}-val",
    }
    called(program, "val", options, ("save-json", "exist-ok"), out / f"{name}-val.log")
    rows = json.loads((out / f"{name}-val" / "predictions.json").read_text(encoding="utf-8"))
    images = sorted((data.parent / "images/val").iterdir())  # whose numbers its ids are
    found = [
        row | {"image_id": images[row["image_id"]].stem, "category_id": row["category_id"] + 1}
        for row in rows
    ]
    file = out / f"{name}-predictions.json"
    write_text(file, json.dumps(found))
    command = [sys.executable, "-m", "cvtasks", "evaluate", _MODEL_OF_OURS, "--json"]
    command += ["--data", f"{given}:val", "--predictions", str(file)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    metrics: dict[str, float] = json.loads(done.stdout)["metrics"]
    return metrics


def called(
    program: Path, verb: str, options: dict[str, object], switches: Sequence[str], log: Path
) -> None:
    """Call the program; what it prints is kept."""
    command = [str(program), verb, *(f"--{switch}" for switch in switches)]
    command += [word for key, value in options.items() for word in (f"--{key}", str(value))]
    with log.open("w", encoding="utf-8") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.STDOUT)


if __name__ == "__main__":
    main()
