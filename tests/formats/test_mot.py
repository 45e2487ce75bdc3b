"""The text files of the MOT Challenge, read and written."""

import numpy as np
import pytest

from cvtasks.answers import Boxes
from cvtasks.errors import DataError
from cvtasks.formats.mot import mot_text, parse_mot

CLASSES = ("person",)


def test_what_is_written_is_read() -> None:
    rng = np.random.default_rng(0)
    text, xyxy, tracks = "", [], []
    for frame in range(5):
        low = rng.uniform(0, 100, (3, 2)).astype(np.float32)
        edges = np.concatenate([low, low + rng.uniform(1, 50, (3, 2)).astype(np.float32)], axis=1)
        numbers = rng.permutation(9)[:3] + 1
        found = Boxes.of(edges, [0] * 3, CLASSES, (200, 200), scores=[0.5] * 3, tracks=numbers)
        text += mot_text(found, frame)
        xyxy.append(edges)
        tracks.append(numbers)
    read = parse_mot(text, "x")
    assert read.frames.tolist() == np.repeat(range(5), 3).tolist()
    assert read.numbers.tolist() == np.concatenate(tracks).tolist()
    np.testing.assert_allclose(read.xyxy, np.concatenate(xyxy), atol=2e-5)


def test_nothing_in_nothing_out() -> None:
    assert mot_text(Boxes.of([], [], CLASSES, (9, 9)), 0) == ""
    assert parse_mot("\n\n", "x").xyxy.shape == (0, 4)


def test_boxes_without_a_track_have_no_line() -> None:
    found = Boxes.of([[0, 0, 1, 1], [2, 2, 4, 4]], [0, 0], CLASSES, (9, 9), tracks=[-1, 5])
    assert mot_text(found, 9).startswith("10,5,3.0,3.0,2.0,2.0,1.0")


def test_what_a_truth_does_not_count_is_left_out() -> None:
    read = parse_mot("1,1,1,1,5,5,1,-1,-1,-1\n1,2,1,1,5,5,0,-1,-1,-1\n1 3 1 1 5 5\n", "gt.txt")
    assert read.numbers.tolist() == [1, 3]


@pytest.mark.parametrize(
    "line",
    ["1,2,3", "a,1,1,1,1,1,1", "0,1,1,1,1,1,1", "1.5,1,1,1,1,1", "1,1,1,1,-4,1,1", "1,1,nan,1,1,1"],
)
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(DataError, match=r"line 2 of 'gt\.txt'"):
        parse_mot(f"1,1,1,1,1,1\n{line}\n", "gt.txt")


def test_one_object_twice_in_a_frame_is_refused() -> None:
    with pytest.raises(DataError, match=r"number 4 has several in frame 2"):
        parse_mot("1,4,1,1,5,5\n2,4,1,1,5,5\n2,4,2,2,5,5\n", "gt.txt")
