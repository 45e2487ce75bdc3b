"""From sources to finished answers: read, predict, draw and write overlap in threads, in order,
with room for a few only.

The same for every task. Whoever iterates gets finished answers, whose files and records are
written, and decides what to print and to show.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from cvtasks.answers import Answer, Boxes
from cvtasks.errors import CVTasksError
from cvtasks.geometry.tiles import Tiles
from cvtasks.inference.following import Follow, Followed, Following, check_followed
from cvtasks.inference.large import Once, to_draw
from cvtasks.inference.sink import Sink
from cvtasks.inference.stages import Stages
from cvtasks.inference.steadying import Steady, check_steadied
from cvtasks.media.prefetch import in_thread, prefetched, shut
from cvtasks.media.sources import Item
from cvtasks.media.streams import Stream
from cvtasks.media.strips import Strips
from cvtasks.media.video import Frame, Video
from cvtasks.media.video_writer import VideoWriter
from cvtasks.model import Model
from cvtasks.tasks.base import Task

_AHEAD = (
    4  # images or frames that are read ahead; other stages stay two ahead of the one behind them
)

_NONE: Mapping[str, Any] = {}


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


_Drawn = tuple[Followed, np.ndarray]
"""A frame of a video with its answer, and the image with the answer on it; the frame's own where
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
        follow: how objects are followed through videos; None where they are not.
        tiles: how large images are cut; None for not at all.

    Raises:
        UsageError: frames are to steady answers without masks, or objects are to be followed and
            the task does not answer with boxes.
    """

    model: Model
    sink: Sink
    kinds: tuple[str, ...]
    keep: tuple[str, ...] = ()
    threshold: float | None = None
    records: bool = True
    show: bool = False
    smooth: int = 0
    follow: Follow | None = None
    tiles: Tiles | None = None

    def __post_init__(self) -> None:
        check_steadied(self.task, self.smooth)
        check_followed(self.task, self.follow)

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
        told = Once(self.how)

        def read() -> Iterator[tuple[Item, np.ndarray | CVTasksError, list[str]]]:
            for item in items:
                if stop.is_set():
                    return
                remarks: list[str] = []
                try:
                    look = item.look_into if self.tiles else item.read
                    yield item, look(remarks.append), remarks
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
                        continue
                    if remark := told(image):
                        on_remark(f"{item.source}: {remark}")
                    yield item, image

        def write(item: Item, image: np.ndarray, answer: Answer, stem: Path) -> Done:
            drawn = self.task.draw(*to_draw(image, answer)) if self.show else None
            files = self.sink.write(stem, image, answer, item.source)
            record = self.record({"source": item.source}, image, answer)
            return Done(record, answer, files, drawn)

        def calls() -> Iterator[Callable[[], Done]]:
            with shut(self.predict(good())) as answers:
                for item, image, answer in answers:
                    yield partial(write, item, image, self.kept(answer), self.sink.stem(item.name))

        yield from prefetched(calls(), threads=1, ahead=_AHEAD)

    def predict(
        self, images: Iterable[tuple[Any, np.ndarray]], least: float | None = None
    ) -> Iterator[tuple[Any, Any, Any]]:
        """(tag, image) → (tag, image, answer); `least` is another threshold than the job's."""
        threshold = self.threshold if least is None else least
        return self.model.predict_many(images, threshold, tiles=self.tiles or "")

    def how(self, image: np.ndarray) -> str:
        """What is done with a large image, in words; empty where that is nothing."""
        if self.tiles is None:
            return ""
        size = image.shape[:2]
        words = self.tiles.words(size, self.model.recipe.input_size)
        if isinstance(image, Strips):
            height, width = image.overview.shape[:2]
            words += f"; read by strips, drawn at {width} x {height} pixels"
        return words

    def kept(self, answer: Answer) -> Answer:
        """The answer without classes that nobody wants."""
        return self.task.keep(answer, self.keep) if self.keep else answer

    @property
    def least(self) -> float:
        """The least score of what is shown."""
        return self.task.threshold if self.threshold is None else self.threshold

    def record(
        self,
        place: dict[str, Any],
        image: np.ndarray,
        answer: Answer,
        further: Mapping[str, Any] = _NONE,
        video: str = "",
    ) -> dict[str, Any]:
        """Hand the record of an answer to the sink, and return it; `place` says where the image
        comes from, `further` is what the answer itself does not say, `video` is the name of a
        frame's, where several may be called alike.

        Raises:
            OutputError: it cannot be written.
        """
        facts = place | {"width": image.shape[1], "height": image.shape[0], **self._maker()}
        answered = self.task.record(answer) if self.records else {}
        record = {**facts, **answered, **further}
        self.sink.record(record, answer, video)
        return record

    def closing(self, source: str, following: Following) -> dict[str, Any]:
        """Hand the record of what was counted in a whole video to the sink, and return it.

        Raises:
            OutputError: it cannot be written.
        """
        whole = {"frames": following.frames, "time_s": round(following.time_s, 6)}
        counts = {"counts": following.summary()}
        record = {"source": source, **self._maker(), "summary": whole | counts}
        self.sink.note(record)
        return record

    def _maker(self) -> dict[str, Any]:
        """What a record says of who made it."""
        engine = self.model.engine.name
        return {"task": self.task.name, "model": self.model.name, "engine": engine}

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
        summary: the record of what was counted; None before the end, and where nothing was.
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
        self.summary: dict[str, Any] | None = None
        self.stages = Stages()
        self._how = ""
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
        self._following = Following(job.follow, job.least, stream.source) if job.follow else None

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
        followed: Iterable[Followed] = predicted
        if self._following:
            followed = self._following.of(self.stages.waited("track", predicted))
            followed = in_thread(self.stages.timed("track", followed), ahead)
        if self._draws:
            drawn = self._draw(self.stages.waited("draw", followed))
            drawn = in_thread(self.stages.timed("draw", drawn), ahead)
        else:
            drawn = self._draw(followed)
        written = in_thread(
            self.stages.timed("write", self._write(self.stages.waited("write", drawn))), ahead
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
        notes = self._video.notes() + (self._writer.notes() if self._writer else [])
        notes += [f"each frame: {self._how}"] if self._how else []
        following = self._following
        return notes + (following.words() if following else [])

    def _predict(self, frames: Iterable[Frame]) -> Iterator[Followed]:
        steady = Steady(self._job.smooth)
        least = self._following.low if self._following else None
        with shut(frames):
            pairs = ((frame, frame.image) for frame in frames)
            # Where the newest frame counts, no answer waits until the next frame has come.
            groups = ([pair] for pair in pairs) if self._video.realtime else [pairs]
            for group in groups:
                with shut(self._job.predict(group, least)) as answers:
                    for frame, image, answer in answers:
                        self._how = self._how or self._job.how(image)
                        yield Followed(frame, steady(self._job.kept(answer)))

    def _draw(self, answers: Iterable[Followed]) -> Iterator[_Drawn]:
        draw = self._job.task.draw
        with shut(answers):
            for one in answers:
                image = one.frame.image
                yield one, one.draw_on(draw(image, one.answer)) if self._draws else image

    def _write(self, answers: Iterable[_Drawn]) -> Iterator[Done]:
        with shut(answers):
            try:
                for one, drawn in answers:
                    yield self._done(one, drawn)
                if self._following and self._following.counting:
                    self.summary = self._job.closing(self._stream.source, self._following)
            finally:
                if self._writer:
                    self.written = self._writer.close()

    def _done(self, one: Followed, drawn: np.ndarray) -> Done:
        frame, files = one.frame, list[Path]()
        place = {
            "source": self._stream.source,
            "frame": frame.index,
            "time_s": round(frame.time_s, 6),
        }
        if self._frame_files:
            stem = self._job.sink.stem(f"{self._stem.name}-{frame.index:06d}")
            files = self._job.sink.write(stem, frame.image, one.answer, drawn=False)
        if self._job.follow:
            self._job.sink.add_tracks(self._stem.name, cast("Boxes", one.answer), frame.index)
        if self._writer:
            self._writer.write(drawn, frame.time_s)
        further = {"counts": one.counts} if one.counts else _NONE
        record = self._job.record(place, frame.image, one.answer, further, self._stem.name)
        return Done(record, one.answer, files, drawn, frame)
