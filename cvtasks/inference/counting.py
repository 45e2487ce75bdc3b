"""Counting of tracked objects: crossings of lines, and presence and dwell in zones.

An object counts by one point of its box: the middle of the lower edge, where it stands, or the
centre where a spec says so.
"""

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np

from cvtasks.answers import Boxes
from cvtasks.errors import UsageError

_OFF = 0.05  # of an object's size that it must be off a line to be on one side of it
_FORGOTTEN_S = 10.0  # an object that was not seen for so long does not come back
_CENTRE = ("centre", "center")
_POINT = re.compile(r"(-?\d*\.?\d+),(-?\d*\.?\d+)")


@dataclass(frozen=True)
class CountSpec:
    """What is to be counted where.

    Attributes:
        kind: "line" or "zone".
        points: (x, y) each; shares of width and height where none is above 1, else pixels.
        name: what it is called; "" for its kind and number.
        centre: whether objects count by the centres of their boxes.
    """

    kind: str
    points: tuple[tuple[float, float], ...]
    name: str = ""
    centre: bool = False

    def placed(self, size: tuple[int, int]) -> np.ndarray:
        """(n, 2) float64: the points in pixels of a frame of `size`, (height, width).

        Raises:
            UsageError: all of it lies outside.
        """
        height, width = size
        points = np.array(self.points, np.float64)
        if points.max() <= 1:
            points = points * (width, height)
        low, high = points.min(axis=0), points.max(axis=0)
        if (high < 0).any() or (low > (width, height)).any():
            raise UsageError(
                f"a {self.kind} to count at must lie in the frame, here of {width} × {height} "
                f"pixels; got {_text(self.points)}. Give pixels of the original frame, or shares "
                "from 0 to 1."
            )
        return points


def parse_count(text: str) -> CountSpec:
    """The spec that a text is: "line x1,y1 x2,y2" or "zone x1,y1 x2,y2 x3,y3 …", each with a name
    and "=" before it where one is wanted, and "centre" at its end where objects are to count by
    their centres.

    Raises:
        UsageError: it is none.

    >>> parse_count("door=line 0,0.5 1,0.5")
    CountSpec(kind='line', points=((0.0, 0.5), (1.0, 0.5)), name='door', centre=False)
    """
    name, equals, rest = text.partition("=")
    kind, *words = (rest if equals else text).split() or [""]
    centre = bool(words) and words[-1].lower() in _CENTRE
    words = words[:-1] if centre else words
    found = [_POINT.fullmatch(word) for word in words]
    points = tuple((float(match[1]), float(match[2])) for match in found if match)
    few = len(points) != 2 if kind == "line" else len(points) < 3
    if kind not in ("line", "zone") or None in found or few or len({*points}) < len(points):
        raise UsageError(
            'counting is at a "line x1,y1 x2,y2" or in a "zone x1,y1 x2,y2 x3,y3 …" of three '
            "points or more, all different, in pixels of the frame or shares from 0 to 1; got "
            f'{text!r}. Write it so, such as "door=line 0,0.5 1,0.5".'
        )
    return CountSpec(kind, points, name.strip() if equals else "", centre)


