"""From sources to finished answers: read, predict, draw and write overlap in threads, in order,
with room for a few only.

The same for every task. Whoever iterates gets finished answers, whose files and records are
written, and decides what to print and to show.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvtasks.answers import Answer
from cvtasks.errors import CVTasksError
from cvtasks.inference.sink import Sink
from cvtasks.inference.stages import Stages
from cvtasks.inference.steadying import Steady, check_steadied
from cvtasks.media.prefetch import in_thread, prefetched, shut
from cvtasks.media.sources import Item
from cvtasks.media.streams import Stream
from cvtasks.media.video import Frame, Video
from cvtasks.media.video_writer import VideoWriter
from cvtasks.model import Model
from cvtasks.tasks.base import Task

_AHEAD = (
    4  # images or frames that are read ahead; other stages stay two ahead of the one behind them
)


@dataclass(frozen=True, eq=False)
class Done:
    """One answer, and what became of it.

    Attributes:
        record: where it comes from and, if records were asked for, the answer.
        files: those that were written for it alone.
        drawn: the image with the answer on it, if it was drawn for a video or for showing.
        frame: of a video.
    """

    record: dict[str, Any]
    answer: Answer
    files: list[Path]
    drawn: np.ndarray | None = None
    frame: Frame | None = None


_Answered = tuple[Frame, Answer, np.ndarray]
"""A frame of a video, its answer, and the image with the answer on it; the frame's own where
nothing is drawn.
"""


@dataclass(frozen=True, eq=False)
class Job:
    """What to do with every source.

    Attributes:
        kinds: what the sink writes.
        keep: classes that are kept; empty for all.
        threshold: least score; None for the model's own.
        records: whether records hold the answers.
        show: whether images are drawn for showing.
        smooth: frames of a video by which masks are steadied; 0 for none.

    Raises:
        UsageError: frames are to steady answers without masks.
    """

    model: Model
    sink: Sink
    kinds: tuple[str, ...]
    keep: tuple[str, ...] = ()
    threshold: float | None = None
    records: bool = True
    show: bool = False
    smooth: int = 0

    def __post_init__(self) -> None:
        check_steadied(self.task, self.smooth)

    @property
    def task(self) -> Task:
        """The model's."""
        return self.model.recipe.task

    def images(
        self,
        items: Iterable[Item],
        on_error: Callable[[CVTasksError], None],
        on_remark: Callable[[str], None] = lambda text: None,
        *,
        stop: threading.Event | None = None,
    ) -> Iterator[Done]:
        """Do images; those that cannot be read are reported to `on_error`, in their place, and left
        out.

        What was left out in reading one, such as the other pages of a document, is told to
        `on_remark`, with its source.

        Args:
            stop: no further image is begun once it is set; those under way are finished.
        """
        stop = stop or threading.Event()

        def read() -> Iterator[tuple[Item, np.ndarray | CVTasksError, list[str]]]:
            for item in items:
                if stop.is_set():
                    return
                remarks: list[str] = []
                try:
                    yield item, item.read(remarks.append), remarks
                except CVTasksError as error:
                    yield item, error, []

        def good() -> Iterator[tuple[Item, np.ndarray]]:
            with shut(in_thread(read(), _AHEAD, stop)) as found:
                for item, image, remarks in found:
                    if stop.is_set():
                        return
                    for remark in remarks:
                        on_remark(f"{item.source}: {remark}")
                    if isinstance(image, CVTasksError):
                        on_error(image)
                    else:
                        yield item, image

        def write(item: Item, image: np.ndarray, answer: Answer, stem: Path) -> Done:
            drawn = self.task.draw(image, answer) if self.show else None
            files = self.sink.write(stem, image, answer, item.source)
            record = self.record({"source": item.source}, image, answer)
            return Done(record, answer, files, drawn)

        def calls() -> Iterator[Callable[[], Done]]:
            with shut(self.model.predict_many(good(), self.threshold)) as answers:
                for item, image, answer in answers:
                    yield partial(write, item, image, self.kept(answer), self.sink.stem(item.name))

        yield from prefetched(calls(), threads=1, ahead=_AHEAD)

    def kept(self, answer: Answer) -> Answer:
        """The answer without classes that nobody wants."""
        return self.task.keep(answer, self.keep) if self.keep else answer

    def record(self, place: dict[str, Any], image: np.ndarray, answer: Answer) -> dict[str, Any]:
        """Hand the record of an answer to the sink, and return it; `place` says where the image
        comes from.

        Raises:
            OutputError: it cannot be written.
        """
        facts = place | {
            "width": image.shape[1],
            "height": image.shape[0],
            "task": self.task.name,
            "model": self.model.name,
            "engine": self.model.engine.name,
        }
        record = facts | self.task.record(answer) if self.records else facts
        self.sink.record(record, answer)
        return record

    def summary(self, answer: Answer) -> str:
        """The answer in a few words, for people."""
        return self.task.summary(answer)


