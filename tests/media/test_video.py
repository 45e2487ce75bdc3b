"""Videos, cameras and streams: every frame in order, whatever is damaged,
and an output that plays.
"""

import http.server
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import cvtasks
from cvtasks.errors import CVTasksError, InputError
from cvtasks.inference.pipeline import Job, VideoRun
from cvtasks.inference.sink import Sink
from cvtasks.media import video as video_module
from cvtasks.media.encoders import OpenCVEncoder
from cvtasks.media.mp4 import seconds_shown
from cvtasks.media.prefetch import in_thread
from cvtasks.media.sources import expand
from cvtasks.media.streams import Stream
from cvtasks.media.video import RECONNECTS, Frame, Video
from cvtasks.media.video_writer import VideoWriter
from cvtasks.model import Model
from cvtasks.recipe.recipe import parse_recipe

NTSC = Fraction(30000, 1001)
HEIGHT, WIDTH, BLOCK = 48, 160, 16


def numbered(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An image (h, w, 3) uint8 that says its number in ten black and white blocks,
    over some noise.
    """
    image = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    for bit in range(10):
        image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return image


def number_of(image: np.ndarray) -> int:
    """The inverse of `numbered`, after any compression."""
    return sum(
        int(image[4:12, bit * BLOCK + 4 : bit * BLOCK + 12].mean() > 127) << bit
        for bit in range(10)
    )


@pytest.fixture(autouse=True)
def _quick_to_reconnect(monkeypatch) -> None:
    monkeypatch.setattr(video_module, "_PAUSE_S", 0.001)


@contextmanager
def usual_priority() -> Iterator[None]:
    """Give this thread its priority back: SVT-AV1, run by root, makes it a real-time one, before
    which all others wait.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, *before)


@pytest.fixture
def clip(tmp_path: Path) -> Callable[..., Path]:
    """`clip(name, frames, rate, codec, size)`: a file of numbered frames."""

    def make(
        name: str = "clip.mp4",
        frames: int = 60,
        rate: Fraction = NTSC,
        codec: str = "libx264",
        size: tuple[int, int] = (HEIGHT, WIDTH),
        times: list[int] | None = None,
    ) -> Path:
        options = {"movflags": "+faststart"} if name.endswith("mp4") else {}
        with usual_priority(), av.open(str(tmp_path / name), "w", options=options) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.height, stream.width = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.gop_size = 6
            if times:
                stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(numbered(number, *size), "rgb24")
                frame.pts = times[number] if times else number
                if times:
                    frame.time_base = Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return tmp_path / name

    return make


def opened(path: Path | str, **how: object) -> Video:
    """The one stream that a source stands for, opened."""
    (stream,) = expand([str(path)])
    assert isinstance(stream, Stream)
    return stream.open(**how)


