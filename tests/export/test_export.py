"""Models written for other programs: every head answers there as here, and a file that does not is
not kept.
"""

import json
from pathlib import Path

import pytest

from cvtasks.errors import ModelError, UsageError
from cvtasks.export import EXPORTS, export_row
from tests.export.conftest import HEADS, write_model


def test_the_table_names_what_is_missing_and_what_is_near(monkeypatch) -> None:
    with pytest.raises(UsageError, match='Did you mean "onnx"'):
        export_row("onxx")
    with pytest.raises(UsageError, match="onnx is written in f32"):
        export_row("onnx", "f64")
    monkeypatch.setattr(type(EXPORTS["onnx"]), "missing", lambda row: ("tf2onnx",))
    with pytest.raises(UsageError, match=r"pip install \"cvtasks\[onnx\]\""):
        export_row("onnx")


def test_an_export_is_a_folder_with_the_file_what_it_is_and_how_it_was_checked(
    untrained, tmp_path: Path
) -> None:
    from cvtasks.export.run import export

    done = export(untrained("dense"), "onnx", tmp_path / "out")
    assert {file.name for file in done.folder.iterdir()} == {
        "model.onnx",
        "README.md",
        "check.json",
    }
    said = json.loads((done.folder / "check.json").read_text(encoding="utf-8"))
    assert said["passed"] and said["differences"]["objects"] > 0
    with pytest.raises(UsageError, match="exists, and nothing is overwritten"):
        export(untrained("dense"), "onnx", tmp_path / "out")


@pytest.mark.parametrize(
    ("case", "format"),
    [
        ("classify", "keras"),
        ("own", "openvino"),
        ("localize", "keras"),
        ("segment", "saved-model"),
        ("yolox", "onnx"),
        ("two-stage", "keras"),
        ("prototypes", "openvino"),
    ],
)
def test_heads_answer_the_same_in_each_format(
    case: str, format: str, untrained, tmp_path: Path
) -> None:
    from cvtasks.export.run import export

    checked = export(untrained(case), format, tmp_path / "out").checked
    assert checked.found.compared and checked.bounds and not checked.faults


def test_a_file_of_other_weights_or_swapped_colours_is_not_kept(
    untrained, tmp_path: Path, monkeypatch
) -> None:
    """What is beyond the bounds leaves nothing behind, not even the folder around it."""
    import numpy as np

    from cvtasks.export import onnx_file
    from cvtasks.export.base import Given, Opened
    from cvtasks.export.run import export

    def swapped(path: Path, recipe) -> Opened:
        opened = honest(path, recipe)
        run = opened._run
        opened._run = lambda images: run(np.ascontiguousarray(images[..., ::-1]))
        return opened

    honest = onnx_file.open_exported
    with monkeypatch.context() as patch:
        patch.setattr(onnx_file, "open_exported", swapped)
        with pytest.raises(ModelError, match="must give the model's answers"):
            export(untrained("classify"), "onnx", tmp_path / "a" / "out")
    other = write_model(tmp_path / "other", HEADS["classify"], seed=1)
    write = onnx_file.write
    monkeypatch.setattr(
        onnx_file,
        "write",
        lambda given, place: write(Given(other, given.recipe, facts=given.facts), place),
    )
    with pytest.raises(ModelError, match="scores by"):
        export(untrained("classify"), "onnx", tmp_path / "b" / "out")
    assert not (tmp_path / "a" / "out").exists() and not (tmp_path / "b" / "out").exists()
    assert not list(tmp_path.rglob("*.part"))


def test_a_format_is_one_file_and_one_line(untrained, tmp_path: Path, monkeypatch) -> None:
    import sys
    from types import ModuleType

    from cvtasks.export import ExportRow, keras_file
    from cvtasks.export.run import export

    toy = ModuleType("toy_format")
    toy.write, toy.open_exported = keras_file.write, keras_file.open_exported
    monkeypatch.setitem(sys.modules, "toy_format", toy)
    monkeypatch.setitem(EXPORTS, "toy", ExportRow("toy_format", ".toy", "toys", packages=()))
    monkeypatch.chdir(tmp_path)
    first, second = (export(untrained("classify"), "toy").folder for _ in range(2))
    assert [str(first), str(second)] == ["exports/classify-tiny-toy", "exports/classify-tiny-toy-2"]


