"""Labels from lists, from tables with a column a class, from trees of folders: each way to write
them gives the same labels; damaged files are told in a sentence.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Labels
from cvtasks.data import Hints, open_source, splits_of
from cvtasks.errors import CVTasksError, DataError

CLASSES = ("ant", "bee fly", "cow")
SHOWN = {"train": {"0": "ant", "1": "cow", "é 2": "bee fly", "3": "ant"}, "val": {"4": "cow"}}
"""Split → image → its class."""


def photo(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.stem))
    Image.fromarray(np.full((12, 16, 3), seed % 256, np.uint8)).save(path)


def listed(sign: str, numbers: bool, names: str = "classes.txt") -> Callable[[Path], None]:
    """A list a split, with the class's name or number behind `sign`."""

    def write(root: Path) -> None:
        for split, images in SHOWN.items():
            lines = []
            for name, label in images.items():
                photo(root / "data" / f"{name}.jpg")
                lines.append(f"data/{name}.jpg{sign}{CLASSES.index(label) if numbers else label}")
            (root / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        if names:
            (root / names).write_text("\n".join(CLASSES) + "\n", encoding="utf-8")

    return write


def one_hot(
    table: str, home: str, ending: str = ".jpg", *, column: bool = False
) -> Callable[[Path], None]:
    """Tables by a pattern of their paths, or one with a column of splits; images in `home`."""

    def write(root: Path) -> None:
        texts: dict[str, list[str]] = {}
        for split, images in SHOWN.items():
            path = table.format(split=split)
            head = f"filename, {', '.join(CLASSES)}{', split' if column else ''}"
            lines = texts.setdefault(path, [head])
            for name, label in images.items():
                file = root / home.format(split=split) / f"{name}.jpg"
                photo(file)
                start = file.relative_to((root / path).parent).with_suffix("").as_posix()
                cells = [str(int(one == label)) for one in CLASSES]
                lines.append(", ".join([f"{start}{ending}", *cells, *([split] if column else [])]))
        for path, lines in texts.items():
            (root / path).write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


def table(
    path: str,
    head: str,
    *,
    sign: str = ",",
    ending: str = ".jpg",
    numbers: str = "",
) -> Callable[[Path], None]:
    """Tables of a row for each image by a pattern of their paths, with the columns that `head`
    names; `numbers`: the file that names the classes' numbers.
    """

    def write(root: Path) -> None:
        texts: dict[str, list[str]] = {}
        for split, images in SHOWN.items():
            lines = texts.setdefault(path.format(split=split), [head.replace(",", sign)])
            for name, label in images.items():
                photo(root / "train_images" / f"{name}.jpg")
                shown = str(CLASSES.index(label)) if numbers else label
                known = {"split": split, "width": "16", "weight": "0.5"}
                columns = head.split(",") if head else ["path", "label"]
                cells = [f"{name}{ending}", shown]
                cells = [known.get(one) or cells.pop(0) for one in columns]
                lines.append(sign.join(cells))
        for place, lines in texts.items():
            (root / place).write_text("\n".join(filter(None, lines)) + "\n", encoding="utf-8")
        if numbers.endswith(".json"):
            names = {str(number): name for number, name in enumerate(CLASSES)}
            (root / numbers).write_text(json.dumps(names), encoding="utf-8")
        elif numbers:
            (root / numbers).write_text("\n".join(CLASSES), encoding="utf-8")

    return write


def tree(pattern: str) -> Callable[[Path], None]:
    """Images by a pattern of their paths."""

    def write(root: Path) -> None:
        for split, images in SHOWN.items():
            for name, label in images.items():
                photo(root / pattern.format(split=split, name=name, label=label))

    return write


def tree_with_lists(root: Path) -> None:
    for split, images in SHOWN.items():
        lines = []
        for number, label in enumerate(images.values()):
            stem = f"{label.replace(' ', '_')}_{number}{split}"
            photo(root / "images" / f"{stem}.jpg")
            lines.append(f"{stem} 1 2")
        (root / f"{split}.txt").write_text("\n".join(lines), encoding="utf-8")
    (root / "classes.txt").write_text("ant\nbee_fly\ncow\n", encoding="utf-8")


def fiftyone(root: Path) -> None:
    """A file a split, of stems and places in its list of classes."""
    for split, images in SHOWN.items():
        for name in images:
            photo(root / split / "data" / f"{name}.jpg")
        labels = {name: CLASSES.index(label) for name, label in images.items()}
        text = json.dumps({"classes": CLASSES, "labels": labels})
        (root / split / "labels.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Layout:
    """A way to write the labels: makes a data set; what must be said to read it."""

    write: Callable[[Path], None]
    hints: dict[str, Any] = field(default_factory=dict)


PARENT, NAME = {"classes_from": "parent"}, {"classes_from": "name"}
LAYOUTS = {
    "numbers": Layout(listed(" ", numbers=True)),
    "tabs": Layout(listed("\t", numbers=True, names="labels.txt")),
    "names": Layout(listed(",", numbers=False, names="")),
    "names of a list": Layout(listed(" ", numbers=False)),
    "one hot": Layout(one_hot("{split}.csv", "images")),
    "Roboflow": Layout(one_hot("{split}/_classes.csv", "{split}")),
    "a column of splits": Layout(one_hot("all.csv", "images", column=True)),
    "without endings": Layout(one_hot("{split}.csv", "images", "")),
    "tables": Layout(table("{split}.csv", "filename,class")),
    "a table": Layout(table("all.csv", "width,image_path,species,weight,split")),
    "ids": Layout(table("{split}.csv", "id_code,diagnosis", sign=";", ending="")),
    "numbers of a table": Layout(table("{split}.csv", "image_id,label", numbers="names.json")),
    "its numbers": Layout(table("{split}.csv", "image,class_id", sign="\t", numbers="classes.txt")),
    "one column more": Layout(table("{split}.csv", "fname,what it is")),
    "FiftyOne": Layout(fiftyone),
    "no heading": Layout(table("{split}.csv", "")),
    "deep": Layout(tree("{split}/2024/june/{label}/{name}.jpg"), PARENT),
    "by name": Layout(tree("{split}/some/{label}_4{name}.jpg"), NAME),
    "lists of a tree": Layout(tree_with_lists, NAME),
}


def opened(name: str, root: Path, split: str = "train") -> Any:
    return open_source(str(root), split, Labels, hints=Hints(**LAYOUTS[name].hints))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_labels(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].write(tmp_path)
    hints = Hints(**LAYOUTS[name].hints)
    assert sorted(splits_of(str(tmp_path), Labels, hints=hints)) == ["train", "val"]
    for split, images in SHOWN.items():
        source = opened(name, tmp_path, split)
        assert [one.replace("_", " ") for one in source.classes] == list(CLASSES)
        assert list(source.problems()) == []
        found = [" ".join(source.truth(index).names) for index in range(len(source))]
        assert sorted(one.replace("_", " ") for one in found) == sorted(images.values())
        for index in range(len(source)):  # the grey of an image tells which it is
            grey = int(source[index].image[0, 0, 0])
            stem = source.files[index].stem
            assert abs(grey - sum(map(ord, stem)) % 256) <= 3
            key = next((key for key in images if stem == key), None)
            assert key is None or source.truth(index).names == (images[key],)


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name not in ("deep", "by name")])
def test_a_damaged_list_is_told_in_a_sentence(name: str, tmp_path: Path) -> None:
    LAYOUTS[name].write(tmp_path)
    dice = random.Random(name)
    files = sorted(path for path in tmp_path.rglob("*") if path.suffix in (".txt", ".csv", ".json"))
    for _ in range(40):
        path = dice.choice(files)
        whole = path.read_bytes()
        place = dice.randrange(len(whole))
        path.write_bytes(
            dice.choice(
                [
                    b"",
                    whole[:place],
                    whole[:place] + bytes([dice.randrange(256)]) + whole[place + 1 :],
                    whole.replace(b"1", b"7" * 5000),
                    whole.replace(b",", b"\x00", 1),
                    whole.replace(b"data", b"../data"),
                    b'"' + whole,
                    whole.decode("utf-8").encode("utf-16"),
                ]
            )
        )
        try:
            source = opened(name, tmp_path)
            assert all(len(source.truth(index).classes) for index in range(len(source)))
        except CVTasksError as error:
            assert str(error).endswith((".", "?")) and len(str(error)) > 20
        finally:
            path.write_bytes(whole)


