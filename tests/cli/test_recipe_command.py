"""`cvtasks recipe`, and options by other programs' words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cvtasks.cli.plan import plan_lines
from cvtasks.cli.spelling import spelled
from cvtasks.heads import HEADS
from cvtasks.recipe.recipe import Train
from cvtasks.training.loop import _is_hopeless
from cvtasks.training.plan import planned
from cvtasks.training.progress import Epoch, Progress

OPTIONS = {"--data": True, "--size": True, "--batch": True, "--set": True, "--dry-run": False}


def test_keys_are_explained(cli) -> None:
    code, out, err = cli("recipe", "train.epochs")
    assert (code, err) == (0, "")
    assert out == (
        "[train]\n  train.epochs\n      passes over the data.\n"
        "      whole number, 1 to 100000; default 30\n"
    )
    assert cli("recipe", "epochs")[1] == out
    code, out, _ = cli("recipe", "detect", "train.ema")
    assert "default 0.998" in out
    assert "head.channels" not in cli("recipe", "detect")[1]
    assert "head.channels" in cli("recipe")[1]


def test_keys_as_json(cli) -> None:
    code, out, err = cli("recipe", "detect", "--json")
    assert (code, err) == (0, "")
    listed = json.loads(out)
    keys = {one["key"]: one for one in listed}
    assert keys["train.epochs"]["default"] == 30
    assert (keys["train.epochs"]["least"], keys["train.epochs"]["most"]) == (1, 100000)
    assert {one["head"] for one in listed if one["key"] == "head.nms"} == {*HEADS["detect"]}
    assert keys["train.optimizer"]["choices"] == ["adamw", "sgd"]


def test_what_is_no_key_is_answered(cli) -> None:
    code, out, err = cli("recipe", "epocs")
    assert (code, out) == (2, "")
    assert 'Did you mean "train.epochs"?' in err
    assert cli("recipe", "epochs", "lr")[0] == 2
    assert cli("recipe", "--markdown", "detect")[0] == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["--imgsz", "64"], ["--size", "64"]),
        (["--batch-size=2"], ["--batch=2"]),
        (["--lr", "0.01"], ["--set", "train.learning_rate=0.01"]),
        (["--patience=5"], ["--set", "train.patience=5"]),
        (["--train.seed", "3"], ["--set", "train.seed=3"]),
        (["--learning-rate", "1e-4"], ["--set", "train.learning_rate=1e-4"]),
        (["--norm", "batch"], ["--set", "norm=batch"]),
        (["--data", "--lr"], ["--data", "--lr"]),
        (["--dry-run", "--lr", "1"], ["--dry-run", "--set", "train.learning_rate=1"]),
        (["--", "--lr", "1"], ["--", "--lr", "1"]),
        (["--lrr", "1"], ["--lrr", "1"]),
        (["--lr"], ["--lr"]),
        (["--conf", "1"], ["--set", "task.threshold=1"]),
        (["-o", "--data"], ["-o", "--data"]),
    ],
)
def test_options_by_other_words(said: list[str], meant: list[str], capsys) -> None:
    assert list(spelled(said, OPTIONS)) == meant
    assert ("taken for" in capsys.readouterr().err) == (said != meant)


def test_numbers_that_begin_with_a_minus_are_arguments(cli, tmp_path) -> None:
    scores = cli("by-hand", "softmax", "-1 2 3", "--target", 1, "-o", tmp_path / "a")
    assert scores[0] == 0 and "p(1) = 7.39 / 27.84" in scores[1], scores[2]
    code, _, err = cli("filter", "-1 2; 3 4", "--kernel", "-.5", "-o", tmp_path / "b")
    assert code == 0, err
    code, _, err = cli("filter", "-x", "--kernel", "1")
    assert code == 2 and "No such option: -x" in err


def test_conf_is_the_threshold_of_a_task_command(cli) -> None:
    code, _, err = cli("detect", "no-such-image.jpg", "--conf", "7")
    assert code == 2
    assert "--conf is taken for --threshold" in err
    assert "Invalid value for '--threshold'" in err


def test_a_run_is_shown_as_a_plan(shapes: Path) -> None:
    changes = ["backbone=tiny", "size=64", "head.channels=[8]", "train.weights=none"]
    plan = planned("segment", [("data.path", str(shapes)), *changes, "train.batch=8"])
    lines = plan_lines(plan)
    text = " ".join(" ".join(lines).split())
    assert len(lines) < 20
    assert max(map(len, lines)) <= 100 + len(str(shapes))
    assert "task segment by the head unet on tiny, input 64 px" in text
    assert "classes 3: background, square, disc" in text
    assert "24 images to train on (train), 8 to validate on (val)" in text
    assert "start random weights" in text
    assert "epochs of 3 steps at batch 8" in text
    assert "head.channels = [8]" in text
    assert "data.path" not in text, "what another line shows is not shown again"
    assert "train.optimizer" not in text, "what is as usual is not shown"


def test_a_plan_says_that_it_may_end_early_where_it_can(shapes: Path) -> None:
    changes = ["backbone=tiny", "size=64", "head.channels=[8]", "train.weights=none"]
    plan = planned("segment", [("data.path", str(shapes)), *changes, "train.epochs=1"])
    for epochs in range(1, 9):
        for every in (1, 2, 3):
            how = replace(plan.recipe.train, epochs=epochs, validate_every=every, patience=2)
            text = " ".join(plan_lines(replace(plan, recipe=replace(plan.recipe, train=how))))
            said = "ends after 2 looks without a better score" in " ".join(text.split())
            assert said == (_in_vain(how) < epochs), (epochs, every)


def _in_vain(how: Train) -> int:
    """Epochs that a run makes in which no look is better than the first."""
    progress = Progress()
    while progress.epoch < how.epochs and not _is_hopeless(how, progress):
        last = progress.epoch + 1 == how.epochs
        looked = last or (progress.epoch + 1) % how.validate_every == 0
        row = Epoch(progress.epoch, 1.0, 0.1, 1.0, {"score": 0.5} if looked else {})
        progress, _ = progress.after(row, True)
    return progress.epoch
