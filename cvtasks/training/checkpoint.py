"""Checkpoint: everything a run needs to go on as if it had never stopped,
in one safetensors file.
"""

import json
import math
import time
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import keras
import numpy as np

from cvtasks.errors import ModelError
from cvtasks.training.progress import Epoch, Progress
from cvtasks.weights.safetensors_file import read_metadata, read_safetensors, write_safetensors

T = TypeVar("T")

_SHOWN_S = 90.0  # in which a network share shows what another machine has written


def save_checkpoint(
    path: Path, network: keras.Model, optimizer: keras.Optimizer, progress: dict[str, Any]
) -> None:
    """Write all variables (weights, optimizer, random states), their check sums and `progress`
    (JSON), whole or not at all.
    """
    arrays = {key: np.asarray(variable.numpy()) for key, variable in _variables(network, optimizer)}
    sums = {key: zlib.crc32(np.ascontiguousarray(array).data) for key, array in arrays.items()}
    write_safetensors(path, arrays, {"progress": json.dumps(progress), "crc32": json.dumps(sums)})


def progress_in(path: Path) -> Progress:
    """Where the run of a checkpoint stands; at the beginning where there is no checkpoint.

    Raises:
        ModelError: the file is no checkpoint, or damaged.
    """
    if not path.exists():
        return Progress()
    said = read_progress(path)
    rows = said.get("history")
    history = tuple(_restored(Epoch, row, path) for row in rows) if isinstance(rows, list) else rows
    progress = _restored(Progress, {**said, "history": history}, path)
    if [row.epoch for row in progress.history] != list(range(progress.epoch)):
        raise ModelError(
            f"the history in {str(path)!r} must have a row for each of {progress.epoch} epochs; it "
            "has others. Start the run again."
        )
    return progress


def check_same(path: Path, said: dict[str, Any]) -> None:
    """Raise ModelError unless the checkpoint stands where another host says that it does; a network
    share is given some time to show it.
    """
    wanted, until = json.dumps(said), time.monotonic() + _SHOWN_S
    while json.dumps(asdict(progress_in(path))) != wanted:
        if time.monotonic() > until:
            raise ModelError(
                f"all hosts go on from one checkpoint; {str(path)!r} is another here than at host "
                "0, or is not there. Give the run a folder that all of them share."
            )
        time.sleep(0.5)


def read_progress(path: Path) -> dict[str, Any]:
    """The `progress` of a checkpoint, without reading a variable.

    Raises:
        ModelError: the file is no checkpoint, or damaged.
    """
    return _read_said(path, "progress")


def _restored(kind: type[T], said: Any, path: Path) -> T:
    """Make the dataclass `kind` of what the checkpoint `path` says of it; every field must be there
    and of its type. An epoch of an older version may lack what is measured since.

    Counts are not negative and, as losses and times, finite; scores may be NaN where nothing was
    there to measure.

    Raises:
        ModelError: it says something else.
    """
    hints = get_type_hints(kind)
    later = {"losses", "train_scores"} if kind is Epoch else set()
    if not isinstance(said, dict) or said.keys() | later != hints.keys():
        received = ", ".join(map(str, said))[:200] if isinstance(said, dict) else str(said)[:80]
        raise ModelError(
            f"the progress in {str(path)!r} must say {', '.join(hints)}; it says {received!r}. "
            "Start the run again."
        )
    for name, value in said.items():
        if not _fits(hints[name], name, value):
            raise ModelError(
                f"the progress in {str(path)!r} must be as training wrote it; its {name} is "
                f"{str(value)[:80]!r}. Start the run again."
            )
    return kind(**said)


def _fits(hint: Any, name: str, value: Any) -> bool:
    if hint is int:
        return type(value) is int and 0 <= value < 2**31
    if hint is float:
        return _is_number(value) and (
            math.isfinite(value) or (name == "best" and value == -math.inf)
        )
    if get_origin(hint) is dict:
        return isinstance(value, dict) and all(map(_is_number, value.values()))
    return isinstance(value, get_origin(hint) or hint)


def _is_number(value: Any) -> bool:
    return type(value) is float or (
        type(value) is int and abs(value) < 2**63
    )  # a larger one is no float


def _read_said(path: Path, key: str) -> dict[str, Any]:
    """A dictionary that the file's header holds as JSON."""
    if not path.is_file():
        raise ModelError(
            f"a checkpoint must be a file that training wrote; {str(path)!r} is none. Start the "
            "run again."
        )
    try:
        said = json.loads(read_metadata(path).get(key, "null"))
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"the {key} in {str(path)!r} must be JSON; it is not: {error}. Start the run again."
        ) from error
    if not isinstance(said, dict):
        raise ModelError(
            f"{str(path)!r} must be a checkpoint that training wrote; it holds no {key}. Start the "
            "run again."
        )
    return said


def load_checkpoint(path: Path, network: keras.Model, optimizer: keras.Optimizer) -> None:
    """Set every variable as it was saved.

    Raises:
        ModelError: the checkpoint is damaged, or belongs to another network or optimizer.
    """
    wanted, stored = dict(_variables(network, optimizer)), read_safetensors(path)
    odd = sorted(set(stored) ^ set(wanted))
    odd += [
        key
        for key in wanted
        if key in stored
        and (
            stored[key].shape != tuple(wanted[key].shape)
            or stored[key].dtype.kind != np.asarray(wanted[key].numpy()).dtype.kind
        )
    ]
    if odd:
        raise ModelError(
            f"{str(path)!r} must come from the network and optimizer of its recipe; {odd[0]!r} is "
            "missing or of another shape or kind "
            "in one of the two, as where another version of cvtasks wrote it. Start the run again."
        )
    sums, values = _read_said(path, "crc32"), {}
    for key in wanted:
        values[key] = stored[key].read()
        if zlib.crc32(np.ascontiguousarray(values[key]).data) != sums.get(key):
            raise ModelError(
                f"{str(path)!r} must be as it was saved; {key!r} is damaged. Start the run again."
            )
    for key, variable in wanted.items():
        variable.assign(values[key])


def _variables(network: keras.Model, optimizer: keras.Optimizer) -> Iterable[tuple[str, Any]]:
    """(key, variable); keyed by place and last name, as Keras numbers the rest by what else the
    process has made.
    """
    for kind, variables in (("network", network.variables), ("optimizer", optimizer.variables)):
        for index, variable in enumerate(variables):
            yield f"{kind}/{index:05d}/{variable.path.rsplit('/')[-1]}", variable
