"""Letterbox: where an image lies on the network input."""

import numpy as np
import pytest

from cvtasks.geometry.letterbox import GREY, Letterbox, scaled, scaled_ids

SIZES = [(1, 1), (1, 1000), (1000, 1), (37, 61), (320, 240), (240, 320), (375, 500), (4000, 3000)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("input_size", [(64, 64), (320, 320), (64, 160)])
def test_the_window_lies_on_the_input_and_keeps_the_shape(
    size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    top, left, height, width = Letterbox(size, input_size).window
    assert 0 <= top <= top + height <= input_size[0]
    assert 0 <= left <= left + width <= input_size[1]
    assert height == input_size[0] or width == input_size[1], "one side fills the network input"
    scale = Letterbox(size, input_size).scale
    assert abs(height - size[0] * scale) <= 1
    assert abs(width - size[1] * scale) <= 1
    assert abs(top - (input_size[0] - top - height)) <= 1, "centred"


@pytest.mark.parametrize("size", SIZES)
def test_in_the_corner_the_window_begins_at_the_top_left(size: tuple[int, int]) -> None:
    centred, corner = Letterbox(size, (64, 160)), Letterbox(size, (64, 160), "corner")
    assert corner.window == (0, 0, *centred.window[2:])
    assert corner.scale == centred.scale
    box = np.array([[0, 0, size[1], size[0]]], np.float32)
    np.testing.assert_allclose(
        corner.boxes_to_input(box), [[0, 0, corner.window[3], corner.window[2]]]
    )
    np.testing.assert_allclose(corner.boxes_to_image(corner.boxes_to_input(box)), box, rtol=1e-6)


@pytest.mark.parametrize("size", SIZES[:-1])
def test_cut_is_the_inverse_of_placing(size: tuple[int, int]) -> None:
    box = Letterbox(size, (64, 96))
    white = np.full((*size, 3), 255, np.uint8)
    placed = box.to_input(white)
    assert placed.shape == (64, 96, 3)
    assert (box.crop(placed) == 255).all()
    _, _, height, width = box.window
    assert (placed == GREY).all(axis=-1).sum() == 64 * 96 - height * width


def test_an_image_of_the_input_own_size_is_untouched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    np.testing.assert_array_equal(Letterbox((64, 96), (64, 96)).to_input(image), image)


def test_ids_are_never_invented() -> None:
    ids = np.random.default_rng(0).choice([0, 7, 19, 255], (123, 77)).astype(np.uint8)
    assert set(Letterbox((123, 77), (64, 64)).ids_to_input(ids, fill=3).ravel().tolist()) <= {
        0,
        3,
        7,
        19,
        255,
    }


def test_another_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 20\).*got \(20, 10\)"):
        Letterbox((10, 20), (64, 64)).to_input(np.zeros((20, 10, 3), np.uint8))


@pytest.mark.parametrize(
    ("row", "width", "expected"),
    [
        ([9, 120, 7], 3, [9, 120, 7]),
        (
            [255, 0, 0] * 8,
            8,
            [85] * 8,
        ),  # a third: the mean of each three, where bilinear saw the middle one alone
        ([240, 0] * 8, 8, [120] * 8),  # one half: bilinear still sees both
        (
            [120, 0, 0, 120],
            3,
            [100, 0, 100],
        ),  # three quarters: at 1/6, 3/2 and 17/6, between pixels; areas gave 90, 0, 90
        ([0, 120], 4, [0, 30, 90, 120]),  # larger: at -1/4, 1/4, 3/4 and 5/4, held at the ends
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["across", "down"])
def test_an_image_is_scaled_by_one_rule(
    row: list[int], width: int, expected: list[int], turned: bool
) -> None:
    image, wanted = (
        np.tile(np.uint8(numbers)[None, :, None], (4, 1, 3)) for numbers in (row, expected)
    )
    size = (4, width)
    if turned:
        image, wanted, size = image.transpose(1, 0, 2), wanted.transpose(1, 0, 2), size[::-1]
    image = np.ascontiguousarray(image)
    np.testing.assert_allclose(scaled(image, size), wanted, atol=1)
    assert size != image.shape[:2] or scaled(image, size) is image


def test_ids_are_the_nearest_pixels() -> None:
    ids = np.uint8([[1, 2, 3, 4]])
    assert scaled_ids(ids, (1, 4)) is ids
    assert scaled_ids(ids, (1, 2)).tolist() == [
        [2, 4]
    ]  # pixels 0.5 to 1.5 and 2.5 to 3.5: the centre lies between two
    assert scaled_ids(ids, (2, 8)).tolist() == [[1, 1, 2, 2, 3, 3, 4, 4]] * 2
