"""Figures about results: what is written above them can be read, and counts what is there."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from cvtasks.drawing import plots


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are turned into pixels."""
    figures: list[Figure] = []
    whole = plots.pixels_of

    def kept(figure: Figure) -> np.ndarray:
        figures.append(figure)
        return whole(figure)

    monkeypatch.setattr(plots, "pixels_of", kept)
    return figures


@pytest.mark.parametrize("name", ["cat", "a nucleus that divides just now"])
def test_the_title_of_a_matrix_is_not_cut(drawn: list[Figure], name: str) -> None:
    names = (name, "background")
    plots.matrix(np.eye(2, dtype=int), names, names, "objects at scores from 0.45")
    (figure,) = drawn
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = figure.findobj(Text)
    (title,) = (text for text in texts if text.get_text().startswith("objects at"))
    extent = title.get_window_extent(renderer)
    assert extent.x0 >= 0 and extent.x1 <= figure.bbox.width


def test_an_image_of_two_classes_is_one_image(drawn: list[Figure]) -> None:
    plots.count_bars({"cat": 3, "dog": 2}, "images", 4)
    assert drawn[0].axes[0].get_title() == "4 images, 2 classes"
