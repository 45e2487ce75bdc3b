"""The labelling loop from the command line, on drawn digits and a model of the zoo."""

import csv
import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

MODEL = "classify-lenet-mnist"
WRONG = "3", "8-0"
"""The folder of a digit, and the stem of an image in it that shows an 8."""


def digit(text: str, thick: int) -> np.ndarray:
    image = np.full((60, 60, 3), 255, np.uint8)
    cv2.putText(image, text, (10, 50), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 4 + thick)
    return image


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    root = tmp_path / "digits"
    for text in "0123456789":
        (root / text).mkdir(parents=True)
        for number in range(2):
            place = root / (WRONG[0] if (text, number) == ("8", 0) else text)
            place.mkdir(exist_ok=True)
            cv2.imwrite(str(place / f"{text}-{number}.png"), digit(text, 2 * number))
    return root


def test_what_lies_in_the_wrong_folder_comes_first(cli, digits, tmp_path):
    folder = tmp_path / "look"
    code, out, err = cli("data", "review", MODEL, digits, "-o", folder, "--no-twins", "--top", 4)
    assert code == 0, err
    assert out == f"{folder / 'review.html'}\n"
    rows = table(folder / "review.csv")
    assert Path(rows[0]["file"]).name == f"{WRONG[1]}.png" and rows[0]["reason"] == "another class"
    assert (folder / "review.html").read_text().count("<figure") == 4
    code, _, err = cli("data", "review", MODEL, digits, "-o", folder, "--no-twins")
    assert code == 2 and "new or empty" in err


def test_classes_of_other_names_are_reviewed_by_a_map(cli, digits, tmp_path):
    for text in "0123456789":
        (digits / text).rename(digits / f"n{text}")
    what = ("data", "review", MODEL, digits, "-o", tmp_path / "look", "--no-twins")
    code, _, err = cli(*what)
    assert code == 5 and "Option: --map DATA'S=MODEL'S" in err
    pairs = ",".join(f"n{text}={text}" for text in "0123456789")
    code, _, err = cli("compare", MODEL, MODEL, "--data", digits, "--map", pairs)
    assert code == 0, err
    code, _, err = cli(*what, "--map", pairs)
    assert code == 0, err
    (row, *_) = table(tmp_path / "look" / "review.csv")
    assert Path(row["file"]).name == f"{WRONG[1]}.png" and row["reason"] == "another class"


def test_damaged_images_stop_no_review(cli, digits, tmp_path):
    (digits / "1" / "0-no.png").write_bytes(b"no image")
    whole = (digits / "1" / "1-0.png").read_bytes()
    (digits / "1" / "1-0.png").write_bytes(whole[: len(whole) // 2])
    code, _, err = cli("data", "review", MODEL, digits, "-o", tmp_path / "look", "--no-twins")
    assert (code, "left out as faulty: 2 images" in err) == (3, True), err
    assert "0-no.png" in err and "1-0.png" in err
    names = [Path(row["file"]).stem for row in table(tmp_path / "look" / "review.csv")]
    assert WRONG[1] in names and not {"0-no", "1-0"} & set(names)


def test_images_without_labels_come_by_how_unsure_the_model_is(cli, digits, tmp_path):
    blank = np.full((60, 60, 3), 255, np.uint8)
    cv2.line(blank, (10, 30), (50, 34), (0, 0, 0), 9)
    cv2.imwrite(str(digits / "1" / "dash.png"), blank)
    (digits / "1" / "broken.png").write_bytes(b"no image")
    how = ("--unlabelled", "--no-twins", "-o", tmp_path / "look")
    code, _, err = cli("data", "review", MODEL, digits, *how)
    assert code == 3 and "broken.png" in err and "21 images without labels" in err
    assert "left out as faulty: 1 image. 21 images reviewed." in err
    rows = table(tmp_path / "look" / "review.csv")
    assert len(rows) == 21
    assert "1/dash" in [row["name"] for row in rows[:7]]


def test_prelabelled_images_are_counted_and_bad_ones_told(cli, digits, tmp_path):
    folder = digits / "7"
    (folder / "broken.png").write_bytes(b"no image")
    code, out, err = cli("data", "prelabel", MODEL, folder, "-o", folder)
    assert code == 3 and out == f"{folder / 'labels.csv'}\n" and "2 images →" in err
    rows = table(folder / "labels.csv")
    assert [row["image"] for row in rows] == ["7-0.png", "7-1.png"]
    assert {row["label"] for row in rows} == {"7"} and float(rows[0]["score"]) > 0.5
    to = ("--to", "label-studio", "--no-scores", "-o", tmp_path / "studio")
    code, _, err = cli("data", "prelabel", MODEL, folder / "7-0.png", *to)
    assert code == 0, err
    (task,) = json.loads((tmp_path / "studio" / "label-studio.json").read_text())
    assert task["annotations"][0]["result"][0]["value"]["choices"] == ["7"]
    code, _, err = cli("data", "prelabel", MODEL, folder, "--to", "yolo", "-o", tmp_path / "yolo")
    assert code == 2 and "'yolo' cannot hold them" in err


def test_labels_are_converted_to_a_table(cli, digits, tmp_path):
    how = ("--task", "classify", digits, tmp_path / "list", "--to", "csv")
    code, _, err = cli("data", "convert", *how)
    assert code == 0, err
    assert {row["label"] for row in table(tmp_path / "list" / "train.csv")} == set("0123456789")


def test_a_source_that_is_not_there_is_no_image_and_nothing_is_imported(cli, digits, tmp_path):
    code, out, err = cli("data", "prelabel", MODEL, tmp_path / "gone.png", "-o", tmp_path / "n")
    assert code == 3 and not out and "1 source without an image" in err
    assert "no image was labelled" in err and "correct the column" not in err
    (digits / "7" / "broken.png").write_bytes(b"no image")
    sources = digits / "7", tmp_path / "gone.png"
    code, _, err = cli("data", "prelabel", MODEL, *sources, "-o", tmp_path / "n")
    assert "1 source without an image; 1 of 3 images could not be read. 2 images" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--prefix", "x/"), "--prefix stands before names in label-studio alone; got no --to"),
        (("--prefix", "x/", "--to", "csv"), "got --to csv"),
        (("--classes", ","), "--classes must name a class"),
    ],
)
def test_options_that_would_do_nothing_are_refused(more, said, cli, digits, tmp_path):
    code, _, err = cli("data", "prelabel", MODEL, digits / "7", "-o", tmp_path / "n", *more)
    assert code == 2 and said in err and not (tmp_path / "n").exists()


