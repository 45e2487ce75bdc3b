"""Every reader gives the same samples for the same annotations; what is damaged is one sentence."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import FORMATS, open_source, splits_of
from cvtasks.data.source import Source
from cvtasks.data.writing.convert import convert, writers_of
from cvtasks.errors import CVTasksError, DataError
from tests.data.formats.layouts import CLASSES, IMAGES, LAYOUTS, lay_coco, write

Objects = list[tuple[str, list[float]]]


def objects(boxes: Boxes) -> Objects:
    """Names and corners, to a thousandth of a pixel, in an order of their own."""
    corners = boxes.xyxy.astype(np.float64).round(3).tolist()
    return sorted(zip(boxes.names, corners, strict=True))


EXPECTED = {Path(name).stem: objects(boxes) for name, boxes in IMAGES.items()}


def read(source: Source) -> dict[str, Objects]:
    found = {source.name(index): objects(source.truth(index)) for index in range(len(source))}
    assert len(found) == len(source)
    return found


def only_split(root: Path, kind: type = Boxes) -> str:
    (split,) = splits_of(str(root), kind)
    return split


def test_every_format_of_boxes_is_laid_out() -> None:
    assert set(LAYOUTS) == {name for name, one in FORMATS.items() if one.kind is Boxes}


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_formats_give_the_same_samples(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].lay(tmp_path, IMAGES)
    source = open_source(str(tmp_path), only_split(tmp_path), Boxes)
    assert source.format == FORMATS[name].name
    assert list(source.problems()) == [] and list(source.orphans()) == []
    assert source.classes == CLASSES
    assert read(source) == EXPECTED
    for index in range(len(source)):
        sample = source[index]
        assert sample.image.shape[:2] == sample.truth.size


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_formats_give_the_same_labels(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].lay(tmp_path, IMAGES)
    source = open_source(str(tmp_path), only_split(tmp_path, Labels), Labels)
    found = {source.name(i): set(source.truth(i).names) for i in range(len(source))}
    assert found == {stem: {name for name, _ in own} for stem, own in EXPECTED.items()}


@pytest.mark.parametrize("to", writers_of(Boxes))
def test_what_is_converted_reads_the_same(to: str, tmp_path: Path) -> None:
    lay_coco(tmp_path / "old", IMAGES)
    source = open_source(str(tmp_path / "old"), "", Boxes)
    for split in ("train", "val"):
        convert(source, to, tmp_path / "new", split)
    assert set(splits_of(str(tmp_path / "new"), Boxes)) == {"train", "val"}
    written = open_source(str(tmp_path / "new"), "val", Boxes)
    assert list(written.problems()) == []
    assert (written.classes, read(written)) == (CLASSES, EXPECTED)


# === splits ===

PER_FOLDER = (
    *("voc-xml", "labelme", "label-studio", "via", "createml", "imagefolder", "cvat"),
    "tensorflow-csv",
    "fiftyone",
)


@pytest.mark.parametrize("name", PER_FOLDER)
@pytest.mark.parametrize("valid", ["valid", "val", "Validation"])
def test_folders_are_splits(name: str, valid: str, tmp_path: Path) -> None:
    LAYOUTS[name].lay(tmp_path / "train", dict(list(IMAGES.items())[:3]))
    LAYOUTS[name].lay(tmp_path / valid, dict(list(IMAGES.items())[2:]))
    assert set(splits_of(str(tmp_path), Boxes)) == {"train", valid}
    train, val = (open_source(str(tmp_path), split, Boxes) for split in ("train", "val"))
    assert read(train) == dict(list(EXPECTED.items())[:3])
    assert read(val) == dict(list(EXPECTED.items())[2:])
    assert train.classes == val.classes == CLASSES


def test_a_split_folder_may_lie_below_the_folders_of_images_and_annotations(
    tmp_path: Path,
) -> None:
    LAYOUTS["voc-xml"].lay(tmp_path / "flat", IMAGES)
    for file in sorted((tmp_path / "flat").iterdir()):
        folder = "images" if file.suffix == ".png" else "annotations"
        (tmp_path / "set" / folder / "train").mkdir(parents=True, exist_ok=True)
        shutil.move(file, tmp_path / "set" / folder / "train" / file.name)
    assert splits_of(str(tmp_path / "set"), Boxes) == ("train",)
    assert read(open_source(str(tmp_path / "set"), "train", Boxes)) == EXPECTED


# === which format ===


def test_two_formats_in_one_folder_are_asked_for_by_name(tmp_path: Path) -> None:
    LAYOUTS["labelme"].lay(tmp_path, IMAGES)
    LAYOUTS["voc-xml"].lay(tmp_path, {"a.png": IMAGES["a.png"]})
    with pytest.raises(DataError, match=r'Pascal VOC XML \("voc-xml"\) and LabelMe JSON') as error:
        open_source(str(tmp_path), "", Boxes)
    assert error.value.ways == {"format": "voc-xml"}
    assert read(open_source(str(tmp_path), "", Boxes, format="labelme")) == EXPECTED
    assert len(read(open_source(str(tmp_path), "", Boxes, format="voc"))["ü"]) == 0
    shown = open_source(str(tmp_path), "", Labels, format="labelme")
    assert shown.format == "LabelMe JSON as labels"


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ("labelmi", 'Did you mean "labelme"'),
        ("createml", "must be in the format that is named"),
        ("labelme:species", "nothing may stand behind"),
    ],
)
def test_a_format_that_cannot_be_is_named(wanted: str, sentence: str, tmp_path: Path) -> None:
    LAYOUTS["labelme"].lay(tmp_path, IMAGES)
    with pytest.raises(DataError, match=sentence):
        open_source(str(tmp_path), "", Boxes, format=wanted)


# === damage ===


def opened_whole(root: Path) -> None:
    """All that training does with data: open, look for faults, read what is left of them."""
    faults: list[CVTasksError] = []
    for split in splits_of(str(root), Boxes):
        source = open_source(str(root), split, Boxes, faults.append)
        for index in range(len(source)):
            faults += source.faults(index)
        faults += source.orphans()
    for fault in faults:
        sentence = str(fault)
        assert sentence and "\n" not in sentence.strip() and "Traceback" not in sentence


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The file cut short, with other bytes, other words, other numbers, or of another encoding."""
    way = dice.randrange(7)
    at = dice.randrange(max(1, len(content)))
    if way == 0:
        return content[:at]
    if way == 1:
        return content[:at] + bytes(dice.randrange(256) for _ in range(8)) + content[at + 8 :]
    if way == 2:
        return content.decode("utf-8").encode("utf-16")
    words = [b"null", b"NaN", b"1e999", b"-1", b"[]", b"{}", b'"x"', b"true", b"9" * 400, b""]
    old = [b"0", b"1", b"2", b"3", b'"', b"[", b"{", b",", b":", b" ", b"cat", b">"]
    word = dice.choice(words)
    if way == 3:
        return content.replace(dice.choice(old), word)
    parts = content.split(seam := dice.choice(old))
    if len(parts) > 1:
        place = dice.randrange(1, len(parts))
        return seam.join(parts[:place]) + word + seam.join(parts[place:])
    return word