def played(path: Path) -> tuple[Fraction, list[int], str]:
    """Rate, numbers of the frames and codec of a file, by PyAV."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        numbers = [
            number_of(frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)
        ]
        return stream.average_rate, numbers, stream.codec_context.name


def timed(path: Path) -> list[tuple[int, float]]:
    """The number of each frame, and when it is shown, in seconds, by PyAV."""
    with av.open(str(path)) as container:
        frames = [
            (frame.to_ndarray(format="rgb24"), frame.pts * frame.time_base)
            for frame in container.decode(video=0)
        ]
        return [(number_of(image), at) for image, at in frames]


class Camera:
    """What `cv2.VideoCapture` would be: gives the images, then fails."""

    def __init__(self, images: list[np.ndarray], pause_s: float = 0.0, rate: float = 30.0) -> None:
        self.images, self.pause_s, self.rate, self.reads = images, pause_s, rate, 0

    def read(self) -> tuple[bool, np.ndarray | None]:
        time.sleep(self.pause_s)
        self.reads += 1
        return (
            (True, self.images[self.reads - 1][..., ::-1].copy())
            if self.reads <= len(self.images)
            else (False, None)
        )

    def grab(self) -> bool:
        return self.read()[0]

    def get(self, what: int) -> float:
        given = {
            cv2.CAP_PROP_FPS: self.rate,
            cv2.CAP_PROP_POS_MSEC: 1000 * (self.reads - 1) / (self.rate or 1),
        }
        return given.get(what, 0.0)

    def release(self) -> None:
        """Nothing to release."""


# === reading ===


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.avi", "mjpeg"), ("a.mkv", "libx264"), ("a.mov", "mpeg4")],
)
def test_every_frame_comes_in_order_with_its_number_and_time(clip, name: str, codec: str) -> None:
    video = opened(clip(name, codec=codec))
    frames = list(video)
    assert (
        [number_of(frame.image) for frame in frames]
        == [frame.index for frame in frames]
        == list(range(60))
    )
    assert [frame.time_s for frame in frames] == pytest.approx(
        [i / NTSC for i in range(60)], abs=0.001
    )
    assert (video.rate, video.declared, video.live, video.notes()) == (NTSC, 60, False, [])
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3) and frames[0].image.dtype == np.uint8


def test_every_nth_and_at_most() -> None:
    camera = Camera([numbered(i) for i in range(60)])
    frames = list(Video(lambda: camera, "x", every=7, most=5))
    assert [(frame.index, number_of(frame.image)) for frame in frames] == [
        (i, i) for i in range(0, 35, 7)
    ]
    assert camera.reads < 60


def test_a_clip_is_rgb_and_upright(clip, tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    writer = VideoWriter(path, Fraction(25))
    writer.write(np.full((32, 64, 3), (200, 30, 60), np.uint8), 0.0)
    assert writer.close() == path
    (frame,) = opened(path)
    assert np.abs(frame.image.reshape(-1, 3).mean(axis=0) - (200, 30, 60)).max() < 4
    # A phone's quarter turn: the matrix in the track's header (ISO 14496-12, 8.3.2).
    content = bytearray(clip().read_bytes())
    matrix = content.index(b"tkhd") + 44
    content[matrix : matrix + 36] = b"".join(
        n.to_bytes(4, "big", signed=True) for n in (0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)
    )
    path.write_bytes(content)
    turned = next(iter(opened(path))).image
    assert turned.shape == (WIDTH, HEIGHT, 3)
    assert number_of(np.rot90(turned)) == 0


@pytest.mark.parametrize(
    "name",
    [os.fsdecode(b"not \xff utf-8.mp4"), "a%03d.mp4", "concat:a.mp4", "größe 🐈.mp4", "[a].mp4"],
)
def test_odd_names_are_read_and_written(clip, tmp_path: Path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    content = clip(frames=3).read_bytes()
    try:
        Path(name).write_bytes(content)
        Path("folder of " + name).mkdir()
    except OSError:
        pytest.skip("this file system does not take the name")
    assert [number_of(frame.image) for frame in opened(name)] == [0, 1, 2]
    target = Path("folder of " + name, "out.mp4")
    writer = VideoWriter(target, Fraction(30))
    writer.write(numbered(5), 0.0)
    writer.close()
    assert [number_of(frame.image) for frame in opened(target)] == [5]
    assert len(list(target.parent.iterdir())) == 1


@pytest.mark.parametrize(
    "name", ["empty.mp4", "text.mp4", "list.m3u8", "concat.mkv", "half.mp4", "nothing.mp4"]
)
def test_what_is_no_video_is_an_input_error(clip, tmp_path: Path, name: str) -> None:
    half = clip().read_bytes()[:700]  # ends within the index
    nothing = clip("none.mp4", frames=1).read_bytes().replace(b"mdat", b"free")[:-2000]
    contents = {
        "empty.mp4": b"",
        "text.mp4": b"no video at all",
        "list.m3u8": b"#EXTM3U\n/etc/passwd\n",
        "concat.mkv": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "half.mp4": half,
        "nothing.mp4": nothing,
    }
    (tmp_path / name).write_bytes(contents[name])
    with pytest.raises(InputError, match=re.escape(name)):
        opened(tmp_path / name)


def test_a_video_without_frames_is_an_input_error() -> None:
    with pytest.raises(InputError, match="at least one frame"):
        Video(lambda: Camera([]), "x")
    with pytest.raises(InputError, match="at least one frame"):
        Video(lambda: Camera([]), "x", live=True)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mjpeg"), ("a.avi", "mpeg4")],
)
def test_a_cut_video_gives_what_is_there_and_says_so(clip, name: str, codec: str) -> None:
    path = clip(name, codec=codec)
    whole = opened(path)
    assert len(list(whole)) == 60 and not whole.cut_short and whole.notes() == []
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = opened(path)
    numbers = [number_of(frame.image) for frame in video]
    assert numbers == list(range(len(numbers))) and 10 < len(numbers) < 50
    (note,) = video.notes()
    assert f"declares 60 frames, {len(numbers)} could be read: it is cut short" in note
    assert video.cut_short


@pytest.mark.parametrize(
    ("name", "codec", "start_ms", "frames"),
    [
        ("a.mkv", "libx264", 5000, 20),  # its header says that it ends at 5.8 s
        ("a.mp4", "libx264", 5000, 20),
        (
            "a.mp4",
            "libx264",
            -200,
            15,
        ),  # trimmed without encoding it again: an edit list leaves out five frames
        ("a.avi", "mpeg4", 0, 20),  # its header counts milliseconds, of which most have no frame
    ],
)
def test_a_whole_video_is_whole_wherever_its_clock_begins(
    clip, name: str, codec: str, start_ms: int, frames: int
) -> None:
    path = clip(
        name,
        frames=20,
        rate=Fraction(25),
        codec=codec,
        times=[start_ms + 40 * i for i in range(20)],
    )
    video = opened(path)
    read = list(video)
    assert [number_of(frame.image) for frame in read] == list(range(20 - frames, 20))
    assert [frame.time_s for frame in read] == pytest.approx([0.04 * i for i in range(frames)])
    assert video.declared == frames and video.notes() == [] and not video.cut_short
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    cut = opened(path)
    assert 0 < len(list(cut)) < frames - 1
    assert cut.cut_short, "it is no excuse for one that is"


def test_one_frame_on_a_clock_of_milliseconds_is_whole(clip) -> None:
    video = opened(clip("a.avi", frames=1, codec="mpeg4", times=[0]))
    assert len(list(video)) == 1 and video.notes() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0\x08moov",
        b"\0\0\0\x10moov\0\0\0\x08mvhd",
        b"\0\0\0\x01moov" + bytes(8),
        b"\xff" * 40,
        bytes(40),
    ],
)
def test_an_mp4_that_says_nothing_of_its_length(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert seconds_shown(tmp_path / "a.mp4") is None


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.mkv", "libx264"), ("a.avi", "mjpeg")],
)
def test_behind_damage_it_goes_on_and_the_length_stays(
    clip, tmp_path: Path, name: str, codec: str
) -> None:
    path = clip(name, codec=codec)
    content = bytearray(path.read_bytes())
    begin, end = int(len(content) * 0.5), int(len(content) * 0.6)
    content[begin:end] = np.random.default_rng(1).integers(0, 256, end - begin, np.uint8).tobytes()
    path.write_bytes(content)
    video = opened(path)
    frames = list(video)
    assert 30 < len(frames) < 60
    assert number_of(frames[-1].image) == 59
    times = [frame.time_s for frame in frames]
    assert times == sorted(set(times))
    assert "could be read: it is damaged" in video.notes()[0]
    assert not video.cut_short
    writer = VideoWriter(tmp_path / "out.mp4", video.rate)
    for frame in frames:
        writer.write(frame.image, frame.time_s)
    writer.close()
    shown = [at for _, at in timed(tmp_path / "out.mp4")]
    assert shown == pytest.approx(times, abs=0.002)
    if codec != "mjpeg":  # an AVI has no times of its own
        assert shown[-1] == pytest.approx(59 / NTSC, abs=0.002), "what is lost leaves a gap"


def test_a_damaged_frame_is_counted() -> None:
    class Stumbling(Camera):
        def read(self) -> tuple[bool, np.ndarray | None]:
            done, image = super().read()
            return (False, None) if self.reads in (10, 11, 30) else (done, image)

    camera = Stumbling([numbered(i) for i in range(60)])
    video = Video(lambda: camera, "x")
    assert [frame.index for frame in video] == [i for i in range(60) if i not in (9, 10, 29)]
    assert video.lost == 3
    assert video.notes() == ["3 frames damaged and left out"]


@pytest.mark.parametrize(
    ("declared", "real", "expected"),
    [
        (29.97002997, 29.97, NTSC),
        (1000.0, 30.0, 30),
        (0.0, 25.0, 25),
        (90000.0, 12.5, Fraction(25, 2)),
        (240.0, 240.0, 240),
    ],
)
def test_rates_that_cannot_be_true_are_taken_from_the_times(
    declared: float, real: float, expected: Fraction
) -> None:
    class Lying(Camera):
        def get(self, what: int) -> float:
            return {
                cv2.CAP_PROP_FPS: declared,
                cv2.CAP_PROP_POS_MSEC: round(1000 * (self.reads - 1) / real, 3),
            }.get(what, 0.0)

    video = Video(lambda: Lying([numbered(i) for i in range(20)]), "x")
    assert video.rate == pytest.approx(expected, rel=1e-3)
    assert sum(1 for _ in video) == 20


# === writing ===


def test_the_output_has_the_rate_the_length_and_every_frame_and_plays_in_browsers(
    tmp_path: Path,
) -> None:
    path = tmp_path / "new" / "out.mp4"
    writer = VideoWriter(path, NTSC)
    for i in range(100):
        writer.write(numbered(i), i / float(NTSC))
    assert list(path.parent.glob("*.mp4")) == [], "it appears when it is whole"
    assert writer.close() == path
    assert played(path) == (NTSC, list(range(100)), "h264")
    with av.open(str(path)) as container:
        assert container.streams.video[0].pix_fmt == "yuv420p"
        assert (
            container.streams.video[0].duration * container.streams.video[0].time_base == 100 / NTSC
        )
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat"), (
        "faststart: a browser plays before it has everything"
    )
    assert [file.name for file in path.parent.iterdir()] == ["out.mp4"]


def test_without_pyav_it_is_another_codec_and_that_is_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(25))
    for i in range(30):
        writer.write(numbered(i), i / 25)
    writer.close()
    monkeypatch.undo()
    rate, numbers, codec = played(tmp_path / "out.mp4")
    assert (rate, numbers) == (25, list(range(30)))
    if codec == "mpeg4":
        (note,) = writer.notes()
        assert 'pip install "cvtasks[video]"' in note and "browsers" in note
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_odd_sizes_grow_by_a_pixel_and_other_sizes_are_fitted(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(25))
    for i, size in enumerate([(51, 161), (51, 161), (102, 200), (20, 300)]):
        writer.write(np.full((*size, 3), 200, np.uint8), i / 25)
    writer.close()
    frames = [frame.image for frame in opened(tmp_path / "out.mp4")]
    assert [image.shape for image in frames] == [(52, 162, 3)] * 4
    assert frames[1].min() > 190
    assert frames[2][25, 5].max() < 20 and frames[2][25, 80].min() > 190
    assert frames[3][3, 80].max() < 20 and frames[3][25, 80].min() > 190
    assert writer.notes() == ["the size changed: 2 frames were scaled to that of the first"]


@pytest.mark.parametrize(
    "rate", [Fraction(25), NTSC, Fraction(100, 17), Fraction(240), Fraction(2_999_531, 100_003)]
)
def test_frames_of_a_file_keep_the_times_that_they_had(tmp_path: Path, rate: Fraction) -> None:
    """Bursts, pauses, a frame that lasts more than an hour, half frames: within a tick; behind a
    clock that jumps it goes on.
    """
    times = [0, 0.0333, 0.0667, 0.1, 0.3667, 0.7, 0.7004, 1.0333, 101.25, 101.2913, 5000]
    writer = VideoWriter(tmp_path / "out.mp4", rate)
    for i, at in enumerate([*times, 1e6, 1e6 + 1]):
        writer.write(numbered(i), at)
    writer.close()
    step = float(1 / rate)
    shown = dict(timed(tmp_path / "out.mp4"))
    assert shown == pytest.approx(dict(enumerate([*times, 5000 + step, 5001 + step])), abs=1.1e-3)
    assert writer.written == len(times) + 2
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(
            5001 + 2 * step, abs=2e-3
        ), "the last lasts a frame"


def test_times_rounded_by_a_container_are_put_right(tmp_path: Path) -> None:
    """Matroska knows milliseconds: 33, 67, 100 … are a constant rate, and stay one, gap and all."""
    writer = VideoWriter(tmp_path / "out.mp4", NTSC)
    for number in (*range(50), *range(60, 100)):
        writer.write(numbered(number), round(number / NTSC, 3))
    writer.close()
    assert timed(tmp_path / "out.mp4") == [
        (number, number / NTSC) for number in (*range(50), *range(60, 100))
    ]


def test_without_pyav_frames_come_near_their_times_and_that_is_said(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    times = [*(i / 6 for i in range(9)), *(1.5 + i / 30 for i in range(1, 10)), 2.6, 2.61]
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(6))
    for i, at in enumerate([*times, 1000, 1000.5]):  # too long a pause to repeat a frame for
        writer.write(numbered(i), at)
    times += [2.61 + 1 / 6, 2.61 + 1 / 6 + 0.5]
    writer.close()
    monkeypatch.undo()
    rate, numbers, _ = played(tmp_path / "out.mp4")
    assert rate == 120
    begins = {number: numbers.index(number) / 120 for number in numbers}
    assert begins == pytest.approx(dict(enumerate(times)), abs=1 / 240 + 1 / 120)
    assert numbers == sorted(numbers)
    assert "the frame rate varies" in writer.notes()[0] and "120 a second" in writer.notes()[0]
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_without_pyav_a_phones_rate_is_written_too(tmp_path: Path, monkeypatch) -> None:
    """In the dark some frames last longer; five times 26.313 is no rate of MPEG-4."""
    monkeypatch.setitem(sys.modules, "av", None)
    times = [0, 0.038, 0.076, 0.109333, 0.142667, 0.192667, 0.226]
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(26_313, 1000))
    for i, at in enumerate(times):
        writer.write(numbered(i), at)
    assert writer.close() == tmp_path / "out.mp4"
    monkeypatch.undo()
    rate, numbers, _ = played(tmp_path / "out.mp4")
    assert rate == 132
    begins = {number: numbers.index(number) / 132 for number in numbers}
    assert begins == pytest.approx(dict(enumerate(times)), abs=1 / 264 + 0.001)
    assert numbers == sorted(numbers)
    assert "132 a second" in writer.notes()[0]


def test_opencv_begins_a_file_of_any_rate(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).uniform(1, 240, 20)
    for rate in (Fraction(119_973, 1000), NTSC * 4, *map(Fraction, drawn)):
        encoder = OpenCVEncoder(str(tmp_path / "out"), rate, (48, 64), "mp4v")
        encoder.write(numbered(0, 48, 64), 0)
        encoder.close()
        shown = cv2.VideoCapture(str(tmp_path / "out"), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FPS)
        assert shown == pytest.approx(float(rate), abs=0.005)


def test_what_cannot_be_begun_again_is_not_published(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> OpenCVEncoder:
        raise LookupError

    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(OpenCVEncoder, "at_rate", full)
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(25))
    writer.write(numbered(0), 0)
    with pytest.raises(CVTasksError, match="could not be begun"):
        writer.write(numbered(1), 0.06)
    assert writer.close() is None
    assert list(tmp_path.iterdir()) == []


def test_live_frames_are_placed_by_time_at_a_constant_rate(tmp_path: Path) -> None:
    times = [0, 1, 2, 6, 7, 1e6, 1e6 + 1, 1e6 + 1.4, 1e6 + 2]  # in frames
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(25), every_frame=False)
    for i, at in enumerate(times):
        writer.write(numbered(i), at / 25)
    writer.close()
    assert played(tmp_path / "out.mp4")[:2] == (25, [0, 1, 2, 2, 2, 2, 3, 4, 5, 6, 7, 8])
    for every_frame, count in ((True, 40), (False, 20)):  # twice as many frames as the rate says
        writer = VideoWriter(tmp_path / "twice.mp4", Fraction(25), every_frame)
        for i in range(40):
            writer.write(numbered(i), i / 50)
        writer.close()
        assert abs(writer.written - count) <= 1


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    assert VideoWriter(tmp_path / "out.mp4", Fraction(25)).close() is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CVTasksError, match="could not be written"):
        VideoWriter(tmp_path / "file" / "out.mp4", Fraction(25)).write(numbered(0), 0.0)


def test_a_full_disk_is_an_error_and_leaves_nothing(run_python, tmp_path: Path) -> None:
    code = """
