"""Where minutes hold few updates, and only there, the backbone keeps its weights, and the rate is
higher.
"""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.networks.build import backbone_of, build_network
from cvtasks.recipe.recipe import parse_recipe, read_recipe
from cvtasks.training import budget, short_runs
from cvtasks.training.budget import Pace, budgeted
from cvtasks.training.choices import usual_rate
from cvtasks.training.plan import Plan, planned
from cvtasks.training.progress import Report
from cvtasks.training.run_folder import write_facts
from cvtasks.training.short_runs import FREEZE, RATE, is_worth_it
from cvtasks.zoo import model_folder
from tests.training.test_choices import trained_as_unmeasured

ALL = ((0, 32),)
"""Of the backbone `tiny`."""


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("rose", "tulip"):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        for number in range(12):
            image = rng.integers(0, 256, (40, 40, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "flowers" / name / f"{number}.png"), image)
    return tmp_path / "flowers"


def begun(data: Path, start: Path, *wishes: str) -> Plan:
    fast = ["size=32", "train.precision=f32", "data.workers=0", "train.minutes=0.1"]
    given = [("data.path", str(data)), ("train.weights", str(start))]
    return planned("classify", [*given, *fast, *wishes])


def test_few_updates_leave_the_backbone_as_it_is(
    flowers: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the run has the bits of one whose recipe asks for that."""
    monkeypatch.setattr(short_runs, "SHORT", 10**6)
    said: list[str] = []
    turned = budgeted(begun(flowers, trained, "train.epochs=100000"), Report(said.append))
    assert turned.recipe.train.freeze == ALL
    [line] = [line for line in said if line.startswith(FREEZE)]
    assert "of all weights would be few" in line
    usual = usual_rate(turned.recipe)
    assert turned.recipe.train.learning_rate == pytest.approx(3 * usual, rel=0.03)
    [line] = [line for line in said if line.startswith(RATE)]
    assert ": 3 times the usual one, as only " in line
    learner = trained_as_unmeasured(turned, tmp_path)
    started = budget.Learner(turned.recipe)
    started.start()
    own = [np.asarray(one) for one in backbone_of(started.network).weights]
    learned = [np.asarray(one) for one in backbone_of(learner.network).weights]
    assert len(own) == len(learned) > 4
    assert all(np.array_equal(*pair) for pair in zip(own, learned, strict=True))


@pytest.mark.parametrize(
    ("few", "wishes", "found"),
    [
        (0, ["train.epochs=100000"], ()),  # many updates
        (10**6, ["train.epochs=1", "train.minutes=5"], ()),  # as few as were asked for
        (10**6, ["train.epochs=100000", "train.freeze=[[0, 4]]"], ((0, 4),)),
        (10**6, ["train.epochs=100000", "train.freeze=[]"], ()),
    ],
)
def test_nothing_is_frozen_else(few, wishes, found, flowers, trained, monkeypatch) -> None:
    monkeypatch.setattr(short_runs, "SHORT", few)
    recipe = budgeted(begun(flowers, trained, *wishes), Report()).recipe
    assert (recipe.train.freeze, recipe.train.learning_rate) == (found, usual_rate(recipe))


def test_a_rate_that_is_asked_for_stays(flowers, trained, monkeypatch) -> None:
    monkeypatch.setattr(short_runs, "SHORT", 10**6)
    made = begun(flowers, trained, "train.epochs=100000", "train.learning_rate=0.002")
    how = budgeted(made, Report()).recipe.train
    assert (how.freeze, how.learning_rate) == (ALL, 0.002)


def test_who_begins_with_random_weights_or_knows_the_classes_learns_with_all(
    flowers: Path, trained: Path, shapes: Path
) -> None:
    assert FREEZE in begun(flowers, trained).chosen
    assert FREEZE not in begun(flowers, trained, "train.freeze=[]").chosen
    assert FREEZE not in planned("classify", [("data.path", str(flowers)), "train.weights="]).chosen
    same = [("data.path", str(shapes)), ("train.weights", str(trained))]
    assert FREEZE not in planned("segment", same).chosen


@pytest.mark.parametrize(
    ("name", "worth"),
    [
        ("dense", True),
        ("segment-efficientnet-lite0-voc", True),
        ("classify-lenet-mnist", True),
        ("detect-yolox-nano-voc", False),  # neck and head are half of it
    ],
)
def test_it_is_worth_it_where_the_backbone_is_most_of_the_work(name: str, worth: bool) -> None:
    if name == "dense":  # most of the time by what it writes, with .58 of the multiply-adds
        usual = {"task": "detect", "backbone": "mobilenet", "size": 320, "classes": ["cat", "dog"]}
        recipe = parse_recipe(usual)
    else:
        recipe = read_recipe(model_folder(name) / "recipe.toml")
    assert is_worth_it(build_network(recipe, recipe.input_size, "f32"), recipe) == worth


def test_a_model_that_was_frozen_for_want_of_updates_learns_with_all_elsewhere(
    shapes: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, Pace(1.0, 0.1, 0.1, 0.1)))
    recipe = read_recipe(trained / "recipe.toml")
    own, usual = recipe.train.learning_rate, usual_rate(recipe)
    assert own > usual
    document = recipe.to_toml().replace("freeze = []", "freeze = [[0, 32]]")
    shutil.copytree(shapes, tmp_path / "animals")
    (tmp_path / "animals" / "classes.txt").write_text("background\nlamb\newe\n")
    other = ("data.path", str(tmp_path / "animals"))
    for name, noted in (("chosen", [FREEZE, RATE]), ("wished", [])):
        folder = tmp_path / name
        shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("checkpoints"))
        (folder / "recipe.toml").write_text(document, encoding="utf-8")
        write_facts(folder, "", 0, {}, noted)
        found = ((), usual) if noted else (ALL, own)
        again = planned(str(folder), [("train.minutes", 5.0)])
        how = again.recipe.train
        assert (how.freeze, how.learning_rate) == (found[0], pytest.approx(found[1] / 5))
        assert not {FREEZE, RATE} & again.chosen, "it knows its classes"
        elsewhere = planned(str(folder), [("train.minutes", 5.0), other])
        how = elsewhere.recipe.train
        assert (how.freeze, how.learning_rate) == found
        assert ({FREEZE, RATE} <= elsewhere.chosen) == bool(noted)
        once_more = planned(str(folder)).recipe.train
        assert (once_more.freeze, once_more.learning_rate) == (ALL, pytest.approx(own / 5))
