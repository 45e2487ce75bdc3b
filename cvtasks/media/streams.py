"""Streams: what gives many frames rather than one image, by the name that the user gave it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from cvtasks.media.addresses import shown, stem_of
from cvtasks.media.capture import Capture, has_its_end, open_camera, open_video
from cvtasks.media.names import safe_stem
from cvtasks.media.served import open_address
from cvtasks.media.video import Video


@dataclass(frozen=True)
class Stream:
    """A video, a camera or a network stream that is yet to be opened.

    Attributes:
        name: short and a valid file stem, as an `Item`'s.
        source: where it comes from, without passwords: a path, an address, the number of a camera.
        live: whether it goes on whether it is read or not.
    """

    name: str
    source: str
    live: bool
    _connect: Callable[[], Capture] = field(repr=False, compare=False)

    @property
    def is_camera(self) -> bool:
        """Whether it is a camera of this machine."""
        return self.live and self.source.isdigit()

    def open(
        self,
        *,
        every: int = 1,
        most: int = 0,
        realtime: bool | None = None,
        begin: int = 0,
        end: int | None = None,
    ) -> Video:
        """Open it for reading; see `Video`, also for the errors."""
        complete = not self.live and has_its_end(self.source)
        name, live = repr(self.source), self.live
        return Video(
            self._connect,
            name,
            live=live,
            every=every,
            most=most,
            realtime=realtime,
            complete=complete,
            begin=begin,
            end=end,
        )


def video_stream(path: str) -> Stream:
    """The stream of a video file."""
    return Stream(safe_stem(Path(path).stem), path, False, partial(open_video, path))


def address_stream(url: str, live: bool) -> Stream:
    """The stream behind an http(s) or rtsp(s) address."""
    return Stream(
        safe_stem(stem_of(url) or "stream"),
        shown(url),
        live,
        partial(open_address, url, shown(url)),
    )


def live_stream(source: str) -> Stream | None:
    """The stream of a camera's number or an rtsp(s) address; None if `source` is neither."""
    if re.fullmatch(r"[0-9]{1,4}", source, re.ASCII):
        return Stream(f"camera-{int(source)}", source, True, partial(open_camera, int(source)))
    return address_stream(source, True) if re.match(r"rtsps?://", source, re.IGNORECASE) else None
