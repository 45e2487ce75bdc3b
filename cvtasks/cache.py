"""Graphs made once and kept beside the user's other caches."""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """Where cvtasks keeps what it can make again: `CVTASKS_CACHE`, or the platform's place for caches."""
    if own := os.environ.get("CVTASKS_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "cvtasks"


def cached_graph(key: str, make: Callable[[Path], None]) -> Path:
    """Return the graph kept under `key`; where there is none, `make` writes it into a folder that is given to it.

    A folder appears under its name only when it is complete, so two processes that make the same one do no harm.
    """
    folder = cache_folder() / "graphs" / key
    graph = folder / "graph.xml"
    if not graph.is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as place:
            made = Path(place) / "graph"
            made.mkdir()
            make(made)
            try:
                made.rename(folder)
            except OSError:
                if not graph.is_file():  # else another process was first
                    raise
    return graph
