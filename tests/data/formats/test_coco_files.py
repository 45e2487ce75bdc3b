"""Which JSON files of a folder are COCO's, which splits they make, and where their images lie."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Instances, Labels, Mask
from cvtasks.data import open_source, splits_of
from cvtasks.data.formats.coco import UNUSED
from cvtasks.errors import DataError
from cvtasks.formats.reading import ELSEWHERE
from tests.data.formats.layouts import write

BOX = [10, 12, 30, 24]
STRAYS = {
    "settings": {"a": 1},
    "names": {"0": "cat", "1": "dog"},
    "categories": {"categories": [{"id": 0, "name": "cat"}], "info": {}},
    "FiftyOne": {"samples": [{"filepath": "data/0.png"}]},
    "BDD100K": [{"name": "0.png", "labels": [{"category": "cat", "box2d": {"x1": 1}}]}],
    "Labelbox": [{"ID": "a", "Label": {"objects": []}, "External ID": "0.png"}],
    "Datumaro": {
        "info": {},
        "categories": {"label": {"labels": [{"name": "cat"}]}},
        "items": [{"id": "0", "annotations": []}],
    },
    "damaged": None,
}
OTHERS = {
    "captions_train": {"annotations": [{"id": 1, "image_id": 0, "caption": "a cat"}]},
    "person_keypoints_train": {},
    "image_info_train": {"annotations": None},
    "stuff_train": {},
    "panoptic_train": {"annotations": [{"image_id": 0, "segments_info": [{"bbox": BOX}]}]},
    "texts": {"annotations": [{"id": 1, "image_id": 0, "text": "a cat"}]},
}


def pictures(folder: Path, numbers: Sequence[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        pixels = np.random.default_rng(number).integers(0, 256, (90, 120, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def coco(names: Sequence[str], **lists: object) -> str:
    """COCO's JSON with one cat in each image."""
    document = {
        "images": [
            {"id": n, "file_name": name, "width": 120, "height": 90} for n, name in enumerate(names)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": BOX} for n, _ in enumerate(names)
        ],
        "categories": [{"id": 1, "name": "cat"}],
        **lists,
    }
    return json.dumps({key: one for key, one in document.items() if one is not None})


def numbered(numbers: Sequence[int], folder: str = "") -> list[str]:
    return [f"{folder}{number}.png" for number in numbers]


def names_of(root: Path, split: str = "") -> list[str]:
    return [
        path.relative_to(root).as_posix() for path in open_source(str(root), split, Boxes).files
    ]


# === two files for one split ===


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train/_annotations.coco.json", "train/_annotations.coco (1).json"),
        ("train/_annotations.coco.json", "train/annotations/all.json"),
        ("train/instances.json", "train/more.json"),
        ("annotations/instances_train.json", "annotations/more.json"),
        ("annotations/instances_train.json", "annotations/instances_train (1).json"),
        ("train.json", "train(2).json"),
    ],
)
@pytest.mark.parametrize("empty", [False, True])
def test_a_second_file_of_a_split_is_refused(
    one: str, other: str, empty: bool, tmp_path: Path
) -> None:
    pictures(tmp_path / "train", range(4))
    pictures(tmp_path / "valid", [4])
    write(tmp_path / one, coco(numbered([0, 1])))
    write(tmp_path / other, coco(numbered([2, 3]), **({"annotations": []} if empty else {})))
    write((tmp_path / one.replace("train", "valid")), coco(["4.png"]))
    with pytest.raises(DataError) as error:
        open_source(str(tmp_path), "train", Boxes)
    assert all(repr(str(tmp_path / name)) in str(error.value) for name in (one, other))
    assert "join" in str(error.value)


@pytest.mark.parametrize("place", ["annotations", "train", "train/annotations"])
def test_other_files_of_coco_beside_its_instances_are_passed_over(
    place: str, tmp_path: Path
) -> None:
    pictures(tmp_path / "train", range(2))
    write(tmp_path / place / "instances_train.json", coco(numbered([0, 1])))
    for name, lists in OTHERS.items():
        write(tmp_path / place / f"{name}.json", coco(numbered([0, 1]), **lists))
    assert splits_of(str(tmp_path), Boxes) == ("train",)
    assert len(open_source(str(tmp_path), "train", Boxes)) == 2


def test_names_of_splits_that_end_in_numbers_are_their_own(tmp_path: Path) -> None:
    pictures(tmp_path / "images", range(2))
    for number in (0, 1):
        write(tmp_path / f"part ({number}).json", coco(numbered([number])))
    assert splits_of(str(tmp_path), Boxes) == ("part (0)", "part (1)")


# === JSON of others ===


def stray(path: Path, content: object) -> None:
    write(path, "{not JSON" if content is None else json.dumps(content))


