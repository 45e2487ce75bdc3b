"""What a run keeps in its folder: lock, log and history."""

import csv
import io
import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras

from cvtasks.data.run_facts import CHOSEN, FACTS, fingerprints
from cvtasks.engines.table import engine_packages, package_version
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.files.writing import cannot_write, write_text
from cvtasks.media.opencv import opencv_packages
from cvtasks.text import dumps
from cvtasks.training.layout import CHECKPOINTS
from cvtasks.training.progress import Epoch, Progress, Report

_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_FLAGS = ("KERAS_", "TF_", "XLA_", "JAX_", "CUDA_")


def machine() -> str:
    """The machine and the versions that decide about results, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    names = dict.fromkeys(("keras", keras.config.backend(), *engine_packages()))
    packages = ", ".join(f"{name} {package_version(name)}" for name in names)
    return (
        f"{platform.machine()}, {cores} cores, {platform.system()}, Python "
        f"{platform.python_version()}, {packages}"
    )


def write_facts(
    folder: Path, command: str, seed: int, data: Mapping[str, str], chosen: Iterable[str]
) -> None:
    """Write `run.json`: all that decides about a run's bits beside its recipe.

    Args:
        data: split → its fingerprint.
        chosen: keys of the recipe that were chosen, and are to fit its minutes.
    """
    packages = dict.fromkeys(
        (
            "cvtasks",
            "keras",
            keras.config.backend(),
            "numpy",
            *opencv_packages(),
            "albumentations",
            *engine_packages(),
        )
    )
    facts = {
        "command": command,
        "seed": seed,
        "machine": machine(),
        "versions": {name: package_version(name) for name in packages},
        "devices": keras.distribution.list_devices() or ["cpu"],
        "threads": {name: os.environ.get(name) for name in _THREADS},
        "flags": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_FLAGS)
        },
        "data": dict(data),
        CHOSEN: sorted(chosen),
    }
    write_text(folder / FACTS, dumps(facts, indent=2) + "\n")


def begun_by(folder: Path, command: str) -> str:
    """The command that the run in a folder was begun by; `command` where a run of an older version
    does not say.
    """
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        return str(json.loads((folder / FACTS).read_text(encoding="utf-8"))["command"])
    return command


def check_data(folder: Path, data: Mapping[str, str]) -> None:
    """Raise DataError if the data are not those that the run in `folder` began with; a run of an
    older version passes.
    """
    if not os.path.lexists(folder / FACTS):
        return
    before = _facts(folder)
    for split, print_now in data.items():
        if before.get(split) != print_now:
            raise DataError(
                f"a run goes on with the data it began with; the split to {split} of "
                f"{str(folder)!r} has changed since. Bring the "
                "data back, or start another run."
            )


def _facts(folder: Path) -> Mapping[str, Any]:
    """What the run in a folder noted of the data: split → its fingerprint."""
    try:
        return fingerprints(folder)
    except (OSError, ValueError, RecursionError, LookupError, TypeError) as error:
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise ModelError(
            f"a run goes on by its {FACTS}, a JSON object that training wrote; "
            f"{str(folder / FACTS)!r} cannot be used: {reason}. Bring it back, or start another "
            "run."
        ) from error


class Lock:
    """One run a folder: the kernel lets go of the lock when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / CHECKPOINTS / "lock"

    def __enter__(self) -> None:
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise cannot_write(self._path, error) from error
        try:
            _lock(self._file.fileno())
        except OSError as error:
            self._file.close()
            raise UsageError(
                f"another run works in {str(self._path.parent.parent)!r}. Wait for it or stop it."
            ) from error

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _lock(file: int) -> None:
    """Lock a file until it is closed; raises OSError where another process has."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # its first byte, which need not be there
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Log:
    """Appends events to `log.jsonl`, and hands them on."""

    def __init__(self, path: Path, report: Report) -> None:
        self._path, self._report = path, report

    def note(self, event: str, **facts: Any) -> None:
        """Append one line: the time, the event, the facts; a score that is NaN becomes null, as
        JSON has no word for it.
        """
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        known = {
            name: None if isinstance(fact, float) and math.isnan(fact) else fact
            for name, fact in facts.items()
        }
        line = dumps({"time": now, "event": event, **known})
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise cannot_write(self._path, error) from error

    def report(self) -> Report:
        """A report that appends what it is told, and tells the one it wraps."""

        def on_message(text: str) -> None:
            self.note("message", text=text)
            self._report.on_message(text)

        def on_epoch(row: Epoch, best: bool) -> None:
            facts = {
                "loss": row.loss,
                "learning_rate": row.learning_rate,
                "seconds": round(row.seconds, 1),
                **row.columns(),
            }
            self.note("epoch", epoch=row.epoch + 1, best=best, **facts)
            self._report.on_epoch(row, best)

        return replace(self._report, on_message=on_message, on_epoch=on_epoch)


def write_history(folder: Path, progress: Progress) -> None:
    """Write `history.csv`: one row an epoch, with the columns of `Epoch` and `Epoch.columns`; a
    field is empty where there was nothing to measure.
    """
    found = [row.columns() for row in progress.history]
    names = list(dict.fromkeys(name for columns in found for name in columns))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", "loss", "learning_rate", "seconds", *names])
    for row, columns in zip(progress.history, found, strict=True):
        scores = [columns.get(name, math.nan) for name in names]
        numbers = ["" if math.isnan(score) else f"{score:.6f}" for score in scores]
        rows.writerow(
            [
                row.epoch + 1,
                f"{row.loss:.6f}",
                f"{row.learning_rate:.3e}",
                f"{row.seconds:.1f}",
                *numbers,
            ]
        )
    write_text(folder / "history.csv", text.getvalue())
