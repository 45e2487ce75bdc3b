"""Large images read strip by strip: the same pixels as the whole, in memory that does not grow."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.errors import InputError
from cvtasks.media.images import read_image
from cvtasks.media.strips import OVERVIEW, Strips, read_large, strips_of

SIZE = (700, 530)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (70, 53, 4), dtype=np.uint8)
    return small.repeat(10, axis=0).repeat(10, axis=1)


def written(path: Path, pixels: np.ndarray, mode: str, **how: object) -> Path:
    image = Image.fromarray(pixels[..., : 4 if mode == "RGBA" else 3])
    image.convert(mode).save(path, **how)
    return path


def by_tiles(path: Path, pixels: np.ndarray) -> Path:
    """A TIFF of 128 × 256 tiles, not packed."""
    height, width = SIZE
    down, across = -(-height // 128), -(-width // 256)
    padded = np.zeros((down * 128, across * 256, 3), np.uint8)
    padded[:height, :width] = pixels[..., :3]
    tiles = [
        padded[y * 128 : y * 128 + 128, x * 256 : x * 256 + 256].tobytes()
        for y in range(down)
        for x in range(across)
    ]
    count, offsets = len(tiles), [8]
    for tile in tiles[:-1]:
        offsets.append(offsets[-1] + len(tile))
    end = offsets[-1] + len(tiles[-1])
    lists = end + 2 + 12 * 11 + 4
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 3, lists),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (277, 3, 1, 3),
        (284, 3, 1, 1),
        (322, 4, 1, 256),
        (323, 4, 1, 128),
        (324, 4, count, lists + 6),
        (325, 4, count, lists + 6 + 4 * count),
    ]
    directory = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHI", tag, kind, number)
        + (struct.pack("<HH", value, 0) if kind == 3 and number == 1 else struct.pack("<I", value))
        for tag, kind, number, value in entries
    )
    tail = struct.pack("<3H", 8, 8, 8) + struct.pack(
        f"<{2 * count}I", *offsets, *(len(tile) for tile in tiles)
    )
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, end) + b"".join(tiles) + directory + b"\0\0\0\0" + tail
    )
    return path


def files(folder: Path, pixels: np.ndarray) -> dict[str, Path]:
    return {
        "plain": written(folder / "plain.tif", pixels, "RGB"),
        "one strip": written(folder / "one.tif", pixels, "RGB", tiffinfo={278: SIZE[0]}),
        "lzw": written(folder / "lzw.tif", pixels, "RGB", compression="tiff_lzw"),
        "deflate": written(folder / "deflate.tif", pixels, "RGB", compression="tiff_adobe_deflate"),
        "jpeg": written(folder / "jpeg.tif", pixels, "RGB", compression="jpeg", quality=95),
        "grey": written(folder / "grey.tif", pixels, "L", compression="packbits"),
        "palette": written(folder / "palette.tif", pixels, "P"),
        "alpha": written(folder / "alpha.tif", pixels, "RGBA", compression="tiff_lzw"),
        "tiles": by_tiles(folder / "tiles.tif", pixels),
        "bitmap": written(folder / "a.bmp", pixels, "RGB"),
        "grey bitmap": written(folder / "grey.bmp", pixels, "L"),
    }


def test_every_part_is_that_of_the_whole_image(tmp_path: Path, pixels: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    for name, path in files(tmp_path, pixels).items():
        whole, strips = read_image(path), strips_of(path)
        assert isinstance(strips, Strips), (name, strips)
        assert strips.shape == whole.shape
        assert (strips[0 : SIZE[0], 0 : SIZE[1]] == whole).all(), name
        for _ in range(12):
            top, left = (int(rng.integers(0, side - 1)) for side in SIZE)
            bottom, right = top + int(rng.integers(1, 300)), left + int(rng.integers(1, 300))
            assert (strips[top:bottom, left:right] == whole[top:bottom, left:right]).all(), name
        assert strips[5:5, 0:4].shape == (0, 4, 3)
        assert (strips.overview == whole).all()


def test_the_overview_is_the_mean_of_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (OVERVIEW + 1100, 64, 3), dtype=np.uint8)
    Image.fromarray(image).save(tmp_path / "long.tif")
    strips = strips_of(tmp_path / "long.tif")
    assert isinstance(strips, Strips)
    mean = image.reshape(-1, 2, 32, 2, 3).mean(axis=(1, 3))
    assert strips.overview.shape == mean.shape
    assert np.abs(strips.overview - mean).max() <= 1


def test_only_what_is_beyond_the_usual_limit_is_read_by_strips(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files(tmp_path, pixels)
    assert isinstance(read_large(made["plain"], 10**6), np.ndarray)
    monkeypatch.setattr("cvtasks.media.strips.MAX_PIXELS", 100_000)
    assert isinstance(read_large(made["plain"], 10**6), Strips)
    with pytest.raises(InputError, match="at most 300,000 pixels"):
        read_large(made["plain"], 300_000)
    remarks: list[str] = []
    written(tmp_path / "a.png", pixels, "RGB")
    assert isinstance(read_large(tmp_path / "a.png", 10**6, remark=remarks.append), np.ndarray)
    assert isinstance(read_large(made["deflate"], 10**6, remark=remarks.append), Strips)
    written(tmp_path / "turned.tif", pixels, "RGB", tiffinfo={274: 6})
    turned = read_large(tmp_path / "turned.tif", 10**6, remark=remarks.append)
    assert turned.shape == (SIZE[1], SIZE[0], 3)
    assert [remark[:16] for remark in remarks] == ["read as a whole,"] * 2


@pytest.mark.parametrize("name", ["plain", "lzw", "bitmap", "tiles"])
def test_a_file_that_is_cut_short_is_refused(
    tmp_path: Path, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = files(tmp_path, pixels)[name]
    content = path.read_bytes()
    monkeypatch.setattr("cvtasks.media.strips.MAX_PIXELS", 100_000)
    for length in (len(content) // 2, 300, 30, 8):
        path.write_bytes(content[:length])
        with pytest.raises(InputError):
            read_large(path, 10**6)
    rng = np.random.default_rng(0)
    for _ in range(30):  # whatever lies there: an image or an error of ours
        odd = bytearray(content)
        for place in rng.integers(0, min(len(odd), 2000), 6):
            odd[place] = int(rng.integers(256))
        for place in rng.integers(max(0, len(odd) - 600), len(odd), 6):
            odd[place] = int(rng.integers(256))
        path.write_bytes(bytes(odd))
        try:
            read_large(path, 10**6)
        except InputError:
            continue


_PEAK = """
import re, sys
from cvtasks.media import strips
strips.MAX_PIXELS, strips.OVERVIEW = 10**6, 1024
image = strips.read_large(sys.argv[1], 10**9)
height, width = image.shape[:2]
total = 0
for top in range(0, height - 320, 2560):
    for left in range(0, width - 320, 320):
        total += int(image[top : top + 320, left : left + 320].sum())
with open("/proc/self/status") as status:  # ru_maxrss would begin with that of the parent
    print(int(re.search(r"VmHWM:\\s*(\\d+)", status.read())[1]) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_image(tmp_path: Path) -> None:
    peaks = []
    for height in (2000, 8000):  # 12 and 48 megapixels: 36 and 144 MB
        row = np.zeros((height // 100, 60, 3), np.uint8)
        row[::3] = 200
        with Image.fromarray(row).resize((6000, height), Image.Resampling.NEAREST) as image:
            image.save(tmp_path / f"{height}.tif", compression="tiff_lzw")
        told = subprocess.run(
            [sys.executable, "-c", _PEAK, str(tmp_path / f"{height}.tif")],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(told.stdout))
    assert peaks[1] < peaks[0] + 20, peaks
