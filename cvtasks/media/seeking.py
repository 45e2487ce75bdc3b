"""Part of a video file, by exact positions: the same frames, numbers and times as in a pass over
the whole.

Which frames there are is read off the file's packets: when each is shown, and which are key frames.
That costs no decoding, and holds where counts and rates of headers lie. It is believed where it is
borne out: the beginning of a file is compared with what is decoded, a frame after each seam is
decoded twice, from two key frames, and every frame that is given must have its packet's time.
"""

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, pairwise

import cv2
import numpy as np

from cvtasks.errors import CVTasksError, InputError
from cvtasks.media.capture import (
    MOST_FAILURES,
    Begun,
    Capture,
    by_ffmpeg,
    has_its_end,
    open_video,
    plain_path,
)
from cvtasks.media.video import Video

_LEAD = 20  # frames; OpenCV goes to a key frame at least 16 before the frame that it is asked for
_REORDERED = 32  # no packet lies further behind those that are shown later
_HEAD = 3000  # packets of the beginning that are looked at for two more key frames
_FILES = 4  # whose packets are remembered


class Misplaced(CVTasksError):
    """A file's frames are not those that its packets announce: it is damaged."""


@dataclass(frozen=True, eq=False)
class Packets:
    """What a file's packets say of its frames.

    Attributes:
        times: when each frame is shown, in milliseconds, rising.
        keys: the numbers of the key frames, rising.
    """

    times: tuple[float, ...]
    keys: tuple[int, ...]


def frames_to_part(path: str, more_than: int = 0) -> int:
    """How many frames a file declares to have, if parts of it can be read by exact positions; 0
    where they cannot, where the file cannot be read, and where there are no more than so many.
    """
    try:
        capture = open_video(path)
        try:
            video = Video(lambda: capture, repr(path))
            declared = min(video.declared, os.stat(path).st_size)  # noqa: PTH116 - long names
        finally:
            capture.release()
        return declared if declared > more_than and _borne_out(path) else 0
    except (InputError, OSError):
        return 0


def open_part(path: str, begin: int, end: int | None, every: int = 1) -> Video | None:
    """The frames of a file with the numbers begin, begin + 1 … end - 1, to be read; None where its
    packets announce none of them.

    Raises:
        InputError: it cannot be opened.
        Misplaced: it holds no packets; while frames are read: they are others than its packets
            announce.
    """
    packets = packets_of(path)
    if not packets.times:
        raise _misplaced(path)
    if begin >= len(packets.times):
        return None
    capture, first = _at(path, packets, begin)
    checked = _Checked(capture, packets.times, first, path)
    return Video(
        lambda: checked,
        repr(path),
        every=every,
        realtime=False,
        complete=has_its_end(path),
        begin=begin,
        end=end,
        earlier=[time_ms / 1000 for time_ms in packets.times[:first]],
    )


