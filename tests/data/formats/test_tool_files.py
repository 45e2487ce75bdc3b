"""What strangers leave of tools' files: several for a split, splits that only names tell, columns
of other names, annotations that lie elsewhere.
"""

import json
from pathlib import Path

import pytest

from cvtasks.answers import Boxes, Instances
from cvtasks.data import open_source, splits_of
from cvtasks.errors import CVTasksError, DataError
from cvtasks.formats.cvat import cvat_xml
from cvtasks.formats.labelme import labelme_json
from cvtasks.formats.voc import voc_xml
from tests.data.formats.layouts import CLASSES, IMAGES, LAYOUTS, pictures, write
from tests.data.formats.test_round_trip import EXPECTED, read

HEADER = "filename,class,xmin,ymin,xmax,ymax\n"
NAMES = list(IMAGES)


def part(*numbers: int) -> dict[str, Boxes]:
    return {NAMES[number]: IMAGES[NAMES[number]] for number in numbers}


def expected(*numbers: int) -> dict[str, object]:
    return {Path(NAMES[number]).stem: EXPECTED[Path(NAMES[number]).stem] for number in numbers}


# === several files of one split ===


def test_files_of_one_split_are_read_together(tmp_path: Path) -> None:
    pictures(tmp_path / "images", IMAGES)
    write(tmp_path / "train_1.xml", cvat_xml(part(0, 1).items(), CLASSES))
    write(tmp_path / "train_2.xml", cvat_xml(part(1, 2, 3, 4).items(), CLASSES))
    assert splits_of(str(tmp_path), Boxes) == ("train",)
    source = open_source(str(tmp_path), "train", Boxes)
    assert read(source) == EXPECTED
    assert source.notes == (
        "several files hold the annotations of one split and were read together: train_1.xml, "
        "train_2.xml",
    )


def test_files_that_say_different_things_of_one_image_are_refused(tmp_path: Path) -> None:
    pictures(tmp_path, part(0))
    write(tmp_path / "train_v1.csv", f"{HEADER}a.png,cat,1,2,9,8\n")
    write(tmp_path / "train_v2.csv", f"{HEADER}a.png,cat,1,2,9,9\n")
    with pytest.raises(DataError, match=r"train_v1.csv' and .*train_v2.csv' say different things"):
        open_source(str(tmp_path), "train", Boxes)


@pytest.mark.parametrize("files", [1, 2])
def test_an_image_that_a_file_names_twice_is_told(files: int, tmp_path: Path) -> None:
    pictures(tmp_path / "images", part(0, 1))
    again = {"a.png": Boxes.of([(1, 2, 9, 8)], [1], CLASSES, IMAGES["a.png"].size)}
    write(tmp_path / "train_1.xml", cvat_xml([*part(0).items(), *again.items()], CLASSES))
    if files == 2:
        write(tmp_path / "train_2.xml", cvat_xml(part(1).items(), CLASSES))
    found: list[CVTasksError] = []
    source = open_source(str(tmp_path), "train", Boxes, found.append)
    assert [error.rule for error in found] == ["image twice"]
    assert read(source) == expected(*range(files))


def test_blanks_around_a_name_are_its_own_where_a_file_has_them(tmp_path: Path) -> None:
    pictures(tmp_path, part(0))
    (tmp_path / " a.png").write_bytes((tmp_path / "a.png").read_bytes())
    write(tmp_path / "boxes.csv", f"{HEADER} a.png,cat,1,2,9,8\na.png, dog,3,4,9,8\n")
    found = open_source(str(tmp_path), "", Boxes)
    names = {found.files[index].name: found.truth(index).names for index in range(len(found))}
    assert names == {" a.png": ("cat",), "a.png": ("dog",)}
    (tmp_path / " a.png").unlink()
    write(tmp_path / "boxes.csv", f"{HEADER} a.png,cat,1,2,9,8\na.png ,dog,3,4,9,8\n")
    found = open_source(str(tmp_path), "", Boxes)
    assert (len(found), found.truth(0).names) == (1, ("cat", "dog"))


# === splits ===


