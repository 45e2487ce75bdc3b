"""Parts of videos by exact positions: the bits, numbers and times of a pass over the whole."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cvtasks.media import seeking
from cvtasks.media.capture import open_video
from cvtasks.media.seeking import Misplaced, frames_to_part, open_part, packets_of
from cvtasks.media.streams import video_stream
from cvtasks.media.video import Video

FRAMES, GOP, RATE = 130, 25, 25
SIZE = (48, 64)
VARYING = [40 * i + 31 * i * i % 39 for i in range(FRAMES)]


def image(number: int) -> np.ndarray:
    """(h, w, 3) uint8: a pattern that moves, so that frames are predicted from others."""
    still = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    moved = np.roll(cv2.GaussianBlur(still, (0, 0), 2), 2 * number, axis=1)
    return cv2.circle(moved, (number % SIZE[1], number % SIZE[0]), 5, (255, 0, number), -1)


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """`film(name, codec, times, **options)`: a file of 130 frames, a key frame every 25."""

    def make(
        name: str, codec: str = "libx264", times: list[int] | None = None, **options: str
    ) -> Path:
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream(codec, rate=RATE, options=options)
            stream.height, stream.width = SIZE
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            stream.codec_context.gop_size = GOP
            if codec in ("libx264", "mpeg4", "mpeg2video"):
                stream.codec_context.max_b_frames = 2
            if times:
                stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            for number in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(image(number), "rgb24")
                frame.pts = times[number] if times else number
                frame.time_base = Fraction(1, 1000 if times else RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return tmp_path / name

    return make


def taken(video: Video | None) -> list[tuple[int, float, bytes]]:
    return [(one.index, one.time_s, one.image.tobytes()) for one in video or []]


def whole(path: Path, every: int = 1) -> list[tuple[int, float, bytes]]:
    return taken(video_stream(str(path)).open(every=every))


def in_parts(path: Path, size: int, every: int = 1) -> list[tuple[int, float, bytes]]:
    parts = range(0, FRAMES + size, size)
    return [one for at in parts for one in taken(open_part(str(path), at, at + size, every))]


@pytest.fixture
def sought(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether a way was found to each frame that was asked for behind the second key frame."""
    ways: list[bool] = []
    at = seeking._at

    def told(path: str, packets: seeking.Packets, number: int) -> object:
        capture, first = at(path, packets, number)
        if number > 2 * GOP + 20:
            ways.append(first == number)
        return capture, first

    monkeypatch.setattr(seeking, "_at", told)
    return ways


@pytest.mark.parametrize(
    ("name", "codec", "how"),
    [
        ("b-frames.mp4", "libx264", {}),
        ("b-frames.mkv", "libx264", {}),
        ("b-frames.ts", "libx264", {}),
        ("b-frames.flv", "libx264", {}),
        ("open-gop.mp4", "libx264", {"x264-params": "open-gop=1:bframes=3"}),
        ("open-gop.ts", "mpeg2video", {}),
        ("refresh.mp4", "libx264", {"x264-params": "intra-refresh=1"}),
        ("old.mov", "mpeg4", {}),
        ("images.avi", "mjpeg", {}),
        ("hidden.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16"}),
        ("varying.mp4", "libx264", {"times": VARYING}),
        ("varying.mkv", "libx264", {"times": VARYING}),
        ("late.mkv", "libx264", {"times": [time + 5000 for time in VARYING]}),
    ],
)
def test_parts_are_the_whole_to_the_bit(
    film: Callable[..., Path], sought: list[bool], name: str, codec: str, how: dict
) -> None:
    path = film(name, codec, **how)
    expected = whole(path)
    assert [one[0] for one in expected] == list(range(FRAMES))
    assert frames_to_part(str(path)) >= FRAMES - 2
    for size in (17, 50):  # seams within and on groups of frames
        assert in_parts(path, size) == expected
    assert len(sought) > 3 and all(sought), "no part was read from the video's beginning"
    assert in_parts(path, 26, every=4) == whole(path, every=4)


@pytest.mark.parametrize(
    ("name", "code"), [("a.mp4", "mp4v"), ("a.avi", "XVID"), ("b.avi", "MJPG")]
)
def test_parts_of_what_opencv_writes(tmp_path: Path, name: str, code: str) -> None:
    path = tmp_path / name
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), RATE, SIZE[::-1]
    )
    for number in range(FRAMES):
        writer.write(image(number))
    writer.release()
    assert frames_to_part(str(path)) == FRAMES
    for size in (12, 50):
        assert in_parts(path, size) == whole(path)


