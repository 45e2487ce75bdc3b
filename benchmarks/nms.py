"""Non-maximum suppression as the detector does it, from the network's output to `Boxes`, against
NumPy.

    python benchmarks/nms.py [--runs 200]

8,400 cells × 20 classes, as of a 640-pixel detector on Pascal VOC, whose scores leave about 84, 840
or all 168,000 candidates. Wanted: `boxes.nms` at most 2 ms for the candidates it is given (1,000 at
most), and the same boxes as the loop in NumPy.
"""

import argparse
from functools import partial

import numpy as np
from compare import interleaved, medians, print_times, report

from cvtasks.geometry.boxes import areas, clip, intersections, nms
from cvtasks.geometry.letterbox import Letterbox
from cvtasks.heads.dense import Dense
from cvtasks.tasks.detect import Detect

INPUT_SIZE = (640, 640)
CLASSES = tuple(f"class {i}" for i in range(20))
IOU = 0.6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--runs", type=int, default=200, help="calls of each contestant (default: 200)"
    )
    options = parser.parse_args()
    head, letterbox = (
        Dense(Detect(), nms=IOU, max_detections=300),
        Letterbox(INPUT_SIZE, INPUT_SIZE),
    )
    milliseconds, ratio, target = {}, {}, {}
    for candidates in (84, 840, 168_000):
        output = made_output(head, candidates)
        xyxy, scores, labels = best(output, head, letterbox)
        ours, theirs = nms(xyxy, scores, labels, IOU, 300), by_numpy(xyxy, scores, labels)
        if ours.tolist() != theirs.tolist():
            raise SystemExit(f"nms and the loop in NumPy disagree on {candidates} candidates")
        contestants = {
            "boxes.nms": partial(nms, xyxy, scores, labels, IOU, 300),
            "loop in NumPy": partial(by_numpy, xyxy, scores, labels),
            "Dense.decode": partial(head.decode, output, letterbox, CLASSES),
        }
        times = interleaved(contestants, options.runs, block=10)
        title = f"{candidates:,} of 168,000 candidates"
        print_times(title, times)
        each = medians(times)
        milliseconds |= {
            f"{title}: {name}": round(1000 * seconds, 3) for name, seconds in each.items()
        }
        ratio[f"{title}: NumPy / boxes.nms"] = round(each["loop in NumPy"] / each["boxes.nms"], 2)
        target[f"{title}: boxes.nms"] = "<= 2 ms"
    report("nms", target, milliseconds=milliseconds, ratio=ratio)


def made_output(head: Dense, candidates: int) -> np.ndarray:
    """(8400, 24): boxes that overlap in groups, and as many scores above the floor as asked for."""
    rng = np.random.default_rng(candidates)
    output = rng.uniform(0, head.min_score / 2, head.outputs(INPUT_SIZE, CLASSES)).astype(
        np.float32
    )
    output[:, :4] = rng.uniform(1, 6, (len(output), 4))
    flat = output[:, 4:].reshape(-1).copy()
    flat[rng.choice(len(flat), min(candidates, len(flat)), replace=False)] = (
        rng.permutation(min(candidates, len(flat))) + 1
    )
    output[:, 4:] = np.where(flat >= 1, head.min_score + flat / len(flat) * 0.9, flat).reshape(
        len(output), -1
    )
    return output


def best(
    output: np.ndarray, head: Dense, letterbox: Letterbox
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes that suppression is given: xyxy (n, 4), scores and labels (n,)."""
    found = head.decode(output, letterbox, CLASSES)  # for its size only
    everything = Dense(Detect(), nms=1.0, max_detections=1000).decode(output, letterbox, CLASSES)
    xyxy = clip(everything.xyxy, found.size)
    real = areas(xyxy) > 0
    return xyxy[real], everything.scores[real], everything.labels[real]


def by_numpy(xyxy: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The usual greedy loop: take the best, drop what it covers, go on."""
    apart = xyxy + labels[:, None] * np.float32(10_000)
    size, order, kept = areas(xyxy), np.argsort(-scores, kind="stable"), []
    while order.size and len(kept) < 300:
        first, rest = order[0], order[1:]
        kept.append(first)
        shared = intersections(apart[first][None], apart[rest])[0]
        order = rest[shared <= IOU * (size[first] + size[rest] - shared)]
    return np.array(kept, np.int64)


if __name__ == "__main__":
    main()
