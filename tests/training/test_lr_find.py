"""The search for a learning rate: on curves that are known, and on a real training."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cvtasks.errors import UsageError
from cvtasks.recipe.recipe import parse_recipe
from cvtasks.training.lr_find import find_rate, searched, write_search
from cvtasks.training.plan import Plan, planned


@pytest.fixture
def plan(shapes: Path) -> Plan:
    return planned(
        parse_recipe(
            {
                "format": 1,
                "task": {"name": "segment"},
                "backbone": "tiny",
                "size": 64,
                "classes": ["background", "square", "disc"],
                "head": {"name": "unet", "channels": [16, 16], "dropout": 0.2},
                "data": {"path": str(shapes), "workers": 0},
                "train": {"batch": 4, "precision": "f32", "optimizer": "sgd"},
            }
        )
    )


def test_the_rate_where_a_known_curve_falls_fastest_is_found() -> None:
    """A loss that falls as a logistic function of the rate's logarithm, around 1e-3, and rises
    steeply from 0.1 on.
    """
    rates = np.geomspace(1e-6, 1, 200)
    decades = np.log10(rates)
    losses = 2 / (1 + np.exp(4 * (decades + 3))) + np.exp(8 * np.maximum(decades + 1, 0)) - 1
    noise = np.random.default_rng(0).normal(0, 0.03, 200)
    found = searched(rates, losses + noise, diverged=True)
    assert found.suggested is not None
    assert abs(np.log10(found.suggested) + 3) < 0.3
    assert 1e-2 < found.lowest < 0.15
    flat = searched(rates, 1 + noise / 10, diverged=False)
    assert flat.suggested is None
    assert searched(rates[:5], losses[:5], diverged=True).suggested is None


def test_a_search_rises_ends_where_it_diverges_and_repeats_itself(
    plan: Plan, tmp_path: Path
) -> None:
    heard: list[float] = []
    found = find_rate(plan, 40, 1e-4, 1e4, lambda update, rate, loss: heard.append(rate))
    assert found.diverged and 10 < len(found.rates) < 40
    assert heard == found.rates.tolist()
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e8) / 39)
    write_search(tmp_path / "out", found, 1e-3)
    rows = list(csv.DictReader((tmp_path / "out" / "lr_find.csv").read_text().splitlines()))
    assert len(rows) == len(found.rates)
    assert float(rows[3]["loss"]) == pytest.approx(found.losses[3], abs=1e-6)
    assert (tmp_path / "out" / "lr_find.png").stat().st_size > 1000
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "lr_find.csv",
        "lr_find.png",
    ]
    again = find_rate(plan, 40, 1e-4, 1e4)
    np.testing.assert_array_equal(again.losses, found.losses)


def test_what_is_chosen_for_a_whole_run_alone_is_not_told(
    shapes: Path, tmp_path: Path, cli, monkeypatch
) -> None:
    rates = np.geomspace(1e-6, 1, 20)
    found = searched(rates, np.linspace(2, 1, 20), diverged=False)
    monkeypatch.setattr("cvtasks.training.lr_find.find_rate", lambda *asked: found)
    words = ("--data", shapes, "--backbone", "tiny", "-o", tmp_path / "out")
    code, out, err = cli("lr-find", "segment", *words)
    assert code == 0 and "learning rate of the recipe" in out
    assert "train.batch = 8: " in err and "train.learning_rate = " in err
    for key in ("epochs", "minutes", "warmup", "validate_every", "patience"):
        assert f"train.{key} =" not in err


def test_steps_that_make_one_update_have_one_rate(plan: Plan) -> None:
    two = replace(plan, recipe=replace(plan.recipe, train=replace(plan.recipe.train, accumulate=2)))
    assert len(find_rate(two, 10, 1e-6, 1e-5).rates) == 10


@pytest.mark.parametrize("wrong", [(9, 1e-6, 1.0), (20, 1.0, 1e-6), (20, 0.0, 1.0)])
def test_a_search_that_cannot_be_is_refused(plan: Plan, wrong: tuple) -> None:
    with pytest.raises(UsageError, match="a search needs 10 updates or more"):
        find_rate(plan, *wrong)


def test_classes_are_chosen_as_of_a_training(cli, shapes: Path, monkeypatch) -> None:
    from cvtasks.training import lr_find

    def stopped(plan: Plan, *how: object) -> None:
        raise UsageError(f"classes {plan.recipe.classes}")

    monkeypatch.setattr(lr_find, "find_rate", stopped)
    small = ("--backbone", "tiny", "--size", 64, "--set", "train.precision=f32")
    what = ("lr-find", "segment", "--data", shapes, "--classes", "background, disc")
    code, _, err = cli(*what, *small)
    assert code == 2 and "classes ('background', 'disc')" in err
