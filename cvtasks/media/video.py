"""Frames of a video file, a camera or a network stream, in order.

The end is not where a read fails: a damaged frame fails too, and the frames behind it are good.
Frame counts and rates in headers lie; times of frames do so rarely, and only around damage.
"""

import math
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice, pairwise

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.capture import MOST_FAILURES, Capture
from cvtasks.media.prefetch import newest
from cvtasks.text import counted

RECONNECTS = 4
_PAUSE_S = 0.5  # before the first attempt to reconnect; twice as long before each one after
_SETTLED = 100  # frames after which a connection counts as good, and the attempts begin anew
_HICCUPS = 10  # the same of a camera or a stream
_RATES = [
    *map(Fraction, (15, 24, 25, 30, 50, 60)),
    *(Fraction(n, 1001) for n in (24000, 30000, 60000)),
]


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame.

    Attributes:
        index: its number in the source, from 0; frames that are skipped, dropped or damaged count.
        time_s: seconds since the first frame: by the file's own clock, or by ours for what is live.
        image: (h, w, 3) uint8 RGB.
        taken: `time.monotonic()` when it was decoded.
    """

    index: int
    time_s: float
    image: np.ndarray
    taken: float


class Video:
    """An open video, camera or stream. Iterate over it once, for its frames.

    Args:
        connect: opens it; called again after the connection is lost, if it is live.
        name: what errors call it.
        live: whether it goes on whether it is read or not.
        every: give every n-th frame only.
        most: end after this many frames; 0 for never.
        realtime: give the newest frame each time and drop those between, files at their own speed;
            None: if it is live.
        complete: it is known not to be cut short.
        begin, end: of a file, give those frames alone whose numbers are begin, begin + 1 … end - 1.
        earlier: the times in seconds, on the file's clock, of frames that came before the first one
            that the capture gives; empty where that is the file's first.

    Attributes:
        rate: frames a second, before `every`; a guess where the source does not say, and for all
            that is live.
        declared: number of frames according to the header; 0 if unknown.
        lost: frames that could not be decoded. dropped: frames that a newer one overtook.
            reconnected: how often.

    Raises:
        InputError: it cannot be opened, or holds no frame.
    """

    def __init__(
        self,
        connect: Callable[[], Capture],
        name: str,
        *,
        live: bool = False,
        every: int = 1,
        most: int = 0,
        realtime: bool | None = None,
        complete: bool = False,
        begin: int = 0,
        end: int | None = None,
        earlier: Sequence[float] = (),
    ) -> None:
        self.live, self.realtime = live, live if realtime is None else realtime
        self.lost = self.dropped = self.reconnected = self._read = self._uneven = 0
        self._last_s = self._longest_s = 0.0
        self._connect, self._name, self._every, self._most = connect, name, every, most
        self._stop = threading.Event()
        self._vanished = self._ended = False
        self._complete = complete
        self._begin, self._end, self._earlier, self._reached = begin, end, earlier, 0
        self._capture = connect()
        declared = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.declared = int(declared) if not live and 0 < declared < 1e9 else 0
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        good = 1 <= rate <= (60 if live else 120)
        self._step = 1 / rate if good else 0.0
        frames = self._live_frames() if live else self._file_frames()
        first = list(islice(frames, 1 if good or live else 9))
        if not first:
            raise InputError(
                f"a video must hold at least one frame that can be decoded; {name} holds none. "
                "Record it again."
            )
        times = [*(time_s - earlier[0] for time_s in earlier[:9]), *(one[1] for one in first)]
        self.rate = _fraction(rate) if good else _rate_of(times[:9])
        if not good:
            self._step = float(1 / self.rate)
        if (
            rate > 120 and self.rate < rate
        ):  # it is no rate of frames but the ticks of a clock, and so are what is counted
            self.declared = round(self.declared * float(self.rate) / rate)
        self._frames = chain(first, frames)

    def __iter__(self) -> Iterator[Frame]:
        """Frames in order, until the end, `most` or `stop`."""
        frames: Iterator[Frame] = self._wanted()
        if self.realtime:
            frames = newest(frames if self.live else self._paced(frames), self._stop, self._drop)
        for frame in islice(frames, self._most or None):
            if self._stop.is_set():
                return
            yield frame
            del frame  # nothing is kept while the next one is awaited

    def stop(self) -> None:
        """End it: no further frame comes. For any thread and for handlers of signals."""
        self._stop.set()

    def notes(self) -> list[str]:
        """What was not as it should be so far, in sentences without an end."""
        missing = 0 if self._varies() else self.declared - self._read
        fewer = self._ended and missing > max(1, 0.01 * self.declared)
        why = "it is cut short" if self.cut_short else "it is damaged"
        several = [
            (self.dropped, f"{_frames(self.dropped)} dropped, overtaken by newer ones"),
            (self.lost and not fewer, f"{_frames(self.lost)} damaged and left out"),
            (
                fewer,
                f"its header declares {_frames(self.declared)}, {self._read} could be read: {why}",
            ),
            (self.reconnected, f"the connection was lost, and made again {self.reconnected}×"),
            (self._vanished, f"the source vanished; {RECONNECTS} attempts to reconnect failed"),
        ]
        return [text for true, text in several if true]

    @property
    def cut_short(self) -> bool:
        """Whether a file was read to its end, and that came before the one that its header
        declares. Of one that is read in parts, only the part with the last frame is.
        """
        most = max(1, 0.01 * self.declared)
        missing = min(
            self.declared - self._read, self.declared - 1 - self._last_s * float(self.rate)
        )
        read = self._ended and self._reached >= self._begin
        return read and not self._complete and not self._varies() and missing > most

    def _varies(self) -> bool:
        """Whether the rate varies, so that frames are no measure: a header without their number has
        its length × a rate.
        """
        missing_s = self.declared * self._step - self._last_s
        return self._uneven > 0.1 * self._read and missing_s < max(
            2 * self._longest_s, 0.01 * self._last_s
        )

    def _drop(self) -> None:
        self.dropped += 1

    def _wanted(self) -> Iterator[Frame]:
        frames = self._frames if self.live else _steady(self._frames, float(1 / self.rate))
        for index, time_s, image in frames:
            if image is not None:
                yield Frame(index, time_s, image, time.monotonic())

    def _paced(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        begun = time.monotonic()
        for frame in frames:
            self._stop.wait(max(0.0, begun + frame.time_s - time.monotonic()))
            yield replace(frame, taken=time.monotonic())

    # === (index, seconds, image or None where it is not wanted) ===

    def _file_frames(self) -> Iterator[tuple[int, float, np.ndarray | None]]:
        index, failures = len(self._earlier), 0
        first = self._earlier[0] if index else None
        for time_s in self._earlier:
            self._read += 1
            self._look_at(time_s - self._earlier[0])
        try:
            while failures < MOST_FAILURES and not self._stop.is_set():
                done, image = _next(self._capture, self._wants(index))
                index += 1
                if not done:
                    failures += 1
                    self._ended = failures == MOST_FAILURES
                    continue
                if self._end is not None and index > self._end:
                    return
                self._read += 1
                self._reached = index - 1
                self.lost += failures
                failures = 0
                time_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                first = time_s if first is None else first
                self._look_at(time_s - first)
                yield index - 1, time_s - first, image
        finally:
            self._capture.release()

    def _wants(self, index: int) -> bool:
        within = self._begin <= index and (self._end is None or index < self._end)
        return within and index % self._every == 0

    def _look_at(self, time_s: float) -> None:
        lasted = time_s - self._last_s
        self._uneven += self._read > 1 and abs(lasted - self._step) > self._step / 2
        self._longest_s, self._last_s = max(self._longest_s, lasted), time_s

    def _live_frames(self) -> Iterator[tuple[int, float, np.ndarray | None]]:
        first, good, failures, attempts = None, 0, 0, 0
        try:
            while not self._stop.is_set():
                done, image = _next(self._capture, self._read % self._every == 0)
                if done:
                    now = time.monotonic()
                    first = now if first is None else first
                    self._read += 1
                    good, failures, attempts = good + 1, 0, 0 if good >= _SETTLED else attempts
                    yield self._read - 1, now - first, image
                elif (failures := failures + 1) < _HICCUPS:
                    self._stop.wait(0.01)
                elif first is None:
                    break
                else:
                    attempts = self._reconnect(attempts)
                    good = failures = 0
                    if self._vanished:
                        break
        finally:
            self._capture.release()

    def _reconnect(self, attempts: int) -> int:
        """Open the source again; returns how many attempts were made by now."""
        self._capture.release()
        while attempts < RECONNECTS and not self._stop.wait(_PAUSE_S * 2**attempts):
            attempts += 1
            try:
                self._capture = self._connect()
            except InputError:
                continue
            self.reconnected += 1
            return attempts
        self._vanished = not self._stop.is_set()
        return attempts


def _frames(number: int) -> str:
    return counted(number, "frame")


def _next(capture: Capture, wanted: bool) -> tuple[bool, np.ndarray | None]:
    """Whether there was a frame, and it as (h, w, 3) uint8 RGB if it is wanted."""
    try:
        if not wanted:
            return capture.grab(), None
        done, image = capture.read()
        if not done or image is None or not image.size:
            return False, None
        return True, cv2.cvtColor(
            image, cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
        )
    except cv2.error:
        return False, None


def _steady(
    frames: Iterator[tuple[int, float, np.ndarray | None]], step: float
) -> Iterator[tuple[int, float, np.ndarray | None]]:
    """Let the times rise: around damage some are ahead of the next frame's, and then they are a
    step after the one before.
    """
    before = -step
    waiting: deque[tuple[int, float, np.ndarray | None]] = deque()

    def put_right(following: float) -> tuple[int, float, np.ndarray | None]:
        nonlocal before
        index, time_s, image = waiting.popleft()
        if (
            not before < time_s < following
        ):  # half of the way to the next, but no longer than a frame lasts
            time_s = before + (
                min(step, (following - before) / 2) if before < following < math.inf else step
            )
        before = time_s
        return index, before, image

    for frame in frames:
        waiting.append(frame)
        if len(waiting) == 2:
            yield put_right(frame[1])
    if waiting:
        yield put_right(math.inf)


def _fraction(rate: float) -> Fraction:
    """The fraction that was meant: 29.97002997… is 30000/1001."""
    near = Fraction(rate).limit_denominator(1001)
    return near if abs(near - rate) < 1e-9 * rate else Fraction(rate).limit_denominator(100_000)


def _rate_of(times: list[float]) -> Fraction:
    """Frames a second of frames at these times; the nearest usual rate if one is near. 30 where
    nothing can be said.
    """
    steps = [after - before for before, after in pairwise(times) if after > before]
    if not steps:
        return Fraction(30)
    rate = Fraction(1 / statistics.median(steps)).limit_denominator(1001)
    near = min(_RATES, key=lambda usual: abs(usual - rate))
    return near if abs(near - rate) < rate / 25 else min(max(rate, Fraction(1)), Fraction(240))
