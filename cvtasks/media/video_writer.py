"""Writing an MP4 that plays everywhere, each frame at its time."""

import math
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cvtasks.errors import OutputError
from cvtasks.files.writing import as_meant, cannot_write, made_beside, publish_new
from cvtasks.media.capture import plain_path
from cvtasks.media.encoders import Encoder, OpenCVEncoder, open_encoder
from cvtasks.text import agreeing, counted

_MOST_GAP_S = 60.0  # a longer gap between two frames is a clock that jumped
_LONGEST_FRAME_S = (
    6 * 3600.0
)  # the same where a gap costs nothing: a recorded screen may stand still for long
_SLACK = 0.05  # of a frame: times are rounded to milliseconds by some containers
_ROUNDED_S = 0.001  # by as much, first and later frame together
_FINE = (
    120  # frames a second, at least, of an encoder of constant rate for frames that come at another
)


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
        self._finer = Fraction(1)  # by how much the encoder's rate is higher than `rate`
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
        self._repeat_until(at, self._fitted(image))

    def _repeat_until(self, at: float, image: np.ndarray) -> None:
        for _ in range(round(at * float(self._finer)) - self.written):
            self._encode(self._image, self.written)
        self._image = image
        self._encode(image, self.written)

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

        Its rate is a whole number, which MPEG-4 always knows.
        """
        before = self._encoder
        if not isinstance(before, OpenCVEncoder) or not self.written:
            return
        fine = math.ceil(self._rate * max(2, math.ceil(_FINE / self._rate)))
        self._finer, self.written = fine / self._rate, 0
        last, self._encoder = self._image, None  # without a finer one nothing is to be published
        try:
            self._encoder = before.at_rate(fine)
            for number, image in enumerate(before.frames()):
                self._repeat_until(number, image)
            self._image = last
        except LookupError as error:  # it could write a file before: now there is no room
            raise cannot_write(
                self.path, OSError("a second file could not be begun beside it")
            ) from error
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
