"""Where what can be made again is kept."""

import os
from contextlib import suppress
from pathlib import Path

from cvtasks.errors import UsageError

WAY_OUT = "Set CVTASKS_CACHE to a folder that can be written"


def cache_folder() -> Path:
    """Where cvtasks keeps what it can make again: `CVTASKS_CACHE`, or the platform's place for
    caches.

    Raises:
        UsageError: the user has no home folder, so that there is no such place; it is not for us
            to make one.
    """
    if own := os.environ.get("CVTASKS_CACHE"):
        return Path(own)
    from platformdirs import user_cache_path  # few runs need it

    with suppress(RuntimeError):  # neither HOME nor the list of users names a home
        folder = user_cache_path("cvtasks", appauthor=False, opinion=False)
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home raises where there is none
        if os.path.isdir(home) or not folder.is_relative_to(home):  # noqa: PTH112 - nor does this
            return folder
    raise UsageError(
        f"a cache lies in the user's home folder; HOME is {os.environ.get('HOME')!r}, and is none. "
        f"{WAY_OUT}."
    )
