"""An image under an affine map into a window; its truth follows by `Answer.warp`."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from cvtasks.answers import VOID
from cvtasks.geometry.letterbox import GREY, scaled, scaled_ids
from cvtasks.recipe.recipe import Data


@dataclass(frozen=True, eq=False)
class Warp:
    """From an image to a window: scaled, mirrored, turned and sheared about its centre, shifted,
    cut off.

    Attributes:
        size: (height, width) of the image.
        scaled: (height, width) to which it is resized first.
        mirrored: whether left and right change places.
        turn: (2, 2) linear map about the centre of the scaled image.
        shift: (x, y) of the scaled image's corner in the window, in whole pixels; below 0 where the
            window cuts it.
        window: (height, width) of the result.
        edge: where the image does not reach, its edge is repeated; else there is grey.
    """

    size: tuple[int, int]
    scaled: tuple[int, int]
    mirrored: bool
    turn: np.ndarray
    shift: tuple[int, int]
    window: tuple[int, int]
    edge: bool = False

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) float64: edges (x, y) of the image → edges of the window."""
        (height, width), (tall, wide) = self.size, self.scaled
        middle = np.array([wide, tall]) / 2
        linear = self.turn @ np.diag(
            [-wide / width if self.mirrored else wide / width, tall / height]
        )
        centre = np.array([width, height]) / 2
        return np.column_stack([linear, middle + self.shift - linear @ centre])

    def image(
        self, image: np.ndarray, recolour: Callable[[np.ndarray], np.ndarray] = lambda seen: seen
    ) -> np.ndarray:
        """(h, w, 3) uint8 → the window (H, W, 3) uint8.

        Args:
            recolour: (h, w, 3) uint8 → the same size in other colours; done to what is seen of the
                image and not to the grey around it, which always has one colour, as the letterbox's
                has at prediction.
        """
        image = scaled(image, self.scaled)
        if self.mirrored:
            image = cv2.flip(image, 1)
        if self._turns:
            return self._turned(recolour(image), cv2.INTER_LINEAR, self._border, (GREY,) * 3)
        inside, rest = self._cut(image)
        inside = recolour(inside)
        return (
            cv2.copyMakeBorder(inside, *rest, self._border, value=(GREY,) * 3)
            if any(rest)
            else inside
        )

    def ids(self, ids: np.ndarray) -> np.ndarray:
        """(h, w) uint8 → the ids that show in the window (H, W), void around them; none is invented
        (nearest pixel).
        """
        ids = scaled_ids(ids, self.scaled)
        if self.mirrored:
            ids = cv2.flip(ids, 1)
        if self._turns:
            return self._turned(ids, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, VOID)
        inside, rest = self._cut(ids)
        return cv2.copyMakeBorder(inside, *rest, cv2.BORDER_CONSTANT, value=VOID)

    def _cut(self, array: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
        """What the window shows of (h, w, ...), and how much of the window is above, below, left
        and right of it.
        """
        (x, y), (height, width) = self.shift, self.window
        inside = array[max(-y, 0) : height - y, max(-x, 0) : width - x]
        top, left = max(y, 0), max(x, 0)
        return inside, (top, height - top - len(inside), left, width - left - inside.shape[1])

    @property
    def _turns(self) -> bool:
        return bool((self.turn != np.eye(2)).any())

    @property
    def _border(self) -> int:
        """OpenCV's name of what fills the rest."""
        return cv2.BORDER_REPLICATE if self.edge else cv2.BORDER_CONSTANT

    def _turned(
        self, array: np.ndarray, flags: int, border: int, fill: int | tuple[int, ...]
    ) -> np.ndarray:
        middle = (
            np.array(self.scaled[::-1]) / 2 - 0.5
        )  # OpenCV counts from the centre of the first pixel
        matrix = np.column_stack([self.turn, middle + self.shift - self.turn @ middle])
        return cv2.warpAffine(
            array, matrix, self.window[::-1], flags=flags, borderMode=border, borderValue=fill
        )


def draw_warp(
    rng: np.random.Generator, data: Data, side: int, size: tuple[int, int], window: tuple[int, int]
) -> Warp:
    """Draw the way of an image of `size` into a `window`, both (height, width).

    Its longest side becomes `side` pixels times a factor from `data.scale`; what is larger than the
    window is cut at random, what is smaller lies in it at random. With `data.resized_crop`, a crop
    of the image fills the window instead.
    """
    if data.resized_crop:
        return _resized_crop(rng, data, size, window)
    low, high = (max(1, round(side * factor)) for factor in data.scale)
    longest = int(rng.integers(low, high + 1))
    tall, wide = (max(1, round(length * longest / max(size))) for length in size)
    mirrored = bool(rng.random() < data.flip)
    turn = _turn(rng, data)
    room = [window[1] - wide, window[0] - tall]
    x, y = (int(rng.integers(min(0, free), max(0, free) + 1)) for free in room)
    return Warp(size, (tall, wide), mirrored, turn, (x, y), window, edge=data.border == "edge")


_ASPECT = math.log(4 / 3)  # a crop is that much wider or higher than a square, at most


def _resized_crop(
    rng: np.random.Generator, data: Data, size: tuple[int, int], window: tuple[int, int]
) -> Warp:
    """A random crop, resized to the window.

    Source: Szegedy et al., "Going Deeper with Convolutions" (2014), section 6.
    """
    height, width = size
    area = rng.uniform(data.resized_crop, 1) * height * width
    aspect = math.exp(rng.uniform(-_ASPECT, _ASPECT))
    wide, tall = min(math.sqrt(area * aspect), width), min(math.sqrt(area / aspect), height)
    scaled = (
        max(window[0], round(height * window[0] / tall)),
        max(window[1], round(width * window[1] / wide)),
    )
    mirrored = bool(rng.random() < data.flip)
    turn = _turn(rng, data)
    x, y = (int(rng.integers(window[axis] - scaled[axis], 1)) for axis in (1, 0))
    return Warp(size, scaled, mirrored, turn, (x, y), window, edge=data.border == "edge")


def _turn(rng: np.random.Generator, data: Data) -> np.ndarray:
    """(2, 2): every other image is turned, and every other one sheared."""
    turn = np.eye(2)
    if data.rotate and rng.random() < 0.5:
        angle = np.radians(rng.uniform(-data.rotate, data.rotate))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if data.shear and rng.random() < 0.5:
        across, down = np.tan(np.radians(rng.uniform(-data.shear, data.shear, 2)))
        turn = turn @ np.array([[1.0, across], [down, 1.0]])
    return turn
