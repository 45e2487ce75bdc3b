"""A task is one file and one row: commands, help, defaults and choices come from the row."""

from pathlib import Path

import pytest

from cvtasks.errors import ModelError
from cvtasks.tasks import TASKS, USUAL, TaskRow
from cvtasks.zoo import default_model

ADDED = """
import sys
from cvtasks.tasks import TASKS, TaskRow
TASKS["count"] = TaskRow("count_task:Count", "", "Say how many things of each class are there.")
from cvtasks.cli import main
main()
"""


@pytest.mark.parametrize("name", TASKS)
def test_a_row_leads_to_its_task(name: str) -> None:
    assert TASKS[name].task.name == name
    assert TASKS[name].help.partition("\n")[0].endswith(".")
    assert f"cvtasks {name} photo.jpg" in TASKS[name].help


def test_the_usual_task_is_one_of_them() -> None:
    assert [name for name, row in TASKS.items() if row.usual] == [USUAL]


def test_a_new_row_is_a_command_with_help(run_python, tmp_path: Path) -> None:
    listed = run_python("-c", ADDED, "--help", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert "count  " in listed.stdout
    assert "Say how many things of each class" in listed.stdout
    own = run_python("-c", ADDED, "count", "--help", cwd=tmp_path)
    assert "Say how many things of each class" in own.stdout
    assert "--threshold" in own.stdout


def test_a_new_row_is_known_wherever_a_task_is_chosen(run_python, tmp_path: Path) -> None:
    (tmp_path / "count_task.py").write_text(
        "from cvtasks.tasks.detect import Detect\n\n\nclass Count(Detect):\n    name = 'count'\n"
    )
    helped = run_python("-c", ADDED, "data", "stats", "--help", cwd=tmp_path)
    assert "|count]" in helped.stdout
    helped = run_python("-c", ADDED, "train", "--help", cwd=tmp_path)
    assert "count" in helped.stdout
    asked = run_python("-c", ADDED, "count", "photo.jpg", cwd=tmp_path)
    assert asked.returncode != 0
    assert "the zoo has no trained model for count" in asked.stderr


def test_a_row_without_a_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "count", TaskRow("count_task:Count", "", "Count."))
    with pytest.raises(ModelError, match="Give the folder of one, or train one"):
        default_model("count")
