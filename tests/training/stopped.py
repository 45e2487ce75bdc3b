"""A run that is stopped and goes on."""

import os
import signal
from pathlib import Path

import pytest

from cvtasks.data.opening import open_sources
from cvtasks.files.writing import sha256
from cvtasks.recipe.recipe import Recipe
from cvtasks.training.checkpoint import read_progress
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.loop import train
from cvtasks.training.progress import Report
from cvtasks.training.stopping import Stopped


def check_same_bits(recipe: Recipe, place: Path) -> None:
    """Train whole, and stopped behind the first step of the second epoch; both give the same
    weights.
    """
    sources = open_sources(recipe)

    def stop(epoch: int, step: int, *_: object) -> None:
        if (epoch, step) == (1, 1):
            os.kill(os.getpid(), signal.SIGINT)

    whole, parts = place / "whole", place / "parts"
    for folder in (whole, parts):
        folder.mkdir()
    train(recipe, sources.train, sources.validate, whole)
    with pytest.raises(Stopped):
        train(recipe, sources.train, sources.validate, parts, Report(on_step=stop))
    assert read_progress(parts / CHECKPOINT)["step"] == 1
    train(recipe, sources.train, sources.validate, parts)
    assert sha256(whole / BEST) == sha256(parts / BEST)
