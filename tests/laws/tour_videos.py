"""Wrong videos, and some that only look wrong."""

import io
import os
import struct
import tempfile
import wave
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from cvtasks.media.sources import Item, expand
from tests.laws.tour import Case, Make, quarters, seen
from tests.laws.tour_images import encoded

MOST = 500  # frames that are looked at


def watched(path: Path | str) -> str:
    """All frames of the one source that a path stands for; of an item that is no stream,
    its image.
    """
    (source,) = expand([str(path)])
    if isinstance(source, Item):
        return f"an image, {seen(source.read())}"
    video = source.open()
    frames = list(islice(video, MOST))
    notes = "".join(f"; {note}" for note in video.notes())
    return f"{len(frames)} frames at {float(video.rate):g}, {seen(frames[-1].image)}{notes}"


def clip(
    name: str = "clip.mp4",
    codec: str = "mpeg4",
    frames: int = 12,
    height: int = 48,
    width: int = 80,
    rate: int = 25,
    sound: bool = False,
    **options: str,
) -> bytes:
    """An encoded video of an image of four colours, in the container that the name's
    ending says.
    """
    with tempfile.TemporaryDirectory() as place:
        _write(f"{place}/{name}", codec, frames, height, width, rate, sound, options)
        return Path(place, name).read_bytes()


def _write(
    path: str,
    codec: str,
    frames: int,
    height: int,
    width: int,
    rate: int,
    sound: bool,
    options: dict[str, str],
) -> None:
    import av

    with av.open(path, "w", options=options) as container:
        video = container.add_stream(codec, rate=rate)
        video.height, video.width, video.gop_size = height, width, 4
        video.pix_fmt = {"mjpeg": "yuvj420p", "ffv1": "yuv444p", "rawvideo": "yuv420p"}.get(
            codec, "yuv420p"
        )
        if sound:
            audio = container.add_stream("aac", rate=8000)
            audio.layout = "mono"
            for number in range(4):
                noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                noise.sample_rate, noise.pts = 8000, 1024 * number
                container.mux(audio.encode(noise))
            container.mux(audio.encode())
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(quarters(height, width), "rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode())


def sound(form: str = "mp4", codec: str = "aac") -> bytes:
    """A file of sound alone."""
    import av

    stream = io.BytesIO()
    with av.open(stream, "w", format=form) as container:
        audio = container.add_stream(codec, rate=8000)
        audio.layout = "mono"
        for number in range(8):
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            noise.sample_rate, noise.pts = 8000, 1024 * number
            container.mux(audio.encode(noise))
        container.mux(audio.encode())
    return stream.getvalue()


def wav() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    return stream.getvalue()


def jpeg(height: int, width: int) -> bytes:
    import cv2

    return cv2.imencode(".jpg", quarters(height, width)[..., ::-1])[1].tobytes()


def jpegs(*sizes: tuple[int, int]) -> bytes:
    """Images one after the other, as cameras send them."""
    return b"".join(jpeg(*size) for size in sizes)


def huge(content: bytes, height: int, width: int) -> bytes:
    """The last JPEG of these declares another size."""
    at = content.rindex(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4 :]


def spoilt(content: bytes, share: float = 0.5, length: int = 200) -> bytes:
    """Noise in the middle of the file."""
    at = int(share * len(content))
    noise = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    return content[:at] + noise + content[at + length :]


def avi_header(offset: int, value: int) -> Callable[[], bytes]:
    """An AVI with another number in its main header (24 bytes to its fields)."""

    def make() -> bytes:
        content = clip("clip.avi", "mjpeg")
        at = content.index(b"avih") + 8 + offset
        return content[:at] + struct.pack("<I", value) + content[at + 4 :]

    return make


def avi_stream(offset: int, value: int) -> Callable[[], bytes]:
    """An AVI with another number in the header of its stream."""

    def make() -> bytes:
        content = clip("clip.avi", "mjpeg")
        at = content.index(b"strh") + 8 + offset
        return content[:at] + struct.pack("<I", value) + content[at + 4 :]

    return make


def mp4_box(name: bytes, offset: int, value: bytes) -> Callable[[], bytes]:
    """An MP4 with other bytes within one of its boxes."""

    def make() -> bytes:
        content = clip()
        at = content.index(name) + 4 + offset
        return content[:at] + value + content[at + len(value) :]

    return make


def shown(
    content: bytes | Callable[[], bytes], name: str = "clip.mp4", **others: Callable[[], bytes]
) -> Make:
    """A file to be watched, and others beside it, `other.mp4` by the name `other`."""

    def make(folder: Path) -> Callable[[], object]:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content())
        for stem, more in others.items():
            (folder / f"{stem}.mp4").write_bytes(more())
        return partial(watched, folder / name)

    return make


