"""What was read of a file, kept as long as the file stays as it is."""

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Reads = Callable[Concatenate[Path, P], R]
"""(path, what else it depends on) → what is read."""


def kept_while_unchanged(most: int) -> Callable[[Reads[P, R]], Reads[P, R]]:
    """Decorator of a function that reads a file: its answers, `most` of them, are given again until
    the file has another size or time. What else the function takes can be hashed.

    The decorated function raises OSError or ValueError where there is no such file.
    """

    def kept(read: Reads[P, R]) -> Reads[P, R]:
        @lru_cache(maxsize=most)
        def known(path: Path, stamp: tuple[int, int], *args: P.args, **more: P.kwargs) -> R:
            return read(path, *args, **more)

        @wraps(read)
        def asked(path: Path, *args: P.args, **more: P.kwargs) -> R:
            status = path.stat()
            return known(path, (status.st_mtime_ns, status.st_size), *args, **more)

        return asked

    return kept