def test_images_in_folders_below_are_counted(cli, digits, tmp_path):
    cv2.imwrite(str(digits / "7.png"), digit("7", 0))
    out = digits / "found"
    out.mkdir()
    cv2.imwrite(str(out / "drawn.png"), digit("7", 0))
    code, _, err = cli("data", "prelabel", MODEL, digits, "-o", out)
    assert (
        code == 0
        and "20 images in folders below" in err
        and "'**/*'" in err.replace(f"{digits}/", "")
    )
    how = ("--unlabelled", "--no-twins", "-o", tmp_path / "look")
    code, _, err = cli("data", "review", MODEL, digits, *how)
    assert code == 0 and "22 images without labels, 21 of them in folders below" in err


def test_images_in_folders_below_that_are_labelled_are_not_passed_over(
    cli, digits, tmp_path, monkeypatch
):
    cv2.imwrite(str(digits / "7.png"), digit("7", 0))
    (digits / "deep").mkdir()
    monkeypatch.chdir(digits / "deep")
    code, _, err = cli("data", "prelabel", MODEL, "..", f"{digits}/**/*", "-o", tmp_path / "out")
    assert code == 0 and "21 images →" in err and "passed over" not in err
    code, _, err = cli("data", "prelabel", MODEL, "..", f"{digits}/7/*", "-o", tmp_path / "more")
    assert code == 0 and "18 images in folders below" in err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--format", "coco"), "--format says how"),
        (("--lists", "nowhere"), "--lists says"),
        (("--classes-from", "name"), "--classes-from says"),
        (("--set", "data.faulty=drop", "--map", "a=b"), "--set and --map say how"),
    ],
)
def test_what_is_said_of_labels_is_refused_where_none_are_read(
    options, says, cli, digits, tmp_path
):
    out = tmp_path / "look"
    code, _, err = cli("data", "review", MODEL, digits, "--unlabelled", "-o", out, *options)
    assert code == 2 and says in err and not out.exists()


@pytest.mark.parametrize("command", ["prelabel", "review"])
def test_a_folder_without_images_is_a_sentence(command, cli, tmp_path):
    (tmp_path / "empty").mkdir()
    more = ("--unlabelled", "--no-twins") if command == "review" else ()
    code, _, err = cli("data", command, MODEL, tmp_path / "empty", "-o", tmp_path / "out", *more)
    assert code in (3, 5) and "must hold images" in err and "Traceback" not in err
