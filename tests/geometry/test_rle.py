"""Run lengths of masks, in parts: against planes."""

import numpy as np
import pytest

from cvtasks.geometry.masks import warped
from cvtasks.geometry.rle import (
    checked_runs,
    decode_rle,
    encode_rle,
    part_rle,
    rle_extents,
    rle_iou,
    rle_part,
)


def planes() -> list[np.ndarray]:
    """Masks of any shape: empty, full, at each edge, with holes, of one pixel."""
    rng = np.random.default_rng(0)
    found = [np.zeros((7, 9), bool), np.ones((7, 9), bool), rng.random((7, 9)) < 0.3]
    for rows, columns in (
        (slice(0, 2), slice(0, 3)),
        (slice(5, 7), slice(6, 9)),
        (slice(0, 7), slice(4, 5)),
        (slice(3, 4), slice(0, 9)),
        (slice(6, 7), slice(8, 9)),
    ):
        plane = np.zeros((7, 9), bool)
        plane[rows, columns] = True
        found.append(plane)
    ring = np.zeros((7, 9), bool)
    ring[1:6, 2:8] = True
    ring[2:4, 4:6] = False
    return [*found, ring]


def runs(plane: np.ndarray) -> bytes:
    return encode_rle(plane)["counts"].encode()


@pytest.mark.parametrize("plane", planes())
def test_a_part_is_what_the_plane_shows_and_comes_back(plane: np.ndarray) -> None:
    counts = runs(plane)
    part, (x, y) = rle_part(counts, plane.shape)
    rows, columns = np.nonzero(plane)
    if not len(rows):
        assert part.shape == (0, 0)
    else:
        assert (x, y) == (columns.min(), rows.min())
        inside = plane[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        np.testing.assert_array_equal(part, inside)
    assert part_rle(part, (x, y), plane.shape) == counts
    assert checked_runs({"size": list(plane.shape), "counts": counts}) == counts
    (extents,), (pixels,) = rle_extents([counts], plane.shape)
    assert pixels == plane.sum()
    assert extents.tolist() == (
        [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [0] * 4
    )


def test_runs_without_pixels_between_others_change_nothing() -> None:
    plane = decode_rle({"size": [3, 3], "counts": [3, 0, 1, 2, 0, 1, 2]})
    from faster_coco_eval.mask_api_new_cpp import frUncompressedRLE

    odd = frUncompressedRLE([{"size": [3, 3], "counts": [3, 0, 1, 2, 0, 1, 2]}])[0]["counts"]
    part, (x, y) = rle_part(odd, (3, 3))
    again = np.zeros((3, 3), bool)
    again[y : y + part.shape[0], x : x + part.shape[1]] = part
    np.testing.assert_array_equal(again, plane)


@pytest.mark.parametrize("corner", [(-2, -1), (6, 4), (-20, 0), (9, 0), (0, 7), (2, 3)])
def test_a_part_is_cut_at_the_edges(corner: tuple[int, int]) -> None:
    part = np.random.default_rng(1).random((5, 6)) < 0.6
    around = np.zeros((60, 60), bool)
    x, y = corner
    around[30 + y : 35 + y, 30 + x : 36 + x] = part
    np.testing.assert_array_equal(
        decode_rle({"size": [7, 9], "counts": part_rle(part, corner, (7, 9)).decode()}),
        around[30:37, 30:39],
    )


def test_runs_that_do_not_fill_a_mask_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 3×3 pixels"):
        rle_part(runs(np.ones((2, 2), bool)), (3, 3))


def test_overlap_is_that_of_planes() -> None:
    first, second = planes()[2:5], planes()[4:]
    found = rle_iou([runs(one) for one in first], [runs(one) for one in second], (7, 9))
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            assert found[i, j] == pytest.approx((one & other).sum() / (one | other).sum())
    assert rle_iou([], [b"1"], (1, 1)).shape == (0, 1)
    assert rle_extents([], (3, 3))[0].shape == (0, 4)


def shown(part, corner, matrix, window) -> np.ndarray:
    """The window's plane."""
    inside, (x, y), _ = warped(part, corner, np.array(matrix, float), window)
    plane = np.zeros(window, bool)
    plane[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return plane


def test_what_is_not_moved_stays_to_the_pixel() -> None:
    part = np.random.default_rng(2).random((12, 15)) < 0.5
    inside, corner, share = warped(part, (3, 2), np.eye(2, 3), (20, 30))
    np.testing.assert_array_equal(inside, part)
    assert (corner, share) == ((3, 2), 1.0)


def test_a_mirror_image_and_twice_the_size_are_exact() -> None:
    part = np.random.default_rng(3).random((6, 5)) < 0.5
    mirrored = shown(part, (2, 1), [[-1, 0, 10], [0, 1, 0]], (9, 10))
    np.testing.assert_array_equal(mirrored[1:7, 3:8], part[:, ::-1])
    block = np.zeros((4, 4), bool)
    block[1:3, 0:3] = True
    twice = shown(block, (1, 1), [[2, 0, 0], [0, 2, 0]], (12, 12))
    expected = np.zeros((12, 12), bool)
    expected[4:8, 2:8] = True
    np.testing.assert_array_equal(twice, expected)


def test_half_the_size_shows_what_is_covered_by_half() -> None:
    part = np.zeros((8, 8), bool)
    part[:, ::2] = True  # every place is covered by half, whichever column is the first
    assert shown(part, (0, 0), [[0.5, 0, 0], [0, 0.5, 0]], (4, 4)).all()
    part[::2] = False  # by a quarter
    assert not shown(part, (0, 0), [[0.5, 0, 0], [0, 0.5, 0]], (4, 4)).any()


@pytest.mark.parametrize("angle", [10, 45, 90, 137])
@pytest.mark.parametrize("scale", [0.3, 0.7, 1.0, 1.9])
def test_a_turned_disc_is_a_disc(angle: float, scale: float) -> None:
    """Area and middle of a disc are known wherever it goes."""
    rows, columns = np.mgrid[:60, :60] + 0.5
    part = np.hypot(rows - 30, columns - 30) <= 30
    turn = np.radians(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([40.0, 50.0])
    matrix = np.column_stack([linear, middle * 2 - linear @ (np.array([10, 20]) + 30)])
    plane = shown(part, (10, 20), matrix, (200, 200))
    assert plane.sum() == pytest.approx(np.pi * (30 * scale) ** 2, rel=0.03)
    ys, xs = np.nonzero(plane)
    assert (xs.mean() + 0.5, ys.mean() + 0.5) == pytest.approx(tuple(middle * 2), abs=0.3)
    inside, _, share = warped(part, (10, 20), matrix, (100, 200))
    assert share == pytest.approx(0.5, abs=0.02)
    assert inside.any(axis=1).sum() == pytest.approx(30 * scale, abs=1)


def test_nothing_is_left_of_what_lies_outside() -> None:
    part = np.ones((3, 3), bool)
    assert warped(part, (0, 0), np.array([[1, 0, 50.0], [0, 1, 0]]), (20, 20))[2] == 0
    assert warped(np.zeros((0, 0), bool), (0, 0), np.eye(2, 3), (20, 20))[2] == 0
