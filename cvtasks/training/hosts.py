"""Several hosts that learn as one: what they do together, and how they end together.

The first host leads. It decides what is done between steps, looks, saves and tells; the others do
the same steps, and hear from it over a line what comes next.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import astuple, dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, final

from cvtasks.errors import (
    CVTasksError,
    DataError,
    InputError,
    ModelError,
    NotFinite,
    OutputError,
    UsageError,
)
from cvtasks.training.line import Line
from cvtasks.training.stopping import Stopped

T = TypeVar("T")

AHEAD = 2
"""Steps after which a wish of the first host is fulfilled: all have heard of it by then, and nobody
has waited.
"""

_WATCH_S = 0.2  # between two looks whether this host is to stop, while it waits
_PARTING_S = 5.0  # in which the others have gone, once they have heard that the run ends

_KINDS = {
    kind.__name__: kind
    for kind in (UsageError, OutputError, InputError, ModelError, NotFinite, DataError, Stopped)
}
"""Errors that are raised by all hosts where the first one raises them."""


class HostEnded(CVTasksError):
    """Another host of the run has ended, and so this one does; its exit code is the other's."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Wish:
    """What is to be done after a step: to look at what steps left, to stop, to save."""

    look: bool = False
    stop: bool = False
    save: bool = False


class Hosts(ABC):
    """The hosts of a run, as one of them sees them.

    Attributes:
        number: how many they are; `index`: which one this is, from 0.
        address: by which the others reach the first.
    """

    number: int = 1
    index: int = 0
    address: str = ""

    @property
    def leads(self) -> bool:
        """Whether this is the first host, which alone writes and tells."""
        return self.index == 0

    @abstractmethod
    def after_step(self, wish: Wish) -> Wish:
        """What all do after this step.

        Args:
            wish: what this host would do.
        """

    @abstractmethod
    def shared(self, make: Callable[[], T]) -> T:
        """What the first host makes, for all; the others wait, and make nothing. JSON must hold it.

        Raises:
            CVTasksError: what `make` raises, on every host.
        """

    @abstractmethod
    def check_alike(self, facts: Mapping[str, str]) -> None:
        """Raise UsageError, on every host, unless all call it with the same facts."""

    def same(self, error: BaseException | None) -> bool:
        """Whether an error is one that all hosts have raised."""
        return False

    @abstractmethod
    def hearing(self, stop: threading.Event) -> AbstractContextManager[None]:
        """As long as the context lasts, `stop` is set on the first host where any host is to
        stop.
        """


@final
class _Alone(Hosts):
    """A host without others."""

    def after_step(self, wish: Wish) -> Wish:
        return wish

    def shared(self, make: Callable[[], T]) -> T:
        return make()

    def check_alike(self, facts: Mapping[str, str]) -> None:
        return

    def hearing(self, stop: threading.Event) -> AbstractContextManager[None]:
        return nullcontext()


ALONE: Hosts = _Alone()
"""The one host of a usual run."""


class Several(Hosts):
    """A host with others.

    Args:
        ended: called by a thread where another host has ended although the run has not: this
            process must end then, whatever it is at.
    """

    def __init__(
        self, number: int, index: int, address: str, ended: Callable[[HostEnded], None]
    ) -> None:
        self.number, self.index, self.address = number, index, address
        self._ended = ended
        self._leaving, self._over = False, threading.Event()
        self._same: CVTasksError | None = None  # that all have raised
        self._stop = threading.Event()

    @contextmanager
    def hearing(self, stop: threading.Event) -> Iterator[None]:
        """See `Hosts.hearing`."""
        if self._stop.is_set():
            stop.set()
        self._stop = stop
        self._forget()
        try:
            yield
        finally:
            self._stop = threading.Event()

    @abstractmethod
    def _forget(self) -> None:
        """Drop wishes of a training before this one."""

    def same(self, error: BaseException | None) -> bool:
        """See `Hosts.same`."""
        return error is not None and error is self._same

    def leave(self, error: BaseException | None) -> None:
        """Part from the others: in peace, or telling them of the error that ends this host."""
        known = isinstance(error, CVTasksError) or not isinstance(error, Exception)
        if not known:
            self._over.wait(_PARTING_S)  # it may come of another host's end: `ended` is at work
        self._leaving = True
        if error is None or self.same(error):
            self._part("bye", None)
        else:
            self._part("end", [_sentence(error), getattr(error, "exit_code", 1)])

    def _pass_on(self, text: str, code: int) -> None:
        """Tell those who cannot know that a host has ended."""

    @abstractmethod
    def _part(self, kind: str, value: Any) -> None:
        """Say a last word, and close the lines."""

    def _end(self, text: str, code: int) -> None:
        """Another host has ended."""
        if self._leaving or self._over.is_set():
            return
        self._over.set()
        self._pass_on(text, code)
        self._ended(HostEnded(f"all hosts of a run end together; {text}", code))


