"""Each task's command on the same good and bad inputs, with the zoo's own models: one output
contract for all.
"""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.tasks import TASKS
from cvtasks.zoo import default_model


@pytest.fixture(params=[name for name, row in TASKS.items() if row.model])
def task(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images, a damaged one, a text that is called an image, and a video of five frames."""
    place, rng = tmp_path_factory.mktemp("inputs"), np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(place / name), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    (place / "cut.png").write_bytes((place / "a.png").read_bytes()[:3000])
    (place / "text.jpg").write_text("no image")
    writer = cv2.VideoWriter(
        str(place / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 96)
    )
    for _ in range(5):
        writer.write(rng.integers(0, 256, (96, 128, 3), dtype=np.uint8))
    writer.release()
    return place


def test_good_images_are_done_and_bad_ones_named(
    task: str, inputs: Path, cli, tmp_path: Path
) -> None:
    names = ("a.png", "cut.png", "text.jpg", "nowhere.png", "b.png")
    code, out, err = cli(task, *(inputs / name for name in names), "--json", "-o", tmp_path / "out")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 3
    assert [Path(record["source"]).name for record in records] == ["a.png", "b.png"]
    assert all(bad in err for bad in names[1:4])
    assert "Traceback" not in err
    assert {file.suffix for file in (tmp_path / "out").iterdir()} <= {".jpg", ".png"}
    for record in records:
        assert (record["width"], record["height"], record["task"]) == (120, 90, task)
        assert record["model"] == default_model(task)
        assert record.keys() & {"labels", "boxes", "mask"}


def test_the_lowest_threshold_shows_something_and_the_highest_is_kept(
    task: str, inputs: Path, cli, tmp_path: Path
) -> None:
    for threshold in (0, 1):
        code, out, err = cli(
            task,
            inputs / "a.png",
            "--threshold",
            threshold,
            "--json",
            "--save",
            "none",
            "-o",
            tmp_path,
        )
        assert code == 0
        answer = json.loads(out)
        scores = [found["score"] for found in answer.get("labels", answer.get("boxes", []))]
        assert task == "segment" or bool(scores) == (threshold == 0) or min(scores) >= threshold
        nothing = task != "segment" and not scores
        assert ("nothing scored 1 or more" in err) == nothing, err
    assert cli(task, inputs / "a.png", "--threshold", 2, "-o", tmp_path)[0] == 2


def test_rows_and_records_are_saved(task: str, inputs: Path, cli, tmp_path: Path) -> None:
    code, _, err = cli(
        task, inputs / "a.png", "--threshold", 0, "--save", "json,csv", "-o", tmp_path
    )
    assert code == 0, err
    assert json.loads((tmp_path / "records.jsonl").read_text())["source"].endswith("a.png")
    with (tmp_path / "records.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert all(row["class"] for row in rows)


def test_a_video_gives_a_record_for_each_frame_and_a_video(
    task: str, inputs: Path, cli, tmp_path: Path
) -> None:
    code, out, err = cli(
        task, inputs / "clip.avi", "--json", "-o", tmp_path / "out", "--save", "image"
    )
    assert code == 0, err
    assert [json.loads(line)["frame"] for line in out.splitlines()] == list(range(5))
    (video,) = (tmp_path / "out").iterdir()
    capture = cv2.VideoCapture(str(video))
    frames = 0
    while capture.read()[0]:
        frames += 1
    capture.release()
    assert frames == 5


def test_wrong_wishes_are_named(task: str, inputs: Path, cli, tmp_path: Path) -> None:
    photo, other = (
        inputs / "a.png",
        next(name for name, row in TASKS.items() if row.model and name != task),
    )
    for arguments, expected, sentence in (
        (["--classes", "cta"], 4, 'Did you mean "cat"'),
        (["--save", "imgae"], 2, 'Did you mean "image"'),
        (["--model", default_model(other)], 4, f"{task} needs a model of this task"),
        (["--model", default_model(task)[:-1]], 4, f'Did you mean "{default_model(task)}"'),
        (["--engine", "openvino", "--device", "gpu"], 2, "runs on the CPU"),
    ):
        code, _, err = cli(task, photo, "-o", tmp_path / "out", *arguments)
        assert code == expected, err
        assert sentence in err
    assert not (tmp_path / "out").exists()


def test_classes_that_are_not_wanted_are_left_out(
    task: str, inputs: Path, cli, tmp_path: Path
) -> None:
    common = ("--threshold", 0, "--json", "--save", "none", "-o", tmp_path)
    code, out, _ = cli(task, inputs / "a.png", "--classes", "dog,cat", *common)
    assert code == 0
    record = json.loads(out)
    found = [one["name"] for one in record.get("labels", record.get("boxes", []))] or list(
        record.get("mask", {}).get("rle", {})
    )
    assert set(found) <= {"dog", "cat"}


def test_images_are_saved_by_the_kinds_former_name_too(inputs: Path, cli, tmp_path: Path) -> None:
    said = []
    for folder, kind in (("a", "image"), ("b", "picture")):
        options = ("--model", "classify-lenet-mnist", "--save", f"{kind},json")
        code, _, err = cli("classify", inputs / "a.png", *options, "-o", tmp_path / folder)
        assert code == 0
        said.append(err.replace(str(tmp_path / folder), ""))
        made = sorted(file.name for file in (tmp_path / folder).iterdir())
        assert made == ["a.jpg", "records.jsonl"]
    assert said[0] == said[1], "it is understood silently"
