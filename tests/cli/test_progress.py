"""What the terminal tells of a run: how long it still takes, and scores that are no numbers."""

from itertools import count
from pathlib import Path

import pytest

from cvtasks.cli.pace import Pace
from cvtasks.cli.train_report import terminal_report
from cvtasks.heads.dense import Dense
from cvtasks.recipe.recipe import Recipe, Train
from cvtasks.tasks.detect import Detect


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(pace: Pace, clock: Clock, steps: list[float]) -> None:
    for seconds in steps:
        clock.now += seconds
        pace.step()


def test_time_left_is_told_once_it_is_known() -> None:
    """Four epochs of ten steps: 100 s to compile, two seconds a step, 30 s for a look at the
    validation split.
    """
    clock = Clock()
    pace = Pace(4, clock)
    assert pace.speed is None
    run(pace, clock, [100.0, *[2.0] * 4])
    assert (pace.speed, pace.left(0, 5, 10)) == (None, None), (
        "four steps are known, five are needed"
    )
    run(pace, clock, [2.0])
    assert pace.speed == pytest.approx(1 / 2)
    assert pace.left(0, 6, 10) == pytest.approx((4 + 30) * 2)
    run(pace, clock, [2.0] * 4)
    clock.now += 30
    pace.epoch()
    run(pace, clock, [2.0])
    assert pace.left(1, 1, 10) == pytest.approx((9 + 20) * 2 + 3 * 30)


def test_a_step_that_compiles_again_does_not_move_it() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    run(pace, clock, [50.0, 2.0, 2.0, 40.0, 2.0, 2.0, 2.0])
    assert pace.left(0, 7, 10) == pytest.approx(3 * 2)


def test_epochs_of_one_step_are_foretold_too() -> None:
    clock = Clock()
    pace = Pace(20, clock)
    for _ in range(7):
        run(pace, clock, [3.0])
        clock.now += 1
        pace.epoch()
    assert pace.left(6, 1, 1) == pytest.approx(13 * 3 + 14 * 1)


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        head=Dense(Detect()), backbone="tiny", size=64, classes=("cat",), train=Train(epochs=2)
    )


def test_an_epochs_line_shows_a_score_that_is_no_number(
    recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    from cvtasks.training.progress import Epoch

    report = terminal_report(recipe, Path())
    report.on_epoch(Epoch(0, 1.5, 0.1, 2.0, {"AP": float("nan"), "AR": 0.25}), False)
    assert "AP –  AR 0.250 " in capsys.readouterr().err


def test_nothing_is_foretold_from_the_first_step(
    recipe: Recipe, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = count(step=40)
    monkeypatch.setattr("cvtasks.cli.output.time.monotonic", lambda: float(next(times)))
    report = terminal_report(recipe, Path())
    for step in range(1, 8):
        report.on_step(0, step, 10, 1.0, 16)
    lines = capsys.readouterr().err.splitlines()
    assert "left" not in lines[0]
    assert "images/s" in lines[-1]
    assert lines[-1].endswith(" left")


def test_a_run_whose_scores_are_no_numbers_ends_well(
    cli, shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As COCO AP is where no object of a size was to be found."""
    finished = {"metrics": {"COCO AP": 0.5, "COCO AP small": None}, "intervals": {}}
    monkeypatch.setattr("cvtasks.training.run.run", lambda *_, **__: finished)
    code, out, err = cli(
        "train",
        "segment",
        "--data",
        shapes,
        "--backbone",
        "tiny",
        "--size",
        64,
        "-o",
        tmp_path / "run",
    )
    assert (code, out.splitlines()[-2:]) == (0, ["COCO AP: 0.5000", "COCO AP small: –"]), err
