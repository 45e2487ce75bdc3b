"""An image and its truth under one affine map into a window, with honest boxes where the window
cuts objects.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from cvtasks.answers import VOID, Boxes, Mask
from cvtasks.geometry.boxes import areas, clip
from cvtasks.geometry.letterbox import GREY, scaled, scaled_ids
from cvtasks.recipe.recipe import Data

THINNEST = 2.0
"""Pixels of the window; an object that is thinner there cannot be learned."""
SMALLEST = 4.0
"""Square pixels of the window; of an object with less than that nothing remains."""


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

    def mask(self, truth: Mask) -> Mask:
        """The ids that show in the window, void around them; no id is invented (nearest pixel)."""
        ids = scaled_ids(truth.ids, self.scaled)
        if self.mirrored:
            ids = cv2.flip(ids, 1)
        if self._turns:
            return replace(
                truth, ids=self._turned(ids, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT, VOID)
            )
        inside, rest = self._cut(ids)
        return replace(
            truth, ids=cv2.copyMakeBorder(inside, *rest, cv2.BORDER_CONSTANT, value=VOID)
        )

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

    def boxes(self, truth: Boxes, visible: float) -> Boxes:
        """The objects that show in the window, with boxes around what shows of them.

        A remnant, of which less than `visible` (a share of its box) shows or which is thinner than
        `THINNEST`, is neither an object nor background: it becomes difficult. It goes where less
        than `SMALLEST` of it is left.

        A turned box is the one around the turned *ellipse* that fits the box: the box around turned
        corners is too large for all but rectangular objects (Kalra et al., "Towards Rotation
        Invariance in Object Detection", 2021). Keep angles small. An object's area grows by the
        map's determinant and shrinks by what is cut off.
        """
        matrix = self.matrix
        linear = matrix[:, :2]
        edges = clip(truth.xyxy.astype(np.float64), truth.size)
        middle = (edges[:, :2] + edges[:, 2:]) / 2 @ linear.T + matrix[:, 2]
        half = np.sqrt(((edges[:, 2:] - edges[:, :2]) / 2) ** 2 @ (linear**2).T)
        whole = np.concatenate([middle - half, middle + half], axis=1)
        shown = clip(whole, self.window)
        left = areas(shown)
        share = left / np.maximum(areas(whole), np.finfo(np.float64).tiny)
        remnant = (share < visible) | (
            (shown[:, 2:] - shown[:, :2]).min(axis=1, initial=np.inf) < THINNEST
        )
        moved = replace(
            truth,
            xyxy=shown.astype(np.float32),
            difficult=truth.difficult | remnant,
            areas=(truth.areas * abs(np.linalg.det(linear)) * share).astype(np.float32),
            size=self.window,
        )
        return moved.take(left >= SMALLEST)


def draw_warp(
    rng: np.random.Generator, data: Data, side: int, size: tuple[int, int], window: tuple[int, int]
) -> Warp:
    """Draw the way of an image of `size` into a `window`, both (height, width).

    Its longest side becomes `side` pixels times a factor from `data.scale`; what is larger than the
    window is cut at random, what is smaller lies in it at random.
    """
    low, high = (max(1, round(side * factor)) for factor in data.scale)
    longest = int(rng.integers(low, high + 1))
    tall, wide = (max(1, round(length * longest / max(size))) for length in size)
    mirrored = bool(rng.random() < data.flip)
    turn = _turn(rng, data)
    room = [window[1] - wide, window[0] - tall]
    x, y = (int(rng.integers(min(0, free), max(0, free) + 1)) for free in room)
    return Warp(size, (tall, wide), mirrored, turn, (x, y), window, edge=data.border == "edge")


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
