"""Work done ahead in threads, given back in order, with room for a few results only: memory stays
flat.

Whichever way a pipeline ends, none of its threads goes on: each stage closes the one before it and
waits for it. A thread that goes on while the interpreter ends brings the whole process down.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 2.0
"""What blocks longer than this where it reads (a camera that is gone, a pipe that stays silent) is
left to end by itself.
"""

_left: list[threading.Thread] = []


@contextmanager
def shut(items: Iterable[T]) -> Iterator[Iterable[T]]:
    """Close the items, if they can be closed, on leaving, with an error or without."""
    try:
        yield items
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


def left_behind() -> bool:
    """Whether a thread was left because it did not end in time, and still goes on."""
    return any(thread.is_alive() for thread in _left)


def prefetched(calls: Iterable[Callable[[], T]], threads: int, ahead: int) -> Iterator[T]:
    """Yield the result of each call, in order; at most `ahead` of them are under way or waiting.

    An exception of a call is raised where its result would have come. Leaving the loop early starts
    no further call, waits for those under way and closes `calls` where that can be done.
    """
    from concurrent.futures import Future, ThreadPoolExecutor  # help waits for nothing

    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    waiting: deque[Future[T]] = deque()
    with shut(calls):
        try:
            for call in calls:
                waiting.append(pool.submit(call))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def in_thread(items: Iterable[T], ahead: int, stop: threading.Event | None = None) -> Iterator[T]:
    """Yield the items, in order, while a thread of its own makes up to `ahead` more of them.

    Several of these, one around the other, are a pipeline whose stages overlap. An exception is
    raised where its item would have come. On leaving, early too, `items` are closed where that can
    be done, by the thread that makes them, and the item that is being made is waited for.

    Args:
        stop: ends it soon after it is set, even while an item is awaited that never comes. For
            stages that read.
    """
    made: Queue[tuple[T] | BaseException | None] = Queue(ahead)
    left = threading.Event()

    def work() -> None:
        end: BaseException | None = None
        try:
            with shut(items):
                for item in items:
                    made.put((item,))
                    del item
                    if left.is_set():
                        break
        except BaseException as error:  # whoever waits for an item gets it
            end = error
        made.put(end)

    thread = threading.Thread(target=work, name="stage", daemon=True)
    thread.start()
    try:
        while isinstance(one := _next(made, stop), tuple):
            yield one[0]
            del one
        if isinstance(one, BaseException):
            raise one
    finally:
        left.set()
        until = time.monotonic() + PATIENCE_S if stop is not None else float("inf")
        while thread.is_alive() and time.monotonic() < until:
            with suppress(Empty):  # it may wait for room
                made.get(timeout=0.05)
        if thread.is_alive():
            _left.append(thread)


def _next(made: Queue, stop: threading.Event | None) -> object:
    """What comes next; None too once nothing comes although `stop` is set."""
    while True:
        try:
            return made.get(timeout=None if stop is None else 0.1)
        except Empty:
            if stop is not None and stop.is_set():
                return None


def newest(items: Iterable[T], stop: threading.Event, dropped: Callable[[], None]) -> Iterator[T]:
    """Yield the newest item there is each time; a thread takes them as they come, and `dropped` is
    called for each lost one.

    Ends with the items, whose last one is never dropped, or soon after `stop` is set, even while an
    item is awaited. `items` are closed where that can be done, by that thread.
    """
    latest: deque[T] = deque(maxlen=1)
    ready = threading.Condition()
    end: list[BaseException | None] = []

    def work() -> None:
        error = None
        try:
            with shut(items):
                for item in items:
                    with ready:
                        if latest:
                            dropped()
                        latest.append(item)
                        ready.notify()
                    del item
                    if stop.is_set():
                        break
        except BaseException as reason:  # whoever waits for an item gets it
            error = reason
        with ready:
            end.append(error)
            ready.notify()

    thread = threading.Thread(target=work, name="newest", daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            with ready:
                if not latest and not end:
                    ready.wait(0.1)
                    continue
                item = latest.popleft() if latest else None
            if item is None:
                break
            yield item
            del item  # the next one may be long in coming
        if end and end[0] is not None:
            raise end[0]
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        if thread.is_alive():
            _left.append(thread)
