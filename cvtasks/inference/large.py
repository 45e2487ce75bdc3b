"""Large images that are read strip by strip, as they are drawn."""

from collections.abc import Callable

import numpy as np

from cvtasks.answers import Answer
from cvtasks.data.loading.warp import Warp
from cvtasks.media.strips import Strips


def to_draw(image: np.ndarray, answer: Answer) -> tuple[np.ndarray, Answer]:
    """An image and its answer as they are drawn: as they are, or, of `Strips`, the overview and
    what the answer says of it.
    """
    if not isinstance(image, Strips):
        return image, answer
    seen = image.overview
    size = seen.shape[:2]
    reduced = Warp(image.shape[:2], size, False, np.eye(2), (0, 0), size)
    return seen, answer.warp(reduced, 0.0)


class Once:
    """Words about an image, empty where they are those of the image before."""

    def __init__(self, words: Callable[[np.ndarray], str]) -> None:
        self._words, self._last = words, ""

    def __call__(self, image: np.ndarray) -> str:
        """The words, if they are new."""
        before, self._last = self._last, self._words(image)
        return "" if self._last == before else self._last
