"""Drawing: pure, every function returns a new image."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from cvtasks.drawing.colours import palette_of
from cvtasks.text import visible

_VOID = 255  # the id of a mask's pixels that count for nothing

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SMALL, _ENLARGED, _LONGEST = (
    160,
    320,
    4096,
)  # sides in pixels: of what is enlarged, and of what it becomes


class Painted(Protocol):
    """A class id for every pixel, as `cvtasks.answers.Mask` has them."""

    @property
    def ids(self) -> np.ndarray:
        """(h, w) uint8."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the ids."""

    def present(self) -> np.ndarray:
        """The ids that are there, but for background and void."""

    def ground(self, classes: Sequence[str]) -> int:
        """How many of the first classes are background: 0 or 1."""


class Framed(Protocol):
    """Objects in boxes, as `cvtasks.answers.Boxes` has them: arrays with an entry for each."""

    @property
    def xyxy(self) -> np.ndarray:
        """(n, 4): left, top, right, bottom."""

    @property
    def labels(self) -> np.ndarray:
        """(n,) class numbers."""

    @property
    def names(self) -> tuple[str, ...]:
        """(n) names of the classes."""

    @property
    def classes(self) -> tuple[str, ...]:
        """All names there are."""

    @property
    def scores(self) -> np.ndarray:
        """(n,) 0 to 1."""

    @property
    def counted(self) -> np.ndarray:
        """(n,) bool: neither difficult nor a crowd."""

    @property
    def tracks(self) -> np.ndarray:
        """(n,) numbers of the objects in a video; -1 where they are not known."""

    @property
    def filled(self) -> np.ndarray:
        """(n,) bool: put into a gap."""


class Ranked(Protocol):
    """Classes with scores, as `cvtasks.answers.Labels` has them."""

    @property
    def scores(self) -> np.ndarray:
        """(c,) 0 to 1, one a class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def shown(self) -> np.ndarray:
        """The classes that are shown, the best first."""


def words_of(boxes: Framed, index: int) -> str:
    """What is written at an object: its name, its track where that is known, and its score unless
    that is 1, as in a truth.
    """
    score, name = boxes.scores[index], boxes.classes[boxes.labels[index]]
    track = f" #{boxes.tracks[index]}" if boxes.tracks[index] >= 0 else ""
    return f"{name}{track}" if score == 1 else f"{name}{track} {score:.2f}"


def usual_scale(image: np.ndarray) -> float:
    """The size of letters that suits an image."""
    return float(np.clip(min(image.shape[:2]) / 900, 0.35, 1.2))


def draw_mask(image: np.ndarray, mask: Painted, opacity: float = 0.55) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with the mask over it; background and void stay as they are, a
    legend names the rest. Colours are those of the classes (`palette_of`).
    """
    ground, palette = mask.ground(mask.classes), palette_of(mask.classes)
    if not ground:
        palette = np.roll(palette, -1, axis=0)  # the first class is none that stays as it is
    colours = cv2.LUT(
        cv2.merge([mask.ids] * 3), palette[None]
    )  # by OpenCV, all of it: much quicker than NumPy
    mixed = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    drawn = cv2.copyTo(mixed, cv2.inRange(mask.ids, ground, _VOID - 1), image.copy())
    return draw_legend(
        drawn, [(mask.classes[i], tuple(palette[i].tolist())) for i in mask.present()]
    )