class VideoRun:
    """A video, a camera or a stream on its way through the pipeline. Iterate over it once, for its
    frames.

    Leaving early, `stop` and errors finish the written video: what was written plays.

    Args:
        frame_files: whether kinds other than the image are written for every frame.

    Attributes:
        written: the annotated video; None before the end, and where none was asked for.
        stages: what each stage cost.
    """

    def __init__(
        self,
        job: Job,
        stream: Stream,
        video: Video,
        rate_divisor: int = 1,
        frame_files: bool = False,
    ) -> None:
        self.written: Path | None = None
        self.stages = Stages()
        self._job, self._stream, self._video, self._frame_files = job, stream, video, frame_files
        self._stopped = threading.Event()
        annotated = "image" in job.kinds
        self._stem = job.sink.stem(stream.name, held=annotated or frame_files)
        path = self._stem.with_name(f"{self._stem.name}.mp4")
        every_frame = not (video.live or video.realtime)
        self._writer = (
            VideoWriter(path, video.rate / rate_divisor, every_frame) if annotated else None
        )
        self._draws = annotated or job.show

    def __iter__(self) -> Iterator[Done]:
        """Finished frames, in order."""
        frames: Iterable[Frame] = self._video
        ahead = 1 if self._video.realtime else 2
        if not self._video.realtime:  # the newest frame is the newest only if none is read ahead
            frames = in_thread(
                self.stages.timed("decode", iter(self._video)), _AHEAD, self._stopped
            )
        predicted = in_thread(
            self.stages.timed("infer", self._predict(self.stages.waited("infer", frames))), ahead
        )
        if self._draws:
            predicted = in_thread(
                self.stages.timed("draw", self._draw(self.stages.waited("draw", predicted))), ahead
            )
        written = in_thread(
            self.stages.timed("write", self._write(self.stages.waited("write", predicted))), ahead
        )
        self.stages.begin()
        try:
            with shut(written) as done:
                try:
                    for one in done:
                        self.stages.frames += 1
                        yield one
                finally:
                    self.stop()
        finally:
            self.stages.end()

    def stop(self) -> None:
        """Take no further frame; those under way are finished."""
        self._video.stop()
        self._stopped.set()

    def notes(self) -> list[str]:
        """What the user should know, in sentences without an end."""
        return self._video.notes() + (self._writer.notes() if self._writer else [])

    def _predict(self, frames: Iterable[Frame]) -> Iterator[_Answered]:
        model, least = self._job.model, self._job.threshold
        steady = Steady(self._job.smooth)
        with shut(frames):
            pairs = ((frame, frame.image) for frame in frames)
            # Where the newest frame counts, no answer waits until the next frame has come.
            groups = ([pair] for pair in pairs) if self._video.realtime else [pairs]
            for group in groups:
                with shut(model.predict_many(group, least)) as answers:
                    for frame, image, answer in answers:
                        yield frame, steady(self._job.kept(answer)), image

    def _draw(self, answers: Iterable[_Answered]) -> Iterator[_Answered]:
        draw = self._job.task.draw
        with shut(answers):
            for frame, answer, _ in answers:
                yield frame, answer, draw(frame.image, answer)

    def _write(self, answers: Iterable[_Answered]) -> Iterator[Done]:
        with shut(answers):
            try:
                for frame, answer, drawn in answers:
                    files: list[Path] = []
                    place = {
                        "source": self._stream.source,
                        "frame": frame.index,
                        "time_s": round(frame.time_s, 6),
                    }
                    if self._frame_files:
                        stem = self._job.sink.stem(f"{self._stem.name}-{frame.index:06d}")
                        files = self._job.sink.write(stem, frame.image, answer, drawn=False)
                    if self._writer:
                        self._writer.write(drawn, frame.time_s)
                    record = self._job.record(place, frame.image, answer)
                    yield Done(record, answer, files, drawn, frame)
            finally:
                if self._writer:
                    self.written = self._writer.close()
