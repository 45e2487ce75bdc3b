"""Gaps in tracks, filled from where an object was before and after. That takes frames that come
later, so those that may still get a box are held back.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from cvtasks.answers import Boxes
from cvtasks.media.prefetch import shut

MOST = 15
"""Frames that a gap has at most, and that are held back."""

T = TypeVar("T")


@dataclass(eq=False)
class _Held(Generic[T]):
    """A frame that waits.

    Attributes:
        boxes: all that are followed; `shown`, (n,) bool, says which will be given out.
        added: boxes that were put between.
    """

    item: T
    time_s: float
    boxes: Boxes
    shown: np.ndarray
    added: list[Boxes]

    def answer(self) -> Boxes:
        """What is given out."""
        shown = self.boxes.take(self.shown)
        return shown.joined(self.added, ((0, 0),) * (1 + len(self.added)), shown.size)


def filled(
    frames: Iterable[tuple[T, float, Boxes]], threshold: float, most: int = MOST
) -> Iterator[tuple[T, Boxes]]:
    """Frames in order with the boxes that are shown of each, and gaps filled.

    Where an object is surely seen in two frames with `most` between them or fewer, it gets a box in
    each of these: the unsure one that was followed there, or one on the way between the two by
    their times, with the lower of their scores. Both are marked as `filled`.

    Args:
        frames: whatever belongs to a frame, its time in seconds, and the boxes that a `Tracker`
            gives, also those below the threshold.
        threshold: the score from which on a box is sure, 0 to 1.
        most: also how many frames are held back, at most.
    """
    held: deque[_Held[T]] = deque()
    last: dict[
        int, tuple[int, float, Boxes]
    ] = {}  # track → frame, time and box that it was sure in
    gone = 0  # frames that were given out
    with shut(frames):
        for now, (item, time_s, boxes) in enumerate(frames):
            sure = boxes.scores >= threshold
            here = _Held(item, time_s, boxes, sure, [])
            for i in np.flatnonzero(sure).tolist():
                track, box = int(boxes.tracks[i]), boxes.take(slice(i, i + 1))
                if track in last and now - last[track][0] > 1:
                    between = [held[frame - gone] for frame in range(last[track][0] + 1, now)]
                    _fill(between, last[track][1:], (time_s, box))
                last[track] = now, time_s, box
            held.append(here)
            last = {track: seen for track, seen in last.items() if now - seen[0] <= most}
            oldest = min((seen[0] for seen in last.values() if seen[0] < now), default=now)
            while gone <= oldest and held:
                first = held.popleft()
                gone += 1
                yield first.item, first.answer()
    for one in held:
        yield one.item, one.answer()


def _fill(between: list[_Held[T]], before: tuple[float, Boxes], after: tuple[float, Boxes]) -> None:
    """Give an object a box in each frame between two that it was surely seen in."""
    (first_s, first), (last_s, last) = before, after
    score = np.minimum(first.scores, last.scores)
    for one in between:
        unsure = one.boxes.tracks == first.tracks[0]
        if unsure.any():
            one.boxes = replace(one.boxes, filled=one.boxes.filled | unsure)
            one.shown = one.shown | unsure
            continue
        share = np.float32((one.time_s - first_s) / max(last_s - first_s, 1e-9))
        xyxy = first.xyxy + share * (last.xyxy - first.xyxy)
        put = replace(first.placed(xyxy), scores=score, filled=np.ones(1, bool))
        one.added.append(put)
