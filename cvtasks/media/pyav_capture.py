"""PyAV (the extra `video`) as the decoder of files that OpenCV's FFmpeg opens and cannot decode, as
it is with AV1.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cvtasks.errors import InputError

# Fourcc → the name that people know.
_CODECS = {
    "AV01": "AV1",
    "VVC1": "H.266",
    "VVI1": "H.266",
    "EVC1": "MPEG-5 EVC",
    "DVH1": "Dolby Vision",
    "APV1": "APV",
}
_ATTACHED_IMAGE = 1 << 10  # FFmpeg's AV_DISPOSITION_ATTACHED_PIC
_WAY_OUT = "Convert it to H.264 in an MP4"


class PyAVCapture:
    """What `cv2.VideoCapture` would be, by PyAV: the frames upright, BGR."""

    def __init__(self, container: Any, stream: Any, shown_s: float | None = None) -> None:
        self._container, self._stream, self._shown_s = container, stream, shown_s
        self._frames = self._decoded()
        self._time_ms = 0.0
        stream.thread_type = "AUTO"

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame; (False, None) for one that is damaged, and at the end."""
        frame = next(self._frames, None)
        if frame is None:
            return False, None
        image = frame.to_ndarray(format="bgr24")
        return True, np.ascontiguousarray(np.rot90(image, getattr(frame, "rotation", 0) // 90 % 4))

    def grab(self) -> bool:
        """Pass over the next frame."""
        return next(self._frames, None) is not None

    def get(self, property: int) -> float:
        """Frames a second, how many there are, the size, or the time of the last frame that was
        read.
        """
        stream = self._stream
        rate, frames = float(stream.average_rate or stream.guessed_rate or 0), float(stream.frames)
        known = {
            cv2.CAP_PROP_FPS: rate,
            cv2.CAP_PROP_FRAME_COUNT: min(frames, round(self._shown_s * rate))
            if self._shown_s
            else frames,
            cv2.CAP_PROP_FRAME_WIDTH: float(stream.width),
            cv2.CAP_PROP_FRAME_HEIGHT: float(stream.height),
            cv2.CAP_PROP_POS_MSEC: self._time_ms,
        }
        return known.get(property, 0.0)

    def release(self) -> None:
        """Close the file."""
        self._frames.close()
        self._container.close()

    def _decoded(self) -> Generator[Any, None, None]:
        """The frames, and None for a packet that cannot be decoded."""
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # a file that is cut short: what is in the decoder still comes
                packet = None
            try:
                for frame in self._stream.decode(packet):
                    if frame.pts is not None:
                        self._time_ms = 1000 * float(frame.pts * self._stream.time_base)
                    yield frame
            except av.FFmpegError:
                yield None
            if packet is None:
                return


def open_by_pyav(path: str, name: str, code: str, shown_s: float | None = None) -> PyAVCapture:
    """Open a video that OpenCV does not decode; `path` is one that FFmpeg takes as it is.

    Args:
        name: what errors call it.
        code: the four letters of its codec, as OpenCV gives them; "" if OpenCV did not even open
            it.
        shown_s: how long its images are shown, if it says so.

    Raises:
        InputError: PyAV is not installed or cannot decode it either; says why.
    """
    codec = _CODECS.get(code.upper(), code)
    try:
        import av
    except ImportError:
        if not codec:
            raise InputError(
                f"a video must be one that can be opened; {name} is cut short or damaged, or holds "
                "sound alone. Save or fetch it again."
            ) from None
        raise InputError(
            f"a video must be in a codec that can be decoded; {name} is in {codec}, which this "
            "OpenCV does not decode, or damaged "
            'from its beginning. Install another decoder: pip install "cvtasks[video]". Or: '
            f"{_WAY_OUT}."
        ) from None
    try:
        container = av.open(path, options={"protocol_whitelist": "file,crypto,data"})
    except (av.FFmpegError, OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"a video must be one that can be opened; {name} is cut short or damaged: {why}. Save "
            "or fetch it again."
        ) from error
    try:
        return PyAVCapture(container, _moving(container, name), shown_s)
    except BaseException:
        container.close()
        raise


def is_cover(path: str | Path) -> bool:
    """Whether the one image of a file of sound is its cover; False where PyAV is not installed."""
    try:
        import av
    except ImportError:
        return False
    try:
        with av.open(str(path), options={"protocol_whitelist": "file,crypto,data"}) as container:
            streams = container.streams.video
            return bool(streams) and all(_attached(stream) for stream in streams)
    except (av.FFmpegError, OSError, ValueError):
        return False


def only_a_cover(name: str) -> InputError:
    """The error for a file of sound with a cover."""
    return InputError(
        f"a video must hold moving images; {name} holds sound, and one image as its cover. Save "
        "the cover as an image, and give that."
    )


def _attached(stream: Any) -> bool:
    return bool(int(stream.disposition) & _ATTACHED_IMAGE)


def _moving(container: Any, name: str) -> Any:
    """The first stream of moving images that can be decoded."""
    videos = container.streams.video
    if not videos:
        holds = "sound alone" if container.streams.audio else "no moving images"
        raise InputError(
            f"a video must hold moving images; {name} holds {holds}. Give another file."
        )
    streams = [stream for stream in videos if not _attached(stream)]
    if not streams:
        raise only_a_cover(name)
    if streams[0].codec_context is None:
        raise InputError(
            "a video must be in a codec that can be decoded; neither OpenCV nor PyAV decodes that "
            f"of {name}. {_WAY_OUT}."
        )
    return streams[0]
