"""Outlines of masks: each comes back from its rings to the pixel."""

import cv2
import numpy as np
import pytest

from cvtasks.geometry.rings import one_ring, pieces
from cvtasks.geometry.rle import polygons_mask


def filled(ring: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return polygons_mask([ring.reshape(-1).astype(float).tolist()], size)


@pytest.mark.parametrize("seed", range(60))
def test_any_mask_comes_back_from_its_outlines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 14, 2)
    mask = rng.random((height, width)) < rng.choice([0.2, 0.5, 0.8])
    whole = np.zeros((height + 8, width + 8), bool)
    whole[3 : 3 + height, 2 : 2 + width] = mask
    by_rings = np.zeros_like(whole)
    found = pieces(mask, (2, 3))
    for piece in found:
        outer = filled(piece.outer, whole.shape)
        for hole in piece.holes:
            inner = filled(hole, whole.shape)
            assert (outer & inner).sum() == inner.sum(), "a hole lies in its own ring"
            outer &= ~inner
        assert not (by_rings & outer).any()
        by_rings |= outer
    np.testing.assert_array_equal(by_rings, whole)
    assert len(found) == cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
    ring = one_ring(mask, (2, 3))
    np.testing.assert_array_equal(filled(ring, whole.shape) if len(ring) else False, whole)


def test_holes_and_islands_in_them() -> None:
    mask = np.ones((9, 9), bool)
    mask[1:8, 1:8] = False
    mask[3:6, 3:6] = True
    mask[4, 4] = False
    outside, island = pieces(mask)
    assert [len(one.holes) for one in (outside, island)] == [1, 1]
    assert sorted(map(tuple, island.holes[0].tolist())) == [(4, 4), (4, 5), (5, 4), (5, 5)]
    assert island.outer.min() == 3 and outside.outer.max() == 9


def test_an_outline_has_no_more_corners_than_it_needs() -> None:
    assert len(pieces(np.ones((30, 40), bool))[0].outer) == 4
    assert pieces(np.zeros((4, 4), bool)) == []
    assert one_ring(np.zeros((4, 4), bool)).shape == (0, 2)