@pytest.mark.parametrize("content", STRAYS.values(), ids=STRAYS)
@pytest.mark.parametrize("kind", ["YOLO", "CVAT for images", "TensorFlow boxes CSV", "COCO JSON"])
def test_json_of_nobody_is_not_taken_for_coco_s(content: object, kind: str, tmp_path: Path) -> None:
    pictures(tmp_path / "images", range(2))
    if kind == "YOLO":
        write(tmp_path / "labels/0.txt", "0 .5 .5 .2 .2\n")
        write(tmp_path / "data.yaml", "train: images\nnames: [cat]\n")
    elif kind == "CVAT for images":
        image = '<image id="0" name="0.png" width="120" height="90"><box label="cat" '
        corners = 'xtl="1" ytl="2" xbr="9" ybr="8"/></image>'
        write(tmp_path / "annotations.xml", f"<annotations>{image}{corners}</annotations>")
    elif kind == "TensorFlow boxes CSV":
        write(tmp_path / "a.csv", "filename,class,xmin,ymin,xmax,ymax\n0.png,cat,1,2,9,8\n")
    else:
        write(tmp_path / "labels.json", coco(numbered([0, 1])))
    stray(tmp_path / "other.json", content)
    assert len(splits_of(str(tmp_path), Boxes)) == 1
    assert open_source(str(tmp_path), "", Boxes).format == kind


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": 1}, r"has no list images and no list annotations and no list categories: .* 'a'\."),
        (STRAYS["Datumaro"], "at its top is 'info', 'categories', 'items'"),
        ({"images": [], "annotations": []}, r"no list categories: at its top is 'images', 'ann"),
        (STRAYS["BDD100K"], "is a list. Write the labels"),
        ({}, "at its top is nothing"),
    ],
)
@pytest.mark.parametrize("kind", [Boxes, Labels])
def test_json_of_nobody_alone_is_told_what_it_lacks(
    content: object, says: str, kind: type, tmp_path: Path
) -> None:
    pictures(tmp_path / "images", range(2))
    stray(tmp_path / "other.json", content)
    for path in (tmp_path, tmp_path / "other.json"):
        with pytest.raises(DataError, match=says) as error:
            open_source(str(path), "", kind)
        assert not error.value.ways


def test_results_are_told_from_data(tmp_path: Path) -> None:
    pictures(tmp_path / "images", range(2))
    stray(tmp_path / "a.json", [{"image_id": 0, "category_id": 1, "bbox": BOX, "score": 0.5}])
    with pytest.raises(DataError, match="is a list of results, which are scored") as error:
        open_source(str(tmp_path), "", Boxes)
    assert error.value.ways == {"predictions": ""}


@pytest.mark.parametrize("kind", [Mask, Instances])
def test_json_of_nobody_is_no_coco_for_masks(kind: type, tmp_path: Path) -> None:
    pictures(tmp_path / "images", range(2))
    stray(tmp_path / "other.json", {"a": 1})
    with pytest.raises(DataError, match=r"the layout of .* is not known"):
        open_source(str(tmp_path), "", kind)


@pytest.mark.parametrize(
    "name", ["annotations/instances_{}.json", "annotations/{}.json", "{}/_annotations.coco.json"]
)
def test_a_damaged_file_of_a_split_is_told(name: str, tmp_path: Path) -> None:
    for split in ("train", "valid"):
        pictures(tmp_path / split, range(2))
        write(tmp_path / name.format(split), coco(numbered([0, 1])))
    write(tmp_path / name.format("valid"), "")
    assert splits_of(str(tmp_path), Boxes) == ("train", "valid")
    assert len(open_source(str(tmp_path), "train", Boxes)) == 2
    with pytest.raises(DataError, match="must be JSON"):
        open_source(str(tmp_path), "valid", Boxes)


# === where images lie ===


@pytest.mark.parametrize("windows", [False, True])
def test_paths_that_climb_lead_to_the_image_of_their_last_part(
    windows: bool, tmp_path: Path
) -> None:
    pictures(tmp_path / "images", range(2))
    names = numbered([0, 1], "../../label-studio/data/media/upload/1/")
    names = [name.replace("/", "\\") for name in names] if windows else names
    write(tmp_path / "result.json", coco(names))
    source = open_source(str(tmp_path), "", Boxes)
    assert names_of(tmp_path) == ["images/0.png", "images/1.png"]
    assert f"{ELSEWHERE}: 2" in source.notes
    assert source.truth(1).xyxy.tolist() == [[10, 12, 40, 36]]


def test_paths_that_climb_from_their_own_file_are_followed(tmp_path: Path) -> None:
    for split in ("train", "val"):
        pictures(tmp_path / split / "images", range(2))
        names = numbered([0, 1], f"../{split}/images/")
        write(tmp_path / "annotations" / f"{split}.json", coco(names))
        assert names_of(tmp_path, split) == numbered([0, 1], f"{split}/images/")


