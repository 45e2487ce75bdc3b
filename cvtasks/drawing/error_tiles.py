"""Images of errors, for people to look at; of boxes what should have been said in green, what was
said in red.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from cvtasks.answers import Boxes
from cvtasks.metrics.detection_errors import BoxError
from cvtasks.text import visible

TRUTH, PREDICTED = (60, 200, 90), (235, 60, 50)  # RGB
_WIDTH, _HEIGHT, _STRIP = 400, 320, 46  # of a tile's image, and of the strip with its caption below
_MARGIN = 0.6  # of what is shown around the boxes, as a share of their own size
_LEAST = 120  # pixels of the image, at least, in each direction
_PAPER, _INK, _PALE = (24, 24, 28), (255, 255, 255), (170, 170, 178)
_COLUMNS, _GAP, _HEAD = 4, 6, 24
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def error_tile(
    image: np.ndarray, name: str, error: BoxError, truth: Boxes, prediction: Boxes
) -> np.ndarray:
    """The part of an image with an error, (366, 400, 3) uint8 RGB, and below it what is wrong.

    The boxes that the error is about have thick frames, the one on the other so that both are seen;
    all others have thin ones.

    Args:
        image: (h, w, 3) uint8 RGB; `name` is written in the caption.
        truth, prediction: all objects, and all predictions that a user would see.
    """
    xyxy = (
        error.xyxy[None] if error.other_xyxy is None else np.stack([error.xyxy, error.other_xyxy])
    )
    left, top, right, bottom = _window(xyxy, image.shape[:2])
    part = image[top:bottom, left:right]
    scale = min(_WIDTH / part.shape[1], _HEIGHT / part.shape[0])
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    part = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = np.full((_HEIGHT + _STRIP, _WIDTH, 3), _PAPER, np.uint8)
    x, y = (_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2
    shown = tile[y : y + size[1], x : x + size[0]]
    shown[:] = part
    canvas = np.ascontiguousarray(shown)
    whole = ((0, 0), image.shape[1::-1])  # edges of the image: a frame there is drawn inside

    def frame(box: np.ndarray, colour: tuple[int, int, int], thick: int) -> None:
        placed = np.round((box.reshape(2, 2) - (left, top)) * scale).astype(int) - ((0, 0), (1, 1))
        low, high = np.where(
            box.reshape(2, 2) == whole, np.clip(placed, 1, (size[0] - 2, size[1] - 2)), placed
        ).tolist()
        cv2.rectangle(canvas, low, high, (0, 0, 0), thick + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, low, high, colour, thick, cv2.LINE_AA)

    for box in truth.xyxy:
        frame(box, TRUTH, 1)
    for box in prediction.xyxy:
        frame(box, PREDICTED, 1)
    mine, theirs = (TRUTH, PREDICTED) if error.kind == "missed" else (PREDICTED, TRUTH)
    if error.other_xyxy is not None:
        frame(error.other_xyxy, theirs, 6)
    frame(error.xyxy, mine, 2)
    shown[:] = canvas
    first, second = _caption(error, truth.classes)
    _write(tile, first, (8, _HEIGHT + 18), 0.5, _INK)
    _write(tile, f"{second}{name}", (8, _HEIGHT + 37), 0.4, _PALE)
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
    """At least one image, all (h, w, 3) uint8 → one with all of them, four in a row; above them
    what `colours` mean.
    """
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // _COLUMNS)
    columns = min(len(tiles), _COLUMNS)
    head = _HEAD if colours else 0
    sheet = np.zeros(
        (rows * (height + _GAP) + _GAP + head, columns * (width + _GAP) + _GAP, 3), np.uint8
    )
    if colours:
        _write(sheet, "green: what is there", (_GAP + 2, 19), 0.5, TRUTH)
        _write(sheet, "red: what was found", (_GAP + 192, 19), 0.5, PREDICTED)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
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


def _caption(error: BoxError, classes: tuple[str, ...]) -> tuple[str, str]:
    """What is wrong, and how far the nearest thing is."""
    name, other = (
        classes[error.label],
        classes[error.other_label] if error.other_xyxy is not None else "",
    )
    if error.kind == "missed":
        near = (
            f"nearest: {other} {error.other_score:.2f}, IoU {error.iou:.2f} - "
            if other
            else "nothing found there - "
        )
        return f"missed {name}", near
    near = f"IoU {error.iou:.2f} with {other} - " if other else ""
    words = {"confused": f"it is a {other}", "background": "nothing such is there"}
    return f"{name} {error.score:.2f}: {words.get(error.kind, error.kind)}", near


def _write(
    image: np.ndarray, text: str, where: tuple[int, int], scale: float, colour: tuple[int, int, int]
) -> None:
    """One line from `where` on, cut at the image's end; OpenCV's letters are ASCII."""
    text = visible(text).encode("ascii", "replace").decode()
    while text and where[0] + cv2.getTextSize(text, _FONT, scale, 1)[0][0] > image.shape[1] - 8:
        text = text[:-1]
    cv2.putText(image, text, where, _FONT, scale, colour, 1, cv2.LINE_AA)