import resource, sys
import numpy as np
from fractions import Fraction
from pathlib import Path
from cvtasks.errors import CVTasksError
from cvtasks.media.video_writer import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
if sys.argv[2]:
    sys.modules["av"] = None
writer = VideoWriter(Path(sys.argv[1], "out.mp4"), Fraction(25))
try:
    try:
        for i in range(200):
            writer.write(np.random.default_rng(i).integers(0, 256, (64, 160, 3), np.uint8), i / 25)
    finally:
        writer.close()
except CVTasksError as error:
    print(error)
"""
    pytest.importorskip("resource")
    for without_pyav in ("", "1"):
        done = run_python("-c", code, tmp_path, without_pyav)
        assert done.returncode == 0, done.stderr
        assert "could not be written" in done.stdout
        assert list(tmp_path.iterdir()) == []


# === live ===


def gone() -> Camera:
    """A camera that is not there any more."""
    raise InputError("A camera must be connected; it is not. Connect it.")


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    connections = iter([lambda: Camera([numbered(i) for i in range(100)], 0.002)] + [gone] * 99)
    video = Video(lambda: next(connections)(), "x", live=True)
    taken = []
    for frame in video:
        taken.append(frame)
        time.sleep(0.02)
    assert [number_of(frame.image) for frame in taken] == [frame.index for frame in taken]
    assert taken[-1].index == 99, "the last one is not lost"
    assert 3 < len(taken) < 60
    assert video.dropped == 100 - len(taken)
    assert f"{video.dropped} frames dropped, overtaken by newer ones" in video.notes()
    assert f"the source vanished; {RECONNECTS} attempts to reconnect failed" in video.notes()


def test_all_frames_of_a_live_source_come_if_asked_for() -> None:
    connections = iter([lambda: Camera([numbered(i) for i in range(50)])] + [gone] * 99)
    video = Video(lambda: next(connections)(), "x", live=True, realtime=False)
    assert [frame.index for frame in video] == list(range(50))
    assert video.dropped == 0


def test_a_file_in_realtime_keeps_its_own_speed() -> None:
    video = Video(lambda: Camera([numbered(i) for i in range(20)], rate=100.0), "x", realtime=True)
    begun = time.monotonic()
    frames = list(video)
    assert time.monotonic() - begun >= 0.19
    assert frames[-1].index == 19
    assert len(frames) + video.dropped == 20


def test_stop_ends_a_source_that_says_nothing_any_more() -> None:
    class Silent(Camera):
        def read(self) -> tuple[bool, np.ndarray | None]:
            if self.reads:
                released.wait(20)
            return super().read()

    released = threading.Event()
    video = Video(lambda: Silent([numbered(0)] * 3), "x", live=True)
    threading.Timer(0.1, video.stop).start()
    threading.Timer(0.4, released.set).start()
    begun = time.monotonic()
    assert len(list(video)) == 1
    assert time.monotonic() - begun < 10


class Site(http.server.ThreadingHTTPServer):
    """A camera on the network: sends `plan[n]` frames to its n-th viewer, then hangs up."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Viewed)
        self.plan: list[int] = []
        self.requests = self.sent = 0
        self.sizes = [(HEIGHT, WIDTH)]


