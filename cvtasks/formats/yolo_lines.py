"""The lines of YOLO's label files, and what long ones of them are: outlines, boxes with key points,
or boxes with tracks.
"""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from cvtasks.errors import Complain, CVTasksError, DataError

OUTLINE, POSE, TRACK = "outlines", "key points", "tracks"
"""What lines of six numbers or more behind the class are: points around an object; a box, and
points with or without a number that says whether they are seen; a box, its score, and the number of
its track.
"""

SCORED = "the last number behind an outline was taken for its score, and plays no part"
"""A remark for each such line."""

_MOST_POINTS = 300
# numbers from which an outline has so many points that its course tells it from scored key points
_SCORED = 20
_EDGE = 0.01  # shares by which a box or a point may lie outside the image


def kinds_of(lines: Iterable[list[float]]) -> set[str]:
    """What all of these lines of six numbers or more can be: of `OUTLINE`, `POSE`, `TRACK`. All of
    a data set are one of them.

    Lines of key points are equally long and begin with a box in the image that their points lie
    about. A rectangle's corners, in turn, and an outline that ends where it began, are outlines.
    """
    possible = {OUTLINE, POSE, TRACK}
    lengths = set()
    for numbers in lines:
        possible &= _may_be(numbers)
        lengths.add(len(numbers))
    return possible - ({POSE} if len(lengths) > 1 else set())


def look_like(lines: list[list[float]]) -> str:
    """`OUTLINE` if all of these lines have eight points or more and none crosses itself; "" if that
    does not tell.

    Key points are told left and right in turn: a line through them crosses itself.
    """
    return (
        OUTLINE
        if lines
        and all(
            len(numbers) >= 16 and len(numbers) % 2 == 0 and _simple(numbers) for numbers in lines
        )
        else ""
    )


@np.errstate(over="ignore", invalid="ignore")  # numbers beyond all bounds are refused later
def _simple(numbers: list[float]) -> bool:
    """Whether the closed line through the points (x1, y1, x2, y2 …) does not cross itself."""
    if len(numbers) > 2 * _MOST_POINTS:
        return True  # so many are no key points
    points = np.array(numbers, np.float64).reshape(-1, 2)
    starts, ways = points, np.roll(points, -1, axis=0) - points

    def side(ends: np.ndarray) -> np.ndarray:
        """(n, n): on which side of segment i the point j of `ends` lies."""
        to = ends[None] - starts[:, None]
        return np.sign(ways[:, None, 0] * to[..., 1] - ways[:, None, 1] * to[..., 0])

    apart = side(starts) * side(starts + ways) < 0
    return not (apart & apart.T).any()


def long_lines(text: str) -> list[list[float]]:
    """The numbers behind the class of those lines that have six or more,
    without what is no line.
    """
    found: list[CVTasksError] = []
    return [
        numbers for numbers, _, _ in numbers_of(text, None, "", found.append) if len(numbers) > 5
    ]


def any_long_lines(text: str) -> Iterator[list[float]]:
    """The numbers behind the class of all lines that have six or more, whatever they are."""
    for line in text.splitlines():
        try:
            _, *numbers = map(float, line.split())
        except ValueError:
            continue
        if len(numbers) > 5:
            yield numbers


def with_scores(lines: Iterable[list[float]], told: str = "") -> bool:
    """Whether the long lines of a split are outlines with a score behind each: pairs of numbers,
    and one more from 0 to 1.

    Where all are equally long and may be key points with marks or scores of their own, they are
    not, unless the YAML has `told` that they are outlines.
    """
    lengths, like_points = set[int](), told != OUTLINE
    for numbers in lines:
        if told not in ("", OUTLINE) or not (len(numbers) % 2 and 0 <= numbers[-1] <= 1):
            return False
        lengths.add(len(numbers))
        like_points = like_points and len(lengths) == 1 and _like_points(numbers)
    return bool(lengths) and not like_points


def _like_points(numbers: list[float]) -> bool:
    """Whether an odd line may be a box and key points: with marks, or with scores."""
    outline, rest = numbers[:-1], numbers[4:]
    if _closed(outline) or _parallelogram(outline) or look_like([outline]):
        return False
    pairs, threes = zip(rest[:-1:2], rest[1::2], strict=True), len(rest) // 3 * 3
    triples = zip(rest[:threes:3], rest[1:threes:3], strict=True)
    return _is_box(numbers) and (_about(pairs, numbers) or _about(triples, numbers))


