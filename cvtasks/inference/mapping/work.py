"""One piece through the model: read, decode, infer and write overlap in threads. The same for
whoever has the pieces done, in this process or on another machine.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.errors import CVTasksError, InputError, ModelError
from cvtasks.files.writing import made_beside
from cvtasks.geometry.tiles import tiles_of
from cvtasks.inference.mapping.inputs import Input, without_query
from cvtasks.inference.mapping.manifest import Part, Piece
from cvtasks.inference.mapping.shards import ShardPair, shard_path
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.inference.stages import Stages
from cvtasks.media.addresses import is_address, shown, without_passwords
from cvtasks.media.images import MAX_PIXELS, read_image
from cvtasks.media.prefetch import in_thread, prefetched, shut
from cvtasks.media.seeking import Misplaced, open_part
from cvtasks.media.streams import Stream
from cvtasks.media.video import Video
from cvtasks.model import load
from cvtasks.zoo import WEIGHTS

_REMOTE = 16  # addresses that are fetched at the same time
_AHEAD = 4  # further images that are read ahead
_UNREADABLE = "a video must be there to its end"

Seen = Callable[[int], None]
"""Is told that so many more images or frames are done."""


def nobody(done: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Work:
    """What is done with every piece; it goes to other processes.

    Attributes:
        model: a name or a path. weights: the SHA-256 that its weights must have.
        how: of `load`.
        folder: where the shards go. form: a row of `SHARDS`.
        threshold: least score; None for the model's own.
        keep: classes that are kept; empty for all.
        tiles: as `cvtasks.geometry.tiles.tiles_of` has them.
        every: of a video, every n-th frame.
        most_pixels: larger images are refused.
        home: the folder where relative paths begin.
    """

    model: str | Path
    weights: str
    how: dict[str, Any]
    folder: Path
    form: str = "jsonl"
    threshold: float | None = None
    keep: tuple[str, ...] = ()
    tiles: str = ""
    every: int = 1
    most_pixels: int = MAX_PIXELS
    home: str = ""


@dataclass(frozen=True)
class PieceDone:
    """What became of a piece.

    Attributes:
        done: images and frames with a record. failed: inputs that could not be read.
        seconds: stage → what it cost.
        written: whether its shard is there by now; False where it was left before its end.
        misplaced: whether it was left because the frames of its video are not those that the
            video's packets announce.
    """

    number: int
    done: int = 0
    failed: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    written: bool = True
    misplaced: bool = False


class Worker:
    """A loaded model that does pieces.

    Raises:
        ModelError: the model cannot be loaded, or its weights are others than those of the work.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._model = load(work.model, many=True, **work.how)
        found = self._model.recipe.files.get(WEIGHTS, "")
        if found != work.weights:
            raise ModelError(
                f"every worker needs the model that the manifest names; that at "
                f"{str(work.model)!r} has other weights here. Copy it there, or share its folder."
            )

    def do(
        self, piece: Piece, stop: threading.Event | None = None, seen: Seen = nobody
    ) -> PieceDone:
        """Do a piece and write its shard, whole or not at all.

        Args:
            stop: the piece is left once it is set.

        Raises:
            OutputError: the shard cannot be written.
        """
        stop = stop or threading.Event()
        folder, form, stages = self._work.folder, self._work.form, Stages()
        if shard_path(folder, piece.number, form).exists():  # its worker was killed after it
            return PieceDone(piece.number)
        task = self._model.recipe.task
        with made_beside(folder) as hidden:
            shards = ShardPair(hidden, folder, piece.number, form, task.answer)
            try:
                sink = Sink(hidden, task, ())
                job = Job(
                    self._model,
                    sink,
                    (),
                    self._work.keep,
                    self._work.threshold,
                    tiles=tiles_of(self._work.tiles),
                )
                images = [one for one in piece.inputs if not one.video]
                _OfImages(job, self._work, stages, shards, stop, seen).run(images)
                for one in piece.inputs:
                    if one.video and not stop.is_set():
                        self._video(job, one, piece.part, stages, shards, stop, seen)
                if stop.is_set():
                    return PieceDone(piece.number, seconds=stages.seconds, written=False)
                begun = time.perf_counter()
                shards.publish()
                _count(stages, "write", begun)
            except Misplaced:
                seconds = stages.seconds
                return PieceDone(piece.number, 0, 0, seconds, written=False, misplaced=True)
            finally:
                shards.close()
        return PieceDone(piece.number, shards.done, shards.failed, stages.seconds)

    def _video(
        self,
        job: Job,
        one: Input,
        part: Part | None,
        stages: Stages,
        shards: ShardPair,
        stop: threading.Event,
        seen: Seen,
    ) -> None:
        """The records of a video's frames; one that cannot be read, or not to its end, is noted."""
        try:
            stream = one.stream(self._work.home)
            video = _opened(stream, part, self._work.every)
        except InputError as error:
            shards.note(fault(one, error))
            return
        if video is None:
            return
        run = VideoRun(job, stream, video, self._work.every)
        with shut(iter(run)) as frames:
            for done in frames:
                begun = time.perf_counter()
                number = done.record["frame"]
                shards.add({"id": f"{one.id}#{number:06d}"} | done.record | {"source": one.source})
                _count(stages, "write", begun)
                seen(1)
                if stop.is_set():
                    run.stop()
        for stage, seconds in run.stages.seconds.items():
            stages.seconds[stage] = stages.seconds.get(stage, 0.0) + seconds
        if video.cut_short:
            notes = "; ".join(video.notes())
            shards.note(fault(one, InputError(f"{_UNREADABLE}; {one.source!r} is not: {notes}.")))


