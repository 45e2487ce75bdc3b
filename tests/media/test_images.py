"""The loader: what it reads, it reads right; what it cannot read, it refuses in a sentence that
names the file.
"""

import io
import os
import re
import socket
import struct
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from cvtasks.errors import CVTasksError, DataError, InputError, UsageError
from cvtasks.media.images import image_size, read_image, read_mask, write_image, write_mask

H, W = 48, 64  # unequal, so that a turned image cannot hide
ROWS, COLUMNS = np.mgrid[:H, :W]
RGB = np.stack([COLUMNS * 4, ROWS * 5, (ROWS + COLUMNS) * 2], -1).astype(
    np.uint8
)  # smooth: JPEG keeps it
RGBA = np.dstack([RGB, (COLUMNS * 255 // (W - 1)).astype(np.uint8)])
DEEP = np.random.default_rng(0).integers(0, 2**16, (H, W, 4)).astype(np.uint16)


def encoded(image: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def tiff(image: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png(
    values: np.ndarray, bits: int, colour: int, *extra: bytes, size: tuple[int, int] | None = None
) -> bytes:
    """A PNG made by hand: values (h, w) or (h, w, c); `size` (height,
    width) declares another one.
    """
    height, width = size or values.shape[:2]
    rows = values.reshape(len(values), -1)
    if bits < 8:
        rows = np.packbits(
            (rows[..., None] >> np.arange(bits)[::-1] & 1).reshape(len(rows), -1).astype(bool),
            axis=1,
        )
    raw = b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(extra)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def bmp_with_alpha(rgba: np.ndarray) -> bytes:
    """Pillow writes none: a header of version 4 with masks for four channels."""
    height, width = rgba.shape[:2]
    pixels = rgba[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = (
        struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(pixels), 0, 0, 0, 0)
        + masks
        + b"BGRs"
        + bytes(48)
    )
    return b"BM" + struct.pack("<IHHI", 122 + len(pixels), 0, 0, 122) + header + pixels


def grey3(values: np.ndarray) -> np.ndarray:
    return np.repeat(values.astype(np.uint8)[..., None], 3, axis=2)


def over_white(rgba: np.ndarray) -> np.ndarray:
    share = rgba[..., 3:] / 255
    return np.rint(rgba[..., :3] * share + 255 * (1 - share))


def pillow(content: bytes) -> np.ndarray:
    """The oracle for colours: Pillow's own conversion of the first frame."""
    with Image.open(io.BytesIO(content)) as image:
        if image.has_transparency_data:
            return over_white(np.asarray(image.convert("RGBA")))
        return np.asarray(image.convert("RGB"))


def without_adobe(jpeg: bytes) -> bytes:
    at = jpeg.index(b"Adobe") - 4
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


def gif_framed(frame: tuple[int, int], at: tuple[int, int], screen: tuple[int, int]) -> bytes:
    """A GIF whose frame (height, width) lies `at` (top, left) of a screen of another size."""
    content = encoded(Image.new("P", frame[::-1], 1), "GIF", optimize=False)
    start = content.index(b",", 13)
    content = content[: start + 1] + struct.pack("<HH", *at[::-1]) + content[start + 5 :]
    return content[:6] + struct.pack("<HH", *screen[::-1]) + content[10:]


def taller(tiff: bytes) -> bytes:
    """The same strips under a greater height."""
    found = re.search(
        rb"\x01\x01[\x03\x04]\x00\x01\x00\x00\x00", tiff
    )  # tag 257, one number of 16 or 32 bits
    assert found
    return tiff[: found.end()] + struct.pack("<H", 2 * H) + tiff[found.end() + 2 :]


def as_ycck(jpeg: bytes) -> bytes:
    at = jpeg.index(b"Adobe") + 11
    return jpeg[:at] + b"\2" + jpeg[at + 1 :]


GREY = RGB[..., 2]
FEW = (COLUMNS // 8 + ROWS // 8).astype(np.uint8)  # 0..12
INDEXED = Image.fromarray(RGB).quantize(30)
CMYK = encoded(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95)
FRAMES = {"save_all": True, "append_images": [Image.fromarray(RGB[::-1].copy())]}

# name -> (content, what must come out, largest difference). Without an expectation Pillow is asked.
READABLE: dict[str, tuple[bytes, np.ndarray | None, int]] = {
    "png rgb": (encoded(RGB, "PNG"), RGB, 0),
    "png grey": (encoded(GREY, "PNG"), grey3(GREY), 0),
    "png 1 bit": (png(FEW % 2, 1, 0), grey3(FEW % 2 * 255), 0),
    "png 2 bits": (png(FEW % 4, 2, 0), grey3(FEW % 4 * 85), 0),
    "png 4 bits": (png(FEW, 4, 0), grey3(FEW * 17), 0),
    "png 16-bit grey": (encoded(DEEP[..., 0], "PNG"), grey3(DEEP[..., 0] >> 8), 0),
    "png 16-bit rgb": (png(DEEP[..., :3], 16, 2), DEEP[..., :3] >> 8, 0),
    "png 16-bit rgba": (png(DEEP, 16, 6), over_white(DEEP >> 8), 0),
    "png rgba": (encoded(RGBA, "PNG"), over_white(RGBA), 0),
    "png grey + alpha": (encoded(Image.fromarray(RGBA).convert("LA"), "PNG"), None, 0),
    "png indexed": (encoded(INDEXED, "PNG"), None, 0),
    "png indexed, one clear": (encoded(INDEXED, "PNG", transparency=3), None, 0),
    "png indexed, alphas": (encoded(INDEXED, "PNG", transparency=bytes(range(0, 240, 8))), None, 0),
    "png rgb, one clear": (encoded(RGB, "PNG", transparency=tuple(RGB[5, 5].tolist())), None, 0),
    "png grey, one clear": (encoded(GREY, "PNG", transparency=int(GREY[5, 5])), None, 0),
    "png 4 bits, one clear": (
        png(FEW, 4, 0, chunk(b"tRNS", b"\0\3")),
        grey3(np.where(FEW == 3, 255, FEW * 17)),
        0,
    ),
    "png animated": (encoded(RGB, "PNG", **FRAMES), RGB, 0),
    "jpeg rgb": (encoded(RGB, "JPEG"), None, 2),
    "jpeg 4:4:4": (encoded(RGB, "JPEG", subsampling=0, quality=100), RGB, 3),
    "jpeg grey": (encoded(GREY, "JPEG"), None, 0),
    "jpeg progressive": (encoded(RGB, "JPEG", progressive=True), None, 2),
    "jpeg rgb inside": (encoded(RGB, "JPEG", keep_rgb=True), None, 1),
    "jpeg flat": (encoded(np.full((H, W, 3), 77, np.uint8), "JPEG", optimize=True), None, 1),
    "jpeg cmyk, adobe": (CMYK, None, 2),
    "jpeg cmyk, plain": (without_adobe(CMYK), None, 2),
    "jpeg ycck": (as_ycck(CMYK), None, 2),
    "jpeg with a trailer": (encoded(RGB, "JPEG") + b"something else" * 99, None, 2),
    "webp lossless": (encoded(RGB, "WEBP", lossless=True), RGB, 0),
    "webp lossy": (encoded(RGB, "WEBP"), None, 2),
    "webp alpha": (encoded(RGBA, "WEBP", lossless=True, exact=True), over_white(RGBA), 0),
    "webp lossy alpha": (encoded(RGBA, "WEBP"), None, 2),
    "webp animated": (encoded(RGB, "WEBP", lossless=True, **FRAMES), RGB, 0),
    "bmp rgb": (encoded(RGB, "BMP"), RGB, 0),
    "bmp grey": (encoded(GREY, "BMP"), grey3(GREY), 0),
    "bmp indexed": (encoded(INDEXED, "BMP"), None, 0),
    "bmp 1 bit": (encoded(Image.fromarray(FEW % 2 == 1), "BMP"), grey3(FEW % 2 * 255), 0),
    "bmp rgba": (bmp_with_alpha(RGBA), over_white(RGBA), 0),
    "gif": (encoded(INDEXED, "GIF"), None, 0),
    "gif grey": (encoded(GREY, "GIF"), grey3(GREY), 0),
    "gif, one clear": (encoded(INDEXED, "GIF", transparency=3), None, 0),
    "gif animated": (encoded(INDEXED, "GIF", **FRAMES), None, 0),
    "tiff rgb": (tiff(RGB, photometric="rgb"), RGB, 0),
    "tiff grey": (tiff(GREY), grey3(GREY), 0),
    "tiff white is zero": (tiff(GREY, photometric="miniswhite"), grey3(255 - GREY), 0),
    "tiff 16-bit grey": (tiff(DEEP[..., 0]), grey3(DEEP[..., 0] >> 8), 0),
    "tiff 16-bit grey, big-endian": (
        tiff(DEEP[..., 0], byteorder=">"),
        grey3(DEEP[..., 0] >> 8),
        0,
    ),
    "tiff 16-bit rgb": (tiff(DEEP[..., :3], photometric="rgb"), DEEP[..., :3] >> 8, 0),
    "tiff 16-bit rgba": (
        tiff(DEEP, photometric="rgb", extrasamples=["unassalpha"]),
        over_white(DEEP >> 8),
        0,
    ),
    "tiff rgba": (tiff(RGBA, photometric="rgb", extrasamples=["unassalpha"]), over_white(RGBA), 0),
    "tiff rgba, premultiplied": (
        tiff(
            np.dstack([np.rint(RGB * (RGBA[..., 3:] / 255)), RGBA[..., 3]]).astype(np.uint8),
            photometric="rgb",
            extrasamples=["assocalpha"],
        ),
        over_white(RGBA),
        1,
    ),
    "tiff planes": (
        tiff(RGB.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"),
        RGB,
        0,
    ),
    "tiff tiles": (tiff(RGB, photometric="rgb", tile=(16, 16)), RGB, 0),
    "tiff deflate": (tiff(RGB, photometric="rgb", compression="zlib", predictor=True), RGB, 0),
    "tiff lzw": (encoded(RGB, "TIFF", compression="tiff_lzw"), RGB, 0),
    "tiff big": (tiff(RGB, photometric="rgb", bigtiff=True), RGB, 0),
    "tiff indexed": (encoded(INDEXED, "TIFF"), None, 0),
    "tiff cmyk": (encoded(Image.fromarray(RGB).convert("CMYK"), "TIFF"), RGB, 0),
    "tiff pages": (encoded(RGB, "TIFF", **FRAMES), RGB, 0),
    "gif, frame beyond the screen": (gif_framed(RGB.shape[:2], (2, 3), (9, 9)), None, 0),
    "gif, frame within the screen": (gif_framed((4, 5), (2, 3), (9, 9)), None, 0),
    "one pixel": (encoded(RGB[:1, :1], "PNG"), RGB[:1, :1], 0),
}
JPEG = READABLE["jpeg rgb"][0]
PNG = READABLE["png rgb"][0]


# === what is read is right ===


@pytest.mark.parametrize("name", READABLE)
def test_readable(name: str) -> None:
    content, expected, tolerance = READABLE[name]
    image = read_image(content)
    expected = pillow(content) if expected is None else expected
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert image.flags.c_contiguous and image.flags.writeable
    assert np.abs(image.astype(int) - expected).max() <= tolerance
    assert image_size(content) == image.shape[:2]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(10))  # 0 and 9 do not exist and turn nothing
def test_exif_turn(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    content = encoded(
        RGB, kind, exif=exif, **{"WEBP": {"lossless": True}, "JPEG": {"quality": 95}}.get(kind, {})
    )
    with Image.open(io.BytesIO(content)) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored))
    image = read_image(content)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= (2 if kind == "JPEG" else 0)
    assert image_size(content) == image.shape[:2]


def test_broken_exif_turns_nothing() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(RGB, "JPEG", exif=exif)
    at = content.index(b"Exif\0\0") + 6
    for junk in (
        b"XX",
        b"II\xff\xff\xff\xff\xff\xff",
        b"MM\0+\xff\xff\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ):
        broken = content[:at] + junk + content[at + len(junk) :]
        assert image_size(broken) == read_image(broken).shape[:2] == (H, W)


def test_photographs_agree_with_pillow() -> None:
    if "CVTASKS_DATA" not in os.environ:
        pytest.skip("CVTASKS_DATA names no folder with photos/")
    paths = sorted(Path(os.environ["CVTASKS_DATA"], "photos").iterdir())
    assert paths
    for path in paths:
        with Image.open(path) as stored:
            expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
        assert np.abs(read_image(path).astype(int) - expected).max() <= 2, path
        assert image_size(path) == expected.shape[:2]


@pytest.mark.parametrize(
    "name",
    [
        "a b.png",
        "größe.png",
        "-rf.png",
        "wrong.jpg",
        "no ending",
        "clip.mp4",
        os.fsdecode(b"not \xff utf-8.png"),
    ],
)
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    try:
        path.write_bytes(PNG)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for source in (path, str(path)):
        assert (read_image(source) == RGB).all()
        assert image_size(source) == (H, W)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert (read_image(link) == RGB).all()


# === what cannot be read is refused ===


def with_sof(jpeg: bytes, height: int, width: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def progressive_bomb() -> bytes:
    jpeg = READABLE["jpeg progressive"][0]
    at = jpeg.rindex(b"\xff\xda")
    return jpeg[:at] + jpeg[at:-2] * 600 + b"\xff\xd9"


# name -> (content, a word of the message). None of them may reach a decoder.
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "0 bytes"),
    "text": (b"hello, this is no image\n", "text"),
    "html": (b"\n<!DOCTYPE html><html><body>404</body></html>", "HTML"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
    "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(99), "MP4"),
    "mkv": (b"\x1aE\xdf\xa3" + bytes(99), "Matroska"),
    "avi": (b"RIFF\0\0\1\0AVI LIST" + bytes(99), "AVI"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "HEIC"),
    "pdf": (b"%PDF-1.7\n", "PDF"),
    "noise": (bytes(range(256)), "unknown"),
    "png bomb": (png(FEW[:1, :1], 8, 2, size=(40_000, 40_000)), "40000 x 40000"),
    "png bomb within the limit": (png(FEW, 8, 2, size=(7_000, 7_000)), "more than its"),
    "png, too many pixels": (
        png(np.zeros((7200, 1), np.uint8), 1, 0, size=(7200, 7200)),
        "more than its",
    ),
    "png, lying chunk": (
        PNG.replace(chunk(b"IEND", b""), struct.pack(">I", 2**31 - 1) + b"tEXt"),
        "chunk",
    ),
    "png, no end": (PNG[:-12], "cut short"),
    "png, no pixels": (png(FEW, 8, 0, size=(0, 5)), "0"),
    "png, 0 bits": (png(FEW, 8, 0).replace(b"\x08\0\0\0\0", b"\0\0\0\0\0", 1), "0 bits"),
    "png, colour 5": (png(FEW, 8, 5), "colour type 5"),
    "jpeg bomb": (with_sof(JPEG, 65_500, 65_500), "more than its"),
    "jpeg bomb within the limit": (with_sof(JPEG, 7_000, 7_000), "more than its"),
    "jpeg, no height": (with_sof(JPEG, 0, W), "0 pixels"),
    "jpeg, cut": (JPEG[:-20], "cut short"),
    "jpeg, end wiped out": (JPEG[:-20] + bytes(20), "cut short"),
    "jpeg, scans without end": (progressive_bomb(), "scans"),
    "jpeg, start alone": (b"\xff\xd8\xff", "ends"),
    "webp, cut": (READABLE["webp lossy"][0][:-5], "cut short"),
    "tiff float": (tiff(GREY.astype(np.float32)), "floating-point"),
    "tiff 32-bit": (tiff(GREY.astype(np.uint32)), "32 bits"),
    "tiff signed": (tiff(GREY.astype(np.int16)), "signed"),
    "tiff 16-bit planes": (
        tiff(DEEP.transpose(2, 0, 1)[:3].copy(), photometric="rgb", planarconfig="separate"),
        "planes",
    ),
    "tiff, directory outside": (b"II*\0\xff\xff\xff\x7f" + bytes(50), "ends"),
    "tiff, big directory outside": (b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(50), "ends"),
}


def says(error: pytest.ExceptionInfo[CVTasksError], path: Path, word: str = "") -> None:
    """A message has the rule, what was received with its name, and the way out."""
    message = str(error.value)
    assert "must" in message or "may" in message
    assert repr(str(path)) in message
    assert word in message
    assert message.count(". ") >= 1 and message.endswith((".", "?"))
    message.encode()  # a name that is not UTF-8 must not make the message unprintable


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    content, word = REFUSED[name]
    path = tmp_path / "image.jpg"
    path.write_bytes(content)
    monkeypatch.setattr(cv2, "imdecode", None)
    for read in (read_image, image_size):
        with pytest.raises(InputError) as error:
            read(path)
        says(error, path, word)
        with pytest.raises(InputError):
            read(content)


@pytest.mark.parametrize("shape", [(2000, 1999), (2000, 1999, 3)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {"compress_level": 9}),
        ("JPEG", {"optimize": True}),
        ("JPEG", {"optimize": True, "progressive": True}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_flat_images_are_no_bombs(
    shape: tuple[int, ...], kind: str, options: dict[str, object]
) -> None:
    """Nothing packs tighter than one colour: what honest programs write must pass the checks
    against lying headers.
    """
    assert image_size(encoded(np.zeros(shape, np.uint8), kind, **options)) == shape[:2]


@pytest.mark.parametrize("name", READABLE)
def test_limit_of_pixels(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = READABLE[name][0]
    height, width = image_size(content)
    assert read_image(content, max_pixels=height * width).shape == (height, width, 3)
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(InputError, match="max_pixels"):
        read_image(content, max_pixels=height * width - 1)


@pytest.mark.parametrize("kind", ["BMP", "PNG", "TIFF"])
def test_a_side_that_no_file_could_be_written_with_is_refused(
    kind: str, capfd: pytest.CaptureFixture
) -> None:
    """Else a run ends where it draws such an image; libpng only tells the terminal."""
    for turned in (False, True):
        shape = (1_000_001, 1)[:: -1 if turned else 1]
        content = encoded(np.zeros((*shape, 3), np.uint8), kind)
        with pytest.raises(InputError, match=r"a side .* 1,000,000 pixels; 'long'.* 1,000,001"):
            read_image(content, name="long")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", READABLE)
def test_a_cut_image_is_whole_or_refused(name: str) -> None:
    """Whatever is cut off: an InputError, or (something needless was lost) the same image; never
    half of it.
    """
    content = READABLE[name][0]
    whole = read_image(content)
    ends = {
        *range(12),
        *np.linspace(12, len(content) - 1, 30).astype(int).tolist(),
        *range(len(content) - 9, len(content)),
    }
    for end in ends:
        try:
            image = read_image(content[: max(end, 0)], name="cut.png")
        except InputError as error:
            assert "'cut.png'" in str(error)
        else:
            assert np.array_equal(image, whole), f"{end} of {len(content)} bytes"


@pytest.mark.parametrize("name", READABLE)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of damage
def test_noise_gives_an_image_or_an_input_error(name: str) -> None:
    content, random = READABLE[name][0], np.random.default_rng(zlib.crc32(name.encode()))
    for _ in range(25):
        noisy = bytearray(content)
        for at in random.integers(
            0, min(len(noisy), random.choice([60, 600, 10**9])), random.integers(1, 4)
        ):
            noisy[at] = random.integers(256)
        try:
            image = read_image(bytes(noisy), max_pixels=10**6)
        except InputError:
            continue
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        assert image_size(bytes(noisy)) == image.shape[:2]


def test_strips_must_cover_a_tiff() -> None:
    for image in (RGB, GREY, DEEP[..., :3]):
        content = (
            encoded(image, "TIFF")
            if image.dtype == np.uint8
            else tiff(image, photometric="rgb", metadata=None)
        )
        with pytest.raises(InputError, match="cover"):
            read_image(taller(content))


def refused_in_time(path: Path | str, word: str) -> None:
    """Read in a thread: whoever blocks fails instead of hanging the whole run."""
    caught: list[BaseException] = []

    def attempt() -> None:
        for read in (read_image, image_size, read_mask):
            try:
                read(path)
            except InputError as error:
                caught.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(5)
    assert len(caught) == 3
    for error in caught:
        assert word in str(error) and repr(str(path)) in str(error)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these files")
def test_special_files_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    refused_in_time(tmp_path / "pipe.jpg", "pipe")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    refused_in_time(tmp_path / "link.jpg", "pipe")
    refused_in_time("/dev/zero", "device")
    refused_in_time(tmp_path, "folder")
    with socket.socket(socket.AF_UNIX) as server:
        path = Path(os.path.relpath(tmp_path / "s.jpg"))  # a socket's name may have 107 bytes only
        server.bind(str(path))
        refused_in_time(path, "socket")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_pipe_that_takes_the_place_of_a_file_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file.jpg").write_bytes(JPEG)
    status = (tmp_path / "file.jpg").stat()
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.setattr(Path, "stat", lambda path, **options: status)  # what was there a moment ago
    refused_in_time(tmp_path / "pipe.jpg", "pipe")


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "file").write_bytes(b"x")
    refused_in_time(tmp_path / "missing.jpg", "exists")
    refused_in_time(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"), "exists")
    refused_in_time(tmp_path / "dangling.jpg", "exists")
    refused_in_time(tmp_path / "file" / "a.jpg", "read")
    refused_in_time(tmp_path / ("a" * 300 + ".jpg"), "read")
    refused_in_time("a\0b.jpg", "read")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(2**40)  # sparse
    refused_in_time(tmp_path / "huge.jpg", "bytes")


# === what is left out is told ===


def remarks_of(content: bytes) -> list[str]:
    """What reading says, each once."""
    remarks: list[str] = []
    read_image(content, remark=remarks.append)
    return remarks


@pytest.mark.parametrize("name", READABLE)
def test_a_remark_where_and_only_where_something_is_left_out(name: str) -> None:
    several = {
        **{
            key: ["animated: its first frame is read"]
            for key in ("png animated", "gif animated", "webp animated")
        },
        "tiff pages": ["2 pages: the first is read"],
    }
    assert remarks_of(READABLE[name][0]) == several.get(name, [])


def test_smaller_copies_of_a_page_are_no_pages(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB, photometric="rgb", metadata=None)
        for every in (2, 4):
            file.write(
                RGB[::every, ::every].copy(), photometric="rgb", subfiletype=1, metadata=None
            )
    assert remarks_of((tmp_path / "a.tif").read_bytes()) == []
    circle = bytearray(tiff(GREY, metadata=None))
    entries = int.from_bytes(circle[8:10], "little")
    circle[10 + 12 * entries : 14 + 12 * entries] = (8).to_bytes(
        4, "little"
    )  # the next directory is the first
    assert remarks_of(bytes(circle)) == []


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(
    "kind",
    ["png grey", "png rgb", "png rgba", "tiff grey", "tiff big-endian", "tiff rgb", "tiff lzw"],
)
def test_of_sixteen_bits_those_that_hold_something_are_read(kind: str, bits: int) -> None:
    """A 12-bit camera writes 0..4095: its white is white, not 15 of 255."""
    deep = DEEP >> (16 - bits)
    deep[0, 0, :3] = 2**bits - 1
    deep[..., 3] = DEEP[..., 3]  # alpha has all bits
    expected = deep >> (bits - 8)
    content, expected = {
        "png grey": lambda: (png(deep[..., 0], 16, 0), grey3(expected[..., 0])),
        "png rgb": lambda: (png(deep[..., :3], 16, 2), expected[..., :3]),
        "png rgba": lambda: (
            png(deep, 16, 6),
            over_white(np.dstack([expected[..., :3], deep[..., 3] >> 8])),
        ),
        "tiff grey": lambda: (tiff(deep[..., 0]), grey3(expected[..., 0])),
        "tiff big-endian": lambda: (tiff(deep[..., 0], byteorder=">"), grey3(expected[..., 0])),
        "tiff rgb": lambda: (tiff(deep[..., :3], photometric="rgb"), expected[..., :3]),
        "tiff lzw": lambda: (
            tiff(deep[..., :3], photometric="rgb", compression="zlib"),
            expected[..., :3],
        ),
    }[kind]()
    assert np.abs(read_image(content).astype(int) - expected).max() <= (
        1 if kind == "png rgba" else 0
    )
    told = (
        [f"16 bits a channel, of which {bits} are used: these are read as 8"] if bits < 16 else []
    )
    assert remarks_of(content) == told


def test_a_dark_image_that_says_its_bits_stays_dark() -> None:
    dark = DEEP[..., 0] >> 7  # 0..511
    for highest, bits in ((4095, 12), (65535, 10), (100, 10)):  # the last one lies
        content = tiff(dark, extratags=[(281, "H", 1, highest, True)])
        assert (read_image(content) == grey3(dark >> (bits - 8))).all()
    assert (read_image(tiff(np.zeros((5, 6), np.uint16))) == 0).all()
    assert remarks_of(tiff(np.zeros((5, 6), np.uint16))) == []


FIVE = np.dstack([RGB, RGB[..., :2]])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (
            tiff(FIVE, photometric="minisblack", planarconfig="contig"),
            "5 channels of 8 bits that it calls grey",
        ),
        (
            tiff(FIVE.transpose(2, 0, 1).copy(), photometric="minisblack", planarconfig="separate"),
            "5 channels of 8 bits",
        ),
        (
            tiff(RGB, photometric="minisblack", planarconfig="contig"),
            "3 channels of 8 bits that it calls grey",
        ),
        (
            tiff(DEEP[..., :2].copy(), photometric="minisblack", planarconfig="contig"),
            "2 channels of 16 bits",
        ),
        (
            tiff(np.dstack([DEEP, DEEP[..., :1]]), photometric="rgb"),
            "5 channels of 16 bits that it calls RGB",
        ),
        (tiff(GREY, photometric="cfa"), "neither grey nor colours"),
        (tiff(GREY.astype(np.float16)), "floating-point channels of 16 bits"),
        (tiff(GREY.astype(np.float64)), "floating-point channels of 64 bits"),
        (tiff(GREY.astype(np.complex64)), "complex channels"),
    ],
)
def test_channels_that_are_no_image_are_named(content: bytes, word: str) -> None:
    with pytest.raises(InputError, match=word) as error:
        read_image(content, name="a.tif")
    assert "damaged" not in str(error.value) and str(error.value).endswith("first.")


def test_channels_that_are_too_many_are_left_out_aloud() -> None:
    content = tiff(FIVE, photometric="rgb")
    assert (read_image(content) == RGB).all()
    assert remarks_of(content) == ["5 channels: the first three are read as RGB"]
    content = tiff(RGB[..., :2].copy(), photometric="minisblack", planarconfig="contig")
    assert (read_image(content) == grey3(RGB[..., 0])).all()
    assert remarks_of(content) == ["2 channels: the first is read"]


# === what libraries would say about it ===

ODD = {  # chunks that libpng warns of
    "profile": chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(b"junk" * 40)),
    "bits": chunk(b"sBIT", b"\x09\x09\x09"),
    "text": chunk(b"zTXt", b"k\0\0junk"),
    "check sum of text": chunk(b"tEXt", b"a\0b")[:-4] + b"1234",
    "palette": chunk(b"PLTE", b"\1\2"),
    "clear colour": chunk(b"tRNS", b"1"),
    "EXIF": chunk(b"eXIf", b"zz"),
    "time": chunk(b"tIME", b"zz"),
    "animation": chunk(b"acTL", bytes(8)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_beside_the_pixels_changes_nothing_and_nobody_tells(name: str, capfd) -> None:
    assert (read_image(png(RGB, 8, 2, ODD[name])) == RGB).all()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (PNG.replace(PNG[60:64], bytes(4)), "wrong check sum in its chunk IDAT"),
        (png(RGB, 8, 2, chunk(b"ABCD", b"x")), "nobody knows"),
        (png(RGB, 8, 2, chunk(b"IHDR", PNG[16:29])), "two header chunks"),
        (b"\x89PNG\r\n\x1a\n" + PNG[8:33] + chunk(b"IEND", b""), "no pixels"),
        (png(RGB, 4, 2), "channels of 4 bits"),
    ],
)
def test_what_is_damaged_is_told_once(content: bytes, word: str, capfd) -> None:
    with pytest.raises(InputError, match=word):
        read_image(content)
    assert capfd.readouterr().err == ""


# === masks ===


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (H, W)])
def test_ids_survive_write_and_read(tmp_path: Path, shape: tuple[int, int]) -> None:
    random = np.random.default_rng(shape[0])
    ids, palette = (
        random.integers(0, 256, shape, np.uint8),
        random.integers(0, 256, (256, 3), np.uint8),
    )
    path = tmp_path / "new folder" / "mask.png"
    write_mask(path, ids, palette)
    assert read_mask(path).dtype == np.uint8
    assert (read_mask(path) == ids).all()
    assert (read_image(path) == palette[ids]).all()
    assert [p.name for p in path.parent.iterdir()] == ["mask.png"]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("colour", [0, 3])  # grey, indexed
def test_masks_of_any_depth_give_the_stored_values(tmp_path: Path, bits: int, colour: int) -> None:
    ids = np.random.default_rng(bits).integers(0, 2**bits, (H, W), np.uint8)
    palette = chunk(b"PLTE", bytes(3 * 2**bits)) + chunk(b"tRNS", b"\0\1") if colour == 3 else b""
    (tmp_path / "mask.png").write_bytes(png(ids, bits, colour, palette))
    assert (read_mask(tmp_path / "mask.png") == ids).all()


def test_16_bit_masks(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encoded(FEW.astype(np.uint16), "PNG"))
    assert (read_mask(tmp_path / "good.png") == FEW).all()
    (tmp_path / "bad.png").write_bytes(encoded(FEW.astype(np.uint16) * 100, "PNG"))
    with pytest.raises(DataError) as error:
        read_mask(tmp_path / "bad.png")
    says(error, tmp_path / "bad.png", "1200")


@pytest.mark.parametrize(
    "name",
    ["png rgb", "png rgba", "png grey + alpha", "jpeg grey", "bmp indexed", "tiff grey", "gif"],
)
def test_images_are_no_masks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(READABLE[name][0])
    with pytest.raises(DataError) as error:
        read_mask(path)
    says(error, path, "write_mask")


@pytest.mark.parametrize("name", REFUSED)
def test_masks_are_as_careful(tmp_path: Path, name: str) -> None:
    (tmp_path / "mask.png").write_bytes(REFUSED[name][0])
    with pytest.raises(InputError) as error:
        read_mask(tmp_path / "mask.png")
    says(error, tmp_path / "mask.png", REFUSED[name][1])


def test_a_damaged_mask_is_refused(tmp_path: Path) -> None:
    content = bytearray(encoded(INDEXED, "PNG"))
    at = content.index(b"IDAT") + 10
    content[at : at + 20] = bytes(20)
    (tmp_path / "mask.png").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_mask(tmp_path / "mask.png")
    says(error, tmp_path / "mask.png", "check sum")
    (tmp_path / "mask.png").write_bytes(png(FEW[:20], 8, 0, size=(H, W)))
    with pytest.raises(InputError) as error:
        read_mask(tmp_path / "mask.png")
    says(error, tmp_path / "mask.png", "decoded")


# === writing ===


@pytest.mark.parametrize(
    ("suffix", "tolerance"), [(".png", 0), (".PNG", 0), (".jpg", 12), (".jpeg", 12), (".webp", 12)]
)
def test_written_images_are_read_back(tmp_path: Path, suffix: str, tolerance: int) -> None:
    for stem in ("image", "größe", os.fsdecode(b"\xff")):
        path, before = tmp_path / (stem + suffix), RGB.copy()
        write_image(path, before)
        assert np.abs(read_image(path).astype(int) - RGB).max() <= tolerance
        assert (before == RGB).all()
    assert len(list(tmp_path.iterdir())) == 3  # no temporary file stays


def test_what_cannot_be_written(tmp_path: Path) -> None:
    old = tmp_path / "old.jpg"
    old.write_bytes(b"old")
    with pytest.raises(UsageError) as usage:
        write_image(tmp_path / "a.jpgg", RGB)
    says(usage, tmp_path / "a.jpgg", 'Did you mean ".jpg"')
    with pytest.raises(CVTasksError) as error:
        write_image(old, np.zeros((1, 70_000, 3), np.uint8))
    says(error, old, "70000")
    assert old.read_bytes() == b"old"
    for call in (
        lambda: write_image(old, RGBA),
        lambda: write_image(old, GREY),
        lambda: write_image(old, RGB.astype(float)),
        lambda: write_image(old, RGB[:0]),
        lambda: write_mask(old, RGB, np.zeros((256, 3), np.uint8)),
        lambda: write_mask(old, GREY.astype(int), np.zeros((256, 3), np.uint8)),
        lambda: write_mask(old, GREY[:0], np.zeros((256, 3), np.uint8)),
        lambda: write_mask(old, GREY, np.zeros((255, 3), np.uint8)),
    ):
        with pytest.raises(ValueError, match="got"):
            call()
    assert [p.name for p in tmp_path.iterdir()] == ["old.jpg"]


def test_views_are_written_as_they_look(tmp_path: Path) -> None:
    views: list[Callable[[np.ndarray], np.ndarray]] = [
        lambda a: a[::-1, ::-1],
        lambda a: a[:, ::2],
        lambda a: a[5:9, 7:8],
    ]
    for view in views:
        write_image(tmp_path / "view.png", view(RGB))
        assert (read_image(tmp_path / "view.png") == view(RGB)).all()
        write_mask(tmp_path / "view.png", view(GREY), np.zeros((256, 3), np.uint8))
        assert (read_mask(tmp_path / "view.png") == view(GREY)).all()