@pytest.mark.parametrize("name", LAYOUTS)
def test_damage_is_one_sentence(name: str, tmp_path: Path) -> None:
    """Seeded; a file that still reads is fine, a bare traceback is not."""
    laid = LAYOUTS[name]
    laid.lay(tmp_path, IMAGES)
    files = sorted(tmp_path.glob(laid.files))
    whole = {file: file.read_bytes() for file in files}
    assert files
    dice = random.Random(name)
    told = 0
    for _ in range(60):
        file = dice.choice(files)
        file.write_bytes(damaged(whole[file], dice))
        try:
            opened_whole(tmp_path)
        except DataError as error:
            told += 1
            assert str(error) and "\n" not in str(error).strip()
        file.write_bytes(whole[file])
    assert told < 60  # some damage is to be told apart from the end of it all


@pytest.mark.parametrize("name", LAYOUTS)
def test_missing_images_are_told(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].lay(tmp_path, IMAGES)
    gone = next(tmp_path.rglob("a.png"))
    gone.unlink()
    faults: list[CVTasksError] = []
    source = open_source(str(tmp_path), only_split(tmp_path), Boxes, faults.append)
    assert "a" not in {source.name(index) for index in range(len(source))}
    faults += source.orphans()
    assert {fault.rule for fault in faults} & {"image missing", "annotation without image"}


def test_a_class_that_the_list_lacks_is_a_fault(tmp_path: Path) -> None:
    LAYOUTS["labelme"].lay(tmp_path, IMAGES)
    write(tmp_path / "classes.txt", "cat\ntraffic light\n")
    source = open_source(str(tmp_path), "", Boxes)
    assert [fault.rule for index in range(len(source)) for fault in source.faults(index)] == [
        "class unknown"
    ] * 2
