"""A video file to an annotated video: how well the stages overlap, what a frame costs outside the
network, and memory.

    python benchmarks/video.py [--model MODEL] [--runs 5] [--frames 300] [--long 2000]

- Decode, infer (letterbox, graph, decode of its output), draw and write (H.264) are measured alone,
  each over the whole clip with every core to itself, and then all of them as the command line runs
  them. Wanted: the whole is at least 0.9 times as fast as the slowest stage alone. Where few cores
  have to do the work of all stages no overlap can reach that: the table also has the limit, the
  processor time of all stages divided by the cores, and how near the whole comes to it.
- The processor time, of all threads, that a frame of 640 × 480 takes where the network answers at
  once: colours, letterbox, decode of a real output, drawing and queues, without decoding the file
  and without encoding. Wanted: at most 3 ms.
- The resident memory of this process near the beginning and at the end of a long run. Wanted:
  within 2 %.

The clip is made of `$CVTASKS_DATA/videos/bikes.mp4`, or of drawn images. Takes about three minutes.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from compare import interleaved, made_image, medians, print_times, report

from cvtasks.answers import Answer
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.media.streams import Stream, video_stream
from cvtasks.media.video_writer import VideoWriter
from cvtasks.model import Model, load
from cvtasks.zoo import default_model

WIDTH, HEIGHT, RATE = 640, 480, Fraction(30000, 1001)
TARGET = {
    "whole / slowest stage alone": ">= 0.9",
    "ms a frame outside the network": "<= 3",
    "growth of memory": "<= 0.02",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default="",
        help="a name of the zoo or a folder (default: the zoo's for detection)",
    )
    parser.add_argument(
        "--runs", type=int, default=5, help="passes of each stage and of the whole (default: 5)"
    )
    parser.add_argument("--frames", type=int, default=300, help="frames of the clip (default: 300)")
    parser.add_argument(
        "--long",
        type=int,
        default=2000,
        help="frames of the run that memory is measured in (default: 2000)",
    )
    options = parser.parse_args()
    model = load(options.model or default_model("detect"), many=True)
    print(
        f"{model.name}, {model.engine.name} {model.engine.precision}, {WIDTH} x {HEIGHT}, "
        f"{os.cpu_count()} cores"
    )
    with tempfile.TemporaryDirectory() as folder:
        images = frames_of_a_clip(options.frames)
        measured = {
            **overlap(model, images, Path(folder), options.runs),
            "ms a frame outside the network": outside(model, images, Path(folder), options.runs),
            "growth of memory": growth(model, images, Path(folder), options.long),
        }
    report(
        "video",
        TARGET,
        model=model.name,
        **{name: round(number, 4) for name, number in measured.items()},
    )


def frames_of_a_clip(count: int) -> list[np.ndarray]:
    """`count` frames (HEIGHT, WIDTH, 3) uint8 RGB that move as in a film."""
    path = Path(os.environ.get("CVTASKS_DATA", "nowhere")) / "videos" / "bikes.mp4"
    if path.is_file():
        found = [
            cv2.resize(frame.image, (WIDTH, HEIGHT)) for frame in video_stream(str(path)).open()
        ]
    else:
        large = made_image(2 * WIDTH, 2 * HEIGHT)
        found = [
            np.ascontiguousarray(large[i : i + HEIGHT, 2 * i : 2 * i + WIDTH]) for i in range(250)
        ]
    return [found[i % len(found)] for i in range(count)]


def overlap(model: Model, images: list[np.ndarray], folder: Path, runs: int) -> dict[str, float]:
    """Each stage alone against all of them together, by frames a second."""
    path, answers = (
        folder / "clip.mp4",
        [answer for _, _, answer in model.predict_many(enumerate(images))],
    )
    write(path, images)
    contestants = {
        "decode alone": lambda: drain(video_stream(str(path)).open()),
        "infer alone": lambda: drain(model.predict_many(enumerate(images))),
        "draw alone": lambda: draw(model, images, answers),
        "write alone": partial(write, folder / "alone.mp4", images),
        "the whole": lambda: drain(run(model, video_stream(str(path)), folder, "image")),
    }
    items = dict.fromkeys(contestants, len(images))
    times = interleaved(contestants, runs)
    print_times("a frame, by the clock", times, items)
    work = interleaved(contestants, runs, clock=time.process_time)
    print_times("a frame, processor time", work, items)
    each = medians(times, items)
    whole = each.pop("the whole")
    slowest = max(each, key=each.__getitem__)
    limit = sum(seconds for name, seconds in medians(work, items).items() if name in each) / (
        os.cpu_count() or 1
    )
    print(
        f"  the whole: {each[slowest] / whole:.2f} × the slowest stage ({slowest}), "
        f"{max(limit, each[slowest]) / whole:.2f} × the limit"
    )
    return {
        "whole / slowest stage alone": each[slowest] / whole,
        "whole / limit of the cores": max(limit, each[slowest]) / whole,
        "frames a second": 1 / whole,
        "ms a frame to encode": 1000 * each["write alone"],
    }


def outside(model: Model, images: list[np.ndarray], folder: Path, runs: int) -> float:
    """Milliseconds of processor time a frame where the network answers at once and nothing is
    encoded.
    """
    few = images[:: max(1, len(images) // 16)]
    outputs = list(
        model.engine.stream(
            model.recipe.letterbox((HEIGHT, WIDTH)).to_input(image) for image in few
        )
    )
    canned = Model(model.name, model.recipe, Canned(outputs))
    stored = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in few]

    def one_pass() -> None:
        stream = Stream("memory", "memory", False, lambda: Memory(stored, len(images)))
        drain(run(canned, stream, folder, show=True))

    times = interleaved({"outside the network": one_pass}, runs, clock=time.process_time)
    print_times("a frame, processor time", times, {"outside the network": len(images)})
    return 1000 * medians(times)["outside the network"] / len(images)


def growth(model: Model, images: list[np.ndarray], folder: Path, count: int) -> float:
    """How much larger the process is at the end of a run than after its first tenth, as a share."""
    stored = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images[:50]]
    sizes = [
        resident()
        for _ in run(
            model, Stream("long", "long", False, lambda: Memory(stored, count)), folder, "image"
        )
    ]
    tenth = max(1, count // 10)
    early, late = (statistics.median(part) for part in (sizes[tenth : 2 * tenth], sizes[-tenth:]))
    print(
        f"memory over {len(sizes)} frames: {early / 2**20:.1f} MiB, then {late / 2**20:.1f} MiB "
        f"({late / early - 1:+.2%})"
    )
    return late / early - 1


def run(model: Model, stream: Stream, folder: Path, *kinds: str, show: bool = False) -> VideoRun:
    """The pipeline as the command line makes it, without records."""
    job = Job(
        model, Sink(folder / "out", model.recipe.task, kinds), kinds, records=False, show=show
    )
    return VideoRun(job, stream, stream.open())


def drain(items: Iterable[object]) -> None:
    """Take all and keep none."""
    deque(items, maxlen=0)


def draw(model: Model, images: list[np.ndarray], answers: list[Answer]) -> None:
    """Draw every answer."""
    for image, answer in zip(images, answers, strict=True):
        model.recipe.task.draw(image, answer)


def write(path: Path, images: list[np.ndarray]) -> None:
    """Encode the frames into a file."""
    writer = VideoWriter(path, RATE)
    for number, image in enumerate(images):
        writer.write(image, number / float(RATE))
    writer.close()


def resident() -> int:
    """Bytes of memory that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Canned:
    """An engine that answers at once, with real outputs in turn."""

    name, precision = "canned", "f32"

    def __init__(self, outputs: list[np.ndarray]) -> None:
        self._outputs = outputs

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """One of the outputs for each input."""
        for number, _ in enumerate(images):
            yield self._outputs[number % len(self._outputs)]


class Memory:
    """Stands for a file that is decoded already: `count` frames, BGR."""

    def __init__(self, images: list[np.ndarray], count: int) -> None:
        self._images, self._count, self._read = images, count, 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame."""
        self._read += 1
        return (
            (True, self._images[self._read % len(self._images)])
            if self._read <= self._count
            else (False, None)
        )

    def grab(self) -> bool:
        """Pass over the next frame."""
        return self.read()[0]

    def get(self, what: int) -> float:
        """Rate and time."""
        return {
            cv2.CAP_PROP_FPS: float(RATE),
            cv2.CAP_PROP_POS_MSEC: 1000 * self._read / float(RATE),
        }.get(what, 0.0)

    def release(self) -> None:
        """Nothing to release."""


if __name__ == "__main__":
    main()
