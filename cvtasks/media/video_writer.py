"""Writing an MP4 that plays everywhere: H.264 by PyAV (the extra `video`) or by an OpenCV that can,
else MPEG-4 part 2.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from cvtasks.errors import OutputError
from cvtasks.files.writing import as_meant, cannot_write, made_beside, publish_new
from cvtasks.media.capture import Capture, plain_path, quiet_opencv
from cvtasks.text import agreeing, counted

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
_MOST_GAP_S = 60.0  # a longer gap between two frames is a clock that jumped
_LONGEST_FRAME_S = (
    6 * 3600.0
)  # the same where a gap costs nothing: a recorded screen may stand still for long
_SLACK = 0.05  # of a frame: times are rounded to milliseconds by some containers
_ROUNDED_S = 0.001  # by as much, first and later frame together
_FINE = (
    120  # frames a second, at least, of an encoder of constant rate for frames that come at another
)
_TICKS = 60_000  # a second, at least: what the times in a file are counted in


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


class VideoWriter:
    """Writer of frames to an MP4, whole or not at all; the file appears under its name when it is
    closed.

    If something has that name by then, it is left alone and the file gets the next number, as
    `clip-2.mp4`.

    With `every_frame` each has the time that it had, whether the rate is constant or not; an
    encoder that knows constant rates alone repeats frames to come near to that. Otherwise the rate
    is constant: where frames are missing, the one before is repeated, and where more come than
    `rate` says, they are left out. The length stays either way. The first frame decides about the
    size; later ones of another are scaled to fit, with black around. Odd sizes grow by a pixel.

    Args:
        path: ends in ".mp4"; its folder is made when the first frame comes.
        rate: frames a second.
        every_frame: write all of them at their own times.

    Attributes:
        written: frames in the file so far.
    """

    def __init__(self, path: Path, rate: Fraction, every_frame: bool = True) -> None:
        self.path, self.written = path, 0
        self._rate, self._every_frame = rate, every_frame
        self._start = 0.0  # time of the file's first frame, on the clock of the frames
        self._last = -1.0  # the last frame's place, counted in frames of the constant rate
        self._finer = 1  # by how much the encoder's rate is higher than `rate`
        self._image: np.ndarray | None = None  # the last one, as written
        self._encoder: Encoder | None = None
        self._finish = ExitStack()
        self._scaled = 0

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Add a frame, (h, w, 3) uint8 RGB, that was taken at `time_s`.

        Raises:
            OutputError: the file cannot be written.
        """
        if self._encoder is None:
            self._start = time_s
            self._encoder = self._open(image)
        if not self._every_frame:
            self._write_steadily(image, time_s)
            return
        at = self._place(time_s)
        if self._encoder.exact:
            self._encode(self._fitted(image), at)
        else:
            self._write_near(image, at)

    def _place(self, time_s: float) -> float:
        """Where the frame comes, counted in frames of the constant rate."""
        rate = float(self._rate)
        at = (time_s - self._start) * rate
        longest_s = (
            _LONGEST_FRAME_S if self._encoder is None or self._encoder.exact else _MOST_GAP_S
        )
        if not self._last < at < self._last + longest_s * rate:
            self._start, at = time_s - (self._last + 1) / rate, self._last + 1
        self._last = at
        return round(at) if abs(at - round(at)) <= _ROUNDED_S * rate else at

    def _write_near(self, image: np.ndarray, at: float) -> None:
        """Write a frame at the nearest place that an encoder of constant rate has, after enough of
        the one before.
        """
        if at != round(at) and self._finer == 1:
            self._begin_again()
        for _ in range(round(at * self._finer) - self.written):
            self._encode(self._image, self.written)
        self._image = self._fitted(image)
        self._encode(self._image, self.written)

    def _write_steadily(self, image: np.ndarray, time_s: float) -> None:
        late = (time_s - self._start) * float(self._rate) - self.written
        if abs(late) > _MOST_GAP_S * self._rate:
            self._start = time_s - self.written / float(self._rate)
            late = 0.0
        if late <= -1:
            return
        for _ in range(math.floor(late + _SLACK)):
            self._encode(self._image, self.written)
        self._image = self._fitted(image)
        self._encode(self._image, self.written)

    def close(self) -> Path | None:
        """Finish the file, also after an error or an interruption; returns it, or None if no frame
        came.

        Raises:
            OutputError: it cannot be written.
        """
        encoder, self._encoder, self._image = self._encoder, None, None
        with self._finish:
            if encoder is None:
                return None
            try:
                encoder.close()
                folder, stem, suffix = self.path.parent, self.path.stem, self.path.suffix
                self.path = publish_new(folder, stem, {suffix: self._part})[0]
            except OutputError as error:
                raise as_meant(self.path, error) from error
            except OSError as error:
                raise cannot_write(self.path, error) from error
        return self.path

    def notes(self) -> list[str]:
        """What the user should know of the file, in sentences without an end."""
        notes = []
        if self._scaled:
            notes.append(
                f"the size changed: {counted(self._scaled, 'frame')} "
                f"{agreeing(self._scaled, 'was', 'were')} scaled to that of the first"
            )
        if self._finer > 1:
            rate = float(self._rate) * self._finer
            notes.append(
                "the frame rate varies, which this encoder cannot say: frames are repeated, "
                f"{rate:.0f} a second, and come up to "
                f"{1000 / rate:.0f} ms early or late. PyAV writes their own times"
            )
        if self.written and not self._plays:
            notes.append(
                "browsers will not play it (MPEG-4 part 2): H.264 needs an extra, PyAV with x264. "
                'Install it: pip install "cvtasks[video]"'
            )
        return notes

    def _open(self, image: np.ndarray) -> Encoder:
        self._size = image.shape[:2]
        even = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
        self._part = self._finish.enter_context(made_beside(self.path.parent)) / "video.mp4"
        try:
            encoder = open_encoder(
                self._finish.enter_context(plain_path(self._part)), self._rate, even
            )
        except OutputError as error:
            raise as_meant(self.path, error) from error
        self._plays = encoder.plays_in_browsers
        return encoder

    def _encode(self, image: np.ndarray | None, at: float) -> None:
        if self._encoder is not None and image is not None:
            try:
                self._encoder.write(image, at)
            except OutputError as error:
                raise as_meant(self.path, error) from error
            self.written += 1

    def _begin_again(self) -> None:
        """Write the file again at a rate at which frames can come near any time; so far each came
        where its own rate says.
        """
        if not isinstance(self._encoder, _OpenCV) or not self.written:
            return
        self._finer = max(2, math.ceil(_FINE / self._rate))
        try:
            before, self._encoder = self._encoder, self._encoder.finer(self._finer)
        except LookupError as error:  # it could write a file before: now there is no room
            raise cannot_write(
                self.path, OSError("a second file could not be begun beside it")
            ) from error
        self.written = 0
        try:
            for image in before.frames():
                for _ in range(self._finer):
                    self._encode(image, self.written)
        finally:
            before.remove()

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        height, width = self._size
        if image.shape[:2] != self._size:
            self._scaled += 1
            scale = min(height / image.shape[0], width / image.shape[1])
            h, w = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
            scaled = cv2.resize(
                image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            )
            top, left = (height - h) // 2, (width - w) // 2
            image = cv2.copyMakeBorder(
                scaled, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT
            )
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return image


