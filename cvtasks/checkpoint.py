"""Checkpoint: everything a run needs to go on as if it had never stopped, in one safetensors file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cvtasks.errors import ModelError
from cvtasks.files import written_whole


def save_checkpoint(path: Path, network: keras.Model, optimizer: keras.Optimizer, progress: dict[str, Any]) -> None:
    """Write all variables (weights, optimizer, random states) and `progress` (JSON), whole or not at all."""
    arrays = {key: np.ascontiguousarray(v.numpy()) for key, v in _variables(network, optimizer)}
    with written_whole(path) as part:
        save_file(arrays, part, metadata={"progress": json.dumps(progress)})


def read_progress(path: Path) -> dict[str, Any]:
    """Return the `progress` of a checkpoint, without reading a variable.

    Raises:
        ModelError: the file is no checkpoint, or damaged.
    """
    try:
        with safe_open(path, "numpy") as file:
            return json.loads((file.metadata() or {})["progress"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{str(path)!r} is no checkpoint that can be read: {error}. Start the run again.") from error


def load_checkpoint(path: Path, network: keras.Model, optimizer: keras.Optimizer) -> None:
    """Set every variable as it was saved.

    Raises:
        ModelError: the checkpoint belongs to another network or optimizer.
    """
    wanted = dict(_variables(network, optimizer))
    with safe_open(path, "numpy") as file:
        if set(file.keys()) != set(wanted):
            odd = sorted(set(file.keys()) ^ set(wanted))
            raise ModelError(f"{str(path)!r} belongs to another network or optimizer: {odd[0]!r} is in one of the two only.")
        for key, variable in wanted.items():
            if tuple(file.get_slice(key).get_shape()) != tuple(variable.shape):
                raise ModelError(f"{str(path)!r} belongs to another network: {key!r} has another shape there.")
        for key, variable in wanted.items():
            variable.assign(file.get_tensor(key))


def _variables(network: keras.Model, optimizer: keras.Optimizer) -> Iterable[tuple[str, Any]]:
    """(key, variable); the place in the list makes a key unique where two paths are alike."""
    for kind, variables in (("network", network.variables), ("optimizer", optimizer.variables)):
        for index, variable in enumerate(variables):
            yield f"{kind}/{index:05d}/{variable.path}", variable
