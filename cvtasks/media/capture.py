"""OpenCV's doors for moving images: video files and cameras.

FFmpeg, which OpenCV hands them to, takes names for much more than they seem: protocols (`concat:`,
`subfile,,`), playlists that lead to other files, numbered images. So only a file whose content
begins as a video's is opened, by a path that can mean nothing else.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol, TypeVar

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.download import peek
from cvtasks.media.file_types import SUFFIXES, is_image, is_video, what_it_is
from cvtasks.media.images import MAX_PIXELS
from cvtasks.media.mp4 import seconds_shown
from cvtasks.media.pyav_capture import is_cover, only_a_cover, open_by_pyav
from cvtasks.media.safe_paths import read_head

VIDEO_SUFFIXES = (
    *(
        ".mp4",
        ".m4v",
        ".mov",
        ".avi",
        ".mkv",
        ".webm",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".m2ts",
        ".3gp",
    ),
    *(".wmv", ".flv", ".ogv", ".mjpg", ".mjpeg", ".m3u8"),
)
_RAW_SUFFIXES = (".mjpg", ".mjpeg")  # JPEG images one after the other
# reads of a file that fail one after the other before that is its end; each takes microseconds
MOST_FAILURES = 1000
_OFTEN_LACKS = "AV01"  # what OpenCV's FFmpeg cannot decode where it has no dav1d
_STILL = ("MJPG", "MPNG", "png", "jpeg")  # codecs of covers
_MATROSKA = b"\x1aE\xdf\xa3"
_MP4 = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")  # what may come first in one
_KINDS = "an MP4, MOV, AVI, MKV, WebM, MPEG, FLV or WMV file"


class Capture(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame, BGR."""

    def grab(self) -> bool:
        """Pass over the next frame."""

    def get(self, property: int) -> float:
        """A property."""

    def release(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Capture)


def is_video_file(path: str) -> bool:
    """Whether the file's content, or failing that the ending of its name,
    says that it is a video.
    """
    try:
        head = read_head(path)
    except (OSError, ValueError):
        return False
    return is_video(head) or (
        path.lower().endswith(VIDEO_SUFFIXES) and (not is_image(head) or is_raw(path, head))
    )


def what_an_address_gives(url: str, timeout_s: float = 5.0) -> Literal["image", "video", "stream"]:
    """What lies behind an http(s) address: a video file, a live stream, or else, one hopes, an
    image.

    It is asked only where the ending of its path says nothing.
    """
    suffix = Path(re.split("[?#]", url)[0]).suffix.lower()
    if suffix in _RAW_SUFFIXES:
        return "stream"
    if suffix in VIDEO_SUFFIXES or suffix in SUFFIXES:
        return "video" if suffix in VIDEO_SUFFIXES else "image"
    try:
        _, kind, head = peek(url, timeout_s)
    except InputError:
        return "image"  # whoever fetches it says what is wrong
    if kind.startswith("multipart/x-mixed-replace"):
        return "stream"
    return "video" if is_video(head) else "image"


def has_its_end(path: str) -> bool:
    """Whether a file is an AVI that has all the bytes that it declares. Its frames have no times
    that would tell.

    It is one RIFF chunk after the other, each with its length (OpenDML AVI extensions, 1996).
    """
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for names that are too long
        return False
    try:
        with Path(path).open("rb") as file:
            size, place = os.fstat(file.fileno()).st_size, 0
            while place < size:
                file.seek(place)
                head = file.read(8)
                if head[:4] != b"RIFF":
                    return False
                place += (
                    8 + int.from_bytes(head[4:], "little") + int.from_bytes(head[4:], "little") % 2
                )
            return place == size
    except (OSError, ValueError):
        return False


def open_video(path: str, name: str | None = None) -> Capture:
    """Open a video file; `name` is what errors call it.

    Raises:
        InputError: it is no video, or one that cannot be read.
    """
    name = repr(path if name is None else name)
    try:
        head = read_head(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL within the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"a video must be a file that can be read; {name} cannot: {reason}. Check it."
        ) from error
    if not is_video(head) and not is_raw(path, head):
        raise InputError(
            f"a video must be {_KINDS}; {name} holds {what_it_is(head)}. Convert it to MP4; of a "
            "playlist, give the videos "
            "that it lists."
        )
    with plain_path(path) as plain:
        capture = by_ffmpeg(plain)
        code = _code(capture)
        shown_s = seconds_shown(plain) if head[4:8] in _MP4 else None
        if capture.isOpened():
            patience = 1 if code.upper() == _OFTEN_LACKS else MOST_FAILURES
            begun = Begun(checked_size(capture, name), patience, head, shown_s)
            if code in _STILL and is_cover(plain):
                raise only_a_cover(name)
            if begun.decodes:
                return begun
        capture.release()
        other = open_by_pyav(plain, name, code, shown_s)
        return checked_size(other, name)


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV and its FFmpeg from telling the terminal what they cannot open, and of damage
    later on.

    FFmpeg's variable is read once, when OpenCV is first asked for a video.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


