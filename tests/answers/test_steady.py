"""Masks of a video's frames, made steadier by the frames before them."""

import numpy as np

from cvtasks.answers import VOID, Boxes, Instances, Mask

CLASSES, SIZE = ("background", "cat", "dog"), (20, 30)


def square(x: int, y: int = 5, side: int = 8) -> np.ndarray:
    plane = np.zeros(SIZE, bool)
    plane[y : y + side, x : x + side] = True
    return plane


def one(plane: np.ndarray, label: int = 1, score: float = 0.9) -> Instances:
    return Instances.of([plane], [label], CLASSES, SIZE, scores=[score])


def test_most_frames_say_what_a_pixel_shows() -> None:
    frames = [Mask(np.full((1, 3), ids, np.uint8), CLASSES) for ids in ([0, 1, 2], [1, 1, 0])]
    now = Mask(np.array([[1, 0, VOID]], np.uint8), CLASSES)
    assert now.steady(frames).ids.tolist() == [[1, 1, VOID]]
    assert now.steady([]).ids.tolist() == now.ids.tolist()
    other = Mask(np.zeros((2, 2), np.uint8), CLASSES)
    assert now.steady([other, other]).ids.tolist() == now.ids.tolist()


def test_what_flickers_at_an_edge_is_steadied() -> None:
    ragged = square(4)
    ragged[5, 4:8] = False
    steady = one(ragged).steady([one(square(4)), one(square(4))])
    np.testing.assert_array_equal(steady.plane(0), square(4))
    assert steady.scores.tolist() == one(ragged).scores.tolist()
    assert steady.xyxy.tolist() == one(ragged).xyxy.tolist()


def test_masks_move_with_their_boxes() -> None:
    """Nothing is drawn behind an object that moves, and it loses nothing in front."""
    steady = one(square(9, 6)).steady([one(square(8, 5)), one(square(7, 4))])
    np.testing.assert_array_equal(steady.plane(0), square(9, 6))


def test_objects_of_other_classes_and_places_play_no_part() -> None:
    ragged = square(4)
    ragged[5, 4:8] = False
    for other in (one(square(4), label=2), one(square(18)), Instances.nothing(SIZE, CLASSES)):
        np.testing.assert_array_equal(one(ragged).steady([other] * 3).plane(0), ragged)
    assert len(Instances.nothing(SIZE, CLASSES).steady([one(square(4))])) == 0


def test_at_the_edge_of_the_frame() -> None:
    for x, y in ((0, 0), (22, 12)):
        cut = square(x, y)
        np.testing.assert_array_equal(one(cut).steady([one(cut)] * 2).plane(0), cut)


def test_boxes_stay() -> None:
    boxes = Boxes.of([[1, 2, 3, 4]], [1], CLASSES, SIZE)
    assert not Boxes.steadied and boxes.steady([boxes]) is boxes
    assert Instances.steadied and Mask.steadied
