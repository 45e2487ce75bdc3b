"""Pieces done by workers of a Ray cluster, each with the model loaded once."""

import os
import pickle
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from cvtasks.errors import CVTasksError, UsageError
from cvtasks.inference.mapping.manifest import Piece
from cvtasks.inference.mapping.run import Does
from cvtasks.inference.mapping.work import PieceDone, Seen, Work, Worker
from cvtasks.media.prefetch import in_thread, shut

LOCAL = "local"
"""The address of a cluster that is started on this machine, and ends with the run."""

_PIECE, _REPLY = "piece", "done"
_MOST_BLOCKS = 10_000
_PATIENCE_S = 10.0


class _Pieces:
    """A worker of Ray Data: a batch of one pickled piece in, what became of it out."""

    def __init__(self, work: bytes) -> None:
        self._work = work
        self._worker: Worker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        """Do them. A cvtasks error is a reply, as Ray would take the actor for a broken one."""
        replies = []
        for piece in batch[_PIECE]:
            try:
                if self._worker is None:
                    self._worker = Worker(pickle.loads(self._work))
                reply: object = self._worker.do(pickle.loads(piece))
            except CVTasksError as error:
                reply = error
            replies.append(pickle.dumps(reply))
        return {_REPLY: replies}


def on_ray(address: str, workers: int) -> Does:
    """What does pieces on a cluster; every machine of it sees the folder of the shards, the
    model's folder and the inputs under the same paths.

    Args:
        address: of the cluster, as `ray.init` takes it, or "local".
        workers: how many have the model loaded.

    Raises:
        UsageError: Ray is not installed; when pieces are done, also that there is no such cluster.
    """
    if not find_spec("ray"):
        raise UsageError(
            'a cluster needs ray, which is not installed. Install it: pip install "cvtasks[ray]"'
        )
    return partial(_do, address, workers)


def _do(
    address: str,
    workers: int,
    work: Work,
    pieces: Sequence[Piece],
    stop: threading.Event,
    seen: Seen,
) -> Iterator[PieceDone]:
    if not pieces:
        return
    ray: Any = import_module("ray")
    data: Any = import_module("ray.data")
    work = replace(work, folder=work.folder.absolute())  # workers run elsewhere
    _join(ray, address, workers)
    try:
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        rows = [{_PIECE: pickle.dumps(piece)} for piece in pieces]
        # One row a block: a worker that is killed loses one piece, and no other waits for it.
        blocks = data.from_items(rows, override_num_blocks=min(len(rows), _MOST_BLOCKS))
        done = blocks.map_batches(
            _Pieces,
            batch_size=1,
            fn_constructor_args=(pickle.dumps(work),),
            compute=data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            num_gpus=1 if work.how.get("device") == "gpu" else 0,
            max_restarts=-1,
            max_task_retries=-1,
            scheduling_strategy="SPREAD",
        )
        with shut(in_thread(iter(done.iter_rows()), 1, stop)) as replies:
            for row in replies:
                reply = pickle.loads(row[_REPLY])
                if isinstance(reply, CVTasksError):
                    raise reply
                seen(reply.done + reply.failed)
                yield reply
                if stop.is_set():
                    return
    except ray.exceptions.RayError as error:
        raise CVTasksError(
            "a cluster must stay until the last piece is done; it was lost: "
            f"{type(error).__name__}. What is done is kept: run the same command again."
        ) from error
    finally:
        ray.shutdown()


def _join(ray: Any, address: str, workers: int) -> None:
    """Connect to a cluster, or start one here.

    Raises:
        UsageError: there is none at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        _check_answers(address)
        if address == LOCAL:
            # Ray would have its workers wait for all else that goes on here.
            os.environ.setdefault("RAY_worker_niceness", "0")
            # Where all cores work, a process may be slow to say that it lives.
            os.environ.setdefault("RAY_health_check_timeout_ms", "60000")
            os.environ.setdefault("RAY_health_check_failure_threshold", "20")
            ray.init(address=LOCAL, num_cpus=workers, include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            f"a cluster must be one that answers; {address!r} does not: {error}. Start one by "
            f'`ray start`, or give "{LOCAL}" for one on this machine.'
        ) from error


def _check_answers(address: str) -> None:
    """Raise OSError where nothing listens at HOST:PORT, for which Ray would try for minutes."""
    named = re.fullmatch(r"(?:ray://)?\[?([^/\[\]]+)\]?:(\d{1,5})", address)
    if named:
        socket.create_connection((named[1], int(named[2])), _PATIENCE_S).close()
