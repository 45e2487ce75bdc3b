"""The program from Python: a model is trained, used and measured in one call each."""

import json
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.errors import DataError, ModelError, UsageError
from cvtasks.training.layout import CARD
from cvtasks.training.plan import Plan
from cvtasks.training.progress import Report

CHANGES = {
    "backbone": "tiny",
    "size": 64,
    "segment.channels": [8],
    "data.workers": 0,
    "train.epochs": 1,
    "train.batch": 8,
}


def test_train_predict_evaluate(shapes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    model = cvtasks.train("segment", shapes, changes=CHANGES, report=Report(on_message=said.append))
    assert model.folder == Path("runs/segment-tiny").absolute()
    assert model.recipe.classes == ("background", "square", "disc"), "those of the data"
    assert model.predict(np.zeros((20, 30, 3), np.uint8)).ids.shape == (20, 30)
    assert any(text.startswith("data: ") for text in said)
    written = json.loads((model.folder / "metrics.json").read_text())
    for result in (cvtasks.evaluate(model), cvtasks.evaluate(model.folder, f"{shapes}:val")):
        assert result == written
    command = f"cvtasks.train('segment', {str(shapes)!r}, changes="
    assert command in (model.folder / "README.md").read_text()
    with pytest.raises(UsageError, match="Choose another"):
        cvtasks.train("segment", shapes, model.folder, changes=CHANGES)


def test_a_cross_validation_in_one_call(shapes: Path, tmp_path: Path, monkeypatch) -> None:
    """The runs are those of `train --folds`; here they end as soon as they begin."""
    shares = iter((0.25, 0.75))

    def ended(plan: Plan, place: Path, command: str, report: Report) -> None:
        place.mkdir()
        report.on_message(f"{len(plan.sources.validate)} images")
        (place / CARD).touch()
        scores = {"VOC mean IoU": next(shares), "nothing": None}
        (place / "metrics.json").write_text(json.dumps({"images": 12, "metrics": scores}))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cvtasks.training.run.run", ended)
    said: list[str] = []
    heard = Report(on_message=said.append)
    asked = {"folds": 2, "changes": CHANGES, "report": heard}
    result = cvtasks.cross_validate("segment", shapes, **asked)
    assert result["folder"] == "runs/segment-tiny" and said.count("12 images") == 2
    assert result["metrics"]["VOC mean IoU"] == {"mean": 0.5, "spread": pytest.approx(0.353553)}
    assert result["metrics"]["nothing"]["mean"] is None
    assert [one["folder"] for one in result["runs"]] == ["fold0", "fold1"]
    assert "cvtasks.cross_validate('segment'" in Path("runs/segment-tiny/README.md").read_text()
    with pytest.raises(UsageError, match="2 to 100 folds; got 1"):
        cvtasks.cross_validate("segment", shapes, folds=1)
    with pytest.raises(UsageError, match="Choose another"):
        cvtasks.cross_validate("segment", shapes, "runs/segment-tiny", changes=CHANGES)


def test_what_cannot_be_trained_or_measured_is_refused(
    shapes: Path, trained: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="Did you mean"):
        cvtasks.train("segmnt", shapes, tmp_path / "run")
    with pytest.raises(ModelError, match="is a folder without a recipe") as folder_of_data:
        cvtasks.train(str(shapes), folder=tmp_path / "run")
    assert folder_of_data.value.ways == {"data": str(shapes)}
    with pytest.raises(ModelError, match='Did you mean "epochs"'):
        cvtasks.train("segment", shapes, tmp_path / "run", changes={"train.epoch": 3})
    with pytest.raises(DataError, match="training needs data"):
        cvtasks.train("segment", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError):
        cvtasks.evaluate(trained, tmp_path / "nothing")


def test_classes_of_the_data_may_be_called_differently(trained: Path, shapes: Path) -> None:
    result = cvtasks.evaluate(trained, f"{shapes}:val", renamed={"square": "disc"})
    assert result["map"] == {"square": "disc"}
    assert result["not_scored"]["model"] == ["square"]


def test_the_zoo_says_its_names() -> None:
    assert cvtasks.zoo.names() == sorted(cvtasks.zoo.names())
