"""The queue of a model: the images of all requests, one after the other through its engine."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cvtasks.model import Model

_HURRY_S = 0.004  # that a network with work under way waits for an image that is being decoded
_FORGET = 0.9  # of the pace before, at each image


@dataclass(frozen=True)
class How:
    """How an image is asked about; images of one kind go through the engine together.

    Attributes:
        threshold: least score; None for the model's own.
        tiles, augment: as `Model.predict` and `load` have them.
    """

    threshold: float | None = None
    tiles: str = ""
    augment: str = ""


@dataclass(eq=False)
class Asked:
    """An image that waits for its answer."""

    image: np.ndarray
    how: How
    answer: Future[Any] = field(default_factory=Future)


class Worker:
    """A thread that feeds a model's engine with the images of all requests, several under way at a
    time, and gives each its answer as it comes.

    Attributes:
        model: whose engine it is.
        pace: seconds from one answer to the next while there is work, lately; 0 at first.
        done: answers so far.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._waiting: deque[Asked] = deque()
        self._changed = threading.Condition()
        self._coming = 0
        self._closed = False
        self.pace, self.done = 0.0, 0
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def ask(self, image: np.ndarray, how: How) -> Future[Any]:
        """The answer that is to come about an image (h, w, 3) uint8 RGB that was expected; who
        cancels it before its turn takes it off the queue.
        """
        asked = Asked(image, how)
        with self._changed:
            self._waiting.append(asked)
            self._changed.notify()
        return asked.answer

    def expect(self) -> bool:
        """An image is being decoded for this model, until `arrived`; False where it is closed, and
        another must be asked.
        """
        with self._changed:
            self._coming += not self._closed
            return not self._closed

    def arrived(self) -> None:
        """One that was expected has been asked about, or is not coming."""
        with self._changed:
            self._coming -= 1
            self._changed.notify()

    def close(self) -> None:
        """Answer what waits and what is expected, and end the thread; returns at once."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread, which `close` has asked for."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and (self._coming or not self._closed):
                    self._changed.wait()
                if not self._waiting:
                    return
                first = self._waiting.popleft()
            self._stream(first)
            del first  # an image is large, and the next may be long in coming

    def _stream(self, first: Asked) -> None:
        """Answer an image, and those after it that are asked about in the same way, as long as
        there are some.

        An engine gives its last answers when its images end; so they end where none is there.
        """
        if not first.answer.set_running_or_notify_cancel():
            return
        under_way = deque([first])
        try:
            self._answer(first, under_way, self._next)
        except Exception as error:  # whoever asked gets it, and the next image its turn
            if len(under_way) == 1:
                under_way.popleft().answer.set_exception(error)
            while under_way:  # one of several: each alone, so that the others have their answers
                one = under_way.popleft()
                try:
                    self._answer(one, deque([one]), lambda how: None)
                except Exception as own:
                    one.answer.set_exception(own)

    def _answer(
        self, first: Asked, under_way: deque[Asked], following: Callable[[How], Asked | None]
    ) -> None:
        """Give the first, and what follows it, their answers; `under_way` has those that are taken
        and have none yet.
        """
        how, begun = first.how, time.perf_counter()

        def images() -> Iterator[tuple[Asked, np.ndarray]]:
            yield first, first.image
            while (one := following(how)) is not None:
                under_way.append(one)
                yield one, one.image

        model = replace(self.model, augment=how.augment or self.model.augment)
        answers = model.predict_many(images(), how.threshold, tiles=how.tiles)
        for asked, _, answer in answers:
            under_way.popleft()
            asked.answer.set_result(answer)
            now = time.perf_counter()
            self.pace = _FORGET * self.pace + (1 - _FORGET) * (now - begun)
            self.done, begun = self.done + 1, now

    def _next(self, how: How) -> Asked | None:
        """The next image, if it is there or comes at once, and is asked about in this way."""
        with self._changed:
            if not self._waiting and self._coming:
                self._changed.wait(_HURRY_S)
            while self._waiting and self._waiting[0].how == how:
                one = self._waiting.popleft()
                if one.answer.set_running_or_notify_cancel():
                    return one
            return None
