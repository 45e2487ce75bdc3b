"""Answers about tiles become one about the image."""

import numpy as np
import pytest

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.data.loading.warp import Warp
from cvtasks.errors import UsageError
from cvtasks.geometry.tiles import Tile, Tiles

SIZE = (200, 300)


def parts(truth: Answer, spec: str) -> list[tuple[Tile, Answer]]:
    """What each tile shows of a truth."""
    found = []
    for tile in Tiles.read(spec).of(SIZE, (64, 64)):
        window = Warp(
            SIZE, SIZE, False, np.eye(2), (-tile.left, -tile.top), (tile.height, tile.width)
        )
        found.append((tile, truth.warp(window, 0.0)))
    return found


def blobs() -> np.ndarray:
    """(3, h, w) bool: a small disc, one on a seam, and one that no tile of 100 shows as a whole."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.array(
        [
            np.hypot(rows - y, columns - x) <= radius
            for y, x, radius in ((30, 40, 9), (95, 250, 14), (110, 130, 75))
        ]
    )


@pytest.mark.parametrize("spec", ["100x100", "100x100:0", "120x140:0.5", "auto"])
def test_masks_that_a_seam_cuts_are_joined_and_come_once(spec: str) -> None:
    planes = blobs()
    truth = Instances.of(planes, [0, 1, 1], ("a", "b"), SIZE)
    found = Instances.of_tiles(parts(truth, spec), SIZE)
    assert sorted(found.names) == ["a", "b", "b"]
    for plane in planes:
        shares = [
            (plane & found.plane(index)).sum() / (plane | found.plane(index)).sum()
            for index in range(len(found))
        ]
        assert max(shares) > 0.97
    np.testing.assert_allclose(np.sort(found.areas), np.sort(truth.areas), rtol=0.03)


def test_ids_come_from_the_tile_whose_middle_is_nearest() -> None:
    rng = np.random.default_rng(0)
    truth = Mask(rng.integers(0, 3, SIZE, dtype=np.uint8), ("background", "a", "b"))
    for spec in ("64x64", "100x100:0", "64x400:30"):
        assert (Mask.of_tiles(parts(truth, spec), SIZE).ids == truth.ids).all()
    tiles = Tiles.read("100x100:0").of(SIZE, (64, 64))
    numbered = [
        (tile, Mask(np.full((100, 100), number, np.uint8), tuple("abcdef")))
        for number, tile in enumerate(tiles)
    ]
    ids = Mask.of_tiles(numbered, SIZE).ids
    assert [int(ids[y, x]) for y in (50, 150) for x in (50, 150, 250)] == list(range(6))


def test_small_objects_are_left_to_the_tiles_and_large_ones_to_the_whole() -> None:
    whole, *cut = Tiles.read("auto").of(SIZE, (64, 64))
    nothing = Boxes.nothing((64, 64), ("a",))
    seen = Boxes.of([[10, 10, 20, 20], [30, 30, 150, 50]], [0, 0], ("a",), SIZE, scores=[0.9, 0.8])
    found = Boxes.of_tiles([(whole, seen), *((tile, nothing) for tile in cut)], SIZE)
    assert found.xyxy.tolist() == [[30, 30, 150, 50]]


def test_labels_have_no_tiles() -> None:
    with pytest.raises(UsageError, match="as a whole"):
        Labels.of_tiles([(Tile.of_all(SIZE), Labels.of([0], ("a",)))], SIZE)


def test_a_third_prediction_has_a_third_of_the_weight() -> None:
    boxes = [Boxes.of([[0, 0, 10, 10]], [0], ("a",), SIZE, scores=[s]) for s in (0.9, 0.6, 0.3)]
    merged = boxes[0].merged(boxes[1], 0.0).merged(boxes[2], 0.0, share=1 / 3)
    np.testing.assert_allclose(merged.scores, [0.6], rtol=1e-6)
    alone = boxes[0].merged(boxes[0], 0.0).merged(boxes[0].take(slice(0)), 0.0, share=1 / 3)
    np.testing.assert_allclose(alone.scores, [0.6], rtol=1e-6)
    labels = [Labels(np.array([s], np.float32), np.zeros(1, bool), ("a",)) for s in (0.9, 0.6, 0.3)]
    averaged = labels[0].merged(labels[1], 0.0).merged(labels[2], 0.0, share=1 / 3)
    np.testing.assert_allclose(averaged.scores, [0.6], rtol=1e-6)
