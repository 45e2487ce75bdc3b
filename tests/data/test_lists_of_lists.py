"""Lists that `data split` makes of lists, and of data that are called by a name."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.data.together import keys_by_pattern


def boxes_of(root: Path, count: int = 20) -> Path:
    """A YOLO set of two classes, every image another; one split."""
    rng = np.random.default_rng(1)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        image = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(root / "images" / f"im{number:02d}.png"), image)
        (root / "labels" / f"im{number:02d}.txt").write_text(f"{number % 2} .5 .5 .5 .5\n")
    (root / "data.yaml").write_text("train: images\nnames: [hen, fox]\n")
    return root


def trees_of(root: Path, splits: tuple[str, ...] = ("",), count: int = 6) -> Path:
    """Folders of two classes, every image another."""
    rng = np.random.default_rng(2)
    for split in splits:
        for kind in ("cat", "dog"):
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                image = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
                cv2.imwrite(str(root / split / kind / f"{split}{kind}{number}.png"), image)
    return root


def named(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def test_a_list_is_split_again_and_is_of_the_same_data(tmp_path: Path, cli) -> None:
    root, first, again = boxes_of(tmp_path / "set"), tmp_path / "x", tmp_path / "f"
    assert cli("data", "split", root, "-o", first, "--val", 0.3, "--test", 0)[0] == 0
    code, _, said = cli("data", "split", f"{first}:train", "-o", again, "--folds", 3)
    assert code == 0, said
    record = json.loads((again / "fold1" / "split.json").read_text())
    assert {key: record[key] for key in ("data", "split", "within")} == {
        "data": str(root),
        "split": "train",
        "within": str(first),
    }
    every = []
    for fold in range(3):
        source = open_source(str(again / f"fold{fold}"), "val", Boxes)
        every += [source.name(index) for index in range(len(source))]
        assert not [note for note in source.notes if "in no list" in note]
    assert sorted(every) == sorted(named(first, "train"))
    code, _, said = cli("data", "split", f"{again / 'fold0'}:train", "-o", tmp_path / "third")
    assert code == 0, said
    assert len(open_source(str(tmp_path / "third"), "train", Boxes))


def test_a_list_split_again_keeps_format_hints_and_split(tmp_path: Path, cli) -> None:
    root, first, again = (
        trees_of(tmp_path / "set", ("train", "test")),
        tmp_path / "x",
        tmp_path / "y",
    )
    hinted = ("--format", "class-folders", "--task", "classify")
    code, _, said = cli("data", "split", f"{root}:train", "-o", first, "--test", 0, *hinted)
    assert code == 0, said
    code, _, said = cli("data", "split", f"{first}:train", "-o", again, "--task", "classify")
    assert code == 0, said
    record = json.loads((again / "split.json").read_text())
    assert (record["data"], record["split"], record["format"]) == (
        str(root),
        "train",
        "class-folders",
    )
    assert {open_source(str(again), "val", Labels).name(0)} <= set(named(first, "train"))


def test_a_folder_called_like_a_known_data_set_is_recorded_as_a_folder(
    tmp_path: Path, cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes_of(tmp_path / "voc2012")
    monkeypatch.chdir(tmp_path)
    code, _, said = cli("data", "split", "voc2012", "-o", "x")
    assert code == 0, said
    assert json.loads(Path("x/split.json").read_text())["data"] == str(tmp_path / "voc2012")
    os.chdir("x")  # another folder, where no voc2012 lies
    assert len(open_source(str(tmp_path / "x"), "val", Boxes)) == 4


def test_a_name_that_stands_for_two_data_sets_is_recorded_as_a_name(
    tmp_path: Path, cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cvtasks.data import recognition

    root = boxes_of(tmp_path / "both")
    there = recognition.resolve
    monkeypatch.setattr(
        recognition, "resolve", lambda data: root if data == "voc2007+2012" else there(data)
    )
    code, _, said = cli("data", "split", "voc2007+2012", "-o", tmp_path / "x")
    assert code == 0, said
    assert json.loads((tmp_path / "x/split.json").read_text())["data"] == "voc2007+2012"


@pytest.mark.parametrize("splits", [("",), ("train", "test")])
def test_lists_within_the_folders_of_classes_are_no_class(
    splits: tuple[str, ...], tmp_path: Path, cli
) -> None:
    root = trees_of(tmp_path / "set", splits)
    data = f"{root}:train" if splits[0] else root
    for out, more in (("splits", ()), ("folds", ("--folds", 3))):
        code, _, said = cli(
            "data", "split", data, "-o", root / out, "--task", "classify", "--test", 0, *more
        )
        assert code == 0, said
    assert splits_of(str(root), Labels) == tuple(sorted(splits))
    read = open_source(str(root), splits[0], Labels)
    assert (read.classes, len(read), read.notes) == (("cat", "dog"), 12, ())
    code, _, said = cli("data", "check", root, "--task", "classify")
    assert code == 0, said
    learned = open_source(str(root / "folds/fold1"), "train", Labels)
    assert (learned.classes, len(learned)) == (("cat", "dog"), 8)


def test_a_class_that_has_a_split_json_beside_its_images_stays_one(tmp_path: Path) -> None:
    root = trees_of(tmp_path / "set")
    (root / "cat" / "split.json").write_text("{}")
    assert open_source(str(root), "", Labels).classes == ("cat", "dog")


def test_the_bracket_that_took_part_gives_the_group(tmp_path: Path) -> None:
    root = boxes_of(tmp_path / "set", 6)
    for number, name in enumerate(("a1x", "a1y", "b2x", "b2y", "cx", "d")):
        for folder, ending in (("images", "png"), ("labels", "txt")):
            (root / folder / f"im0{number}.{ending}").rename(root / folder / f"{name}.{ending}")
    source = open_source(str(root), "", Boxes)
    found = dict(
        zip(
            map(source.name, range(len(source))),
            keys_by_pattern(source, r"^(a\d+)|^(b\d+)|^d(e)?"),
            strict=True,
        )
    )
    assert found == {"a1x": "a1", "a1y": "a1", "b2x": "b2", "b2y": "b2", "cx": None, "d": None}
    assert keys_by_pattern(source, r"^a\d")[:2] == ["a1", "a1"]
