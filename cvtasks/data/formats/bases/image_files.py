"""Tools that keep a file for each image: LabelMe, KITTI."""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from cvtasks.data.formats.places import Paired
from cvtasks.errors import DataError
from cvtasks.formats.shapes import ImageShapes

Parse = Callable[[str], ImageShapes]
"""The path of a file → what it holds."""


def parsed(path: Path, parse: Parse) -> ImageShapes:
    """What one file holds, parsed once as long as it stays as it is."""
    status = path.stat()
    return _parsed(str(path), parse, status.st_mtime_ns, status.st_size)


def all_parsed(splits: Iterable[Paired], parse: Parse) -> Iterator[ImageShapes]:
    """What the files of some splits hold; those that cannot be read are faults where they are
    read.
    """
    for found in splits:
        for file in (one for files in found.annotations.values() for one in files):
            try:
                yield parsed(file, parse)
            except DataError:
                continue


@lru_cache(maxsize=1 << 16)
def _parsed(path: str, parse: Parse, changed: int, size: int) -> ImageShapes:
    """What one file holds; `changed` and `size` tell it from what it was before."""
    return parse(path)
