"""What is said about a value that an option does not take."""

import os
from pathlib import Path

import pytest
import typer

from cvtasks.cli import app
from tests.cli.test_columns import commands


def writing(command, words: tuple[str, ...]) -> bool:
    """Whether the command of these words has the option of a folder to write into."""
    for word in words:
        command = command.commands[word]
    return any("--output" in one.opts for one in command.params)


PROGRAM = typer.main.get_command(app)
WRITING = [words for words in commands(PROGRAM) if writing(PROGRAM, words)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            "detect a.jpg --threshold nan",
            "'--threshold': it must be a number from 0 to 1; got 'nan'",
        ),
        ("detect a.jpg --threshold=-0.1", "it must be a number from 0 to 1; got '-0.1'."),
        ("detect a.jpg --threshold abc", "it must be a number from 0 to 1; got 'abc'."),
        ("detect a.jpg --threshold 20%", "from 0 to 1; got '20%'. Write 0.2"),
        ("detect a.jpg --threshold 0,5", "from 0 to 1; got '0,5'. Write 0.5"),
        ("detect a.jpg --port 70000", "a whole number from 0 to 65535; got '70000'."),
        ("detect a.jpg --batch -1", "'--batch': it must be a whole number of at least 0; got '-1'"),
        ("train detect --epochs 1e3", "of at least 1; got '1e3'. Write 1000"),
        ("train detect --epochs 0", "a whole number of at least 1; got '0'."),
        ("data split a --val 20%", "it must be a number; got '20%'. Write 0.2"),
        ("features a b.jpg --seed 4294967296", "from 0 to 4294967295; got '4294967296'."),
        ("train detect --device tpu", "'--device': 'tpu' is not one of 'auto', 'cpu', 'gpu'."),
        ("detect a.jpg --engine tpu", "'--engine': 'tpu' is not one of 'auto', "),
        ("evaluate a --predictions no-such-file", "path 'no-such-file' does not exist."),
    ],
)
def test_a_wrong_value_is_said_with_its_rule_and_as_received(
    cli, arguments: str, says: str
) -> None:
    code, out, err = cli(*arguments.split())
    assert (code, out) == (2, "")
    assert "Invalid value for" in err and says in err


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_a_file_is_no_folder_to_write_into(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Whatever else is given: it is said before any work begins, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*words, "-o", "my results/out.MP4")
    assert (code, out) == (2, "")
    said = " ".join(err.split())
    assert "it must be a folder; got 'my results/out.MP4', the name of a file. " in said
    assert "Write 'my results/out': files get names of their own in it." in said
    assert not os.listdir(tmp_path)  # noqa: PTH208 - whether there is any


@pytest.mark.parametrize("name", ["mine.v2", "2024.12", ".json", "there.onnx"])
def test_a_folder_may_have_a_dot_in_its_name(cli, tmp_path: Path, name: str) -> None:
    (tmp_path / "there.onnx").mkdir()
    code, _, err = cli("inspect", "lenet5", "-o", tmp_path / name)
    assert code == 0, err
    assert (tmp_path / name / "lenet5.svg").exists()
