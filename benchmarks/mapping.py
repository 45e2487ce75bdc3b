"""`cvtasks map` on a Ray cluster of this machine whose workers are killed, against one process, and
against `cvtasks detect`.

    python benchmarks/mapping.py [--images 20000] [--piece 500] [--kills 2]

Draws small JPEG images with a seed. Maps them in one process; then by two workers, of which one is
killed again and again; compares the shards byte for byte; and lets `cvtasks detect --save json`
write the records of the same images. The start of each command is measured on one image and taken
off. With 20,000 images it takes about an hour on two cores.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from compare import report

MODEL = "detect-yolox-nano-voc"
LEAST = ("--threshold", "0.01")
"""So that there are boxes in images of noise, by which records differ."""


def main() -> None:
    """Map, kill, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--piece", type=int, default=500)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--model", default=MODEL)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        draw(root / "images", options.images)
        draw(root / "few", 1)

        def mapped(data: str, out: str, *more: str, kills: int = 0) -> float:
            words = ("map", options.model, root / data, "-o", root / out)
            return seconds(root / out, kills, *words, *LEAST, "--piece", options.piece, *more)

        def detected(data: str, out: str) -> float:
            words = ("detect", root / data, "-m", options.model, "-o", root / out)
            return seconds(root / out, 0, *words, *LEAST, "--save", "json")

        ray = ("--ray", "local", "--workers", "2")
        times = {
            "detect": detected("images", "d") - detected("few", "d1"),
            "map": mapped("images", "m") - mapped("few", "m1"),
            "map, 2 workers": mapped("images", "r", *ray) - mapped("few", "r1", *ray),
        }
        killed = mapped("images", "k", *ray, kills=options.kills)
        for one in ("r", "k"):
            same = shards(root / "m") == shards(root / one)
            print(f"shards of {one} {'equal' if same else 'DIFFER FROM'} those of one process")
        ids = [json.loads(line)["id"] for text in shards(root / "k").values() for line in text]
        print(f"{len(ids)} records, {len(set(ids))} ids, {options.images} images")
        speeds = {name: options.images / time_s for name, time_s in times.items()}
        for name, speed in speeds.items():
            print(f"{name:16} {speed:8.1f} images/s  {speed / speeds['detect']:.2f} of detect")
        print(f"with {options.kills} kills it took {killed:.0f} s, its start among them")
        targets = {"map": "0.9 of detect", "map, 2 workers": "0.9 of detect"}
        ratios = {name: speeds[name] / speeds["detect"] for name in targets}
        report("mapping", targets, **{"of detect": ratios, "images/s": speeds})


def draw(folder: Path, number: int) -> None:
    """Small images of blurred noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(number):
        noise = rng.integers(0, 256, (8, 8, 3), np.uint8)
        image = cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index:06d}.jpg"), image)


def seconds(out: Path, kills: int, *words: object) -> float:
    """How long a command takes, of which workers are killed meanwhile."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "cvtasks", *map(str, words)]
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(command, stdout=said, stderr=said) as process:
            while kills and process.poll() is None:
                time.sleep(0.5)
                kills -= kill_one(out)
                time.sleep(2)
            code = process.wait()
        if code or kills > 0:
            said.seek(0)
            sys.exit(f"exit code {code}, {kills} kills left:\n{said.read()[-2000:]}")
    return time.perf_counter() - begun


def kill_one(out: Path) -> bool:
    """Kill a worker that writes into a folder; whether there was one."""
    for part in out.glob(".cvtasks-*.part") if out.is_dir() else ():
        named = re.fullmatch(r"\.cvtasks-[0-9a-f]{8}-(\d+)-\d+\.part", part.name)
        if named and part.is_dir():
            os.kill(int(named[1]), signal.SIGKILL)
            print(f"killed worker {named[1]}", file=sys.stderr)
            return True
    return False


def shards(folder: Path) -> dict[str, list[str]]:
    """File → its lines."""
    return {path.name: path.read_text().splitlines() for path in sorted(folder.glob("*-*.jsonl"))}


if __name__ == "__main__":
    main()
