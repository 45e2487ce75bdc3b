"""The tour of wrong inputs: files made to mislead, each with what must happen to it.

`python -m tests.tour` prints the manifest. `python -m tests.tour GROUP FILE` takes one group, case
by case in this one process, and writes what happened as JSON; `test_tour.py` starts it and
compares. Memory is Linux's own account of it.
"""

import gc
import importlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import CVTasksError

GROUPS = ("images", "videos", "annotations", "models", "archives")
ROOM = 8 << 30
"""Bytes of address space; a bomb that gets past every check ends in a MemoryError, not in swap."""
PATIENCE_S = 5.0  # by the clock; who has done next to nothing in it waits for what never comes
ENOUGH_S = 20.0  # of the processor, where no end is in sight

Make = Callable[[Path], Callable[[], object]]
"""Writes files into the folder it is given, and returns the call that reads them."""


@dataclass(frozen=True)
class Case:
    """One wrong input.

    Attributes:
        make: makes it.
        expect: name of the class of the error; empty where the input must be read as if nothing
            were wrong.
        says: a fragment of the error's message, or of what was read as `seen` puts it.
    """

    make: Make
    expect: str = ""
    says: str = ""


class Blocked(BaseException):
    """A reader waits for what never comes, or goes on and on. Not an Exception: no reader may catch
    it.
    """


def cases_of(group: str) -> dict[str, Case]:
    """Name → case; a name begins with its kind and a colon."""
    return importlib.import_module(f"tests.laws.tour_{group}").CASES


def file(
    content: bytes | Callable[[], bytes], read: Callable[[Path], object], name: str = "file"
) -> Make:
    """A file of this content and name, to be read by `read`."""

    def make(folder: Path) -> Callable[[], object]:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content())
        return partial(read, path)

    return make


# === what was read, in words ===

_COLOURS = {
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}


def quarters(height: int = 24, width: int = 40) -> np.ndarray:
    """An image (h, w, 3) uint8 of four colours: red, green, blue, white."""
    names = np.array([["red", "green"], ["blue", "white"]])
    rows, columns = np.arange(height) * 2 // height, np.arange(width) * 2 // width
    return np.array([[_COLOURS[name] for name in row] for row in names], np.uint8)[rows][:, columns]


def seen(result: object) -> str:
    """Say what was read: of an image its size and the colours of its quarters, of boxes their
    classes and edges.
    """
    if isinstance(result, tuple) and result and isinstance(result[0], Boxes):
        return seen(result[0])
    if isinstance(result, Boxes):
        return f"{len(result)} boxes: " + "; ".join(
            f"{name} {', '.join(f'{edge:g}' for edge in edges)}"
            for name, edges in list(zip(result.names, result.xyxy.tolist(), strict=True))[:10]
        )
    if isinstance(result, np.ndarray) and result.ndim == 3:
        height, width = result.shape[:2]
        middles = [
            result[y * height // 4, x * width // 4].astype(int) for y in (1, 3) for x in (1, 3)
        ]
        near = [
            min(_COLOURS, key=lambda name, is_=is_: np.abs(is_ - _COLOURS[name]).sum())
            for is_ in middles
        ]
        return f"{height} x {width}: {' '.join(near)}"
    if isinstance(result, np.ndarray):
        return (
            f"{' x '.join(map(str, result.shape))}: ids "
            f"{' '.join(map(str, np.unique(result).tolist()))}"
        )
    return str(result)


# === one group in one process ===


def happens(case: Case, folder: Path, patience_s: float) -> dict[str, object]:
    """Make one case and read it: what came of it, what was said, seconds of the processor,
    megabytes on top.
    """
    try:
        call = case.make(folder)
    except Exception as error:
        return {"outcome": "not even made", "said": repr(error), "seconds": 0.0, "megabytes": 0.0}
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, begun = _kilobytes("VmRSS"), time.process_time()
    signal.signal(signal.SIGALRM, _watch(begun))
    signal.setitimer(signal.ITIMER_REAL, patience_s, patience_s)
    try:
        outcome, said = "", seen(call())
    except CVTasksError as error:
        outcome, said = type(error).__name__, str(error)
    except (Exception, Blocked) as error:
        outcome, said = f"a foreign {type(error).__name__}", str(error)[:2000]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds, peak = time.process_time() - begun, _kilobytes("VmHWM")
    return {
        "outcome": outcome,
        "said": said,
        "seconds": seconds,
        "megabytes": max(0, peak - before) / 1000,
    }


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def _watch(begun: float) -> Callable[..., None]:
    """What looks, each time the clock strikes, whether there is any progress; a busy machine makes
    good readers slow.
    """
    before = begun

    def look(*_: object) -> None:
        nonlocal before
        now = time.process_time()
        if now - before < 0.02 or now - begun > ENOUGH_S:
            raise Blocked(
                f"no end after {now - begun:.1f} s of the processor, {now - before:.2f} of them "
                "since the last look"
            )
        before = now

    return look


def take(group: str, target: Path) -> None:
    """Take all cases of a group; the first one twice, and as long as it likes, so that what is
    loaded once is not counted.
    """
    import resource  # no Windows has it, and the module is imported there too

    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    cases, results = cases_of(group), {}
    with tempfile.TemporaryDirectory() as home:
        for number, (name, case) in enumerate([next(iter(cases.items())), *cases.items()]):
            folder = Path(home, str(number))
            folder.mkdir()
            results[name] = happens(case, folder, PATIENCE_S if number else 0)
            if not number:
                gc.freeze()  # what was loaded need not be looked through before every case
    target.write_text(json.dumps(results), encoding="utf-8")


def manifest() -> str:
    """Every case, a line each: group, name, what must happen."""
    return "".join(
        f"{group} | {name} | {case.expect or 'is read'} | {case.says}\n"
        for group in GROUPS
        for name, case in cases_of(group).items()
    )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        take(sys.argv[1], Path(sys.argv[2]))
    else:
        sys.stdout.write(manifest())
