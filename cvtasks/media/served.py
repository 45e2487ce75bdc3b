"""Videos and live streams behind addresses.

FFmpeg would open an address itself, and follow redirects and playlists wherever they lead. So our
own client fetches: a file is kept in a temporary one and read from there, a stream that has no end
is handed over as bytes. Only rtsp(s) is FFmpeg's; what an address of it redirects to is looked at
before.
"""

import io
import re
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException, parse_headers
from pathlib import Path
from string import punctuation
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import cv2
import numpy as np

from cvtasks.errors import InputError
from cvtasks.media.capture import (
    Capture,
    by_ffmpeg,
    checked_codec,
    checked_size,
    is_raw,
    open_video,
)
from cvtasks.media.connection import Patience, TimedSocket
from cvtasks.media.download import SLOWEST, cannot_fetch, check_whole, head_of
from cvtasks.media.file_types import is_video, what_it_is
from cvtasks.media.http import MOST_REDIRECTS, Answer, Journey, Unreachable, answer, in_words, valid

T = TypeVar("T")

OPEN_TIMEOUT_S = READ_TIMEOUT_S = 10.0
MAX_VIDEO_BYTES = 8 * 2**30
# kinds that can be read as they come
_STREAMED = rb"\x1aE\xdf\xa3|FLV\x01|OggS|\0\0\x01[\xba\xb3]|G.{187}G"


def open_address(url: str, name: str) -> Capture:
    """Open an http(s) or rtsp(s) address; `name` is what errors call it, without passwords.

    Raises:
        InputError: it does not answer in time, or not with a video or a live stream.
    """
    try:
        return _open_http(url, name) if url.lower().startswith("http") else _open_rtsp(url, name)
    except Unreachable as error:
        raise cannot_fetch(url, error) from error


def _no_answer(name: str) -> InputError:
    return InputError(
        f"a video must be one that can be opened; {name!r} did not answer with one within "
        f"{OPEN_TIMEOUT_S:g} s. Check address "
        "and connection."
    )


# === http ===


def _open_http(url: str, name: str) -> Capture:
    with ExitStack() as stack:
        given = stack.enter_context(answer(url, Patience(READ_TIMEOUT_S, slowest=1)))
        head = head_of(given)
        live = given.kind.startswith("multipart/x-mixed-replace") or is_raw(
            re.split("[?#]", url)[0], head
        )
        if not is_video(head) and not live:
            raise InputError(
                f"an address must give a video file or a live stream (MJPEG); {name!r} gives "
                f"{given.kind or what_it_is(head)}. "
                "Playlists are not followed: give the address of a video or stream itself."
            )
        if not live and (given.length is not None or not re.match(_STREAMED, head, re.DOTALL)):
            return _kept(given, head, name)
        source = _Bytes(given, head)
        capture = source.asked(lambda: by_ffmpeg(source), OPEN_TIMEOUT_S)
        if not capture.isOpened():
            raise _no_answer(name)
        checked = source.asked(
            lambda: checked_codec(checked_size(capture, repr(name)), repr(name)), OPEN_TIMEOUT_S
        )
        return _Streamed(checked, stack.pop_all(), source)


