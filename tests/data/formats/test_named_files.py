"""Images of which there is no file of the name in a list: followed or guessed where one alone may
be meant, never in the folder of another split.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source
from cvtasks.errors import CVTasksError
from tests.data.formats.layouts import write
from tests.data.formats.test_strangers import noise

Door = Callable[[Path, str, list[str]], None]


def lay(root: Path, *folders: tuple[str, Iterable[int]]) -> None:
    for folder, numbers in folders:
        for number in numbers:
            noise(root / folder / f"000{number}.jpg", sum(map(ord, folder)) + number)


def coco(root: Path, split: str, names: list[str]) -> None:
    images = [
        {"id": place, "file_name": name, "width": 32, "height": 24}
        for place, name in enumerate(names)
    ]
    boxes = [
        {"id": place, "image_id": place, "category_id": 1, "bbox": [1, 2, 9, 9], "area": 81}
        | {"iscrowd": 0}
        for place in range(len(names))
    ]
    document = {"images": images, "annotations": boxes}
    document |= {"categories": [{"id": 1, "name": "cat"}]}
    write(root / f"annotations/instances_{split}.json", json.dumps(document))


def table(root: Path, split: str, names: list[str]) -> None:
    lines = [f"{name},1,2,10,11,cat\n" for name in names]
    write(root / f"{split}.csv", "filename,xmin,ymin,xmax,ymax,class\n" + "".join(lines))


def labels(root: Path, split: str, names: list[str]) -> None:
    lines = [f"{name},{'cat' if place else 'dog'}\n" for place, name in enumerate(names)]
    write(root / f"{split}.csv", "image,label\n" + "".join(lines))


def by_column(root: Path, split: str, names: list[str]) -> None:
    old = root / "all.csv"
    text = old.read_text() if old.is_file() else "image,label,split\n"
    lines = [f"{name},{'cat' if place else 'dog'},{split}\n" for place, name in enumerate(names)]
    write(old, text + "".join(lines))


DOORS = [(coco, Boxes), (table, Boxes), (labels, Labels), (by_column, Labels)]
WRITTEN = ["000{}.jpg", "C:\\data\\train\\000{}.jpg", "/home/me/train/images/000{}.jpg"]


def opened(root: Path, kind: type, split: str = "train") -> tuple[list[str], list[str]]:
    """The files of a split, and the rules of the faults in opening it."""
    faults: list[CVTasksError] = []
    source = open_source(str(root), split, kind, faults.append)
    files = sorted(file.relative_to(root).as_posix() for file in source.files)
    return files, [str(fault.rule) for fault in faults]


@pytest.mark.parametrize("written", [*WRITTEN, "train/000{}.jpg", "train\\000{}.jpg"])
@pytest.mark.parametrize(("door", "kind"), DOORS)
def test_an_image_that_is_missing_is_none_of_another_split(
    door: Door, kind: type, written: str, tmp_path: Path
) -> None:
    lay(tmp_path, ("train", (1, 2, 4, 5)), ("test", (1, 2, 3, 4)))
    door(tmp_path, "train", [written.format(number) for number in range(1, 6)])
    door(tmp_path, "test", ["test/0001.jpg", "test/0002.jpg"])
    files, faults = opened(tmp_path, kind)
    assert files == [f"train/000{number}.jpg" for number in (1, 2, 4, 5)]
    assert faults == ["image missing"]


@pytest.mark.parametrize("written", ["train/000{}.jpg", "images\\train\\000{}.jpg"])
@pytest.mark.parametrize(("door", "kind"), DOORS[:3])
def test_a_list_of_no_split_means_the_folder_that_it_names(
    door: Door, kind: type, written: str, tmp_path: Path
) -> None:
    lay(tmp_path, ("train", (1, 2)), ("test", (1, 2, 3)))
    door(tmp_path, "all", [written.format(number) for number in (1, 2, 3)])
    files, faults = opened(tmp_path, kind, "")
    assert files == ["train/0001.jpg", "train/0002.jpg"]
    assert faults == ["image missing"]


@pytest.mark.parametrize("home", ["", "images", "train", "images/train", "train_images"])
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize(("door", "kind"), DOORS)
def test_images_are_followed_into_the_folder_of_all_or_of_their_split(
    door: Door, kind: type, written: str, home: str, tmp_path: Path
) -> None:
    lay(tmp_path, (home, (1, 2)), ("test", (3,)))
    door(tmp_path, "train", [written.format(number) for number in (1, 2)])
    door(tmp_path, "test", ["test/0003.jpg"])
    files, faults = opened(tmp_path, kind)
    assert files == [str(Path(home) / name) for name in ("0001.jpg", "0002.jpg")] and not faults


@pytest.mark.parametrize(("door", "kind"), DOORS)
def test_images_of_train_are_lent_where_no_list_names_them_too(
    door: Door, kind: type, tmp_path: Path
) -> None:
    lay(tmp_path / "set", ("train", range(1, 6)))
    door(tmp_path / "set", "train", [f"000{number}.jpg" for number in (1, 2, 3)])
    door(tmp_path / "set", "val", ["0004.jpg", "0005.jpg"])
    assert opened(tmp_path / "set", kind, "val") == (["train/0004.jpg", "train/0005.jpg"], [])
    lay(tmp_path / "alike", ("train", range(1, 6)), ("some", (8,)))
    door(tmp_path / "alike", "train", [f"000{number}.jpg" for number in (1, 2, 3)])
    door(tmp_path / "alike", "val", ["0003.jpg", "some/0008.jpg"])
    assert opened(tmp_path / "alike", kind, "val") == (["some/0008.jpg"], ["image missing"])
