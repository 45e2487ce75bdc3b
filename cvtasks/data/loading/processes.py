"""Processes that prepare samples, each with a Python of its own: for machines where threads, which
share one, are the brake.

They are started afresh and not forked (a forked child of TensorFlow or OpenVINO hangs), and load
neither Keras nor a back end. A process hears its orders through a pipe, answers through another
one, and lays what it has made into memory that both see (`cvtasks.data.loading.room`). It ends when
its pipe does, so that none outlives a program that was killed.
"""

import os
import pickle
import selectors
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, final

from cvtasks.data.loading.preparing import Item
from cvtasks.data.loading.room import Room, new_room
from cvtasks.data.source import Source
from cvtasks.errors import DataError, UsageError

START_S = 120.0
"""Seconds in which a process must have begun; it takes one or two, and more on a network share."""

Prepare = Callable[[Source, int, int, int], Item]

_FEWER = (
    "Where memory is full, the system kills what uses most of it: set `data.workers` lower, or "
    "`data.processes = false`. The run can be resumed."
)


@final
class Processes:
    """So many processes that prepare items of a source.

    Args:
        prepare: (source, epoch, step, index) → (image, target, name); it and the source are sent to
            each process.
        inherited: descriptors of files that the source needs there.

    Raises:
        UsageError: they cannot be sent, or this system cannot hand files over.
        DataError: a process does not begin.
    """

    def __init__(
        self, source: Source, prepare: Prepare, number: int, inherited: Sequence[int] = ()
    ) -> None:
        orders = _sent(source, prepare)
        self._idle: SimpleQueue[_Process | None] = SimpleQueue()
        self._all: list[_Process] = []
        self._end = weakref.finalize(self, _end, self._all)
        for place in range(number):
            self._all.append(_Process(place + 1, inherited))
        for process in self._all:
            process.tell(orders)
        for process in self._all:
            process.begun()
            self._idle.put(process)

    def prepare(self, called: str, epoch: int, step: int, index: int) -> Item:
        """The item, made by a process that has nothing to do; waits for one.

        May be called by several threads.

        Args:
            called: what errors call the sample.

        Raises:
            DataError: the process has ended; names it and the sample. What `prepare` raised there.
        """
        process = self._idle.get()
        if process is None:
            raise ValueError("processes that were closed prepare nothing.")
        try:
            return process.prepare(called, (epoch, step, index))
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """End all of them, whatever they do."""
        self._end()
        for _ in self._all:
            self._idle.put(None)


def _sent(source: Source, prepare: Prepare) -> bytes:
    """The first order."""
    if os.name != "posix":
        raise UsageError(
            "`data.processes` needs a system whose processes inherit open files, as Linux and "
            f"macOS have it; this is {sys.platform}. Set it to false: threads prepare the same."
        )
    try:
        return pickle.dumps((source, prepare), protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            "what prepares samples in other processes must be sent there (pickled); got "
            f"{type(source).__name__}, which cannot be: {error}. Set `data.processes = false`."
        ) from error


def _end(processes: list["_Process"]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.forget()


@final
class _Process:
    """One process: its pipes, and the room that it lays items into.

    Args:
        number: from 1.
    """

    def __init__(self, number: int, inherited: Sequence[int]) -> None:
        self._number, self._descriptor = number, new_room()
        self._room = Room(self._descriptor)
        home = str(Path(__file__).parents[3])  # where a checkout runs that is not installed, too
        path = os.pathsep.join([home, *filter(None, sys.path)])
        alone = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "cvtasks.data.loading.worker", str(self._descriptor)],
            env={**os.environ, **alone, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(self._descriptor, *inherited),
        )

    def tell(self, order: bytes) -> None:
        """Send an order, pickled; that it has ended is seen when its answer is awaited."""
        try:
            self._pipe(self._popen.stdin).write(order)
            self._pipe(self._popen.stdin).flush()
        except OSError:
            return

    def begun(self) -> None:
        """Wait until it is ready."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe(self._popen.stdout), selectors.EVENT_READ)
            if not selector.select(START_S):
                raise DataError(
                    f"a process that prepares samples must begin within {START_S:.0f} s; number "
                    f"{self._number} has not. Set `data.workers` lower, or "
                    "`data.processes = false`."
                )
        self._answer("it began")

    def prepare(self, called: str, order: tuple[int, int, int]) -> Item:
        """The item of (epoch, step, index)."""
        self.tell(pickle.dumps(order))
        return self._room.take(self._answer(f"it prepared {called}"))

    def kill(self) -> None:
        """End it at once."""
        self._popen.kill()

    def forget(self) -> None:
        """Close what belonged to it; to be called once it was killed."""
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            try:
                self._pipe(pipe).close()
            except OSError:  # what was on its way to a process that has ended
                continue
        os.close(self._descriptor)

    def _answer(self, when: str) -> Any:
        try:
            answer = pickle.load(self._pipe(self._popen.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise DataError(
                "a process that prepares samples must go on until it is told to end; number "
                f"{self._number} (process {self._popen.pid}) {self._last_word()} while {when}. "
                f"{_FEWER}",
                ways={"resume": ""},
            ) from error
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _last_word(self) -> str:
        """How it ended."""
        try:
            code = self._popen.wait(5)
        except subprocess.TimeoutExpired:
            return "said something that cannot be understood"
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was killed by {signal.Signals(-code).name}"

    @staticmethod
    def _pipe(pipe: Any) -> Any:
        """A pipe of the process, which has two."""
        if pipe is None:
            raise ValueError("a worker's streams are pipes")
        return pipe
