"""What a training needs of its machine, found out before it begins: a device, and memory for one
batch.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Recipe

FULL = (
    "resource_exhausted",
    "resourceexhausted",
    "out of memory",
    "oom when allocating",
    "unable to allocate",
    "memoryerror",
)
"""What back ends say, in small letters, when memory is full."""
MOST = 64
"""The largest batch that is chosen: larger ones learn differently, and rarely faster."""

_SHARE = 0.7  # of the memory that is free


def fitting_batch(recipe: Recipe, free: int | None = None) -> int:
    """The largest power of two, 64 at most, of which a training step fits into memory; each is
    tried in a process of its own.

    On a CPU two small steps are measured, and the rest is reckoned from them: what is too large
    would get the whole machine into trouble. On a GPU, and where eight are too many, batches are
    tried until one fails.

    Args:
        free: bytes that may be used; what the machine says is free, by default.

    Raises:
        ModelError: not even a batch of one fits; says what to try.
    """
    free = available() if free is None else free
    first = _step(recipe, 2)
    second = _step(recipe, 8) if first and not first["gpu"] and first["peak"] and free else None
    if first and second:
        each = max(1.0, (second["peak"] - first["peak"]) / 6)
        room = int((_SHARE * free - (first["peak"] - 2 * each)) / each)
        fitting = [size for size in _sizes() if size <= room]
    else:
        fitting = []
        for size in reversed(_sizes()):
            if not _step(recipe, size):
                break
            fitting.insert(0, size)
    if not fitting:
        raise ModelError(
            f"one image of {recipe.size} pixels must fit into memory with {recipe.backbone}; it "
            "does not. Try a smaller `size`, "
            "a smaller backbone, or a machine with more memory."
        )
    return fitting[0]


def _sizes() -> list[int]:
    return [2**power for power in range(MOST.bit_length() - 1, -1, -1)]


def _step(recipe: Recipe, batch: int) -> dict | None:
    """Do one training step in another process; None if memory was not enough."""
    home = str(Path(__file__).parents[1])  # where a checkout runs that is not installed, too
    found = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as place:
        path, result = Path(place) / "recipe.toml", Path(place) / "result.json"
        replace(recipe, files={}).save(path)
        done = subprocess.run(
            [
                sys.executable,
                "-P",
                "-m",
                "cvtasks.training.memory_probe",
                str(path),
                str(batch),
                str(result),
            ],
            env={**os.environ, "PYTHONPATH": found},
            capture_output=True,
            check=False,
            text=True,
            errors="replace",
        )
        said = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else None
    if done.returncode < 0 or any(word in done.stderr.lower() for word in FULL):
        return None
    if done.returncode:
        raise ModelError(
            "a training step must work before its batch can be chosen; it ended with: "
            f"{done.stderr.strip()[-300:]}"
        )
    return said


def available() -> int:
    """Bytes of memory that are free, as Linux says; 0 where nobody says."""
    path = Path("/proc/meminfo")
    if not path.is_file():
        return 0
    line = next(
        (line for line in path.read_text().splitlines() if line.startswith("MemAvailable")), "x 0"
    )
    return 1024 * int(line.split()[1])
