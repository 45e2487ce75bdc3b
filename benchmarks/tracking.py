"""How well and how fast objects are followed where every box is known: the ground truth of a MOT
sequence with a share of its boxes dropped and the others moved a little.

    python benchmarks/tracking.py SEQUENCE/gt.txt
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from compare import report

from cvtasks.answers import Boxes
from cvtasks.formats.mot import Tracks, mot_text, parse_mot
from cvtasks.inference.gaps import filled
from cvtasks.inference.tracking import Tracker
from cvtasks.metrics.tracking import track_scores

_THRESHOLD = 0.5
_CLASSES = ("object",)
_SIZE = (1080, 1920)  # of the frames: no box of the sequences is outside


def worsened(truth: Tracks, dropped: float, jitter: float, seed: int) -> list[Boxes]:
    """The boxes of each frame without their numbers; some are dropped, the others moved."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(truth.frames)) >= dropped
    moved = truth.xyxy + rng.normal(0, jitter, truth.xyxy.shape)
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    frames = []
    for frame in range(truth.frames.max() + 1):
        here = kept & (truth.frames == frame)
        frames.append(Boxes.of(moved[here], np.zeros(here.sum()), _CLASSES, _SIZE))
    return frames


def followed(frames: list[Boxes], rate: float, fill: bool) -> Tracks:
    """What is given out: the boxes with the numbers of their objects."""
    tracker = Tracker(_THRESHOLD)
    tracked: Iterator[tuple[int, float, Boxes]] = (
        (number, number / rate, tracker(boxes, number / rate))
        for number, boxes in enumerate(frames)
    )
    if fill:
        answers = list(filled(tracked, _THRESHOLD))
    else:
        answers = [(number, boxes) for number, _, boxes in tracked]
    return parse_mot("".join(mot_text(boxes, number) for number, boxes in answers), "followed")


def cost(objects: int, frames: int = 300, seed: int = 0) -> float:
    """Milliseconds a frame for so many objects that wander, a fifth of them out of sight."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(100, 900, (objects, 2))
    speeds = rng.normal(0, 3, (objects, 2))
    every = []
    for number in range(frames):
        middle = centres + number * speeds + rng.normal(0, 1, (objects, 2))
        seen = rng.random(objects) >= 0.2
        xyxy = np.concatenate([middle - 20, middle + 20], axis=1)[seen]
        every.append(Boxes.of(xyxy, np.zeros(len(xyxy)), _CLASSES, _SIZE))
    tracker = Tracker(_THRESHOLD)
    begun = time.perf_counter()
    for number, boxes in enumerate(every):
        tracker(boxes, number / 30)
    return 1000 * (time.perf_counter() - begun) / frames


def measured(truth: Tracks, frames: list[Boxes], rate: float, fill: bool) -> dict[str, float]:
    """Scores of what is given out, and how many objects there are said to be."""
    found = followed(frames, rate, fill)
    scores = track_scores({"": (found, truth)}).all
    kept = {name: round(scores[name], 3) for name in ("IDF1", "HOTA", "MOTA", "switches")}
    return kept | {"objects": len(np.unique(found.numbers))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path, nargs="+", help="gt.txt of a sequence")
    parser.add_argument("--dropped", type=float, default=0.2, help="share of the boxes")
    parser.add_argument("--jitter", type=float, default=3.0, help="pixels, standard deviation")
    parser.add_argument("--rate", type=float, default=25.0, help="frames a second")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    results: dict[str, dict[str, dict[str, float]]] = {}
    for path in options.truth:
        truth = parse_mot(path.read_text(encoding="utf-8"), str(path))
        name = path.parent.name
        print(f"{name}: {len(truth.frames)} boxes, {len(np.unique(truth.numbers))} objects")
        for seed in range(options.seeds):
            frames = worsened(truth, options.dropped, options.jitter, seed)
            shown = sum(map(len, frames))
            bound = round(2 * shown / (shown + len(truth.frames)), 3)
            row = {"bound": {"IDF1": bound}}
            row |= {
                title: measured(truth, frames, options.rate, fill)
                for title, fill in (("as found", False), ("filled", True))
            }
            results[f"{name}, seed {seed}"] = row
            for title, numbers in row.items():
                words = ", ".join(f"{number} {value}" for number, value in numbers.items())
                print(f"  seed {seed}, {title}: {words}")
    milliseconds = {f"{n} objects": round(cost(n), 2) for n in (10, 30, 100)}
    print(milliseconds)
    target = {"as found": "IDF1 >= 0.97 × bound", "filled": "IDF1 >= 0.95", "30 objects": "<= 1 ms"}
    report("tracking", target, scores=results, milliseconds=milliseconds)


if __name__ == "__main__":
    main()