class Viewed(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        site = self.server
        if self.path.startswith("/list"):
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.end_headers()
            self.wfile.write(b"#EXTM3U\n/etc/passwd\n")
            return
        if site.requests >= len(site.plan):
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        site.requests += 1
        try:
            for _ in range(site.plan[site.requests - 1]):
                size = site.sizes[min(site.sent, len(site.sizes) - 1)]
                jpeg = cv2.imencode(".jpg", numbered(site.sent, *size))[1].tobytes()
                site.sent += 1
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except ConnectionError:
            pass


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.02,))
        thread.start()
        yield site
        site.shutdown()
        thread.join()


def test_a_stream_that_vanishes_is_connected_again_up_to_a_limit(site: Site) -> None:
    site.plan = [5, 4, 3]
    (stream,) = expand([f"http://127.0.0.1:{site.server_port}/camera.mjpg"])
    video = Video(stream._connect, "x", live=True, realtime=False)
    numbers = [number_of(frame.image) for frame in video]
    assert numbers == list(range(12))
    assert video.reconnected == 2
    assert f"the source vanished; {RECONNECTS} attempts to reconnect failed" in video.notes()


def test_a_stream_whose_size_changes_goes_on(site: Site, tmp_path: Path) -> None:
    site.plan, site.sizes = [20], [(HEIGHT, WIDTH)] * 10 + [(96, 200)]
    (stream,) = expand([f"http://127.0.0.1:{site.server_port}/camera.mjpg"])
    video = Video(stream._connect, "x", live=True, realtime=False)
    writer = VideoWriter(tmp_path / "out.mp4", Fraction(25))
    for i, frame in enumerate(video):
        writer.write(frame.image, i / 25)
    writer.close()
    assert len(played(tmp_path / "out.mp4")[1]) == 20


def test_an_address_without_an_ending_is_asked_what_it_gives(site: Site) -> None:
    site.plan = [1]
    (stream,) = expand([f"http://127.0.0.1:{site.server_port}/live"])
    assert isinstance(stream, Stream) and stream.live
    for name in ("list", "list.m3u8"):
        (other,) = expand([f"http://127.0.0.1:{site.server_port}/{name}"])
        with pytest.raises(InputError):
            other.open() if isinstance(other, Stream) else other.read()


