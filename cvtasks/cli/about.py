"""`cvtasks info`."""

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cvtasks.cli.options import JsonOption
from cvtasks.cli.output import start_keras, tell
from cvtasks.engines.table import ENGINES, engine_packages
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

    start_keras()
    import keras

    from cvtasks import __version__
    from cvtasks.files.cache_folder import cache_folder
    from cvtasks.zoo import fetched_folder, zoo_folder

    facts: dict[str, Any] = {
        "cvtasks": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in dict.fromkeys((*_PACKAGES, *engine_packages())):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    facts |= {
        "keras backend": keras.config.backend(),
        "keras devices": keras.distribution.list_devices() or ["cpu"],
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "opencv window": _has_window(cv2.getBuildInformation()),
        "engines": _engines(),
        "zoo": str(zoo_folder()),
        "models": _place_of(fetched_folder),
        "cache": _place_of(cache_folder),
    }
    if as_json:
        print(dumps(facts))
        return
    for name, value in facts.items():
        parts = [f"{k} {v}" for k, v in value.items()] if isinstance(value, dict) else [value]
        tell(f"{name}: {', '.join(map(str, parts))}")


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


def _has_window(build: str) -> bool:
    gui = [
        line.split(":", 1)[1].strip()
        for line in build.splitlines()
        if line.strip().startswith("GUI:")
    ]
    return bool(gui) and gui[0] not in ("", "NONE")
