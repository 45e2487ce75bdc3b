"""`cvtasks info`."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cvtasks.cli.options import JsonOption
from cvtasks.cli.output import say, start_keras, tell, wrapped
from cvtasks.engines.table import ENGINES, engine_packages, package_version
from cvtasks.errors import UsageError
from cvtasks.text import dumps

_PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "torch",
    "opencv-python",
    "av",
    "albumentations",
    "numpy",
)


def info(as_json: JsonOption = False) -> None:
    """Show versions, devices and engines. Loads Keras' back end, so it takes a few seconds."""
    import os

    import cv2

    from cvtasks import __version__
    from cvtasks.files.cache_folder import cache_folder
    from cvtasks.media.opencv import opencv_packages, opens_windows, why_without_windows
    from cvtasks.zoo import fetched_folder, zoo_folder

    facts: dict[str, Any] = {
        "cvtasks": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in dict.fromkeys((*_PACKAGES, *engine_packages())):
        facts[package] = package_version(package)
    opencvs, graphics = opencv_packages(), graphics_cards()
    facts |= {
        **_keras(),
        "graphics cards": graphics or ["none that NVIDIA's driver knows"],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "opencv": f"{cv2.__version__} of {' and '.join(opencvs) or 'no package that pip knows'}",
        "opencv window": opens_windows(),
        "engines": _engines(),
        "zoo": str(zoo_folder()),
        "models": _place_of(fetched_folder),
        "cache": _place_of(cache_folder),
    }
    if len(opencvs) > 1 and not opens_windows():
        say(f"cvtasks: {why_without_windows()}")
    if graphics and not any("gpu" in one.lower() for one in facts["keras devices"]):
        say(
            f"cvtasks: Keras on {facts['keras backend']} uses no graphics card here, though there "
            f'is {graphics[0]}. Install what JAX needs for it, pip install "cvtasks[gpu]", and set '
            "KERAS_BACKEND=jax (docs/install.md)."
        )
    if as_json:
        print(dumps(facts))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = [f"{key} {one}" for key, one in value.items()]
        said = ", ".join(map(str, value)) if isinstance(value, list) else value
        tell(*wrapped(f"{name}: {said}"))


def _engines() -> dict[str, str]:
    """What each engine finds on this machine."""
    found: dict[str, str] = {}
    for name, row in ENGINES.items():
        found |= row.facts() or {name: "not installed"}
    return found


def _place_of(folder: Callable[[], Path]) -> str:
    """Where a folder of the user's is, or why there is none."""
    try:
        return str(folder())
    except UsageError as error:
        return f"none: {error}"


def _keras() -> dict[str, Any]:
    """Keras' back end and the devices that it finds."""
    if find_spec("keras") is None:  # an installation for prediction alone
        return {"keras backend": "none: keras is not installed", "keras devices": ["none"]}
    start_keras()
    import keras

    return {
        "keras backend": keras.config.backend(),
        "keras devices": keras.distribution.list_devices() or ["cpu"],
    }


def graphics_cards() -> list[str]:
    """The graphics cards that NVIDIA's driver tells of, whatever is installed to use them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    asked = [tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return []  # a driver without a card, or of another system
    rows = [[part.strip() for part in line.split(",")] for line in told.splitlines()]
    return [f"{row[0]} ({row[1]}, driver {row[2]})" for row in rows if len(row) == 3]