@pytest.mark.parametrize("name", ["../../out/7.png", "../x/0.png", "../..", "..", "../\0.png"])
def test_no_path_leads_out(name: str, tmp_path: Path) -> None:
    """Not to a file outside, though it is there; not to one of two."""
    pictures(tmp_path / "out", [7])
    root = tmp_path / "set"
    for place in ("images/a", "images/b"):
        pictures(root / place, [0])
    write(root / "annotations/all.json", coco([name]))
    with pytest.raises(DataError, match="must lead to an image below the data set's folder"):
        open_source(str(root), "all", Boxes)


@pytest.mark.parametrize("place", ["train/data", "train/images", "data/train", "images/train"])
def test_equal_names_in_splits_are_of_their_own_folders(place: str, tmp_path: Path) -> None:
    for split in ("train", "val"):
        pictures(tmp_path / place.replace("train", split), range(2))
        write(tmp_path / split / "labels.json", coco(numbered([0, 1])))
    for split in ("train", "val"):
        own = place.replace("train", split)
        assert names_of(tmp_path, split) == numbered([0, 1], f"{own}/")


def test_the_first_image_may_be_missing(tmp_path: Path) -> None:
    pictures(tmp_path / "data", [1, 2])
    (tmp_path / "images").mkdir()
    write(tmp_path / "labels.json", coco(numbered([0, 1, 2])))
    found: list[Exception] = []
    source = open_source(str(tmp_path), "", Boxes, complain=found.append)
    assert [path.name for path in source.files] == ["1.png", "2.png"]
    assert "lacks 1 image" in str(found[0])


# === images that no file lists ===


def orphans(root: Path, split: str) -> list[str]:
    return [str(error) for error in open_source(str(root), split, Boxes).orphans()]


@pytest.mark.parametrize("place", ["images", "data", "."])
def test_images_that_no_file_lists_are_told(place: str, tmp_path: Path) -> None:
    pictures(tmp_path / place, range(6))
    (tmp_path / "annotations").mkdir()
    write(tmp_path / "annotations/train.json", coco(numbered([0, 1, 2])))
    one = tmp_path / place / "3.png"
    assert len(orphans(tmp_path, "train")) == 3
    assert f"image {str(one)!r} is not among the images of" in orphans(tmp_path, "train")[0]
    write(tmp_path / "annotations/val.json", coco(numbered([3, 4])))
    assert orphans(tmp_path, "train") == orphans(tmp_path, "val") != []
    (only,) = orphans(tmp_path, "val")
    assert "5.png" in only and "any COCO JSON of" in only
    write(tmp_path / "annotations/test.json", coco(numbered([5])))
    assert orphans(tmp_path, "train") == []
    write(tmp_path / "annotations/val.json", "{")
    assert orphans(tmp_path, "train") == []  # nobody knows what `val` lists


def test_a_split_s_own_folder_may_hold_images_of_another(tmp_path: Path) -> None:
    pictures(tmp_path / "train", range(4))
    write(tmp_path / "annotations/instances_train.json", coco(numbered([0, 1])))
    write(tmp_path / "annotations/instances_minival.json", coco(numbered([2], "train/")))
    (only,) = orphans(tmp_path, "train")
    assert "3.png" in only


# === splits in the names of images ===


@pytest.mark.parametrize("front", ["", "images/", "./"])
@pytest.mark.parametrize("name", ["annotations/instances_default.json", "labels.json"])
def test_folders_of_splits_in_names_are_the_splits(front: str, name: str, tmp_path: Path) -> None:
    pictures(tmp_path / "images/train", range(3))
    pictures(tmp_path / "images/val", range(3, 5))
    named = [*numbered(range(3), f"{front}train/"), *numbered(range(3, 5), f"{front}val/")]
    write(tmp_path / name, coco(named))
    assert splits_of(str(tmp_path), Boxes) == ("train", "val")
    train, val = (open_source(str(tmp_path), split, Boxes) for split in ("train", "valid"))
    assert (len(train), len(val), val.split) == (3, 2, "val")
    assert names_of(tmp_path, "val") == numbered([3, 4], "images/val/")
    assert (train.notes, list(train.orphans()), val.classes) == ((), [], ("cat",))
    pictures(tmp_path / "images/val", [9])
    assert ["9.png" in one for one in orphans(tmp_path, "val")] == [True]
    whole = open_source(str(tmp_path / name), "", Boxes)
    assert (len(whole), whole.notes) == (5, (f"{UNUSED}: train, val",))


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("default", ["train/0.png", "train/1.png"]),
        ("default", ["train/0.png", "1.png"]),
        ("default", ["cats/0.png", "train/1.png"]),
        ("trainval35k", ["train/0.png", "val/1.png"]),
    ],
)
def test_names_that_do_not_divide_all_images_make_no_splits(
    name: str, named: list[str], tmp_path: Path
) -> None:
    for path in named:
        pictures((tmp_path / "images" / path).parent, [int(Path(path).stem)])
    write(tmp_path / f"annotations/instances_{name}.json", coco(named))
    assert splits_of(str(tmp_path), Boxes) == (name,)
    source = open_source(str(tmp_path), name, Boxes)
    assert (len(source), source.notes) == (2, ())
