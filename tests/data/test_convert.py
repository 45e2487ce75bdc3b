"""Data sets written anew: every format into every other, nothing lost in silence, nothing
overwritten; and the commands.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels, Mask
from cvtasks.data import Source, open_source, splits_of
from cvtasks.data.checking.statistics import statistics
from cvtasks.data.views import Renamed, Subset
from cvtasks.data.writing.convert import convert, writers_of
from cvtasks.errors import DataError, UsageError
from cvtasks.formats.coco import coco_document

CLASSES = ("zebra", "cat")
OF_BOXES = writers_of(Boxes)
TRUTHS = {
    "b": Boxes.of([[1, 2, 20, 30.25], [0, 0, 40, 32]], [1, 0], CLASSES, (32, 40)),
    "a": Boxes.of([], [], CLASSES, (20, 30)),
    "c": Boxes.of([[29, 39, 30, 40]], [1], CLASSES, (40, 30)),
}
MARKED = Boxes.of(
    [[1, 1, 5, 5], [2, 2, 7, 7], [3, 3, 9, 9]],
    [0, 1, 1],
    CLASSES,
    (20, 30),
    difficult=[0, 1, 0],
    crowd=[0, 0, 1],
)


def lay(
    root: Path, truths: dict[str, Boxes], split: str = "train", folder: str = "images"
) -> Source:
    """A COCO data set."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    for number, (name, truth) in enumerate(truths.items()):
        Image.fromarray(np.full((*truth.size, 3), number, np.uint8)).save(
            root / folder / f"{name}.png"
        )
    document = coco_document([(f"{name}.png", truth) for name, truth in truths.items()], CLASSES)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / f"{split}.json").write_text(json.dumps(document))
    return opened(root, split)


def opened(root: Path, split: str) -> Source:
    source = open_source(str(root), split, Boxes)
    assert list(source.problems()) == []
    return source


def content(source: Source) -> dict[str, tuple]:
    """What a data set says, in whatever order."""
    truths = {name: source.truth(index) for index, name in enumerate(source.names)}
    images = {
        name: path.read_bytes() for name, path in zip(source.names, source.images, strict=True)
    }
    return {
        name: (t.names, t.xyxy.round(4).tolist(), t.difficult.tolist(), images[name])
        for name, t in truths.items()
    }


@pytest.mark.parametrize("there", OF_BOXES)
@pytest.mark.parametrize("back", OF_BOXES)
def test_every_format_becomes_every_other(tmp_path: Path, there: str, back: str) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    assert convert(first, there, tmp_path / "second", "val") == []
    assert convert(opened(tmp_path / "second", "val"), back, tmp_path / "third", "test") == []
    third = opened(tmp_path / "third", "test")
    assert content(third) == content(first)
    assert third.classes == CLASSES
    assert third.remarks() == []


@pytest.mark.parametrize("to", OF_BOXES)
def test_splits_are_added_and_never_overwritten(tmp_path: Path, to: str) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    for split in ("train", "val"):
        convert(first, to, tmp_path / "second", split)
    before = {
        path: path.read_bytes() for path in (tmp_path / "second").rglob("*") if path.is_file()
    }
    with pytest.raises(DataError, match=r"exists, and nothing is overwritten"):
        convert(first, to, tmp_path / "second", "val")
    assert {
        path: path.read_bytes() for path in (tmp_path / "second").rglob("*") if path.is_file()
    } == before
    assert (
        content(opened(tmp_path / "second", "train"))
        == content(opened(tmp_path / "second", "val"))
        == content(first)
    )


@pytest.mark.parametrize("to", ["voc", "yolo"])
def test_splits_have_the_same_classes(tmp_path: Path, to: str) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    convert(first, to, tmp_path / "second", "train")
    first.classes = ("zebra", "dog")
    with pytest.raises(DataError, match="says zebra, cat, the new one has zebra, dog"):
        convert(first, to, tmp_path / "second", "val")


def test_what_a_format_cannot_say_is_said(tmp_path: Path) -> None:
    first = lay(tmp_path / "first", {"a": MARKED})
    said = {to: convert(first, to, tmp_path / to, "train") for to in OF_BOXES}
    left_out = "knows neither difficult objects nor crowds, these were left out: 2"
    shown = 'LabelMe shows neither difficult objects nor crowds, these were marked "difficult": 2'
    others = {
        "cvat": "CVAT",
        "label-studio": "Label Studio",
        "via": "VIA",
        "createml": "Create ML",
        "tensorflow-csv": "TensorFlow's table",
    }
    assert said == {
        **{to: [f"{tool} {left_out}"] for to, tool in others.items()},
        "labelme": [shown],
        "coco": [],
        "voc": ["Pascal VOC knows no crowds, these became difficult: 1"],
        "yolo": ["YOLO knows neither difficult objects nor crowds, these were left out: 2"],
    }
    read = {to: opened(tmp_path / to, "train").truth(0) for to in OF_BOXES}
    assert read["coco"].difficult.tolist() == MARKED.difficult.tolist()
    assert read["coco"].crowd.tolist() == MARKED.crowd.tolist()
    assert read["voc"].difficult.tolist() == [False, True, True]
    assert read["labelme"].difficult.tolist() == [False, True, True]
    assert {len(read[to]) for to in ("yolo", *others)} == {1}


