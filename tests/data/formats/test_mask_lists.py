"""Lists of images at the root of images and masks are their splits."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Answer, Instances, Mask
from cvtasks.data import open_source, splits_of
from cvtasks.data.source import Source
from cvtasks.errors import CVTasksError, DataError

SIZE = (12, 16)


def lay(root: Path, names: str = "abcdef", masks: str = "", folder: str = "masks") -> Path:
    for number, name in enumerate(names):
        for place, array in (
            ("images", np.full((*SIZE, 3), 10 * number, np.uint8)),
            (folder, np.full(SIZE, number % 3, np.uint8)),
        ):
            if place == "images" or not masks or name in masks:
                path = root / place / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    return root


def put(root: Path, **lists: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in lists.items():
        (root / f"{name}.txt").write_text(text, encoding="utf-8")
    return root


def names(source: Source) -> str:
    return "".join(source.name(index) for index in range(len(source)))


def told(root: Path, split: str, kind: type[Answer] = Mask) -> tuple[Source, list[str]]:
    found: list[CVTasksError] = []
    source = open_source(str(root), split, kind, found.append)
    return source, [str(error) for error in found]


@pytest.mark.parametrize("folder", [".", "ImageSets", "ImageSets/Segmentation"])
@pytest.mark.parametrize("kind", [Mask, Instances])
def test_lists_are_the_splits(folder: str, kind: type[Answer], tmp_path: Path) -> None:
    root = lay(tmp_path)
    put(root / folder, train="a\nb.png\nimages/c.png\n\n", val="C:\\x\\images\\d.png\r\n", test="e")
    (root / folder / "notes.txt").write_text("f", encoding="utf-8")
    assert sorted(splits_of(str(root), kind)) == ["test", "train", "val"]
    for split, expected in {"train": "abc", "valid": "d", "test": "e", "train+val": "abcd"}.items():
        source, complaints = told(root, split, kind)
        assert (names(source), complaints) == (expected, [])
        assert source.notes == ("images in no list, and so not read: 1, such as f.png",)
        assert list(source.problems()) == []
    if kind is Mask:
        ids = [int(told(root, "train")[0].truth(index).ids[0, 0]) for index in range(3)]
        assert ids == [0, 1, 2] and len(told(root, "val")[0].classes) == 3


def test_two_folders_of_other_names_have_lists_too(tmp_path: Path) -> None:
    root = put(lay(tmp_path, folder="my labels of 2020"), train="a\nb", val="c")
    (root / "images").rename(root / "photographs")
    assert sorted(splits_of(str(root), Mask)) == ["train", "val"]
    assert names(told(root, "train")[0]) == "ab"


def test_a_line_may_name_the_mask_too(tmp_path: Path) -> None:
    root = lay(tmp_path)
    for place in ("images", "masks"):
        shutil.copy(root / place / "d.png", root / place / "d.png copy.png")
    put(
        root,
        train="images/a.png masks/a.png\n/x/images/b.png,/x/masks/b.png\n",
        val="c.png\tc.png\nimages/d.png copy.png\n",
    )
    source, complaints = told(root, "train")
    assert (names(source), complaints) == ("ab", [])
    assert names(told(root, "val")[0]) == "cd.png copy"
    put(root, train="images/a.png masks/a.png\nimages/b.png masks/d.png\n")
    source, (complaint,) = told(root, "train")
    assert "must be that of its image, here 'b.png'" in complaint
    assert "'images/b.png masks/d.png'" in complaint
    assert told(root, "val")[1] == []


def test_what_is_wrong_with_lists_is_told(tmp_path: Path) -> None:
    root = put(lay(tmp_path), train="a\nb\na\nx\n", val="b\nc\n", test="y\nz\n", dev="")
    source, complaints = told(root, "train")
    assert names(source) == "ab"
    assert [text.split(";")[0] for text in complaints] == [
        "every line of a list must name an image of the data, such as 'a'",
        "a list must name every image once",
        "an image must be in one list",
    ]
    assert "are in 'val.txt' too: 'b'" in complaints[-1]
    with pytest.raises(DataError, match=r"names 'y', 'z', and none of 2 is there"):
        open_source(str(root), "test", Mask)
    with pytest.raises(DataError, match="must name at least one image"):
        open_source(str(root), "dev", Mask)


def test_masks_are_needed_of_the_listed_images_alone(tmp_path: Path) -> None:
    root = put(lay(tmp_path, masks="abc"), train="a\nb", val="c\nd")
    assert told(root, "train")[1] == []
    (complaint,) = told(root, "val")[1]
    assert "d.png" in complaint and "e.png" not in complaint
    (root / "images" / "a.png").unlink()
    source, (complaint,) = told(root, "train")
    assert names(source) == "b" and "name none: 'a'" in complaint
    assert "masks without an image, passed over: 1, such as a.png" in source.notes


def test_folders_of_splits_come_first(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for split, own in (("train", "abc"), ("val", "def")):
        lay(tmp_path / split, own)
        for place in ("images", "masks"):
            (root / place).mkdir(parents=True, exist_ok=True)
            (tmp_path / split / place).rename(root / place / split)
    put(root, train="a", val="b")
    assert names(told(root, "train")[0]) == "abc"


def test_lists_of_a_folder_of_their_own_choose_from_all_of_them(tmp_path: Path) -> None:
    root = put(lay(tmp_path / "data"), train="a\nb\nc", val="d\ne")
    lists = put(tmp_path / "lists", train="a\nd", val="b\ne")
    source = open_source(str(root), "val", Mask, lists=str(lists))
    assert names(source) == "be"


def test_they_are_trained_and_validated_on(tmp_path: Path, cli) -> None:
    root = put(lay(tmp_path / "data"), train="a\nb\nc\nd", val="e\nf")
    code, _, said = cli("data", "check", root, "--task", "segment")
    assert code == 0 and "train" in said and "val" in said, said
