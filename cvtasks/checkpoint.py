"""Checkpoint: everything a run needs to go on as if it had never stopped, in one safetensors file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cvtasks.errors import ModelError
from cvtasks.networks.safetensors_file import read_metadata, read_safetensors, write_safetensors


def save_checkpoint(path: Path, network: keras.Model, optimizer: keras.Optimizer, progress: dict[str, Any]) -> None:
    """Write all variables (weights, optimizer, random states) and `progress` (JSON), whole or not at all."""
    arrays = {key: np.asarray(variable.numpy()) for key, variable in _variables(network, optimizer)}
    write_safetensors(path, arrays, {"progress": json.dumps(progress)})


def read_progress(path: Path) -> dict[str, Any]:
    """Return the `progress` of a checkpoint, without reading a variable.

    Raises:
        ModelError: the file is no checkpoint, or damaged.
    """
    if not path.is_file():
        raise ModelError(f"a checkpoint must be a file that training wrote; {str(path)!r} is none. Start the run again.")
    try:
        progress = json.loads(read_metadata(path).get("progress", "null"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"the progress in {str(path)!r} must be JSON; it is not: {error}. Start the run again.") from error
    if not isinstance(progress, dict):
        raise ModelError(f"{str(path)!r} must be a checkpoint that training wrote; it holds no progress. Start the run again.")
    return progress


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
            f"{str(path)!r} must come from the network and optimizer of its recipe; {odd[0]!r} is missing or of another shape or kind "
            "in one of the two. Start the run again."
        )
    for key, variable in wanted.items():
        variable.assign(stored[key].read())


def _variables(network: keras.Model, optimizer: keras.Optimizer) -> Iterable[tuple[str, Any]]:
    """(key, variable); keyed by place and last name, as Keras numbers the rest by what else the process has made."""
    for kind, variables in (("network", network.variables), ("optimizer", optimizer.variables)):
        for index, variable in enumerate(variables):
            yield f"{kind}/{index:05d}/{variable.path.rsplit('/')[-1]}", variable
