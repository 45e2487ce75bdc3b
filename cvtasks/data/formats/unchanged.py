"""What was read of a file, kept as long as the file stays as it is."""

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from pathlib import Path
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


def kept_while_unchanged(
    most: int,
) -> Callable[[Callable[[Path, *Ts], R]], Callable[[Path, *Ts], R]]:
    """Decorator of a function that reads a file: its answers, `most` of them, are given again until
    the file has another size or time. What else the function takes can be hashed.

    The decorated function raises OSError or ValueError where there is no such file.
    """

    def kept(read: Callable[[Path, *Ts], R]) -> Callable[[Path, *Ts], R]:
        def anew(path: Path, stamp: tuple[int, int], *args: *Ts) -> R:
            return read(path, *args)

        known: Callable[..., R] = lru_cache(maxsize=most)(anew)

        def asked(path: Path, *args: *Ts) -> R:
            status = path.stat()
            return known(path, (status.st_mtime_ns, status.st_size), *args)

        update_wrapper(asked, read)
        return asked

    return kept
