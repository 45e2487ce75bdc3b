"""Tiles: an image cut into pieces that overlap, each about as large as a network sees it."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from cvtasks.errors import UsageError, did_you_mean
from cvtasks.geometry.letterbox import Size

AUTO = "auto"
OVERLAP = 0.2
"""Share of a tile's side that it has in common with the next one, unless another is asked for."""

_MUCH = 2.0  # times as long as the network input is what `AUTO` cuts
_LEAST = 32  # pixels of a tile's side
_SPEC = re.compile(r"(\d{1,6})x(\d{1,6})(?::(\d+(?:\.\d*)?|\.\d+))?", re.IGNORECASE)


@dataclass(frozen=True)
class Tile:
    """A piece of an image, in its pixels.

    Attributes:
        top, left, height, width: where it lies.
        core: (top, left, bottom, right) of the part to which no other tile's middle is nearer.
        whole: it is the image as a whole, which the network sees reduced, beside smaller tiles.
        least: pixels; an object that is shorter both ways is left to smaller tiles.
    """

    top: int
    left: int
    height: int
    width: int
    core: tuple[int, int, int, int]
    whole: bool = False
    least: int = 0

    @property
    def edges(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom edge."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    @classmethod
    def of_all(cls, size: Size, least: int = 0) -> Self:
        """The one that is an image of (height, width)."""
        return cls(0, 0, *size, (0, 0, *size), whole=True, least=least)


@dataclass(frozen=True)
class Tiles:
    """How images are cut. Make one with `read`.

    Attributes:
        size: (height, width) of a tile in pixels; None for those of the network input, where the
            image is much larger.
        overlap: below 1 the share of a tile's side, else the pixels, that neighbours have in common
            at least.
    """

    size: Size | None = None
    overlap: float = OVERLAP

    @classmethod
    def read(cls, text: str) -> Self:
        """Those that are written as "auto", "HxW" or "HxW:overlap".

        Raises:
            UsageError: it is none of these, a tile is too small, or overlaps by more than its half.

        >>> Tiles.read("640x480:64"), Tiles.read("auto").size
        (Tiles(size=(640, 480), overlap=64.0), None)
        """
        if text == AUTO:
            return cls()
        found = _SPEC.fullmatch(text.strip())
        if not found:
            near = did_you_mean(text, [AUTO]) if text[:1].isalpha() else ""
            raise UsageError(
                f'tiles are "{AUTO}", HEIGHTxWIDTH in pixels, or HEIGHTxWIDTH:OVERLAP, such as '
                f"640x640:0.2; got {text!r}. {near or 'Correct it.'}".replace("Known: auto.", "")
            )
        size = int(found[1]), int(found[2])
        overlap = float(found[3]) if found[3] else OVERLAP
        if min(size) < _LEAST:
            raise UsageError(
                f"a tile has at least {_LEAST} pixels a side; got {text!r}. Make it larger."
            )
        if max(_pixels(overlap, side) / side for side in size) > 0.5:
            raise UsageError(
                "tiles overlap by half of a side at most, as a share below 1 or in pixels; got "
                f"{text!r}. Make the overlap smaller."
            )
        return cls(size, overlap)

    def of(self, image: Size, network: Size) -> tuple[Tile, ...]:
        """The tiles of an image, row by row; where nothing is cut, the one that is all of it.

        Tiles of the network input's size have the whole before them, in which large objects are
        found that no tile shows.

        Args:
            image: (height, width) of it; `network`: of the network input.

        >>> len(Tiles.read("32x32:0").of((64, 96), (32, 32)))
        6
        """
        size = self._cut(image, network)
        if size is None:
            return (Tile.of_all(image),)
        rows, columns = (
            _spans(side, its, _pixels(self.overlap, its))
            for side, its in zip(image, size, strict=True)
        )
        cut = tuple(
            Tile(
                top,
                left,
                bottom - top,
                right - left,
                (first, begin, last, end),
            )
            for top, bottom, first, last in rows
            for left, right, begin, end in columns
        )
        # what is shorter than two tiles have in common is in one of them from end to end
        least = min(_pixels(self.overlap, side) for side in size)
        return cut if self.size else (Tile.of_all(image, least), *cut)

    def count(self, image: Size, network: Size) -> int:
        """How many tiles `of` gives, without making them: of a large image they may be too many.

        >>> Tiles.read("32x32:0.5").count((7071, 7071), (32, 32))
        194481
        """
        size = self._cut(image, network)
        if size is None:
            return 1
        rows, columns = (
            _number(side, its, _pixels(self.overlap, its))
            for side, its in zip(image, size, strict=True)
        )
        return rows * columns + (self.size is None)

    def _cut(self, image: Size, network: Size) -> Size | None:
        """(height, width) of the tiles of an image; None where nothing is cut."""
        size = self.size or network
        much = max(side / its for side, its in zip(image, network, strict=True)) > _MUCH
        if (self.size is None and not much) or all(
            side <= its for side, its in zip(image, size, strict=True)
        ):
            return None
        return size

    def words(self, image: Size, network: Size) -> str:
        """What becomes of an image, and what it costs, in words; empty where nothing is cut."""
        tiles = self.of(image, network)
        cut = [tile for tile in tiles if not tile.whole]
        if not cut:
            return ""
        height, width = cut[0].height, cut[0].width
        both = " and the whole, reduced" if len(cut) < len(tiles) else ""
        return f"{len(cut)} tiles of {height}x{width}{both}: {len(tiles)} times the network's time"

    def __str__(self) -> str:
        if self.size is None:
            return AUTO
        end = f":{self.overlap:g}" if self.overlap != OVERLAP else ""
        return f"{self.size[0]}x{self.size[1]}{end}"


def tiles_of(given: str | Tiles | None) -> Tiles | None:
    """Tiles by themselves or as they are written; none of an empty text.

    Raises:
        UsageError: as `Tiles.read`.
    """
    if isinstance(given, str):
        return Tiles.read(given) if given else None
    return given


def _pixels(overlap: float, side: int) -> int:
    """Pixels that tiles of such a side have in common at least."""
    return math.ceil(overlap * side if overlap < 1 else overlap)


def _number(length: int, side: int, overlap: int) -> int:
    """How many tiles lie along an axis."""
    return 1 if length <= side else math.ceil((length - overlap) / (side - overlap))


def _spans(length: int, side: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """Begin and end of each tile along an axis, spread evenly, and those of its core."""
    count = _number(length, side, overlap)
    if count == 1:
        return [(0, length, 0, length)]
    begins = [round(number * (length - side) / (count - 1)) for number in range(count)]
    middles = [(begin + side + after) // 2 for begin, after in pairwise(begins)]
    return [
        (begin, begin + side, first, last)
        for begin, first, last in zip(begins, [0, *middles], [*middles, length], strict=True)
    ]
