"""Images of kinds that are not read are named wherever a folder would pass them over."""

import struct
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source
from cvtasks.errors import DataError, InputError
from cvtasks.inference.mapping.inputs import listed
from cvtasks.media.images import read_image, write_image
from cvtasks.media.sources import expand

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
GREY = np.full((12, 16, 3), 90, np.uint8)


def photos(folder: Path, **files: str) -> None:
    """Write images: name → ending; what OpenCV cannot write is written as a HEIC photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, ending in files.items():
        if ending in (".heic", ".HEIC", ".avif"):
            (folder / f"{name}{ending}").write_bytes(HEIC)
        else:
            write_image(folder / f"{name}.jpg", GREY)
            (folder / f"{name}.jpg").rename(folder / f"{name}{ending}")


def test_those_beside_a_sources_own_are_counted(tmp_path: Path) -> None:
    photos(tmp_path / "train" / "cat", a=".jpg", b=".heic", c=".avif")
    photos(tmp_path / "train" / "cow", a=".jpeg")
    photos(tmp_path / "train" / "dog", a=".HEIC")
    photos(tmp_path / "train" / ".trash", a=".HEIC")
    photos(tmp_path / "val" / "cat", a=".jpg", b=".jfif", c=".jpe", d=".JFIF")
    said = "images of kinds that are not read (.avif, .heic): 3; convert them to JPEG or PNG"
    source = open_source(str(tmp_path), "train", Labels)
    assert len(source) == 2 and said in source.remarks()
    source = open_source(str(tmp_path), "val", Labels)
    assert len(source) == 4 and not source.remarks()
    assert source[1].image.shape == (12, 16, 3)


def test_a_folder_of_nothing_else_is_told_so(tmp_path: Path) -> None:
    photos(tmp_path / "images", a=".heic", b=".HEIC")
    with pytest.raises(DataError, match=r"holds only images of kinds .* \(\.heic\): 2; convert"):
        open_source(str(tmp_path), "", Boxes)


@pytest.mark.parametrize("place", ["", "/*"])
def test_each_of_a_folder_fails_with_its_reason(place: str, tmp_path: Path) -> None:
    photos(tmp_path, a=".jfif", b=".heic")
    one, other = expand([f"{tmp_path}{place}"])
    assert one.read().shape == (12, 16, 3)
    with pytest.raises(InputError, match="a HEIC photograph"):
        other.read()
    assert [one.id for one in listed(f"{tmp_path}{place}")] == ["a.jfif", "b.heic"]


def test_the_preview_of_a_cameras_raw_data_is_not_the_image(tmp_path: Path) -> None:
    def entry(tag: int, value: int) -> bytes:
        return struct.pack("<HHII", tag, 4, 1, value)

    tags = {254: 1, 256: 160, 257: 120, 258: 8, 262: 2, 277: 3}
    content = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    content += b"".join(entry(tag, value) for tag, value in tags.items())
    (tmp_path / "a.nef").write_bytes(content + bytes(99))
    with pytest.raises(InputError, match="a small copy of what it holds, as raw data of cameras"):
        read_image(tmp_path / "a.nef")
