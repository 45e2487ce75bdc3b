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


FOLDERS = [".", "ImageSets", "ImageSets/Segmentation", "ImageSets/Main", "splits"]


@pytest.mark.parametrize("folder", FOLDERS)
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
    assert "must be that of its image, here 'masks/b.png'; 1 of" in complaint
    assert "'images/b.png masks/d.png'" in complaint
    assert told(root, "val")[1] == []


@pytest.mark.parametrize("heading", ["image,mask", '"filename"', "Image\tLabel", "img ; class"])
def test_a_heading_is_no_line(heading: str, tmp_path: Path) -> None:
    root = put(lay(tmp_path), train=f"{heading}\na.png,a.png\nb.png,b.png\n", val="c\nimage,mask\n")
    source, complaints = told(root, "train")
    assert (names(source), complaints) == ("ab", [])
    source, (complaint,) = told(root, "val")
    assert names(source) == "c" and "'image,mask'" in complaint  # not at the top


def test_an_image_called_like_a_column_is_one(tmp_path: Path) -> None:
    root = lay(tmp_path, "ab")
    for place in ("images", "masks"):
        (root / place / "b.png").rename(root / place / "image.png")
    source, complaints = told(put(root, train="image\na"), "train")
    assert (sorted(names(source)), complaints) == (sorted("aimage"), [])


def test_what_is_wrong_with_lists_is_told(tmp_path: Path) -> None:
    root = put(lay(tmp_path), train="a\nb\na\nx\n", val="b\nc\n", test="y\nz\n", dev="")
    source, complaints = told(root, "train")
    assert names(source) == "ab"
    assert [text.split(";")[0] for text in complaints] == [
        "every line of a list must name an image of the data, such as 'a'",
        "a list must name every image once",
        "an image must be in one list",
    ]
    assert "is in 'val.txt' too: 'b'" in complaints[-1]
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
    assert names(source) == "b" and "names none: 'a'" in complaint
    assert "masks without an image, passed over: 1, such as a.png" in source.notes


def test_folders_of_splits_come_first(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for split, own in (("train", "abc"), ("val", "def")):
        lay(tmp_path / split, own)
        for place in ("images", "masks"):
            (root / place).mkdir(parents=True, exist_ok=True)
            (tmp_path / split / place).rename(root / place / split)
    put(root, train="a", val="d")
    source = told(root, "train")[0]
    assert names(source) == "abc"
    assert source.notes == ("folders tell the splits; lists were not read: train.txt, val.txt",)


def test_lists_of_a_folder_of_their_own_choose_from_all_of_them(tmp_path: Path) -> None:
    root = put(lay(tmp_path / "data"), train="a\nb\nc", val="d\ne")
    lists = put(tmp_path / "lists", train="a\nd", val="b\ne")
    source = open_source(str(root), "val", Mask, lists=str(lists))
    assert names(source) == "be"


def test_they_are_trained_and_validated_on(tmp_path: Path, cli) -> None:
    root = put(lay(tmp_path / "data"), train="a\nb\nc\nd", val="e\nf")
    code, _, said = cli("data", "check", root, "--task", "segment")
    assert code == 0 and "train" in said and "val" in said, said


MASK = "lines of lists name masks that are not there; those of the images' own names were taken"


@pytest.mark.parametrize("other", ["v2/gt/{}.png", "old/masks/{}.png", "masks/{}.tif"])
@pytest.mark.parametrize(
    "line", ["images/{0}.png {1}", "{1} images/{0}.png", "/x/images/{0}.png\t{1}"]
)
def test_a_line_that_names_another_file_is_told(other: str, line: str, tmp_path: Path) -> None:
    root = lay(tmp_path)
    text = "".join(line.format(name, other.format(name)) + "\n" for name in "abc")
    put(root, train=text, val="d")
    source, complaints = told(root, "train")
    assert (names(source), complaints) == ("abc", [])
    assert any(note.startswith(MASK) and note.endswith("them: 3") for note in source.notes)
    if ".tif" in other:
        return
    for name in "abc":
        path = root / other.format(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "masks" / "d.png", path)
    (complaint,) = told(root, "train")[1]
    assert "must be that of its image, here 'masks/a.png'; 3 of" in complaint


ALIKE = "differs in its folder, its ending or the case of its letters: {}"
BEHIND = "more behind the name of an image, which was passed over: {}"


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("{}.tif", ALIKE),
        ("{}.PNG", ALIKE),
        ("images/{}.JPG", ALIKE),
        ("images/{0}.tif masks/{0}.png", ALIKE),
        ('"images/{0}.png" "masks/{0}.png"', ""),
        ("masks/{0}.png,images/{0}.png", ""),
        ("{}  1", BEHIND),
        ("{} -1", BEHIND),
        ("{} 1 2 1", BEHIND),
        ("{},0", BEHIND),
        ("images/{}.png 0", BEHIND),
        ("images/{}.png cat", BEHIND),
        ('"images/{}.png"', ""),
        ("./images/{}.png,", ""),
        ("masks/{}.png", ""),
        ("{}_mask.png", ""),
        ("masks/{}_mask.png", ""),
    ],
)
def test_lines_that_can_be_meant_in_one_way_are_followed(
    line: str, note: str, tmp_path: Path
) -> None:
    root = lay(tmp_path)
    for path in sorted((root / "masks").iterdir()) if "_mask" in line else ():
        path.rename(path.with_name(f"{path.stem}_mask.png"))
    put(root, **{split: "".join(line.format(one) + "\n" for one in own) for split, own in PARTS})
    for split, own in PARTS:
        source, complaints = told(root, split)
        assert (names(source), complaints) == (own, [])
        told_of = [one for one in source.notes if note and one.endswith(note.format(len(own)))]
        assert len(source.notes) == len(told_of) == bool(note)


