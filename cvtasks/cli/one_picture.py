"""For commands about one picture: read it, and find names for what is drawn of it."""

from collections.abc import Iterable
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.cli.output import say
from cvtasks.errors import InputError

if TYPE_CHECKING:
    import numpy as np


def one_picture(source: str, command: str) -> "tuple[str, np.ndarray]":
    """Name and pixels (h, w, 3) uint8 RGB of the one picture that the source is.

    Raises:
        InputError: it is several, a video or a camera, or cannot be read.
    """
    from cvtasks.media.addresses import shown
    from cvtasks.media.sources import Item, expand

    first = list(islice(expand([source]), 2))
    if len(first) != 1 or not isinstance(first[0], Item):
        received = "several" if len(first) > 1 else "a video or a camera"
        raise InputError(f"`{command}` takes one picture at a time; {shown(source)!r} is {received}. Name one.")
    return first[0].name, first[0].read(lambda remark: say(f"{first[0].source}: {remark}"))


def unused(folder: Path, stem: str, endings: Iterable[str]) -> str:
    """The stem, or the first of stem-2, stem-3 …, with none of whose endings the folder has a file."""
    taken = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    ends = tuple(endings)
    stems = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(one for one in stems if taken.isdisjoint(one + end for end in ends))
