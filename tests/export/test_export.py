"""Models written for other programs: every head answers there as here, and a file that does not is
not kept.
"""

import json
from pathlib import Path

import pytest

from cvtasks.errors import UsageError
from cvtasks.export import EXPORTS, export_row


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
