"""Scores of tiles blended to a mask, against the same by hand over the whole image."""

import numpy as np
import pytest

from cvtasks.answers import VOID
from cvtasks.geometry.tiles import Tiles
from cvtasks.heads.blending import Blend

SIZE = (150, 210)


def by_hand(spec: str, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean scores (h, w, classes) by the distance to the nearer edge across and down."""
    sums, weights = np.zeros((*SIZE, scores[0].shape[-1])), np.zeros(SIZE)
    for tile, own in zip(Tiles.read(spec).of(SIZE, (1, 1)), scores, strict=True):
        rows, columns = np.mgrid[: tile.height, : tile.width] + 0.5
        weight = np.minimum(rows, tile.height - rows) * np.minimum(columns, tile.width - columns)
        left, top, right, bottom = tile.edges
        sums[top:bottom, left:right] += own * weight[..., None]
        weights[top:bottom, left:right] += weight
    return sums, weights


@pytest.mark.parametrize("spec", ["64x64", "64x80:0.5", "40x40:0", "64x300:1"])
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_overlapping_tiles_are_weighted_by_the_distance_to_their_edges(
    spec: str, threshold: float
) -> None:
    rng = np.random.default_rng(3)
    tiles = Tiles.read(spec).of(SIZE, (1, 1))
    scores = [rng.dirichlet((1, 1, 1), (one.height, one.width)).astype("float32") for one in tiles]
    blend = Blend(SIZE, 3, threshold, unsure=7)
    for tile, own in zip(tiles, scores, strict=True):
        blend.add(tile, own)
    sums, weights = by_hand(spec, scores)
    wanted = sums.argmax(axis=-1)
    wanted[sums.max(axis=-1) < threshold * weights] = 7
    assert (blend.close() == wanted).mean() > 0.9999


def test_the_whole_decides_where_tiles_doubt_and_not_where_they_are_sure() -> None:
    tiles = Tiles.read("64x64").of(SIZE, (1, 1))
    whole: np.ndarray = np.zeros((15, 21, 2), np.float32)
    whole[..., 1] = 1
    for sure, wanted in ((0.55, 1), (0.9, 0)):
        blend = Blend(SIZE, 2, 0.0, unsure=0, whole=whole)
        for tile in tiles:
            blend.add(tile, np.full((tile.height, tile.width, 2), (sure, 1 - sure), np.float32))
        assert (blend.close() == wanted).all()


def test_the_whole_lies_where_it_is_seen() -> None:
    tiles = Tiles.read("50x70:0").of(SIZE, (1, 1))
    whole: np.ndarray = np.zeros((30, 42, 2), np.float32)
    whole[:10, :14, 1] = whole[10:, :, 0] = whole[:10, 14:, 0] = 1
    blend = Blend(SIZE, 2, 0.0, unsure=0, whole=whole)
    for tile in tiles:
        blend.add(tile, np.full((1, 1, 2), 0.5, np.float32))
    wanted: np.ndarray = np.zeros(SIZE, np.uint8)
    wanted[:50, :70] = 1
    assert (blend.close() == wanted).mean() > 0.99


def test_where_no_class_has_a_score_there_is_void() -> None:
    blend = Blend(SIZE, 2, 0.0, unsure=0)
    for tile in Tiles.read("64x64").of(SIZE, (1, 1)):
        blend.add(tile, np.zeros((tile.height, tile.width, 2), np.float32))
    assert (blend.close() == VOID).all()
