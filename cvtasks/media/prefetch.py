"""Work done ahead in threads, given back in order, with room for a few results only: memory stays flat."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 2.0  # what blocks longer than this in its thread (a camera that is gone) is left to end by itself


def prefetched(calls: Iterable[Callable[[], T]], threads: int, ahead: int) -> Iterator[T]:
    """Yield the result of each call, in order; at most `ahead` of them are under way or waiting.

    An exception of a call is raised where its result would have come. Leaving the loop early starts no further call.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="prefetch")
    waiting: deque[Future[T]] = deque()
    try:
        for call in calls:
            waiting.append(pool.submit(call))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def in_thread(items: Iterable[T], ahead: int) -> Iterator[T]:
    """Yield the items, in order, while a thread of its own makes up to `ahead` more of them.

    Several of these, one around the other, are a pipeline whose stages overlap. An exception is raised where its item
    would have come. Leaving the loop early closes `items` where that can be done, and waits for the item that is being
    made.
    """
    made: Queue[tuple[T] | BaseException | None] = Queue(ahead)
    left = threading.Event()

    def work() -> None:
        end = None
        try:
            for item in items:
                made.put((item,))
                if left.is_set():
                    break
            close = getattr(items, "close", None)
            if close is not None:
                close()
        except BaseException as error:  # whoever waits for an item gets it
            end = error
        made.put(end)

    thread = threading.Thread(target=work, name="stage", daemon=True)
    thread.start()
    try:
        while isinstance(one := made.get(), tuple):
            yield one[0]
        if one is not None:
            raise one
    finally:
        left.set()
        while thread.is_alive():  # it may wait for room
            with suppress(Empty):
                made.get(timeout=0.05)


def newest(items: Iterable[T], stop: threading.Event, dropped: Callable[[], None]) -> Iterator[T]:
    """Yield the newest item there is each time; a thread takes them as they come, and `dropped` is called for each lost one.

    Ends with the items, whose last one is never dropped, or soon after `stop` is set, even while an item is awaited.
    """
    latest: deque[T] = deque(maxlen=1)
    ready = threading.Condition()
    end: list[BaseException | None] = []

    def work() -> None:
        error = None
        try:
            for item in items:
                with ready:
                    if latest:
                        dropped()
                    latest.append(item)
                    ready.notify()
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
        thread.join(_PATIENCE_S)