def test_a_column_says_the_split(tmp_path: Path) -> None:
    pictures(tmp_path, part(0, 4))
    rows = "a.png,train,cat,1,2,9,8\nü.png,val,dog,1,2,9,8\n"
    write(tmp_path / "boxes.csv", HEADER.replace("filename,", "filename,split,") + rows)
    assert set(splits_of(str(tmp_path), Boxes)) == {"train", "val"}
    assert read(open_source(str(tmp_path), "val", Boxes)) == {"ü": [("dog", [1, 2, 9, 8])]}


@pytest.mark.parametrize("ending", ["csv", "xml"])
def test_images_without_a_split_beside_those_of_splits_are_told(
    ending: str, tmp_path: Path
) -> None:
    pictures(tmp_path, part(0, 1, 2, 4))
    rows = ["a.png,Train", "ü.png,Validation", "b c.png,", "d.e.png,"]
    if ending == "csv":
        lines = "".join(f"{row},cat,1,2,9,8\n" for row in rows)
        write(tmp_path / "boxes.csv", HEADER.replace("filename,", "filename,split,") + lines)
    else:
        text = cvat_xml(part(0, 1, 2, 4).items(), CLASSES)
        for name, split in (row.split(",") for row in rows):
            text = text.replace(f'name="{name}"', f'name="{name}" subset="{split}"')
        write(tmp_path / "annotations.xml", text)
    assert splits_of(str(tmp_path), Boxes) == ("Train", "Validation")
    for split, name in {"train": "a", "val": "ü"}.items():
        source = open_source(str(tmp_path), split, Boxes)
        assert [*read(source)] == [name]
        assert (
            "2 images are in no split, and are not used: b c.png, d.e.png. Give each a split"
            in source.remarks()
        )


def test_folders_in_the_names_of_all_images_are_splits(tmp_path: Path) -> None:
    for split, numbers in (("train", (0, 1, 2)), ("val", (3, 4))):
        pictures(tmp_path / split, part(*numbers))
    named = {
        f"{'train' if at < 3 else 'val'}/{name}": IMAGES[name] for at, name in enumerate(NAMES)
    }
    write(tmp_path / "annotations.xml", cvat_xml(named.items(), CLASSES))
    assert set(splits_of(str(tmp_path), Boxes)) == {"train", "val"}
    assert read(open_source(str(tmp_path), "train", Boxes)) == expected(0, 1, 2)
    assert read(open_source(str(tmp_path), "val", Boxes)) == expected(3, 4)


@pytest.mark.parametrize("flat", ["images", "annotations"])
@pytest.mark.parametrize("ending", [".xml", ".json"])
def test_files_outside_the_folders_of_splits_are_of_the_split_of_their_name(
    flat: str, ending: str, tmp_path: Path
) -> None:
    of_split = {"train": (0, 1, 2), "val": (4,)}
    for split, numbers in of_split.items():
        own = {role: "" if role == flat else split for role in ("images", "annotations")}
        pictures(tmp_path / "images" / own["images"], part(*numbers))
        for name, boxes in part(*numbers).items():
            file = tmp_path / "annotations" / own["annotations"] / f"{Path(name).stem}{ending}"
            write(file, voc_xml(boxes, name) if ending == ".xml" else labelme_json(boxes, name))
    assert set(splits_of(str(tmp_path), Boxes)) == set(of_split)
    for split, numbers in of_split.items():
        assert read(open_source(str(tmp_path), split, Boxes)) == expected(*numbers)


@pytest.mark.parametrize("layout", ["voc-xml", "labelme"])
@pytest.mark.parametrize(
    ("folder", "said"), [("train", "the folder itself (2)"), ("batch2", "batch2/ (2)")]
)
def test_annotations_that_are_not_read_are_told(
    layout: str, folder: str, said: str, tmp_path: Path
) -> None:
    LAYOUTS[layout].lay(tmp_path, part(0, 1))
    LAYOUTS[layout].lay(tmp_path / folder, part(2, 4))
    (split,) = splits_of(str(tmp_path), Boxes)
    notes = open_source(str(tmp_path), split, Boxes).notes
    assert [note for note in notes if note.endswith(f"were not read: {said}")]


