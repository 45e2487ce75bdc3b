"""The text files of the MOT Challenge: a line for each box of each frame, with the number of its
object: frame and number from 1, left, top, width, height in pixels, and a score.

Source: Leal-Taixé et al., "MOTChallenge 2015" (2015), section 3.3: the first pixel is (1, 1).
"""

import math
from dataclasses import dataclass

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.answers.answer import shortest
from cvtasks.errors import DataError

_LEAST, _MOST_FRAMES = 6, 10_000_000  # numbers of a line; no video has more frames


@dataclass(frozen=True, eq=False)
class Tracks:
    """The boxes of a video.

    Attributes:
        frames: (n,) int64, from 0.
        numbers: (n,) int64: which object it is.
        xyxy: (n, 4) float64: edges in pixels.
    """

    frames: np.ndarray
    numbers: np.ndarray
    xyxy: np.ndarray


def mot_text(boxes: Boxes, frame: int) -> str:
    """The lines of a frame, counted from 0; boxes without a track have none.

    >>> found = Boxes.of([[9, 19, 40, 60]], [0], ("cat",), (99, 99), scores=[0.5], tracks=[3])
    >>> mot_text(found, 0)
    '1,3,10.0,20.0,31.0,41.0,0.5,-1,-1,-1\\n'
    """
    known = boxes.take(boxes.tracks >= 0)
    low, high = known.xyxy[:, :2], known.xyxy[:, 2:]
    numbers = np.concatenate([low + 1, high - low, known.scores[:, None]], axis=1)
    return "".join(
        f"{frame + 1},{track},{','.join(map(str, shortest(row)))},-1,-1,-1\n"
        for track, row in zip(known.tracks.tolist(), numbers, strict=True)
    )


def parse_mot(text: str, name: str) -> Tracks:
    """The boxes of a file; what a ground truth marks as not to be counted (a 0 as seventh number)
    is left out.

    Args:
        name: of the file, for errors.

    Raises:
        DataError: a line is not as it should be, or two boxes of a frame have one number.

    >>> tracks = parse_mot("1,3,10,20,31,41,1,-1,-1,-1", "gt.txt")
    >>> tracks.frames.tolist(), tracks.numbers.tolist(), tracks.xyxy.tolist()
    ([0], [3], [[9.0, 19.0, 40.0, 60.0]])
    """
    rows, places = [], []
    for place, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        numbers = _numbers(line, f"line {place} of {name!r}")
        if len(numbers) == _LEAST or numbers[6] != 0:
            rows.append(numbers[:_LEAST])
            places.append(place)
    table = np.array(rows, np.float64).reshape(-1, _LEAST)
    frames, tracks = table[:, 0].astype(np.int64) - 1, table[:, 1].astype(np.int64)
    _, first, counts = np.unique(
        np.stack([frames, tracks]), axis=1, return_index=True, return_counts=True
    )
    if (counts > 1).any():
        twice = int(first[counts > 1][0])
        raise DataError(
            f"an object has one box in a frame; in {name!r} number {tracks[twice]} has several in "
            f"frame {frames[twice] + 1}, one of them in line {places[twice]}. Number objects apart."
        )
    low = table[:, 2:4] - 1
    return Tracks(frames, tracks, np.concatenate([low, low + table[:, 4:]], axis=1))


def _numbers(line: str, place: str) -> list[float]:
    """The numbers of a line; DataError where they are none of MOT's."""
    try:
        numbers = [float(part) for part in line.replace(",", " ").split()]
    except ValueError:
        numbers = []
    whole = all(
        math.isfinite(number) and number == int(number) and abs(number) < _MOST_FRAMES
        for number in numbers[:2]
    )
    good = len(numbers) >= _LEAST and whole and all(map(math.isfinite, numbers[:_LEAST]))
    if not good or numbers[0] < 1 or min(numbers[4:6]) < 0:
        raise DataError(
            "a line of a MOT file is frame (from 1), number of the object, left, top, width, "
            f"height and more, with commas between; {place} is {line[:80]!r}. Save it again."
        )
    return numbers
