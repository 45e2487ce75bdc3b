"""What the task commands do with their inputs, one after the other, and what is said of them."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, cast

from cvtasks.cli.live import Watch, hold, run_stream
from cvtasks.cli.output import Ticker, say
from cvtasks.cli.ways import with_options
from cvtasks.errors import CVTasksError, InputError, TooLarge, UnfitInput
from cvtasks.text import agreeing, counted, dumps, some
from cvtasks.training.stopping import Interrupted, stop_asked

if TYPE_CHECKING:
    from cvtasks.inference.pipeline import Job
    from cvtasks.media.sources import Item
    from cvtasks.media.streams import Stream
    from cvtasks.media.viewer import Viewer

_FILES = 8  # of an image that are named; its cut-outs may be many


@dataclass(frozen=True)
class Counts:
    """How many inputs were done, failed, and ended before their end.

    Attributes:
        unfit: how many of those that failed could be read.
    """

    done: int = 0
    failed: int = 0
    cut: int = 0
    unfit: int = 0

    @property
    def total(self) -> int:
        """All that were begun."""
        return self.done + self.failed + self.cut

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.done + other.done,
            self.failed + other.failed,
            self.cut + other.cut,
            self.unfit + other.unfit,
        )


class _Given:
    """Inputs as they are asked for, counted."""

    def __init__(self, inputs: "Iterable[Item | Stream]") -> None:
        self._inputs, self._asked_for = iter(inputs), 0

    def __iter__(self) -> "Iterator[Item | Stream]":
        for one in self._inputs:
            self._asked_for += 1
            yield one

    def total(self) -> int:
        """How many there are; none can be asked for any more."""
        with suppress(ValueError):  # a thread that was left still looks for the next one
            self._asked_for += sum(1 for _ in self._inputs)
        return self._asked_for


@dataclass(frozen=True)
class Run:
    """What is done with each input, and where it is shown.

    Attributes:
        frame_files: files of single frames are wanted too, not the video alone.
    """

    job: "Job"
    watch: Watch
    viewer: "Viewer | None"
    as_json: bool
    frame_files: bool

    def over(self, inputs: "Iterable[Item | Stream]") -> Counts:
        """Do all of them, images that follow each other together, or those before the user closes
        the view. An image that is the last to be shown stays there.
        """
        from cvtasks.media.sources import Item

        counts, given, image_shown, told = Counts(), _Given(inputs), False, False
        for kind, group in groupby(given, type):
            if kind is Item:
                if not told:
                    self._tell_what_is_of_videos()
                    told = True
                found = self.images(cast("Iterator[Item]", group))
                counts, image_shown = counts + found, image_shown or found.done > 0
            else:
                for stream in cast("Iterator[Stream]", group):
                    found = self.stream(stream)
                    counts, image_shown = counts + found, image_shown and found.failed > 0
                    if self._left:
                        break
            if self._left:
                break
        if self._left and (waiting := given.total() - counts.total):
            say(f"stopped: {counted(waiting, 'input')} not done")
        elif self.viewer and image_shown and not self._left:
            hold(self.viewer)
        return counts

    @property
    def _left(self) -> bool:
        """Whether the user has closed the view."""
        return self.viewer is not None and self.viewer.closed

    def stream(self, stream: "Stream") -> Counts:
        """Do one video, camera or stream."""
        try:
            whole = run_stream(
                stream, self.job, self.watch, self.viewer, self.as_json, self.frame_files
            )
        except InputError as error:
            say(with_options(error))
            return Counts(failed=1, unfit=int(isinstance(error, UnfitInput)))
        return Counts(done=int(whole), cut=int(not whole))

    def images(self, items: "Iterable[Item]") -> Counts:
        """Do images, up to where the user closes the view. A signal ends it, and Interrupted is
        raised then.
        """
        from cvtasks.media.prefetch import shut

        ticker, done, failed, empty = Ticker(), 0, 0, 0

        def report(error: CVTasksError) -> None:
            nonlocal failed
            failed += 1
            ticker.clear()
            option = " Option: --most-pixels N" if isinstance(error, TooLarge) else ""
            say(with_options(error) + option)

        def tell(remark: str) -> None:
            ticker.clear()
            say(remark)

        stop = threading.Event()
        with (
            stop_asked(stop.set) as asked,
            shut(self.job.images(items, report, tell, stop=stop)) as finished,
        ):
            for one in finished:
                done += 1
                empty += not any(True for _ in one.answer)
                if self.as_json:
                    print(dumps(one.record), flush=True)
                ticker.clear()
                where = f" → {some([*map(str, one.files)], _FILES)}" if one.files else ""
                say(f"{one.record['source']}: {self.job.summary(one.answer)}{where}")
                ticker.show(counted(done, "image"))
                if self.viewer and one.drawn is not None:
                    self.viewer.show(one.drawn, {"image": one.record["source"]})
                if self._left:
                    stop.set()
        ticker.clear()
        if asked.is_set():
            raise Interrupted
        if empty and empty == done and not self.job.keep:
            self._tell_that_nothing_was_found()
        return Counts(done, failed)

    def _tell_what_is_of_videos(self) -> None:
        if self.job.follow:
            say("images are not tracked: objects are followed from frame to frame of a video")
        if options := self.watch.of_videos():
            say(f"of videos alone, and without effect on images: {', '.join(options)}")

    def _tell_that_nothing_was_found(self) -> None:
        asked, usual = self.job.threshold, self.job.model.recipe.task.threshold
        least = usual if asked is None else asked
        if least:
            say(
                f"nothing scored {least:g} or more in any image; a lower --threshold shows what is "
                "less certain"
            )


def check_all_read(counts: Counts) -> None:
    """Raise InputError unless all inputs were done, and to their ends."""
    if counts.failed:
        ends = f", and {counts.cut} not to the end" if counts.cut else ""
        raise InputError(
            f"{counts.failed} of {counts.total} inputs could not be "
            f"{'used' if counts.unfit else 'read'}{ends}; {counts.done} "
            f"{agreeing(counts.done, 'was', 'were')} done."
        )
    if counts.cut:
        raise InputError(
            f"{counts.cut} of {counts.total} inputs could not be read to the end; what was there "
            "is done."
        )