# === tables ===


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("image_id,file_name,category,xmin,ymin,xmax,ymax", "7,a.png,cat,1,2,9,8"),
        ("id,image_id,path,label,x1,y1,x2,y2", "7,a,a.png,cat,1,2,9,8"),
        ("image_id,class_id,class_name,xmin,ymin,xmax,ymax", "a,3,cat,1,2,9,8"),
        ("filename,xmin,ymin,xmax,ymax,name", "a.png,1,2,9,8,cat"),
        ("filename,object,xmin,ymin,xmax,ymax", "a.png,cat,1,2,9,8"),
        ("name;width;height;type;xmin;ymin;xmax;ymax", "a.png;64;48;cat;1,0;2,0;9,0;8,0"),
    ],
)
def test_columns_are_told_by_their_names_and_entries(header: str, row: str, tmp_path: Path) -> None:
    pictures(tmp_path, part(0))
    write(tmp_path / "boxes.csv", f"{header}\n{row}\n")
    assert read(open_source(str(tmp_path), "", Boxes)) == {"a": [("cat", [1, 2, 9, 8])]}


def test_a_column_that_may_name_classes_is_asked_for(tmp_path: Path) -> None:
    pictures(tmp_path, part(0))
    write(tmp_path / "boxes.csv", "filename,xmin,ymin,xmax,ymax,what\na.png,1,2,9,8,cat\n")
    with pytest.raises(DataError, match=r"none that is called so, and text in what\. Call it"):
        open_source(str(tmp_path), "", Boxes)
    write(tmp_path / "boxes.csv", "filename,xmin,ymin,xmax,ymax,score\na.png,1,2,9,8,0.5\n")
    assert read(open_source(str(tmp_path), "", Boxes)) == {"a": [("object", [1, 2, 9, 8])]}


# === what cannot be ===


@pytest.mark.parametrize("layout", ["csv", "voc-xml", "labelme"])
def test_shares_are_not_pixels(layout: str, tmp_path: Path) -> None:
    shares = Boxes.of([[0.1, 0.2, 0.4, 0.6]], [0], ("cat",), (48, 64))
    pictures(tmp_path, part(0))
    if layout == "csv":
        write(tmp_path / "boxes.csv", f"{HEADER}a.png,cat,0.1,0.2,0.4,0.6\n")
    elif layout == "voc-xml":
        corners = "".join(
            f"<{tag}>{edge}</{tag}>"
            for tag, edge in zip(
                ("xmin", "ymin", "xmax", "ymax"), (0.1, 0.2, 0.4, 0.6), strict=True
            )
        )
        text = f"<object><name>cat</name><bndbox>{corners}</bndbox></object>"
        write(tmp_path / "a.xml", f"<annotation>{text}</annotation>")
    else:
        write(tmp_path / "a.json", labelme_json(shares, "a.png"))
    source = open_source(str(tmp_path), "", Boxes)
    with pytest.raises(DataError, match="looks like shares of the image"):
        source.truth(0)


@pytest.mark.parametrize("kind", [Boxes, Instances])
def test_labelme_names_another_image(kind: type, tmp_path: Path) -> None:
    pictures(tmp_path, part(0, 4))
    shape = {"label": "cat ", "points": [[1, 2], [9, 2], [9, 8]], "shape_type": "polygon"}
    whole = {"version": "5.5.0", "flags": {}, "shapes": [shape]}
    write(tmp_path / "a.json", json.dumps(whole | {"imagePath": "ü.png"}))
    with pytest.raises(DataError, match=r"which is another image beside 'a\.png'"):
        open_source(str(tmp_path), "", kind)
    write(tmp_path / "a.json", json.dumps(whole | {"imagePath": "IMG_7.jpg"}))
    source = open_source(str(tmp_path), "", kind)
    assert source.classes == ("cat",)
    assert "`imagePath`" in source.remarks_of(0)[0]


def test_where_nothing_can_be_used_the_first_fault_is_told(tmp_path: Path) -> None:
    heard: list[CVTasksError] = []
    write(tmp_path / "boxes.csv", f"{HEADER}/far/away/a.png,cat,1,2,9,8\n")
    with pytest.raises(DataError, match=r"'/far/away/a\.png', and not just one file below"):
        open_source(str(tmp_path), "", Boxes, heard.append)
    pictures(tmp_path, part(0))
    write(tmp_path / "boxes.csv", f"{HEADER}a.png,cat,one,2,9,8\n")
    with pytest.raises(DataError, match="`xmin` must be a finite number; got 'one'"):
        open_source(str(tmp_path), "", Boxes, heard.append)
