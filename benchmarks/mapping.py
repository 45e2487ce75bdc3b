"""`cvtasks map` by several workers, of which some are killed, against one process, and against
`cvtasks classify`.

    python benchmarks/mapping.py [--images 20000] [--piece 500] [--kills 2] [--ray]

Draws small images with a seed. Maps them in one process; then by two processes, of which one is
killed again and again; compares the shards byte for byte; and lets `cvtasks classify --save json`
write the records of the same images. With `--ray`, which needs ray, two workers of a Ray cluster of
this machine do the same. The start of each command is measured on one image and taken off. The
model is small, so that what is measured is cvtasks and not the network: 20,000 images take a few
minutes on two cores.
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

MODEL = "classify-lenet-mnist"
SIDE = 28


def main() -> None:
    """Map, kill, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--piece", type=int, default=500)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--ray", action="store_true", help="a Ray cluster of this machine as well")
    options = parser.parse_args()
    task = options.model.split("-")[0]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        draw(root / "images", options.images)
        draw(root / "few", 1)

        def mapped(data: str, out: str, *more: str, kills: int = 0) -> float:
            words = ("map", options.model, root / data, "-o", root / out)
            return seconds(root / out, kills, *words, "--piece", options.piece, *more)

        def asked(data: str, out: str) -> float:
            words = (task, root / data, "-m", options.model, "-o", root / out, "--save", "json")
            return seconds(root / out, 0, *words)

        two = ("--workers", "2")
        ways = {"2 processes": two}
        if options.ray:
            ways["2 on ray"] = ("--ray", "local", *two)
        times = {
            task: asked("images", "d") - asked("few", "d1"),
            "map": mapped("images", "m") - mapped("few", "m1"),
        }
        killed, same = {}, {}
        for way, words in ways.items():
            out = way.replace(" ", "-")
            alone = mapped("few", f"{out}-few", *words)
            times[f"map, {way}"] = mapped("images", out, *words) - alone
            killed[way] = mapped("images", f"{out}-killed", *words, kills=options.kills)
            for one in (out, f"{out}-killed"):
                same[one] = shards(root / "m") == shards(root / one)
                print(
                    f"{one}: shards {'equal' if same[one] else 'DIFFER FROM'} those of one process"
                )
        ids = [json.loads(line)["id"] for text in shards(root / one).values() for line in text]
        print(f"{len(ids)} records, {len(set(ids))} ids, {options.images} images")
        speeds = {name: options.images / time_s for name, time_s in times.items()}
        for name, speed in speeds.items():
            print(f"{name:16} {speed:8.1f} images/s  {speed / speeds[task]:.2f} of {task}")
        for way, time_s in killed.items():
            print(f"{way}, {options.kills} kills: {time_s:.0f} s, the start among them")
        targets = {name: f"0.9 of {task}" for name in times if name != task}
        ratios = {name: speeds[name] / speeds[task] for name in targets}
        report("mapping", targets, equal=same, **{f"of {task}": ratios, "images/s": speeds})


def draw(folder: Path, number: int) -> None:
    """Small images of blurred noise."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(number):
        noise = rng.integers(0, 256, (7, 7), np.uint8)
        image = cv2.resize(noise, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{index:06d}.png"), image)


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
