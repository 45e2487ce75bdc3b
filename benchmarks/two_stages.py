"""From R-CNN to one stage: what each step of detection's history costs and finds, on one trunk.

    python benchmarks/two_stages.py train [--minutes 11] [--size 256] [-o runs/two-stages]
    python benchmarks/two_stages.py ladder [--images 200] [--runs 20] [-o runs/two-stages]

`train`: on the split train of `$CVTASKS_DATA/voc2012`, six classes, each run beginning with the
same ImageNet weights of MobileNet, with seed 1: the heads "dense" and "two-stage", for the same
minutes, and for a quarter of them a classifier of crops, which R-CNN needs. Scored once, after the
last epoch. A run that is there is not trained again; one that was broken off goes on.

`ladder`: all steps on the same images, drawn with seed 0 from the split val, and one table. R-CNN
and Fast R-CNN are given their proposals: a grid of windows, three sizes and three shapes, and those
that the first stage of Faster R-CNN makes, without its time. R-CNN classifies a crop of each; it
has no regression of boxes. Fast R-CNN is the second stage of Faster R-CNN. Times are of one image,
from the network's input in memory to boxes, by Keras in float32, all in turns; only their ratios
count.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import keras
import numpy as np
from compare import data_folder, interleaved, medians, report
from PIL import Image

from cvtasks.answers import Boxes
from cvtasks.data import Source
from cvtasks.engines.keras_engine import load_network
from cvtasks.evaluation.of_model import evaluation_data
from cvtasks.geometry.boxes import areas, clip, iou
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.suppression import thinned
from cvtasks.networks.build import activated
from cvtasks.networks.two_stage import activated_rois
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS

CLASSES = ("person", "cat", "cow", "dog", "horse", "sheep")
BACKGROUND = "background"
CROP = 96  # pixels, each way, of what R-CNN's classifier sees
CONTEXT = 224 / (224 - 2 * 16)  # of a crop's side, in its box's (Girshick et al., appendix A)
WINDOWS, SHAPES = (0.25, 0.5, 0.9), (0.5, 1.0, 2.0)  # sides, in the image's, and heights in widths
_DATA, _TRUNK = "voc2012/VOCdevkit/VOC2012", "mobilenet_v1_100_224_trunk_conv1_to_conv_pw_12.npz"
_MOST = {"person": 3000, BACKGROUND: 4000}  # crops of a class, at most; 2000 of the others
_SCORES = ("VOC2012 area AP@0.5", "COCO AP")

Step = Callable[[np.ndarray, Letterbox, np.ndarray], Boxes]
"""Network input (H, W, 3), where the image lies on it, and proposals given (n, 4) in its pixels →
what is found.
"""


def main() -> None:
    """Train what is missing, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("train", "ladder"))
    parser.add_argument("--minutes", type=float, default=11, help="of a detector (default: 11)")
    parser.add_argument("--size", type=int, default=256, help="of the images (default: 256)")
    parser.add_argument("--images", type=int, default=200, help="to measure on (default: 200)")
    parser.add_argument("--runs", type=int, default=20, help="calls of each step (default: 20)")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/two-stages"))
    options = parser.parse_args()
    if options.what == "train":
        for name in ("dense", "two-stage"):
            trained(options.output / name, options.minutes, detector(name, options.size))
        write_crops(options.output / "crops")
        trained(options.output / "classifier", options.minutes / 4, classifier(options.output))
    else:
        ladder(options.output, options.images, options.runs)


# === training ===


def detector(name: str, size: int) -> list[str]:
    """The options of a detector's run."""
    change = ["head.name=" + name, "train.batch=16", "data.mosaic=0"]
    data = ["detect", "--data", f"{given() / _DATA}:train", "--classes", ",".join(CLASSES)]
    return [*data, "--size", str(size), *[part for one in change for part in ("--set", one)]]