def test_a_video_behind_an_address_is_a_file_that_skips_nothing(
    clip, tmp_path: Path, monkeypatch
) -> None:
    class Files(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

    clip("a.mp4", frames=30)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Files, directory=str(tmp_path))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        video = opened(f"http://127.0.0.1:{server.server_port}/a.mp4?x=1")
        assert [number_of(frame.image) for frame in video] == list(range(30))
        assert (video.live, video.rate) == (False, NTSC)
        server.shutdown()
        thread.join()


class Offers(http.server.BaseHTTPRequestHandler):
    """Gives the server's `files` (name → bytes), with a length or, at /open/, without one; asks for
    a login at /locked/.
    """

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.path.startswith("/lockedx/"):
            self.send_error(404)
            return
        if (
            self.path.startswith("/locked/")
            and self.headers.get("Authorization") != "Basic bWU6czNjcmV0"
        ):
            self.send_error(401)
            return
        content = self.server.files[self.path.split("?")[0].rpartition("/")[2]]
        self.send_response(200)
        if not self.path.startswith("/open/"):
            self.send_header(
                "Content-Length", str(len(content) + 50 * self.path.startswith("/short/"))
            )
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(content)


@pytest.fixture
def offered(monkeypatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The address of a server of files, and the files."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Offers) as server:
        server.files = {}
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", server.files
        server.shutdown()


@pytest.mark.parametrize(
    ("place", "name", "codec"),
    [
        ("x", "a.mp4", "libx264"),
        ("open", "a.mp4", "libx264"),
        ("open", "a.ts", "libx264"),
        ("open", "a.mkv", "libx264"),
    ],
)
def test_a_video_behind_an_address_comes_as_bytes(
    clip, offered, tmp_path: Path, monkeypatch, place: str, name: str, codec: str
) -> None:
    """With a length or without, to its last frame; FFmpeg is given no address, and nothing is left
    behind.
    """
    url, files = offered
    files[name] = clip(name, frames=30, codec=codec).read_bytes()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    given, real = [], cv2.VideoCapture
    monkeypatch.setattr(
        cv2, "VideoCapture", lambda source, *rest: given.append(source) or real(source, *rest)
    )
    video = opened(f"{url}/{place}/{name}")
    assert [number_of(frame.image) for frame in video] == list(range(30))
    assert given and not any("://" in str(source) for source in given)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_video_behind_an_address_has_limits(clip, offered, monkeypatch) -> None:
    url, files = offered
    files["a.mp4"] = clip(frames=30).read_bytes()
    with pytest.raises(InputError, match="broke off after"):
        opened(f"{url}/short/a.mp4")
    monkeypatch.setattr("cvtasks.media.served.MAX_VIDEO_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1,000 bytes"):
        opened(f"{url}/x/a.mp4")


def test_a_stream_whose_frames_do_not_come_ends_in_time(offered, monkeypatch) -> None:
    url, files = offered
    files["a.mjpg"] = b"\xff\xd8\xff" + bytes(10**6)
    monkeypatch.setattr("cvtasks.media.served.READ_TIMEOUT_S", 0.5)
    begun = time.monotonic()
    with pytest.raises(InputError, match=r"127\.0\.0\.1"):
        opened(f"{url}/open/a.mjpg")
    assert time.monotonic() - begun < 5


# === what OpenCV does not decode ===


def with_cover(sound: bytes) -> bytes:
    """The MP4 with an image as its cover, as music players write it (iTunes' metadata)."""

    def box(kind: bytes, *inside: bytes) -> bytes:
        return struct.pack(">I", 8 + sum(map(len, inside))) + kind + b"".join(inside)

    image = box(
        b"covr",
        box(b"data", struct.pack(">II", 13, 0), cv2.imencode(".jpg", numbered(0))[1].tobytes()),
    )
    more = box(
        b"udta",
        box(b"meta", bytes(4), box(b"hdlr", bytes(8), b"mdirappl", bytes(9)), box(b"ilst", image)),
    )
    at = sound.index(b"moov") - 4
    size = struct.unpack_from(">I", sound, at)[0]
    return (
        sound[:at]
        + struct.pack(">I", size + len(more))
        + sound[at + 4 : at + size]
        + more
        + sound[at + size :]
    )


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """An MP4 that holds sound alone."""
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for i in range(5):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return tmp_path / "sound.mp4"


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_av1_is_decoded_by_pyav(clip, run_python, name: str) -> None:
    path = clip(name, frames=12, codec="libsvtav1")
    video = opened(path, every=2)
    frames = list(video)
    assert (
        [number_of(frame.image) for frame in frames]
        == [frame.index for frame in frames]
        == list(range(0, 12, 2))
    )
    assert [frame.time_s for frame in frames] == pytest.approx(
        [i / NTSC for i in range(0, 12, 2)], abs=0.001
    )
    assert (video.rate, video.notes()) == (NTSC, [])
    code = (
        "import sys; from cvtasks.media.sources import expand; print(sum(1 for _ in "
        "next(expand(sys.argv[1:])).open()))"
    )
    done = run_python("-c", code, path)
    assert (done.stdout, done.stderr) == ("12\n", ""), "FFmpeg's own words are kept away"


def test_av1_without_pyav_is_named_with_the_way_out(clip, monkeypatch) -> None:
    path = clip(frames=3, codec="libsvtav1")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(
        InputError,
        match=r'in AV1, which this OpenCV does not decode.* pip install "cvtasks\[video\]"',
    ):
        opened(path)


def test_a_stream_in_av1_is_named(clip, offered) -> None:
    url, files = offered
    files["a.mkv"] = clip("a.mkv", frames=3, codec="libsvtav1").read_bytes()
    assert [number_of(frame.image) for frame in opened(f"{url}/x/a.mkv")] == [0, 1, 2], (
        "as a file it is read"
    )
    with pytest.raises(InputError, match="in AV1, which this OpenCV does not decode"):
        opened(f"{url}/open/a.mkv")


def test_sound_alone_is_no_video_nor_is_its_cover(sound: Path, monkeypatch) -> None:
    with pytest.raises(InputError, match="holds sound alone"):
        opened(sound)
    sound.write_bytes(with_cover(sound.read_bytes()))
    with pytest.raises(InputError, match="one image as its cover"):
        opened(sound)


@pytest.mark.parametrize(
    ("head", "what"), [(b"ftypheic", "HEIC"), (b"ftypavif", "AVIF"), (b"ftypmif1", "HEIC")]
)
def test_a_still_image_in_an_mp4_is_named(tmp_path: Path, head: bytes, what: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x18" + head + bytes(99))
    with pytest.raises(InputError, match=what):
        opened(tmp_path / "a.mp4")


# === threads ===


def test_in_thread_keeps_the_order_and_runs_a_little_ahead_only() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    for i, item in enumerate(in_thread(in_thread(source(), 3), 2)):
        assert item == i
        assert len(made) <= i + 10
    assert len(made) == 1000
    assert list(in_thread([], 1)) == []


def test_in_thread_hands_errors_on_and_closes_what_it_was_given() -> None:
    closed = threading.Event()

    def source() -> Iterator[int]:
        try:
            yield 1
            raise ZeroDivisionError
        finally:
            closed.set()

    items = in_thread(source(), 2)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)
    closed.clear()
    items = in_thread(source(), 1)
    assert next(items) == 1
    items.close()
    assert closed.wait(5)


# === the whole pipeline ===

CLASSES = ["background", "thing"]


class Blank:
    """An engine that sees nothing but background."""

    name, precision = "blank", "f32"

    def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        for _ in images:
            yield np.eye(2, dtype=np.float32)[np.zeros((32, 32), int)]


@pytest.fixture
def model() -> Model:
    document = {
        "task": "segment",
        "backbone": "tiny",
        "size": 32,
        "classes": CLASSES,
        "segment": {"channels": [8]},
    }
    return Model("blank", parse_recipe(document), Blank())


def job(model: Model, folder: Path, *kinds: str, **more: object) -> Job:
    return Job(model, Sink(folder, model.recipe.task, kinds), kinds, **more)


def test_a_video_goes_through_in_order_and_comes_out_with_its_rate_and_length(
    clip, model: Model, tmp_path: Path
) -> None:
    (stream,) = expand([str(clip(frames=80))])
    run = VideoRun(job(model, tmp_path / "out", "image"), stream, stream.open())
    finished = list(run)
    assert (
        [one.frame.index for one in finished]
        == [one.record["frame"] for one in finished]
        == list(range(80))
    )
    assert finished[3].record["time_s"] == pytest.approx(3 / NTSC, abs=1e-3)
    assert finished[3].record["mask"]["shares"] == {"background": 1.0}
    assert {"source", "width", "height", "task", "model", "engine"} <= finished[0].record.keys()
    assert run.written == tmp_path / "out" / "clip.mp4"
    assert played(run.written) == (NTSC, list(range(80)), "h264")
    assert run.notes() == []
    assert re.match(
        r"80 frames in .* fps \(decode .* ms, infer .* ms, draw .* ms, write .* ms a frame\)",
        str(run.stages),
    )


def test_a_varying_rate_is_right_in_the_records_and_in_the_video(
    clip, model: Model, tmp_path: Path
) -> None:
    """Ten frames at 30 a second, then ten at 3; Matroska has no number of frames, and OpenCV takes
    102 for it.
    """
    times = [*range(0, 330, 33), *range(400, 3700, 330)]
    (stream,) = expand([str(clip("a.mkv", frames=20, rate=Fraction(30), times=times))])
    run = VideoRun(job(model, tmp_path / "out", "image"), stream, stream.open())
    said = {one.record["frame"]: one.record["time_s"] for one in run}
    assert said == pytest.approx({i: at / 1000 for i, at in enumerate(times)}, abs=1e-6)
    assert dict(timed(run.written)) == pytest.approx(said, abs=0.0011)
    assert run.notes() == []


def test_memory_stays_flat(model: Model, tmp_path: Path) -> None:
    """However slow the end is, what is read runs ahead by a few frames only,
    and nothing is kept.
    """

    class Endless(Camera):
        def read(self) -> tuple[bool, np.ndarray]:
            self.reads += 1
            return True, numbered(self.reads % 1000)

    for realtime in (False, True):
        camera = Endless([], rate=1000.0)
        stream = Stream("x", "x", realtime, lambda camera=camera: camera)
        run = VideoRun(
            job(model, tmp_path / str(realtime), "image", records=False),
            stream,
            stream.open(most=300),
        )
        seen = []
        for number, one in enumerate(run):
            seen = [ref for ref in [*seen, weakref.ref(one.frame)] if ref() is not None]
            if not realtime:
                assert camera.reads <= number + 24
            assert len(seen) < 24
            del one
        assert run.stages.frames == 300


def test_every_nth_frame_keeps_the_length_in_seconds(clip, model: Model, tmp_path: Path) -> None:
    (stream,) = expand([str(clip())])
    run = VideoRun(job(model, tmp_path, "image"), stream, stream.open(every=3), rate_divisor=3)
    list(run)
    assert played(run.written)[:2] == (NTSC / 3, list(range(0, 60, 3)))


def test_files_of_every_frame_are_written_where_asked_for(
    clip, model: Model, tmp_path: Path
) -> None:
    for expected in ("clip-000002-mask.png", "clip-000002-2-mask.png"):
        (stream,) = expand([str(clip(frames=3))])
        work = job(model, tmp_path / "out", "mask")
        run = VideoRun(work, stream, stream.open(), frame_files=True)
        assert [one.files[0].name for one in run][2] == expected
        assert run.written is None
        work.sink.close()


def test_what_was_written_plays_after_leaving_early_and_after_an_error(
    clip, model: Model, tmp_path: Path
) -> None:
    (stream,) = expand([str(clip())])
    run = VideoRun(job(model, tmp_path / "left", "image"), stream, stream.open())
    frames = iter(run)
    assert [next(frames).frame.index for _ in range(10)] == list(range(10))
    frames.close()
    numbers = played(tmp_path / "left" / "clip.mp4")[1]
    assert numbers == list(range(len(numbers))) and len(numbers) >= 10

    class Failing(Blank):
        def stream(self, images: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
            for number, output in enumerate(super().stream(images)):
                if number == 20:
                    raise ZeroDivisionError
                yield output

    failing = Model("failing", model.recipe, Failing())
    run = VideoRun(job(failing, tmp_path / "failed", "image"), stream, stream.open())
    with pytest.raises(ZeroDivisionError):
        list(run)
    assert played(tmp_path / "failed" / "clip.mp4")[1] == list(range(20))


def test_stop_finishes_what_is_under_way(model: Model, tmp_path: Path) -> None:
    stream = Stream("x", "x", False, lambda: Camera([numbered(i) for i in range(500)], 0.001))
    run = VideoRun(job(model, tmp_path, "image"), stream, stream.open())
    numbers = []
    for one in run:
        numbers.append(one.frame.index)
        if len(numbers) == 10:
            run.stop()
    assert numbers == list(range(len(numbers))) and 10 <= len(numbers) < 60
    assert played(run.written)[1] == numbers


# === the command line ===


@pytest.fixture
def blank(cli, model: Model, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """`cli` with the blank model."""
    monkeypatch.setattr("cvtasks.model.load", lambda *_, **__: model)
    return cli


def test_segment_of_videos_images_and_bad_inputs(blank, clip, tmp_path: Path) -> None:
    first, second = clip("a.mp4", frames=12), clip("b.mp4", frames=8)
    (tmp_path / "bad.mp4").write_bytes(b"")
    cv2.imwrite(str(tmp_path / "p.png"), numbered(0))
    out = tmp_path / "out"
    code, said, err = blank(
        "segment",
        first,
        tmp_path / "bad.mp4",
        tmp_path / "p.png",
        second,
        "--json",
        "--save",
        "image,json,csv",
        "-o",
        out,
    )
    assert code == 3
    assert {file.name for file in out.iterdir()} == {
        "a.mp4",
        "p.jpg",
        "b.mp4",
        "records.jsonl",
        "records.csv",
    }
    records = [json.loads(line) for line in said.splitlines()]
    assert records == [
        json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()
    ]
    assert [record.get("frame") for record in records] == [*range(12), None, *range(8)]
    rows = (out / "records.csv").read_text().splitlines()
    assert rows[0].startswith("source,frame,time_s,")
    assert len(rows) == 22
    assert "bad.mp4" in err and "1 of 4 inputs could not be read; 3 were done" in err
    assert re.search(r"a\.mp4: 12 frames in .* fps \(decode .*\) → .*out/a\.mp4", err)


def test_no_file_and_no_word_shows_a_password(blank, clip, offered, tmp_path: Path) -> None:
    url, files = offered
    files["a.mp4"] = clip(frames=3).read_bytes()
    files["p.png"] = cv2.imencode(".png", numbered(0))[1].tobytes()
    locked, out = url.replace("//", "//me:s3cret@") + "/locked", tmp_path / "out"
    given = [f"{locked}/{name}?token=s3cret" for name in ("a.mp4", "p.png")]
    code, said, err = blank("segment", *given, "--json", "--save", "image,mask,json,csv", "-o", out)
    assert code == 0, err
    shown = f"{url.replace('//', '//me:***@')}/locked/p.png?token=***"
    assert json.loads(said.splitlines()[-1])["source"] == shown
    assert shown in err and shown in (out / "records.csv").read_text()
    for text in (said, err, *(file.name for file in out.iterdir())):
        assert "s3cret" not in text
    assert not any(b"s3cret" in file.read_bytes() for file in out.iterdir())
    code, said, err = blank("segment", f"{locked}x/missing.png", "--json", "--save", "none")
    assert code == 3 and "me:***@" in err and "s3cret" not in err + said


def test_options_of_videos(blank, clip, tmp_path: Path) -> None:
    path = clip(frames=30)
    code, said, _ = blank(
        "segment",
        path,
        "--every",
        "4",
        "--max-frames",
        "5",
        "--json",
        "--save",
        "none",
        "-o",
        tmp_path / "out",
    )
    assert code == 0
    assert [json.loads(line)["frame"] for line in said.splitlines()] == [0, 4, 8, 12, 16]
    assert not (tmp_path / "out").exists()
    assert blank("segment", path, "--threshold", "1.5")[0] == 2
    assert blank("segment", path, "--every", "0")[0] == 2


def test_options_without_effect_are_told_or_refused(blank, clip, tmp_path: Path) -> None:
    first, second, video = tmp_path / "p.png", tmp_path / "q.png", clip(frames=2)
    for path in (first, second):
        cv2.imwrite(str(path), numbered(0))
    out = ("-o", tmp_path / "out")
    for show in ([], ["--show", "none"], ["--show", "window"]):
        code, _, err = blank("segment", video, "--port", "8099", *show, *out)
        assert code == 2 and "got 8099" in err and "--show browser" in err
    assert not (tmp_path / "out").exists()
    code, _, err = blank(
        *("segment", first, video, second, *out),
        *("--every", "3", "--max-frames", "2", "--realtime", "--smooth", "9"),
    )
    assert code == 0
    options = "--every, --max-frames, --realtime, --smooth"
    assert err.count(f"without effect on images: {options}") == 1
    assert "--all-frames" in blank("segment", first, "--all-frames", *out)[2]
    assert "without effect" not in blank("segment", first, *out)[2]
    assert "without effect" not in blank("segment", video, "--every", "3", *out)[2]


def test_show_without_a_value_is_auto(blank, clip, tmp_path: Path, monkeypatch) -> None:
    asked = []

    class Screen:
        where, closed, shown = "here", False, 0

        def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
            assert image.shape == (HEIGHT, WIDTH, 3)
            assert {"latency", "frame"} <= facts.keys()
            assert ("frames a second" in facts) == (self.shown > 0)  # of one it is not known
            self.shown += 1
            self.closed = self.shown == 5

        def wait_for_somebody(self, seconds: float) -> None:
            """Here already."""

        def close(self) -> None:
            asked.append("closed")

    monkeypatch.setattr(
        "cvtasks.media.viewer.open_viewer",
        lambda kind, title, port: asked.append((kind, port)) or Screen(),
    )
    path = clip(frames=60)
    for given in (
        ["--show", path],
        [path, "--show"],
        [path, "--show", "browser", "--port", "1234"],
    ):
        code, _, err = blank("segment", *given, "-o", tmp_path / "out")
        assert code == 0
        assert "live view: here" in err
        assert int(re.search(r": (\d+) frames in", err)[1]) < 40, "whoever closes the view ends it"
    assert asked == [("auto", 0), "closed", ("auto", 0), "closed", ("browser", 1234), "closed"]
    asked.clear()
    monkeypatch.setattr(
        "cvtasks.media.streams.open_camera",
        lambda index: Camera([numbered(i) for i in range(40)], 0.002),
    )
    for given in (["0"], ["0", "--json"], ["0", "--show", "none"], [path]):
        assert blank("segment", *given, "--max-frames", "3", "-o", tmp_path / "out")[0] == 0
    assert asked == [("auto", 0), "closed"], "only a camera is shown without being asked for"


def test_a_camera_until_it_is_unplugged(blank, tmp_path: Path, monkeypatch) -> None:
    plugs = iter([lambda: Camera([numbered(i) for i in range(40)], 0.002)] + [gone] * 99)
    monkeypatch.setattr("cvtasks.media.streams.open_camera", lambda index: next(plugs)())
    code, said, err = blank("segment", "0", "--json", "--save", "image,json", "-o", tmp_path)
    assert code == 0
    records = [json.loads(line) for line in said.splitlines()]
    assert {record["source"] for record in records} == {"0"}
    assert [record["frame"] for record in records][-1] == 39
    assert "0: the source vanished; 4 attempts to reconnect failed" in err
    rate, numbers, codec = played(tmp_path / "camera-0.mp4")
    assert (rate, codec) == (30, "h264")
    assert numbers == sorted(numbers) and set(numbers) <= {record["frame"] for record in records}
    code, _, err = blank("segment", "0", "--show", "none", "-o", tmp_path / "none")
    assert code == 3 and "camera" in err.lower()
    assert not (tmp_path / "none").exists()


def test_an_image_stays_in_view_until_the_user_has_had_enough(
    blank, tmp_path: Path, monkeypatch
) -> None:
    class Screen:
        where, closed, rests = "here", False, 0

        def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
            assert facts == {"image": str(tmp_path / "p.png")}

        def rest(self, seconds: float) -> None:
            self.rests += 1
            self.closed = self.rests == 3

        def close(self) -> None:
            assert self.rests == 3

    monkeypatch.setattr("cvtasks.media.viewer.open_viewer", lambda *_: Screen())
    cv2.imwrite(str(tmp_path / "p.png"), numbered(0))
    assert blank("segment", tmp_path / "p.png", "--show", "-o", tmp_path / "out")[0] == 0


class Watched:
    """A view that the user closes after so many images, or after a while."""

    where = "here"

    def __init__(self, most: int) -> None:
        self.shown: list[str] = []
        self.most, self.rests = most, 0

    @property
    def closed(self) -> bool:
        return len(self.shown) >= self.most or self.rests > 2

    def show(self, image: np.ndarray, facts: dict[str, str]) -> None:
        self.shown.append(Path(facts.get("image", facts.get("source", ""))).stem)

    def wait_for_somebody(self, seconds: float) -> None:
        """Here already."""

    def rest(self, seconds: float) -> None:
        self.rests += 1

    def close(self) -> None:
        """Nothing to take away."""


@pytest.fixture
def watched(blank, clip, tmp_path: Path, monkeypatch) -> Callable[..., tuple[Watched, str]]:
    """`watched(names, most)`: photos (p…) and videos, seen by a user who closes the view."""

    def run(names: str, most: int) -> tuple[Watched, str]:
        view = Watched(most)
        monkeypatch.setattr("cvtasks.media.viewer.open_viewer", lambda *_: view)
        given = []
        for name in names.split():
            if name[0] == "p":
                given.append(tmp_path / f"{name}.png")
                cv2.imwrite(str(given[-1]), numbered(0))
            else:
                given.append(clip(f"{name}.mp4", frames=60))
        code, _, err = blank("segment", *given, "--show", "browser", "-o", tmp_path / "out")
        assert code == 0, err
        return view, err

    return run


def test_only_an_image_at_the_end_stays_in_view(watched) -> None:
    view, err = watched("p1 a p2", 999)
    assert view.shown == ["p1", *["a"] * 60, "p2"]
    assert err.count("Ctrl-C ends the live view") == 1 and view.rests == 3
    view, err = watched("p1 a", 999)
    assert len(view.shown) == 61 and "Ctrl-C" not in err and "ended by you" not in err


def test_whoever_closes_the_view_ends_all_and_is_told(watched, tmp_path: Path) -> None:
    view, err = watched("p1 a b p2", 4)
    frames = int(re.search(r"a\.mp4: ended by you after (\d+) frames", err)[1])
    assert 3 <= frames < 60 and "stopped: 2 inputs not done" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "p1.jpg",
        "p1-mask.png",
        "a.mp4",
    }
    assert set(view.shown) == {"p1", "a"}
    _, err = watched(" ".join(f"p{i}" for i in range(40)), 1)
    left = int(re.search(r"stopped: (\d+) inputs not done", err)[1])
    assert left == 40 - len(re.findall(r"p\d+\.png: ", err)) and left > 20
    assert "Ctrl-C" not in err


def test_ctrl_c_in_mid_video_keeps_what_was_done(clip, tmp_path: Path) -> None:
    path = clip(frames=1000, size=(BLOCK, WIDTH))
    code = """
import sys, time
import numpy as np
import cvtasks.model
from cvtasks.cli import main
from cvtasks.recipe.recipe import parse_recipe
class Slow:
    name, precision = "slow", "f32"
    def stream(self, images):
        for _ in images:
            time.sleep(0.01)
            yield np.eye(2, dtype=np.float32)[np.zeros((32, 32), int)]
document = {"task": "segment", "backbone": "tiny", "size": 32,
            "classes": ["background", "thing"], "segment": {"channels": [8]}}
slow = cvtasks.model.Model("slow", parse_recipe(document), Slow())
cvtasks.model.load = lambda *_, **__: slow
main()
"""
    command = [
        sys.executable,
        "-c",
        code,
        "segment",
        path,
        "--json",
        "--save",
        "image,json",
        "-o",
        tmp_path / "out",
    ]
    home = {**os.environ, "PYTHONPATH": str(Path(cvtasks.__file__).parents[1])}
    with subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=home, bufsize=0
    ) as running:
        running.stdout.readline()  # the first frame is done
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err.decode()
    assert b"Traceback" not in err
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"clip.mp4", "records.jsonl"}
    records = [
        json.loads(line)["frame"]
        for line in (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    ]
    assert 0 < len(records) < 1000
    assert played(tmp_path / "out" / "clip.mp4")[1] == records == list(range(len(records)))
    assert len(out.splitlines()) == len(records) - 1


def test_a_real_clip_keeps_rate_and_length(
    cvtasks_data: Path, model: Model, tmp_path: Path
) -> None:
    for name, rate, count in (("bikes.mp4", 25, 250), ("realshort.mp4", Fraction(45000, 1499), 36)):
        (stream,) = expand([str(cvtasks_data / "videos" / name)])
        run = VideoRun(job(model, tmp_path, "image", records=False), stream, stream.open())
        assert sum(1 for _ in run) == count
        written_rate, numbers, _ = played(run.written)
        assert (written_rate, len(numbers)) == (rate, count)


def test_frames_can_be_told_apart_by_identity() -> None:
    """Frames hold arrays, whose comparison is no truth value."""
    one = Frame(0, 0.0, numbered(0), 0.0)
    assert one in [one] and one != Frame(0, 0.0, numbered(0), 0.0)