def test_wrong_use_is_told_in_words(cli, untrained, tmp_path: Path) -> None:
    model = untrained("classify")
    assert cli("export", model, "--format", "onxx")[0] == 2
    code, _, said = cli("export", model, "--format", "keras", "--half")
    assert code == 2 and "f16" in said and "openvino" in said
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "recipe.toml").write_bytes((model / "recipe.toml").read_bytes().split(b"[files]")[0])
    code, _, said = cli("export", bare, "--format", "keras")
    assert code == 4 and "without weights" in said
    code, _, said = cli("export", model, "--format", "keras", "--check", tmp_path / "none.png")
    assert code == 3 and "none.png" in said
    (tmp_path / "file").write_text("")
    code, _, said = cli("export", model, "--format", "keras", "-o", tmp_path / "file" / "out")
    assert code == 2 and "could not be written" in said


def test_a_full_disk_and_a_folder_that_another_run_writes_are_told(
    cli, untrained, tmp_path: Path, monkeypatch
) -> None:
    import shutil

    from cvtasks.export import keras_file
    from cvtasks.files.writing import hold

    def fails(given, place: Path) -> Path:
        raise RuntimeError("basic_ios::clear: iostream error")

    def asked(*further: object) -> tuple[int, str]:
        code, _, said = cli("export", untrained("classify"), "--format", "keras", *further)
        return code, said

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(keras_file, "write", fails)
        assert asked()[0] == 4
        patch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(9, 9, 0))
        code, said = asked()
        assert code == 2 and "No space left" in said
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("cvtasks.files.writing.is_left", lambda *given: False)
    assert hold(tmp_path, "mine") and hold(tmp_path / "exports", "classify-tiny-keras")
    code, said = asked("-o", "mine")
    assert code == 2 and "another one writes 'mine'" in said and "-o DIR" in said
    assert asked()[0] == 0 and Path("exports/classify-tiny-keras-2").exists()
    code, said = asked("-o", "exports")
    assert code == 2 and "exists" in said and "--resume" not in said


def test_two_images_at_once_are_asked_about_where_a_file_takes_them(
    untrained, tmp_path: Path, monkeypatch
) -> None:
    from cvtasks.export.base import Opened
    from cvtasks.export.run import export

    done = export(untrained("localize"), "keras", tmp_path / "out").checked
    assert ("two images at once", "the same", "the same") in done.rows()
    batch = Opened.batch
    monkeypatch.setattr(Opened, "batch", lambda opened, images: batch(opened, images)[::-1])
    with pytest.raises(ModelError, match="two images at once"):
        export(untrained("localize"), "keras", tmp_path / "swapped")


def test_where_nothing_is_found_the_outputs_are_compared_and_that_is_said(tmp_path: Path) -> None:
    from cvtasks.export.run import export

    silent = {**HEADS["yolox"], "head": {**HEADS["yolox"]["head"], "min_score": 0.9}}
    model = write_model(tmp_path / "silent", silent)
    checked = export(model, "onnx", tmp_path / "out", decoded=True)
    assert checked.checked.rows()[-1][0] == "outputs, as nothing is found"
    assert checked.answers and checked.answers.rows()[-1][0] == "nothing is found: not proved"


def test_a_file_in_16_bits_answers_by_itself_too(untrained, tmp_path: Path) -> None:
    from cvtasks.export.run import export

    model = untrained("two-stage")
    done = export(model, "onnx", tmp_path / "out", precision="f16", decoded=True)
    assert done.answers and done.answers.found.compared


@pytest.mark.parametrize("moved", [0.0, 3.0])
def test_which_of_two_boxes_covers_the_other_may_be_decided_by_rounding(moved: float) -> None:
    """It is a tie if the model has the same two boxes, and a fault if it has another."""
    from cvtasks.answers import Boxes
    from cvtasks.export.check import BOUNDS
    from cvtasks.export.differences import OfBoxes

    def boxes(*objects: tuple[float, float]) -> Boxes:
        xyxy = [[left, 10, left + 40, 60] for left, _ in objects]
        return Boxes.of(xyxy, [0] * len(xyxy), ("cat",), (100, 100), scores=[s for _, s in objects])

    class Head:
        nms, min_score, max_detections = 0.6, 0.005, 100

    found = OfBoxes(Head(), BOUNDS["f16"])
    ours, theirs = ((10.0, 0.5002), (18.0, 0.5)), ((18.1 + moved, 0.5003), (10.1, 0.5001))
    found.add(boxes(ours[0]), boxes(theirs[0]), lambda: (boxes(*ours), boxes(*theirs)))
    assert (found.ties, found.compared) == ((1, 0) if not moved else (0, 1))
    assert list(found.faults(BOUNDS["f16"])) == (
        [] if not moved else ["edges of boxes by 11 px, at most 1 px is allowed"]
    )
