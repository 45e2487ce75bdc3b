"""Whether a run that is killed again and again ends with the bits of one that is not.

    python benchmarks/exact_resume.py [--kills 5] [--seed 0]

For segment and detect, with 0 and 2 loader workers: a small network learns drawn shapes once
without a stop, and once more while `kill -9` hits it after random steps, so many times, each time
followed by another start. Everything that has a state takes part: dropout, augmentation, mosaics, a
moving average, accumulated gradients, a stage in which layers are frozen, the best score. Wanted:
equal SHA-256 of the best weights, equal variables in the checkpoint (weights, optimizer, random
states) and an equal history (but for its seconds), whatever the number of workers: 20 of 20 kills.
Takes about eight minutes on two cores.
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from compare import report

from cvtasks.answers import Boxes
from cvtasks.drawing.colours import voc_palette
from cvtasks.files.writing import sha256
from cvtasks.formats.voc import voc_xml
from cvtasks.media.images import write_image, write_mask
from cvtasks.training.checkpoint import read_progress
from cvtasks.weights.safetensors_file import read_safetensors

_CLASSES = ("square", "disc")
_EPOCHS, _STEPS = 4, 6
_CHILD = """
import sys
from pathlib import Path
from cvtasks.recipe.recipe import read_recipe
from cvtasks.data.opening import open_sources
from cvtasks.training.loop import train
from cvtasks.training.progress import Report
recipe = read_recipe(sys.argv[1], [f"data.workers={sys.argv[3]}"])
sources = open_sources(recipe)
def on_step(epoch, step, *_):
    print(epoch, step, flush=True)
train(recipe, sources.train, sources.validate, Path(sys.argv[2]), Report(on_step=on_step))
print("done", flush=True)
"""


def main() -> None:
    """Train, kill, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5, help="for each task and number of workers")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    options = parser.parse_args()
    rng, kills, good = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        make(root / "data")
        for task in ("segment", "detect"):
            (root / f"{task}.toml").write_text(recipe(task, root / "data" / task))
            whole = run(root, task, "whole", 0)
            for workers in (0, 2):
                name = f"killed-{workers}"
                last = _EPOCHS * _STEPS
                moments = sorted(rng.sample(range(1, last), options.kills))
                done = sum(run(root, task, name, workers, moment) is None for moment in moments)
                same = run(root, task, name, workers) == whole
                print(
                    f"{task}, {workers} workers: killed after steps {moments} of {last}; "
                    f"{'equal' if same else 'NOT EQUAL'}",
                    flush=True,
                )
                kills, good = kills + done, good + done * same
    wanted = {"kills that ended in equal bits": f"{4 * options.kills} of {4 * options.kills}"}
    report("exact_resume", wanted, **{"kills that ended in equal bits": f"{good} of {kills}"})


def run(root: Path, task: str, name: str, workers: int, moment: int | None = None) -> tuple | None:
    """Start a run or go on with it; kill it after the step `moment`, counted over all epochs. What
    it is at its end, or None.
    """
    folder = root / f"{task}-{name}"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", _CHILD, str(root / f"{task}.toml"), str(folder), str(workers)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stdout or ():
            if line.startswith("done"):
                break
            epoch, step = map(int, line.split())
            if moment is not None and epoch * _STEPS + step >= moment:
                child.send_signal(signal.SIGKILL)
                break
        said = child.stderr.read() if child.stderr else ""
    if moment is not None:
        return None
    if child.returncode:
        raise SystemExit(f"a run ended with {child.returncode}: {said[-2000:]}")
    progress = read_progress(folder / "last.safetensors")
    history = [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in progress["history"]
    ]
    state = hashlib.sha256()
    for key, stored in sorted(read_safetensors(folder / "last.safetensors").items()):
        state.update(key.encode() + stored.read().tobytes())
    return sha256(folder / "best.safetensors"), state.hexdigest(), json.dumps(history)


def recipe(task: str, data: Path) -> str:
    """The text of a recipe with everything that has a state."""
    own = {"segment": "channels = [16, 16]\ndropout = 0.2", "detect": ""}[task]
    classes = [*(["background"] if task == "segment" else []), *_CLASSES]
    mosaic = "mosaic = 0.5\nclose_mosaic = 1\n" if task == "detect" else ""
    return (
        f'task = "{task}"\nbackbone = "tiny"\nsize = 64\nclasses = '
        f"{json.dumps(classes)}\n[{task}]\n{own}\n"
        f'[data]\npath = "{data}"\nscale = [0.8, 1.2]\nsides = [64, 96]\n{mosaic}'
        f"[train]\nepochs = {_EPOCHS}\nbatch = 4\nema = 0.9\naccumulate = 2\nlearning_rate = "
        "0.003\n"
        'freeze = [[0, 2], [2, 0]]\nprecision = "f32"\n'
    )


def make(root: Path) -> None:
    """Squares and discs: 24 images to train, 6 to validate; in `detect` with boxes, in `segment`
    with masks.
    """
    rng = np.random.default_rng(0)
    boxes, masks = root / "detect", root / "segment"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (boxes / folder).mkdir(parents=True)
    (masks / "images").mkdir(parents=True)
    (boxes / "classes.txt").write_text("\n".join(_CLASSES))
    (masks / "classes.txt").write_text("\n".join(["background", *_CLASSES]))
    for split, count in (("train", _STEPS * 4), ("val", 6)):
        names = [f"{split}{number:02d}" for number in range(count)]
        for name in names:
            image, ids = (
                rng.integers(0, 60, (64, 80, 3), dtype=np.uint8),
                np.zeros((64, 80), np.uint8),
            )
            x, y, radius, kind = (
                int(rng.integers(*bounds)) for bounds in ((20, 60), (20, 44), (8, 18), (0, 2))
            )
            shape = np.zeros((64, 80), np.uint8)
            if kind:
                cv2.circle(shape, (x, y), radius, 1, -1)
            else:
                cv2.rectangle(shape, (x - radius, y - radius), (x + radius, y + radius), 1, -1)
            image[shape > 0], ids[shape > 0] = (220, 60, 60) if kind else (60, 60, 220), kind + 1
            for path in (
                boxes / "JPEGImages" / f"{name}.jpg",
                masks / "images" / split / f"{name}.jpg",
            ):
                write_image(path, image)
            write_mask(masks / "masks" / split / f"{name}.png", ids, voc_palette())
            box = Boxes.of(
                [[x - radius, y - radius, x + radius + 1, y + radius + 1]],
                [kind],
                _CLASSES,
                (64, 80),
            )
            (boxes / "Annotations" / f"{name}.xml").write_text(voc_xml(box, f"{name}.jpg"))
        (boxes / "ImageSets" / "Main" / f"{split}.txt").write_text(
            "".join(f"{name}\n" for name in names)
        )


if __name__ == "__main__":
    main()