def classifier(place: Path) -> list[str]:
    """The options of the run of R-CNN's classifier."""
    change = ["data.held_out=0.05", "train.batch=32"]
    data = ["classify", "--data", str(place / "crops"), "--size", str(CROP)]
    return [*data, *[part for one in change for part in ("--set", one)]]


def trained(folder: Path, minutes: float, options: Sequence[str]) -> None:
    """Train a run, or what is left of it."""
    if (folder / "README.md").exists():
        return
    command = [sys.executable, "-m", "cvtasks", "train"]
    if folder.exists():
        command += ["--resume", str(folder)]
    else:
        command += [*options, "--minutes", str(minutes), "-o", str(folder)]
        command += ["--backbone", "mobilenet-12", "--weights", str(given() / "weights" / _TRUNK)]
        command += ["--set", "train.seed=1", "--set", "train.validate_every=1000"]
    subprocess.run(command, check=True)


def write_crops(folder: Path) -> None:
    """Write what R-CNN's classifier learns from, a folder a class: around each object two boxes
    that are its own by IoU, and of each image three that are nobody's.
    """
    if folder.exists():
        return
    rng = np.random.default_rng(0)
    source = opened("train")
    counts: dict[str, int] = {}
    for index in rng.permutation(len(source)).tolist():
        sample = source[index]
        for name, box in crops_of(sample.truth, rng):
            if counts.get(name, 0) >= _MOST.get(name, 2000):
                continue
            counts[name] = counts.get(name, 0) + 1
            path = folder / name / f"{counts[name]:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(cut(sample.image, box[None])[0]).save(path, quality=92)
    print(f"crops: {counts}", flush=True)


def crops_of(truth: Boxes, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Classes and boxes (4,) to learn from."""
    for name, box, counted in zip(truth.names, truth.xyxy, truth.counted, strict=True):
        sides = np.tile(box[2:] - box[:2], 2)
        near = clip(box + rng.uniform(-0.2, 0.2, (20, 4)) * sides, truth.size)
        its = near[iou(near, box[None])[:, 0] >= 0.6][:2] if counted else near[:0]
        yield from ((name, one) for one in its)
    height, width = truth.size
    low = rng.random((40, 2)) * (0.8 * width, 0.8 * height)
    high = low + rng.uniform(0.15, 1, (40, 2)) * (width, height)
    any_ = clip(np.concatenate([low, high], axis=1), truth.size)
    nobodys = any_[(iou(any_, truth.xyxy) < 0.3).all(axis=1)] if len(truth) else any_
    yield from ((BACKGROUND, one) for one in nobodys[:3])


def cut(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(n, CROP, CROP, 3) uint8: what is in the boxes and a little around, warped to squares as
    R-CNN has it.
    """
    middle, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) * CONTEXT
    scale = np.maximum(side, 2) / CROP
    low = middle - scale * CROP / 2
    maps = [np.array([[x, 0, a], [0, y, b]]) for (x, y), (a, b) in zip(scale, low, strict=True)]
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.stack(
        [
            cv2.warpAffine(image, one, (CROP, CROP), flags=how, borderValue=(114,) * 3)
            for one in maps
        ]
    )


# === data ===


def given() -> Path:
    """Where the data are."""
    return data_folder()


def opened(split: str) -> Source:
    """A split of VOC, with the six classes."""
    recipe = parse_recipe(
        {
            "task": {"name": "detect"},
            "backbone": "mobilenet-12",
            "size": 256,
            "classes": list(CLASSES),
        }
    )
    return evaluation_data(recipe, Path(), f"{given() / _DATA}:{split}").source


