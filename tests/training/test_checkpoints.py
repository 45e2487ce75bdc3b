"""Checkpoints within an epoch: when they are written, and what goes on from them."""

from pathlib import Path

import pytest

from cvtasks.files.writing import sha256
from cvtasks.training.checkpoint import read_progress
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.progress import Report
from tests.training.test_survival import small, train_in


class Killed(BaseException):
    """A run that ends without a word."""


@pytest.mark.parametrize("at", [2, 4])  # in the first epoch, and in the second
def test_checkpoints_within_an_epoch_go_on_to_the_same_bits(
    shapes: Path, tmp_path: Path, at: int
) -> None:
    history = train_in(tmp_path / "whole", small(shapes))
    recipe, done = small(shapes, checkpoint_minutes=1e-9), []

    def on_step(epoch: int, step: int, *_: object) -> None:
        done.append((epoch, step))
        if len(done) == at + 1:  # nothing of this step is saved yet
            raise Killed

    with pytest.raises(Killed):
        train_in(tmp_path / "killed", recipe, Report(on_step=on_step))
    progress = read_progress(tmp_path / "killed" / CHECKPOINT)
    assert (progress["epoch"], progress["step"]) == divmod(at, 3)
    assert train_in(tmp_path / "killed", recipe) == history
    assert sha256(tmp_path / "killed" / BEST) == sha256(tmp_path / "whole" / BEST)


def test_without_minutes_there_are_checkpoints_at_the_ends_of_epochs_alone(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    from cvtasks.training.learner import Learner

    saved, save = [], Learner.save

    def noted(self: Learner, path: Path, progress: object) -> None:
        saved.append((progress.epoch, progress.step))  # type: ignore[attr-defined]
        save(self, path, progress)

    monkeypatch.setattr(Learner, "save", noted)
    train_in(tmp_path / "ends", small(shapes))
    assert saved == [(1, 0), (2, 0)]
    saved.clear()
    train_in(tmp_path / "all", small(shapes, checkpoint_minutes=1e-9))
    assert saved == [(0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0)]
