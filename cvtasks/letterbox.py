"""Letterbox: a picture of any size on the network's canvas, and the way back."""

from dataclasses import dataclass

import cv2
import numpy as np

GREY = 114
"""Fills the canvas around the picture (a mid grey, as most detectors use)."""


@dataclass(frozen=True)
class Letterbox:
    """The map from a picture to the canvas: scaled to fit, aspect ratio kept, centred.

    Attributes:
        size: (height, width) of the picture, in pixels.
        canvas: (height, width) of the canvas, in pixels.
    """

    size: tuple[int, int]
    canvas: tuple[int, int]

    @property
    def scale(self) -> float:
        """Canvas pixels for one picture pixel."""
        return min(self.canvas[0] / self.size[0], self.canvas[1] / self.size[1])

    @property
    def window(self) -> tuple[int, int, int, int]:
        """(top, left, height, width) of the picture's place on the canvas, in whole pixels, at least one each way."""
        height, width = (max(1, min(c, round(s * self.scale))) for s, c in zip(self.size, self.canvas, strict=True))
        return (self.canvas[0] - height) // 2, (self.canvas[1] - width) // 2, height, width

    def image(self, image: np.ndarray) -> np.ndarray:
        """(h, w, 3) uint8 → canvas (H, W, 3) uint8, grey around it."""
        # Bilinear looks at 2×2 pixels: enough down to half the size, and much quicker than the mean over an area.
        return self._placed(image, GREY, cv2.INTER_AREA if self.scale < 0.5 else cv2.INTER_LINEAR)

    def ids(self, ids: np.ndarray, fill: int) -> np.ndarray:
        """(h, w) uint8 → canvas (H, W) uint8, `fill` around it; no id is invented (nearest pixel)."""
        return self._placed(ids, fill, cv2.INTER_NEAREST_EXACT)

    def _placed(self, array: np.ndarray, fill: int, interpolation: int) -> np.ndarray:
        top, left, height, width = self.window
        if array.shape[:2] != self.size:
            raise ValueError(f"this letterbox is for pictures of {self.size} (height, width); got {array.shape[:2]}.")
        inside = array
        if array.shape[:2] != (height, width):
            inside = cv2.resize(array, (width, height), interpolation=interpolation)
        if (height, width) == self.canvas:
            return inside
        placed = np.full((*self.canvas, *array.shape[2:]), fill, array.dtype)
        placed[top : top + height, left : left + width] = inside
        return placed

    def cut(self, output: np.ndarray) -> np.ndarray:
        """Canvas (H, W, ...) → the view of it that holds the picture (height, width, ...)."""
        top, left, height, width = self.window
        return output[top : top + height, left : left + width]

    def boxes(self, xyxy: np.ndarray) -> np.ndarray:
        """(n, 4) edges in pixels of the picture → float32 in pixels of the canvas."""
        top, left, height, width = self.window
        scale = np.array([width / self.size[1], height / self.size[0]] * 2, np.float32)
        return xyxy.astype(np.float32) * scale + np.array([left, top] * 2, np.float32)

    def boxes_back(self, xyxy: np.ndarray) -> np.ndarray:
        """(n, 4) edges in pixels of the canvas → float32 in pixels of the picture; the inverse of `boxes`."""
        top, left, height, width = self.window
        scale = np.array([self.size[1] / width, self.size[0] / height] * 2, np.float32)
        return (xyxy.astype(np.float32) - np.array([left, top] * 2, np.float32)) * scale
