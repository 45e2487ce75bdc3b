"""Pages: what is drawn stands where it was put, in the colours that were asked for, whatever it is
called.
"""

from xml.etree import ElementTree

import numpy as np
import pytest

from cvtasks.drawing.sheets import Page, Scale, Tile, enlarged_to, grid, sheet, text_width

RED = (255, 0, 0)


def filled(height: int, width: int) -> np.ndarray:
    """A red image."""
    return np.full((height, width, 3), RED, np.uint8)


def reds(drawn: np.ndarray) -> np.ndarray:
    """Where it is red."""
    return (drawn == RED).all(axis=2)


def test_an_image_stands_where_it_was_put_pixel_for_pixel() -> None:
    page = Page(10, 8, 4)
    page.image(2, 1, filled(12, 8))
    drawn = page.pixels()
    assert drawn.shape == (32, 40, 3)
    expected = np.zeros((32, 40), bool)
    expected[4:16, 8:16] = True
    np.testing.assert_array_equal(reds(drawn), expected)


def test_a_page_grows_with_what_is_drawn_on_it() -> None:
    page = Page(unit=4, margin=1)
    page.image(2, 1, filled(12, 8))
    assert page.pixels().shape == (20, 20, 3)
    page.shape([(0, 0), (9, 0), (9, 7)], "#ff0000")
    assert page.pixels().shape == (32, 40, 3)
    page.text(2, 3, "a line that is longer than all else", 14)
    assert page.pixels().shape[1] > 12 + text_width("a line that is longer than all else", 14)


def test_a_small_image_is_enlarged_by_squares() -> None:
    checks = np.array([[RED, (0, 0, 255)], [(0, 0, 255), RED]], np.uint8)
    page = Page(20, 20)
    page.image(0, 0, checks, 20, 20)
    np.testing.assert_array_equal(page.pixels(), checks.repeat(10, axis=0).repeat(10, axis=1))


@pytest.mark.parametrize("words", ["", "plain", "$x^2$ and $", "_hidden", "猫 \x1b[31m", "a\\b"])
def test_any_words_can_be_written(words: str) -> None:
    """Letters that the font lacks are escaped, without a warning; nothing is read as a formula."""
    drawn = sheet([Tile(filled(30, 40), f"{words}\n{words}")], words, [words], Scale("blue_red"))
    assert reds(drawn).sum() >= 28 * 38  # all but a line around it
    assert (text_width(words) > 0) == bool(words)


def test_tiles_stand_in_rows_below_a_title() -> None:
    tiles = [Tile(filled(30, 40), str(number)) for number in range(5)]
    rows = reds(sheet(tiles, "five", columns=2)).any(axis=1)
    assert (np.diff(rows.astype(int)) == 1).sum() == 3
    assert sheet(tiles, "five " * 40).shape[1] > text_width("five " * 40, 20)


def test_a_grid_holds_images_of_several_sizes() -> None:
    drawn = grid([filled(4, 6), filled(2, 2), filled(6, 3)], 2)
    assert reds(drawn).sum() == 4 * 6 + 2 * 2 + 6 * 3
    assert enlarged_to(filled(3, 2), 12).shape == (12, 8, 3)


def test_texts_of_an_svg_are_texts_and_it_is_the_same_each_time() -> None:
    def made() -> str:
        page = Page(100, 50)
        page.text(10, 10, "a <text> & more")
        page.shape([(10, 20), (20, 20), (20, 30)], "#ff0000", -0.2)
        return page.svg()

    root = ElementTree.fromstring(made())
    texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a <text> & more"]
    assert made() == made()
