"""Boxes of several images laid into one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cvtasks.answers.box_statistics import lengths_of
from cvtasks.geometry.boxes import areas, intersections
from cvtasks.geometry.seams import Whole, joined
from cvtasks.geometry.tiles import Tile

if TYPE_CHECKING:
    from cvtasks.answers.boxes import Boxes

B = TypeVar("B", bound="Boxes")

_PASTED = 0.5  # share of the objects that are pasted into another image
_COVERED = 0.3  # of an object that one pasted over it may cover, at most
_REMNANT = 0.1  # of an object; less within a pasted box is no more than background


def all_of_tiles(
    parts: Sequence[tuple[Tile, B]], size: tuple[int, int], same: float
) -> tuple[B, Whole]:
    """The boxes of all tiles in pixels of the image, and the objects that they are
    (`cvtasks.geometry.seams.joined`).
    """
    shown = [
        part.take(lengths_of(part).max(axis=1, initial=0) >= tile.least) for tile, part in parts
    ]
    corners = [(tile.left, tile.top) for tile, _ in parts]
    every = shown[0].joined(shown[1:], corners, size)
    edges = np.array([tile.edges for tile, _ in parts], np.float32)
    tiles = edges.repeat([len(part) for part in shown], axis=0)
    return every, joined(every.xyxy, every.labels, every.scores, tiles, size, same)


def pasted_over(
    boxes: "Boxes", other: B, rng: np.random.Generator, visible: float
) -> tuple[B, np.ndarray]:
    """The objects of another truth that show where some of its boxes are laid over an image, and
    the pixels of these boxes, (h, w) bool; see `Boxes.pasted`.
    """
    place = np.zeros(boxes.size, bool)
    chosen = other.counted & (rng.random(len(other)) < _PASTED)
    chosen &= (intersections(other.xyxy, boxes.xyxy) <= _COVERED * areas(boxes.xyxy)).all(axis=1)
    for left, top, right, bottom in other.xyxy[chosen].round().astype(int):
        place[top:bottom, left:right] = True
    shares = np.array(
        [
            place[top:bottom, left:right].mean() if bottom > top and right > left else 0.0
            for left, top, right, bottom in other.xyxy.round().astype(int)
        ]
    ).reshape(-1)
    parts = replace(other, difficult=other.difficult | (shares < visible))
    return parts.take(chosen | (shares > _REMNANT)), place
