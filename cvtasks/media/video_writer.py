"""Writing an MP4 that plays everywhere: H.264 by PyAV (the extra `video`) or by an OpenCV that can, else MPEG-4 part 2."""

import math
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from cvtasks.errors import CVTasksError
from cvtasks.files import cannot_write, written_whole
from cvtasks.media.capture import plain_path

# Of x264's presets, ultrafast makes much larger files, and veryfast would hold up the stages before it.
_X264 = {
    "preset": "superfast",
    "crf": "23",
    # OpenCV converts by BT.601; players would take BT.709 for large frames if the file did not say so.
    "x264-params": "colorprim=smpte170m:transfer=smpte170m:colormatrix=smpte170m:range=tv",
}
_MOST_GAP_S = 60.0  # a longer gap between two frames is a clock that jumped
_SLACK = 0.05  # of a frame: times are rounded to milliseconds by some containers


class Encoder(Protocol):
    """Writes frames of one even size, at a constant rate."""

    plays_in_browsers: bool

    def write(self, image: np.ndarray) -> None:
        """Add a frame, (h, w, 3) uint8 RGB."""

    def close(self) -> None:
        """Finish the file."""


class VideoWriter:
    """Writes frames to an MP4 of constant rate, whole or not at all; the file appears under its name when it is closed.

    Frames are placed by their time: where some are missing, the one before is repeated, so that the length stays. The first
    frame decides about the size; later ones of another are scaled to fit, with black around. Odd sizes grow by a pixel.

    Args:
        path: ends in ".mp4"; its folder is made when the first frame comes.
        rate: frames a second.
        every_frame: write all of them, also where more come than `rate` says; otherwise these are left out.

    Attributes:
        written: frames in the file so far.
    """

    def __init__(self, path: Path, rate: Fraction, every_frame: bool = True) -> None:
        self.path, self.written = path, 0
        self._rate, self._every_frame = rate, every_frame
        self._start = 0.0  # time of the file's first frame, on the clock of the frames
        self._image: np.ndarray | None = None  # the last one, as written
        self._encoder: Encoder | None = None
        self._finish = ExitStack()
        self._scaled = 0

    def write(self, image: np.ndarray, time_s: float) -> None:
        """Add a frame, (h, w, 3) uint8 RGB, that was taken at `time_s`.

        Raises:
            CVTasksError: the file cannot be written.
        """
        if self._encoder is None:
            self._start = time_s
            self._encoder = self._open(image)
        late = (time_s - self._start) * float(self._rate) - self.written
        if abs(late) > _MOST_GAP_S * self._rate:
            self._start = time_s - self.written / float(self._rate)
            late = 0.0
        if late <= -1 and not self._every_frame:
            return
        for _ in range(math.floor(late + _SLACK)):
            self._encode(self._image)
        self._image = self._fitted(image)
        self._encode(self._image)

    def close(self) -> Path | None:
        """Finish the file, also after an error or an interruption; returns it, or None if no frame came.

        Raises:
            CVTasksError: it cannot be written.
        """
        with self._finish:  # renames the file, unless finishing it fails
            if self._encoder is None:
                return None
            encoder, self._encoder, self._image = self._encoder, None, None
            encoder.close()
        return self.path

    def notes(self) -> list[str]:
        """What the user should know of the file, in sentences without an end."""
        notes = []
        if self._scaled:
            notes.append(f"the size changed: {self._scaled} frames were scaled to that of the first")
        if self.written and not self._plays:
            notes.append(
                "browsers will not play it (MPEG-4 part 2): H.264 needs an extra, PyAV with x264. "
                'Install it: pip install "cvtasks[video]"'
            )
        return notes

    def _open(self, image: np.ndarray) -> Encoder:
        self._size = image.shape[:2]
        even = self._size[0] + self._size[0] % 2, self._size[1] + self._size[1] % 2
        part = self._finish.enter_context(written_whole(self.path))
        encoder = open_encoder(self._finish.enter_context(plain_path(part)), self._rate, even)
        self._plays = encoder.plays_in_browsers
        return encoder

    def _encode(self, image: np.ndarray | None) -> None:
        if self._encoder is not None and image is not None:
            self._encoder.write(image)
            self.written += 1

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        height, width = self._size
        if image.shape[:2] != self._size:
            self._scaled += 1
            scale = min(height / image.shape[0], width / image.shape[1])
            h, w = max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))
            scaled = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            top, left = (height - h) // 2, (width - w) // 2
            image = cv2.copyMakeBorder(scaled, top, height - h - top, left, width - w - left, cv2.BORDER_CONSTANT)
        if height % 2 or width % 2:
            image = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        return image


def open_encoder(path: str, rate: Fraction, size: tuple[int, int]) -> Encoder:
    """The best encoder there is, for a file of (height, width), both even.

    Raises:
        CVTasksError: the file cannot be written.
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
    raise CVTasksError('This OpenCV writes no MP4. Install an encoder: pip install "cvtasks[video]".')


class _PyAV:
    plays_in_browsers = True

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
        self._stream.codec_context.gop_size = max(1, round(2 * rate))  # seconds that a player decodes to jump somewhere
        self._count = 0

    def write(self, image: np.ndarray) -> None:
        planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)  # quicker than FFmpeg's own conversion
        frame = self._av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts = self._count
        self._count += 1
        self._mux(frame)

    def close(self) -> None:
        self._mux(None)
        try:
            self._container.close()
        except self._av.FFmpegError as error:
            raise cannot_write(self._path, error) from error

    def _mux(self, frame: object | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except self._av.FFmpegError as error:
            raise cannot_write(self._path, error) from error


class _OpenCV:
    def __init__(self, path: str, rate: Fraction, size: tuple[int, int], code: str) -> None:
        # OpenCV looks at the ending of the name: the file is made beside, and takes its place in the end.
        self._path, self._made = Path(path), Path(f"{path}.mp4")
        self.plays_in_browsers = code == "avc1"
        self._writer = cv2.VideoWriter(
            str(self._made), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), float(rate), (size[1], size[0])
        )
        if not self._writer.isOpened():
            self._made.unlink(missing_ok=True)
            raise LookupError(code)
        self._count = 0

    def write(self, image: np.ndarray) -> None:
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._count += 1

    def close(self) -> None:
        self._writer.release()
        try:
            # It says nothing when the disk is full.
            written = int(cv2.VideoCapture(str(self._made), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT))
            if written != self._count:
                raise OSError(f"of {self._count} frames {written} were written")
            self._made.replace(self._path)
        except OSError as error:
            raise cannot_write(self._path, error) from error
        finally:
            self._made.unlink(missing_ok=True)