PARTS = (("train", "abcd"), ("val", "ef"))


def test_capitals_and_accents_are_followed_aloud(tmp_path: Path) -> None:
    root = lay(tmp_path, "Bc")
    for place in ("images", "masks"):
        (root / place / "c.png").rename(root / place / "a\u0308.png")
    put(root, train="b\n", val="\u00e4.png\n")
    for split, own in (("train", "B"), ("val", "a\u0308")):
        source, complaints = told(root, split)
        assert (names(source), complaints) == (own, [])
        assert source.notes[0].endswith(ALIKE.format(1))


def test_images_of_one_name_in_several_folders_are_named_by_these(tmp_path: Path) -> None:
    for city in "xy":
        lay(tmp_path / city)
        for place in ("images", "masks"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / city / place).rename(tmp_path / place / city)
    put(tmp_path, train="x/a\nimages/y/a.png\ny/b.png masks/y/b.png\n", val="x/c\n")
    assert sorted(splits_of(str(tmp_path), Mask)) == ["train", "val"]
    source, complaints = told(tmp_path, "train")
    assert complaints == [] and names(source) == "images/x/aimages/y/aimages/y/b"
    assert [source.truth(at).ids[0, 0] for at in range(3)] == [0, 0, 1]
    assert source.notes == (
        "images in no list, and so not read: 8, such as b.png, d.png, e.png and 5 more",
    )
    put(tmp_path, train="a\nx/b\n", val="x/c\n")
    (complaint,) = told(tmp_path, "train")[1]
    assert "names none: 'a'" in complaint


@pytest.mark.parametrize("kind", [Mask, Instances])
def test_folders_of_other_names_are_one_where_lists_are_the_splits(
    kind: type[Answer], tmp_path: Path
) -> None:
    for city, own in (("x", "abc"), ("y", "def")):
        lay(tmp_path / city, own)
        for place in ("images", "masks"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / city / place).rename(tmp_path / place / city)
    assert sorted(splits_of(str(tmp_path), kind)) == ["x", "y"]
    put(tmp_path, train="a\nimages/y/d.png\n", val="x/b\ne\nx/f\n")
    assert sorted(splits_of(str(tmp_path), kind)) == ["train", "val"]
    assert [names(told(tmp_path, split, kind)[0]) for split in ("train", "val")] == ["ad", "be"]
    assert "names none: 'x/f'" in told(tmp_path, "val", kind)[1][0]


def test_folds_may_share_images(tmp_path: Path) -> None:
    root = put(lay(tmp_path), train1="a\nb\nc", val1="d\ne\nf", train2="d\ne\nf", val2="a\nb\nc")
    assert told(root, "train1")[1] == told(root, "val2")[1] == []
    put(root, val2="a\nb\nc\nd")
    assert "is in 'train2.txt' too: 'd'" in told(root, "val2")[1][0]


def test_texts_that_are_no_lists_are_passed_over_aloud(tmp_path: Path) -> None:
    root = put(lay(tmp_path), train="epoch 1 loss 0.3\nepoch 2 loss 0.2\n", val="")
    (root / "test.txt").mkdir()
    source, complaints = told(root, "")
    assert (names(source), complaints) == ("abcdef", [])
    (note,) = source.notes
    assert "names just one image" in note and note.endswith("train.txt, val.txt")
    put(root, val="a\nb\n")
    with pytest.raises(DataError, match="or rename the file if it is no list"):
        open_source(str(root), "train", Mask)


@pytest.mark.parametrize("name", ["val", "test"])
def test_what_no_list_names_is_to_train_on_where_none_says_what_is(
    name: str, tmp_path: Path
) -> None:
    root = put(lay(tmp_path), **{name: "a\nb\n"})
    assert sorted(splits_of(str(root), Mask)) == sorted([name, "train"])
    source, complaints = told(root, "train")
    assert (names(source), complaints) == ("cdef", [])
    assert source.notes == ("no list says what to train on, so it is what no list names: 4 images",)
    source = told(root, name)[0]
    assert names(source) == "ab" and source.notes == ()
    assert names(told(root, f"train+{name}")[0]) == "abcdef"
    put(root, **{name: "a\nb\nc\nd\ne\nf\n"})
    assert splits_of(str(root), Mask) == (name,)


def test_two_lists_of_one_split_are_refused(tmp_path: Path) -> None:
    root = put(lay(tmp_path), Train="a\nb\n", train="c\n")
    with pytest.raises(DataError, match=r"'Train.txt' and 'train.txt' in .* are both of 'train'"):
        splits_of(str(root), Mask)


def test_lists_in_another_folder_are_counted(tmp_path: Path) -> None:
    root = put(lay(tmp_path), train="a\nb\nc\nd", val="e\nf")
    put(root / "ImageSets", train="a", val="b")
    source = told(root, "val")[0]
    assert names(source) == "ef" and source.notes == (
        "the lists in 'the folder itself' were read, and these not: ImageSets/train.txt, "
        "ImageSets/val.txt",
    )
