"""StarDist (Schmidt et al., 2018) on the nuclei that `instances-cspdarknet-nano-nuclei` learned.

    python benchmarks/peer_nuclei.py [--minutes 30] [--data NUCLEI] [-o runs/peer-nuclei]

StarDist (BSD) is installed from PyPI into an environment of its own in OUT/env, with TensorFlow,
and trained there from random weights by its own recipe for colour images: 32 rays, a grid of 2,
patches of 256 px in batches of 4, turned, mirrored and varied in brightness as its example does.
Its steps are those that fit into the minutes, measured first; the rate falls in the last two
fifths. A tenth of the training images, drawn by a seed, is set aside, and the thresholds are chosen
there by StarDist itself. What it finds on the split val is scored by `cvtasks evaluate
--predictions`, twice: with the threshold that it chose, and down to a probability of 0.05, as an
average precision wants. The model of ours is scored on the same images. What is there is not made
again.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from compare import data_folder, report

from cvtasks.answers import Instances
from cvtasks.data import open_source
from cvtasks.files.writing import write_text
from cvtasks.geometry.rle import encode_rle

PROGRAM = ("stardist==0.9.2", "tensorflow==2.21.0", "tf_keras==2.21.0")
OURS = "instances-cspdarknet-nano-nuclei"
SCORES = ("COCO segm AP", "COCO segm AP50", "COCO segm AP75", "VOC AP^r@0.5", "VOC AP^r@0.7")
LEAST = 0.05  # the probability down to which objects count for an average precision

_TRAINER = """
import json, sys, time
from pathlib import Path
import numpy as np
import tensorflow as tf
from csbdeep.utils import normalize
from stardist.models import Config2D, StarDist2D

place, minutes, least = Path(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
STEPS, RATE, PATCH = 50, 3e-4, 256

def read(split):
    return [(file.stem, np.load(file)) for file in sorted((place / split).glob("*.npz"))]

def scaled(image):
    return normalize(image.astype(np.float32), 1, 99.8, axis=(0, 1, 2))

def filled(array):  # a patch must fit; what is added holds no object
    return np.pad(array, [(0, max(0, PATCH - side)) for side in array.shape[:2]]
                  + [(0, 0)] * (array.ndim - 2))

rng = np.random.default_rng(0)

def varied(x, y):
    turns = rng.integers(4)
    x, y = np.rot90(x, turns), np.rot90(y, turns)
    if rng.random() < 0.5:
        x, y = x[:, ::-1], y[:, ::-1]
    x = x * rng.uniform(0.6, 2) + rng.uniform(-0.2, 0.2)
    return x + 0.02 * rng.uniform(0, 1) * rng.normal(0, 1, x.shape), y

def learned(name, epochs):
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(0)
    net = StarDist2D(Config2D(
        n_rays=32, grid=(2, 2), n_channel_in=3, use_gpu=False, train_patch_size=(PATCH, PATCH),
        train_batch_size=4, train_epochs=epochs, train_steps_per_epoch=STEPS,
        train_learning_rate=RATE, train_reduce_lr=None, train_tensorboard=False,
    ), name=name, basedir=str(place / "models"))
    net.prepare_for_training()
    late = int(0.6 * epochs)
    def rate(epoch, _):
        return RATE if epoch < late else RATE * 0.02 ** ((epoch - late) / max(1, epochs - late))
    net.callbacks.append(tf.keras.callbacks.LearningRateScheduler(rate))
    begun = time.monotonic()
    net.train(*learn, validation_data=look, augmenter=varied)
    return net, time.monotonic() - begun

train = read("train")
aside = set(np.random.default_rng(0).permutation(len(train))[: len(train) // 10].tolist())
parts = ([], []), ([], [])
for index, (_, arrays) in enumerate(train):
    x, y = parts[index in aside]
    x.append(scaled(filled(arrays["image"])))
    y.append(filled(arrays["ids"]).astype(np.int32))
learn, look = parts

done = place / "trained.json"
if not done.exists():
    one, three = (learned("probe", epochs)[1] for epochs in (1, 3))
    epoch = (three - one) / 2
    epochs = max(1, int((minutes * 60 - (one - epoch)) / epoch))
    net, seconds = learned("run", epochs)
    done.write_text(json.dumps({
        "steps": epochs * STEPS, "minutes": seconds / 60, **net.optimize_thresholds(*look)
    }))
facts = json.loads(done.read_text())
net = StarDist2D(None, name="run", basedir=str(place / "models"))
for name, threshold in (("chosen", facts["prob"]), ("least", least)):
    out, times = place / name, []
    out.mkdir(exist_ok=True)
    for stem, arrays in read("val"):
        begun = time.monotonic()
        ids, found = net.predict_instances(
            scaled(arrays["image"]), prob_thresh=threshold, nms_thresh=facts["nms"])
        times.append(time.monotonic() - begun)
        np.savez_compressed(out / f"{stem}.npz", ids=ids, scores=found["prob"])
    facts[name + "_ms"] = 1000 * float(np.median(times))
(place / "facts.json").write_text(json.dumps(facts))
"""


def main() -> None:
    """Install, hand over the images, train, score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--data", default="", help="nuclei (default: in $CVTASKS_DATA)")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/peer-nuclei"))
    options = parser.parse_args()
    out = options.output.absolute()
    given = options.data or str(data_folder("nuclei"))
    python = installed(out / "env")
    for split in ("train", "val"):
        hand_over(given, split, out / split)
    facts = trained(python, out, options.minutes)
    print(f"StarDist: {facts['steps']} steps in {facts['minutes']:.1f} minutes")
    found = {
        "stardist, its threshold": scored(given, predictions(out, "chosen", given)),
        f"stardist, from {LEAST}": scored(given, predictions(out, "least", given)),
        OURS: scored(given, None),
    }
    print("| | " + " | ".join(SCORES) + " |")
    for name, metrics in found.items():
        print(f"| {name} | " + " | ".join(f"{metrics[score]:.3f}" for score in SCORES) + " |")
    report("peer_nuclei", {}, facts=facts, metrics=found)


def installed(folder: Path) -> Path:
    """The Python of an environment in which StarDist is."""
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PROGRAM], check=True)
        write_text(folder / "done", "")
    return python


