"""What was read of a file, kept as long as the file stays as it is."""

from collections.abc import Callable
from functools import lru_cache, update_wrapper
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from cvtasks.formats.encodings import Heard, hear_again, hearing

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


def kept_while_unchanged(
    most: int,
) -> Callable[[Callable[[Path, *Ts], R]], Callable[[Path, *Ts], R]]:
    """Decorator of a function that reads a file: its answers, `most` of them, are given again until
    the file has another size or time. What else the function takes can be hashed. Whoever is
    hearing hears of the encoding each time.

    The decorated function raises OSError or ValueError where there is no such file.
    """

    def kept(read: Callable[[Path, *Ts], R]) -> Callable[[Path, *Ts], R]:
        def anew(path: Path, stamp: tuple[int, int], *args: *Ts) -> tuple[R, Heard]:
            with hearing() as heard:
                return read(path, *args), heard

        known: Callable[..., tuple[R, Heard]] = lru_cache(maxsize=most)(anew)

        def asked(path: Path, *args: *Ts) -> R:
            status = path.stat()
            answer, heard = known(path, (status.st_mtime_ns, status.st_size), *args)
            hear_again(heard)
            return answer

        update_wrapper(asked, read)
        return asked

    return kept
