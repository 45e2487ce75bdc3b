"""Encoders of MP4: H.264 by PyAV (the extra `video`) or by an OpenCV that can, else MPEG-4 part
2.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from cvtasks.errors import OutputError
from cvtasks.files.writing import cannot_write
from cvtasks.media.capture import Capture, quiet_opencv
from cvtasks.text import agreeing

if TYPE_CHECKING:
    import av

# Of x264's presets, ultrafast makes much larger files, and veryfast would hold up the stages before
# it.
_X264 = {
    "preset": "superfast",
    "crf": "23",
    # with frames out of order, an MP4 whose rate varies gets another length than its frames have
    "bf": "0",
    # OpenCV converts by BT.601; players would take BT.709 for large frames if the file did not say
    # so.
    "x264-params": "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv",
}
_TICKS = 60_000  # a second, at least: what the times in a file are counted in
_MOST_TICKS = 65_535  # a second, of MPEG-4


class Encoder(Protocol):
    """Writer of frames of one even size."""

    plays_in_browsers: bool
    exact: bool  # whether a frame may come at any time, or only where one of constant rate would

    def write(self, image: np.ndarray, at: float) -> None:
        """Add a frame, (h, w, 3) uint8 RGB, at a time that is counted in frames of the constant
        rate.
        """

    def close(self) -> None:
        """Finish the file."""


def open_encoder(path: str, rate: Fraction, size: tuple[int, int]) -> Encoder:
    """The best encoder there is, for a file of (height, width), both even.

    Raises:
        OutputError: the file cannot be written, or there is no encoder.
    """
    try:
        return PyAVEncoder(path, rate, size)
    except ImportError:
        pass
    for code in ("avc1", "mp4v"):
        try:
            return OpenCVEncoder(path, rate, size, code)
        except LookupError:
            continue
    raise OutputError(
        'this OpenCV writes no MP4. Install an encoder: pip install "cvtasks[video]".'
    )


class PyAVEncoder:
    """H.264 by x264, with frames at any time."""

    plays_in_browsers = exact = True

    def __init__(self, path: str, rate: Fraction, size: tuple[int, int]) -> None:
        import av

        self._av, self._path = av, path
        if "libx264" not in av.codecs_available:
            raise ImportError("this PyAV has no libx264")
        try:
            self._container = av.open(path, "w", format="mp4", options={"movflags": "+faststart"})
        except av.FFmpegError as error:
            raise cannot_write(path, error) from error
        self._stream = self._container.add_stream("libx264", rate=rate, options=_X264)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.gop_size = max(
            1, round(2 * rate)
        )  # seconds that a player decodes to jump somewhere
        finer = math.ceil(
            _TICKS / rate.numerator
        )  # a whole number of ticks for each frame of a constant rate, if it is one
        second = (
            rate.numerator * finer if rate.numerator <= 2 * _TICKS else 2 * _TICKS
        )  # MP4 counts a frame's with 32 bits
        self._tick, self._ticks = Fraction(1, second), second / rate
        self._stream.codec_context.time_base = self._tick
        self._pts = -1

    def write(self, image: np.ndarray, at: float) -> None:
        """Add a frame."""
        planes: np.ndarray = cv2.cvtColor(
            image, cv2.COLOR_RGB2YUV_I420
        )  # quicker than FFmpeg's own conversion
        frame = self._av.VideoFrame.from_ndarray(planes, "yuv420p")
        self._pts = max(self._pts + 1, round(at * float(self._ticks)))
        frame.pts, frame.time_base, frame.duration = self._pts, self._tick, round(self._ticks)
        self._mux(frame)

    def close(self) -> None:
        """Finish the file."""
        try:
            self._mux(None)
        finally:
            try:
                self._container.close()
            except self._av.FFmpegError as error:
                raise cannot_write(self._path, error) from error

    def _mux(self, frame: "av.VideoFrame | None") -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except self._av.FFmpegError as error:
            raise cannot_write(self._path, error) from error


class OpenCVEncoder:
    """What OpenCV writes by its own FFmpeg, at a constant rate.

    Raises:
        LookupError: it does not begin such a file.
    """

    exact = False

    def __init__(
        self, path: str, rate: Fraction, size: tuple[int, int], code: str, beside: str = ""
    ) -> None:
        # OpenCV looks at the ending of the name: the file is made beside, and takes its place in
        # the end.
        self._path, self._made = Path(path), Path(f"{path}{beside}.mp4")
        self._as_given = size, code
        self.plays_in_browsers = code == "avc1"
        with quiet_opencv():
            letters = cv2.VideoWriter.fourcc(*code)
            self._writer = cv2.VideoWriter(
                str(self._made), cv2.CAP_FFMPEG, letters, _known_rate(rate), (size[1], size[0])
            )
        if not self._writer.isOpened():
            self.remove()
            raise LookupError(code)
        self._count = 0

    def write(self, image: np.ndarray, at: float) -> None:
        """Add a frame, behind the last."""
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._count += 1

    def at_rate(self, rate: int) -> "OpenCVEncoder":
        """An encoder of that rate, for the same file."""
        size, code = self._as_given
        return OpenCVEncoder(str(self._path), Fraction(rate), size, code, ".finer")

    def frames(self) -> Iterator[np.ndarray]:
        """What was written so far; nothing can be added any more."""
        self._writer.release()
        written: Capture = cv2.VideoCapture(str(self._made), cv2.CAP_FFMPEG)
        while (image := written.read()[1]) is not None:
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        written.release()

    def remove(self) -> None:
        """Leave no file."""
        self._writer.release()
        self._made.unlink(missing_ok=True)

    def close(self) -> None:
        """Finish the file, and see that it is whole."""
        self._writer.release()
        try:
            # It says nothing when the disk is full.
            written = int(
                cv2.VideoCapture(str(self._made), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT)
            )
            if written != self._count:
                raise OSError(
                    f"of {self._count} frames {written} {agreeing(written, 'was', 'were')} written"
                )
            self._made.replace(self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from error
        finally:
            self._made.unlink(missing_ok=True)


def _known_rate(rate: Fraction) -> float:
    """The rate, with as many decimals as MPEG-4 counts by: OpenCV hands it on as a whole number
    over a power of ten.

    >>> _known_rate(Fraction(30000, 1001)), _known_rate(Fraction(119_973, 1000))
    (29.97, 119.97)
    """
    return next(
        round(rate * 10**decimals) / 10**decimals
        for decimals in (3, 2, 1, 0)
        if decimals == 0 or round(rate * 10**decimals) <= _MOST_TICKS
    )
