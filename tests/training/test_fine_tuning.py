"""A model that is trained on other data takes nothing of its own data with it, goes on only with
these, and is paced for the epochs that it has.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvtasks.errors import ModelError
from cvtasks.files.writing import sha256
from cvtasks.media.images import write_image
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.training import budget
from cvtasks.training.budget import Pace, budgeted
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.training.run_folder import write_facts
from cvtasks.zoo import RECIPE, WEIGHTS

SMALL = {"backbone": "tiny", "size": 32, "train.weights": "none", "train.precision": "f32"}


def pictures(root: Path, counts: dict[str, int]) -> Path:
    """Class folders, without splits."""
    rng = np.random.default_rng(len(root.name))
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 256, (40, 40, 3), np.uint8)
            write_image(root / name / f"{name}{number}.png", image)
    return root


def model(folder: Path, data: Path, **values: Any) -> Path:
    """The folder of a classifier whose run began with such a recipe; it has learned nothing."""
    asked = {**SMALL, "data.path": str(data), "train.epochs": 20, **values}
    recipe = planned("classify", list(asked.items())).recipe
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"weights")
    replace(recipe, files={WEIGHTS: sha256(folder / WEIGHTS)}).save(folder / RECIPE)
    return folder


def lists(folder: Path, **names: list[str]) -> Path:
    folder.mkdir()
    for split, its in names.items():
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in its), encoding="utf-8")
    return folder


def test_a_model_goes_on_by_its_own_lists_alone(tmp_path: Path) -> None:
    """By others it would be validated on what it has learned."""
    data = pictures(tmp_path / "own", {"cat": 6, "dog": 6})
    some = [f"{name}/{name}{number}" for name in ("cat", "dog") for number in range(3)]
    rest = [f"{name}/{name}{number}" for name in ("cat", "dog") for number in range(3, 6)]
    own = lists(tmp_path / "own-lists", train=some, val=rest)
    others = lists(tmp_path / "other-lists", train=rest, val=some)
    start = model(tmp_path / "model", data, **{"data.lists": str(own)})
    said: list[str] = []
    alike = [("data.lists", str(own.parent / "other-lists" / ".." / own.name))]
    for wishes in ([], alike):
        planned(str(start), [*wishes, ("data.path", str(data))], said.append)
        assert "goes on with its own data" in "\n".join(said)
        said.clear()
    asked = [("data.path", str(data)), ("data.lists", str(others))]
    made = planned(str(start), asked, said.append)
    assert "is fine-tuned by its own recipe" in "\n".join(said)
    assert [line for line in said if "flatter" in line], "that it has seen them is said"
    assert made.recipe.data.lists == str(others)


def test_a_model_that_does_not_go_on_has_its_own_data_unless_others_are_given(
    tmp_path: Path,
) -> None:
    """Other lists, splits or classes are those of its own images."""
    for split in ("train", "val", "test"):
        pictures(tmp_path / "own" / split, {"cat": 5, "dog": 5})
    own = tmp_path / "own"
    names = [f"train/{name}/{name}{number}" for name in ("cat", "dog") for number in range(5)]
    some, rest = (lists(tmp_path / two, train=names[::2], val=names[1::2]) for two in "ab")
    start = model(tmp_path / "model", own, **{"data.train": "test"})
    for key, value, splits in (
        ("data.lists", str(rest), ("train", "val", 0)),
        ("data.train", "train", ("train", "val", 0)),
        ("data.validate", "train", ("test", "train", 0)),
        ("data.held_out", 0.4, ("test", "", 0.4)),
        ("classes", ["dog", "cat"], ("test", "val", 0)),
    ):
        said: list[str] = []
        data = planned(str(start), [(key, value)], said.append).recipe.data
        assert (data.path, data.train, data.validate, data.held_out) == (str(own), *splits)
        assert data.lists == (value if key == "data.lists" else "")
        assert f"start: {start} is fine-tuned by its own recipe" in said[0]
    listed = model(tmp_path / "listed", own, **{"data.lists": str(some)})
    data = planned(str(listed), [("classes", ["dog", "cat"])]).recipe.data
    assert (data.path, data.lists) == (str(own), str(some))
    data = planned(str(listed), [("classes", ["dog", "cat"]), ("data.path", str(own))]).recipe.data
    assert data.lists == ""


def test_lists_of_a_models_data_are_not_those_of_others(tmp_path: Path) -> None:
    data = pictures(tmp_path / "own", {"cat": 4, "dog": 4})
    names = [f"{name}/{name}{number}" for name in ("cat", "dog") for number in range(4)]
    own = lists(tmp_path / "lists", train=names[::2], val=names[1::2])
    start = model(tmp_path / "model", data, **{"data.lists": str(own)})
    other = pictures(tmp_path / "other", {"apple": 6, "pear": 6})
    made = planned(str(start), [("data.path", str(other))])
    assert made.recipe.data.lists == ""
    assert len(made.sources.train) + len(made.sources.validate) == 12


def weights_of(what: str | Path, data: Path, **wishes: Any) -> tuple[float, ...]:
    """The weights of the classes, in a plan of theirs on data."""
    return planned(what, [("data.path", str(data)), *wishes.items()]).recipe.head.class_weights


def test_computed_weights_of_classes_are_for_the_data_that_are_trained_on(tmp_path: Path) -> None:
    """Where they stay those of the start, each stands at the place of another class."""
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 5})
    start = model(tmp_path / "model", own, **{"train.class_weights": "balanced"})
    cats, dogs = weights_of(str(start), own)
    assert dogs > 3 * cats, "it goes on with its own"
    other = pictures(tmp_path / "other", {"apple": 5, "pear": 20})
    apples, pears = weights_of(str(start), other)
    assert apples > 3 * pears
    assert weights_of(str(start), own, classes=["dog", "cat"]) == (dogs, cats)
    assert len(weights_of(str(start), pictures(tmp_path / "three", dict.fromkeys("abc", 5)))) == 3
    for data in (own, other):
        assert weights_of(str(start), data, **{"train.class_weights": "none"}) == ()
        assert weights_of(str(start), data, **{"head.class_weights": [1.0, 2.0]}) == (1, 2)


@pytest.mark.parametrize("weighed", ["none", "balanced"])
def test_a_new_recipe_has_no_computed_weights_of_its_start(weighed: str, tmp_path: Path) -> None:
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 5})
    start = model(tmp_path / "model", own, **{"train.class_weights": "balanced"})
    new = {"train.weights": str(start), "train.class_weights": weighed}
    assert bool(weights_of("classify", own, **new)) == (weighed == "balanced")
    three = pictures(tmp_path / "three", {"ant": 5, "bee": 20, "cat": 20})
    found = weights_of("classify", three, **new)
    assert found == () if weighed == "none" else found[0] > 3 * found[1]
    assert weights_of("classify", own, **new, **{"head.class_weights": [1.0, 2.0]}) == (1, 2)


def test_weights_of_classes_by_hand_stay_with_these_classes(tmp_path: Path) -> None:
    own = pictures(tmp_path / "own", {"cat": 6, "dog": 6})
    start = model(tmp_path / "model", own, **{"head.class_weights": [1.0, 5.0]})
    alike = pictures(tmp_path / "alike", {"cat": 6, "dog": 6})
    other = pictures(tmp_path / "other", {"apple": 6, "pear": 6})
    said: list[str] = []
    for what, wishes in ((str(start), []), ("classify", [("train.weights", str(start))])):
        for data, weights in ((own, (1, 5)), (alike, (1, 5)), (other, ())):
            asked = [("data.path", str(data)), *wishes]
            assert planned(what, asked, said.append).recipe.head.class_weights == weights
        line = f"head.class_weights = []: those of {start} are for its own classes, cat, dog"
        assert [text for text in said if "head.class_weights" in text] == [line]
        said.clear()
    assert weights_of(str(start), own, **{"train.class_weights": "balanced"}) == (1, 1)


@pytest.mark.parametrize("tuned", [False, True])
def test_weights_of_classes_by_hand_are_for_the_classes_of_the_data(
    tuned: bool, tmp_path: Path
) -> None:
    """Which are not known yet where the weights are asked for."""
    start = model(tmp_path / "model", pictures(tmp_path / "own", {"cat": 6, "dog": 6}))
    three = pictures(tmp_path / "three", dict.fromkeys("abc", 5))
    what, more = (str(start), {}) if tuned else ("classify", SMALL)
    for given in ([1.0, 2.0, 3.0], "head.class_weights=[1, 2, 3]"):
        wish = given if isinstance(given, str) else ("head.class_weights", given)
        made = planned(what, [("data.path", str(three)), *more.items(), wish])
        assert made.recipe.head.class_weights == (1, 2, 3)
    for wrong, words in (([1.0, 2.0], "the 3 classes a, b, c; got 2"), ("heavy", "must be a list")):
        with pytest.raises(ModelError, match=words):
            weights_of(what, three, **more, **{"head.class_weights": wrong})


def test_weights_of_classes_are_refused_before_the_data_where_the_head_has_none() -> None:
    with pytest.raises(ModelError, match=r"unknown key `head\.class_weights`"):
        planned("detect", [("data.path", "/no/such/data"), ("head.class_weights", [1.0])])


def test_a_recipe_files_weights_of_classes_are_for_its_data_and_classes(tmp_path: Path) -> None:
    """Where they stay, each stands at the place of another class."""
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 5})
    other = pictures(tmp_path / "other", {"cat": 5, "dog": 20, "emu": 20})
    file = tmp_path / "recipe.toml"
    asked = {**SMALL, "data.path": str(own), "train.class_weights": "balanced"}
    recipe = planned("classify", list(asked.items())).recipe
    recipe.save(file)
    cats, dogs = recipe.head.class_weights
    assert dogs > 3 * cats
    for what in (file, str(file), recipe):
        assert weights_of(what, own) == (cats, dogs)
        assert weights_of(what, own, classes=["dog", "cat"]) == (dogs, cats)
        cats_there, dogs_there = weights_of(what, other)
        assert cats_there > 3 * dogs_there, "computed anew, for these images"
        assert len(weights_of(what, other, classes=["emu", "dog", "cat"])) == 3
        assert weights_of(what, own, **{"train.class_weights": "none"}) == ()
        assert weights_of(what, other, **{"head.class_weights": [1.0, 2.0]}) == (1, 2)


def test_a_recipe_files_weights_by_hand_stay_with_its_classes(tmp_path: Path) -> None:
    own = pictures(tmp_path / "own", {"cat": 6, "dog": 6})
    other = pictures(tmp_path / "other", {"cat": 5, "dog": 20, "emu": 20})
    asked = {**SMALL, "data.path": str(own), "head.class_weights": [1.0, 5.0]}
    file, said = tmp_path / "recipe.toml", list[str]()
    planned("classify", list(asked.items())).recipe.save(file)
    assert weights_of(file, other) == weights_of(file, own, classes=["cat", "dog"]) == (1, 5)
    for classes in (["dog", "cat"], ["cat", "dog", "emu"]):
        wishes = [("data.path", str(other)), ("classes", classes)]
        assert planned(file, wishes, said.append).recipe.head.class_weights == ()
    line = f"head.class_weights = []: those of {file} are for its own classes, cat, dog"
    assert [text for text in said if "head.class_weights" in text] == [line] * 2


LONG = {
    "train.epochs": 229,
    "train.warmup": 20.0,
    "train.validate_every": 7,
    "train.patience": 15,
    "data.cutmix": 0.5,
    "data.close_mosaic": 30,
}
"""What a long run was planned with."""


def pace_of(recipe: Recipe) -> tuple[float, int, int, int]:
    how = recipe.train
    return how.warmup, how.validate_every, how.patience, recipe.data.close_mosaic


def test_a_shorter_run_of_a_model_is_paced_for_its_own_epochs(tmp_path: Path) -> None:
    """Else all of it is warm-up, it hardly looks, and no image is mixed."""
    start = model(tmp_path / "model", pictures(tmp_path / "own", {"cat": 20, "dog": 20}), **LONG)
    other = pictures(tmp_path / "other", {"apple": 50, "pear": 50})
    said: list[str] = []
    asked = [("data.path", str(other)), ("train.epochs", 20)]
    made = planned(str(start), asked, said.append)
    assert pace_of(made.recipe) == (2.0, 1, 7, 3)
    lines = [line for line in said if line.startswith(tuple(LONG))]
    assert [line.partition(": ")[0] for line in lines] == [
        "train.warmup = 2.0",
        "train.validate_every = 1",
        "train.patience = 7",
        "data.close_mosaic = 3",
    ]
    assert "train.validate_every = 1: a look after each epoch" in lines
    assert made.chosen == {*LONG} - {"train.epochs", "data.cutmix"}
    kept = planned(str(start), [*asked, ("train.warmup", 5), ("data.close_mosaic", 1)])
    assert pace_of(kept.recipe) == (5.0, 1, 7, 1)
    assert kept.chosen == {"train.validate_every", "train.patience"}
    for same in ([], [("train.epochs", 229)]):
        assert pace_of(planned(str(start), [asked[0], *same]).recipe) == (20.0, 7, 15, 30)


def test_what_a_model_was_trained_without_stays_away(tmp_path: Path) -> None:
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 20})
    without = {"train.warmup": 0, "data.close_mosaic": 0}
    start = model(tmp_path / "model", own, **{**LONG, **without})
    other = pictures(tmp_path / "other", {"apple": 20, "pear": 20})
    made = planned(str(start), [("data.path", str(other)), ("train.epochs", 20)])
    assert pace_of(made.recipe) == (0.0, 1, 7, 0)
    assert pace_of(planned(str(start), [("train.epochs", 20)]).recipe) == (0.0, 1, 7, 0)


def test_a_model_that_goes_on_keeps_its_short_warm_up(tmp_path: Path) -> None:
    start = model(tmp_path / "model", pictures(tmp_path / "own", {"cat": 20, "dog": 20}), **LONG)
    assert pace_of(planned(str(start), [("train.epochs", 20)]).recipe) == (0.5, 1, 7, 3)


def test_minutes_pace_a_model_for_what_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = model(tmp_path / "model", pictures(tmp_path / "own", {"cat": 20, "dog": 20}), **LONG)
    other = pictures(tmp_path / "other", {"apple": 50, "pear": 50})
    said: list[str] = []
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, Pace(2.0, 0.1, 0.5, 0.1)))

    def turned(what: Any, minutes: float) -> Recipe:
        said.clear()
        wishes = [("data.path", str(other)), ("train.minutes", minutes)]
        return budgeted(planned(what, wishes), Report(on_message=said.append)).recipe

    made = turned(str(start), 1)
    epochs = made.train.epochs
    assert 20 < epochs < 60
    assert made.train.warmup == pytest.approx(epochs / 10, rel=0.05)
    assert made.train.validate_every == 1
    assert made.train.patience == pytest.approx(epochs / 3, abs=1)
    assert made.data.close_mosaic == pytest.approx(epochs * 0.15, abs=1)
    assert {line.partition(" = ")[0] for line in said} > {*LONG} - {"data.cutmix"}
    assert pace_of(turned(str(start), 60)) == (20.0, 7, 15, 30), "all epochs fit"
    planned(str(start), [("data.path", str(other))]).recipe.save(tmp_path / "recipe.toml")
    assert pace_of(turned(tmp_path / "recipe.toml", 0.5)) == (20.0, 7, 15, 30), "as it is"
    assert [line.partition(" = ")[0] for line in said[-2:]] == ["train.warmup", "data.close_mosaic"]


def finished(folder: Path, recipe: Recipe, chosen: Iterable[str]) -> Path:
    """The folder of a model that no one has trained, but its recipe and what was chosen of it."""
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(b"weights")
    replace(recipe, files={WEIGHTS: sha256(folder / WEIGHTS)}).save(folder / RECIPE)
    write_facts(folder, "", 0, {}, chosen)
    return folder


def test_a_part_of_an_epoch_that_minutes_held_is_for_these_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a model that was made in a minute learns from a few images an epoch wherever it goes."""
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 20})
    other = pictures(tmp_path / "other", {"apple": 50, "pear": 50})
    pace = Pace(2.0, 9.0, 0.1, 0.1)
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, pace))

    def made(name: str, what: str, **values: Any) -> Path:
        plan = planned(what, [("data.path", str(own)), *values.items()])
        recipe = budgeted(plan, Report()).recipe
        assert 0 < recipe.train.epoch_steps < 16, "a part of 32 images, by two"
        return finished(tmp_path / name, recipe, plan.chosen)

    new = {**SMALL, "train.batch": 2}
    cut = made("cut", "classify", **new, **{"train.minutes": 1})
    by_hand = made("by-hand", "classify", **new, **{"train.epoch_steps": 4, "train.epochs": 20})
    again = made("again", str(cut))
    for start, whole in ((cut, True), (again, True), (by_hand, False)):
        steps = read_recipe(start / RECIPE).train.epoch_steps
        for wishes in ([("data.path", str(other))], [("train.epochs", 9)], [("train.minutes", 5)]):
            said: list[str] = []
            found = planned(str(start), wishes, said.append).recipe.train.epoch_steps
            assert found == (0 if whole else steps)
            assert f"train.epoch_steps = {found}: an epoch is " in "\n".join(said)
            asked = planned(str(start), [*wishes, ("train.epoch_steps", 2)])
            assert asked.recipe.train.epoch_steps == 2
        assert planned(str(start)).recipe.train.epoch_steps == steps, "the same run once more"


