"""What every reader of annotation files does first and last: read no more than is sensible, and
keep boxes in the image.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cvtasks.errors import Complain, DataError, strictly
from cvtasks.formats.encodings import text_of
from cvtasks.geometry.boxes import clip
from cvtasks.media.safe_paths import NotRegularError, opened_regular

ALIKE = (
    "names without a file were taken for the one image that differs in its folder, its ending or "
    "the case of its letters"
)
CUT = "boxes that reached a little out of their images were cut at the edge"
ELSEWHERE = "paths of another machine were followed by their last parts to the one file that fits"
EMPTY = "boxes without width or height were passed over"
FRACTIONS = (
    "files whose corners have fractions were read as edges counted from 0, as CVAT and others "
    "write them"
)
KEY_POINTS = "key points were passed over, and the boxes before them read"
MISNAMED = (
    "files give an image that is not there in <filename>; they were taken as those of the image of "
    "their own name"
)
MISLED = MISNAMED.replace("<filename>", "`imagePath`")
OUTLINES = "outlines were read as the boxes around them"
RESIZED = (
    "files declare another size of the same shape than their image has; their boxes were scaled to "
    "the image"
)
ROTATED = "rotated boxes were read as the upright boxes around them, cut at the image's edge"
TRACKS = "numbers of tracks at the end of lines were passed over"
TURNED = (
    "files hold boxes on the stored pixels of an image that its EXIF tag turns; the boxes were "
    "turned with it"
)
TWICE = "objects with the same class and box as another one in their image were passed over"
UNLABELLED = "images have no label file and count as empty"
UPRIGHT = (
    "images are turned by their EXIF tag; boxes without a declared size were taken as drawn on the "
    "upright image"
)
ZERO_BASED = "corners are counted from 0, where Pascal VOC counts from 1"
"""Remarks: what a reader changed or passed over. It gives one for each time; a source counts them
and says so.
"""

MEGABYTE = 1_000_000
_NO = {"", "0", "false", "no", "n", "f", "off", "none", "null", "unspecified"}
_YES = {"1", "true", "yes", "y", "t", "on"}
# of a side: what other programs' rounding, and corners counted from 0 instead of 1, can explain
_SLACK = 0.01


def is_number(text: str) -> bool:
    """Whether a text is one number. Python's own underscores between digits make it none.

    >>> is_number("1e3"), is_number("1_000")
    (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


@contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Turn what the system says of a file or folder that cannot be read, or has vanished, into a
    DataError that names it.

    Args:
        path: what is named where the system names nothing.
    """
    try:
        yield
    except OSError as error:
        name, reason = os.fsdecode(error.filename or path), error.strerror or error
        raise DataError(
            f"a data set is files and folders that can be read; {name!r} cannot be: {reason}. "
            "Check its name and its permissions.",
            "cannot be read",
        ) from error


def read_annotation(path: Path, most: int = 16 * MEGABYTE) -> bytes:
    """The bytes of an annotation file.

    Raises:
        DataError: it does not exist, is no regular file (a named pipe would block for ever), cannot
            be read, or has more than `most` bytes.
    """
    try:
        with opened_regular(path) as file:
            content = file.read(most + 1)
    except NotRegularError as error:
        raise DataError(
            f"an annotation must be a regular file; {str(path)!r} is none: {error}. Write a file "
            "there."
        ) from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(
            f"an annotation must be a file that can be read; {str(path)!r} cannot: {reason}. Check "
            "it."
        ) from error
    if len(content) > most:
        raise DataError(
            f"an annotation may have at most {most:,} bytes; {str(path)!r} has more. Split it, or "
            "check what it is."
        )
    return content


def flag(value: object) -> bool:
    """A yes or a no, as number, truth value or word, as programs write them.

    Raises:
        ValueError: it is neither.

    >>> [flag(value) for value in (0, "0", "False", "Unspecified", None, 0.0)]
    [False, False, False, False, False, False]
    >>> [flag(value) for value in (1, "true", "1.0", True)]
    [True, True, True, True]
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _NO or word in _YES:
            return word in _YES
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"a flag must be a yes or a no, such as 0 and 1; got {value!r}")
    return number != 0