@pytest.mark.parametrize("to", sorted({*OF_BOXES} - {"coco", "yolo"}))
def test_what_names_cannot_hold_is_said_of_the_format_that_is_written(
    to: str, tmp_path: Path
) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    first.classes = ("zebra\a", " cat")
    (said,) = convert(first, to, tmp_path / "new", "train")
    assert said == f'the format "{to}" has names in one line; characters of these were escaped: 2'
    assert set(opened(tmp_path / "new", "train").classes) == {"zebra\\x07", "\\x20cat"}
    first.classes = ("cat\n", "cat\\n")
    with pytest.raises(DataError, match=f'the format "{to}" has every name in one line'):
        convert(first, to, tmp_path / "other", "train")


def test_another_image_of_the_same_name_is_not_taken_for_it(tmp_path: Path) -> None:
    convert(lay(tmp_path / "first", TRUTHS), "voc", tmp_path / "out", "train")
    other = lay(tmp_path / "other", {"c": TRUTHS["c"], "b": TRUTHS["b"]})
    with pytest.raises(DataError, match="exists and is another image"):
        convert(other, "voc", tmp_path / "out", "val")
    assert not (tmp_path / "out" / "ImageSets" / "Main" / "val.txt").exists()


def test_two_images_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    first.names = ["x/y", "x-y", "z"]
    with pytest.raises(DataError, match=r"x-y.png and x-y.png would share one"):
        convert(first, "yolo", tmp_path / "out", "train")


@pytest.mark.parametrize(
    ("to", "split", "message"),
    [
        ("vco", "train", r"one of coco, csv, voc, yolo, .*; got 'vco'\. Did you mean \"voc\""),
        (
            "yolo",
            "trainval",
            "split of a yolo data set must be one of train, val, test; got 'trainval'",
        ),
        ("coco", "", "must be a plain word; got ''"),
        ("voc", "../x", "must be a plain word; got '../x'"),
    ],
)
def test_a_wrong_wish_is_refused_before_anything_is_written(
    tmp_path: Path, to: str, split: str, message: str
) -> None:
    first = lay(tmp_path / "first", TRUTHS)
    with pytest.raises(UsageError, match=message):
        convert(first, to, tmp_path / "out", split)
    assert not (tmp_path / "out").exists()


# === what a data set holds ===


def test_statistics_of_boxes(tmp_path: Path) -> None:
    zebra, cat = statistics(lay(tmp_path, {**TRUTHS, "d": MARKED}))
    assert zebra == {
        "class": "zebra",
        "objects": 2,
        "images": 2,
        "difficult": 0,
        "crowds": 0,
        "width": 22.0,
        "height": 18.0,
        "small": 7.2,
        "large": 32.6,
    }
    assert (cat["objects"], cat["images"], cat["difficult"], cat["crowds"]) == (4, 3, 1, 1)


def test_statistics_of_a_class_that_is_not_there(tmp_path: Path) -> None:
    rows = statistics(lay(tmp_path, {"a": TRUTHS["a"]}))
    assert [(row["objects"], row["width"]) for row in rows] == [(0, None), (0, None)]


def test_statistics_of_masks(shapes: Path) -> None:
    source = open_source(str(shapes), "val", Mask)
    rows = statistics(source)
    assert [row["class"] for row in rows] == list(source.classes)
    assert sum(row["share"] for row in rows) == pytest.approx(1, abs=1e-5)
    assert rows[0]["images"] == len(source)


# === the commands ===


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """`cli(*arguments)`: exit code, stdout and stderr of the command line."""
    from cvtasks.cli import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cvtasks", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capsys.readouterr()

    return run


def test_check_says_that_all_is_well_or_what_is_not(cli: Callable, tmp_path: Path) -> None:
    source = lay(tmp_path, TRUTHS)
    code, out, err = cli("data", "check", f"{tmp_path}:train")
    assert code == 0
    assert "error" not in out
    assert "COCO JSON" in err
    assert "no error, " in err
    source.images[0].write_bytes(b"nothing")
    code, out, err = cli("data", "check", f"{tmp_path}:train")
    assert code == 5
    assert "b.png" in out
    assert "1 error and " in err


def test_stats_are_a_table_or_json(cli: Callable, tmp_path: Path) -> None:
    rows = statistics(lay(tmp_path, TRUTHS))
    assert json.loads(cli("data", "stats", "--json", f"{tmp_path}:train")[1]) == rows
    head, *lines = cli("data", "stats", f"{tmp_path}:train")[1].splitlines()
    assert head.split() == list(rows[0])
    assert [line.split()[0] for line in lines] == list(CLASSES)


def test_convert_writes_what_the_source_says(cli: Callable, tmp_path: Path) -> None:
    first = lay(tmp_path / "first", {**TRUTHS, "d": MARKED})
    code, out, err = cli(
        "data",
        "convert",
        f"{tmp_path / 'first'}:train",
        tmp_path / "second",
        "--to",
        "voc",
        "--split",
        "new",
    )
    assert (code, out) == (0, "")
    assert "these became difficult: 1" in err
    assert content(opened(tmp_path / "second", "new")).keys() == content(first).keys()