def inside(folder: Path, name: str) -> Callable[[], object]:
    """A bare name is watched from within its folder, as one would type it."""

    def read() -> str:
        place = Path.cwd()
        os.chdir(folder)
        try:
            return watched(name)
        finally:
            os.chdir(place)

    return read


def bare(
    name: str, content: Callable[[], bytes] | None = None, other: Callable[[], bytes] | None = None
) -> Make:
    """A file of a name that FFmpeg takes for something else, or nothing of that name, and
    `other.mp4` beside it.
    """

    def make(folder: Path) -> Callable[[], object]:
        if content:
            (folder / name).write_bytes(content())
        if other:
            (folder / "other.mp4").write_bytes(other())
        return inside(folder, name)

    return make


def special(prepare: Callable[[Path], object], name: str = "clip.mp4") -> Make:
    def make(folder: Path) -> Callable[[], object]:
        prepare(folder / name)
        return partial(watched, folder / name)

    return make


def good(make: Make, says: str = "12 frames at 25, 48 x 80: red green blue white") -> Case:
    return Case(make, "", says)


def bad(make: Make, says: str) -> Case:
    return Case(make, "InputError", says)


PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.mp4\n#EXT-X-ENDLIST\n"

VIDEOS = {
    "mp4": good(shown(clip)),
    "mp4, sound beside it": good(shown(lambda: clip(sound=True))),
    "avi": good(shown(lambda: clip("clip.avi", "mjpeg"), "clip.avi")),
    "mkv": good(shown(lambda: clip("clip.mkv", "ffv1"), "clip.mkv")),
    "transport stream": good(shown(lambda: clip("clip.ts", "mpeg2video"), "clip.ts")),
    "webm": good(shown(lambda: clip("clip.webm", "libvpx"), "clip.webm")),
    "mp4 named .jpg": good(shown(clip, "clip.jpg")),
    "mp4 without an ending": good(shown(clip, "clip")),
    "a name with percent signs": good(shown(clip, "%03d%s.mp4")),
    "a name that is not UTF-8": good(shown(clip, os.fsdecode(b"\xff\xe4.mp4"))),
    "a name like one of FFmpeg's protocols": good(bare("concat:a.mp4|b.mp4", clip)),
    "a name like a part of a file": good(bare("subfile,,start,0,end,9,,:a.mp4", clip)),
    "odd sizes": good(
        shown(lambda: clip("clip.mkv", "ffv1", height=25, width=41), "clip.mkv"),
        "12 frames at 25, 25 x 41: red green blue",
    ),
    "one frame": good(shown(lambda: clip(frames=1)), "1 frames"),
    "16 pixels": good(
        shown(lambda: clip("clip.avi", "mjpeg", height=4, width=4), "clip.avi"),
        "12 frames at 25, 4 x 4",
    ),
    "images of two sizes": good(
        shown(lambda: jpegs(*[(48, 80)] * 6, *[(24, 40)] * 6), "clip.mjpg"), "12 frames"
    ),
    "noise in the middle": good(
        shown(lambda: spoilt(clip("clip.avi", "mjpeg", frames=60)), "clip.avi"),
        "x 80: red green blue white",
    ),
    "noise in the middle of a stream": good(
        shown(lambda: spoilt(clip("clip.ts", "mpeg2video", frames=60)), "clip.ts"),
        "x 80: red green blue white",
    ),
    "cut": good(
        shown(lambda: (c := clip(frames=60, movflags="+faststart"))[: -len(c) // 3]),
        "it is cut short",
    ),
    "avi without its index, cut": good(
        shown(
            lambda: (content := clip("clip.avi", "mjpeg", frames=60))[: len(content) // 2],
            "clip.avi",
        ),
        "x 80: red",
    ),
    "a header of a billion frames": good(shown(avi_header(16, 1_000_000_000), "clip.avi")),
    "a header of no frames": good(shown(avi_header(16, 0), "clip.avi")),
    "a header of another size": good(shown(avi_header(32, 30_000), "clip.avi")),
    "a header of no rate": good(shown(avi_stream(24, 0), "clip.avi"), "12 frames"),
    "a header of a billion frames a second": good(
        shown(avi_stream(24, 1_000_000_000), "clip.avi"), "12 frames"
    ),
    "a duration of ages": good(shown(mp4_box(b"mvhd", 16, b"\xff\xff\xff\x7f"))),
    "animated gif named .mp4": good(
        shown(lambda: encoded("GIF")),
        "an image, 24 x 40",
    ),
    "image named .mp4": good(
        shown(lambda: jpeg(24, 40)), "an image, 24 x 40: red green blue white"
    ),
    "nothing": bad(shown(b""), "0 bytes"),
    "text": bad(shown(b"this is no video\n"), "text"),
    "html": bad(shown(b"<!DOCTYPE html><html>404</html>"), "HTML"),
    "zip": bad(shown(b"PK\x03\x04" + bytes(99)), "an archive"),
    "noise": bad(shown(bytes(range(256)) * 9), "something unknown"),
    "wav": bad(shown(wav), "something unknown"),
    "mp4 of sound alone": bad(shown(sound), "clip.mp4"),
    "ogg of sound alone": bad(shown(lambda: sound("ogg", "flac"), "clip.ogv"), "clip.ogv"),
    "a playlist of Apple's": bad(shown(PLAYLIST, "list.m3u8", other=clip), "text"),
    "a playlist named .mp4": bad(
        shown(PLAYLIST, other=clip), "of a playlist, give the videos that it lists"
    ),
    "a playlist of FFmpeg's": bad(
        shown(b"ffconcat version 1.0\nfile other.mp4\n", "list.mp4", other=clip), "text"
    ),
    "a session's description": bad(
        shown(b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", "a.sdp.mp4"), "text"
    ),
    "a part of a file": bad(bare("subfile,,start,0,end,9999,,:other.mp4", other=clip), "does not"),
    "two files in one name": bad(bare("concat:other.mp4|other.mp4", other=clip), "does not"),
    "a file's address": bad(
        lambda folder: partial(watched, f"file://{folder}/other.mp4"), "a file address"
    ),
    "numbered images": bad(bare("%d.jpg", other=clip), "does not"),
    "a folder": bad(special(Path.mkdir), "must hold images"),
    "a named pipe": bad(special(os.mkfifo), "clip.mp4"),
    "a link to itself": bad(special(lambda path: path.symlink_to(path)), "Too many levels"),
    "a file that cannot be read": bad(
        special(lambda path: path.symlink_to("/proc/self/mem")), "Input/output"
    ),
    "its head alone": bad(shown(lambda: clip()[:64]), "cut short or damaged"),
    "cut before its index": bad(shown(lambda: clip()[:-900]), "cut short or damaged"),
    "no frames": bad(shown(mp4_box(b"stsz", 8, bytes(4))), "clip.mp4"),
    "no frame that can be decoded": bad(
        shown(lambda: (c := clip("clip.mkv", "ffv1"))[: len(c) // 9] + bytes(9999), "clip.mkv"),
        "clip.mkv",
    ),
    "an index of 4 billion frames": bad(
        shown(mp4_box(b"stsz", 8, b"\xff\xff\xff\xf0")), "clip.mp4"
    ),
    "noise in its index": bad(
        shown(
            lambda: (c := clip())[: c.index(b"moov") + 9] + bytes(200) + c[c.index(b"moov") + 209 :]
        ),
        "clip.mp4",
    ),
    "a frame of 900 megapixels": bad(
        shown(lambda: huge(jpegs((48, 80)), 30_000, 30_000), "clip.mjpg"), "clip.mjpg"
    ),
    "a frame of 900 megapixels behind a good one": good(
        shown(lambda: huge(jpegs(*[(48, 80)] * 12), 30_000, 30_000), "clip.mjpg"), "11 frames"
    ),
}

CASES = {f"video: {name}": case for name, case in VIDEOS.items()}