def grid(size: tuple[int, int]) -> np.ndarray:
    """(n, 4) windows on a network input: of three sizes and three shapes, half overlapping."""
    found = []
    for side in WINDOWS:
        for shape in SHAPES:
            height, width = (min(side * s, 1.0) for s in (shape**0.5, shape**-0.5))
            rows, columns = (
                np.linspace(0, 1 - one, int(np.ceil(2 / one)) - 1) for one in (height, width)
            )
            y, x = (one.ravel() for one in np.meshgrid(rows, columns, indexing="ij"))
            found.append(np.stack([x, y, x + width, y + height], axis=1))
    return (np.concatenate(found) * (size[::-1] * 2)).astype(np.float32)


# === steps ===


@dataclass(frozen=True)
class Steps:
    """The networks, and what each step does with an image."""

    place: Path

    @cached_property
    def recipe(self) -> Recipe:
        """Of the detector of two stages."""
        return read_recipe(self.place / "two-stage" / RECIPE)

    @cached_property
    def two_stage(self) -> keras.Model:
        """Faster R-CNN."""
        return self._network("two-stage")

    @cached_property
    def dense(self) -> keras.Model:
        """The detector of one stage, with its activation."""
        return activated(self._network("dense"), self._recipe("dense").head)

    @cached_property
    def classifier(self) -> keras.Model:
        """R-CNN's."""
        return activated(self._network("classifier"), self._recipe("classifier").head)

    @cached_property
    def fast(self) -> keras.Model:
        """Image and proposals, as many as are given → the second stage's output."""
        network = self.two_stage
        trunk = keras.Model(network.input, network.get_layer("align").input[0])
        image, boxes = keras.Input((*self.recipe.input_size, 3)), keras.Input((None, 4))
        x = network.get_layer("align")([trunk(image), boxes])
        for name in ("flat", "dense1", "dense1_norm", "dense2", "dense2_norm"):
            x = network.get_layer(name)(x)
        rois = keras.ops.concatenate(
            [network.get_layer("offsets")(x), network.get_layer("scores")(x)], axis=-1
        )
        return keras.Model([image, boxes], activated_rois({"proposals": boxes, "rois": rois}))

    @cached_property
    def faster(self) -> keras.Model:
        """The whole, with its activation."""
        return activated(self.two_stage, self.recipe.head)

    @cached_property
    def first(self) -> keras.Model:
        """Image → the first stage's proposals."""
        return keras.Model(self.two_stage.input, self.two_stage.output["proposals"])

    def r_cnn(self, image: np.ndarray, box: Letterbox, proposals: np.ndarray) -> Boxes:
        """A crop of each proposal through the classifier."""
        shares = self.classifier.predict_on_batch(cut(image, proposals))
        columns = [self._recipe("classifier").classes.index(name) for name in CLASSES]
        shares = np.asarray(shares)[:, columns]
        row, label = np.nonzero(shares >= self.recipe.head.min_score)
        return thinned(
            proposals[row],
            label,
            shares[row, label],
            box,
            CLASSES,
            overlap=self.recipe.head.nms,
            most=self.recipe.head.max_detections,
        )

    def fast_r_cnn(self, image: np.ndarray, box: Letterbox, proposals: np.ndarray) -> Boxes:
        """One pass of the trunk, then the second stage at each proposal."""
        rois = np.asarray(self.fast.predict_on_batch([image[None], proposals[None]]))[0]
        return self.recipe.head.decode({"rois": rois}, box, CLASSES)

    def faster_r_cnn(self, image: np.ndarray, box: Letterbox, proposals: np.ndarray) -> Boxes:
        """Proposals of its own."""
        rois = np.asarray(self.faster.predict_on_batch(image[None])["rois"])[0]
        return self.recipe.head.decode({"rois": rois}, box, CLASSES)

    def one_stage(self, image: np.ndarray, box: Letterbox, proposals: np.ndarray) -> Boxes:
        """No proposals at all."""
        output = np.asarray(self.dense.predict_on_batch(image[None]))[0]
        return self._recipe("dense").head.decode(output, box, CLASSES)

    def _recipe(self, name: str) -> Recipe:
        return read_recipe(self.place / name / RECIPE)

    def _network(self, name: str) -> keras.Model:
        return load_network(self.place / name / WEIGHTS, self._recipe(name))