def hand_over(given: str, split: str, folder: Path) -> None:
    """Write the images of a split, and which object each pixel is of, as StarDist wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    source = open_source(given, split, Instances)
    for index, name in enumerate(source.names):
        file = folder / f"{Path(name).stem}.npz"
        if file.exists():
            continue
        sample = source[index]
        ids = np.zeros(sample.image.shape[:2], np.uint16)
        for number in range(len(sample.truth)):
            ids[sample.truth.plane(number)] = number + 1
        np.savez_compressed(file, image=sample.image, ids=ids)


def trained(python: Path, out: Path, minutes: float) -> dict[str, float]:
    """What the training came to; it is done where it was not."""
    kept = out / "facts.json"
    if not kept.exists():
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1"}
        with (out / "training.log").open("w", encoding="utf-8") as log:
            command = [str(python), "-c", _TRAINER, str(out), str(minutes), str(LEAST)]
            subprocess.run(command, check=True, env=environment, stdout=log, stderr=log)
    facts: dict[str, float] = json.loads(kept.read_text(encoding="utf-8"))
    return facts


def predictions(out: Path, name: str, given: str) -> Path:
    """What StarDist found, as COCO's results."""
    file = out / f"{name}.json"
    data = json.loads(Path(given, "val.json").read_text(encoding="utf-8"))
    rows = []
    for image in data["images"]:
        with np.load(out / name / f"{Path(image['file_name']).stem}.npz") as found:
            ids, scores = found["ids"], found["scores"].tolist()
        for number, score in enumerate(scores, start=1):
            mask = ids == number
            if mask.any():  # what surer objects cover wholly is gone
                rows.append(
                    {
                        "image_id": image["id"],
                        "category_id": data["categories"][0]["id"],
                        "segmentation": encode_rle(mask),
                        "score": score,
                    }
                )
    write_text(file, json.dumps(rows))
    return file


def scored(given: str, found: Path | None) -> dict[str, float]:
    """The scores of predictions; of our model, where there are none."""
    command = [sys.executable, "-m", "cvtasks", "evaluate", OURS, "--json"]
    command += ["--data", f"{given}:val", *(["--predictions", str(found)] if found else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    metrics: dict[str, float] = json.loads(done.stdout)["metrics"]
    return metrics


if __name__ == "__main__":
    main()
