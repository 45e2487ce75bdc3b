"""Letterbox: an image of any size on the network's input, and the way back; how an image is scaled
for a network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np

Size: TypeAlias = tuple[int, int]
"""(height, width) in pixels."""

Placement = Literal["centre", "corner"]
"""Where an image lies on the network input: in the middle, or at the top left as YOLOX has it."""

GREY = 114
"""Fills the network input around the image (a mid grey, as most detectors use)."""


def scaled(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) uint8 → (height, width, 3) uint8: the one rule for training and prediction alike;
    itself if it has that size.

    Bilinear down to half the size, where it still looks at every pixel; the mean over an area below
    that, which takes eight times as long.
    """
    if image.shape[:2] == size:
        return image
    far = size[0] < 0.5 * image.shape[0] or size[1] < 0.5 * image.shape[1]
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if far else cv2.INTER_LINEAR)


def scaled_ids(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint8 → (height, width) uint8: the nearest pixel's, so that no id is invented."""
    return (
        ids
        if ids.shape == size
        else cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    )


@dataclass(frozen=True)
class Letterbox:
    """The map from an image to the network input: scaled to fit, aspect ratio kept, centred or at
    the top left.

    Attributes:
        size: (height, width) of the image, in pixels.
        input_size: (height, width) of the network input, in pixels.
        placement: "centre", or "corner" for the top left.
        zoom: how large the image is beside one that fills the input, above 0 and at most 1.
    """

    size: Size
    input_size: Size
    placement: Placement = "centre"
    zoom: float = 1.0

    @property
    def scale(self) -> float:
        """Pixels of the network input for one image pixel."""
        fills = min(self.input_size[0] / self.size[0], self.input_size[1] / self.size[1])
        return fills * self.zoom

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the image's place on the network input, in whole pixels, at
        least one each way.
        """
        height, width = (
            max(1, min(c, round(s * self.scale)))
            for s, c in zip(self.size, self.input_size, strict=True)
        )
        if self.placement == "corner":
            return 0, 0, height, width
        return (self.input_size[0] - height) // 2, (self.input_size[1] - width) // 2, height, width

    def to_input(self, image: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 → network input (H, W, 3) uint8, grey around it."""
        return self._placed(image, scaled, GREY)

    def place(self, image: np.ndarray) -> np.ndarray:
        """The image as it is at another size, (h, w, 3) uint8 → network input (H, W, 3) uint8."""
        return self._around(scaled(image, self.window[2:]), GREY)

    def ids_to_input(self, ids: np.ndarray, fill: int) -> np.ndarray:
        """(h, w) uint8 → network input (H, W) uint8, `fill` around it; no id is invented
        (nearest pixel).
        """
        return self._placed(ids, scaled_ids, fill)

    def _placed(
        self,
        array: np.ndarray,
        resize: Callable[[np.ndarray, tuple[int, int]], np.ndarray],
        fill: int,
    ) -> np.ndarray:
        if array.shape[:2] != self.size:
            raise ValueError(
                f"this letterbox is for images of {self.size} (height, width); got "
                f"{array.shape[:2]}."
            )
        return self._around(resize(array, self.window[2:]), fill)

    def _around(self, inside: np.ndarray, fill: int) -> np.ndarray:
        """What fills the image's place, with `fill` around it."""
        top, left, height, width = self.window
        if (height, width) == self.input_size:
            return inside
        placed = np.full((*self.input_size, *inside.shape[2:]), fill, inside.dtype)
        placed[top : top + height, left : left + width] = inside
        return placed

    def crop(self, output: np.ndarray) -> np.ndarray:
        """Output (H, W, ...) → the view of it that holds the image (height, width, ...)."""
        top, left, height, width = self.window
        return output[top : top + height, left : left + width]

    def boxes_to_input(self, xyxy: np.ndarray) -> np.ndarray:
        """(n, 4) edges in pixels of the image → float32 in pixels of the network input."""
        top, left, height, width = self.window
        scale = np.array([width / self.size[1], height / self.size[0]] * 2, np.float32)
        return xyxy.astype(np.float32) * scale + np.array([left, top] * 2, np.float32)

    def boxes_to_image(self, xyxy: np.ndarray) -> np.ndarray:
        """(n, 4) edges in pixels of the network input → float32 in pixels of the image; the inverse
        of `boxes_to_input`.
        """
        top, left, height, width = self.window
        scale = np.array([self.size[1] / width, self.size[0] / height] * 2, np.float32)
        return (xyxy.astype(np.float32) - np.array([left, top] * 2, np.float32)) * scale