def ladder(place: Path, images: int, runs: int) -> None:
    """Measure every step."""
    steps, source = Steps(place), opened("val")
    chosen = np.sort(np.random.default_rng(0).permutation(len(source))[:images]).tolist()
    size = steps.recipe.input_size
    samples = [source[index] for index in chosen]
    boxes = [steps.recipe.letterbox(sample.image.shape[:2]) for sample in samples]
    inputs = [box.to_input(sample.image) for sample, box in zip(samples, boxes, strict=True)]
    proposals = {
        "a grid": [grid(size)] * len(samples),
        "Faster R-CNN's": [
            np.asarray(steps.first.predict_on_batch(one[None]))[0] for one in inputs
        ],
    }
    rows: dict[str, tuple[Step, str]] = {
        "R-CNN, a grid": (steps.r_cnn, "a grid"),
        "R-CNN, Faster R-CNN's": (steps.r_cnn, "Faster R-CNN's"),
        "Fast R-CNN, a grid": (steps.fast_r_cnn, "a grid"),
        "Fast R-CNN, Faster R-CNN's": (steps.fast_r_cnn, "Faster R-CNN's"),
        "Faster R-CNN, its own": (steps.faster_r_cnn, "Faster R-CNN's"),
        "one stage, none": (steps.one_stage, "a grid"),
    }
    scores: dict[str, dict[str, float]] = {}
    for name, (step, kind) in rows.items():
        metric = steps.recipe.task.metric(CLASSES)
        for sample, image, box, its in zip(samples, inputs, boxes, proposals[kind], strict=True):
            metric.add(sample.truth, step(image, box, its))
        scores[name] = {key: round(metric.result()[key], 4) for key in _SCORES}
    times = interleaved(
        {
            name: lambda step=step, kind=kind: step(inputs[0], boxes[0], proposals[kind][0])
            for name, (step, kind) in rows.items()
        },
        runs,
    )
    each = {name: 1000 * value for name, value in medians(times).items()}
    found = {
        kind: round(recall([sample.truth for sample in samples], boxes, its), 4)
        for kind, its in proposals.items()
    }
    table(rows, proposals, each, scores)
    report(
        "two_stages",
        {"AP@0.5": "Faster R-CNN within 3 points of one stage"},
        images=len(samples),
        milliseconds={name: round(value, 1) for name, value in each.items()},
        scores=scores,
        recall_of_proposals=found,
    )


def table(
    rows: dict[str, tuple[Step, str]],
    proposals: dict[str, list[np.ndarray]],
    each: dict[str, float],
    scores: dict[str, dict[str, float]],
) -> None:
    """Print what was measured, a row a step."""
    slowest = max(each.values())
    print(f"| step | proposals | ms an image | times as fast | {' | '.join(_SCORES)} |")
    print("|---|---|---|---|---|---|")
    for name, (_, kind) in rows.items():
        step, _, whose = name.partition(", ")
        count = "none" if whose == "none" else f"{len(proposals[kind][0])}, {whose}"
        numbers = " | ".join(f"{scores[name][key]:.3f}" for key in _SCORES)
        print(f"| {step} | {count} | {each[name]:.1f} | {slowest / each[name]:.1f} | {numbers} |")


def recall(truths: list[Boxes], boxes: list[Letterbox], proposals: list[np.ndarray]) -> float:
    """The share of the objects that a proposal overlaps by half."""
    found = []
    for truth, box, its in zip(truths, boxes, proposals, strict=True):
        placed = box.boxes_to_input(truth.xyxy[truth.counted])
        placed = placed[areas(placed) > 0]
        found += (iou(placed, its).max(axis=1, initial=0) >= 0.5).tolist()
    return float(np.mean(found))


if __name__ == "__main__":
    main()
