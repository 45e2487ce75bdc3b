"""Images of errors: what was found can be told from what is there without the colours."""

import numpy as np
import pytest

from cvtasks.answers import Instances
from cvtasks.drawing.error_tiles import (
    PREDICTED,
    TRUTH,
    captioned,
    contact_sheet,
    error_tile,
    side_by_side,
)
from cvtasks.drawing.instances import outlined


def along_top_edge(tile: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(n,) bool along the frame's top edge: what is of its colour."""
    near = (np.abs(tile.astype(int) - colour).sum(axis=2) < 60)[:320]
    row = near.sum(axis=1).argmax()
    columns = np.flatnonzero(near[row])
    return near[row, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize(("of_truth", "colour"), [(True, TRUTH), (False, PREDICTED)])
def test_what_was_found_is_dashed_and_what_is_there_is_not(of_truth, colour) -> None:
    image = np.full((300, 400, 3), 120, np.uint8)
    box, none = np.array([100.0, 80, 300, 240]), np.zeros((0, 4))
    tile = error_tile(image, ("one", "two"), box, None, none, none, of_truth)
    edge = along_top_edge(tile, colour)
    assert len(edge) > 100
    assert edge.all() == of_truth
    assert edge.mean() > 0.5


def test_a_box_of_no_size_is_drawn() -> None:
    image, none = np.zeros((50, 50, 3), np.uint8), np.zeros((0, 4))
    tile = error_tile(image, ("", ""), np.array([20.0, 20, 20, 20]), None, none, none)
    assert tile.shape == (366, 400, 3)


def test_a_narrow_image_lies_in_the_middle_of_its_tile() -> None:
    image, none = np.full((200, 20, 3), 255, np.uint8), np.zeros((0, 4))
    wrong = error_tile(image, ("", ""), np.array([5.0, 90, 15, 110]), None, none, none)
    for tile in (wrong, captioned(image, "", "")):
        across = np.flatnonzero((tile[20:300] == 255).all(axis=2).any(axis=0))
        assert 20 < len(across) < tile.shape[1] / 2
        assert abs(across[0] + across[-1] + 1 - tile.shape[1]) <= 2


def test_images_side_by_side_keep_their_shape_and_fit_on_a_sheet() -> None:
    panels = {
        "image": np.full((40, 20, 3), 255, np.uint8),
        "truth": np.full((20, 40, 3), 255, np.uint8),
    }
    tile = side_by_side(panels, "a caption")
    high, wide = ((tile[:225, part] == 255).all(axis=2) for part in (slice(300), slice(306, None)))
    for shown, ratio in ((high, 2), (wide, 0.5)):
        height, width = shown.any(axis=1).sum(), shown.any(axis=0).sum()
        assert height / width == pytest.approx(ratio, rel=0.05)
    assert contact_sheet([tile] * 3).shape[1] < 1700


def test_outlines_lie_on_the_edge_of_masks() -> None:
    plane = np.zeros((40, 60), bool)
    plane[10:30, 5:50] = True
    plane[15:20, 20:30] = False
    found = Instances.of([plane], [0], ("cat",), (40, 60))
    image = np.full((40, 60, 3), 99, np.uint8)
    drawn = outlined(image, found, (1, 2, 3))
    line = (drawn == (1, 2, 3)).all(axis=2)
    assert line[10, 5:50].all() and line[10:30, 49].all()
    assert not line[12:14, 8:18].any() and not line[16:19, 21:29].any()
    assert line[14, 20:30].any(), "a hole has an edge"
    dashed = (outlined(image, found, (1, 2, 3), dashed=True) == (1, 2, 3)).all(axis=2)
    assert 0.3 < dashed.sum() / line.sum() < 0.7 and not (dashed & ~line).any()
    np.testing.assert_array_equal(image, 99)
