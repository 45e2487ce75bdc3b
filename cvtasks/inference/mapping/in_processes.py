"""Pieces done by processes of this machine, each with the model loaded once and its share of the
cores.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

from cvtasks.errors import CVTasksError
from cvtasks.inference.mapping.manifest import Piece
from cvtasks.inference.mapping.run import Does
from cvtasks.inference.mapping.work import PieceDone, Seen, Work, Worker

_MOST_LOST = 5  # times that processes may be killed before it is more than an accident
_LOOK_S = 0.2


def in_processes(workers: int) -> Does:
    """What does pieces in so many processes at the same time. One that is killed is started again,
    and its piece is done again.

    Raises:
        CVTasksError: when pieces are done: processes are killed again and again.
    """
    return partial(_do, workers)


def _do(
    workers: int, work: Work, pieces: Sequence[Piece], stop: threading.Event, seen: Seen
) -> Iterator[PieceDone]:
    left, lost = {piece.number: piece for piece in pieces}, 0
    while left and not stop.is_set():
        try:
            for done in _round(min(workers, len(left)), work, list(left.values()), stop):
                left.pop(done.number)
                seen(done.done + done.failed)
                yield done
        except BrokenProcessPool as error:
            lost += 1
            if lost > _MOST_LOST:
                raise CVTasksError(
                    "processes must live until the last piece is done; some were killed "
                    f"{lost} times, as a system does whose memory is full. Take fewer. What is "
                    "done is kept: run the same command again."
                ) from error


def _round(
    workers: int, work: Work, pieces: Sequence[Piece], stop: threading.Event
) -> Iterator[PieceDone]:
    """Do pieces until one of the processes is killed; raises BrokenProcessPool then."""
    context = multiprocessing.get_context("spawn")  # threads of a runtime do not outlive a fork
    halt, number = context.Event(), context.Value("i", 0)
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(work, halt, number, workers)
    )
    try:
        waiting = {pool.submit(_piece, piece) for piece in pieces}
        while waiting and not stop.is_set():
            over, waiting = wait(waiting, _LOOK_S, FIRST_COMPLETED)
            for future in over:
                yield future.result()
    finally:
        halt.set()
        pool.shutdown(cancel_futures=True)


# === in such a process ===

_HERE: dict[str, Any] = {}
"""`work`, `halt`, and the `worker` once it has something to do."""


def _begin(work: Work, halt: Any, number: Any, workers: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process tells
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    with number:
        own = number.value
        number.value += 1
    if hasattr(os, "sched_setaffinity"):  # a runtime takes all the cores that it may have
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[own::workers] or [cores[own % len(cores)]])
    _HERE.update(work=work, halt=halt)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _piece(piece: Piece) -> PieceDone:
    if "worker" not in _HERE:
        _HERE["worker"] = Worker(_HERE["work"])
    done: PieceDone = _HERE["worker"].do(piece, _HERE["halt"])
    return done
