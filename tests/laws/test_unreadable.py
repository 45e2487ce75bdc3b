"""Paths that cannot be, and files that go away or may not be read: an error of the right kind,
wherever they are met.
"""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Answer, Boxes, Instances, Labels, Mask
from cvtasks.cli import of_the_system
from cvtasks.data import open_source, split_of
from cvtasks.data.checking.check import check
from cvtasks.data.checking.statistics import fingerprint
from cvtasks.data.writing.convert import convert
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.coco import coco_document
from cvtasks.formats.voc import voc_xml
from cvtasks.formats.yolo import yolo_text, yolo_yaml

CLASSES = ("cat", "dog")
BOXES = Boxes.of([[1, 2, 10, 12]], [0], CLASSES, (20, 30))


def image(path: Path, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((20, 30, 3)[: 2 + (channels > 1)], np.uint8)).save(path)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def coco(root: Path) -> None:
    for name in "ab":
        image(root / "images" / f"{name}.png")
    write(
        root / "annotations" / "train.json",
        json.dumps(coco_document([("a.png", BOXES), ("b.png", BOXES)], CLASSES)),
    )


def voc(root: Path) -> None:
    for name in "ab":
        image(root / "JPEGImages" / f"{name}.png")
        write(root / "Annotations" / f"{name}.xml", voc_xml(BOXES, f"{name}.png"))
    write(root / "classes.txt", "cat\ndog\n")
    write(root / "ImageSets" / "Main" / "train.txt", "a\nb\n")


def yolo(root: Path) -> None:
    for name in "ab":
        image(root / "images" / "train" / f"{name}.png")
        write(root / "labels" / "train" / f"{name}.txt", yolo_text(BOXES))
    write(root / "data.yaml", yolo_yaml(CLASSES, ("train",)))


def folders(root: Path) -> None:
    for name in CLASSES:
        image(root / "train" / name / "a.png")


def table(root: Path) -> None:
    for name in "ab":
        image(root / f"{name}.png")
    write(root / "labels.csv", "image,label,split\na.png,cat,train\nb.png,dog,train\n")


def masks(root: Path) -> None:
    for name in "ab":
        image(root / "images" / "train" / f"{name}.png")
        image(root / "masks" / "train" / f"{name}.png", 1)
    write(root / "classes.txt", "background\ncat\n")


def devkit(root: Path) -> None:
    for name in "ab":
        image(root / "JPEGImages" / f"{name}.jpg")
        image(root / "SegmentationClass" / f"{name}.png", 1)
    write(root / "ImageSets" / "Segmentation" / "train.txt", "a\nb\n")


def numbered(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.eye(20, 30, dtype=np.uint8)).save(path)


def numbers(root: Path) -> None:
    for name in "ab":
        image(root / "images" / "train" / f"{name}.png")
        numbered(root / "masks" / "train" / f"{name}.png")
    write(root / "classes.txt", "cat\n")


def object_masks(root: Path) -> None:
    for name in "ab":
        image(root / "train" / name / "images" / f"{name}.png")
        numbered(root / "train" / name / "masks" / "0.png")


def devkit_objects(root: Path) -> None:
    devkit(root)
    for name in "ab":
        numbered(root / "SegmentationClass" / f"{name}.png")
        numbered(root / "SegmentationObject" / f"{name}.png")
        write(root / "Annotations" / f"{name}.xml", voc_xml(BOXES, f"{name}.png"))


LAYOUTS = {
    coco: Boxes,
    voc: Boxes,
    yolo: Boxes,
    folders: Labels,
    table: Labels,
    masks: Mask,
    devkit: Mask,
    numbers: Instances,
    object_masks: Instances,
    devkit_objects: Instances,
}
every_layout = pytest.mark.parametrize(
    ("lay", "kind"), LAYOUTS.items(), ids=[lay.__name__ for lay in LAYOUTS]
)

Lay = Callable[[Path], None]


@every_layout
def test_all_can_be_read_at_first(lay: Lay, kind: type[Answer], tmp_path: Path) -> None:
    lay(tmp_path)
    assert [
        one for one in check(str(tmp_path), "train", kind).findings if one.level == "error"
    ] == []


@pytest.mark.parametrize("kind", [Boxes, Instances, Labels, Mask])
@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        "x" * 300,
        "é" * 200,
        "x/" * 3000,
        "file/x",
        "file/",
        "loop",
        "nowhere",
        "a\0b",
        "\n",
        "\udce9",
        "\ud800",
    ],
)
@pytest.mark.parametrize("split", ["", "train"])
def test_a_path_that_cannot_be_is_no_data_set(
    path: str, split: str, kind: type[Answer], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    os.chdir(tmp_path)
    for ending in ("", "/x.json", "/data.yaml", ".csv"):
        with pytest.raises(DataError):
            open_source(path + ending if path else path, split, kind)
        assert split_of(f"{path}{ending}:train") == (f"{path}{ending}", "train")


@every_layout
def test_a_data_set_that_goes_away_while_it_is_read(
    lay: Lay, kind: type[Answer], tmp_path: Path
) -> None:
    lay(tmp_path / "data")
    source = open_source(str(tmp_path / "data"), "train", kind)
    gone = lambda done, total: shutil.rmtree(tmp_path / "data", ignore_errors=True)  # noqa: E731
    try:
        check(str(tmp_path / "data"), "train", kind, gone)
    except CVTasksError as error:
        assert error.exit_code == 5
    for index in range(len(source)):
        for read in (source.__getitem__, *([] if kind is Labels else [source.truth])):
            with pytest.raises(CVTasksError) as caught:
                read(index)
            assert caught.value.exit_code in (3, 5)
    with pytest.raises(CVTasksError):
        fingerprint(source)
    if kind is Boxes:
        source.truth = lambda index: BOXES
        with pytest.raises(DataError, match="cannot be: No such file"):
            convert(source, "coco", tmp_path / "new", "train")


@every_layout
@pytest.mark.parametrize("forbidden", ["scandir", "listdir", "stat", "open"])
def test_a_data_set_that_may_not_be_read(
    lay: Lay, kind: type[Answer], forbidden: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system's answer is put in its mouth: for each folder and
    file in turn.
    """
    lay(tmp_path)
    places = [tmp_path, *tmp_path.rglob("*")]
    real = getattr(os, forbidden)
    for place in places:

        def refusing(
            path: object, *arguments: object, place: Path = place, **options: object
        ) -> object:
            if not isinstance(path, int) and Path(os.fsdecode(path)) == place:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return real(path, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, forbidden, refusing)
            try:
                found = check(str(tmp_path), "train", kind).findings
                source = open_source(str(tmp_path), "train", kind)
                fingerprint(source)
            except CVTasksError as error:
                assert error.exit_code in (3, 5)
                continue
        wrong = {one.rule for one in found if one.level == "error"}
        assert wrong <= {
            "image cannot be read",
            "truth cannot be read",
            "cannot be read",
            "image missing",
            "mask missing",
        }


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, 3),
        (errno.ENAMETOOLONG, 3),
        (errno.EIO, 3),
        (errno.ENOSPC, 2),
        (errno.EROFS, 2),
    ],
)
def test_what_nobody_looked_after_is_said_by_its_kind(number: int, code: int) -> None:
    sentence, found = of_the_system(OSError(number, os.strerror(number), "a\udce9"))
    assert found == code
    assert os.strerror(number) in sentence and "'a\\udce9'" in sentence
