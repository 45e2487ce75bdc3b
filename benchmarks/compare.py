"""What the benchmarks share: contestants that take turns, medians, a table, and one JSON line at
the end.

A speed is always a ratio against a peer in the same run; seconds alone say more about the machine
than about the program.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from cvtasks.media.images import read_image

Times = dict[str, list[float]]
"""Contestant → seconds of each of its calls."""


def interleaved(
    contestants: Mapping[str, Callable[[], object]],
    runs: int,
    block: int = 1,
    clock: Callable[[], float] = time.perf_counter,
    rest: float = 0.0,
) -> Times:
    """Call each contestant `runs` times, in turns of `block` calls, so that a busy machine slows
    all of them alike.

    One call of each goes before and is not counted. `clock=time.process_time` counts the work of
    all threads instead. With a `rest`, in seconds, each turn begins with it and with a call that is
    not counted: threads of another runtime may go on spinning for a while.
    """
    for call in contestants.values():
        call()
    times: Times = {name: [] for name in contestants}
    for begin in range(0, runs, block):
        for name, call in contestants.items():
            if rest:
                time.sleep(rest)
                call()
            for _ in range(begin, min(begin + block, runs)):
                start = clock()
                call()
                times[name].append(clock() - start)
    return times


def medians(times: Times, items: Mapping[str, int] | None = None) -> dict[str, float]:
    """Contestant → median seconds of a call, or of one item where a call of it does `items` of
    them.
    """
    return {
        name: statistics.median(values) / (items or {}).get(name, 1)
        for name, values in times.items()
    }


def print_times(title: str, times: Times, items: Mapping[str, int] | None = None) -> None:
    """Print median, fastest and slowest of each contestant, in milliseconds of a call or of one
    item.
    """
    print(f"{title:<36}  median ms   fastest   slowest")
    for name, median in medians(times, items).items():
        count = (items or {}).get(name, 1)
        low, high = (1000 * bound(times[name]) / count for bound in (min, max))
        print(f"  {name:<34}  {1000 * median:9.3f} {low:9.3f} {high:9.3f}")


def report(benchmark: str, target: Mapping[str, str], **measured: object) -> None:
    """Print the JSON line: what was measured, the target of each number, and the machine."""
    from cvtasks.training.run_folder import machine  # loads Keras: never before the measurement

    print(
        json.dumps(
            {"benchmark": benchmark, **measured, "target": dict(target), "machine": machine()}
        )
    )


def data_folder(*below: str) -> Path:
    """The folder that CVTASKS_DATA names, or one below it; ends the program where it names none."""
    named = os.environ.get("CVTASKS_DATA", "")
    if not named or not Path(named).is_dir():
        raise SystemExit(
            "the data are looked for in the folder that CVTASKS_DATA names; it "
            f"{f'is {named!r}, which is no folder' if named else 'is not set'}. Set it to theirs."
        )
    return Path(named, *below)


def photographs(width: int, height: int, count: int) -> list[np.ndarray]:
    """`count` images (height, width, 3) uint8: those of `$CVTASKS_DATA/photos` in turn, or else
    made ones.
    """
    folder = Path(os.environ.get("CVTASKS_DATA", "")) / "photos"
    found = sorted(folder.iterdir()) if "CVTASKS_DATA" in os.environ and folder.is_dir() else []
    if not found:
        return [made_image(width, height, seed) for seed in range(count)]
    scaled = [
        cv2.resize(read_image(path), (width, height), interpolation=cv2.INTER_AREA)
        for path in found[:count]
    ]
    return [scaled[i % len(scaled)] for i in range(count)]


def made_image(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A smooth random image (height, width, 3) uint8 with about as much detail as a photograph."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (max(1, height // 6), max(1, width // 6), 3), np.uint8
    )
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
