"""Images of errors, for people to look at; of boxes what should have been said in green, what was
said in red and dashed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np

from cvtasks.text import visible

TRUTH, PREDICTED = (60, 200, 90), (235, 60, 50)  # RGB
_WIDTH, _HEIGHT, _STRIP = 400, 320, 46  # of a tile's image, and of the strip with its caption below
_MARGIN = 0.6  # of what is shown around the boxes, as a share of their own size
_LEAST = 120  # pixels of the image, at least, in each direction
_PAPER, _INK, _PALE = (24, 24, 28), (255, 255, 255), (170, 170, 178)
_COLUMNS, _GAP, _HEAD = 4, 6, 24
_WIDE = 1700  # pixels of a sheet, about, at most
_PANEL = 300, 225  # width and height of each of several images beside each other
_DASH, _BREAK = 7, 5
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def error_tile(
    image: np.ndarray,
    caption: tuple[str, str],
    box: np.ndarray,
    other: np.ndarray | None,
    truth: np.ndarray,
    prediction: np.ndarray,
    of_truth: bool = False,
) -> np.ndarray:
    """The part of an image with an error, (366, 400, 3) uint8 RGB, and below it what is wrong.

    Args:
        image: (h, w, 3) uint8 RGB.
        caption: what is written below it, in two lines.
        box: (4,) of the prediction that is wrong, or of the object that was missed: `of_truth`
            then. Its frame is thick, and lies on the other one so that both are seen.
        other: (4,) of the object, or the prediction, that is nearest to it; its frame is thick too.
        truth, prediction: (n, 4) all objects, and all predictions that a user would see; their
            frames are thin.
    """
    xyxy = box[None] if other is None else np.stack([box, other])
    left, top, right, bottom = _window(xyxy, image.shape[:2])
    part = image[top:bottom, left:right]
    scale = min(_WIDTH / part.shape[1], _HEIGHT / part.shape[0])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.full((_HEIGHT + _STRIP, _WIDTH, 3), _PAPER, np.uint8)
    x, y = (_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2
    shown = tile[y : y + size[1], x : x + size[0]]
    shown[:] = part
    drawn = np.ascontiguousarray(shown)
    whole = ((0, 0), image.shape[1::-1])  # edges of the image: a frame there is drawn inside

    def frame(edges: np.ndarray, colour: tuple[int, int, int], thick: int) -> None:
        corners = edges.reshape(2, 2)
        placed = np.round((corners - (left, top)) * scale).astype(int) - ((0, 0), (1, 1))
        inside = np.clip(placed, 1, (size[0] - 2, size[1] - 2))
        low, high = np.where(corners == whole, inside, placed).tolist()
        cv2.rectangle(drawn, low, high, (0, 0, 0), thick + 2, cv2.LINE_AA)
        for start, end in _strokes(low, high, dashed=colour == PREDICTED):
            cv2.line(drawn, start, end, colour, thick, cv2.LINE_AA)

    for one in truth:
        frame(one, TRUTH, 1)
    for one in prediction:
        frame(one, PREDICTED, 1)
    mine, theirs = (TRUTH, PREDICTED) if of_truth else (PREDICTED, TRUTH)
    if other is not None:
        frame(other, theirs, 6)
    frame(box, mine, 2)
    shown[:] = drawn
    _write(tile, caption[0], (8, _HEIGHT + 18), 0.5, _INK)
    _write(tile, caption[1], (8, _HEIGHT + 37), 0.4, _PALE)
    return tile


def _strokes(
    low: list[int], high: list[int], dashed: bool
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """The lines of a frame; dashed for those who cannot tell the colours apart."""
    (left, top), (right, bottom) = low, high
    corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    for start, end in pairwise(corners):
        if not dashed:
            yield start, end
            continue
        from_, to = np.array(start), np.array(end)
        length = int(np.abs(to - from_).max())
        for begun in range(0, length, _DASH + _BREAK):
            ends = [from_ + (to - from_) * at // length for at in (begun, begun + _DASH)]
            one, other = np.clip(ends, low, high).tolist()
            yield (one[0], one[1]), (other[0], other[1])


def side_by_side(panels: Mapping[str, np.ndarray], caption: str) -> np.ndarray:
    """Name → image (h, w, 3) uint8 RGB, beside each other with their names, and a line below."""
    width, height = _PANEL
    tile = np.full((height + _STRIP, (width + _GAP) * len(panels) - _GAP, 3), _PAPER, np.uint8)
    for number, (name, image) in enumerate(panels.items()):
        scale = min(width / image.shape[1], height / image.shape[0])
        size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
        left = number * (width + _GAP)
        x, y = left + (width - size[0]) // 2, (height - size[1]) // 2
        tile[y : y + size[1], x : x + size[0]] = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        _write(tile, name, (left + 8, height + 18), 0.5, _INK)
    _write(tile, caption, (8, height + 37), 0.4, _PALE)
    return tile


def captioned(image: np.ndarray, first: str, second: str) -> np.ndarray:
    """A whole image (h, w, 3) uint8 RGB, fitted into (366, 400, 3), and two lines below it."""
    scale = min(_WIDTH / image.shape[1], _HEIGHT / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    enlarged = cv2.INTER_NEAREST if scale > 4 else cv2.INTER_CUBIC
    tile = np.full((_HEIGHT + _STRIP, _WIDTH, 3), _PAPER, np.uint8)
    x, y = (_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2
    tile[y : y + size[1], x : x + size[0]] = cv2.resize(
        image, size, interpolation=cv2.INTER_AREA if scale < 1 else enlarged
    )
    _write(tile, first, (8, _HEIGHT + 18), 0.5, _INK)
    _write(tile, second, (8, _HEIGHT + 37), 0.4, _PALE)
    return tile


def contact_sheet(tiles: Sequence[np.ndarray], colours: bool = False) -> np.ndarray:
    """At least one image, all (h, w, 3) uint8 → one with all of them, four in a row, or fewer of
    those that are wide; above them what `colours` mean.
    """
    height, width = tiles[0].shape[:2]
    most = int(np.clip(_WIDE // width, 1, _COLUMNS))
    rows = -(-len(tiles) // most)
    columns = min(len(tiles), most)
    head = _HEAD if colours else 0
    sheet = np.zeros(
        (rows * (height + _GAP) + _GAP + head, columns * (width + _GAP) + _GAP, 3), np.uint8
    )
    if colours:
        _write(sheet, "green: what is there", (_GAP + 2, 19), 0.5, TRUTH)
        _write(sheet, "red, dashed: what was found", (_GAP + 192, 19), 0.5, PREDICTED)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, most)
        top, left = head + _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _window(xyxy: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(n, 4) boxes → left, top, right, bottom of the part of the image around them, in whole
    pixels.
    """
    edges = []
    for low, high, side in zip(
        xyxy[:, :2].min(axis=0), xyxy[:, 2:].max(axis=0), size[::-1], strict=True
    ):
        room = max(float(high - low) * (1 + _MARGIN), _LEAST)
        start = int(np.clip((low + high - room) / 2, 0, max(side - room, 0)))
        edges.append((start, min(side, int(np.ceil(start + room)))))
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _write(
    image: np.ndarray, text: str, where: tuple[int, int], scale: float, colour: tuple[int, int, int]
) -> None:
    """One line from `where` on, cut at the image's end; OpenCV's letters are ASCII."""
    text = visible(text).encode("ascii", "replace").decode()
    while text and where[0] + cv2.getTextSize(text, _FONT, scale, 1)[0][0] > image.shape[1] - 8:
        text = text[:-1]
    cv2.putText(image, text, where, _FONT, scale, colour, 1, cv2.LINE_AA)
