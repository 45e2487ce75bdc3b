"""Where what can be made again is kept."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from cvtasks.errors import UsageError


def cache_folder() -> Path:
    """Where cvtasks keeps what it can make again: `CVTASKS_CACHE`, or the platform's place for
    caches.

    Raises:
        UsageError: the user has no home folder, so that there is no such place.
    """
    if own := os.environ.get("CVTASKS_CACHE"):
        return Path(own)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or _home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = _home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache")
    return base / "cvtasks"


def _home() -> Path:
    """The user's own folder, which must exist: it is not for us to make one."""
    with suppress(
        RuntimeError, OSError
    ):  # RuntimeError: neither HOME nor the list of users names one
        home = Path.home()
        if home.is_dir():
            return home
    raise UsageError(
        f"a cache lies in the user's home folder; HOME is {os.environ.get('HOME')!r}, and is none. "
        f"{WAY_OUT}."
    )


WAY_OUT = "Set CVTASKS_CACHE to a folder that can be written"
