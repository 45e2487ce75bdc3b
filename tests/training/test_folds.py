"""Cross-validation: every image is validated on once, what is finished is not repeated, and the
means are those of the folds.
"""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cvtasks.cli import main
from cvtasks.data.tiled import whole
from cvtasks.errors import ModelError, UsageError
from cvtasks.training.folds import _dealt, begin_folds, run_folds, share_of
from cvtasks.training.layout import CARD, FOLDS
from cvtasks.training.plan import Plan, planned
from cvtasks.training.progress import Report


def plan_of(shapes: Path) -> Plan:
    wishes = {
        "backbone": "tiny",
        "size": 64,
        "head.channels": [16, 16],
        "data.path": str(shapes),
        "data.held_out": 0.5,
        "data.workers": 0,
        "train.weights": "none",
        "train.epochs": 1,
        "train.batch": 4,
        "train.precision": "f32",
    }
    return planned("segment", list(wishes.items()))


def test_what_is_said_of_the_data_is_of_the_folds(tmp_path: Path) -> None:
    """Of a class with one image the fold that validates on it has none to train on."""
    for number, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        for copy in range(1 + 3 * (name == "c")):
            place = tmp_path / name / f"{copy}.png"
            Image.effect_noise((40, 40), 40 * number + 9 * copy + 20).save(place)
    said: list[str] = []
    wishes = {"data.path": str(tmp_path), "backbone": "tiny", "data.held_out": share_of(3)}
    plan = planned("classify", list(wishes.items()), said.append, folds=True)
    parts = _dealt(plan.recipe, 3, said.append)
    lacking = []
    for number, one in enumerate(parts, 1):
        learned = {name for i in range(len(one.train)) for name in one.train.truth(i).names}
        if missing := sorted({*"abc"} - learned):
            lacking.append(
                f"data: fold {number} of 3 trains on no image that shows {', '.join(missing)}"
            )
    assert lacking
    assert [line for line in said if line.startswith("data: ")] == [
        f"data: {tmp_path} has no splits",
        f"data: class folders, {tmp_path}, 6 images, 3 classes",
        "data: 3 folds of 6 images; each image is validated on once",
        *lacking,
    ]


def test_folds_of_images_in_tiles_have_all_images_in_tiles(shapes: Path) -> None:
    plan = plan_of(shapes)
    recipe = replace(plan.recipe, data=replace(plan.recipe.data, tiles=(40, 40)))
    parts = _dealt(recipe, 2, lambda text: None)
    assert sum(len(whole(one.validate)) for one in parts) == 24
    assert all(len(split) > 12 for one in parts for split in (one.train, one.validate))


class Ended(Exception):
    """A run that is cut off."""


def test_folds_are_run_resumed_and_summed_up(shapes: Path, tmp_path: Path) -> None:
    folder, heard = tmp_path / "runs", []

    def report_of(recipe, place: Path) -> Report:
        heard.append(place.name)

        def cut(epoch: int, step: int, *_: object) -> None:
            if len(heard) == 2:
                raise Ended

        return Report(on_step=cut)

    begin_folds(plan_of(shapes), 2, folder, "cvtasks train segment")
    with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
        begin_folds(plan_of(shapes), 2, folder, "")
    with pytest.raises(Ended):
        run_folds(folder, report_of)
    assert (folder / "fold0" / CARD).exists() and not (folder / "fold1" / CARD).exists()
    before = (folder / "fold0" / CARD).stat().st_mtime_ns
    result = run_folds(folder, report_of)
    assert heard == ["fold0", "fold1", "fold1"]
    assert (folder / "fold0" / CARD).stat().st_mtime_ns == before

    names = [
        (folder / f"fold{number}" / "validation.txt").read_text().splitlines() for number in (0, 1)
    ]
    assert not set(names[0]) & set(names[1])
    assert len(names[0]) + len(names[1]) == 24  # all images of the training split
    assert result == json.loads((folder / FOLDS).read_text())
    scores = [
        json.loads((folder / f"fold{number}" / "metrics.json").read_text())["metrics"]
        for number in (0, 1)
    ]
    for name, found in result["metrics"].items():
        numbers = [one[name] for one in scores]
        assert found["mean"] == pytest.approx(statistics.mean(numbers), abs=1e-6)
        assert found["spread"] == pytest.approx(statistics.stdev(numbers), abs=1e-6)
    mean = result["metrics"]["VOC mean IoU"]["mean"]
    assert f"{mean:.3f} ± " in (folder / CARD).read_text()


@pytest.mark.parametrize("content", ["", "{}", '{"folds": 1, "command": ""}', "[]", None])
def test_a_folder_without_a_cross_validation_is_refused(tmp_path: Path, content) -> None:
    if content is not None:
        (tmp_path / FOLDS).write_text(content)
    with pytest.raises(ModelError, match="a cross-validation goes on by"):
        run_folds(tmp_path, lambda recipe, place: Report())


@pytest.mark.parametrize("count", [1, 101])
def test_too_few_or_too_many_folds_are_refused(shapes: Path, tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match="2 to 100 folds"):
        begin_folds(plan_of(shapes), count, tmp_path / "new", "")
    assert not (tmp_path / "new").exists()


def test_one_fold_alone_is_refused_by_the_rule_of_folds(shapes: Path, monkeypatch, capsys) -> None:
    words = ["cvtasks", "train", "detect", "--data", str(shapes), "--folds", "1", "--dry-run"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "there may be 2 to 100 folds; got 1." in capsys.readouterr().err
