"""Objects with masks, drawn on their image."""

from typing import Protocol

import cv2
import numpy as np

from cvtasks.drawing.annotate import Framed, tag_size, usual_scale, words_of, write_tag
from cvtasks.drawing.colours import distinct_palette, palette_of, shade

_VOID = 255  # colours of a palette that are a class's, and one more for void
_OPACITY = 0.45
_DASH = 4  # pixels
_FEW = 20  # objects; of more, those that are smaller than their tag go without one


class Masked(Framed, Protocol):
    """Objects with masks, as `cvtasks.answers.Instances` has them."""

    def __len__(self) -> int: ...

    def crop(self, index: int) -> tuple[np.ndarray, tuple[int, int]]:
        """(h, w) bool, the part of the mask that shows the object, and its left top corner."""


def draw_instances(image: np.ndarray, found: Masked) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with a translucent mask and an outline on every object, and
    its name, track and score.

    Objects of one class have shades of its colour (`palette_of`), where there is but one class
    colours of their own. Scores of 1, as in a truth, are not written; difficult objects and crowds
    have an outline alone, and one whose mask shows nothing a thin frame. Where there are more than
    20 objects, those that are smaller than their words go without.
    """
    drawn = np.ascontiguousarray(image).copy()
    scale, colours = usual_scale(image), _colours(found)
    thick = max(1, round(2 * scale))
    order = np.argsort(found.scores, kind="stable").tolist()  # the surest on top
    for i in order:
        part, (x, y) = found.crop(i)
        if not part.size:
            left, top, right, bottom = np.round(found.xyxy[i]).astype(int).tolist()
            cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), colours[i], 1, cv2.LINE_AA)
            continue
        if found.counted[i]:
            _fill(drawn[y : y + part.shape[0], x : x + part.shape[1]], part, colours[i])
        rings, _ = cv2.findContours(
            part.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y)
        )
        broad = thick if found.counted[i] and not found.filled[i] else 1
        cv2.drawContours(drawn, rings, -1, colours[i], broad, cv2.LINE_AA)
    for i in order:
        left, top, right, bottom = np.round(found.xyxy[i]).astype(int).tolist()
        words = words_of(found, i)
        height, width = tag_size(words, scale)
        if len(found) <= _FEW or (right - left >= width and bottom - top >= height):
            write_tag(drawn, words, (left, top), colours[i], scale)
    return drawn


def outlined(
    image: np.ndarray, found: Masked, colour: tuple[int, int, int], *, dashed: bool = False
) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with a line along the edge of every mask, a pixel wide."""
    drawn = np.ascontiguousarray(image).copy()
    for i in range(len(found)):
        part, corner = found.crop(i)
        rings, _ = cv2.findContours(
            part.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=corner
        )
        for ring in rings:
            places = ring[:, 0]
            if dashed:
                places = places[np.arange(len(places)) // _DASH % 2 == 0]
            drawn[places[:, 1], places[:, 0]] = colour
    return drawn


def _fill(place: np.ndarray, part: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Mix a colour into the pixels of a place (h, w, 3) that a part (h, w) shows."""
    plain = np.full_like(place, colour)
    mixed = cv2.addWeighted(place, 1 - _OPACITY, plain, _OPACITY, 0)
    place[part] = mixed[part]


def _colours(found: Masked) -> list[tuple[int, int, int]]:
    """A colour for each object, in the order of the objects; one that is tracked keeps its own."""
    chosen, seen = [], [0] * len(found.classes)
    own, alone = palette_of(found.classes), distinct_palette()
    for label, track in zip(found.labels.tolist(), found.tracks.tolist(), strict=True):
        number = seen[label] if track < 0 else track
        seen[label] += 1
        if len(found.classes) == 1:
            red, green, blue = alone[1 + number % (_VOID - 1)].tolist()
            chosen.append((red, green, blue))
        else:
            red, green, blue = own[(label + 1) % _VOID].tolist()
            chosen.append(shade((red, green, blue), number))
    return chosen
