"""Saved predictions that are none: what they must be, what they are, and the way out."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from cvtasks.errors import DataError
from cvtasks.evaluation.predictions import read_predictions
from cvtasks.tasks import TASKS

CLASSES = ("cat", "dog")
DATA = SimpleNamespace(classes=CLASSES)
BOX = {"name": "cat", "score": 0.5, "xyxy": [1, 2, 3, 4]}
RUNS = {"size": [2, 2], "counts": "13"}
MASK = {"size": [2, 2], "rle": {"cat": RUNS}}
LABEL = {"name": "cat", "score": 0.5}
PLACE = {"source": "a.jpg", "height": 2, "width": 2}
ANSWERS = {
    "classify": {"labels": [LABEL]},
    "detect": {"boxes": [BOX]},
    "localize": {"boxes": [BOX]},
    "instances": {"boxes": [BOX | {"mask": RUNS}]},
    "segment": {"mask": MASK},
}
"""Task → its part of a record that is right."""

EXCEPTION = re.compile(r"[A-Z]\w+(Error|Exception)\b|\.\.|Expecting|tuple|dtype|codec|Option")


def refused(task: str, text: str, folder: Path, name: str = "records.jsonl") -> str:
    """What is said about the predictions of a task."""
    path = folder / name
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_predictions(path, TASKS[task].task(), DATA, CLASSES)
    said = str(caught.value).replace(repr(str(path)), "FILE")
    assert not EXCEPTION.search(said), said
    assert not caught.value.ways, "no option of evaluate leads out"
    return said


def box(**changed: object) -> dict[str, object]:
    """A record of a box that is right but for some fields, which a value of `...` leaves out."""
    return {"boxes": [{k: v for k, v in (BOX | changed).items() if v is not ...}]}


@pytest.mark.parametrize("task", TASKS)
def test_what_is_right_is_read(task: str, tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(PLACE | ANSWERS[task]))
    saved = read_predictions(path, TASKS[task].task(), DATA, CLASSES)
    assert list(saved.entries) == ["a"]


@pytest.mark.parametrize(
    ("task", "others", "says"),
    [
        ("segment", "detect", "have `mask` in every line; line 1 of FILE has `boxes`, as detect,"),
        ("segment", "classify", "line 1 of FILE has `labels`, as classify writes it. Name a model"),
        ("detect", "segment", "have `boxes` in every line; line 1 of FILE has `mask`, as segment"),
        ("classify", "detect", "have `labels` in every line; line 1 of FILE has `boxes`, as"),
        ("instances", "detect", "must have `boxes[0].mask`; line 1 of FILE has none. Save them"),
    ],
)
def test_predictions_of_another_task_are_said_to_be(
    task: str, others: str, says: str, tmp_path: Path
) -> None:
    said = refused(task, json.dumps(PLACE | ANSWERS[others]), tmp_path)
    assert says in said
    assert task in said


def test_the_task_that_a_record_names_is_said(tmp_path: Path) -> None:
    said = refused("segment", json.dumps({"task": "localize", **ANSWERS["localize"]}), tmp_path)
    assert "line 1 of FILE has `boxes`, as localize writes it." in said


@pytest.mark.parametrize(
    ("task", "changed", "says"),
    [
        ("detect", {"source": 3}, "`source` of a record must be text: the image's name or path"),
        ("detect", {"boxes": BOX}, "`boxes` of a record must be a list; line 1 of FILE has {"),
        ("detect", {"boxes": None}, "`boxes` of a record must be a list; line 1 of FILE has null."),
        ("detect", {"boxes": [[1, 2]]}, "`boxes[0]` of a record must be an object; line 1 of FILE"),
        ("detect", {"height": "2"}, 'must be a whole number of pixels; line 1 of FILE has "2".'),
        (
            "detect",
            box(name=...),
            "every record must have `boxes[0].name`; line 1 of FILE has none",
        ),
        ("detect", box(name="dgo"), 'line 1 of FILE has "dgo". Did you mean "dog"?'),
        ("detect", box(name=7), "every class of a record must be one of the model or of the data"),
        (
            "detect",
            box(score=...),
            "every record must have `boxes[0].score`; line 1 of FILE has no",
        ),
        ("detect", box(score=None), "must be a finite number; line 1 of FILE has null. Save them"),
        ("detect", box(score=float("nan")), "must be a finite number; line 1 of FILE has NaN."),
        ("detect", box(score=1e99), "must be a finite number; line 1 of FILE has 1e+99."),
        ("detect", box(score="high"), 'must be a finite number; line 1 of FILE has "high".'),
        ("detect", box(score=[1, 2]), "`boxes[0].score` of a record must be a finite number"),
        ("detect", box(xyxy=...), "every record must have `boxes[0].xyxy`"),
        ("detect", box(xyxy=[1, 2, 3]), "left, top, right, bottom, in this order; line 1 of FILE"),
        ("detect", box(xyxy=[1, 2, 3, "d"]), "must be four finite numbers: left, top, right,"),
        ("detect", box(xyxy=[3, 2, 1, 4]), "in this order; line 1 of FILE has [3, 2, 1, 4]."),
        ("detect", box(xyxy={"left": 1}), 'line 1 of FILE has {"left": 1}.'),
        ("detect", box(track="one"), "`boxes[0].track` of a record must be a whole number"),
        ("localize", box(score=None), "Save them again: `cvtasks localize … --save json`."),
        ("instances", box(mask=[]), "`boxes[0].mask` of a record must be an object"),
        ("instances", box(mask={"size": [2, 2]}), "every record must have `boxes[0].mask.counts`"),
        ("instances", box(mask=RUNS | {"counts": "1"}), "the runs must be whole numbers and add"),
        (
            "classify",
            {"labels": [LABEL | {"score": 2}]},
            "a number from 0 to 1; line 1 of FILE has 2",
        ),
        (
            "classify",
            {"labels": [LABEL | {"score": None}]},
            "from 0 to 1; line 1 of FILE has null.",
        ),
        ("classify", {"labels": [LABEL | {"name": "cta"}]}, 'has "cta". Did you mean "cat"?'),
        ("classify", {"labels": [{"score": 1}]}, "every record must have `labels[0].name`"),
        ("segment", {"mask": 3}, "`mask` of a record must be an object; line 1 of FILE has 3."),
        (
            "segment",
            {"mask": {"rle": {}}},
            "every record must have `mask.size`; line 1 of FILE has",
        ),
        ("segment", {"mask": MASK | {"size": [2]}}, "two whole numbers of pixels: height, width"),
        (
            "segment",
            {"mask": MASK | {"rle": []}},
            "`mask.rle` of a record must be an object: class",
        ),
        ("segment", {"mask": MASK | {"rle": {"cow": RUNS}}}, 'line 1 of FILE has "cow".'),
        (
            "segment",
            {"mask": MASK | {"rle": {"cat": "13"}}},
            "`mask.rle.cat` of a record must be an",
        ),
        ("segment", {"mask": MASK | {"size": [9, 9]}}, "line 1 of FILE is not: "),
    ],
)
def test_what_is_wrong_in_a_record_is_said(
    task: str, changed: dict, says: str, tmp_path: Path
) -> None:
    assert says in refused(task, json.dumps(PLACE | ANSWERS[task] | changed), tmp_path)


@pytest.mark.parametrize(
    ("task", "text", "says"),
    [
        ("segment", "", "predictions of segment have a line for every image; FILE is empty. Save"),
        (
            "segment",
            "[1, 2]",
            "every line of predictions must be a JSON object; line 1 of FILE is [",
        ),
        ("segment", "null", "must be a JSON object; line 1 of FILE is null. Save them again"),
        ("segment", "3", "must be a JSON object; line 1 of FILE is 3."),
        ("segment", '"summary"', 'must be a JSON object; line 1 of FILE is "summary".'),
        ("segment", "\n", "must be a JSON object; line 1 of FILE is empty."),
        ("segment", '{"source": "a.jpg", ', "line 1 of FILE breaks off at its end."),
        ("segment", '{"source" "a.jpg"}', "is none from character 11 on: '\"a.jpg\"}'."),
        ("segment", "[" * 100_000, "lists too deep within each other. Save them again"),
        ("detect", "", "FILE is empty. Save them again: `cvtasks detect … --save json`."),
        ("detect", '{"source": "a.jpg", ', "line 1 of FILE breaks off at its end."),
        ("detect", "[1", "COCO's results are one list in JSON; FILE breaks off at its end. Save"),
        ("detect", "[1]", "bbox (left, top, width, height) and score; entry 1 of FILE is 1. Save"),
        ("detect", '{"boxes": []}', "FILE has no images. Give JSON lines, each with a `source`"),
        ("detect", '{"images": [3]}', "FILE has 3 among its images."),
        ("detect", '{"images": [], "categories": []}', "FILE has no annotations."),
        ("instances", '[{"image_id": 1}]', "entry 1 of FILE has no category_id."),
    ],
)
def test_what_is_no_file_of_predictions_is_said(
    task: str, text: str, says: str, tmp_path: Path
) -> None:
    assert says in refused(task, text, tmp_path)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"score": None}, "entry 1 of FILE has score null."),
        ({"score": "high"}, 'entry 1 of FILE has score "high".'),
        ({"bbox": [1, 2, 3]}, "entry 1 of FILE has bbox [1, 2, 3]."),
        ({"bbox": None}, "entry 1 of FILE has bbox null."),
        ({"category_id": ...}, "entry 1 of FILE has no category_id."),
    ],
)
def test_what_is_wrong_in_a_result_is_said(changed: dict, says: str, tmp_path: Path) -> None:
    right = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}
    result = {key: value for key, value in (right | changed).items() if value is not ...}
    assert says in refused("detect", json.dumps([result]), tmp_path, "results.json")


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        (None, "entry 1 of FILE has segmentation null."),
        ([[1, 2, 3, 4, 5, 6]], "entry 1 of FILE has segmentation [[1, 2, 3, 4, 5, 6]]."),
        ({"size": [2, 2]}, 'entry 1 of FILE has segmentation {"size": [2, 2]}.'),
        ({"size": [2, 2], "counts": "1"}, "has another segmentation: the runs must be whole"),
    ],
)
def test_what_is_wrong_in_a_mask_is_said(segmentation: object, says: str, tmp_path: Path) -> None:
    result = {"image_id": 1, "category_id": 1, "segmentation": segmentation, "score": 0.5}
    assert says in refused("instances", json.dumps([result]), tmp_path, "results.json")


@pytest.mark.parametrize("options", ["--augment", "--tiles auto", "--engine keras", "--device cpu"])
def test_how_a_model_is_run_does_not_go_with_predictions(cli, options: str, tmp_path: Path) -> None:
    (tmp_path / "found.jsonl").touch()
    code, _, err = cli(
        "evaluate", "no-model", "--predictions", tmp_path / "found.jsonl", *options.split()
    )
    assert code == 2
    assert f"{options.split()[0]} says how a model is run; --predictions runs none" in err
