"""int8 as a model's own: an export puts the graph into the model's folder, and the openvino engine
runs it where int8 is asked for, beside the weights that it was made of and nowhere else.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cvtasks
from cvtasks.bench.contenders import contenders
from cvtasks.engines.int8_graph import has_int8
from cvtasks.errors import ModelError, OutputError, UsageError
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, zoo_folder
from tests.export.conftest import HEADS, write_model

LENET = "classify-lenet-mnist"
ASKED = {"precision": "int8", "into_model": True}


@pytest.fixture(scope="module")
def made(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that has a graph in int8. Look at it, copy it, leave it as it is."""
    pytest.importorskip("nncf")
    from cvtasks.export.int8.written import Int8
    from cvtasks.export.run import export

    folder = write_model(tmp_path_factory.mktemp("int8") / "small", HEADS["segment"])
    how = Int8(f"{shapes}:val", images=8, measured=4, most_loss=100)
    done = export(folder, "openvino", int8=how, **ASKED)
    assert done.folder == folder / "int8" and done.path == folder / "int8" / "model.xml"
    return folder


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


def test_the_engine_runs_what_was_checked(made: Path, shapes: Path, cli) -> None:
    from cvtasks.export import EXPORTS

    model = cvtasks.load(made, precision="int8")
    assert (model.engine.name, model.engine.precision) == ("openvino", "int8")
    given = np.random.default_rng(1).integers(0, 256, (*model.recipe.input_size, 3), np.uint8)
    exported = EXPORTS["openvino"].open(made / "int8" / "model.xml", model.recipe)
    (found,), (wanted,) = model.engine.stream([given]), exported.stream([given])
    assert np.array_equal(found, wanted)
    floats = cvtasks.load(made, precision="f32")
    (other,) = floats.engine.stream([given])
    assert not np.array_equal(found, other) and np.abs(found - other).mean() < 0.1
    many = cvtasks.load(made, precision="int8", many=True)
    assert np.array_equal(next(iter(many.engine.stream([given]))), found)
    code, out, said = cli(
        "evaluate", made, "--data", f"{shapes}:val", "--precision", "int8", "--json"
    )
    assert code == 0, said
    said = json.loads(out)
    assert (said["engine"], said["precision"]) == ("openvino", "int8")


def test_nobody_gets_it_who_has_not_asked(made: Path) -> None:
    assert cvtasks.load(made).engine.precision in ("f32", "bf16")
    assert {one.name for one in made.iterdir()} == {RECIPE, WEIGHTS, "int8"}, "and no rests"
    assert has_int8(made) and not has_int8(zoo_folder() / LENET)
    labels = [one.label for one in contenders("cpu", ["openvino", "keras"], int8=True)[0]]
    assert "openvino int8" in labels and "keras int8" not in labels
    labels = [one.label for one in contenders("cpu", ["openvino"])[0]]
    assert "openvino int8" not in labels


@pytest.mark.parametrize("engine", ["keras", "onnxruntime"])
def test_other_engines_have_no_int8(engine: str) -> None:
    if engine == "onnxruntime":
        pytest.importorskip("onnxruntime")
    with pytest.raises(UsageError, match=rf"the {engine} engine computes in f32.*openvino engine"):
        cvtasks.load(LENET, engine=engine, precision="int8")


