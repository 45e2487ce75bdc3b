"""A source whose large images are cut into tiles: small objects are learned at their size."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from cvtasks.answers import Answer, Sample
from cvtasks.data.loading.warp import Warp
from cvtasks.data.source import Source
from cvtasks.data.views import View, leading_on
from cvtasks.errors import CVTasksError
from cvtasks.geometry.letterbox import Size
from cvtasks.geometry.tiles import Tile, Tiles
from cvtasks.media.images import image_size
from cvtasks.recipe.data_table import Data
from cvtasks.text import agreeing, counted

Say = Callable[[str], None]


def size_of(source: Source, index: int) -> Size:
    """(height, width) of a sample's image, by its header where it is a file."""
    return image_size(source.files[index]) if source.files else source[index].image.shape[:2]


@leading_on
class Tiled(View):
    """Each tile of each image as a sample of its own, called after the image and the tile's left
    top corner; an image that is no larger than a tile stays as it is.

    The image is read for each of its tiles.

    Args:
        tiles: with a size.
        min_visibility: the share of an object that must show in a tile for it to be learned, 0
            to 1.
    """

    def __init__(self, source: Source, tiles: Tiles, min_visibility: float) -> None:
        sizes = [size_of(source, index) for index in range(len(source))]
        cut = [(index, tile) for index, size in enumerate(sizes) for tile in tiles.of(size, size)]
        super().__init__(source, [index for index, _ in cut])
        self._tiles: Sequence[Tile] = [tile for _, tile in cut]
        self._visible = min_visibility

    def __getitem__(self, index: int) -> Sample[Answer]:
        sample, tile = self.source[self.kept[index]], self._tiles[index]
        if tile.whole:
            return sample
        left, top, right, bottom = tile.edges
        return replace(
            sample,
            image=np.ascontiguousarray(sample.image[top:bottom, left:right]),
            truth=self._within(sample.truth, tile, sample.image.shape[:2]),
            name=self.name(index),
        )

    def truth(self, index: int) -> Answer:
        """What a tile shows of the image's truth."""
        truth, tile = self.source.truth(self.kept[index]), self._tiles[index]
        if tile.whole:
            return truth
        return self._within(truth, tile, size_of(self.source, self.kept[index]))

    def name(self, index: int) -> str:
        """The image's, and the tile's left top corner."""
        name, tile = self.source.name(self.kept[index]), self._tiles[index]
        return name if tile.whole else f"{name}-{tile.left}-{tile.top}"

    def _within(self, truth: Answer, tile: Tile, size: Size) -> Answer:
        window = tile.height, tile.width
        warp = Warp(size, size, False, np.eye(2), (-tile.left, -tile.top), window)
        return truth.warp(warp, self._visible)


def cut(source: Source, data: Data, say: Say = lambda text: None) -> Source:
    """The source in a recipe's tiles, and says how many; itself where there are none."""
    if not data.tiles:
        return source
    say_tiles(source, data, say)
    return Tiled(source, Tiles((data.tiles[0], data.tiles[1])), data.min_visibility)


def say_tiles(source: Source, data: Data, say: Say) -> None:
    """Say how many tiles a source becomes by a recipe; nothing where it is not cut."""
    if data.tiles:
        say(f"data: {tiles_words(source, Tiles((data.tiles[0], data.tiles[1])))}")


def tiles_words(source: Source, tiles: Tiles) -> str:
    """How many tiles images become, in words; those whose header cannot be read are left out."""
    counts = []
    for index in range(len(source)):
        with suppress(CVTasksError):
            size = size_of(source, index)
            counts.append(len(tiles.of(size, size)))
    split = f"{source.split}: " if source.split else ""
    larger = sum(count > 1 for count in counts)
    return (
        f"{split}{larger} of {counted(len(counts), 'image')} {agreeing(larger)} larger than a tile "
        f"of {tiles}; {counted(sum(counts), 'tile')} in all"
    )


def whole(source: Source) -> Source:
    """The source before its images were cut."""
    return source.source if isinstance(source, Tiled) else source
