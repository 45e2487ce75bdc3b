"""Tracks are carried by whatever makes boxes of boxes."""

from collections.abc import Callable

import numpy as np
import pytest

from cvtasks.answers import Boxes, Instances
from cvtasks.data.loading.warp import Warp
from cvtasks.tasks.detect import Detect
from cvtasks.tasks.instances import SegmentInstances

CLASSES, SIZE = ("cat", "dog"), (60, 80)
BOXES = Boxes.of(
    [[5, 5, 25, 30], [30, 10, 60, 50]],
    [0, 1],
    CLASSES,
    SIZE,
    scores=[0.5, 0.75],
    tracks=[7, 3],
    filled=[True, False],
)

WAYS: dict[str, Callable[[Boxes], Boxes]] = {
    "take": lambda one: one.take([0, 1]),
    "with_classes": lambda one: one.with_classes(("dog", "cat")),
    "renamed": lambda one: one.renamed({"cat": "lynx"}),
    "warp": lambda one: one.warp(Warp(SIZE, SIZE, False, np.eye(2), (3, 0), SIZE), 0.1),
    "mirrored": lambda one: one.mirrored(),
    "joined": lambda one: one.joined([], ((0, 0),), SIZE),
    "placed": lambda one: one.placed(one.xyxy + 1),
    "merged": lambda one: one.merged(one, 0.0).take([1, 0]),
    "pasted": lambda one: one.pasted(one.take(slice(0)), np.random.default_rng(0), 0.5)[0],
    "record": lambda one: Detect().from_record(
        {**one.to_dict(), "height": 60, "width": 80}, CLASSES
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_tracks_are_carried(name: str) -> None:
    made = WAYS[name](BOXES)
    assert made.tracks.tolist() == [7, 3]
    assert made.filled.tolist() == [True, False]


def square(left: int, top: int, side: int) -> np.ndarray:
    """A mask (h, w) bool."""
    plane = np.zeros(SIZE, bool)
    plane[top : top + side, left : left + side] = True
    return plane


def test_so_do_instances() -> None:
    masks = [square(5, 5, 20), square(30, 10, 30)]
    found = Instances.of(
        masks, [0, 1], CLASSES, SIZE, scores=[0.5, 0.75], tracks=[7, 3], filled=[True, False]
    )
    for name, way in WAYS.items():
        if name != "record":
            assert way(found).tracks.tolist() == [7, 3], name
    record = {**found.to_dict(), "height": 60, "width": 80}
    again = SegmentInstances().from_record(record, CLASSES)
    assert (again.tracks.tolist(), again.filled.tolist()) == ([7, 3], [True, False])


def test_a_mask_goes_where_its_box_goes() -> None:
    found = Instances.of([square(5, 5, 20)], [0], CLASSES, SIZE, tracks=[7])
    moved = found.placed(np.array([[15, 8, 55, 28]], np.float32))
    wanted = np.zeros(SIZE, bool)
    wanted[8:28, 15:55] = True
    np.testing.assert_array_equal(moved.plane(0), wanted)
    assert moved.areas.tolist() == [800]


def test_they_are_unknown_unless_given() -> None:
    found = Boxes.of([[1, 1, 2, 2]], [0], CLASSES, SIZE)
    assert (found.tracks.tolist(), found.filled.tolist()) == ([-1], [False])
    assert found.to_dict() == {
        "boxes": [{"name": "cat", "score": 1.0, "xyxy": [1.0, 1.0, 2.0, 2.0]}]
    }


@pytest.mark.parametrize("wrong", [{"tracks": [1, 2]}, {"filled": [True, False]}])
def test_there_is_one_a_box(wrong: dict[str, list]) -> None:
    with pytest.raises(ValueError, match="one a box"):
        Boxes.of([[1, 1, 2, 2]], [0], CLASSES, SIZE, **wrong)


def test_in_another_place_the_area_goes_along() -> None:
    half = Boxes.of([[0, 0, 10, 10]], [0], CLASSES, SIZE, areas=[50])
    assert half.placed(np.array([[0, 0, 20, 10]])).areas.tolist() == [100]


def test_a_track_is_drawn_with_its_number() -> None:
    plain = Boxes.of(BOXES.xyxy, BOXES.labels, CLASSES, SIZE, scores=BOXES.scores)
    assert (BOXES.draw() != plain.draw()).any()