@final
class First(Several):
    """The first host.

    Args:
        lines: number of another host → the line to it.
    """

    def __init__(
        self, address: str, lines: Mapping[int, Line], ended: Callable[[HostEnded], None]
    ) -> None:
        super().__init__(len(lines) + 1, 0, address, ended)
        self._lines, self._gone = lines, set[int]()
        self._facts: dict[int, SimpleQueue[dict[str, str]]] = {at: SimpleQueue() for at in lines}
        self._wishes: deque[Wish] = deque()
        for at, line in lines.items():
            line.listen(partial(self._heard, at), partial(self._lost, at))

    def after_step(self, wish: Wish) -> Wish:
        """See `Hosts.after_step`."""
        self._tell("wish", astuple(wish))
        self._wishes.append(wish)
        return self._wishes.popleft() if len(self._wishes) > AHEAD else Wish()

    def shared(self, make: Callable[[], T]) -> T:
        """See `Hosts.shared`."""
        try:
            made = make()
        except CVTasksError as error:
            self._same = error
            self._tell("raise", [type(error).__name__, str(error), dict(error.ways)])
            raise
        self._tell("value", made)
        return made

    def check_alike(self, facts: Mapping[str, str]) -> None:
        """See `Hosts.check_alike`."""

        def check() -> None:
            for at, said in self._facts.items():
                _compare(facts, said.get(), self._lines[at].name)

        self.shared(check)

    def _forget(self) -> None:
        self._wishes.clear()

    def _heard(self, at: int, kind: str, value: Any) -> None:
        if kind == "stop":
            self._stop.set()
        elif kind == "facts":
            self._facts[at].put(value)
        elif kind == "bye":
            self._gone.add(at)
        elif kind == "end":
            self._gone.add(at)
            self._end(f"{self._lines[at].name} ended: {value[0]}", int(value[1]))

    def _lost(self, at: int, reason: str) -> None:
        if at not in self._gone:
            self._gone.add(at)
            self._end(
                f"{self._lines[at].name} is gone: {reason}. When it is back, the run can be resumed"
                " by all",
                1,
            )

    def _pass_on(self, text: str, code: int) -> None:
        """See `Several._pass_on`."""
        self._tell("end", [text, code])
        self._wait_for_all()

    def _part(self, kind: str, value: Any) -> None:
        self._tell(kind, value)
        self._wait_for_all()  # this one's end is that of the service by which JAX finds the others
        for line in self._lines.values():
            line.close()

    def _tell(self, kind: str, value: Any) -> None:
        for line in self._lines.values():
            line.send(kind, value)

    def _wait_for_all(self) -> None:
        for at, line in self._lines.items():
            if at not in self._gone:
                line.ended_within(_PARTING_S)


@final
class Other(Several):
    """A host beside the first.

    Args:
        line: to the first.
    """

    def __init__(
        self,
        number: int,
        index: int,
        address: str,
        line: Line,
        ended: Callable[[HostEnded], None],
    ) -> None:
        super().__init__(number, index, address, ended)
        self._line = line
        self._wishes: SimpleQueue[Any] = SimpleQueue()
        self._values: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._steps, self._asked = 0, self._stop
        line.listen(self._heard, self._lost)

    def after_step(self, wish: Wish) -> Wish:
        """See `Hosts.after_step`; but for `stop`, the first host's wishes alone count."""
        self._ask()
        self._steps += 1
        return Wish(*self._next(self._wishes)) if self._steps > AHEAD else Wish()

    def shared(self, make: Callable[[], T]) -> T:
        """See `Hosts.shared`."""
        kind, value = self._next(self._values)
        if kind == "value":
            return value  # as JSON has it
        name, text, ways = value
        self._same = _KINDS.get(name, CVTasksError)(text, ways=ways)
        raise self._same

    def check_alike(self, facts: Mapping[str, str]) -> None:
        """See `Hosts.check_alike`."""
        self._line.send("facts", dict(facts))
        self.shared(lambda: None)

    def _forget(self) -> None:
        for _ in range(min(self._steps, AHEAD)):
            self._next(self._wishes)
        self._steps = 0

    def _next(self, queue: "SimpleQueue[T]") -> T:
        while True:
            try:
                return queue.get(timeout=_WATCH_S)
            except Empty:
                self._ask()

    def _ask(self) -> None:
        """Ask the first host to have all stop, once, where this one is to."""
        if self._stop.is_set() and self._asked is not self._stop:
            self._asked = self._stop
            self._line.send("stop")

    def _heard(self, kind: str, value: Any) -> None:
        if kind == "wish":
            self._wishes.put(value)
        elif kind in ("value", "raise"):
            self._values.put((kind, value))
        elif kind == "end":
            self._end(*value)

    def _lost(self, reason: str) -> None:
        self._end(f"host 0 is gone: {reason}. When it is back, the run can be resumed by all", 1)

    def _part(self, kind: str, value: Any) -> None:
        self._line.send(kind, value)
        self._line.close()


def _sentence(error: BaseException) -> str:
    """What the others are told of the error that ends a host."""
    if isinstance(error, CVTasksError):
        return str(error)
    if not isinstance(error, Exception):
        return "it was interrupted."
    return f"{type(error).__name__}: {error}"[:500]


def _compare(own: Mapping[str, str], other: Mapping[str, str], name: str) -> None:
    """Raise UsageError where two hosts would not train the same."""
    for key in sorted(own.keys() | other.keys()):
        if own.get(key) != other.get(key):
            raise UsageError(
                f"all hosts of a run train the same; {key} is {own.get(key, 'nothing')} at host 0 "
                f"and {other.get(key, 'nothing')} at {name}. Give all hosts the same options, data "
                "and version."
            )
