"""Drawing: pure, every function returns a new picture."""

import cv2
import numpy as np

from cvtasks.answers import VOID, Mask

_FONT = cv2.FONT_HERSHEY_SIMPLEX


def voc_palette() -> np.ndarray:
    """(256, 3) uint8 RGB: the VOC colour map (VOClabelcolormap.m); bit j of an id goes to bit 7 − j ÷ 3 of channel j % 3.

    >>> voc_palette()[[0, 8, 15, 255]].tolist()
    [[0, 0, 0], [64, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours


def draw_mask(image: np.ndarray, mask: Mask, opacity: float = 0.55) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with the mask over it; background and void stay as they are, a legend names the rest."""
    colours = np.ascontiguousarray(voc_palette()[mask.ids])
    mixed = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    shown = (mask.ids > 0) & (mask.ids != VOID)
    drawn = np.where(shown[..., None], mixed, image)
    present = [i for i in np.flatnonzero(mask.counts()) if i > 0]
    return draw_legend(drawn, [(mask.classes[i], tuple(voc_palette()[i].tolist())) for i in present])


def draw_legend(image: np.ndarray, entries: list[tuple[str, tuple[int, int, int]]]) -> np.ndarray:
    """The picture with a box of (name, RGB) entries in its upper left corner; as it was where there are none."""
    drawn = np.ascontiguousarray(image).copy()
    if not entries:
        return drawn
    scale = float(np.clip(min(image.shape[:2]) / 900, 0.35, 1.2))
    thick = max(1, round(2 * scale))
    (_, letter), _ = cv2.getTextSize("Ag", _FONT, scale, thick)
    row, gap = round(letter * 1.7), max(2, letter // 2)
    width = max(cv2.getTextSize(_printable(name), _FONT, scale, thick)[0][0] for name, _ in entries) + row + 2 * gap
    height = row * len(entries) + 2 * gap
    corner = drawn[:height, :width]
    corner[:] = (corner * 0.35).astype(np.uint8)
    for i, (name, colour) in enumerate(entries):
        top = gap + i * row
        cv2.rectangle(drawn, (gap, top + row // 6), (gap + letter, top + row // 6 + letter), colour, -1, cv2.LINE_AA)
        baseline = (gap * 2 + letter, top + row // 6 + letter)
        cv2.putText(drawn, _printable(name), baseline, _FONT, scale, (255, 255, 255), thick, cv2.LINE_AA)
    return drawn


def _printable(name: str) -> str:
    """OpenCV's letters are ASCII; anything else becomes a question mark."""
    return name.encode("ascii", "replace").decode()
