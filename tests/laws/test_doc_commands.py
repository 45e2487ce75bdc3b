"""The commands of the documentation are ones that there are, and those that are cheap end well."""

import ast
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import cvtasks
from cvtasks import zoo
from cvtasks.cli.spelling import SAME, spelled
from cvtasks.recipe.words import OWN_KEYS, dotted_keys
from cvtasks.tasks import TASKS
from cvtasks.weights.published import PUBLISHED
from tests.laws.doc_commands import PAGES, Written, in_blocks, in_sentences, written
from tests.laws.test_own_data import a_newcomers_folders

A_TASK = ("NAME", "TASK")
"""What pages write for the command of any task; `detect` is read in its place."""

MADE_BEFORE = ("found/coco.json", "results.json")
"""Files that must be there when a command is parsed: another command wrote them."""

LEFT_OUT = {
    r"sample:": "the package of these images may be missing",
    r"^serve|--show|^detect (0|1|rtsp)": "it does not end by itself, or needs a camera",
    r"^models get|^data get|-coco\b": "it fetches, or needs what was fetched",
    r"VOCdevkit|mnist|coco/|gt\.txt|flowers|farm": "it needs real data",
    r"^train detect --data tenth": "what makes its data is left out",
    r"^(instances|segment|train instances)|nuclei": "it needs masks, which are not drawn here",
    r"s3:|--ray|--profile|^train runs|--resume": "its outcome depends on more than this folder",
    r"--devices": "it needs several devices",
    r"^bench|^export|^explain|^features|--minutes|lr-find|--batch auto|resnet": "it takes long",
    r"two-stage|^compare|^train detect-yolox|^data (review|prelabel|convert|split)": "so does it",
    r"--set train\.|--size 640|--batch 4|--weights": "one training of a page is enough",
    r"^map (runs|segment)": "the page has it in the place of another, into the same folder",
    r"--precision int8|runs/…|runs/ships|^classify|^inspect alexnet|^filters": "tests of its own",
}
"""Commands in blocks that are parsed, but not run, and why."""


def parsed(words: tuple[str, ...]) -> Any:
    """The context of the command that is called so, as the program makes it before it runs.

    Raises:
        Exception: there is no such command or option, or a value is none that the option takes.
    """
    import typer

    from cvtasks.cli import _with_values, app

    command, name, arguments, above = typer.main.get_command(app), "cvtasks", [*words], None
    arguments = _with_values(arguments)
    while True:
        context = command.make_context(name, list(arguments), parent=above)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not hasattr(command, "resolve_command") or not rest:
            return context
        above = context
        name, command, arguments = command.resolve_command(context, rest)


