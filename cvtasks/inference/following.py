"""A video's boxes on their way: tracked, gaps filled, counted, and what is drawn of that."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np

from cvtasks.answers import Answer, Boxes
from cvtasks.drawing.tracks import draw_places, draw_tails
from cvtasks.errors import UnfitInput, UsageError
from cvtasks.inference.counting import CountSpec, Place, placed
from cvtasks.inference.gaps import filled
from cvtasks.inference.tracking import LOW, Tracker
from cvtasks.media.prefetch import shut
from cvtasks.media.video import Frame
from cvtasks.tasks.base import Task

_TAIL_S = 1.5  # of its way that is drawn behind an object

T = TypeVar("T")


@dataclass(frozen=True)
class Follow:
    """That objects are to be followed through videos, and how.

    Attributes:
        counts: lines and zones to count at, by `counting.named`.
        fill_gaps: whether gaps of at most `gaps.MOST` frames are filled; frames come out that much
            later then.
    """

    counts: tuple[CountSpec, ...] = ()
    fill_gaps: bool = False


def check_followed(task: Task, follow: Follow | None) -> None:
    """Raise UsageError where objects are to be followed and the task does not answer with boxes."""
    if follow and not issubclass(task.answer, Boxes):
        raise UsageError(
            f"what is tracked and counted are objects in boxes; {task.name} has none. Use a model "
            "that detects."
        )


@dataclass(frozen=True, eq=False)
class Followed:
    """A frame, what is shown of it, and what was counted.

    Attributes:
        counts: name of a line or zone → what is counted there by now; empty where nothing is.
        tails: class and way of each object that is there.
        places: points, name and what was counted, of each line and zone.
    """

    frame: Frame
    answer: Answer
    counts: dict[str, Any] = field(default_factory=dict)
    tails: tuple[tuple[int, np.ndarray], ...] = ()
    places: tuple[tuple[np.ndarray, str, tuple[str, ...]], ...] = ()

    def draw_on(self, image: np.ndarray) -> np.ndarray:
        """The image (h, w, 3) uint8 RGB with tails, lines and zones; itself without."""
        if self.tails:
            image = draw_tails(image, self.tails, self.answer.classes)
        return draw_places(image, self.places) if self.places else image


class Following:
    """What is known of the objects of one video. Iterate over `of` once.

    Args:
        follow: what is wanted.
        threshold: the least score of what is shown.
        source: what errors call the video.

    Attributes:
        frames: how many came out; `time_s`: when the last of them was taken.
    """

    def __init__(self, follow: Follow, threshold: float, source: str) -> None:
        self.frames, self.time_s, self._source = 0, 0.0, source
        self._follow, self._threshold = follow, threshold
        self._tracker = Tracker(threshold)
        self._places: list[Place] | None = None
        self._tails: dict[int, deque[tuple[float, np.ndarray]]] = {}

    @property
    def low(self) -> float:
        """The least score of the boxes that are to come in."""
        return min(LOW, self._threshold)

    @property
    def counting(self) -> bool:
        """Whether anything is counted."""
        return bool(self._follow.counts)

    def of(self, answers: Iterable[Followed]) -> Iterator[Followed]:
        """The frames in order, each with the boxes that are shown of it.

        Raises:
            UnfitInput: a line or a zone lies outside of the first one.
        """
        with shut(answers):
            tracked = (
                (one.frame, at, self._tracker(cast("Boxes", one.answer), at))
                for one in answers
                for at in (one.frame.time_s,)
            )
            for frame, boxes in self._shown(tracked):
                self.frames, self.time_s = self.frames + 1, frame.time_s
                yield self._counted(frame, boxes)

    def summary(self) -> dict[str, Any]:
        """Name of each line and zone → what was counted there."""
        return {place.name: place.summary() for place in self._places or ()}

    def words(self) -> list[str]:
        """The same in sentences without an end."""
        return [f"{place.name}: {place.words()}" for place in self._places or ()]

    def _shown(self, tracked: Iterable[tuple[T, float, Boxes]]) -> Iterator[tuple[T, Boxes]]:
        if self._follow.fill_gaps:
            yield from filled(tracked, self._threshold)
            return
        for item, _, boxes in tracked:
            yield item, boxes.take(boxes.scores >= self._threshold)

    def _counted(self, frame: Frame, boxes: Boxes) -> Followed:
        if self._places is None:
            self._places = self._placed(boxes.size)
        for place in self._places:
            place.look(boxes, frame.time_s)
        counts = {place.name: place.now() for place in self._places}
        drawn = tuple((place.points, place.name, place.lines()) for place in self._places)
        return Followed(frame, boxes, counts, self._tails_of(boxes, frame.time_s), drawn)

    def _placed(self, size: tuple[int, int]) -> list[Place]:
        try:
            return [placed(spec, size) for spec in self._follow.counts]
        except UsageError as error:  # another video may be large enough
            raise UnfitInput(f"{self._source}: {error}") from error

    def _tails_of(self, boxes: Boxes, time_s: float) -> tuple[tuple[int, np.ndarray], ...]:
        """Class and way of each object that is there."""
        feet = np.stack([(boxes.xyxy[:, 0] + boxes.xyxy[:, 2]) / 2, boxes.xyxy[:, 3]], axis=1)
        for track, foot in zip(boxes.tracks.tolist(), feet, strict=True):
            self._tails.setdefault(track, deque()).append((time_s, foot))
        for tail in self._tails.values():
            while tail and time_s - tail[0][0] > _TAIL_S:
                tail.popleft()
        self._tails = {track: tail for track, tail in self._tails.items() if tail}
        return tuple(
            (label, np.array([point for _, point in self._tails[track]]))
            for track, label in zip(boxes.tracks.tolist(), boxes.labels.tolist(), strict=True)
        )