def by_ffmpeg(source: str | io.BufferedIOBase, *limits: int) -> cv2.VideoCapture:
    """What OpenCV's FFmpeg makes of a path, an address or something to read from; it may not be
    open.
    """
    with quiet_opencv():
        # The stubs name a class of C++ for what is read from; Python gives any stream.
        return cv2.VideoCapture(source, cv2.CAP_FFMPEG, list(limits))  # type: ignore[arg-type]


class Begun:
    """A capture that was looked at as far as its first good frame, which it still gives, and what
    failed before.
    """

    def __init__(
        self,
        capture: cv2.VideoCapture,
        patience: int = MOST_FAILURES,
        head: bytes = b"",
        shown_s: float | None = None,
    ) -> None:
        self._capture, self._failed = capture, 0
        while not (decodes := capture.grab()) and self._failed < patience:
            self._failed += 1
        self.decodes = self._waiting = decodes
        self._frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if head.startswith(_MATROSKA):  # it says when it ends, on a clock that need not begin at 0
            self._frames -= capture.get(cv2.CAP_PROP_PTS)
        if shown_s:
            self._frames = min(self._frames, round(shown_s * capture.get(cv2.CAP_PROP_FPS)))

    def read(self) -> tuple[bool, np.ndarray | None]:
        """The next frame, BGR."""
        if self._failed:
            self._failed -= 1
            return False, None
        if self._waiting:
            self._waiting = False
            return self._capture.retrieve()
        return self._capture.read()

    def grab(self) -> bool:
        """Pass over the next frame."""
        if self._failed or self._waiting:
            return self.read()[0]
        return self._capture.grab()

    def seek(self, frame: int) -> None:
        """Go somewhere near a frame, as its time and the rate have it."""
        self._failed, self._waiting = 0, False
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame)

    def hold(self) -> None:
        """Give the frame that was passed over last once more."""
        self._waiting = True

    def get(self, property: int) -> float:
        """A property; of the frames those are counted that are to be shown."""
        return self._frames if property == cv2.CAP_PROP_FRAME_COUNT else self._capture.get(property)

    def release(self) -> None:
        """Close it."""
        self._capture.release()


def open_camera(index: int) -> Capture:
    """Open the camera of this number, the first being 0.

    Raises:
        InputError: there is none, or another program has it.
    """
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise InputError(
            f"a camera must be connected and free; '{index}' is not. Check the cable, the "
            "permissions and which other program "
            "uses it; the first camera is 0."
        )
    return capture


@contextmanager
def plain_path(path: str | Path) -> Iterator[str]:
    """Give a path of the same file that OpenCV and FFmpeg take as it is: absolute, without %, and
    UTF-8 (they crash on others).

    The file need not exist. Where the name is another, the path is a link that lasts as long as the
    context.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
    try:
        absolute.encode()
        plain = "%" not in absolute
    except UnicodeEncodeError:
        plain = False
    if plain:
        yield absolute
        return
    with TemporaryDirectory(prefix="cvtasks-") as folder:
        link = Path(folder, "video.mp4")
        try:
            link.symlink_to(absolute)
        except (NotImplementedError, OSError) as error:  # Windows gives links to few
            raise InputError(
                f"a video's name must be UTF-8 without % where no link can be made; got "
                f"{absolute!r}. Rename it."
            ) from error
        yield str(link)


def checked_size(capture: C, name: str) -> C:
    """The capture, unless its frames are too large.

    Raises:
        InputError: they are.
    """
    width, height = (
        capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if width * height > MAX_PIXELS:
        raise InputError(
            f"a frame may have at most {MAX_PIXELS:,} pixels; {name} declares {width:,.0f} x "
            f"{height:,.0f}. Make it smaller."
        )
    return capture


def checked_codec(capture: cv2.VideoCapture, name: str) -> Capture:
    """The capture of a stream, unless it is in a codec that OpenCV often lacks, and does lack.

    Raises:
        InputError: it is. PyAV, which has it, reads files alone.
    """
    if _code(capture).upper() != _OFTEN_LACKS:
        return capture
    begun = Begun(capture, 1)
    if begun.decodes:
        return begun
    raise InputError(
        f"a stream must be in a codec that can be decoded; {name} is in AV1, which this OpenCV "
        "does not decode. Let it be sent in "
        "H.264, or fetch it as a file and give its path."
    )


def _code(capture: cv2.VideoCapture) -> str:
    """The four letters of the codec; "" where there are none."""
    letters = int(capture.get(cv2.CAP_PROP_FOURCC)) if capture.isOpened() else 0
    return (letters & 0xFFFFFFFF).to_bytes(4, "little").strip(b"\0 ").decode("ascii", "replace")


def is_raw(path: str, head: bytes) -> bool:
    """Whether a name and the first bytes are those of JPEG images one after the other (MJPEG)."""
    return path.lower().endswith(_RAW_SUFFIXES) and head.startswith(b"\xff\xd8\xff")