def named(words: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The command that is named so, and what follows its name."""
    import typer

    from cvtasks.cli import app

    command: Any = typer.main.get_command(app)
    left = list(words)
    while left and hasattr(command, "commands") and not left[0].startswith("-"):
        command = command.commands[left.pop(0)]
    return command, left


def options_of(command: Any) -> set[str]:
    """Every option that a command has, in all its spellings."""
    return {name for one in command.params for name in (*one.opts, *one.secondary_opts)}


def read_as(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("detect" if word in A_TASK else word for word in words)


BLOCKS = [one for page in PAGES for one in in_blocks(page.read_text("utf-8"), page.name)]
SENTENCES = [one for page in PAGES for one in in_sentences(page.read_text("utf-8"), page.name)]


def test_the_pages_have_commands() -> None:
    assert len(BLOCKS) > 100 and len(SENTENCES) > 50
    assert len(written()) <= len(BLOCKS) + len(SENTENCES)


def test_the_commands_of_blocks_are_read_by_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in MADE_BEFORE:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    faults = []
    for one in dict.fromkeys(BLOCKS):
        try:
            parsed(read_as(one.words) if "--help" not in one.words else ("info",))
        except Exception as error:
            faults.append(f"{one}: {getattr(error, 'message', error)}")
    assert not faults, "\n".join(faults)


def test_the_commands_of_sentences_have_the_options_that_are_named() -> None:
    """They may be cut short: values and arguments may be missing."""
    faults = []
    for one in dict.fromkeys(SENTENCES):
        command, left = named(read_as(one.words))
        known = {*options_of(command), "-h", "--help"}
        for word in spelled(left, dict.fromkeys([*known, *SAME], True)):
            option = word.partition("=")[0]
            if re.match(r"--?[a-z]", option) and option not in known:
                faults.append(f"{one}: {option} is no option of it")
    assert not faults, "\n".join(faults)


def test_values_of_the_commands_are_known() -> None:
    """Keys that are set, and models of the zoo that are named."""
    keys, models = {*dotted_keys(), *OWN_KEYS}, {*zoo.names(), *PUBLISHED}
    a_model = re.compile(rf"({'|'.join(TASKS)})-[a-z0-9]+-[a-z0-9-]+")
    faults = []
    for one in written():
        for before, word in zip(("", *one.words), one.words, strict=False):
            key = word.partition("=")[0]
            if before == "--set" and key not in keys and key.isidentifier():
                faults.append(f"{one}: {key} is no key of a recipe")
            if a_model.fullmatch(word) and word not in models:
                faults.append(f"{one}: {word} is no model")
    assert not faults, "\n".join(faults)


def test_wrong_commands_would_be_found() -> None:
    for wrong in (("detcet", "a.jpg"), ("detect", "a.jpg", "--trak"), ("export", "a", "-f", "no")):
        with pytest.raises(Exception, match=r"No such|not one of|got 'detcet'"):
            parsed(wrong)


# === Python ===


def python_blocks() -> Iterator[tuple[str, str]]:
    """Page and code of each block of Python."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield page.name, block


def test_python_of_the_pages_names_what_there_is() -> None:
    blocks = list(python_blocks())
    assert blocks
    for page, block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cvtasks"):
                module = __import__(node.module or "", fromlist=["_"])
                lacking = [one.name for one in node.names if not hasattr(module, one.name)]
                assert not lacking, f"{page}: {node.module} has no {lacking}"
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "cvtasks":
                assert hasattr(cvtasks, node.attr), f"{page}: cvtasks has no {node.attr}"


# === run ===


def why_left_out(one: Written) -> str:
    said = " ".join(one.words)
    return next((why for rule, why in LEFT_OUT.items() if re.search(rule, said)), "")


RUN = [
    one for one in dict.fromkeys(BLOCKS) if not {*A_TASK} & {*one.words} and not why_left_out(one)
]
RUN = [one for one in RUN if one.page != "own-data.md"]  # run word for word by test_own_data.py


def short(words: tuple[str, ...]) -> list[str]:
    """The same command in a form that takes seconds: a training is planned and takes one step."""
    if words[0] != "train":
        return [*words]
    kept, skip = [], False
    for word in words:
        skip, drop = word in ("--epochs", "--size", "--backbone", "--minutes", "-o"), skip
        if not skip and not drop:
            kept.append(word)
    backbone = ["--backbone", "tiny"] if words[1] in TASKS else []
    return [*kept, "--epochs", "1", "--size", "64", *backbone, "--dry-run"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages' commands name: drawn images, data, a video, a small model."""
    root = tmp_path_factory.mktemp("docs")
    a_newcomers_folders(root)
    images = sorted((root / "my-photos").glob("*.jpg"))
    for folder in ("photos", "archive", "holidays"):
        (root / folder).mkdir()
        for image in images[:2]:
            shutil.copy(image, root / folder)
    for name in ("photo.jpg", "digit.jpg", "one.jpg", "two.jpg"):
        shutil.copy(images[0], root / name)
    rng = np.random.default_rng(0)
    large = cv2.resize(rng.integers(0, 255, (9, 9, 3), np.uint8), (960, 960))
    cv2.imwrite(str(root / "aerial.jpg"), large)
    shutil.copy(root / "clip.mp4", root / "street.mp4")
    (root / "paths.txt").write_text("".join(f"{image}\n" for image in images[:2]))
    _data_and_model(root)
    return root


def _data_and_model(root: Path) -> None:
    """`my-data` and `ships` in YOLO's layout with two splits, and `runs/mine`, which learned it."""
    for number, image in enumerate(sorted((root / "my-photos").glob("*.jpg"))[:8]):
        split = "train" if number < 5 else "val"
        for kind in ("images", "labels"):
            (root / "my-data" / kind / split).mkdir(parents=True, exist_ok=True)
        shutil.copy(image, root / "my-data" / "images" / split)
        label = root / "my-data" / "labels" / split / f"{image.stem}.txt"
        label.write_text(f"{number % 2} 0.5 0.5 0.25 0.25\n")
    (root / "my-data" / "data.yaml").write_text(
        "train: images/train\nval: images/val\nnames: [bolt, nut]\n"
    )
    shutil.copytree(root / "my-data", root / "ships")
    changes = {"size": 64, "backbone": "tiny", "train.epochs": 1}
    os.chdir(root)
    cvtasks.train("detect", "my-data", "runs/mine", changes=changes)
    shutil.copytree(root / "runs" / "mine", root / "runs" / "other")


@pytest.mark.parametrize("page", sorted({one.page for one in RUN}))
def test_the_commands_of_a_page_end_well(
    page: str, place: Path, cli: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(place, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    for one in RUN:
        if one.page == page:
            code, out, said = cli(*short(one.words))
            assert code == 0, f"{one}\n{out[-2000:]}\n{said[-2000:]}"
            assert "Traceback" not in said


def test_every_reason_to_leave_out_has_its_commands() -> None:
    said = [" ".join(one.words) for one in BLOCKS]
    assert [rule for rule in LEFT_OUT if not any(re.search(rule, one) for one in said)] == []
    assert len(RUN) > 30