@pytest.mark.parametrize(
    "name",
    [
        "bikes.mp4",
        "bottle-detection.mp4",
        "car-detection.mp4",
        "one-by-one-person-detection.mp4",
        "realshort.mp4",
    ],
)
def test_parts_of_real_clips(cvtasks_data: Path, name: str) -> None:
    path = cvtasks_data / "videos" / name
    expected = whole(path, every=3)
    size = len(expected)
    found = [taken(open_part(str(path), at, at + size, 3)) for at in range(0, 3 * size, size)]
    assert [one for part in found for one in part] == expected
    assert open_part(str(path), 3 * size, None) is None


@pytest.mark.parametrize("declared", [3, 5000])
def test_a_header_that_lies_about_the_number_of_frames(
    film: Callable[..., Path], declared: int
) -> None:
    path = film("lie.avi", "mjpeg")
    content = path.read_bytes()
    told = struct.pack("<I", FRAMES)
    head = content[: content.index(b"movi")]
    assert head.count(told) == 2, "in the file's header and in the stream's"
    path.write_bytes(head.replace(told, struct.pack("<I", declared)) + content[len(head) :])
    capture = open_video(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == declared
    capture.release()
    assert len(packets_of(str(path)).times) == FRAMES
    assert in_parts(path, 30) == whole(path)
    assert frames_to_part(str(path)) == declared


def test_only_the_part_with_the_end_is_cut_short(film: Callable[..., Path]) -> None:
    path = film("cut.mkv")
    path.write_bytes(path.read_bytes()[: int(0.7 * path.stat().st_size)])
    video = video_stream(str(path)).open()
    frames = list(video)
    assert video.cut_short and 50 < len(frames) < 120
    ends = {}
    for by_packets in (True, False):
        for at in range(0, 200, 25):
            part = (
                open_part(str(path), at, at + 25)
                if by_packets
                else video_stream(str(path)).open(begin=at, end=at + 25)
            )
            taken(part)
            ends[by_packets, at] = part is not None and part.cut_short
    last = (len(frames) - 1) // 25 * 25
    assert [key for key, cut in ends.items() if cut] == [(True, last), (False, last)]


def test_by_counting_any_file_gives_the_frames_of_its_numbers(film: Callable[..., Path]) -> None:
    path = film("dts.avi", "mpeg4")  # its packets do not say when frames are shown
    expected = whole(path)
    for begin, end in ((0, 10), (33, 70), (120, None), (FRAMES, None)):
        part = taken(video_stream(str(path)).open(begin=begin, end=end))
        assert part == expected[begin:end]
    assert frames_to_part(str(path)) == 0


def test_what_cannot_be_parted_is_known(film: Callable[..., Path], tmp_path: Path) -> None:
    assert frames_to_part(str(film("system.mpg", "mpeg2video"))) == 0
    assert frames_to_part(str(film("one-key.mp4", "libx264", g="1000"))) == 0
    cut = film("cut-without-encoding.mp4", times=[time - 300 for time in VARYING])
    assert 100 < len(whole(cut)) < len(packets_of(str(cut)).times)
    assert frames_to_part(str(cut)) == 0, "some of its packets are not shown"
    assert frames_to_part(str(film("raw.mjpg", "mjpeg"))) == 0, "nobody knows how many there are"
    assert frames_to_part(str(film("short.mp4")), FRAMES) == 0
    assert frames_to_part(str(tmp_path / "none.mp4")) == 0
    (tmp_path / "text.mp4").write_text("no video")
    assert frames_to_part(str(tmp_path / "text.mp4")) == 0


def test_damage_is_found_by_the_part_that_holds_it(film: Callable[..., Path]) -> None:
    path = film("hole.mkv")
    content = bytearray(path.read_bytes())
    begin = int(0.5 * len(content))
    content[begin : begin + len(content) // 10] = bytes(len(content) // 10)
    path.write_bytes(content)
    counted = [one[0] for one in whole(path)]
    assert len(counted) < FRAMES
    found, damaged = [], 0
    for at in range(0, FRAMES, 26):
        try:
            found += [one[0] for one in taken(open_part(str(path), at, at + 26))]
        except Misplaced as error:
            assert "from its beginning" in str(error)
            damaged += 1
    assert damaged or found == counted


def test_a_seam_that_two_ways_show_differently_is_not_trusted(
    film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film("a.mp4")
    expected = whole(path)
    monkeypatch.setattr(seeking, "_alike", lambda ways: [way.release() for way in ways] == [])
    packets = packets_of(str(path))
    assert seeking._at(str(path), packets, 100)[1] == 0
    assert taken(open_part(str(path), 100, 110)) == expected[100:110]