def draw_boxes(image: np.ndarray, boxes: Framed) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with a frame around every object, in its class's colour
    (`palette_of`), and its name, track and score.

    Scores of 1, as in a truth, are not written, nor tracks that are not known; difficult objects,
    crowds, and what was put into a gap have a thin frame.
    """
    drawn = np.ascontiguousarray(image).copy()
    scale = usual_scale(image)
    thick, palette = max(1, round(2.5 * scale)), palette_of(boxes.classes)
    for i in np.argsort(boxes.scores, kind="stable"):  # the surest on top
        colour = tuple(palette[(boxes.labels[i] + 1) % _VOID].tolist())
        left, top, right, bottom = np.round(boxes.xyxy[i]).astype(int).tolist()
        cv2.rectangle(
            drawn,
            (left, top),
            (right - 1, bottom - 1),
            colour,
            thick if boxes.counted[i] and not boxes.filled[i] else 1,
            cv2.LINE_AA,
        )
        text = words_of(boxes, int(i))
        write_tag(drawn, text, (left - thick // 2, top), colour, scale)
    return drawn


def tag_size(text: str, scale: float) -> tuple[int, int]:
    """(height, width) in pixels of what `write_tag` writes."""
    (width, height), _ = cv2.getTextSize(_printable(text), _FONT, scale, 1)
    pad = max(2, height // 3)
    return height + 2 * pad, width + 2 * pad


def write_tag(
    drawn: np.ndarray,
    text: str,
    corner: tuple[int, int],
    colour: tuple[int, int, int],
    scale: float,
) -> None:
    """Write on a ground of a colour, above a left top corner (x, y), or below it where there is no
    room.
    """
    text = _printable(text)
    (_, letters), _ = cv2.getTextSize(text, _FONT, scale, 1)
    (height, width), (left, top) = tag_size(text, scale), corner
    pad = (height - letters) // 2
    x = int(np.clip(left, 0, max(0, drawn.shape[1] - width)))
    y = top if top >= height else min(top + height, drawn.shape[0] - 1)
    cv2.rectangle(drawn, (x, y - height), (x + width, y), colour, -1)
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    cv2.putText(
        drawn,
        text,
        (x + pad, y - pad),
        _FONT,
        scale,
        (0, 0, 0) if light > 130 else (255, 255, 255),
        max(1, round(1.4 * scale)),
        cv2.LINE_AA,
    )


def draw_legend(image: np.ndarray, entries: list[tuple[str, tuple[int, int, int]]]) -> np.ndarray:
    """The image with a box of (name, RGB) entries in its upper left corner; as it was where there
    are none.
    """
    drawn = np.ascontiguousarray(image).copy()
    if not entries:
        return drawn
    scale = usual_scale(image)
    thick = max(1, round(2 * scale))
    (_, letter), _ = cv2.getTextSize("Ag", _FONT, scale, thick)
    row, gap = round(letter * 1.7), max(2, letter // 2)
    width = (
        max(cv2.getTextSize(_printable(name), _FONT, scale, thick)[0][0] for name, _ in entries)
        + row
        + 2 * gap
    )
    height = row * len(entries) + 2 * gap
    corner = drawn[:height, :width]
    corner[:] = (corner * 0.35).astype(np.uint8)
    for i, (name, colour) in enumerate(entries):
        top = gap + i * row
        cv2.rectangle(
            drawn,
            (gap, top + row // 6),
            (gap + letter, top + row // 6 + letter),
            colour,
            -1,
            cv2.LINE_AA,
        )
        baseline = (gap * 2 + letter, top + row // 6 + letter)
        cv2.putText(
            drawn, _printable(name), baseline, _FONT, scale, (255, 255, 255), thick, cv2.LINE_AA
        )
    return drawn


def draw_labels(image: np.ndarray, labels: Ranked, most: int = 5) -> np.ndarray:
    """(h, w, 3) uint8 RGB → the same with a panel of the `most` best classes, each with a bar and
    its score in percent.

    Scores of 1, as in a truth, are not written. An image with a shorter side below 160 pixels is
    enlarged by a whole factor, so that the words can be read.
    """
    drawn, palette = np.ascontiguousarray(enlarged(image)), palette_of(labels.classes)
    rows = [
        (labels.classes[i], float(labels.scores[i]), palette[(i + 1) % _VOID])
        for i in labels.shown[:most]
    ]
    height, width = drawn.shape[:2]
    scale = float(np.clip(min(height, width) / 750, 0.4, 1.3))
    thick = max(1, round(1.6 * scale))
    (_, letter), _ = cv2.getTextSize("Ag", _FONT, scale, thick)
    pad, row = max(4, round(letter * 0.6)), round(letter * 2)
    percents = [
        "" if score == 1 else "<1%" if score < 0.005 else f"{score:.0%}" for _, score, _ in rows
    ]
    numbers = (
        max(
            (cv2.getTextSize(text, _FONT, scale, thick)[0][0] for text in percents if text),
            default=-2 * pad,
        )
        + 2 * pad
    )
    room = max(width - numbers - 5 * pad, 1)
    names = [_fitted(name, room, scale, thick) for name, _, _ in rows] or [
        _fitted("no class is sure enough", room, scale, thick)
    ]
    widest = max(cv2.getTextSize(name, _FONT, scale, thick)[0][0] for name in names)
    inside = (
        max(widest + numbers + 2 * pad, min(round(0.3 * width), room)) if rows else widest + 2 * pad
    )
    corner = drawn[: row * len(names) + 2 * pad, : inside + 2 * pad]
    corner[:] = (corner * 0.35).astype(np.uint8)
    for i, (_, score, colour) in enumerate(rows):
        bar = drawn[
            pad + i * row : pad + (i + 1) * row - max(2, letter // 4),
            pad : pad + max(1, round(inside * score)),
        ]
        bar[:] = (bar * 0.2 + colour * 0.8).astype(np.uint8)
    for i, name in enumerate(names):
        baseline = pad + i * row + (row - max(2, letter // 4) + letter) // 2 - letter // 8
        percent = percents[i] if rows else ""
        right = pad + inside - pad - cv2.getTextSize(percent, _FONT, scale, thick)[0][0]
        for text, x in ((name, 2 * pad), (percent, right)):
            for ink, aside in (
                ((0, 0, 0), 1),
                ((255, 255, 255), 0),
            ):  # with a shadow: bars may be light
                cv2.putText(
                    drawn,
                    text,
                    (x + aside, baseline + aside),
                    _FONT,
                    scale,
                    ink,
                    thick,
                    cv2.LINE_AA,
                )
    return drawn


def enlarged(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) → a copy; with a shorter side below 160 pixels, enlarged by a whole factor to about
    320, 4096 on the longer.
    """
    shorter, longer = sorted(image.shape[:2])
    factor = max(1, min(-(-_ENLARGED // shorter), _LONGEST // longer)) if shorter < _SMALL else 1
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _fitted(text: str, width: int, scale: float, thick: int) -> str:
    """As much of the text as fits in `width` pixels, at least one letter; OpenCV's are ASCII."""
    text = _printable(text)
    while len(text) > 1 and cv2.getTextSize(text, _FONT, scale, thick)[0][0] > width:
        text = text[:-1]
    return text


def _printable(name: str) -> str:
    """OpenCV's letters are ASCII: what cannot be seen is escaped, any other letter becomes a
    question mark.
    """
    return visible(name).encode("ascii", "replace").decode()
