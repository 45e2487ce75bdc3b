"""Where the time of a training's steps goes: a table, and a trace of events that browsers show.

The trace is in Chrome's Trace Event Format: chrome://tracing and https://ui.perfetto.dev open it.
"""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar, final

from cvtasks.files.writing import made_beside, publish_new
from cvtasks.text import counted

T = TypeVar("T")

PARTS = {
    "data": "until the batch is there, on the device",
    "compute": "calling the compiled step",
    "wait": "for the device, and for what it left",
    "other": "of the loop itself",
}
"""Part of a step's time → what it is. They add up to the step."""

_WARM = 2  # steps that are left out of the table: they compile
_MOST = 200_000  # events in the trace: some 20 MB


class Profile(ABC):
    """What a training tells of its time."""

    @abstractmethod
    def span(self, name: str, device: bool = False) -> AbstractContextManager[None]:
        """Note what is done in the context under a name: one of `PARTS`, or other work between
        steps.

        Args:
            device: whether the device is busy from its beginning to its end.
        """

    @abstractmethod
    def iterated(self, items: Iterable[T]) -> Iterable[T]:
        """The same items; to come by each is "data"."""

    @abstractmethod
    def given(self, finished: Callable[[], object]) -> None:
        """Note that the step that was computed last goes on, on the device; `finished` returns when
        it has been done.
        """

    @abstractmethod
    def step(self) -> None:
        """Note that a step has ended."""


@final
class _Nobody(Profile):
    """Notes nothing, and takes no time for it."""

    def span(self, name: str, device: bool = False) -> AbstractContextManager[None]:
        return _NOTHING

    def iterated(self, items: Iterable[T]) -> Iterable[T]:
        return items

    def given(self, finished: Callable[[], object]) -> None:
        return

    def step(self) -> None:
        return


_NOTHING = nullcontext()
NO_PROFILE: Profile = _Nobody()


@final
class Recorder(Profile):
    """Notes everything; from one thread.

    Args:
        clock: seconds, never falling.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._begun = clock()
        self._events: list[tuple[str, str, float, float]] = []
        self._left_out = 0
        self._now: dict[str, float] = defaultdict(float)  # of the step under way
        self._parts: dict[str, float] = defaultdict(float)  # of all steps in the table
        self._between: dict[str, float] = defaultdict(float)
        self._steps, self._seconds, self._first = 0, 0.0, 0.0
        self._step_begun: float | None = None
        self._computed, self._busy_until, self._busy = 0.0, 0.0, 0.0
        self._counts, self._since = False, 0.0  # whether steps are in the table now, and since when
        self._given: SimpleQueue[tuple[Callable[[], object], float] | None] = SimpleQueue()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def span(self, name: str, device: bool = False) -> Iterator[None]:
        """See `Profile.span`."""
        begun = self._clock()
        if name == "compute":
            self._computed = begun
        try:
            yield
        finally:
            ended = self._clock()
            (self._now if name in PARTS else self._between)[name] += ended - begun
            self._note("loop", name, begun, ended)
            if device:
                self._worked(begun, ended)

    def iterated(self, items: Iterable[T]) -> Iterable[T]:
        """See `Profile.iterated`. A step begins with its batch."""
        iterator = iter(items)
        while True:
            self._step_begun = self._clock()
            self._now.clear()
            if self._steps >= _WARM and not self._counts:
                self._counts, self._since = True, self._step_begun
            with self.span("data"):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def given(self, finished: Callable[[], object]) -> None:
        """See `Profile.given`. A thread waits for it, so that the loop does not."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="profile", daemon=True)
            self._watcher.start()
        self._given.put((finished, self._computed))

    def step(self) -> None:
        """See `Profile.step`."""
        begun, ended = self._step_begun, self._clock()
        if begun is None:
            return
        self._steps += 1
        self._note("steps", f"step {self._steps}", begun, ended)
        if not self._counts:
            self._first += ended - begun
            return
        self._seconds += ended - begun
        for name, seconds in self._now.items():
            self._parts[name] += seconds
        self._parts["other"] += ended - begun - sum(self._now.values())

    def lines(self) -> list[str]:
        """The table, a line for each part, and what else there is to say."""
        self._join()
        number = self._steps - _WARM
        if number < 1:
            return [f"profile: {counted(self._steps, 'step')}: too few for a table"]
        each = 1000 / number
        lines = [
            f"profile: {counted(number, 'step')}, {each * self._seconds:.2f} ms each (the first "
            f"{_WARM}, which compile, took {self._first:.1f} s and are left out)"
        ]
        for name, meaning in PARTS.items():
            spent = self._parts[name]
            share = spent / max(self._seconds, 1e-9)
            lines.append(f"  {name:<9}{each * spent:9.2f} ms  {share:6.1%}  {meaning}")
        busy = min(1.0, self._busy / max(self._seconds, 1e-9))  # the last step may go on behind it
        lines.append(f"  the device was busy {busy:.0%} of it")
        lines += [f"  between: {name} {spent:.1f} s" for name, spent in self._between.items()]
        return lines

    def write(self, folder: Path) -> Path:
        """Write the trace as `profile.json`, or `profile-2.json` …, and return its path."""
        self._join()
        threads = {"steps": 1, "loop": 2, "device": 3}
        events = [
            {"name": "thread_name", "ph": "M", "pid": 1, "tid": number, "args": {"name": name}}
            for name, number in threads.items()
        ]
        rows = [
            {
                "name": name,
                "ph": "X",
                "pid": 1,
                "tid": threads[track],
                "ts": round(1e6 * (begun - self._begun), 1),
                "dur": round(1e6 * (ended - begun), 1),
            }
            for track, name, begun, ended in self._events
        ]
        said = {"events left out": self._left_out}
        document = {"traceEvents": events + rows, "displayTimeUnit": "ms", "otherData": said}
        with made_beside(folder) as place:
            part = place / "profile.json"
            part.write_text(json.dumps(document), encoding="utf-8")
            return publish_new(folder, "profile", {".json": part})[0]

    def _note(self, track: str, name: str, begun: float, ended: float) -> None:
        if len(self._events) < _MOST:
            self._events.append((track, name, begun, ended))
        else:
            self._left_out += 1

    def _worked(self, begun: float, ended: float) -> None:
        """The device worked on a step; it does one after the other."""
        begun = max(begun, self._busy_until)
        self._busy_until = ended
        self._note("device", "step", begun, ended)
        if self._counts:
            self._busy += max(0.0, ended - max(begun, self._since))

    def _watch(self) -> None:
        while (given := self._given.get()) is not None:
            finished, begun = given
            finished()
            self._worked(begun, self._clock())

    def _join(self) -> None:
        """Wait for the thread that watches the device."""
        if self._watcher is not None:
            self._given.put(None)
            self._watcher.join()
            self._watcher = None


@contextmanager
def recorded(folder: Path, say: Callable[[str], None]) -> Iterator[Profile]:
    """A profile of what is done in the context; says the table, and writes the trace into the
    folder, also where that ends with an error.
    """
    recorder = Recorder()
    try:
        yield recorder
    finally:
        for line in recorder.lines():
            say(line)
        say(f"trace: {recorder.write(folder)}, for chrome://tracing or https://ui.perfetto.dev")
