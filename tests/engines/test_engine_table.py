"""An engine is one file and one row: everything else knows of it by the table."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.engines.table import ENGINES, EngineRow, chosen_engine, ready_engine
from cvtasks.errors import CVTasksWarning, ModelError, UsageError
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, zoo_folder

MODEL = "classify-lenet-mnist"
TOY = '''
from collections.abc import Iterable, Iterator

import numpy as np


class Toy:
    """Says the same of every image."""

    name = "toy"
    precision = "f32"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            answer = np.linspace(0, 1, int(np.prod(self._shape)), dtype=np.float32)
            yield answer.reshape(self._shape)


def open_engine(weights, recipe, setup):
    assert weights.is_file()
    return Toy(recipe.head.outputs(recipe.input_size, recipe.classes))


def facts():
    return {"toy": "says the same of everything"}
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineRow:
    """The row of an engine that lies in one file of its own."""
    (tmp_path / "toy_engine.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    row = EngineRow("toy_engine", devices=("gpu",), packages=("toy_engine",))
    monkeypatch.setitem(ENGINES, "toy", row)
    return row


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    from PIL import Image

    Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_new_row_runs_models(toy: EngineRow, photo: Path) -> None:
    model = cvtasks.load(MODEL, engine="toy")
    assert model.engine.name == "toy"
    assert np.argmax(model.predict(photo).scores) == 9


def test_a_new_row_is_a_choice_of_the_commands(toy: EngineRow, photo: Path, cli) -> None:
    code, out, err = cli(
        "classify", photo, "--model", MODEL, "--engine", "toy", "--json", "--save", "none"
    )
    assert code == 0, err
    assert json.loads(out)["engine"] == "toy"
    code, _, err = cli("classify", photo, "--engine", "toi")
    assert code == 2
    assert "'toy'" in err


def test_info_says_what_a_new_row_finds(toy: EngineRow, cli) -> None:
    assert json.loads(cli("info", "--json")[1])["engines"]["toy"] == "says the same of everything"


def test_a_new_row_changes_no_choice_that_was_made_before() -> None:
    assert [chosen_engine("auto", device) for device in ("auto", "cpu", "gpu")] == [
        "openvino",
        "openvino",
        "keras",
    ]


def test_an_engine_that_does_not_run_there_names_one_that_does(toy: EngineRow) -> None:
    with pytest.raises(
        UsageError, match=r"toy engine runs on the GPU; .*cpu\. Choose the openvino"
    ):
        cvtasks.load(MODEL, engine="toy", device="cpu")


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    row = EngineRow("nowhere", devices=("cpu",), packages=("cvtasks_no_such",), extra="nowhere")
    monkeypatch.setitem(ENGINES, "nowhere", row)
    assert not row.available()
    assert row.facts() == {}
    with pytest.raises(UsageError, match=r'cvtasks_no_such.*pip install "cvtasks\[nowhere\]"'):
        cvtasks.load(MODEL, engine="nowhere")


def test_a_row_that_is_not_installed_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineRow, "available", lambda row: row.on_keras)
    assert chosen_engine("auto", "cpu") == "keras"


def test_what_is_said_of_a_kept_graph_names_the_line_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_is_made(*_: object) -> None:
        raise ModelError("none is made here")

    monkeypatch.setenv("CVTASKS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("cvtasks.engines.openvino_models._export", none_is_made)
    (tmp_path / "model").mkdir()
    shutil.copy(zoo_folder() / MODEL / WEIGHTS, tmp_path / "model" / WEIGHTS)
    recipe = read_recipe(zoo_folder() / MODEL / RECIPE)
    recipe = replace(recipe, files={WEIGHTS: recipe.files[WEIGHTS]})
    recipe.save(tmp_path / "model" / RECIPE)
    key = hashlib.sha256(recipe.to_toml().encode()).hexdigest()
    (tmp_path / "cache" / "graphs" / key).mkdir(parents=True)
    with (
        pytest.warns(CVTasksWarning, match="made again") as said,
        pytest.raises(ModelError, match="none is made here"),
    ):
        cvtasks.load(tmp_path / "model", engine="openvino")
    assert [one.filename for one in said] == [__file__]


def test_a_model_is_first_run_by_what_reads_the_files_it_has() -> None:
    weights = ["recipe.toml", "weights.safetensors"]
    assert ready_engine(weights) == "keras"
    assert ready_engine([*weights, "graph.xml", "graph.safetensors"]) == "openvino"
