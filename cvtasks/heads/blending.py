"""Scores of overlapping tiles, blended to ids of the image with room for one row of tiles."""

import cv2
import numpy as np

from cvtasks.answers import VOID
from cvtasks.geometry.tiles import Tile

_OF_WHOLE = 0.5  # weight of what the reduced whole says beside a tile: it decides where tiles doubt


class Blend:
    """Scores of tiles, row by row from the top, → the best class of each pixel.

    Where tiles overlap, a score counts by its distance to the edge of its tile.

    Args:
        size: (height, width) of the image.
        classes: how many there are.
        threshold: where the best class has less, the pixel is `unsure`.
        whole: (h, w, classes) float32, scores of the reduced whole, if there are any; they count
            half as much as a tile's.
    """

    def __init__(
        self,
        size: tuple[int, int],
        classes: int,
        threshold: float,
        unsure: int,
        whole: np.ndarray | None = None,
    ) -> None:
        self.ids: np.ndarray = np.full(size, VOID, np.uint8)
        self._classes, self._threshold, self._unsure = classes, threshold, unsure
        self._whole, self._top = whole, 0
        self._sums: np.ndarray = np.zeros((classes, 0, size[1]), np.float32)
        self._weights: np.ndarray = np.zeros((0, size[1]), np.float32)

    def add(self, tile: Tile, scores: np.ndarray) -> None:
        """Add what a tile says.

        Args:
            scores: (h, w, classes) float32 of any size.
        """
        self._finish(tile.top)
        self._make_room(tile.top + tile.height)
        weights = np.outer(_ramp(tile.height), _ramp(tile.width))
        rows = slice(tile.top - self._top, tile.top - self._top + tile.height)
        columns = slice(tile.left, tile.left + tile.width)
        self._weights[rows, columns] += weights
        for index in range(self._classes):  # plane by plane: OpenCV knows four channels, not twenty
            plane = _resized(scores[..., index], (tile.height, tile.width))
            if self._whole is not None:
                plane = plane + _OF_WHOLE * self._seen_in_whole(tile, index)
            self._sums[index, rows, columns] += plane * weights

    def close(self) -> np.ndarray:
        """The ids of all pixels, (h, w) uint8."""
        self._finish(len(self.ids))
        return self.ids

    def _seen_in_whole(self, tile: Tile, index: int) -> np.ndarray:
        """A class's scores of the whole where a tile lies, at the tile's size."""
        whole = np.ascontiguousarray(self._whole[..., index])  # type: ignore[index]  # asked before
        height, width = self.ids.shape
        down, across = whole.shape[0] / height, whole.shape[1] / width
        # OpenCV counts from the centre of the first pixel
        matrix = np.array(
            [
                [across, 0, (tile.left + 0.5) * across - 0.5],
                [0, down, (tile.top + 0.5) * down - 0.5],
            ]
        )
        return cv2.warpAffine(
            whole,
            matrix,
            (tile.width, tile.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _make_room(self, bottom: int) -> None:
        missing = bottom - self._top - len(self._weights)
        if missing > 0:
            self._sums = np.pad(self._sums, ((0, 0), (0, missing), (0, 0)))
            self._weights = np.pad(self._weights, ((0, missing), (0, 0)))

    def _finish(self, top: int) -> None:
        """Settle the rows above `top`, on which no further tile lies."""
        count = min(top - self._top, len(self._weights))
        if count <= 0:
            return
        rows = slice(self._top, self._top + count)
        best, highest = self._sums[:, :count].argmax(axis=0), self._sums[:, :count].max(axis=0)
        ids = best.astype(np.uint8)
        if self._threshold:
            scale = 1.0 if self._whole is None else 1 + _OF_WHOLE
            ids[highest < self._threshold * scale * self._weights[:count]] = self._unsure
        ids[highest <= 0] = VOID
        self.ids[rows] = ids
        self._sums = self._sums[:, count:].copy()  # what is settled needs no room
        self._weights = self._weights[count:].copy()
        self._top += count


def _ramp(length: int) -> np.ndarray:
    """(length,) float32: the distance of each pixel's centre to the nearer end."""
    centres = np.arange(length, dtype=np.float32) + np.float32(0.5)
    return np.minimum(centres, length - centres)


def _resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane (h, w) of scores at another (height, width), bilinear."""
    plane = np.ascontiguousarray(plane, np.float32)
    return plane if plane.shape == size else cv2.resize(plane, size[::-1])