def packets_of(path: str) -> Packets:
    """What the packets of a file say; remembered as long as the file stays the same.

    Raises:
        InputError: it cannot be read.
    """
    try:
        facts = os.stat(path)  # noqa: PTH116 - Path.stat raises for other reasons too
    except OSError as error:
        raise InputError(
            f"a video must be a file that can be read; {path!r} cannot: {error.strerror}. Check it."
        ) from error
    return _packets_of(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(_FILES)
def _packets_of(path: str, size: int, changed: int) -> Packets:
    return _sorted(_packets(path))


def _packets(path: str) -> Iterator[tuple[float, bool]]:
    """For each packet, in the order of the file, when its frame is shown, and whether it is a key
    frame.
    """
    with plain_path(path) as plain:
        capture = by_ffmpeg(plain, cv2.CAP_PROP_FORMAT, -1)
    try:
        failures = 0
        while failures < MOST_FAILURES:
            if not capture.grab():
                failures += 1
                continue
            failures = 0
            key = capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0
            yield capture.get(cv2.CAP_PROP_POS_MSEC), key
    finally:
        capture.release()


def _sorted(packets: Iterator[tuple[float, bool]]) -> Packets:
    found = sorted(packets)
    keys = tuple(number for number, (_, key) in enumerate(found) if key)
    return Packets(tuple(time_ms for time_ms, _ in found), keys)


# === to a frame ===


def _at(path: str, packets: Packets, number: int) -> tuple[Capture, int]:
    """A capture, and the number of the frame that it gives next: the one that is asked for, or the
    file's first where there is no surer way.
    """
    seam = min(number + _LEAD, len(packets.times) - 1)
    last = _key_before(packets, seam - _LEAD)
    entry = _key_before(packets, min(last - 1, number - _LEAD))
    if entry > 0:
        ways = [_by_way_of(path, packets, seam, key) for key in (entry, last)]
        found = _by_way_of(path, packets, number, entry) if _alike(ways) else None
        if found:
            return found, number
    return open_video(path), 0


def _key_before(packets: Packets, number: int) -> int:
    """The last key frame whose number is this one or a smaller one; 0 where there is none."""
    place = bisect_right(packets.keys, number)
    return packets.keys[place - 1] if place else 0


def _by_way_of(path: str, packets: Packets, number: int, key: int) -> Begun | None:
    """A capture that gives this frame next, having been sent to a key frame before it; None where
    it gives another.
    """
    capture = open_video(path)
    if not isinstance(capture, Begun):
        capture.release()
        return None
    since_s = (packets.times[key] - packets.times[0]) / 1000
    capture.seek(int(since_s * capture.get(cv2.CAP_PROP_FPS)) + _LEAD - 2)
    while capture.grab():
        time_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        if time_ms == packets.times[number]:
            capture.hold()
            return capture
        if time_ms > packets.times[number]:
            break
    capture.release()
    return None


def _alike(captures: list[Begun | None], image: np.ndarray | None = None) -> bool:
    """Whether all captures are there and give the same image next, this one if it is given; closes
    them.
    """
    images = [] if image is None else [image]
    for capture in captures:
        done, one = capture.read() if capture else (False, None)
        if capture:
            capture.release()
        if not done or one is None:
            return False
        images.append(one)
    return all(np.array_equal(images[0], one) for one in images[1:])


# === is it so? ===


class _Checked:
    """A capture whose frames must have their packets' times; raises Misplaced where one has not."""

    def __init__(self, capture: Capture, times: tuple[float, ...], number: int, path: str) -> None:
        self._capture, self._times, self._next, self._path = capture, times, number, path

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame, BGR."""
        done, image = self._capture.read()
        self._check(done and image is not None)
        return done, image

    def grab(self) -> bool:
        """Pass over the next frame."""
        done = self._capture.grab()
        self._check(done)
        return done

    def get(self, property: int) -> float:
        """A property."""
        return self._capture.get(property)

    def release(self) -> None:
        """Close it."""
        self._capture.release()

    def _check(self, done: bool) -> None:
        at_end = self._next == len(self._times)
        if done == at_end or (done and self.get(cv2.CAP_PROP_POS_MSEC) != self._times[self._next]):
            raise _misplaced(self._path)
        self._next += done


def _misplaced(path: str) -> Misplaced:
    return Misplaced(
        f"a video's frames must be those that its packets announce; {path!r} is damaged. Read it "
        "from its beginning."
    )


def _borne_out(path: str) -> bool:
    """Whether the beginning of a file, as it is decoded, is what its packets announce, and frames
    behind its next two key frames are found again.
    """
    packets = _sorted(_beginning(path))
    known = packets.times[:-_REORDERED]
    if len(packets.keys) < 3 or any(before >= after for before, after in pairwise(known)):
        return False
    ways = {key + _LEAD: key for key in packets.keys[1:3]}
    if max(ways) >= len(known):
        return False
    found: dict[int, np.ndarray | None] = {}
    capture = open_video(path)
    try:
        for number, time_ms in enumerate(known):
            done, image = capture.read() if number in ways else (capture.grab(), None)
            if not done or capture.get(cv2.CAP_PROP_POS_MSEC) != time_ms:
                return False
            if number in ways:
                found[number] = image
    finally:
        capture.release()
    return all(
        _alike([_by_way_of(path, packets, number, ways[number])], image)
        for number, image in found.items()
    )


def _beginning(path: str) -> Iterator[tuple[float, bool]]:
    """The packets of a file to some behind its third key frame."""
    keys = behind = 0
    for packet in islice(_packets(path), _HEAD):
        keys += packet[1]
        behind += keys >= 3
        yield packet
        if behind > 4 * _REORDERED:
            return
