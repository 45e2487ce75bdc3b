"""The memory that a training needs: what certainly does not fit is refused, the largest batch that
fits is found, and a back end's way to say that it is full is turned into words.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Recipe

if TYPE_CHECKING:
    import keras

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
_DOUBT = 6.0  # times what is certain that a step may take
_SMALLER = (
    "Try a smaller `train.batch` with `train.accumulate`, a smaller `size`, or "
    '`train.precision = "bf16"`.'
)


def check_memory(network: "keras.Model", recipe: Recipe) -> None:
    """Raise ModelError if one batch does not fit into a CPU's memory: the system would end the
    process there.

    Certain is half of what the layers put out: it is kept for the backward pass but where a layer
    computes in place. Where that leaves a doubt, two small steps are measured, each in a process of
    its own. A GPU says itself, in the first step, what does not fit.

    Args:
        network: the recipe's, for its input size.
    """
    from cvtasks.engines.keras_engine import has_gpu

    free = 0 if has_gpu() else available()
    side = max(recipe.data.multi_scale or (recipe.data.crop or recipe.size,))
    enlarged = side * side / (recipe.input_size[0] * recipe.input_size[1])
    needed = int(recipe.train.batch * enlarged * _put_out(network) / 2)
    doubtful = needed < free < _DOUBT * needed
    if doubtful and (measured := _measured(recipe, _step(recipe, 2))):
        fixed, each = measured
        needed = int(fixed + recipe.train.batch * each)
    if 0 < free < needed:
        raise ModelError(
            f"a batch must fit into memory; the {recipe.train.batch} images of {side} pixels with "
            f"{recipe.backbone} take {needed / 1e9:.1f} GB{'' if doubtful else ' at least'}, and "
            f"{free / 1e9:.1f} GB are free. {_SMALLER}",
            ways={"batch": "auto"},
        )


def check_cache(recipe: Recipe) -> None:
    """Raise ModelError if the decoded images that a recipe keeps certainly do not fit into memory:
    the system would end the process once they are there.
    """
    free, asked = available(), recipe.data.cache_bytes
    if 0 < free < asked:
        raise ModelError(
            f"decoded images are kept in memory; `data.cache` is {asked / 1e9:.1f} GB, and "
            f"{free / 1e9:.1f} GB are free. Make it smaller, or leave it out."
        )


def _put_out(network: "keras.Model") -> int:
    """Bytes of what all layers put out for one image."""
    import keras

    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            total += _put_out(layer)
        else:
            total += sum(
                math.prod(one.shape[1:]) * (2 if "16" in one.dtype else 4)
                for one in keras.tree.flatten(layer.output)
            )
    return total


@contextmanager
def memory_named(recipe: Recipe) -> Iterator[None]:
    """Turn a back end's way to say that memory is full into a ModelError that says what to try."""
    try:
        yield
    except Exception as error:
        said = f"{type(error).__name__}: {error}".lower()
        if any(word in said for word in FULL):
            raise ModelError(
                f"a batch must fit into memory; one of {recipe.train.batch} images of "
                f"{recipe.data.crop or recipe.size} pixels "
                f"with {recipe.backbone} does not. {_SMALLER}",
                ways={"batch": "auto"},
            ) from error
        raise


def fitting_batch(recipe: Recipe, free: int | None = None) -> int:
    """The largest power of two, 64 at most, of which a training step fits into memory; each is
    tried in a process of its own.

    On a CPU two small steps are measured, and the rest is reckoned from them: what is too large
    would get the whole machine into trouble. On a GPU, and where eight are too many, batches are
    tried until one fails. Of several devices, each takes its part.

    Args:
        free: bytes that may be used; what the machine says is free, by default.

    Raises:
        ModelError: not even a batch of one fits; says what to try.
    """
    free = available() if free is None else free
    said = _step(recipe, 2)
    if free and (measured := _measured(recipe, said)):
        fixed, each = measured
        room = int((_SHARE * free - fixed) / each)
        fitting = [size for size in _sizes() if size <= room]
    else:
        fitting = []
        for size in reversed(_sizes()):
            if not (done := _step(recipe, size)):
                break
            said = done
            fitting.insert(0, size)
    if not fitting or not said:
        raise ModelError(
            f"one image of {recipe.size} pixels must fit into memory with {recipe.backbone}; it "
            "does not. Try a smaller `size`, "
            "a smaller backbone, or a machine with more memory."
        )
    return _divided(fitting[0], said)


def _divided(fitting: int, said: Mapping[str, Any]) -> int:
    """The batch of several devices, of which one takes so many images: each GPU has memory of its
    own, and the parts of a CPU have none.

    >>> _divided(32, {"gpu": True, "devices": 8}), _divided(32, {"gpu": False, "devices": 6})
    (64, 30)
    """
    number = said.get("devices", 1)
    most = min(MOST, fitting * number if said["gpu"] else fitting)
    return max(number, most // number * number)


def _measured(recipe: Recipe, two: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Bytes that a training step takes without any image, and for each image, by a step of `two`
    images and one of eight; None on a GPU, and where eight are too many or nobody says.
    """
    eight = _step(recipe, 8) if two and not two["gpu"] and two["peak"] else None
    if not two or not eight:
        return None
    each = max(1.0, (eight["peak"] - two["peak"]) / 6)
    return two["peak"] - 2 * each, each


def _sizes() -> list[int]:
    return [2**power for power in range(MOST.bit_length() - 1, -1, -1)]


def _step(recipe: Recipe, batch: int) -> dict[str, Any] | None:
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
        (
            line
            for line in path.read_text(encoding="ascii", errors="replace").splitlines()
            if line.startswith("MemAvailable")
        ),
        "x 0",
    )
    return 1024 * int(line.split()[1])
