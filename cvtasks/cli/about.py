"""`cvtasks models` and `cvtasks info`."""

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from cvtasks.cli.options import JsonOption
from cvtasks.cli.output import start_keras, tell
from cvtasks.engines.table import ENGINES, engine_packages
from cvtasks.errors import UsageError
from cvtasks.text import counted, dumps, padded, visible, width

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


def models(as_json: JsonOption = False) -> None:
    """List the models and recipes of the zoo."""
    from cvtasks import zoo
    from cvtasks.recipe.recipe import read_recipe
    from cvtasks.zoo import RECIPE, zoo_folder

    rows: list[dict[str, Any]] = []
    for name in zoo.names():
        folder = zoo_folder() / name
        recipe = read_recipe(folder / RECIPE)
        metrics = folder / "metrics.json"
        scores = (
            json.loads(metrics.read_text(encoding="utf-8"))
            if metrics.is_file()
            else {"metrics": {}}
        )
        trained = zoo.has_weights(folder)
        size = sum(
            (folder / file).stat().st_size for file in recipe.files if (folder / file).is_file()
        )
        rows.append(
            {
                "name": name,
                "task": recipe.task.name,
                "backbone": recipe.backbone,
                "size": recipe.size,
                "classes": list(recipe.classes),
                "trained": trained,
                "bytes": size,
                "metrics": scores["metrics"],
                "folder": str(folder),
            }
        )
    if as_json:
        print(dumps(rows))
        return
    columns = max((width(visible(row["name"])) for row in rows), default=0)
    for row in rows:
        headline = next(iter(row["metrics"].items()), None)
        state = f"{row['bytes'] / 1e6:.1f} MB" if row["trained"] else "recipe only: train it"
        if row["name"] in zoo.PACKAGED:
            state = "made of a package on first use"
        score = f"  {headline[0]} {headline[1]:.3f}" if headline else ""
        network = (
            f"{row['task']}  {row['backbone']} {row['size']} px, "
            f"{counted(len(row['classes']), 'class')}"
        )
        tell(f"{padded(row['name'], columns)}  {network}  {state}{score}")


def info(as_json: JsonOption = False) -> None:
    """Show versions, devices and engines. Loads Keras' back end, so it takes a few seconds."""
    import os

    import cv2

    start_keras()
    import keras

    from cvtasks import __version__
    from cvtasks.zoo import zoo_folder

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
        "cache": _cache(),
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


def _cache() -> str:
    """Where the cache is, or why there is none."""
    from cvtasks.files.cache_folder import cache_folder

    try:
        return str(cache_folder())
    except UsageError as error:
        return f"none: {error}"


def _has_window(build: str) -> bool:
    gui = [
        line.split(":", 1)[1].strip()
        for line in build.splitlines()
        if line.strip().startswith("GUI:")
    ]
    return bool(gui) and gui[0] not in ("", "NONE")
