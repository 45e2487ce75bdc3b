"""OpenCV's doors for moving pictures: video files, addresses, cameras.

FFmpeg, which OpenCV hands them to, takes names for much more than they seem: protocols (`concat:`, `subfile,,`), playlists
that lead to other files, numbered pictures. So only a file whose content begins as a video's is opened, by a path that can
mean nothing else, and of addresses http(s) and rtsp(s) alone.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Protocol

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.download import peek
from cvtasks.media.pictures import MAX_PIXELS, SUFFIXES
from cvtasks.media.regular_file import read_head
from cvtasks.media.strangers import is_picture, is_video, what_it_is

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp"),
    *(".wmv", ".flv", ".ogv", ".mjpg", ".mjpeg", ".m3u8"),
)
_RAW_SUFFIXES = (".mjpg", ".mjpeg")  # JPEG pictures one after the other
OPEN_TIMEOUT_S = READ_TIMEOUT_S = 10.0
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


def is_video_file(path: str) -> bool:
    """Whether the file's content, or failing that the ending of its name, says that it is a video."""
    try:
        head = read_head(path)
    except (OSError, ValueError):
        return False
    return is_video(head) or (path.lower().endswith(VIDEO_SUFFIXES) and (not is_picture(head) or _raw(path, head)))


def what_an_address_gives(url: str, timeout_s: float = 5.0) -> Literal["picture", "video", "stream"]:
    """What lies behind an http(s) address: a video file, a live stream, or else, one hopes, a picture.

    It is asked only where the ending of its path says nothing.
    """
    suffix = Path(re.split("[?#]", url)[0]).suffix.lower()
    if suffix in _RAW_SUFFIXES:
        return "stream"
    if suffix in VIDEO_SUFFIXES or suffix in SUFFIXES:
        return "video" if suffix in VIDEO_SUFFIXES else "picture"
    try:
        _, kind, head = peek(url, timeout_s)
    except InputError:
        return "picture"  # whoever fetches it says what is wrong
    if kind.startswith("multipart/x-mixed-replace"):
        return "stream"
    return "video" if is_video(head) else "picture"


def open_video(path: str) -> Capture:
    """Open a video file.

    Raises:
        InputError: it is no video, or one that cannot be read.
    """
    name = repr(path)
    try:
        head = read_head(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL within the name
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"A video must be a file that can be read; {name} cannot: {reason}. Check it.") from error
    if not is_video(head) and not _raw(path, head):
        raise InputError(
            f"A video must be {_KINDS}; {name} holds {what_it_is(head)}. Convert it to MP4; of a playlist, give the videos "
            "that it lists."
        )
    with plain_path(path) as plain:
        return _checked(cv2.VideoCapture(plain, cv2.CAP_FFMPEG), name, "is cut short or damaged. Save or fetch it again.")


def open_address(url: str, name: str) -> Capture:
    """Open an http(s) or rtsp(s) address; `name` is what errors call it, without passwords.

    Raises:
        InputError: it does not answer in time, or not with a video or a live stream.
    """
    if url.lower().startswith("http"):
        try:
            url, kind, head = peek(url, OPEN_TIMEOUT_S)
        except InputError as error:
            raise InputError(str(error).replace(repr(url), repr(name))) from error
        if not is_video(head) and not kind.startswith("multipart/x-mixed-replace"):
            raise InputError(
                f"An address must give a video file or a live stream (MJPEG); {name!r} gives {kind or what_it_is(head)}. "
                "Playlists are not followed: give the address of a video or stream itself."
            )
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(1000 * OPEN_TIMEOUT_S)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(1000 * READ_TIMEOUT_S)),
    ]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
    return _checked(capture, repr(name), f"did not answer with one within {OPEN_TIMEOUT_S:g} s. Check address and connection.")


def open_camera(index: int) -> Capture:
    """Open the camera of this number, the first being 0.

    Raises:
        InputError: there is none, or another program has it.
    """
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise InputError(
            f"A camera must be connected and free; '{index}' is not. Check the cable, the permissions and which other program "
            "uses it; the first camera is 0."
        )
    return capture


@contextmanager
def plain_path(path: str | Path) -> Iterator[str]:
    """Give a path of the same file that OpenCV and FFmpeg take as it is: absolute, without %, and UTF-8 (they crash on others).

    The file need not exist. Where the name is another, the path is a link that lasts as long as the context.
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
        link.symlink_to(absolute)
        yield str(link)


def _checked(capture: cv2.VideoCapture, name: str, otherwise: str) -> Capture:
    if not capture.isOpened():
        raise InputError(f"A video must be one that can be opened; {name} {otherwise}")
    width, height = (capture.get(side) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    if width * height > MAX_PIXELS:
        raise InputError(
            f"A frame may have at most {MAX_PIXELS:,} pixels; {name} declares {width:,.0f} x {height:,.0f}. Make it smaller."
        )
    return capture


def _raw(path: str, head: bytes) -> bool:
    return path.lower().endswith(_RAW_SUFFIXES) and head.startswith(b"\xff\xd8\xff")
