"""Drawing: pure, every function returns a new picture."""

from functools import cache

import cv2
import numpy as np

from cvtasks.answers import VOID, Boxes, Labels, Mask

_FONT = cv2.FONT_HERSHEY_SIMPLEX


@cache
def voc_palette() -> np.ndarray:
    """(256, 3) uint8 RGB: the VOC colour map (VOClabelcolormap.m); bit j of an id goes to bit 7 − j ÷ 3 of channel j % 3.

    >>> voc_palette()[[0, 8, 15, 255]].tolist()
    [[0, 0, 0], [64, 0, 0], [192, 128, 128], [224, 224, 192]]
    """
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    colours.setflags(write=False)  # it is shared
    return colours


def draw_mask(image: np.ndarray, mask: Mask, opacity: float = 0.55) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with the mask over it; background and void stay as they are, a legend names the rest."""
    colours = cv2.LUT(cv2.merge([mask.ids] * 3), voc_palette()[None])  # by OpenCV, all of it: much quicker than NumPy
    mixed = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    drawn = cv2.copyTo(mixed, cv2.inRange(mask.ids, 1, VOID - 1), image.copy())
    present = [i for i in np.flatnonzero(mask.counts()) if i > 0]
    return draw_legend(drawn, [(mask.classes[i], tuple(voc_palette()[i].tolist())) for i in present])


def draw_boxes(image: np.ndarray, boxes: Boxes) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with a frame around every object, in its class's VOC colour, and its name and score.

    Scores of 1, as in a truth, are not written; difficult objects and crowds have a thin frame.
    """
    drawn = np.ascontiguousarray(image).copy()
    scale = float(np.clip(min(image.shape[:2]) / 900, 0.35, 1.2))
    thick = max(1, round(2.5 * scale))
    for i in np.argsort(boxes.scores, kind="stable"):  # the surest on top
        colour = tuple(voc_palette()[(boxes.labels[i] + 1) % VOID].tolist())
        left, top, right, bottom = np.round(boxes.xyxy[i]).astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colour, thick if boxes.counted[i] else 1, cv2.LINE_AA)
        score = boxes.scores[i]
        text = _printable(boxes.names[i]) if score == 1 else f"{_printable(boxes.names[i])} {score:.2f}"
        (width, height), _ = cv2.getTextSize(text, _FONT, scale, 1)
        pad = max(2, height // 3)
        x = int(np.clip(left - thick // 2, 0, max(0, image.shape[1] - width - 2 * pad)))
        y = top if top >= height + 2 * pad else min(top + height + 2 * pad, image.shape[0] - 1)
        cv2.rectangle(drawn, (x, y - height - 2 * pad), (x + width + 2 * pad, y), colour, -1)
        light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
        ink = (0, 0, 0) if light > 130 else (255, 255, 255)
        cv2.putText(drawn, text, (x + pad, y - pad), _FONT, scale, ink, max(1, round(1.4 * scale)), cv2.LINE_AA)
    return drawn


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


def draw_labels(image: np.ndarray, labels: Labels, most: int = 5) -> np.ndarray:
    """Minimal for now."""
    factor = max(1, -(-160 // min(image.shape[:2])))
    drawn = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    return draw_legend(drawn, [(f"{labels.classes[i]} {labels.scores[i]:.0%}", (255, 255, 255)) for i in labels.shown[:most]])