def test_several_ones_are_several_labels(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / f"{name}.jpg")
    text = "image,cat,dog\na.jpg,1,1\nb.jpg,0,0\nc.jpg,0.0,1.0\n"
    (tmp_path / "labels_of_all.csv").write_text(text, encoding="utf-8")
    source = open_source(str(tmp_path), "", Labels)
    assert [source.truth(index).names for index in range(3)] == [("cat", "dog"), (), ("dog",)]


def test_numbers_without_names_are_the_names_and_said(tmp_path: Path) -> None:
    listed(" ", numbers=True, names="")(tmp_path)
    source = open_source(str(tmp_path), "train", Labels)
    assert source.classes == ("0", "1", "2")
    assert "the numbers are the names" in source.taken_for


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("data/0.jpg 9", r'"9", line 5 of .* is none'),
        ("data/0.jpg", r"line 5 of .* is 'data/0.jpg'"),
        ("../0.jpg 1", r"line 5 of .* has '\.\./0\.jpg'"),
        ("data/0.jpg 1", r"names .*0\.jpg' again"),
        ("data/none.jpg 1", r"lacks 1 image"),
    ],
)
def test_a_wrong_line_is_named(line: str, says: str, tmp_path: Path) -> None:
    listed(" ", numbers=True)(tmp_path)
    with (tmp_path / "train.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError, match=says):
        open_source(str(tmp_path), "train", Labels)


def test_a_cell_that_is_neither_0_nor_1_is_named(tmp_path: Path) -> None:
    for name in "ab":
        photo(tmp_path / f"{name}.jpg")
    text = "image,cat,dog\na.jpg,1,0\nb.jpg,0,perhaps\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"0 or 1 whether an image shows a class; line 3 of"):
        open_source(str(tmp_path), "", Labels)


def test_images_that_tell_no_class_are_faults(tmp_path: Path) -> None:
    for name in ("cat_1.jpg", "12.jpg"):
        photo(tmp_path / "all" / name)
    faults: list[CVTasksError] = []
    source = open_source(str(tmp_path), "", Labels, faults.append, hints=Hints(classes_from="name"))
    assert source.classes == ("cat",) and len(source) == 1
    (fault,) = faults
    assert fault.rule == "class unknown" and "12.jpg" in str(fault)
    assert source.taken_for == "classes are the beginnings of files' names: cat"


def test_a_line_of_a_tree_that_may_be_two_images_is_told(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        for number in range(3):
            photo(tmp_path / label / f"{number}.jpg")
    photo(tmp_path / "dog" / "3.jpg")
    (tmp_path / "train.txt").write_text("0.jpg\n3.jpg\n1\ndog/2 of all\n", encoding="utf-8")
    faults: list[CVTasksError] = []
    source = open_source(
        str(tmp_path), "", Labels, faults.append, hints=Hints(classes_from="parent")
    )
    assert [path.relative_to(tmp_path).as_posix() for path in source.files] == [
        "dog/3.jpg",
        "dog/2.jpg",
    ]
    assert [fault.rule for fault in faults] == ["image unclear"] * 2
    assert "line 1 of" in str(faults[0])
    assert "may mean 'cat/0.jpg' or 'dog/0.jpg'. Write the folder" in str(faults[0])


def test_a_tree_is_no_format_unless_it_is_said_how_it_is_read(tmp_path: Path) -> None:
    tree("a/b/c/{label}/{name}.jpg")(tmp_path)
    with pytest.raises(DataError, match="is not known for labels data"):
        open_source(str(tmp_path), "", Labels)
    assert len(open_source(str(tmp_path), "", Labels, hints=Hints(classes_from="parent"))) == 5


def test_zeros_and_ones_of_a_label_are_no_class_of_their_own(tmp_path: Path) -> None:
    for number in range(4):
        photo(tmp_path / "train_images" / f"{number}.jpg")
    rows = [f"{number}.jpg,{number % 2}" for number in range(4)]
    (tmp_path / "train.csv").write_text("image_id,label\n" + "\n".join(rows), encoding="utf-8")
    source = open_source(str(tmp_path), "train", Labels)
    assert (source.classes, source.truth(0).names, source.truth(1).names) == (
        ("0", "1"),
        ("0",),
        ("1",),
    )
    assert "the numbers are the names" in source.taken_for
    (tmp_path / "train.csv").write_text("image_id,has cat\n" + "\n".join(rows), encoding="utf-8")
    source = open_source(str(tmp_path), "train", Labels)
    assert (source.classes, source.truth(0).names, source.truth(1).names) == (
        ("has cat",),
        (),
        ("has cat",),
    )


def test_tags_are_several_and_what_is_no_label_is_said(tmp_path: Path) -> None:
    for number in range(2):
        photo(tmp_path / f"{number}.jpg")
    text = "image_name,tags,weight\n0,haze primary,3\n1,clear,4\n"
    (tmp_path / "train.csv").write_text(text, encoding="utf-8")
    source = open_source(str(tmp_path), "train", Labels)
    assert source.classes == ("clear", "haze", "primary")
    assert source.truth(0).names == ("haze", "primary")
    assert "columns passed over: weight" in source.notes
    (tmp_path / "sample_submission.csv").write_text("image_name,tags\n1,cloudy\n", encoding="utf-8")
    assert splits_of(str(tmp_path), Labels) == ("train",)
    again = open_source(str(tmp_path), "train", Labels)
    assert again.classes == source.classes
    assert "tables passed over: sample_submission.csv" in again.notes
    assert any("between several labels" in note for note in again.notes)
    (tmp_path / "train.csv").rename(tmp_path / "train_labels.csv")
    assert splits_of(str(tmp_path), Labels) == ("train",)
