"""The program from Python: a model is trained, used and measured in one call each."""

import json
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.errors import DataError, ModelError, UsageError
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
