"""Data by which nothing can be measured: one line says so, and what they hold instead."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cvtasks.answers import Labels
from cvtasks.data import open_source
from cvtasks.data.views import fitted
from cvtasks.errors import DataError
from cvtasks.evaluation.of_model import evaluation_data
from cvtasks.recipe.recipe import parse_recipe, read_recipe
from cvtasks.zoo import RECIPE, model_folder

DETECT, SEGMENT = "detect-yolox-nano-voc", "segment-efficientnet-lite0-voc"


def pictures(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return [f"{number}.png" for number in range(count)]


def coco(root: Path, marks: list[dict[str, int]]) -> Path:
    """Six images and a box of sheep for each of `marks`."""
    names = pictures(root, 6)
    box = {"category_id": 1, "bbox": [4, 4, 20, 20], "area": 400, "iscrowd": 0}
    box["segmentation"] = {"size": [48, 64], "counts": [200, 20, 2852]}
    document = {
        "images": [
            {"id": i, "file_name": name, "width": 64, "height": 48} for i, name in enumerate(names)
        ],
        "annotations": [box | {"id": i, "image_id": i} | mark for i, mark in enumerate(marks)],
        "categories": [
            {"id": 1, "name": "sheep"},
            {"id": 2, "name": "cow"},
            {"id": 3, "name": "axolotl"},
        ],
    }
    (root / "boxes.json").write_text(json.dumps(document))
    return root


def masks(root: Path) -> Path:
    for name in pictures(root / "images", 2):
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(np.zeros((48, 64), np.uint8)).save(root / "masks" / name)
    (root / "classes.txt").write_text("background\nsheep\n")
    return root


def said_of(model: str, data: Path) -> tuple[list[str], Any]:
    folder, said = model_folder(model), []
    found = evaluation_data(read_recipe(folder / RECIPE), folder, str(data), say=said.append)
    return said, found


@pytest.mark.parametrize(
    ("marks", "held"),
    [
        ([], ""),
        ([{"iscrowd": 1}] * 3, " (3 crowds)"),
        ([{"iscrowd": 1}], " (1 crowd)"),
        ([{"ignore": 1}, {"ignore": 1}, {"iscrowd": 1}], " (1 crowd, 2 difficult)"),
    ],
)
def test_boxes_that_are_not_scored_are_told(tmp_path: Path, marks: list, held: str) -> None:
    said, found = said_of(DETECT, coco(tmp_path / "data", marks))
    line = f"of 6 images none shows an object that is scored{held}"
    assert f"data: {line}" in said
    assert found.remarks[0] == line


def test_one_object_is_enough(tmp_path: Path) -> None:
    said, found = said_of(DETECT, coco(tmp_path / "data", [{"iscrowd": 1}, {}]))
    assert not any("none shows" in line for line in said)
    assert not found.nothing


def test_masks_of_background_are_told(tmp_path: Path) -> None:
    said, _ = said_of(SEGMENT, masks(tmp_path / "data"))
    assert said[-1] == "data: of 2 images none shows anything but background and void"


def test_labels_that_no_image_shows_are_told(tmp_path: Path) -> None:
    said, _ = said_of("classify-efficientnet-lite0-voc", coco(tmp_path / "data", []))
    assert said[-1] == "data: of 6 images none shows a class that is scored"


def test_it_is_said_beside_the_table_and_in_the_report(cli, tmp_path: Path) -> None:
    data = coco(tmp_path / "data", [{"iscrowd": 1}] * 3)
    code, out, err = cli("evaluate", DETECT, "--data", data, "--json", "-o", tmp_path / "report")
    assert code == 0, err
    line = "of 6 images none shows an object that is scored (3 crowds)"
    assert err.count(line) == 1
    assert set(json.loads(out)["metrics"].values()) == {None}
    assert line in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")


LOCALIZE = "localize-mobilenet-voc"


@pytest.mark.parametrize(
    ("marks", "held"),
    [
        ([], "6 show none of the classes"),
        ([{"iscrowd": 1}] * 3, "6 show none of the classes (3 crowds)"),
        (
            [{"category_id": 3}, {"category_id": 3, "iscrowd": 1}],
            "6 show none of the classes; classes that the model does not have: axolotl",
        ),
    ],
)
def test_data_without_an_object_to_localize_are_named(
    cli, tmp_path: Path, marks: list, held: str
) -> None:
    data = coco(tmp_path / "data", marks)
    for command in (("evaluate", LOCALIZE, "--data", data), ("data", "review", LOCALIZE, data)):
        code, _, err = cli(*command, *(("-o", tmp_path / "o") if "review" in command else ()))
        assert code == 5, err
        assert "localize is about images with an object of the classes" in err
        assert f"of 6 images of '{data}:boxes' none is one: {held}. Name data" in err
        assert "learn" not in err and "recipe" not in err


def test_images_of_several_classes_are_told_to_be_so(tmp_path: Path) -> None:
    data = coco(tmp_path / "data", [{}, {"image_id": 0, "category_id": 2}])
    source = open_source(str(data), "", Labels)
    document = {"task": {"name": "classify", "labels": "one"}, "backbone": "tiny", "size": 32}
    recipe = parse_recipe({**document, "classes": ["sheep", "cow"]})
    held = "5 show none of the classes, 1 shows several"
    with pytest.raises(DataError, match=f"'x' none is one: {held}. Name data"):
        fitted(source, recipe, called="x")
    with pytest.raises(DataError, match=r"classify learns from .* Check the recipe's `classes`"):
        fitted(source, recipe)
