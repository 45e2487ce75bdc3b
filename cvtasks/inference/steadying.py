"""Answers about the frames of a video, made steadier by those before them."""

from collections import deque

from cvtasks.answers import Answer
from cvtasks.errors import UsageError
from cvtasks.tasks.base import Task

MOST = 30
"""Frames that are looked at together."""


class Steady:
    """Answers in the order of their frames → the same, each by the last frames together with it
    (`Answer.steady`): nothing waits for a frame to come.

    Args:
        frames: how many, the present one among them; 0 or 1 for answers as they are.
    """

    def __init__(self, frames: int) -> None:
        self._last = deque[Answer](maxlen=max(frames - 1, 0))

    def __call__(self, answer: Answer) -> Answer:
        steady = answer.steady(tuple(self._last))
        self._last.append(answer)
        return steady


def check_steadied(task: Task, frames: int) -> None:
    """Raise UsageError where frames are to be looked at together, and the task's answers are none
    that flicker, or where there are too many.
    """
    if frames and not task.answer.steadied:
        raise UsageError(
            f"what is smoothed over frames are masks; {task.name} answers without. Leave the "
            "smoothing out."
        )
    if not 0 <= frames <= MOST:
        raise UsageError(
            f"masks are smoothed over at most {MOST} frames; got {frames}. Name fewer."
        )
