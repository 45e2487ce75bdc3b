"""A network built on TensorFlow by a process of its own, where Keras runs on another back end
here.
"""

import os
import subprocess
import sys
from pathlib import Path

from cvtasks.errors import ModelError

_MINUTES = 30  # that it may take; a large network on a slow machine takes some


def on_tensorflow_apart(what: str, folder: Path, place: Path) -> None:
    """Write a model by a process whose Keras runs on TensorFlow.

    Args:
        what: "saved-model" or "keras".
        folder: the model's.
        place: what is written.

    Raises:
        ModelError: that process failed.
    """
    home = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    own = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-m", "cvtasks.export.on_tensorflow", what]
    try:
        done = subprocess.run(
            [*command, str(folder.absolute()), str(place.absolute())],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **own},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60 * _MINUTES,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            "a network is built on TensorFlow within half an hour; this one was not. "
            "Export it on a quicker machine."
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ModelError(
            "a network is exported by Keras on TensorFlow, in a process of its own; that one "
            f"failed: {said[-1][:300]}. Set KERAS_BACKEND=tensorflow to see more."
        )