def test_a_part_with_other_names_is_written_like_any_source(tmp_path: Path) -> None:
    source = lay(tmp_path / "voc", TRUTHS)
    names = {source.classes[0]: "lynx"}
    convert(Subset(Renamed(source, names), [0]), "coco", tmp_path / "coco", "train")
    back = opened(tmp_path / "coco", "train")
    assert (len(back), back.classes[0]) == (1, "lynx")


# === masks and labels ===

MASK_CLASSES = ("background", "cat", "dog")
OF_MASKS = writers_of(Mask)


def masks_in(folder: Path, split: str) -> dict[str, Mask]:
    source = open_source(str(folder), split, Mask)
    assert list(source.problems()) == [] and source.classes == MASK_CLASSES
    return {source.name(index): source.truth(index) for index in range(len(source))}


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """Images and masks with discs, one within another, and void around one."""
    (tmp_path / "old" / "images").mkdir(parents=True)
    (tmp_path / "old" / "masks").mkdir()
    (tmp_path / "old" / "classes.txt").write_text("\n".join(MASK_CLASSES))
    for number, void in enumerate((False, True, False)):
        ids = np.zeros((40, 60), np.uint8)
        cv2.circle(ids, (25 + 5 * number, 20), 15, 255 if void else 1, -1)
        cv2.circle(ids, (25 + 5 * number, 20), 12 if void else 7, 1 if void else 2, -1)
        Image.fromarray(ids).save(tmp_path / "old" / "masks" / f"{number}.png")
        Image.fromarray(np.full((40, 60, 3), 60 * number, np.uint8)).save(
            tmp_path / "old" / "images" / f"{number}.png"
        )
    return tmp_path / "old"


@pytest.mark.parametrize("to", OF_MASKS)
def test_masks_are_read_back_by_the_formats_own_reader(
    to: str, painted: Path, tmp_path: Path
) -> None:
    old = open_source(str(painted), "", Mask)
    kept = to == "masks"
    for split in ("train", "val"):
        said = convert(old, to, tmp_path / "new", split)
        assert [text.rpartition(": ")[2] for text in said] == ([] if kept else ["1"]), said
    assert set(splits_of(str(tmp_path / "new"), Mask)) == {"train", "val"}
    new = masks_in(tmp_path / "new", "val")
    for name, mask in masks_in(painted, "").items():
        wanted = mask.ids if kept else np.where(mask.ids == 255, 0, mask.ids)
        least = 1 if to in ("masks", "coco") else 0.85
        for label in np.unique(wanted):
            both = (wanted == label) & (new[name].ids == label)
            either = (wanted == label) | (new[name].ids == label)
            assert both.sum() / either.sum() >= least, (to, name, label)


@pytest.mark.parametrize("to", ["list", "csv"])
def test_labels_become_lists_and_tables(to: str, tmp_path: Path) -> None:
    (tmp_path / "old" / "b b").mkdir(parents=True)
    (tmp_path / "old" / "a").mkdir()
    for number, label in enumerate(("b b", "a", "b b")):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / "old" / label / f"{number}.png")
    old = open_source(str(tmp_path / "old"), "", Labels)
    for split in ("train", "val"):
        assert convert(old, to, tmp_path / "new", split) == []
    new = open_source(str(tmp_path / "new"), "val", Labels)
    assert list(new.problems()) == [] and new.classes == old.classes == ("a", "b b")
    assert [new.truth(i).names for i in range(3)] == [old.truth(i).names for i in range(3)]
    assert [file.parent.name for file in new.files] == ["val"] * 3


def test_labels_of_boxes_lose_what_a_list_cannot_hold(tmp_path: Path) -> None:
    lay(tmp_path / "old", TRUTHS)
    old = open_source(str(tmp_path / "old"), "train", Labels)
    (said,) = convert(old, "list", tmp_path / "new", "train")
    assert said.endswith("such images: 2"), "one shows two classes, one none"
    assert len(open_source(str(tmp_path / "new"), "train", Labels)) == 2


def test_a_table_holds_none_and_several_labels(tmp_path: Path) -> None:
    lay(tmp_path / "old", TRUTHS)
    old = open_source(str(tmp_path / "old"), "train", Labels)
    assert convert(old, "csv", tmp_path / "new", "train") == []
    new = open_source(str(tmp_path / "new"), "train", Labels)
    assert new.classes == old.classes
    assert sorted(new.truth(i).names for i in range(3)) == [(), ("cat",), ("zebra", "cat")]


@pytest.mark.parametrize("to", ["yolo", "voc", "csv", "list"])
def test_what_a_format_cannot_hold_is_refused(to: str, shapes: Path, tmp_path: Path) -> None:
    source = open_source(str(shapes), "val", Mask)
    with pytest.raises(UsageError, match=rf"as one of coco, .*masks; '{to}' cannot hold it"):
        convert(source, to, tmp_path / "new", "train")
    assert not (tmp_path / "new").exists()
