"""Tables and lists of labels as other people write them: which columns are classes, when a cell
holds several labels, which splits are meant, and where images are looked for.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Boxes, Labels
from cvtasks.data import open_source, splits_of
from cvtasks.errors import CVTasksError, DataError

Names = dict[str, tuple[str, ...]]


def lay(root: Path, images: list[str], **texts: str) -> Path:
    """Images by their paths, each another, and texts: `train_csv` is written to `train.csv`."""
    for number, name in enumerate(images):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 16, 3), 9 * number, np.uint8)).save(path)
    for name, text in texts.items():
        path = root / ".".join(name.rsplit("_", 1)).replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def shown(root: Path, split: str = "") -> Names:
    """Image → the classes that it shows, without any fault."""
    source = open_source(str(root), split, Labels)
    assert list(source.problems()) == []
    named = (path.resolve().relative_to(root.resolve()).as_posix() for path in source.files)
    return {name: source.truth(index).names for index, name in enumerate(named)}


def faults(root: Path, split: str = "") -> list[str]:
    found: list[CVTasksError] = []
    open_source(str(root), split, Labels, found.append)
    return [str(error) for error in found]


def notes(root: Path, split: str = "") -> str:
    return " / ".join(open_source(str(root), split, Labels).remarks())


ROWS = [f"{number}.jpg" for number in range(5)]
CLASS_FOLDERS = [f"{kind}/{kind}{number}.jpg" for kind in ("cat", "dog") for number in range(3)]


# === which columns are classes ===


@pytest.mark.parametrize("heading", ["level", "emotion", "Grade of it"])
def test_grades_are_labels_whatever_the_first_row_holds(heading: str, tmp_path: Path) -> None:
    for first in "02":
        grades = [first, "1", "2", "4", "0"]
        rows = [f"{number},{grade}" for number, grade in enumerate(grades)]
        root = lay(tmp_path / first, ROWS, train_csv="\n".join([f"image,{heading}", *rows]))
        assert shown(root) == {f"{at}.jpg": (grade,) for at, grade in enumerate(grades)}
        assert open_source(str(root), "", Labels).classes == ("0", "1", "2", "4")


def test_what_a_column_holds_is_looked_at_in_all_tables(tmp_path: Path) -> None:
    table = "image,level\n{}\n"
    root = lay(
        tmp_path,
        ROWS,
        train_csv=table.format("0,0\n1,3"),
        val_csv=table.format("2,0\n3,1"),
    )
    assert shown(root, "val") == {"2.jpg": ("0",), "3.jpg": ("1",)}


@pytest.mark.parametrize(
    ("column", "cells"), [("age", "1 45 33"), ("fold", "0 1 2"), ("sex", "f m f"), ("", "0 1 2")]
)
def test_columns_of_other_values_are_no_classes(column: str, cells: str, tmp_path: Path) -> None:
    rows = [
        f"{at}.jpg,{flags},{cell}"
        for at, (flags, cell) in enumerate(zip(("1,0", "0,1", "1,1"), cells.split(), strict=True))
    ]
    root = lay(tmp_path, ROWS, t_csv="\n".join([f"filename,cat,dog,{column}", *rows]))
    assert shown(root) == {"0.jpg": ("cat",), "1.jpg": ("dog",), "2.jpg": ("cat", "dog")}
    assert (f"columns passed over: {column}" in notes(root)) == bool(column)


@pytest.mark.parametrize("cell", ["0.1", "-1", "7", "perhaps", ""])
def test_a_cell_that_is_neither_yes_nor_no_is_a_fault(cell: str, tmp_path: Path) -> None:
    text = f"filename,cat,dog\n0.jpg,1,0\n1.jpg,0,1\n2.jpg,{cell},1\n3.jpg,1,1\n"
    root = lay(tmp_path, ROWS, t_csv=text)
    (fault,) = faults(root)
    assert f"line 4 of {str(root / 't.csv')!r} has {cell!r} for 'cat'" in fault


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("True", "False"), ("1.0", "0.0"), ("1", "-1"), ("1", "")]
)
@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_yes_and_no_are_written_in_several_ways(
    yes: str, no: str, sign: str, tmp_path: Path
) -> None:
    table = [
        ["", "filename", "cat", "dog"],
        ["0", "0.jpg", yes, yes],
        ["1", "1.jpg", no, yes],
        ["2", "2.jpg", yes, no],
    ]
    text = "\n".join(sign.join(row) for row in table)
    texts = {"t_tsv" if sign == "\t" else "t_csv": text}
    root = lay(tmp_path, ROWS, **texts)
    assert shown(root) == {"0.jpg": ("cat", "dog"), "1.jpg": ("dog",), "2.jpg": ("cat",)}


def test_minus_one_beside_zero_is_a_label_of_its_own(tmp_path: Path) -> None:
    root = lay(tmp_path, ROWS, t_csv="image,mood\n0,-1\n1,0\n2,1\n")
    assert shown(root)["0.jpg"] == ("-1",)


def test_findings_of_radiographs(tmp_path: Path) -> None:
    text = "Image Index,Finding Labels,Patient ID\n0.jpg,Mass|Effusion,7\n1.jpg,No Finding,8\n"
    root = lay(tmp_path, [f"images/{name}" for name in ROWS], Data_Entry_csv=text)
    assert shown(root) == {
        "images/0.jpg": ("Effusion", "Mass"),
        "images/1.jpg": ("No Finding",),
    }


def test_names_of_classes_come_before_their_numbers(tmp_path: Path) -> None:
    text = "class id,filepaths,labels,data set\n0,0.jpg,robin,train\n1,1.jpg,wren,test\n"
    root = lay(tmp_path, ROWS, birds_csv=text)
    assert shown(root, "train") == {"0.jpg": ("robin",)}
    assert notes(root, "train") == "columns passed over: class id"


@pytest.mark.parametrize(
    "text",
    ["id,camera\ncat0,A\ndog0,B\n", "name,width\ncat0,12\ndog0,7\n", "id,night\ncat0,0\ndog0,1\n"],
)
@pytest.mark.parametrize("splits", [(), ("train", "val")])
def test_a_column_without_a_known_name_is_none_of_classes_beside_their_folders(
    text: str, splits: tuple[str, ...], tmp_path: Path
) -> None:
    images = CLASS_FOLDERS
    if splits:
        images = [f"train/{name}" for name in images]
        images += [f"val/{kind}/new{kind}.jpg" for kind in ("cat", "dog")]
    root = lay(tmp_path, images, metadata_csv=text)
    split = splits[0] if splits else ""
    source = open_source(str(root), split, Labels)
    assert (source.format, source.classes, len(source)) == ("class folders", ("cat", "dog"), 6)
    assert "the table 'metadata.csv' names these images, and was passed over" in notes(root, split)
    named = open_source(str(root), "", Labels, format="csv" if "night" not in text else "one-hot")
    assert len(named) == 2


def test_a_column_called_like_a_label_comes_before_folders(tmp_path: Path) -> None:
    root = lay(tmp_path, CLASS_FOLDERS, labels_csv="image,label\ncat0,A\ndog0,B\n")
    assert shown(root) == {"cat/cat0.jpg": ("A",), "dog/dog0.jpg": ("B",)}


# === several labels in a cell ===


def in_table(cells: list[str], root: Path, heading: str = "label") -> Path:
    rows = [f'{at}.jpg,"{cell}"' for at, cell in enumerate(cells)]
    return lay(root, ROWS, train_csv="\n".join([f"image,{heading}", *rows]))


def in_list(cells: list[str], root: Path, heading: str = "") -> Path:
    rows = [f"{at}.jpg {cell}" for at, cell in enumerate(cells)]
    return lay(root, ROWS, train_txt="\n".join(rows))


@pytest.mark.parametrize("lies", [in_table, in_list])
@pytest.mark.parametrize(
    ("cells", "several", "said"),
    [
        ("cat,dog/cat/dog", "cat dog", "labels with ',' between them"),
        ("cat; dog/cat/dog", "cat dog", "labels with ';' between them"),
        ("a b_c d/a/b_c/d", "a b_c d", "labels with a blank between them"),
        ("['cat', 'dog']/['dog']/[]", "cat dog", "read as lists: 3"),
        ("cat|dog/cow", "cat dog", ""),
        ("0 3/0/1/3", "0 3", "numbers beside each other were read as several labels"),
        ("3,17/4", "3 17", "numbers beside each other were read as several labels"),
        ("0 1 1/1 0 0/0 0 0", "1 2", "3 numbers behind each image, 0 or 1"),
    ],
)
def test_several_labels_are_told_apart_and_it_is_said(
    lies, cells: str, several: str, said: str, tmp_path: Path
) -> None:
    root = lies(cells.split("/"), tmp_path)
    assert shown(root)["0.jpg"] == tuple(several.split())
    assert said in notes(root)


@pytest.mark.parametrize("lies", [in_table, in_list])
@pytest.mark.parametrize("label", ["bee fly", "tench, Tinca tinca", "cat;lion", "ice cream"])
def test_a_sign_in_a_name_parts_no_label(lies, label: str, tmp_path: Path) -> None:
    root = lies([label, "cat", "cream"], tmp_path)
    assert shown(root)["0.jpg"] == (label,)
    told = f"were taken for one class each: {label}" in notes(root)
    assert told == any(sign in label for sign in ",;")


def test_a_listed_class_is_never_parted(tmp_path: Path) -> None:
    root = in_table(["hot dog", "hot", "dog"], tmp_path)
    (root / "classes.txt").write_text("dog\nhot\nhot dog\n", encoding="utf-8")
    assert shown(root)["0.jpg"] == ("hot dog",)


def test_one_number_for_each_class_is_named_by_a_list(tmp_path: Path) -> None:
    root = in_list(["0 1 0", "1 1 0"], tmp_path)
    (root / "classes.txt").write_text("cat\ndog\ncow\n", encoding="utf-8")
    assert shown(root) == {"0.jpg": ("dog",), "1.jpg": ("cat", "dog")}
    assert open_source(str(root), "", Labels).classes == ("cat", "dog", "cow")


@pytest.mark.parametrize("lies", [in_table, in_list])
def test_numbers_that_may_mean_anything_are_asked_for(lies, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"all are 2 numbers, such as '3 17', and which of them"):
        open_source(str(lies(["3 17", "4 2"], tmp_path)), "", Labels)


def test_nan_is_no_label(tmp_path: Path) -> None:
    root = in_table(["cat", "nan", "NaN", ""], tmp_path)
    assert [*shown(root).values()] == [("cat",), (), (), ()]
    assert "labels that are called nan were taken for none: 2" in notes(root)


def test_labels_txt_may_be_the_list(tmp_path: Path) -> None:
    text = "im/0.jpg cat\nim/1.jpg dog\nim/2.jpg cat\n"
    root = lay(tmp_path, [f"im/{name}" for name in ROWS], labels_txt=text)
    assert shown(root) == {"im/0.jpg": ("cat",), "im/1.jpg": ("dog",), "im/2.jpg": ("cat",)}


def test_a_list_that_is_not_read_is_told(tmp_path: Path) -> None:
    images = [f"im/{name}" for name in ROWS]
    root = lay(tmp_path, images, train_txt="0 im/0.jpg\n1 im/1.jpg\n", readme_txt="0 of it\n")
    assert "the list 'train.txt' names these images, and was passed over" in notes(root)
    assert "readme" not in notes(root)


@pytest.mark.parametrize("lies", [in_table, in_list])
@pytest.mark.parametrize("names", ["1 cat\n2 dog\n3 cow", "1: cat\n2: dog\n3: cow"])
def test_a_list_of_names_may_number_them_itself(lies, names: str, tmp_path: Path) -> None:
    root = lies(["1", "2", "3"], tmp_path)
    (root / "classes.txt").write_text(names, encoding="utf-8")
    assert shown(root) == {"0.jpg": ("cat",), "1.jpg": ("dog",), "2.jpg": ("cow",)}
    for name in ("train.csv", "train.txt"):
        (root / name).unlink(missing_ok=True)
    assert shown(lies(["cat", "dog", "cow"], tmp_path))["1.jpg"] == ("dog",)
    assert open_source(str(root), "", Labels).classes == ("cat", "dog", "cow")


# === splits ===


def parts(root: Path) -> dict[str, list[str]]:
    return {split: [*shown(root, split)] for split in splits_of(str(root), Labels)}


def test_a_column_of_splits_counts_beside_other_tables(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        ROWS,
        train_csv="image,label,split\n0,a,train\n1,b,val\n2,a,train\n",
        test_csv="image,label\n3,a\n4,b\n",
    )
    assert parts(root) == {
        "test": ["3.jpg", "4.jpg"],
        "train": ["0.jpg", "2.jpg"],
        "val": ["1.jpg"],
    }


@pytest.mark.parametrize("ending", ["csv", "txt", "hot"])
def test_folders_of_splits_in_all_paths_are_splits(ending: str, tmp_path: Path) -> None:
    images = ["im/train/a.jpg", "im/val/b.jpg", "im/test/c.jpg"]
    texts = {
        "csv": {"labels_csv": "image,label\n" + "\n".join(f"{one},x" for one in images)},
        "txt": {"all_txt": "\n".join(f"{one} x" for one in images)},
        "hot": {"all_csv": "image,x,y\n" + "\n".join(f"{one},1,0" for one in images)},
    }
    root = lay(tmp_path, [*images, "im/d.jpg"], **texts[ending])
    assert parts(root) == {"test": [images[2]], "train": [images[0]], "val": [images[1]]}
    (path,) = (*root.glob("*.csv"), *root.glob("*.txt"))
    with path.open("a", encoding="utf-8") as file:
        file.write(
            {"csv": "\nim/d.jpg,x\n", "txt": "\nim/d.jpg x\n", "hot": "\nim/d.jpg,1,1\n"}[ending]
        )
    (split,) = splits_of(str(root), Labels)
    assert len(shown(root, split)) == 4
    assert "were not taken for splits, as 1 of 4 images" in notes(root, split)


def test_splits_may_stand_in_a_column_of_another_name(tmp_path: Path) -> None:
    text = "image,label,{}\n0,x,train\n1,y,val\n2,x,train\n"
    for heading in ("set", "Subset", "partition", "data set"):
        root = lay(tmp_path / heading, ROWS, labels_csv=text.format(heading))
        assert parts(root) == {"train": ["0.jpg", "2.jpg"], "val": ["1.jpg"]}
    text = text.replace("train", "A").format("set")
    root = lay(tmp_path / "other", ROWS, labels_csv=text)
    assert parts(root) == {"": ["0.jpg", "1.jpg", "2.jpg"]}
    assert "columns passed over: set" in notes(root)


def test_spellings_of_a_split_are_one(tmp_path: Path) -> None:
    rows = ["0,x,train", "1,y,Train", "2,x,training", "3,x,valid"]
    root = lay(tmp_path, ROWS, labels_csv="\n".join(["image,label,split", *rows]))
    assert parts(root) == {"train": ["0.jpg", "1.jpg", "2.jpg"], "valid": ["3.jpg"]}
    assert "the split 'train' is also called 'Train', 'training', and is one" in notes(root, "val")


@pytest.mark.parametrize("hot", [False, True])
def test_lines_of_no_split_beside_others_are_told(hot: bool, tmp_path: Path) -> None:
    rows = ["0,x,train", "1,y,train", "2,x,val", "3,y,", "4,x,"]
    text = "\n".join(["image,label,split", *rows])
    if hot:
        text = text.replace("label", "x,y").replace(",x,t", ",1,0,t").replace(",y,t", ",0,1,t")
        text = text.replace(",x,v", ",1,0,v").replace(",y,\n", ",0,1,\n").replace("4,x", "4,1,0")
    root = lay(tmp_path, ROWS, labels_csv=text)
    assert parts(root) == {"train": ["0.jpg", "1.jpg"], "val": ["2.jpg"]}
    for split in ("train", "val"):
        assert "2 images are in no split, and are not used: 3, 4." in notes(root, split)


# === where images lie ===


@pytest.mark.parametrize("names", [["0.jpg", "1.jpg"], ["0", "1"]])
@pytest.mark.parametrize("home", ["{}", "{}_images", "images/{}"])
def test_the_folder_of_a_split_is_looked_into_first(
    names: list[str], home: str, tmp_path: Path
) -> None:
    images = [f"{home.format(split)}/{at}.jpg" for split in ("train", "test") for at in range(2)]
    text = "image,label\n" + "\n".join(f"{name},x" for name in names)
    root = lay(tmp_path, images, train_csv=text, test_csv=text)
    assert {split: set(files) for split, files in parts(root).items()} == {
        "train": set(images[:2]),
        "test": set(images[2:]),
    }
    (root / images[1]).unlink()
    (fault,) = faults(root, "train")
    assert "lacks 1 image" in fault


def test_tables_in_the_folders_of_splits(tmp_path: Path) -> None:
    images = [f"{split}/{at}.jpg" for split in ("train", "test") for at in range(2)]
    text = "file_name,label\n0.jpg,x\n1.jpg,y\n"
    root = lay(tmp_path, images, train__metadata_csv=text, test__metadata_csv=text)
    assert parts(root) == {"test": images[2:], "train": images[:2]}
    (root / "classes.txt").write_text("y\nx\n", encoding="utf-8")
    assert open_source(str(root), "test", Labels).classes == ("y", "x")
    lay(root, [], train__old_csv=text.replace("x", "z"))
    assert shown(root, "train")["train/0.jpg"] == ("x",)
    assert "tables passed over: train/old.csv" in notes(root, "train")


def test_images_without_a_class_beside_class_folders_are_told(tmp_path: Path) -> None:
    root = lay(tmp_path, [*CLASS_FOLDERS, "loose.jpg", "test/9.jpg", "test_tube/1.jpg"])
    source = open_source(str(root), "", Labels)
    assert (source.classes, len(source)) == (("cat", "dog", "test_tube"), 7)
    assert "images that no folder gives a class were passed over: test, loose.jpg" in notes(root)


# === probabilities ===

SOFT = {
    "of each class": "image,cat,dog\n0,0.9,0.1\n1,0.2,0.8\n2,0.5,0.5\n",
    "of several classes at once": "image,cat,dog\n0,0.9,0.7\n1,0.2,0.8\n2,1,0.1\n",
    "with classes that none has": "image,cat,dog,cow,pig\n0,0.9,0.1,0,0\n1,0.2,0.8,0,0\n",
    "that are sure of most": "image,cat,dog\n0,1,0\n1,0.1,0.9\n2,1,0\n3,0,1\n",
    "with semicolons": "image;cat;dog\n0;0.9;0.1\n1;0.2;0.8\n",
    "of one class": "image,cat\n0,0.91\n1,0.27\n2,0.04\n",
    "beside a split": "image,cat,dog,split\n0,0.9,0.1,train\n1,0.2,0.8,val\n",
}


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("place", ["p_csv", "train__p_csv"])
@pytest.mark.parametrize("wanted", ["", "one-hot-csv"])
def test_probabilities_are_called_so(name: str, place: str, wanted: str, tmp_path: Path) -> None:
    root = lay(tmp_path, ROWS, **{place: SOFT[name]})
    with pytest.raises(DataError, match=r"'p\.csv' has numbers between 0 and 1 in cat") as error:
        open_source(str(root), "", Labels, format=wanted)
    assert "soft labels or predictions, which are not read. Write 0 or 1 there" in str(error.value)
    assert ("call it `label`" in str(error.value)) == (name == "of one class")
    assert "Known formats" not in str(error.value)
    table = next(root.rglob("p.csv"))
    with pytest.raises(DataError, match="soft labels or predictions"):
        open_source(str(table), "", Labels)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,cat,dog,weight\n0,1,0,0.5\n1,0,1,0.25\n", {"0.jpg": ("cat",), "1.jpg": ("dog",)}),
        ("image,label,cat,dog\n0,cat,0.9,0.1\n1,dog,0.2,0.8\n", None),
        ("image,label\n0,0.5\n1,0.25\n", {"0.jpg": ("0.5",), "1.jpg": ("0.25",)}),
    ],
)
def test_numbers_below_one_beside_labels_are_no_soft_labels(
    text: str, expected: Names | None, tmp_path: Path
) -> None:
    root = lay(tmp_path, ROWS, p_csv=text)
    assert shown(root) == (expected or {"0.jpg": ("cat",), "1.jpg": ("dog",)})


def test_predictions_beside_class_folders_are_passed_over(tmp_path: Path) -> None:
    root = lay(tmp_path, CLASS_FOLDERS, preds_csv="image,cat,dog\ncat0,0.9,0.1\ndog0,0.2,0.8\n")
    assert open_source(str(root), "", Labels).classes == ("cat", "dog")


@pytest.mark.parametrize("table", ["labels_csv", "data_csv", "train_csv"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,cat,dog,bird\n0,.7,.2,.1\n1,.1,.8,.1\n", "soft labels or predictions"),
        ("image;cat;dog\n0;0,7;0,3\n1;0,2;0,8\n", "between 0 and 1 in cat, dog: soft labels"),
        ("image,age\n0,.7\n1,.2\n2,.9\n3,.1\n", "measured, such as ages, are none"),
        ("image,age\n0,37.5\n1,20\n2,51.2\n", "in age: values that were measured"),
        ("image,score\n0,.7\n1,.2\n", "between 0 and 1 in score: soft labels"),
        ("image,x,y\n0,.17,.4\n1,.58,.9\n", "in x, y: points or turns"),
        ("image,yaw,pitch\n0,-.17,.4\n1,1.58,-.9\n", "in yaw, pitch: points or turns"),
        ("image,cat,dog\n0,2.3,-1.5\n1,-3,1\n", "in cat, dog: values that were measured"),
        ("image,animal,weight\n0,cat,.7\n1,dog,.2\n", "where `animal` holds them, call it `label`"),
    ],
)
def test_numbers_with_fractions_are_told_whatever_the_table_is_called(
    table: str, text: str, says: str, tmp_path: Path
) -> None:
    root = lay(tmp_path, ROWS, **{table: text})
    for path in (root, next(root.glob("*.csv"))):
        with pytest.raises(DataError, match=r"are not known\. '") as error:
            open_source(str(path), "", Labels)
        assert says in str(error.value)


@pytest.mark.parametrize("table", ["labels_csv", "data_csv"])
@pytest.mark.parametrize("name", ["confidence", "prob"])
def test_a_confidence_is_no_class(table: str, name: str, tmp_path: Path) -> None:
    text = f"image,animal,{name}\n0,cat,.7\n1,dog,1\n"
    root = lay(tmp_path, ROWS, **{table: text})
    assert shown(root) == {"0.jpg": ("cat",), "1.jpg": ("dog",)}
    assert "labels were taken from the column 'animal'" in notes(root)
    assert f"columns passed over: {name}" in notes(root)
    text = f"image,cat,dog,{name}\n0,1,0,.7\n1,0,1,1\n2,0,1,1\n"
    root = lay(tmp_path / "hot", ROWS, **{table: text})
    assert open_source(str(root), "", Labels).classes == ("cat", "dog")


HOT = "image,cat,dog\n0,1,0\n1,0,1\n2,1,0\n3,0,1\n"


@pytest.mark.parametrize("table", ["train", "labels", "data"])
@pytest.mark.parametrize("other", ["sample_submission", "predictions", "test_preds"])
@pytest.mark.parametrize("cells", [".25,.25", ".5,.5", ".7,.3", "1e-3,0.999", "1,.5"])
@pytest.mark.parametrize("wanted", ["", "one-hot-csv"])
def test_a_table_of_predictions_is_passed_over_beside_labels(
    table: str, other: str, cells: str, wanted: str, tmp_path: Path
) -> None:
    soft = f"image,cat,dog\n0,{cells}\n1,{cells}\n"
    root = lay(tmp_path, ROWS, **{f"{table}_csv": HOT, f"{other}_csv": soft})
    source = open_source(str(root), "", Labels, format=wanted)
    assert (source.classes, len(source)) == (("cat", "dog"), 4)
    assert f"tables passed over: {other}.csv" in source.notes


def test_predictions_of_one_column_are_passed_over_beside_grades(tmp_path: Path) -> None:
    texts = {"train_csv": "image,level\n0,0\n1,3\n", "preds_csv": "image,level\n2,0.5\n"}
    root = lay(tmp_path, ROWS, **texts)
    assert shown(root, "train") == {"0.jpg": ("0",), "1.jpg": ("3",)}


def test_a_split_of_probabilities_beside_one_of_labels_is_refused(tmp_path: Path) -> None:
    soft = "image,cat,dog\n0,.7,.3\n1,.2,.8\n"
    root = lay(tmp_path, ROWS, train_csv=soft, val_csv=HOT)
    with pytest.raises(DataError, match=r"'train\.csv' has numbers between 0 and 1"):
        open_source(str(root), "val", Labels)


@pytest.mark.parametrize("heading", ["cat,dog", "cat"])
@pytest.mark.parametrize("table", ["labels_csv", "train_csv"])
def test_a_few_soft_cells_are_faults_by_line(heading: str, table: str, tmp_path: Path) -> None:
    two = heading == "cat,dog"
    rows = [f"{at % 5},{at % 2}" + (f",{1 - at % 2}" if two else "") for at in range(60)]
    rows[41] = "1,.5,.5" if two else "1,.5"
    root = lay(tmp_path, ROWS, **{table: "\n".join([f"image,{heading}", *rows])})
    told = [one for one in faults(root) if "says by 0 or 1" in one]
    assert len(told) == 1 and "line 43 of" in told[0] and "has '.5' for 'cat'" in told[0]


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1.00", "0.00"), ("1.000000e+00", "0.000000e+00"), ("1.", "0."), ("1,0", "0,0")],
)
def test_yes_and_no_as_numpy_and_pandas_write_them(yes: str, no: str, tmp_path: Path) -> None:
    text = f"image;cat;dog\n0;{yes};{no}\n1;{no};{yes}\n"
    text = text if "," in yes else text.replace(";", ",")
    root = lay(tmp_path, ROWS, labels_csv=text)
    assert shown(root) == {"0.jpg": ("cat",), "1.jpg": ("dog",)}


@pytest.mark.parametrize("lies", [in_table, in_list])
@pytest.mark.parametrize("cells", ["0.0 1.0 2.0", "0. 1. 2.", "0.0e+00 1.0e+00 2", "0 1.0 2.00"])
def test_whole_numbers_with_a_point_are_numbers(lies, cells: str, tmp_path: Path) -> None:
    root = lies(cells.split(), tmp_path)
    assert [*shown(root).values()] == [("0",), ("1",), ("2",)]
    assert "the numbers are the names" in open_source(str(root), "", Labels).taken_for
    (root / "classes.txt").write_text("cat\ndog\nbird\n", encoding="utf-8")
    assert [*shown(root).values()] == [("cat",), ("dog",), ("bird",)]
    (root / "classes.txt").write_text("\n".join(cells.split()), encoding="utf-8")
    assert [*shown(root).values()] == [(cell,) for cell in cells.split()]


@pytest.mark.parametrize("lies", [in_table, in_list])
def test_labels_that_only_python_takes_for_a_number_stay_classes_of_their_own(
    lies, tmp_path: Path
) -> None:
    cells = ["1_0", "10", "2E1", "20"]
    root = lies(cells, tmp_path)
    assert [*shown(root).values()] == [(cell,) for cell in cells]


@pytest.mark.parametrize("lies", [in_table, in_list])
def test_labels_with_fractions_are_said(lies, tmp_path: Path) -> None:
    root = lies(["1", ".5", "1.5", ".5"], tmp_path)
    source = open_source(str(root), "", Labels)
    assert source.classes == (".5", "1", "1.5")
    assert "numbers with fractions, such as .5, and the numbers are the names" in source.taken_for


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_many_labels_with_fractions_are_no_classes(ending: str, tmp_path: Path) -> None:
    images = [f"{at}.jpg" for at in range(25)]
    texts = {
        "csv": "\n".join(
            ["image,target", *(f"{name},{at}.{at}5" for at, name in enumerate(images))]
        ),
        "txt": "\n".join(f"{name} {at}.{at}5" for at, name in enumerate(images)),
    }
    root = lay(tmp_path, images, **{f"train_{ending}": texts[ending]})
    with pytest.raises(DataError, match="25 of 25 are numbers with fractions of their own"):
        open_source(str(root), "", Labels)


# === masks, and what Excel writes ===


@pytest.mark.parametrize(
    "texts",
    [
        {"train_txt": "images/0.jpg masks/0.png\nimages/1.jpg masks/1.png\n"},
        {"train_csv": "image,label\nimages/0.jpg,masks/0.png\nimages/1.jpg,masks/1.png\n"},
        {"data_csv": "image,mask\nimages/0.jpg,masks/0.PNG\nimages/1.jpg,masks/1.PNG\n"},
    ],
)
def test_names_of_masks_are_no_labels(texts: dict[str, str], tmp_path: Path) -> None:
    images = [f"{folder}/{at}" for folder in ("images", "masks") for at in range(2)]
    images = [f"{name}{'.jpg' if 'images' in name else '.png'}" for name in images]
    root = lay(tmp_path, images, **texts)
    with pytest.raises(DataError, match=r"2 of 2 are images, such as 'masks/0.*task `segment`"):
        open_source(str(root), "", Labels)


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
@pytest.mark.parametrize("table", ["labels_csv", "train_csv"])
def test_the_line_that_tells_excel_the_sign_is_heeded(
    line: str, table: str, tmp_path: Path
) -> None:
    root = lay(tmp_path, ROWS, **{table: f"{line}\nimage;label\n0;a, b, c, d\n1;cat\n"})
    assert shown(root) == {"0.jpg": ("a, b, c, d",), "1.jpg": ("cat",)}
    root = lay(tmp_path / "hot", ROWS, **{table: f"{line}\nimage;cat;dog\n0;1;0\n1;0;7\n"})
    (fault,) = faults(root)
    assert "line 4 of" in fault
    root = lay(tmp_path / "wrong", ROWS, **{table: f"{line}\nimage;label\n0;1;0\n"})
    with pytest.raises(DataError, match="must have 2 columns; line 3 has 3"):
        open_source(str(root), "", Labels)


def test_blank_lines_before_a_table_are_passed_over_and_counted(tmp_path: Path) -> None:
    root = lay(tmp_path, ROWS, labels_csv="\n \nimage;label\n0;a, b, c, d\n1;cat\n")
    assert shown(root) == {"0.jpg": ("a, b, c, d",), "1.jpg": ("cat",)}
    root = lay(tmp_path / "wrong", ROWS, labels_csv="\n\nimage;label\n\n0;1;0\n")
    with pytest.raises(DataError, match="must have 2 columns; line 5 has 3"):
        open_source(str(root), "", Labels)
    text = "\n\nfilename;xmin;ymin;xmax;ymax;class\n0.jpg;1;2;7;8,5;cat\n"
    root = lay(tmp_path / "boxes", ROWS, t_csv=text)
    assert open_source(str(root), "", Boxes).truth(0).xyxy.tolist() == [[1, 2, 7, 8.5]]


def test_a_table_of_boxes_may_begin_with_excels_line(tmp_path: Path) -> None:
    text = "sep=;\nfilename;xmin;ymin;xmax;ymax;class\n0.jpg;1;2;7;8,5;cat\n"
    root = lay(tmp_path, ROWS, t_csv=text)
    assert open_source(str(root), "", Boxes).truth(0).xyxy.tolist() == [[1, 2, 7, 8.5]]