def _text(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


@dataclass
class _Sighting:
    """Where and when an object was seen last: for a line, off it; and on which side."""

    point: np.ndarray
    time_s: float
    side: int = 0


class Place(ABC):
    """A line or a zone of a video, and what was counted there so far.

    Attributes:
        name: what it is called.
        points: (n, 2) float64, pixels.
    """

    kind: ClassVar[str]

    def __init__(self, name: str, points: np.ndarray, centre: bool) -> None:
        self.name, self.points, self._centre = name, points, centre
        self._last: dict[int, _Sighting] = {}

    def look(self, boxes: Boxes, time_s: float) -> None:
        """Count the boxes of the next frame, those with a track."""
        edges = boxes.xyxy.astype(np.float64)
        x = (edges[:, 0] + edges[:, 2]) / 2
        y = (edges[:, 1] + edges[:, 3]) / 2 if self._centre else edges[:, 3]
        sizes = np.sqrt(np.prod(edges[:, 2:] - edges[:, :2], axis=1))
        self._new_frame()
        for i in np.flatnonzero(boxes.tracks >= 0).tolist():
            track, point = int(boxes.tracks[i]), np.array([x[i], y[i]])
            self._see(track, boxes.names[i], point, float(sizes[i]), time_s)
        for track in [
            track for track, last in self._last.items() if time_s - last.time_s > _FORGOTTEN_S
        ]:
            self._forget(track)
            del self._last[track]

    @abstractmethod
    def now(self) -> dict[str, Any]:
        """What is counted, for the record of the frame."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """What was counted in the whole, for the last record."""

    @abstractmethod
    def lines(self) -> tuple[str, ...]:
        """What is counted, in short lines to be drawn."""

    @abstractmethod
    def words(self) -> str:
        """The same in a line, for people."""

    @abstractmethod
    def _new_frame(self) -> None:
        """Forget what is of one frame alone."""

    @abstractmethod
    def _see(self, track: int, name: str, point: np.ndarray, size: float, time_s: float) -> None:
        """Count an object that is seen at a point."""

    @abstractmethod
    def _forget(self, track: int) -> None:
        """An object has not been seen for long."""


class Line(Place):
    """Crossings of a line, each by class and direction: down and up, or right and left where the
    line is steeper than a diagonal.

    An object is on a side once its point is off the line by a twentieth of its size, so that one
    that trembles on it does not cross it. It crosses where the straight way between two such points
    goes through the line, which ends where it ends.
    """

    kind = "line"

    def __init__(self, name: str, points: np.ndarray, centre: bool) -> None:
        super().__init__(name, points, centre)
        along = points[1] - points[0]
        normal = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        steep = abs(normal[0]) > abs(normal[1])
        self._normal = normal if normal[0 if steep else 1] > 0 else -normal
        self.directions = ("right", "left") if steep else ("down", "up")
        self.crossed: dict[str, dict[str, int]] = {}
        self._here: list[dict[str, Any]] = []

    def now(self) -> dict[str, Any]:
        """`crossed`: class → direction → how many so far; `here`: who crosses in this frame."""
        return {**self.summary(), "here": self._here}

    def summary(self) -> dict[str, Any]:
        """`crossed`: class → direction → how many."""
        return {"crossed": {name: dict(counts) for name, counts in self.crossed.items()}}

    def lines(self) -> tuple[str, ...]:
        """Class by class, in each direction."""
        return tuple(
            f"{name} {', '.join(f'{count} {way}' for way, count in counts.items())}"
            for name, counts in self.crossed.items()
        )

    def words(self) -> str:
        """The same."""
        return "; ".join(self.lines()) or "nothing crossed it"

    def _new_frame(self) -> None:
        self._here = []

    def _see(self, track: int, name: str, point: np.ndarray, size: float, time_s: float) -> None:
        off = float((point - self.points[0]) @ self._normal)
        last = self._last.get(track)
        if abs(off) <= _OFF * size:
            if last:
                last.time_s = time_s
            return
        side = 1 if off > 0 else -1
        if last and last.side != side and self._through(last.point, point):
            way = self.directions[0 if side > 0 else 1]
            counts = self.crossed.setdefault(name, dict.fromkeys(self.directions, 0))
            counts[way] += 1
            self._here.append({"track": track, "name": name, "direction": way})
        self._last[track] = _Sighting(point, time_s, side)

    def _forget(self, track: int) -> None:
        return

    def _through(self, before: np.ndarray, after: np.ndarray) -> bool:
        """Whether the way between points on both sides goes through the line, not past its ends."""
        first, second = ((point - self.points[0]) @ self._normal for point in (before, after))
        met = before + (after - before) * first / (first - second)
        along = self.points[1] - self.points[0]
        return bool(0 <= (met - self.points[0]) @ along <= along @ along)


class Zone(Place):
    """Who is in a polygon, how many came in, and for how long they stayed.

    What passes between two looks at an object counts as spent inside if it was inside at the first.
    """

    kind = "zone"

    def __init__(self, name: str, points: np.ndarray, centre: bool) -> None:
        super().__init__(name, points, centre)
        self.present: dict[str, int] = {}
        self._most: dict[str, int] = defaultdict(int)
        self._inside: list[dict[str, Any]] = []
        self._stays: dict[int, tuple[str, float]] = {}  # track → its class, seconds inside so far
        self._ended: dict[str, list[float]] = {}  # class → how many, seconds in all, the longest

    def now(self) -> dict[str, Any]:
        """`present`: class → how many; `inside`: `track`, `name`, `dwell_s` of each."""
        return {"present": self.present, "inside": self._inside}

    def summary(self) -> dict[str, Any]:
        """Class → `entered`, how many were there, `most` at a time, and the `mean_dwell_s` and
        `longest_dwell_s` of each.
        """
        ended = {name: list(numbers) for name, numbers in self._ended.items()}
        for name, seconds in self._stays.values():
            _add(ended, name, seconds)
        return {
            "zone": {
                name: {
                    "entered": int(count),
                    "most": self._most[name],
                    "mean_dwell_s": round(total / count, 3),
                    "longest_dwell_s": round(longest, 3),
                }
                for name, (count, total, longest) in ended.items()
            }
        }

    def lines(self) -> tuple[str, ...]:
        """Class by class, how many are there."""
        return tuple(f"{name} {count}" for name, count in self.present.items())

    def words(self) -> str:
        """Class by class, who was there."""
        each = [
            f"{name} {one['entered']} entered, {one['most']} at a time at most, "
            f"{one['mean_dwell_s']:.1f} s each on average"
            for name, one in self.summary()["zone"].items()
        ]
        return "; ".join(each) or "nothing was in it"

    def _new_frame(self) -> None:
        self.present, self._inside = {}, []

    def _see(self, track: int, name: str, point: np.ndarray, size: float, time_s: float) -> None:
        polygon = self.points.astype(np.float32).reshape(-1, 1, 2)
        inside = cv2.pointPolygonTest(polygon, (float(point[0]), float(point[1])), False) >= 0
        last = self._last.get(track)
        if last and last.side:
            kept, seconds = self._stays[track]
            self._stays[track] = kept, seconds + time_s - last.time_s
        elif inside:
            self._stays.setdefault(track, (name, 0.0))
        if inside:
            self.present[name] = self.present.get(name, 0) + 1
            self._most[name] = max(self._most[name], self.present[name])
            stayed = round(self._stays[track][1], 3)
            self._inside.append({"track": track, "name": name, "dwell_s": stayed})
        self._last[track] = _Sighting(point, time_s, int(inside))

    def _forget(self, track: int) -> None:
        if track in self._stays:
            _add(self._ended, *self._stays.pop(track))


def _add(ended: dict[str, list[float]], name: str, seconds: float) -> None:
    """Count a stay."""
    count, total, longest = ended.get(name, [0, 0.0, 0.0])
    ended[name] = [count + 1, total + seconds, max(longest, seconds)]


def named(specs: Sequence[CountSpec]) -> tuple[CountSpec, ...]:
    """The specs, each with a name: its own, or its kind and number.

    Raises:
        UsageError: two have one name.
    """
    numbers: dict[str, int] = defaultdict(int)
    found = []
    for spec in specs:
        numbers[spec.kind] += 1
        found.append(replace(spec, name=spec.name or f"{spec.kind} {numbers[spec.kind]}"))
    names = [spec.name for spec in found]
    if len({*names}) < len(names):
        raise UsageError(
            f"each line and zone has a name of its own; got {', '.join(names)}. Call one "
            'otherwise, such as "door=line 0,0.5 1,0.5".'
        )
    return tuple(found)


def placed(spec: CountSpec, size: tuple[int, int]) -> Place:
    """The line or zone of a video whose frames are of `size`, (height, width).

    Raises:
        UsageError: it lies outside of the frame.
    """
    kind = Line if spec.kind == "line" else Zone
    return kind(spec.name, spec.placed(size), spec.centre)