def test_epochs_that_minutes_held_are_for_these_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a model that was made in a minute learns for a minute, whatever minutes it is given."""
    own = pictures(tmp_path / "own", {"cat": 20, "dog": 20})
    other = pictures(tmp_path / "other", {"apple": 50, "pear": 50})
    pace = Pace(2.0, 0.5, 0.1, 0.1)
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, pace))
    chosen = {key: value for key, value in SMALL.items() if key != "train.epochs"}

    def made(name: str, **values: Any) -> Path:
        plan = planned("classify", [("data.path", str(own)), *values.items()])
        recipe = budgeted(plan, Report()).recipe
        return finished(tmp_path / name, recipe, plan.chosen)

    cut = made("cut", **chosen, **{"train.minutes": 1})
    by_hand = made("by-hand", **chosen, **{"train.minutes": 1, "train.epochs": 9})
    held = read_recipe(cut / RECIPE).train.epochs
    for wishes in ([("data.path", str(other))], []):
        minutes = [*wishes, ("train.minutes", 20)]
        said: list[str] = []
        found = planned(str(cut), minutes, said.append).recipe.train.epochs
        assert found > 5 * held and f"train.epochs = {found}: " in "\n".join(said)
        assert planned(str(cut), wishes).recipe.train.epochs == held
        assert planned(str(cut), [*minutes, ("train.epochs", 3)]).recipe.train.epochs == 3
        assert planned(str(by_hand), minutes).recipe.train.epochs == 9


def test_a_recipe_file_that_is_too_long_for_its_epochs_is_told(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data", {"cat": 20, "dog": 20})
    asked = {**SMALL, "data.path": str(data), **LONG}
    planned("classify", list(asked.items())).recipe.save(tmp_path / "recipe.toml")
    said: list[str] = []
    made = planned(tmp_path / "recipe.toml", [("train.epochs", 20)], said.append)
    assert pace_of(made.recipe) == (20.0, 7, 15, 30)
    assert said[-2:] == [
        "train.warmup = 20: the whole run, of 20 epochs, is warm-up",
        "data.close_mosaic = 30: the whole run, of 20 epochs, is without mosaics, mixtures and "
        "pasted objects",
    ]
    said.clear()
    planned(tmp_path / "recipe.toml", [("train.epochs", 31)], said.append)
    assert not [line for line in said if "the whole run" in line]
