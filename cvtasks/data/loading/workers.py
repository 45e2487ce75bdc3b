"""Threads that prepare samples, watched: one that hangs is named, and does not keep the program
from ending.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from cvtasks.errors import DataError

T = TypeVar("T")

PATIENCE_S = 25.0
"""Seconds in which some thread must finish a sample; a photograph takes milliseconds."""


class Workers(Generic[T]):
    """So many daemon threads, for calls that each belong to a sample."""

    def __init__(self, threads: int) -> None:
        self._jobs: SimpleQueue[tuple[Future[T], Callable[..., T], tuple[Any, ...], str] | None] = (
            SimpleQueue()
        )
        self._busy: dict[int, str] = {}
        self._done = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, args=(n,), name=f"batches-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, name: str, call: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a thread call it; `name` is what errors call the sample."""
        future: Future[T] = Future()
        self._jobs.put((future, call, arguments, name))
        return future

    def results(self, futures: Sequence[Future[T]]) -> list[T]:
        """What the calls returned, in order.

        Raises:
            DataError: no thread has finished anything for `PATIENCE_S`; names the samples that they
                are at. Whatever a call raised.
        """
        return [self._result(future) for future in futures]

    def close(self) -> None:
        """Start no further call, and wait for those under way, though not for ever."""
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job[0].cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(0 if self._hung() else PATIENCE_S)

    def _result(self, future: Future[T]) -> T:
        while not future.done():
            try:
                return future.result(timeout=0.5)
            except TimeoutError:
                if not future.done() and self._hung():
                    raise DataError(
                        f"a sample must be prepared within {PATIENCE_S:.0f} s; "
                        f"{' and '.join(sorted(self._busy.values())) or 'none'} "
                        "hung. Is its disk or network share still there? When it is, the run can "
                        "be resumed.",
                        ways={"resume": ""},
                    ) from None
        return future.result()

    def _hung(self) -> bool:
        return bool(self._busy) and time.monotonic() - self._done > PATIENCE_S

    def _work(self, number: int) -> None:
        while (job := self._jobs.get()) is not None:
            future, call, arguments, name = job
            if not future.set_running_or_notify_cancel():
                continue
            if not self._busy:
                self._done = time.monotonic()  # they were idle: the clock begins now
            self._busy[number] = name
            try:
                future.set_result(call(*arguments))
            except BaseException as error:  # whoever waits for the result gets it
                error.add_note(f"while preparing {name}")
                future.set_exception(error)
            finally:
                self._done = time.monotonic()
                del self._busy[number]


def prepared(
    calls: Iterable[tuple[str, Callable[[], T]]], ahead: int = 8, threads: int = 1
) -> Iterator[T]:
    """Yield what each call returns, in order, while threads make up to `ahead` of them beforehand.

    Args:
        calls: each with what errors call its sample.

    Raises:
        DataError: a call hangs. Whatever a call raised, where its result would have come.
    """
    workers: Workers[T] = Workers(threads)
    waiting: deque[Future[T]] = deque()
    try:
        for name, call in calls:
            waiting.append(workers.submit(name, call))
            if len(waiting) >= ahead:
                yield workers.results([waiting.popleft()])[0]
        while waiting:
            yield workers.results([waiting.popleft()])[0]
    finally:
        workers.close()
