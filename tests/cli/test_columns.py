"""Every help and every usual output fits a terminal of 80 columns, and says things in words."""

import re
from pathlib import Path

import pytest
import typer

from cvtasks.cli import app
from cvtasks.cli.evaluate import _table
from cvtasks.cli.help import in_words, summary
from cvtasks.cli.output import COLUMNS, wrapped
from cvtasks.insight.inspecting.inspect import inspect_network
from cvtasks.insight.inspecting.stages import by_stage, stage_table
from cvtasks.insight.open import open_network
from cvtasks.tasks import TASKS
from cvtasks.text import width


def commands(group, words: tuple[str, ...] = ()):
    """The words of every command, the groups' own too."""
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


NUMBERS = "; ".join(" ".join(str(row * column % 7) for column in range(9)) for row in range(9))
WORDS = list(commands(typer.main.get_command(app)))


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))


def wide(text: str) -> list[str]:
    return [line for line in text.splitlines() if width(line) > COLUMNS]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_a_help_fits_and_is_in_words(cli, words: tuple[str, ...]) -> None:
    code, out, err = cli(*words, "--help")
    assert code == 0, err
    assert not wide(out)
    assert not re.search(r"<=?x|x>=|<\w+ ?\w*>|default: \(", out), "bounds and kinds in words"
    listed = out.partition("\nCommands:\n")[2]
    assert "..." not in listed, "no command's summary is cut"
    below = [one[-1] for one in WORDS if one and one[:-1] == words]
    assert all(f"\n  {name} " in f"\n{listed}" for name in below)


@pytest.mark.parametrize(
    "words",
    [
        ("models",),
        ("recipe", "detect"),
        ("inspect", "lenet5"),
        ("inspect", "resnet18"),
        ("inspect", "resnet18", "--layers"),
        ("data", "stats", "{shapes}", "--task", "segment"),
        ("data", "check", "{shapes}", "--task", "segment"),
        ("evaluate", "{trained}"),
        ("compare", "{trained}", "{trained}"),
        ("inspect", "conv", "--input", "32x32x3", "--kernel", "5", "--filters", "8"),
        ("filter", "{numbers}", "--kernel", "gaussian", "--size", "7", "-o", "{place}"),
        ("filter", "{numbers}", "--kernel", "sobel-x", "--backward", "-o", "{place}"),
        ("filter", "{numbers}", "--kernel", "sobel-x", "--transposed", "-o", "{place}"),
        ("filter", "{shapes}/images/val/000.png", "--kernel", "gaussian", "-o", "{place}"),
        ("by-hand", "pixels", "{numbers}", "-o", "{place}"),
        *(
            ("by-hand", name, "-o", "{place}")
            for name in ("properties", "activations", "norms", "dropout")
        ),
        ("by-hand", "softmax", "3.2 5.1 0.3 2.2 1.1 9.2 3.4 5.1 2.3 1.1", "-o", "{place}"),
    ],
    ids=" ".join,
)
def test_what_is_usually_printed_fits(
    cli, shapes: Path, trained: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    names = {"shapes": shapes, "trained": trained, "place": tmp_path, "numbers": NUMBERS}
    code, out, err = cli(*(word.format_map(names) for word in words))
    assert code == 0, err
    assert (out or err) and not wide(out)
    paths = (str(shapes), str(tmp_path))
    assert not [line for line in wide(err) if not any(path in line for path in paths)]


def test_a_long_network_is_shown_by_stages() -> None:
    """He et al. 2016, table 1: five stages of ResNet-18, at half the size each, and its end."""
    found = inspect_network(open_network("resnet18", values="none", top=True).network)
    stages = by_stage(found.rows)
    assert [row for stage in stages for row in stage] == list(found.rows)
    lines = stage_table(stages, COLUMNS)[2:-1]
    assert [re.split(r"  +", line.strip())[2] for line in lines[1:]] == [
        *("112×112×64", "56×56×64", "28×28×128", "14×14×256", "7×7×512", "1000")
    ]
    assert sum(int(re.split(r"  +", line)[1]) for line in lines) == len(found.rows)


def test_gates_are_no_stages_of_their_own() -> None:
    """Squeeze-and-excitation sees the whole image, and the map goes on behind it."""
    found = inspect_network(open_network("efficientnet-b0", values="none", top=True).network)
    stages = by_stage(found.rows)
    assert len(stages) <= 8


def test_a_sentence_is_broken_between_words_alone() -> None:
    path = "/a" * 60
    assert wrapped(f"written → {path}", columns=80) == ["written →", f"  {path}"]
    assert wrapped("short", columns=80) == ["short"]
    assert max(map(width, wrapped("猫 " * 90, columns=80))) <= 80
    assert (
        len(wrapped("x\u0302 " * 90, columns=80)) <= 4
    )  # a sign with another above it is one wide


def test_the_table_of_commands_says_what_each_says_of_itself() -> None:
    program = typer.main.get_command(app)
    assert program.summaries() == [
        (name, summary(command.help)) for name, command in program.commands.items()
    ]
    assert {command.name for command in program.commands.values()} == {*program.commands}
    assert "no-command" not in program.commands and len(program.commands) > len(TASKS)


@pytest.mark.parametrize("columns", [80, 60])
def test_a_table_of_classes_breaks_its_titles(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of localization are the longest."""
    monkeypatch.setenv("COLUMNS", str(columns))
    titles = ("top-1 localization accuracy", "mean IoU where the class is right", "mean IoU")
    scores = dict.fromkeys(titles, 0.5)
    lines = _table({"pottedplant": scores, "tvmonitor": scores})
    assert max(map(width, lines)) <= columns
    assert lines[-3].split()[0] == "class" and lines[-1].split() == ["tvmonitor", *["0.5000"] * 3]
    said = " ".join(" ".join(lines[:-2]).split())
    assert all(word in said for title in titles for word in title.split())
    monkeypatch.setenv("COLUMNS", "200")
    assert len(_table({"pottedplant": scores})) == 2


def test_long_choices_stand_in_the_meaning() -> None:
    names = [f"format{number}" for number in range(12)]
    option, text = in_words(f"--to [{'|'.join(names)}]", "The format.  [required]")
    assert (option, text) == ("--to NAME", f"The format. One of {', '.join(names)}.  [required]")
