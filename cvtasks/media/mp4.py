"""What an MP4 or MOV says of the time that it shows (ISO/IEC 14496-12): boxes within boxes, each
with its length and its kind.
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 64 * 2**20  # of the box that describes a file; one of a day of video has some MB
_MOST_BOXES = 100_000


def seconds_shown(path: str | Path) -> float | None:
    """How long the images of a file are shown; None where it does not say, or is no such
    file.

    Whoever cuts a video without encoding it again keeps frames before the cut, which an edit list
    leaves out: the number of frames in its header is then larger than that of those to be shown,
    and this is the one that counts.
    """
    try:
        with Path(path).open("rb") as file:
            movie = next(
                (
                    file.read(size)
                    for kind, size in _boxes(file)
                    if kind == b"moov" and size <= _MOST_BYTES
                ),
                b"",
            )
        scale, tracks = 0, []
        for kind, content in _inside(movie):
            if kind == b"mvhd":
                (scale,) = struct.unpack_from(">I", content, 20 if content[0] else 12)
            elif kind == b"trak" and (seconds := _of_images(content)):
                tracks.append(seconds)
        return tracks[0] / scale if scale and len(tracks) == 1 else None
    except (OSError, ValueError, IndexError, struct.error):
        return None


def _of_images(track: bytes) -> int:
    """How long a track lasts, in units of the movie; 0 where it does not say,
    or holds no images.
    """
    lasts, handler = 0, b""
    for kind, content in _inside(track):
        if kind == b"tkhd":
            (lasts,) = (
                struct.unpack_from(">Q", content, 28)
                if content[0]
                else struct.unpack_from(">I", content, 20)
            )
            lasts = 0 if lasts in (2**32 - 1, 2**64 - 1) else lasts
        elif kind == b"mdia":
            handler = next(
                (inner[8:12] for name, inner in _inside(content) if name == b"hdlr"), b""
            )
    return lasts if handler == b"vide" else 0


def _inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in a box."""
    file = io.BytesIO(content)
    yield from ((kind, file.read(size)) for kind, size in _boxes(file))


def _boxes(file: io.BufferedIOBase) -> Iterator[tuple[bytes, int]]:
    """Kind of each box, and bytes of its content, at which the file then stands."""
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        size, begin = int.from_bytes(head[:4], "big"), place + 8
        if size == 1:  # a large one
            size, begin = int.from_bytes(file.read(8), "big"), place + 16
        if size < begin - place:  # 0: to the end of the file
            return
        yield head[4:], place + size - begin
        place += size
