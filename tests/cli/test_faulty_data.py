"""Data with faults from the command line: each refusal says how to leave out what has them."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Mask
from cvtasks.cli.hints import hints_of
from cvtasks.data import open_source
from cvtasks.data.checking.finding import Finding, causes
from cvtasks.data.to_evaluate import open_to_evaluate
from cvtasks.errors import CVTasksError, DataError
from cvtasks.recipe.recipe import parse_recipe, read_recipe
from cvtasks.zoo import RECIPE, model_folder

MODEL = "classify-lenet-mnist"
DROP = "--set", "data.faulty=drop"


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Two classes of two images, and one that is cut short."""
    root = tmp_path / "digits"
    for text in "01":
        (root / text).mkdir(parents=True)
        for number in range(2):
            image = np.full((60, 60, 3), 255 - number, np.uint8)
            cv2.putText(image, text, (10, 50), cv2.FONT_HERSHEY_SIMPLEX, 2, (0, 0, 0), 6)
            cv2.imwrite(str(root / text / f"{text}-{number}.png"), image)
    whole = (root / "1" / "1-0.png").read_bytes()
    (root / "1" / "cut.png").write_bytes(whole[: len(whole) // 2])
    return root


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", MODEL, "--data", "DIGITS"),
        ("data", "show", "DIGITS", "--task", "classify", "-o", "NEW"),
    ],
    ids=lambda command: command[1] if command[0] == "data" else command[0],
)
def test_what_is_damaged_is_refused_with_the_way_to_leave_it_out(
    cli, digits: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    places = {"DIGITS": digits, "NEW": tmp_path / "new"}
    given = [places.get(word, word) for word in command]
    code, _, err = cli(*given)
    assert (code, "cut.png" in err, " ".join(DROP) in err) == (3, True, True), err
    code, _, err = cli(*given, *DROP)
    assert code == 0, err
    assert "left out as faulty" in err and "whole images among it: 1" in err, err


def test_a_bare_key_is_taken_for_the_one_of_the_data(cli, digits: Path) -> None:
    """As training takes it."""
    code, _, err = cli("evaluate", MODEL, "--data", digits, "--set", "faulty=drop")
    assert code == 0, err
    assert "`faulty` is taken for `data.faulty`" in err and "left out as faulty" in err


def test_what_is_damaged_is_not_converted_where_it_is_dropped(cli, digits, tmp_path) -> None:
    how = ("--to", "list", "--task", "classify", *DROP)
    code, _, err = cli("data", "convert", digits, tmp_path / "new", *how)
    assert code == 0 and "left out as faulty" in err, err
    assert not [*(tmp_path / "new").rglob("*cut*")] and "4 images" in err, err


def test_what_a_run_left_out_is_left_out_where_it_is_measured(digits: Path) -> None:
    folder = model_folder(MODEL)
    recipe = read_recipe(folder / RECIPE)
    for faulty, images in (("refuse", 5), ("drop", 4)):
        data = replace(recipe.data, path=str(digits), format="", faulty=faulty, held_out=0)
        found = open_to_evaluate(replace(recipe, data=data), folder, "")
        assert len(found.source) == images
    dropping = replace(recipe, data=data)
    asked = hints_of("classify", ["data.faulty=refuse"], "")
    assert len(open_to_evaluate(dropping, folder, "", hints=asked).source) == 5
    unsaid = hints_of("classify", [], "")
    assert len(open_to_evaluate(dropping, folder, "", hints=unsaid).source) == 4
    said: list[str] = []
    other = replace(recipe, data=replace(data, path="elsewhere"))
    assert len(open_to_evaluate(other, folder, str(digits), said.append).source) == 5
    assert not said


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"void": 1}, "data.void=255"),
        ({"values": {"background": 255, "cell": 1, "other": 0}}, "data.values={}"),
    ],
)
def test_what_is_said_of_data_counts_where_it_is_usual_too(
    own: dict, said: str, tmp_path: Path
) -> None:
    """A model's recipe reads its data otherwise."""
    for folder, array in (("images", np.zeros((4, 3, 3))), ("masks", [[0, 1, 255]] * 4)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.array(array, np.uint8))
    (tmp_path / "classes.txt").write_text("background\ncell\n")
    table = {"task": {"name": "segment"}, "backbone": "tiny", "size": 64}
    classes = ["background", "cell"]
    recipe = parse_recipe({**table, "classes": classes, "data": {"path": str(tmp_path), **own}})
    hints = hints_of("segment", [said], "")
    found = open_to_evaluate(recipe, tmp_path, "", hints=hints).source
    assert found.truth(0).ids[0].tolist() == [0, 1, 255]


@pytest.mark.parametrize(
    ("key", "way"),
    [("data.mosaic=1", "Leave it out"), ("data.format=voc", "--format"), ("train.ema=0", "Leave")],
)
def test_no_key_is_taken_and_passed_over(cli, digits: Path, key: str, way: str) -> None:
    code, _, err = cli("data", "stats", digits, "--task", "classify", "--set", key)
    assert (code, key.split("=")[0] in err, way in err) == (2, True, True), err


def test_a_check_leaves_nothing_out(cli, digits: Path) -> None:
    code, _, err = cli("data", "check", digits, "--task", "classify", *DROP)
    assert code == 2 and "got 'data.faulty'. Leave it out" in err, err


@pytest.mark.parametrize(("command", "takes"), [("check", False), ("stats", True)])
def test_help_names_the_keys_that_a_command_takes(cli, command: str, takes: bool) -> None:
    code, out, _ = cli("data", command, "--help")
    assert (code, "data.values" in out, "data.faulty" in out) == (0, True, takes), out


def test_an_error_without_a_remedy_of_its_own_says_what_it_is() -> None:
    one, other = (Finding("error", rule, "a.jpg", "because") for rule in ("shape", "image twice"))
    assert [cause.first for cause in causes([one, other])] == ["because", ""]


def test_folders_of_images_called_alike_may_be_masks(tmp_path: Path) -> None:
    for folder in ("Bilder", "Masken"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"'Bilder' and 'Masken'.*'images' and 'masks'"):
        open_source(str(tmp_path), "", Mask)
    (tmp_path / "Masken").rename(tmp_path / "more")
    for file in (tmp_path / "more").iterdir():
        file.rename(file.with_stem(f"other {file.stem}"))
    with pytest.raises(CVTasksError) as raised:
        open_source(str(tmp_path), "", Mask)
    assert "'masks'" not in str(raised.value)