def numbers_of(
    text: str,
    classes: tuple[str, ...] | None,
    name: str,
    complain: Complain,
    lines: str = "",
    scored: Callable[[], bool] = lambda: False,
    remark: Callable[[str], None] = lambda said: None,
) -> Iterable[tuple[list[float], int, str]]:
    """The numbers behind the class, the class, and words for errors, of each line that is one.

    Args:
        scored: asked where a line may be an outline with a score: whether those of the split are
            (`with_scores`). Then it is left out, and `remark` hears of it.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        place = f"line {number} of {name!r}"
        try:
            label, *numbers = map(float, line.split())
        except ValueError:
            numbers = []
        if len(numbers) > 6 and len(numbers) % 2 and not _is_a_line(numbers, lines) and scored():
            numbers = numbers[:-1]
            remark(SCORED)
        if (
            not numbers
            or not all(map(math.isfinite, (label, *numbers)))
            or not _is_a_line(numbers, lines)
        ):
            words = f"class and an outline x1 y1 x2 y2 x3 y3 …; {place} is {line.strip()[:80]!r}."
            words = f"a line must be numbers: class, centre x and y, width, height, or {words}"
            odd = (
                "A score or a track behind an outline must be taken off, unless all outlines of "
                "the split have a score; `cvtasks data prelabel --no-scores` writes none. "
                if len(numbers) > 6 and len(numbers) % 2
                else ""
            )
            complain(
                DataError(
                    f"{words} {f'The YAML says: {lines}. ' if lines else ''}{odd}Correct it.",
                    "line",
                )
            )
        elif classes is not None and label not in range(len(classes)):
            words = (
                f"a class must be a whole number from 0 to {len(classes) - 1}, one of the names in "
                f"the YAML; {place} has {label:g}."
            )
            complain(DataError(words, "class unknown"))
        else:
            yield numbers, int(label), place


def _is_a_line(numbers: list[float], lines: str) -> bool:
    """Whether a line has a box, a box and its score, or as many numbers as what long lines are."""
    count = len(numbers)
    if count < 6 or not lines:
        return count in (4, 5) or bool(_may_be(numbers))
    return {
        OUTLINE: count % 2 == 0,
        POSE: (count - 4) % 2 == 0 or (count - 4) % 3 == 0,
        TRACK: count == 6,
    }[lines]


def _may_be(numbers: list[float]) -> set[str]:
    """What a line of six numbers or more can be."""
    if len(numbers) < 6:
        return set()
    found = set()
    if len(numbers) % 2 == 0:
        found.add(OUTLINE)
        if _closed(numbers) or _parallelogram(numbers):
            return found
    if not _is_box(numbers):
        return found
    if len(numbers) == 6 and 0 <= numbers[4] <= 1 and numbers[5] >= 0 and numbers[5] % 1 == 0:
        found.add(TRACK)
        found -= {OUTLINE} if numbers[5] > 1 else set()
    rest = numbers[4:]
    points = list(zip(rest[::2], rest[1::2], strict=True)) if len(rest) % 2 == 0 else None
    seen = list(zip(rest[::3], rest[1::3], rest[2::3], strict=True)) if len(rest) % 3 == 0 else None
    if (
        seen
        and all(mark in (0, 1, 2) for *_, mark in seen)
        and _about([point[:2] for point in seen], numbers)
    ):
        found.add(POSE)
        found -= {OUTLINE} if any(mark == 2 for *_, mark in seen) else set()
    if points and _about(points, numbers):
        found.add(POSE)
    scored = (
        zip(rest[:-2:3], rest[1:-1:3], strict=True)
        if len(numbers) >= _SCORED and len(numbers) % 2 == 0
        else None
    )
    if scored and _about(scored, numbers):
        # as a network predicts them: each with its score, and that of the box or a track at the end
        found.add(POSE)
    return found


def _is_box(numbers: list[float]) -> bool:
    """Whether a line may begin with a box in the image."""
    x, y, w, h = numbers[:4]
    return (
        w > 0
        and h > 0
        and all(c - s / 2 >= -_EDGE and c + s / 2 <= 1 + _EDGE for c, s in ((x, w), (y, h)))
    )


def _about(points: Iterable[tuple[float, ...]], box: list[float]) -> bool:
    """Whether points may be key points of a box: about it, as what they mark may lie outside, or
    (0, 0) where it is not seen.
    """
    x, y, w, h = box[:4]
    return all(
        point == (0, 0) or (abs(point[0] - x) <= 2 * w and abs(point[1] - y) <= 2 * h)
        for point in points
    )


def _closed(numbers: list[float]) -> bool:
    return len(numbers) >= 8 and numbers[:2] == numbers[-2:]


def _parallelogram(numbers: list[float]) -> bool:
    """Whether four points are a rectangle's corners in turn, however it is turned: its diagonals
    halve each other.
    """
    return len(numbers) == 8 and all(
        abs(numbers[i] - numbers[i + 2] + numbers[i + 4] - numbers[i + 6]) < 2e-3 for i in (0, 1)
    )


def unclear(numbers: list[float], place: str) -> DataError:
    """The error for a long line of which neither it nor its neighbours tell what it is."""
    return DataError(
        f"it must be clear what a long line is; {place} has {len(numbers)} numbers behind the "
        "class, which may be "
        f"{' or '.join(sorted(_may_be(numbers)))}, and the other lines of the split do not tell. "
        "Say so in the YAML: `task: segment` "
        "for outlines, `task: pose` for boxes with key points, `task: track` for boxes with a "
        "score and the number of a track.",
        "line unclear",
    )
