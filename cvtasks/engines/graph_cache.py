"""Graphs made once and kept beside the user's other caches, where they are believed only as they
were written.
"""

import json
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize
from pathlib import Path

from cvtasks.errors import CVTasksError, CVTasksWarning, ModelError, UsageError
from cvtasks.files.cache_folder import WAY_OUT, cache_folder
from cvtasks.files.writing import cannot_write, sha256

GRAPH, SUMS = "graph.xml", "sums.json"

_MAKING = ".making-"
_ABANDONED_S = 24 * 3600  # of a folder in the making: whoever made it was killed
_MOST_SUMS = 10_000  # bytes; two files take 300

_temporary: dict[str, Path] = {}  # key → the graph of this process alone, where none can be kept


def cached_graph(
    key: str, make: Callable[[Path], None], again: bool = False, name: str = GRAPH
) -> Path:
    """The graph kept under `key`; where none is, or not as it was written, `make` writes it
    into a folder it is given.

    What lies there is compared with the SHA-256 sums that were written with it, must belong to the
    user (or the system), and be complete. What cannot be read counts as absent. Where nothing can
    be kept, the graph lies in a temporary folder that is removed when the process ends. A folder
    appears under its name only when it is complete, so two processes that make the same one do no
    harm.

    Args:
        again: make it even if one is there: it cannot be used.
        name: of the graph's file, one of those that `make` writes.

    Raises:
        CVTasksError: `make` raised it, or a temporary folder cannot be written either.

    Warns:
        CVTasksWarning: a graph was there and is made again, or cannot be kept.
    """
    kept = _temporary.get(key)
    if kept and not again and not _fault(kept, key, name):
        return kept / name
    try:
        folder, unusable = cache_folder() / "graphs" / key, ""
        fault = "it cannot be used" if again else _fault(folder, key, name)
        there = os.path.lexists(folder)
    except (OSError, ValueError, UsageError) as error:  # ValueError: a NUL in the name
        folder, unusable, fault, there = None, _reason(error), "there is none", False
    if folder and not fault:
        return folder / name
    if there:
        _say(
            f"the graph kept in {str(folder)!r} must be as it was written; {fault}. It is made "
            "again."
        )
    made = _made(key, make)
    Finalize(
        None, shutil.rmtree, (made, True), exitpriority=0
    )  # unlike atexit's it runs at the end of worker processes too
    if folder:
        try:
            _keep(made, folder, key, again, name)
            shutil.rmtree(made, ignore_errors=True)
            return folder / name
        except (OSError, ValueError) as error:
            unusable = _reason(error)
    _temporary[key] = made
    where = f" in {str(folder)!r}" if folder else ""
    _say(
        f"a graph is made once and kept; it cannot be kept{where}: {unusable}. It serves this "
        f"process alone. {WAY_OUT}."
    )
    return made / name


def _made(key: str, make: Callable[[Path], None]) -> Path:
    """Make a graph and its sums in a new temporary folder."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="cvtasks-graph-"))
    except OSError as error:
        raise cannot_write(tempfile.gettempprefix(), error) from error
    try:
        make(folder)
        sums = {file.name: sha256(file) for file in folder.iterdir()}
        (folder / SUMS).write_text(json.dumps({"key": key, "files": sums}), encoding="utf-8")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise cannot_write(folder, error) from error
        if isinstance(error, Exception) and not isinstance(
            error, CVTasksError
        ):  # of Keras, TensorFlow or OpenVINO
            raise ModelError(
                f"a graph could not be made of this model: {type(error).__name__}: "
                f"{str(error)[:300]}. Use the keras engine."
            ) from error
        raise
    return folder


def _keep(made: Path, folder: Path, key: str, again: bool, name: str) -> None:
    """Put a copy of what was made under its name, in the place of what cannot be used; OSError if
    that is not possible.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for old in folder.parent.glob(f"{_MAKING}*"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=folder.parent, prefix=_MAKING, ignore_cleanup_errors=True
    ) as place:
        copy = Path(place) / "graph"
        copy.mkdir()
        for file in made.iterdir():
            shutil.copyfile(file, copy / file.name)
        if os.path.lexists(folder):
            if not again and not _fault(folder, key, name):
                return  # another process was first
            folder.rename(Path(place) / "odd")
        try:
            copy.rename(folder)
        except OSError:
            if _fault(folder, key, name):
                raise


def _fault(folder: Path, key: str, graph: str) -> str:
    """Why the graph in this folder is not believed, "" if it is."""
    try:
        if not os.path.lexists(folder):
            return "there is none"
        if not stat.S_ISDIR(folder.stat().st_mode):
            return "it is no folder"
        said = json.loads(_regular(folder / SUMS, _MOST_SUMS).read_bytes())
        sums = said["files"]
        if (
            said["key"] != key
            or graph not in sums
            or {file.name for file in folder.iterdir()} != {*sums, SUMS}
        ):
            return "its list of files is not this graph's"
        for name, expected in sums.items():
            if sha256(_regular(folder / name)) != expected:
                return f"{name} has another SHA-256 than was written"
        return "" if _ours(folder.stat()) else "it belongs to another user"
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        return _reason(error)


def _regular(path: Path, most: int | None = None) -> Path:
    """The path of a regular file of this user of at most so many bytes; ValueError if it is
    none: a pipe would block.
    """
    status = path.stat()
    if (
        not stat.S_ISREG(status.st_mode)
        or not _ours(status)
        or (most is not None and status.st_size > most)
    ):
        raise ValueError(f"{path.name} is no file of this user as it was written")
    return path


def _ours(status: os.stat_result) -> bool:
    """Whether it belongs to this user or to the system; others could exchange it for a graph that
    answers as they like.
    """
    return not hasattr(os, "geteuid") or status.st_uid in (0, os.geteuid())


def _reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, OSError):
        return (
            f"{Path(error.filename).name}: {error.strerror}"
            if isinstance(error.filename, str)
            else str(error)
        )
    return (
        str(error).removesuffix(f" {WAY_OUT}.").removesuffix(".")
        if isinstance(error, UsageError)
        else f"{error}"[:200]
    )


def _say(text: str) -> None:
    warnings.warn(text, CVTasksWarning, stacklevel=6)  # whoever called `load`
