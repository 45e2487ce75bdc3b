"""Tools that keep a file for each image: LabelMe, KITTI."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cvtasks.data.formats.places import Paired
from cvtasks.data.formats.unchanged import kept_while_unchanged
from cvtasks.errors import DataError
from cvtasks.formats.shapes import ImageShapes

Parse = Callable[[str], ImageShapes]
"""The path of a file → what it holds."""


@kept_while_unchanged(1 << 16)
def parsed(path: Path, parse: Parse) -> ImageShapes:
    """What one file holds."""
    return parse(str(path))


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
