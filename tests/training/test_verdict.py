"""What is said of a run's curves at its end."""

import re

import numpy as np
import pytest

from cvtasks.training.progress import Epoch
from cvtasks.training.verdict import verdict


def history(score, validation=None, training=None, train_score=None) -> list[Epoch]:
    """Epochs with these curves; one that is not given stays as it is."""
    n = len(score)
    validation = np.ones(n) if validation is None else validation
    training = np.linspace(1, 0.2, n) if training is None else training
    watched = score if train_score is None else train_score
    rows = zip(score, validation, training, watched, strict=True)
    return [
        Epoch(
            epoch,
            float(known),
            1e-3,
            1.0,
            {"AP": float(one)},
            {"validation": float(loss), "training": float(known)},
            {"AP": float(seen)},
        )
        for epoch, (one, loss, known, seen) in enumerate(rows)
    ]


def best(rows: list[Epoch]) -> int:
    return int(np.argmax([row.scores["AP"] for row in rows]))


NOISE = np.random.default_rng(0).normal(0, 0.01, 20)


@pytest.mark.parametrize(
    ("rows", "words", "more"),
    [
        (history(np.linspace(0.1, 0.6, 20) + NOISE), "not converged: AP rises by 0.1", 20),
        (
            history(
                np.r_[np.linspace(0.1, 0.5, 6), np.linspace(0.5, 0.42, 14)],
                np.r_[np.linspace(2, 1, 6), np.linspace(1, 1.8, 14)],
            ),
            r"over-fits after epoch [67]: .* risen from 1\.\d+ to 1\.[78]\d+.* Kept is epoch 6",
            0,
        ),
        (
            history(np.full(20, 0.5) + NOISE, train_score=np.full(20, 0.95)),
            r"training images far better than others: AP 0\.950 .* 0\.\d+ of validation",
            0,
        ),
    ],
)
def test_what_the_curves_show_is_said(rows: list[Epoch], words: str, more: int) -> None:
    told = verdict(rows, best(rows))
    assert told is not None and re.search(words, told.text), told
    assert told.more == more


@pytest.mark.parametrize(
    "rows",
    [
        history(np.full(20, 0.5) + NOISE),  # converged
        history(np.r_[np.linspace(0, 0.6, 10), 0.6 + NOISE[:10]]),  # rose, and stays
        history([0.1, 0.3, 0.5]),  # too few looks
        history([np.nan] * 8),
        history(  # the loss of validation rises, but so does the score: surer, and no worse
            np.r_[np.linspace(0.1, 0.6, 10), np.linspace(0.6, 0.61, 10)],
            np.r_[np.linspace(2, 1, 10), np.linspace(1, 1.5, 10)],
        ),
        [],
    ],
)
def test_nothing_is_said_where_there_is_nothing(rows: list[Epoch]) -> None:
    assert verdict(rows, best(rows) if rows else 0) is None


def test_a_run_of_before_without_losses_of_validation_is_judged_by_its_scores() -> None:
    rows = [Epoch(epoch, 1.0, 0.1, 1.0, {"AP": 0.03 * epoch}) for epoch in range(10)]
    told = verdict(rows, 9)
    assert told is not None and told.more == 10
