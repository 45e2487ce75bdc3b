"""The library says what leads out of an error; the command line names the option."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import cvtasks
from cvtasks.cli.ways import OPTIONS, forget, runs, with_options
from cvtasks.errors import DataError, InputError, UsageError

PACKAGE = Path(cvtasks.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z]|(?<![\w-])-o\b")
NOT_OURS = re.compile(r"pip install.*|(?:`cvtasks|^ …) [^`]*`?", re.DOTALL)
"""Options of pip's, and those of a whole command that is another one's way, or its end."""
ABOUT_COMMANDS = {"cli", "tasks/__init__.py", "training/card.py", "published/card.py"}
"""Where commands and their options are what is spoken of: help, and the cards' examples."""


def library() -> list[Path]:
    """Every file of the package that is not about commands."""
    return [
        file
        for file in sorted(PACKAGE.rglob("*.py"))
        if not {file.relative_to(PACKAGE).parts[0], file.relative_to(PACKAGE).as_posix()}
        & ABOUT_COMMANDS
    ]


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string of the file that is no docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    said_alone = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        a_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if a_text and id(node) not in said_alone:
            yield node.lineno, node.value


def test_the_library_names_no_options() -> None:
    offences = [
        f"{file.relative_to(PACKAGE)}:{line}: {text!r}"
        for file in library()
        for line, text in texts(file)
        if OPTION.search(NOT_OURS.sub("", text))
    ]
    assert not offences, "say the way out in words, and name it in `ways`:\n" + "\n".join(offences)


def test_every_way_out_has_its_option_and_every_option_its_use() -> None:
    named = {
        key.value
        for file in library()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "ways" and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)  # another error's ways may be led on
    }
    assert named == OPTIONS.keys()


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ({}, "It exists."),
        ({"output": ""}, "It exists. Option: -o DIR"),
        ({"output": "", "resume": "my run"}, "It exists. Options: -o DIR, --resume 'my run'"),
        ({"set": "data.faulty=drop"}, "It exists. Option: --set data.faulty=drop"),
    ],
)
def test_options_are_added_to_what_an_error_says(ways: dict[str, str], said: str) -> None:
    forget()
    assert with_options(UsageError("It exists.", ways=ways)) == said


def test_ways_survive_the_way_between_processes() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(InputError("No.", "rule", 2, {"output": ""})))
    assert (str(error), error.rule, error.count, error.ways) == ("No.", "rule", 2, {"output": ""})


def test_the_terminal_names_the_option(cli, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    code, _, err = cli("train", "segment", "--data", tmp_path, "-o", tmp_path / "run")
    assert code == 2
    assert "exists, and nothing is overwritten. Choose another folder, or resume" in err
    assert f"Options: -o DIR, --resume {tmp_path / 'run'}" in err


@pytest.mark.parametrize("words", [("train", "detect"), ("evaluate", "detect-yolox-nano-voc")])
def test_data_without_their_option_are_answered_with_it(words, cli) -> None:
    code, _, said = cli(*words, "my photos")
    assert code == 2
    assert "'my photos' stands alone" in said and "Option: --data 'my photos'" in said


@pytest.mark.parametrize(
    "words",
    [
        ("data", "stats"),
        ("data", "check"),
        ("data", "split"),
        ("data", "show"),
        ("data", "review", "classify-lenet-mnist"),
        ("data", "convert", "--to", "coco"),
    ],
)
def test_a_way_out_that_is_an_argument_is_called_one(words, cli, tmp_path: Path) -> None:
    out = (tmp_path / "out",) if "convert" in words else ("-o", tmp_path / "out")
    code, _, said = cli(*words, tmp_path / "gone", *(() if words[1] in ("stats", "check") else out))
    assert code == 5, said
    assert "Argument: DATA[:SPLIT]" in said and "--data" not in said


def test_a_way_out_that_a_command_does_not_have_is_not_said(cli, tmp_path: Path) -> None:
    error = DataError("No.", ways={"map": "", "data": ""})
    try:
        runs(SimpleNamespace(params=[]))
        assert with_options(error) == "No."
    finally:
        forget()
    assert with_options(error) == "No. Options: --map DATA'S=MODEL'S, --data PATH"
    code, _, said = cli("train", "classify", "--data", tmp_path / "gone", "--dry-run")
    assert code == 5 and "Option: --data PATH" in said
    assert with_options(error).endswith("--data PATH"), "the command has ended"
