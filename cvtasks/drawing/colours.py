"""Colours of classes: Pascal VOC's for its own, others that can be told apart for any others."""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

VOC_NAMES: tuple[str, ...] = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
"""The challenge's classes, in the order of their ids."""

_STEP = 15  # between the values of a channel that are looked at
_LIGHTNESS, _CHROMA = (
    (38.0, 92.0),
    30.0,
)  # of CIELAB: neither as dark as a legend's ground, nor grey


@cache
def voc_palette() -> np.ndarray:
    """(256, 3) uint8 RGB: the VOC colour map (VOClabelcolormap.m); bit j of an id goes to bit 7 − j
    ÷ 3 of channel j % 3.

    >>> voc_palette()[[0, 8, 15, 255]].tolist()
    [[0, 0, 0], [64, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    colours.setflags(write=False)  # it is shared
    return colours


@cache
def distinct_palette() -> np.ndarray:
    """(256, 3) uint8 RGB: colours each of which is as far as can be, in CIELAB, from all before it;
    the first is black, for a background, and the last for void.

    >>> distinct_palette()[:3].tolist()
    [[0, 0, 0], [255, 0, 0], [0, 255, 0]]
    """
    axis = np.arange(0, 256, _STEP, dtype=np.uint8)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = lab_of(grid)
    light, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    good = (light > _LIGHTNESS[0]) & (light < _LIGHTNESS[1]) & (chroma > _CHROMA)
    grid, lab = grid[good], lab[good]
    chosen = [int(np.flatnonzero((grid == (255, 0, 0)).all(axis=1))[0])]
    apart = np.full(len(grid), np.inf)
    while len(chosen) < 255:
        apart = np.minimum(apart, np.linalg.norm(lab - lab[chosen[-1]], axis=1))
        chosen.append(int(apart.argmax()))
    colours = np.concatenate([np.zeros((1, 3), np.uint8), grid[chosen]])
    colours.setflags(write=False)  # it is shared
    return colours


def lab_of(colours: np.ndarray) -> np.ndarray:
    """(n, 3) uint8 RGB → (n, 3) float32 CIELAB: lightness and two more, about ±100."""
    scaled = colours.astype(np.float32)[None] / 255
    return cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)[0]


def palette_of(classes: Sequence[str]) -> np.ndarray:
    """(256, 3) uint8 RGB: the colour of each class, counted from 1: VOC's where they are its
    classes in its order, so that each has its own; else those that can be told apart best.

    >>> palette_of(VOC_NAMES[1:]) is voc_palette(), palette_of(("cat", "dog")) is voc_palette()
    (True, False)
    """
    own = tuple(classes) in (VOC_NAMES, VOC_NAMES[1:])
    return voc_palette() if own else distinct_palette()


_SHADES = ((0.0, 0), (0.45, 255), (0.4, 0), (0.25, 255), (0.22, 0), (0.6, 255))
"""Shares of white or black in the shades of a colour."""


def shade(colour: tuple[int, int, int], number: int) -> tuple[int, int, int]:
    """The colour itself for 0, and others of its kind after it, which begin again after six.

    >>> shade((200, 0, 0), 0), shade((200, 0, 0), 1), shade((200, 0, 0), 2)
    ((200, 0, 0), (225, 115, 115), (120, 0, 0))
    """
    share, ground = _SHADES[number % len(_SHADES)]
    red, green, blue = (round(value + share * (ground - value)) for value in colour)
    return red, green, blue
