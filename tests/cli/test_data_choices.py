"""What can be fetched and written is what the tables hold."""

from pathlib import Path

import pytest

ADDED = """
from cvtasks.data.writing.table import WRITERS
from cvtasks.data.download.catalogue import KNOWN
KNOWN["letters"], WRITERS["lines"] = KNOWN["mnist"], WRITERS["voc"]
from cvtasks.cli import main
main()
"""


@pytest.mark.parametrize(("command", "name"), [("get", "letters"), ("convert", "lines")])
def test_a_new_row_is_a_choice(command: str, name: str, run_python, tmp_path: Path) -> None:
    helped = run_python("-c", ADDED, "data", command, "--help", cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    assert name in helped.stdout


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (("get", "voc2013"), "'voc2013' is not one of 'mnist', 'fashion-mnist'"),
        (("convert", "a", "b", "--to", "kitty"), "'kitty' is not one of 'coco', 'csv', 'voc'"),
    ],
)
def test_what_is_no_choice_is_answered_with_all(
    arguments: tuple[str, ...], listed: str, run_python, tmp_path: Path
) -> None:
    asked = run_python("-m", "cvtasks", "data", *arguments, cwd=tmp_path)
    assert asked.returncode == 2
    assert listed in " ".join(asked.stderr.split())
