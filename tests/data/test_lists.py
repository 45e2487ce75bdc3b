"""Lists of names that are the splits of data: written by `data split`, or by hand."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.data.dividing import Shares
from cvtasks.data.formats.listed import Names
from cvtasks.data.opening import open_sources
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.errors import CVTasksError, DataError, UsageError
from cvtasks.formats.voc import voc_xml
from cvtasks.training.plan import planned


def labelled(root: Path, count: int = 20) -> Path:
    """A YOLO set of two classes, every image another; one split."""
    rng = np.random.default_rng(1)
    for number in range(count):
        path = root / "images" / f"im{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        label = root / "labels" / f"im{number:02d}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(f"{number % 2} .5 .5 .5 .5\n")
    (root / "data.yaml").write_text("train: images\nnames: [hen, fox]\n")
    return root


def lists(folder: Path, **names: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in names.items():
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


def lines_of(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()


SMALL = [("backbone", "tiny"), ("size", 64)]


def test_split_writes_lists_that_are_data_for_every_command(tmp_path: Path, cli) -> None:
    root, out = labelled(tmp_path / "set"), tmp_path / "splits"
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    code, shown, said = cli("data", "split", root, "-o", out)
    assert code == 0, said
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in out.iterdir()) == [
        "split.json",
        "test.txt",
        "train.txt",
        "val.txt",
    ]
    parts = {name: lines_of(out, name) for name in ("train", "val", "test")}
    assert {name: len(part) for name, part in parts.items()} == {"train": 14, "val": 4, "test": 2}
    assert sorted(line for part in parts.values() for line in part) == [
        f"im{number:02d}" for number in range(20)
    ]
    head, hen, fox, total = shown.splitlines()
    assert head.split() == ["class", "train", "objects", "val", "objects", "test", "objects"]
    assert (hen.split(), fox.split()) == (
        ["hen", "7", "7", "2", "2", "1", "1"],
        ["fox", "7", "7", "2", "2", "1", "1"],
    )
    assert total.split() == ["all", "14", "4", "2"]
    assert max(map(len, shown.splitlines())) <= 80
    assert splits_of(str(out), Boxes) == ("train", "val", "test")
    source = open_source(str(out), "validation", Boxes)
    assert [source.name(index) for index in range(len(source))] == sorted(parts["val"])
    assert (source.split, source.format) == ("val", "YOLO")
    for where in (("data.path", str(out)),), (("data.path", str(root)), ("data.lists", str(out))):
        made = planned("detect", [*where, *SMALL]).recipe
        assert (made.data.train, made.data.validate, made.data.held_out) == ("train", "val", 0)
        opened = open_sources(made)
        assert (len(opened.train), len(opened.validate)) == (14, 4)
        assert len(open_to_evaluate(made, tmp_path, "").source) == 4
    code, shown, said = cli("data", "stats", root, "--lists", out)
    tables = [line.split()[2] for line in shown.splitlines() if line.startswith("fox")]
    assert (code, tables) == (0, ["7", "2", "1"]), said
    assert [line for line in shown.splitlines() if line[:-1] in parts] == [
        "train:",
        "val:",
        "test:",
    ]
    code, _, said = cli("data", "stats", root, "--lists", out, "--json")
    assert (code, "one split must be named" in said) == (5, True)
    for data in ([f"{out}:test"], [f"{root}:test", "--lists", out]):
        code, shown, said = cli("data", "stats", "--json", *data)
        assert (code, [row["images"] for row in json.loads(shown)]) == (0, [1, 1]), said
    code, shown, said = cli("data", "check", out)
    assert (code, "splits: train 14, val 4, test 2" in said) == (0, True)


def test_the_same_seed_gives_the_same_lists_and_nothing_is_overwritten(tmp_path: Path, cli) -> None:
    root = labelled(tmp_path / "set")
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert cli("data", "split", root, "-o", tmp_path / out, "--seed", seed)[0] == 0
    same, other = lines_of(tmp_path / "b", "val"), lines_of(tmp_path / "c", "val")
    assert lines_of(tmp_path / "a", "val") == same != other
    code, _, said = cli("data", "split", root, "-o", tmp_path / "a")
    assert (code, "exists" in said) == (2, True)


def test_folds_are_folders_of_lists(tmp_path: Path, cli) -> None:
    root, out = labelled(tmp_path / "set"), tmp_path / "folds"
    code, shown, said = cli("data", "split", root, "-o", out, "--folds", "5", "--json")
    assert code == 0, said
    document = json.loads(shown)
    assert document["images"] == {
        f"fold{fold}/{name}": count
        for fold in range(5)
        for name, count in (("train", 16), ("val", 4))
    }
    every = [line for fold in range(5) for line in lines_of(out / f"fold{fold}", "val")]
    assert len(every) == len(set(every)) == 20
    assert not set(lines_of(out / "fold1", "val")) & set(lines_of(out / "fold1", "train"))
    assert len(open_source(str(out / "fold3"), "val", Boxes)) == 4
    with pytest.raises(DataError, match=r"Name one fold, such as .*fold0"):
        open_source(str(root), "val", Boxes, lists=str(out))
    code, shown, said = cli(
        "data", "split", root, "-o", tmp_path / "f3", "--folds", 3, "--test", 0.1
    )
    assert code == 0, said
    assert len(lines_of(tmp_path / "f3" / "fold2", "test")) == 2
    assert max(map(len, shown.splitlines())) <= 80


def test_groups_are_kept_whole(tmp_path: Path, cli) -> None:
    root = labelled(tmp_path / "set")
    code, _, said = cli("data", "split", root, "-o", tmp_path / "a", "--group-by", r"^im(\d)")
    assert (code, "groups: 2; images without one: 0" in said) == (5, True), said
    (tmp_path / "g.csv").write_text(
        "name,group\n" + "".join(f"im{number:02d},g{number // 4}\n" for number in range(16))
    )
    out = tmp_path / "b"
    code, _, said = cli(
        "data", "split", root, "-o", out, "--groups", tmp_path / "g.csv", "--test", 0
    )
    assert (code, "groups: 4; images without one: 4" in said) == (0, True), said
    inside = [
        {int(line[2:]) // 4 for line in lines_of(out, name) if int(line[2:]) < 16}
        for name in ("train", "val")
    ]
    assert not inside[0] & inside[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--val", "0.6", "--test", "0.5"), "below 1 together"),
        (("--val", "0", "--test", "0"), "above 0"),
        (("--val", "-0.1"), "0 or more"),
        (("--folds", "1"), "2 to 100 folds"),
        (("--folds", "0"), "2 to 100 folds"),
        (("--folds", "2", "--val", "0.3"), "got --folds 2 and --val 0.3"),
        (("--seed", "-1"), "Invalid value for '--seed'"),
        (("--seed", "2147483648"), "Invalid value for '--seed'"),
        (("--group-by", "x", "--groups", "y.csv"), "got both"),
        (("--group-by", "["), "regular expression"),
    ],
)
def test_what_cannot_be_dealt_out_is_wrong_use(
    options: tuple[str, ...], words: str, tmp_path: Path, cli
) -> None:
    code, _, said = cli(
        "data", "split", labelled(tmp_path / "set", 4), "-o", tmp_path / "o", *options
    )
    assert (code, words in said) == (2, True), said
    assert not (tmp_path / "o").exists()


def test_shares_say_what_is_least() -> None:
    assert Shares(0.2, 0.1).least == pytest.approx(0.1)
    assert Shares(0.2, 0, 5).least == pytest.approx(0.2)
    assert Shares(0.7, 0).least == pytest.approx(0.3)
    with pytest.raises(UsageError):
        Shares(float("nan"), 0.1)
    for seed in (-1, 2**31):
        with pytest.raises(UsageError, match=f"from 0 to 2147483647; got {seed}"):
            Shares(seed=seed)
    with pytest.raises(UsageError, match="2 to 100 folds; got 0"):
        Shares(folds=0)


def test_shares_that_cannot_be_had_are_told(tmp_path: Path, cli) -> None:
    root = labelled(tmp_path / "set")
    code, _, said = cli("data", "split", root, "-o", tmp_path / "a")
    assert (code, "asked for" in said) == (0, False), said
    (tmp_path / "g.csv").write_text("".join(f"im{n:02d},g{n // 7}\n" for n in range(20)))
    code, _, said = cli("data", "split", root, "-o", tmp_path / "c", "--groups", tmp_path / "g.csv")
    assert code == 0, said
    assert "data: asked for test 10% and got 3" in said, said


def test_what_becomes_of_the_first_line_of_groups_is_said(tmp_path: Path, cli) -> None:
    root, lines = labelled(tmp_path / "set"), "im00,p1\nim01,p1\n"
    for first, words in (
        ("scan,patient", "groups: the first line, 'scan,patient', is taken for a heading\n"),
        ("im99.png,p1", "not one alone: 1, 'im99.png' in line 1\n"),
    ):
        (tmp_path / "g.csv").write_text(f"{first}\n{lines}")
        out = tmp_path / first
        code, _, said = cli("data", "split", root, "-o", out, "--groups", tmp_path / "g.csv")
        assert code == 0 and words in said, said


# === lists by hand ===


def complaints(root: Path, folder: Path, split: str) -> tuple[int, list[CVTasksError]]:
    found: list[CVTasksError] = []
    return len(open_source(str(root), split, Boxes, found.append, lists=str(folder))), found


def test_lines_are_names_or_files(tmp_path: Path) -> None:
    root = labelled(tmp_path / "set")
    folder = lists(
        tmp_path / "l",
        train=["im00", "im01.png", "images/im02.png", "C:\\x\\im03.png", ""],
        val=["im04"],
    )
    assert complaints(root, folder, "train") == (4, [])


def test_a_line_with_a_folder_means_no_image_of_another(tmp_path: Path) -> None:
    for kind, numbers in (("cat", range(3)), ("dog", range(2))):
        for number in numbers:
            path = tmp_path / "set" / "train" / kind / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            shade = 9 * number + (kind == "cat")
            cv2.imwrite(str(path), np.full((8, 8, 3), shade, np.uint8))
    source = open_source(str(tmp_path / "set"), "train", Labels)
    names = Names.of(source)
    lines = {
        "cat/0": "cat/0",
        "cat/0.png": "cat/0",
        "set/train/dog/1.png": "dog/1",
        "C:\\old\\train\\dog\\1.png": "dog/1",
        "photos/2.png": "cat/2",  # no folder of the data, and one image alone is called so
        "2": "cat/2",
        "dog/2.png": None,
        "dog/2": None,
        "val/cat/2.png": None,
        "photos/0.png": None,
        "0": None,
        "": None,
    }
    found = {line: names.find(line) for line in lines}
    assert {
        line: None if index is None else source.name(index) for line, index in found.items()
    } == lines


def test_samples_of_one_name_are_not_looked_through_for_each_line(monkeypatch) -> None:
    asked = []
    folders_of = Names._folders_of
    monkeypatch.setattr(
        Names, "_folders_of", lambda self, index: asked.append(index) or folders_of(self, index)
    )
    samples = [f"{kind}/{number:05}" for kind in range(200) for number in range(3)]
    names = Names(samples, [Path(f"/set/train/{name}.png") for name in samples])
    for index, name in enumerate(samples):
        assert names.find(f"train/{name}.png") == index
        assert names.find(f"C:\\old\\train\\{name}") == index
    assert len(asked) < 12 * len(samples)
    asked.clear()
    assert [names.find(f"{name}.png") for name in samples] == [*range(len(samples))]
    assert [names.find(f"train/{name}.png") for name in samples] == [*range(len(samples))]
    assert not asked  # a path as it is, and a line that was met before


def test_each_fault_of_a_list_is_one_sentence_in_train_and_check(tmp_path: Path, cli) -> None:
    root = labelled(tmp_path / "set")
    cases = {
        "none": ({"train": ["x1", "x2"], "val": ["im01"]}, "none of 2 is there"),
        "some": ({"train": ["im00", "x2"], "val": ["im01"]}, "1 of .* names none: 'x2'"),
        "twice": ({"train": ["im00", "im00.png"], "val": ["im01"]}, "names 'im00.png' again"),
        "both": ({"train": ["im00", "im02"], "val": ["im01", "im02"]}, "in one list; 1 of"),
        "empty": ({"train": ["im00", "im02"], "val": []}, "names none. Write names into it"),
    }
    for name, (content, words) in cases.items():
        folder = lists(tmp_path / name, **content)
        code, shown, said = cli("data", "check", root, "--lists", folder)
        assert (code, bool(re.search(words, " ".join(shown.split())))) == (5, True), (
            name,
            shown,
            said,
        )
        assert max(map(len, shown.splitlines())) <= 80
        code, _, said = cli(
            *("train", "detect", "--data", root, "--set", f"data.lists={folder}", "--dry-run"),
            *("--backbone", "tiny", "--size", "64"),
        )
        assert (code, bool(re.search(words, said))) == (5, True), (name, said)
        assert "Traceback" not in said


def test_trainval_may_hold_both(tmp_path: Path) -> None:
    root = labelled(tmp_path / "set")
    folder = lists(tmp_path / "l", train=["im00"], val=["im01"], trainval=["im00", "im01"])
    assert complaints(root, folder, "trainval") == (2, [])
    assert complaints(root, folder, "train") == (1, [])


def test_lists_choose_from_the_split_that_has_their_names(tmp_path: Path) -> None:
    for split, count in (("train", 6), ("test", 3)):
        for kind in ("cat", "dog"):
            for number in range(count):
                path = tmp_path / "set" / split / kind / f"{split}{kind}{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), np.full((8, 8, 3), number * 9 + (kind == "cat"), np.uint8))
    folder = lists(
        tmp_path / "l", train=["traincat0", "traindog1"], val=["traincat2"], test=["testdog0"]
    )
    opened = {
        split: open_source(str(tmp_path / "set"), split, Labels, lists=str(folder))
        for split in ("train", "val", "test")
    }
    assert {split: len(source) for split, source in opened.items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }


def test_a_record_of_data_that_are_gone_says_so(tmp_path: Path, cli) -> None:
    root, out = labelled(tmp_path / "set"), tmp_path / "out"
    assert cli("data", "split", root, "-o", out)[0] == 0
    root.rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"'.*set' is none"):
        open_source(str(out), "val", Boxes)
    assert len(open_source(str(tmp_path / "moved"), "val", Boxes, lists=str(out))) == 4
    (out / "split.json").write_text("[]")
    with pytest.raises(DataError, match="Split the data again"):
        open_source(str(out), "val", Boxes)
    shutil.rmtree(out)


def two_years(root: Path) -> Path:
    """A devkit of two years with ten images each, `2007_0` … and `2012_0` …."""
    rng = np.random.default_rng(2)
    for year in ("2007", "2012"):
        place = root / f"VOC{year}"
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (place / folder).mkdir(parents=True)
        for number in range(10):
            name, image = f"{year}_{number}", rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
            cv2.imwrite(str(place / f"JPEGImages/{name}.jpg"), image)
            boxes = Boxes.of([[4, 4, 20, 20]], [number % 2], ("cat", "dog"), (32, 40))
            (place / f"Annotations/{name}.xml").write_text(voc_xml(boxes, f"{name}.jpg"))
        names = [f"{year}_{number}\n" for number in range(10)]
        (place / "ImageSets/Main/trainval.txt").write_text("".join(names))
    return root


def test_the_years_of_a_devkit_are_split_together(tmp_path: Path, cli) -> None:
    root, out = two_years(tmp_path / "VOCdevkit"), tmp_path / "splits"
    code, _, said = cli("data", "split", f"{root}:2007-trainval+2012-trainval", "-o", out)
    assert code == 0, said
    parts = {name: lines_of(out, name) for name in ("train", "val", "test")}
    assert [len(part) for part in parts.values()] == [14, 4, 2]
    assert {line[:4] for line in parts["train"]} == {"2007", "2012"}
    (out / "split.json").rename(tmp_path / "split.json")
    for where in ((str(root), str(out)), (str(out), "")):  # without the record, and with it
        if not where[1]:
            (tmp_path / "split.json").rename(out / "split.json")
        for name, lines in parts.items():
            source = open_source(where[0], name, Boxes, lists=where[1])
            assert sorted(source.name(index) for index in range(len(source))) == sorted(lines)
            assert not any("in no list" in note for note in source.notes)
    (out / "test.txt").unlink()  # as if its two images had come later
    said = open_source(str(out), "val", Boxes).remarks()
    (note,) = (one for one in said if "in no list" in one)
    assert f"not used: 2 ({', '.join(sorted(parts['test']))})" in note
    own = lists(tmp_path / "own", train=parts["train"], val=parts["val"])
    assert not open_source(str(root), "val", Boxes, lists=str(own)).notes  # they may choose


def test_a_list_of_one_year_reads_that_year_alone(tmp_path: Path) -> None:
    root = two_years(tmp_path / "VOCdevkit")
    own = lists(tmp_path / "own", train=["2012_0", "2012_1", "strange"], val=["2007_0", "2012_2"])
    complaints: list[DataError] = []
    source = open_source(str(root), "train", Boxes, complaints.append, lists=str(own))
    assert ([source.name(0), source.name(1)], len(source)) == (["2012_0", "2012_1"], 2)
    assert [(error.rule, error.count) for error in complaints] == [("list names no image", 1)]


def test_lists_that_name_nothing_say_how_they_were_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "data" / name / f"{name}.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/train.txt").write_bytes("Hündin\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"and read as Windows-1252, such as 'Hündin': train\.txt"):
        open_source(str(tmp_path / "data"), "train", Labels, lists=str(tmp_path / "lists"))