def _opened(stream: Stream, part: Part | None, every: int) -> Video | None:
    """A video, or a part of it; None for a part that it does not reach."""
    if part is None:
        return stream.open(every=every, realtime=False)
    if part.counted:
        return stream.open(every=every, realtime=False, begin=part.begin, end=part.end)
    return open_part(stream.source, part.begin, part.end, every)


@dataclass(frozen=True, eq=False)
class _OfImages:
    """The images of a piece on their way to its shard."""

    job: Job
    work: Work
    stages: Stages
    shards: ShardPair
    stop: threading.Event
    seen: Seen
    lock: Any = field(default_factory=threading.Lock)

    def run(self, inputs: list[Input]) -> None:
        """Do them."""
        predicted = self.stages.timed(
            "infer", self.job.predict(self.stages.waited("infer", self._good(inputs)))
        )
        with shut(in_thread(predicted, _AHEAD)) as answers:
            for one, image, answer in answers:
                begun = time.perf_counter()
                place = {"id": one.id, "source": one.source}
                self.shards.add(self.job.record(place, image, self.job.kept(answer)))
                _count(self.stages, "write", begun)
                self.seen(1)

    def _good(self, inputs: list[Input]) -> Iterator[tuple[Input, np.ndarray]]:
        remote = any(is_address(one.place) for one in inputs)
        threads = _REMOTE if remote else min(4, os.cpu_count() or 1)
        calls = (partial(self._read, one) for one in inputs)
        with shut(prefetched(calls, threads, threads + _AHEAD)) as found:
            for one, image in found:
                if self.stop.is_set():
                    return
                if not isinstance(image, CVTasksError):
                    yield one, image
                    continue
                with self.lock:
                    self.shards.note(fault(one, image))
                self.seen(1)

    def _read(self, one: Input) -> tuple[Input, np.ndarray | CVTasksError]:
        if self.stop.is_set():
            return one, InputError("it was not read")
        item, begun = one.item(self.work.most_pixels, self.work.home), time.perf_counter()
        try:
            if self.work.tiles and not is_address(one.place):
                return one, item.look_into()
            content = item.content()
            read = time.perf_counter()
            image = read_image(content, self.work.most_pixels, name=one.source)
        except CVTasksError as error:
            return one, error
        ended = time.perf_counter()
        with self.lock:
            for stage, seconds in (("read", read - begun), ("decode", ended - read)):
                self.stages.seconds[stage] = self.stages.seconds.get(stage, 0.0) + seconds
        return one, image


def fault(one: Input, error: CVTasksError) -> dict[str, Any]:
    """The record of an input that could not be read: the rule, and what was received."""
    text = str(error).replace(one.place, one.source).replace(shown(one.place), one.source)
    rule, _, received = without_passwords(text).partition("; ")
    return {"id": one.id, "source": without_query(one.source), "rule": rule, "received": received}


def _count(stages: Stages, stage: str, begun: float) -> None:
    stages.seconds[stage] = stages.seconds.get(stage, 0.0) + time.perf_counter() - begun
