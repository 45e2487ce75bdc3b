"""How an image is cut into tiles."""

import numpy as np
import pytest

from cvtasks.errors import UsageError
from cvtasks.geometry.tiles import Tile, Tiles, tiles_of


@pytest.mark.parametrize("image", [(64, 64), (65, 64), (300, 500), (641, 97), (1000, 33)])
@pytest.mark.parametrize("spec", ["64x64", "64x96:0", "100x64:0.5", "64x64:20"])
def test_tiles_cover_an_image_overlap_as_asked_and_share_it_among_their_cores(
    image: tuple[int, int], spec: str
) -> None:
    asked = tiles_of(spec)
    assert asked is not None
    assert asked.size is not None
    tiles = asked.of(image, (32, 32))
    owners, seen = np.zeros(image, int), np.zeros(image, int)
    for tile in tiles:
        left, top, right, bottom = tile.edges
        assert 0 <= top < bottom <= image[0]
        assert 0 <= left < right <= image[1]
        assert (tile.height, tile.width) == (
            min(asked.size[0], image[0]),
            min(asked.size[1], image[1]),
        )
        seen[top:bottom, left:right] += 1
        first, begin, last, end = tile.core
        assert top <= first < last <= bottom
        assert left <= begin < end <= right
        owners[first:last, begin:end] += 1
    assert (owners == 1).all()
    assert seen.min() == 1
    lefts = sorted({tile.left for tile in tiles})
    least = asked.overlap if asked.overlap >= 1 else asked.overlap * asked.size[1]
    assert all(one + asked.size[1] - other >= least for one, other in zip(lefts, lefts[1:]))  # noqa: B905, RUF007
    assert [tile.top for tile in tiles] == sorted(tile.top for tile in tiles)


def test_auto_cuts_what_is_more_than_twice_as_long_and_puts_the_whole_before_it() -> None:
    auto = Tiles.read("auto")
    assert auto.of((640, 640), (320, 320)) == (Tile.of_all((640, 640)),)
    assert auto.words((640, 640), (320, 320)) == ""
    whole, *cut = auto.of((300, 641), (320, 320))
    assert whole.whole
    assert whole.least == 64
    assert [tile.edges for tile in cut] == [
        (0, 0, 320, 300),
        (160, 0, 480, 300),
        (321, 0, 641, 300),
    ]
    words = "3 tiles of 300x320 and the whole, reduced: 4 times the network's time"
    assert auto.words((300, 641), (320, 320)) == words


@pytest.mark.parametrize("spec", ["auto", "64x64", "32x96:0", "100x64:0.5", "64x64:20"])
def test_tiles_are_counted_without_being_made(spec: str) -> None:
    asked = Tiles.read(spec)
    for height in (1, 63, 64, 65, 128, 129, 500, 1001):
        for width in (1, 64, 96, 97, 200, 640):
            tiles = asked.of((height, width), (64, 96))
            assert asked.count((height, width), (64, 96)) == len(tiles), (height, width)
    assert Tiles.read("32x32:16").count((10**9, 10**9), (64, 64)) == 62_499_999**2


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("atuo", 'Did you mean "auto"'),
        ("640", "HEIGHTxWIDTH"),
        ("0x640", "at least 32 pixels"),
        ("64x64:0.6", "half of a side"),
        ("64x64:33", "half of a side"),
        ("64x64:-1", "HEIGHTxWIDTH"),
    ],
)
def test_what_cannot_be_tiles_is_refused_with_a_way_out(spec: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Tiles.read(spec)


def test_tiles_are_written_as_they_are_read() -> None:
    for text in ("auto", "64x96", "64x64:0.3", "64x64:16"):
        assert str(Tiles.read(text)) == text
    assert tiles_of("") is None
    assert tiles_of(None) is None