def read_text(path: Path, most: int = 16 * MEGABYTE) -> str:
    """The text of a file, as `text_of` reads it; errors are its and those of `read_annotation`."""
    return text_of(read_annotation(path, most), str(path))


def read_utf8(path: Path, most: int = 16 * MEGABYTE) -> str:
    """The text of a file that cannot be in another encoding than UTF-8, without its byte order
    mark; errors are those of `read_annotation`.
    """
    try:
        return read_annotation(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"an annotation must be text in UTF-8; {str(path)!r} is not: {error}. Save it as UTF-8."
        ) from error


@np.errstate(over="ignore")  # what is too large for float32 becomes infinite there, and is refused
def fit(
    xyxy: np.ndarray, size: tuple[int, int], places: Sequence[str], complain: Complain = strictly
) -> tuple[np.ndarray, tuple[str, ...], list[int]]:
    """Boxes as a file gives them → (k, 4) float32 within the image, a remark for each that had to
    be cut, and which they are.

    A box may leave its image by a hundredth of the side, at least two pixels: that much is
    rounding. More means that it was drawn on another image or on one of another size, which nobody
    but the user can put right.

    Args:
        xyxy: (n, 4) float64, pixels.
        size: (height, width) of the image.
        places: (n) words for errors, such as "line 3 of 'a.txt'".
        complain: about a box that is not finite, empty, inverted, or too far out of the image; says
            where. If it returns, the box is left out.
    """
    xyxy = np.asarray(xyxy, np.float64).reshape(-1, 4)
    inside = clip(xyxy, size)
    stored = inside.astype(np.float32)
    out = np.abs(xyxy - inside).max(axis=1, initial=0)
    slack = np.maximum(2.0, _SLACK * np.array([size[1], size[0]] * 2))
    good = []
    for index, (box, kept, seen, place) in enumerate(
        zip(xyxy, inside, stored, places, strict=True)
    ):
        left, top, right, bottom = box.astype(np.float32).tolist()
        if not np.isfinite(box).all():
            complain(
                DataError(
                    f"a box must be four finite numbers; {place} has {box.tolist()}. Correct it.",
                    "box not finite",
                )
            )
        elif not (left < right and top < bottom):
            empty = left <= right and top <= bottom
            text = (
                "a box must have its left edge left of its right one and its top above its "
                f"bottom; {place} has "
                f"{_numbers(box)} (left, top, right, bottom). Correct or remove it."
            )
            complain(DataError(text, "box empty" if empty else "box inverted"))
        elif (np.abs(box - kept) > slack).any() or not (seen[:2] < seen[2:]).all():
            text = (
                f"a box must lie in its image, {size[1]} x {size[0]} (width x height) pixels; "
                f"{place} has {_numbers(box)} "
                "(left, top, right, bottom). Was the image resized, or is it another one? Correct "
                "or remove the box."
            )
            complain(DataError(text, "box outside"))
        else:
            good.append(index)
    return stored[good], (CUT,) * int((out[good] > 1e-3).sum()), good


def once(
    xyxy: np.ndarray, labels: Sequence[int], counted: Sequence[bool]
) -> tuple[list[int], tuple[str, ...]]:
    """Indices of (n, 4) boxes without those that have the class and the box of another, and a
    remark for each of these.

    Of equal ones the first that counts stays: a detector that finds an object once would else miss
    its double.
    """
    first: dict[tuple[float, ...], int] = {}
    for index in sorted(range(len(xyxy)), key=lambda index: not counted[index]):
        first.setdefault((labels[index], *xyxy[index].tolist()), index)
    return sorted(first.values()), (TWICE,) * (len(xyxy) - len(first))


def _numbers(box: np.ndarray) -> str:
    return ", ".join(f"{edge:g}" for edge in box)


@contextmanager
def tool_json(name: str, rule: str, again: str = "Write it again.") -> Iterator[None]:
    """What goes wrong within, as a sentence about the JSON file `name` of a labelling tool.

    Args:
        rule: what the tool's JSON is, in words.
        again: the way out.

    Raises:
        DataError: it is no JSON, or not of that shape.
    """
    try:
        yield
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"an annotation must be JSON; {name!r} is not: {error}. Write it again.", "JSON"
        ) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{rule}; {name!r} lacks or misstates {error}. {again}", "JSON") from error