def _kept(given: Answer, head: bytes, name: str) -> Capture:
    """The video file that an answer holds, from a temporary one that is gone when it is closed."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="cvtasks-", ignore_cleanup_errors=True)
            )
            path = Path(folder, "video")
            with path.open("wb") as file:
                _copy(given, head, name, file)
        except OSError as error:
            raise InputError(
                "a video behind an address is kept in the folder for temporary files while it is "
                "read, which must have room; "
                f"{name!r} cannot be: {error.strerror}. Fetch it by hand, and give its path."
            ) from error
        capture = open_video(str(path), name)
        with suppress(OSError):
            # where an open file may go, nothing is left behind even by a process that is killed
            path.unlink()
        return _Kept(capture, stack.pop_all())


def _copy(given: Answer, head: bytes, name: str, file: BinaryIO) -> None:
    given.patience.slowest = SLOWEST
    received, chunk = 0, head
    while chunk:
        received += file.write(chunk)
        if received + (given.length or 0) > MAX_VIDEO_BYTES:
            raise InputError(
                f"a video behind an address may have at most {MAX_VIDEO_BYTES:,} bytes; {name!r} "
                "sends more. Fetch it by hand."
            )
        chunk = given.read(2**18)
    check_whole(given, received)


class _Kept:
    """A capture that has something else to close in the end."""

    def __init__(self, capture: Capture, stack: ExitStack) -> None:
        self._capture, self._stack = capture, stack

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self._capture.read()

    def grab(self) -> bool:
        return self._capture.grab()

    def get(self, property: int) -> float:
        return self._capture.get(property)

    def release(self) -> None:
        self._capture.release()
        self._stack.close()


class _Bytes(io.BufferedIOBase):
    """An answer's content as OpenCV reads it from Python: FFmpeg is given bytes, and opens nothing
    itself.
    """

    def __init__(self, given: Answer, head: bytes) -> None:
        super().__init__()
        self._given, self._head = given, head
        self._end = 0.0
        self._error: BaseException | None = None

    def asked(self, call: Callable[[], T], seconds: float) -> T:
        """What `call` makes of the bytes that come within so many seconds."""
        self._end = time.monotonic() + seconds
        result = call()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return result

    def read(self, most: int | None = -1) -> bytes:
        """Some bytes, b"" at the end; FFmpeg is in between, so that no error may be raised
        from here.
        """
        most = 2**16 if most is None or most < 0 else most
        if self._head:
            head, self._head = self._head[:most], self._head[most:]
            return head
        try:
            return self._given.read(most) if time.monotonic() < self._end else b""
        except Unreachable:
            return b""
        except BaseException as error:  # Ctrl-C; raised as soon as FFmpeg has returned
            self._error = error
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """There is no way back."""
        return -1


class _Streamed(_Kept):
    """A capture of bytes as they come. Each frame must come in time; otherwise that is the end of
    the stream.
    """

    def __init__(self, capture: Capture, stack: ExitStack, source: _Bytes) -> None:
        super().__init__(capture, stack)
        self._source = source

    def read(self) -> tuple[bool, np.ndarray | None]:
        return self._source.asked(self._capture.read, READ_TIMEOUT_S)

    def grab(self) -> bool:
        return self._source.asked(self._capture.grab, READ_TIMEOUT_S)


# === rtsp ===


def _open_rtsp(url: str, name: str) -> Capture:
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(1000 * OPEN_TIMEOUT_S)),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(1000 * READ_TIMEOUT_S)),
    ]
    capture = by_ffmpeg(rtsp_target(url), *limits)
    if not capture.isOpened():
        raise _no_answer(name)
    return checked_codec(checked_size(capture, repr(name)), repr(name))


def rtsp_target(url: str) -> str:
    """Where an rtsp(s) address leads, after redirects to rtsp(s) that lead no further into
    the network.

    FFmpeg would follow any. What was redirected to is given by number, so that the name cannot come
    to mean another host.

    Raises:
        Unreachable: it cannot be reached, or leads where it must not.
    """
    at, journey = url, Journey(Patience(OPEN_TIMEOUT_S))
    for hop in range(MOST_REDIRECTS + 1):
        parts = valid(at, ("rtsp", "rtsps"))
        host, secure = parts.hostname or "", parts.scheme.lower() == "rtsps"
        with in_words(journey.patience):
            connection = journey.connect((host, parts.port or (322 if secure else 554)))
        with closing(connection):
            number = connection.sock.getpeername()[0]
            plain = parts._replace(netloc=parts.netloc.rpartition("@")[2])
            location = _redirect(connection, plain.geturl(), secure)
        if location is None:
            if hop:
                number = f"[{number}]" if ":" in number else number
                netloc = (
                    f"{parts.netloc.rpartition('@')[0]}@".lstrip("@")
                    + number
                    + (f":{parts.port}" if parts.port else "")
                )
                at = parts._replace(netloc=netloc).geturl()
            return at
        at = location
    raise Unreachable(f"it redirects more than {MOST_REDIRECTS} times")


def _redirect(connection: TimedSocket, url: str, secure: bool) -> str | None:
    """Where a server redirects whoever asks for the address; None if it does not, or says nothing
    that can be understood.
    """
    try:
        if secure:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = (
                False,
                ssl.CERT_NONE,
            )  # nothing secret is said, and FFmpeg checks no more
            connection.secure(context, None)
        ask = (
            f"DESCRIBE {quote(url, punctuation)} RTSP/1.0\r\nCSeq: 1\r\nAccept: "
            "application/sdp\r\nUser-Agent: cvtasks\r\n\r\n"
        )
        connection.sendall(ask.encode())
        with connection.makefile() as file:
            status = file.readline(1024).split()[1:2]
            headers = parse_headers(file)
    except (OSError, HTTPException, ValueError):
        return None
    return headers.get("Location") if status and re.fullmatch(rb"3[0-9][0-9]", status[0]) else None
