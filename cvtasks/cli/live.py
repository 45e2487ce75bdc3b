"""Videos, cameras and streams on the command line: progress, live view, Ctrl-C, and what is said at
the end.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cvtasks.cli.output import Ticker, say
from cvtasks.errors import UsageError
from cvtasks.text import counted, dumps
from cvtasks.training.stopping import Interrupted, stop_asked

if TYPE_CHECKING:
    from cvtasks.inference.pipeline import Job
    from cvtasks.media.streams import Stream
    from cvtasks.media.video import Frame, Video
    from cvtasks.media.viewer import Viewer

_PATIENCE_S = 30.0  # that a file waits for somebody to open the page

Show = Literal["", "auto", "window", "browser", "none"]
ShowOption = Annotated[
    Show,
    typer.Option(
        metavar="[auto|window|browser|none]",
        help="Live view: a window if there can be one, else a page on 127.0.0.1.",
        show_default="auto for cameras unless --json",
    ),
]
PortOption = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of that page.", show_default="any that is free")
]
EveryOption = Annotated[
    int, typer.Option(metavar="N", min=1, help="Only every N-th frame of a video.")
]
MostOption = Annotated[
    int,
    typer.Option(
        "--max-frames",
        metavar="N",
        min=0,
        help="End a video after N frames.",
        show_default="all of them",
    ),
]
RealtimeOption = Annotated[
    bool | None,
    typer.Option(
        "--realtime/--all-frames",
        help="The newest frame wins, or none is skipped.",
        show_default="realtime for cameras and streams, all frames for files",
    ),
]
SmoothOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        max=30,
        help="Masks of a video by the majority of the last N frames: they flicker less, and lag.",
        show_default="each frame by itself",
    ),
]


@dataclass(frozen=True)
class Watch:
    """Which frames are taken, by how many their masks are steadied, and where they are shown."""

    show: Show = ""
    port: int = 0
    every: int = 1
    most: int = 0
    realtime: bool | None = None
    smooth: int = 0

    def check_port(self) -> None:
        """Raise UsageError where a port is given and there is no page to have it."""
        if self.port and self.show not in ("auto", "browser"):
            raise UsageError(
                f"--port is of a live view in the browser; got {self.port} and no such view. "
                "Ask for it, or leave the port out.",
                ways={"show": "browser"},
            )

    def of_videos(self) -> list[str]:
        """The options that were given and say something of videos alone."""
        given = {
            "--every": self.every != 1,
            "--max-frames": self.most > 0,
            "--realtime" if self.realtime else "--all-frames": self.realtime is not None,
            "--smooth": self.smooth > 0,
        }
        return [name for name, is_given in given.items() if is_given]

    @contextmanager
    def opened(self, title: str) -> "Iterator[Viewer | None]":
        """The live view as long as the context lasts, if one was asked for."""
        if self.show == "" or self.show == "none":
            yield None
            return
        from cvtasks.media.viewer import open_viewer

        viewer = open_viewer(self.show, title, self.port)
        say(f"live view: {viewer.where}")
        try:
            yield viewer
        finally:
            viewer.close()


def run_stream(
    stream: "Stream",
    job: "Job",
    watch: Watch,
    viewer: "Viewer | None",
    as_json: bool,
    frame_files: bool,
) -> bool:
    """Do one video, camera or stream; a user who closes the view ends it in good order, as does a
    signal, and Interrupted is raised then.

    Returns:
        whether all that is wanted of it was there: False for a file that is cut short, of which all
            that is there was done.

    Raises:
        InputError: it cannot be opened, or what is to be counted does not lie in it.
    """
    from cvtasks.inference.pipeline import VideoRun
    from cvtasks.media.prefetch import shut

    video = stream.open(every=watch.every, most=watch.most, realtime=watch.realtime)
    run = VideoRun(job, stream, video, watch.every, frame_files)
    if viewer and not video.live:
        viewer.wait_for_somebody(_PATIENCE_S)
        if viewer.closed:
            run.stop()
    expected = watch.most or math.ceil(video.declared / watch.every)
    ticker, next_line = Ticker(), 0.0
    with stop_asked(run.stop) as asked, shut(iter(run)) as frames:
        for done in frames:
            if as_json:
                print(dumps(done.record), flush=True)
            pace = run.stages.pace()
            if time.monotonic() > next_line:  # finding the words takes longer than a frame may
                next_line = time.monotonic() + 0.2
                of = f"/{expected}" if expected else ""
                fps = f"  {pace:.1f} fps" if pace else ""  # of one frame it is not known
                found = job.summary(done.answer)
                ticker.show(f"{stream.source}: frame {run.stages.frames}{of}{fps}  {found}")
            if viewer and done.drawn is not None and done.frame is not None:
                viewer.show(done.drawn, _facts(stream, video, done.frame, pace))
            if viewer and viewer.closed:
                run.stop()
    ticker.clear()
    if as_json and run.summary:
        print(dumps(run.summary), flush=True)
    say(f"{stream.source}: {run.stages}{f' → {run.written}' if run.written else ''}")
    if viewer and viewer.closed and not 0 < expected <= run.stages.frames:
        say(f"{stream.source}: ended by you after {counted(run.stages.frames, 'frame')}")
    for note in run.notes():
        say(f"{stream.source}: {note}")
    if asked.is_set():
        raise Interrupted
    return not video.cut_short


def _facts(stream: "Stream", video: "Video", frame: "Frame", pace: float) -> dict[str, str]:
    """What the view says of a frame."""
    latency = 1000 * (time.monotonic() - frame.taken)
    return {
        "source": stream.name,
        **({"frames a second": f"{pace:.1f}"} if pace else {}),
        "latency": f"{latency:.0f} ms",
        "frame": str(frame.index),
        **({"dropped": str(video.dropped)} if video.realtime else {}),
    }


def hold(viewer: "Viewer") -> None:
    """Leave the last image there to be looked at, until the user has had enough."""
    say("Ctrl-C ends the live view")
    while not viewer.closed:
        viewer.rest(0.1)