def test_a_folder_without_one_names_the_way_to_it(cli, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has none") as told:
        cvtasks.load(LENET, precision="int8")
    assert {*told.value.ways} == {"format", "int8", "into_model"}
    from PIL import Image

    Image.fromarray(image()).save(tmp_path / "a.png")
    given = (tmp_path / "a.png", "--model", LENET, "--precision", "int8", "--save", "none")
    code, _, said = cli("classify", *given)
    assert code == 4 and "--into-model" in said and "--int8" in said


def cut(folder: Path) -> None:
    path = folder / "int8" / "model.bin"
    path.write_bytes(path.read_bytes()[:-100])


def other_weights(folder: Path) -> None:
    report(folder, weights="0" * 64)


def no_report(folder: Path) -> None:
    (folder / "int8" / "int8.json").unlink()


def odd_report(folder: Path) -> None:
    (folder / "int8" / "int8.json").write_text("[" * 100_000)


def odd_files(folder: Path) -> None:
    report(folder, files=["model.xml", {}])


def gone(folder: Path) -> None:
    (folder / "int8" / "model.bin").unlink()


def a_file(folder: Path) -> None:
    shutil.rmtree(folder / "int8")
    (folder / "int8").write_text("")


def no_graph(folder: Path) -> None:
    """A file that its report lists, and that is no graph."""
    from cvtasks.files.writing import sha256

    path = folder / "int8" / "model.xml"
    path.write_text("<net/>")
    files = json.loads((folder / "int8" / "int8.json").read_text())["files"]
    report(folder, files={**files, "model.xml": sha256(path)})


def report(folder: Path, **changes: object) -> None:
    path = folder / "int8" / "int8.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "as it was written"),
        (other_weights, "its own is of others"),
        (no_report, "its own is of others"),
        (odd_report, "its own is of others"),
        (odd_files, "as it was written"),
        (gone, "cannot be read"),
        (a_file, "its own is of others"),
        (no_graph, "cannot be read"),
    ],
)
def test_what_is_not_of_these_weights_or_not_as_written_is_refused(
    damage: Callable[[Path], None], said: str, copied: Path
) -> None:
    damage(copied)
    with pytest.raises(ModelError, match=said) as told:
        cvtasks.load(copied, precision="int8")
    assert "into_model" in told.value.ways and "train the model" not in str(told.value)
    assert cvtasks.load(copied, precision="f32").engine.precision == "f32"


# === into the model ===


def test_one_of_these_weights_or_something_else_is_never_written_over(copied: Path) -> None:
    from cvtasks.export.run import export

    with pytest.raises(UsageError, match="of these weights, and nothing is overwritten"):
        export(copied, "openvino", **ASKED)
    other_weights(copied)
    (copied / "int8" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else is there"):
        export(copied, "openvino", **ASKED)
    assert (copied / "int8" / "mine.txt").read_text() == "mine"


def test_one_of_other_weights_is_exchanged_or_stays(copied: Path, tmp_path: Path) -> None:
    from cvtasks.export.int8.into_model import place_in_model, publish_in_model

    other_weights(copied)
    new = tmp_path / "new"
    with place_in_model(copied, read_recipe(copied / RECIPE)) as place:
        with pytest.raises(OutputError):
            publish_in_model(new, place)
        assert (place / "model.xml").is_file(), "what was there is there still"
        new.mkdir()
        (new / "int8.json").write_text("{}")
        publish_in_model(new, place)
    assert [one.name for one in place.iterdir()] == ["int8.json"]
    assert {one.name for one in copied.iterdir() if one.name.startswith(".")} == set()


def test_a_model_of_the_zoo_stays_as_it_is_and_only_int8_of_openvino_goes_in(
    cli, copied: Path
) -> None:
    given = ("--format", "openvino", "--int8", "--into-model")
    code, _, said = cli("export", LENET, *given)
    assert code == 2 and "stays as it is" in said and str(zoo_folder() / LENET) in said
    assert not (zoo_folder() / LENET / "int8").exists()
    code, _, said = cli("export", copied, "--format", "onnx", "--int8", "--into-model")
    assert code == 2 and "onnx in int8" in said and "--format openvino" in said
    code, _, said = cli("export", copied, "--format", "openvino", "--into-model")
    assert code == 2 and "openvino in f32" in said
    code, _, said = cli("export", copied, *given, "-o", copied / "out")
    assert code == 2 and "Leave one of them out" in said
    code, _, said = cli("export", copied, *given, "--decoded")
    assert code == 2 and "decoded" in said
