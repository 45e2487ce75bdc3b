"""Views of an image or of a tile, whose answers become one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cvtasks.geometry.letterbox import Letterbox
from cvtasks.geometry.tiles import Tile
from cvtasks.heads.arrays import Arrays


@dataclass(frozen=True, eq=False)
class View:
    """What a network answers about one view.

    Attributes:
        output: activated.
        letterbox: where the image lay on the network input.
        mirrored: whether it was the mirror image.
    """

    output: Arrays
    letterbox: Letterbox
    mirrored: bool = False


Views: TypeAlias = Sequence[View]
"""Of one image or tile; the first is as it is."""

TiledViews: TypeAlias = Iterable[tuple[Tile, Views]]
"""Each tile of an image with its views; one that is the whole comes first."""