def open_encoder(path: str, rate: Fraction, size: tuple[int, int]) -> Encoder:
    """The best encoder there is, for a file of (height, width), both even.

    Raises:
        OutputError: the file cannot be written, or there is no encoder.
    """
    try:
        return _PyAV(path, rate, size)
    except ImportError:
        pass
    for code in ("avc1", "mp4v"):
        try:
            return _OpenCV(path, rate, size, code)
        except LookupError:
            continue
    raise OutputError(
        'this OpenCV writes no MP4. Install an encoder: pip install "cvtasks[video]".'
    )


class _PyAV:
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
        planes: np.ndarray = cv2.cvtColor(
            image, cv2.COLOR_RGB2YUV_I420
        )  # quicker than FFmpeg's own conversion
        frame = self._av.VideoFrame.from_ndarray(planes, "yuv420p")
        self._pts = max(self._pts + 1, round(at * float(self._ticks)))
        frame.pts, frame.time_base, frame.duration = self._pts, self._tick, round(self._ticks)
        self._mux(frame)

    def close(self) -> None:
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


class _OpenCV:
    exact = False

    def __init__(
        self, path: str, rate: Fraction, size: tuple[int, int], code: str, beside: str = ""
    ) -> None:
        # OpenCV looks at the ending of the name: the file is made beside, and takes its place in
        # the end.
        self._path, self._made = Path(path), Path(f"{path}{beside}.mp4")
        self._as_given = rate, size, code
        self.plays_in_browsers = code == "avc1"
        with quiet_opencv():
            letters = cv2.VideoWriter.fourcc(*code)
            self._writer = cv2.VideoWriter(
                str(self._made), cv2.CAP_FFMPEG, letters, float(rate), (size[1], size[0])
            )
        if not self._writer.isOpened():
            self.remove()
            raise LookupError(code)
        self._count = 0

    def write(self, image: np.ndarray, at: float) -> None:
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._count += 1

    def finer(self, times: int) -> "_OpenCV":
        """An encoder of so many times the rate, for the same file."""
        rate, size, code = self._as_given
        return _OpenCV(str(self._path), rate * times, size, code, ".finer")

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
