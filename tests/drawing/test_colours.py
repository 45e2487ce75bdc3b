"""Colours of classes: all that are drawn together can be told apart."""

import numpy as np
import pytest

from cvtasks.answers import Boxes, Mask
from cvtasks.drawing.annotate import draw_boxes, draw_mask
from cvtasks.drawing.colours import VOC_NAMES, distinct_palette, lab_of, palette_of, voc_palette


def apart(colours: np.ndarray) -> np.ndarray:
    """(n, n) distances in CIELAB; of a colour from itself, infinity."""
    lab = lab_of(colours)
    distances = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances


@pytest.mark.parametrize(
    ("count", "least", "neighbours"), [(6, 80, 80), (20, 35, 45), (80, 18, 25)]
)
def test_classes_can_be_told_apart(count: int, least: float, neighbours: float) -> None:
    """A difference of 2.3 is just seen side by side; what is legible in a legend needs 15 or so."""
    distances = apart(distinct_palette()[1 : count + 1])
    assert distances.min() > least
    assert np.diag(distances, 1).min() > neighbours
    assert apart(voc_palette()[1 : count + 1]).min() < distances.min()


def test_the_palette_is_whole_and_has_every_colour_once() -> None:
    colours = distinct_palette()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert len(np.unique(colours, axis=0)) == 256
    assert colours[0].tolist() == [0, 0, 0]


def test_voc_classes_keep_their_colours() -> None:
    assert palette_of(VOC_NAMES) is voc_palette()
    assert palette_of(VOC_NAMES[1:]) is voc_palette()
    assert palette_of(("background", "person", "cat")) is distinct_palette()  # not the aeroplane's
    assert palette_of(("background", "nucleus")) is distinct_palette()


def test_a_first_class_that_is_no_background_is_drawn() -> None:
    ids = np.repeat(np.array([[0, 1]], np.uint8), 200, axis=0).repeat(100, axis=1)
    image = np.full((200, 200, 3), 50, np.uint8)
    for classes, changed in ((("background", "road"), False), (("sky", "road"), True)):
        drawn = draw_mask(image, Mask(ids, classes), opacity=1.0)
        assert bool((drawn[-1, 0] != 50).any()) is changed
        assert (drawn[-1, -1] != 50).any()
        assert not changed or (drawn[-1, 0] != drawn[-1, -1]).any()


def test_boxes_have_the_colours_of_their_classes() -> None:
    classes = ("nucleus", "cell")
    boxes = Boxes.of([[10, 10, 90, 90], [110, 10, 190, 90]], [0, 1], classes, (100, 200))
    drawn = draw_boxes(np.zeros((100, 200, 3), np.uint8), boxes)
    for label in (0, 1):
        assert (drawn == palette_of(classes)[label + 1]).all(axis=2).sum() > 50
