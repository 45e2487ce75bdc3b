"""What a new recipe begins with is chosen from the data, said with its reason, and repeated by
the run's own recipe.
"""

import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvtasks.answers import Labels, Mask, Sample
from cvtasks.data.loading.batches import Batch
from cvtasks.data.loading.imbalance import repeat_factors
from cvtasks.data.run_facts import FACTS, noted_choices
from cvtasks.data.source import Source
from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Recipe, Train, parse_recipe, read_recipe
from cvtasks.training import budget
from cvtasks.training.budget import Pace, budgeted, fitted, needed
from cvtasks.training.choices import _rate_choice, chosen, facts
from cvtasks.training.layout import CHECKPOINT
from cvtasks.training.loop import batches_of, train
from cvtasks.training.pace import paced
from cvtasks.training.plan import Plan, planned, resumed
from cvtasks.training.progress import Report
from cvtasks.training.run import run
from cvtasks.training.stopping import Stopped
from cvtasks.weights.safetensors_file import read_safetensors

FAST = [("backbone", "tiny"), "data.workers=0", "train.precision=f32"]


def flowers(root: Path, counts: dict[str, int], side: int = 40) -> Path:
    """Class folders."""
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(0, 256, (side, side, 3), np.uint8)
            cv2.imwrite(str(root / name / f"{name}-{number}.png"), image)
    return root


def boxes(root: Path, images: int, side: int, longest: int) -> Path:
    """A COCO set with one square object in each image."""
    (root / "images").mkdir(parents=True)
    entries, objects = [], []
    for number in range(images):
        image = np.full((longest, longest, 3), number, np.uint8)
        cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        entries.append(
            {"id": number + 1, "file_name": f"{number}.png", "width": longest, "height": longest}
        )
        objects.append(
            {"id": number + 1, "image_id": number + 1, "category_id": 1, "iscrowd": 0}
            | {"bbox": [0, 0, side, side], "area": side * side}
        )
    document = {"images": entries, "annotations": objects}
    document["categories"] = [{"id": 1, "name": "thing"}]
    (root / "train.json").write_text(json.dumps(document))
    return root


def plan(task: str, root: Path, *wishes: object) -> tuple[Plan, dict[str, str]]:
    """The plan, and key → what was said of its choice."""
    said: list[str] = []
    made = planned(task, [("data.path", str(root)), *FAST, *wishes], said.append)
    lines = [line.partition(" = ") for line in said]
    return made, {key: rest for key, mark, rest in lines if (mark and "." in key) or key == "size"}


def test_each_choice_is_said_with_its_value_and_reason(tmp_path: Path) -> None:
    made, said = plan("classify", flowers(tmp_path / "few", {"rose": 30, "tulip": 30}))
    document = tomllib.loads(made.recipe.to_toml())
    assert set(said) <= made.chosen
    unsaid = {"train.validate_every", "train.epoch_steps"}  # of 1 and 0, as they are anyway
    assert made.chosen - set(said) <= unsaid
    for key in said:
        table, _, name = key.rpartition(".")
        value = (document[table] if table else document)[name]
        text, _, reason = said[key].partition(": ")
        assert tomllib.loads(f"value = {text}")["value"] == value
        assert reason
    assert made.recipe.size == 64  # images have 40 pixels
    how = made.recipe.train
    assert how.batch == 8
    assert how.minutes == 30
    assert said["train.epochs"].startswith(f"{how.epochs}: 48 images at batch 8 make")
    assert 0 < how.patience < how.epochs


def test_what_is_chosen_is_chosen_for_the_batch_that_fits(tmp_path: Path) -> None:
    data = flowers(tmp_path / "few", {"rose": 30, "tulip": 30})
    asked: list[int] = []

    def fit(recipe: Recipe) -> int:
        asked.append(recipe.size)
        return 4 * 8

    wishes = [("data.path", str(data)), *FAST]
    usual, said = planned("classify", wishes).recipe, list[str]()
    found = planned("classify", wishes, said.append, fit)
    assert asked == [64], "of the size that was chosen"
    assert found.recipe.train.batch == 32 and usual.train.batch == 8
    assert found.recipe.train.learning_rate == pytest.approx(2 * usual.train.learning_rate, rel=0.1)
    assert found.recipe.train.epochs > usual.train.epochs, "its steps are fewer"
    assert {"train.batch", "train.epochs", "train.learning_rate"} <= found.chosen
    assert any(line.startswith("train.batch = 32: as many") for line in said)
    kept = planned("classify", [*wishes, ("train.epochs", 3)], fit=fit).recipe
    assert kept.train.epochs == 3
    few = planned("classify", wishes, fit=lambda recipe: 64).recipe
    assert few.train.batch == 48, "no more than there are images"
    again = planned(usual, fit=fit).recipe
    assert (again.train.batch, again.train.epochs) == (32, usual.train.epochs), "a recipe stays"


def test_a_head_has_room_for_the_objects_of_the_data_or_it_is_said(tmp_path: Path) -> None:
    root = boxes(tmp_path / "many", 10, 10, 64)
    document = json.loads((root / "train.json").read_text())
    each = document["annotations"]
    document["annotations"] = [
        {**one, "id": 100 * number + one["id"], "bbox": [number, number, 10, 10]}
        for one in each
        for number in range(20)
    ]
    (root / "train.json").write_text(json.dumps(document))
    wishes, said = [("data.path", str(root)), *FAST, ("head.name", "yolox")], list[str]()
    made = planned("detect", wishes, said.append)
    assert made.recipe.head.max_truths == 80  # type: ignore[attr-defined]
    assert not [line for line in said if "hold more objects" in line]
    asked = planned("detect", [*wishes, ("head.max_truths", 8)], said.append)
    assert asked.recipe.head.max_truths == 8  # type: ignore[attr-defined]
    count = len(asked.sources.train)
    assert any(line.startswith(f"{count} of {count} images hold more objects") for line in said)


def test_what_is_asked_for_is_not_chosen(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 30, "tulip": 30})
    asked = ["train.epochs=7", "size=96", "train.batch=4", "train.patience=0"]
    made, said = plan("classify", root, *asked)
    how = made.recipe.train
    assert (how.epochs, made.recipe.size, how.batch, how.patience) == (7, 96, 4, 0)
    assert how.minutes == 0  # who asks for epochs gets them
    assert not {"train.epochs", "size", "train.batch", "train.patience"} & set(said)
    budget, _ = plan("classify", root, "train.minutes=3")
    assert budget.recipe.train.minutes == 3
    usual, _ = plan("classify", root)
    assert budget.recipe.train.epochs > usual.recipe.train.epochs
    endless, _ = plan("classify", root, "train.minutes=0")
    assert endless.recipe.train.minutes == 0
    assert endless.recipe.train.epochs == usual.recipe.train.epochs, "0 minutes are no limit"


def test_a_recipe_file_is_left_as_it_is(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 12, "tulip": 12})
    made, _ = plan("classify", root, "train.epochs=2")
    made.recipe.save(tmp_path / "recipe.toml")
    said: list[str] = []
    again = planned(tmp_path / "recipe.toml", say=said.append)
    assert again.recipe == made.recipe
    assert not again.chosen
    assert not any(" = " in line for line in said)


def test_random_weights_learn_longer_and_more_images_in_fewer_epochs(tmp_path: Path) -> None:
    epochs = {}
    for name, count in (("small", 30), ("large", 200)):
        root = flowers(tmp_path / name, {"rose": count, "tulip": count}, 32)
        made, _ = plan("classify", root, "train.epochs=1")
        for start in ("none", "some.safetensors"):
            its = replace(made.recipe, train=replace(made.recipe.train, weights=start))
            epochs[name, start] = chosen(its, made.sources.train, {"train.batch"})[0].train.epochs
    assert epochs["small", "none"] > epochs["small", "some.safetensors"]
    assert epochs["small", "some.safetensors"] > epochs["large", "some.safetensors"]


@pytest.mark.parametrize(
    ("taught", "lower"),
    [((), False), (("cat", "airplane"), True), (("cat",), True), (("dog", "bus"), False)],
)
def test_a_head_that_knows_the_classes_learns_at_a_lower_rate(
    taught: tuple[str, ...], lower: bool, tmp_path: Path
) -> None:
    made, _ = plan("classify", flowers(tmp_path / "data", {"cat": 80, "aeroplane": 80}, 8))
    usual = made.recipe.train.learning_rate
    for asked in ({"train.batch"}, {"train.batch", "train.learning_rate"}):
        found, choices = chosen(made.recipe, made.sources.train, asked, taught=taught)
        changed = lower and len(asked) == 1
        assert found.train.learning_rate == pytest.approx(usual / 3 if changed else usual, rel=0.02)
        said = [one.reason for one in choices if one.key == "train.learning_rate"]
        assert any(f"knows {len(taught)} of 2 classes" in reason for reason in said) is changed


def test_a_new_recipe_with_a_finished_start_has_its_rate(tmp_path: Path) -> None:
    root = boxes(tmp_path / "data", 12, 100, 400)
    file, rates = root / "train.json", []
    for name in ("person", "nothing known"):
        document = json.loads(file.read_text())
        document["categories"][0]["name"] = name
        file.write_text(json.dumps(document))
        made = planned("detect", [("data.path", str(root)), "train.weights=detect-yolox-nano-voc"])
        rates.append(made.recipe.train.learning_rate)
    assert rates[0] == pytest.approx(rates[1] / 3, rel=0.03)


def test_small_objects_get_a_larger_input(tmp_path: Path) -> None:
    wide, _ = plan("detect", boxes(tmp_path / "wide", 12, 100, 400))
    fine, said = plan("detect", boxes(tmp_path / "fine", 12, 12, 640))
    assert wide.recipe.size == 320
    assert fine.recipe.size > 320
    assert "median object" in said["size"]


def test_uneven_classes_are_repeated(tmp_path: Path) -> None:
    _, said = plan("classify", flowers(tmp_path / "even", {"rose": 20, "tulip": 20}))
    assert "data.repeat" not in said
    made, said = plan("classify", flowers(tmp_path / "odd", {"rose": 60, "tulip": 5}))
    assert made.recipe.data.repeat == pytest.approx(0.5, abs=0.05)
    assert "rarest" in said["data.repeat"]


@pytest.mark.parametrize("counts", [(45, 4, 4), (60, 5), (48, 48, 4), (45, 5, 4, 4, 4, 4)])
def test_what_is_said_to_be_repeated_is(counts: tuple[int, ...], tmp_path: Path) -> None:
    names = (f"kind {number}" for number in range(len(counts)))
    made, said = plan("classify", flowers(tmp_path, dict(zip(names, counts, strict=True)), 8))
    recipe, train = made.recipe, made.sources.train
    factors = repeat_factors(train, recipe.data.repeat)
    assert factors is not None
    assert factors.max() > 1.5
    assert f"up to {factors.max():.1f} times" in said["data.repeat"]
    steps = len(batches_of(recipe, train))
    assert f": {steps} steps an epoch" in said["train.batch"]
    assert f"make {recipe.train.epochs * steps:,} updates" in said["train.epochs"]


def test_updates_of_several_steps_are_as_many_as_of_one(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 30, "tulip": 30}, 8)
    usual, said = plan("classify", root, "train.weights=none", "train.batch=8")
    parted, its = plan(
        "classify", root, "train.weights=none", "train.batch=2", "train.accumulate=4"
    )
    how, other = usual.recipe.train, parted.recipe.train
    assert (other.epochs, other.warmup) == (how.epochs, how.warmup)
    assert other.learning_rate == how.learning_rate
    assert "root of the 8 images of an update" in its["train.learning_rate"]
    assert (other.validate_every, other.patience) == (how.validate_every, how.patience)
    updates = how.epochs * len(batches_of(usual.recipe, usual.sources.train))
    assert f"make {updates:,} updates, from" in said["train.epochs"]
    assert f"make {updates:,} updates of 4 steps each, from" in its["train.epochs"]
    assert ": 60 updates of" in said["train.warmup"]
    assert ": 60 updates of" in its["train.warmup"]
    shorter = replace(parted.recipe, train=replace(other, warmup=0.0))
    steps = len(batches_of(parted.recipe, parted.sources.train))
    assert paced(shorter, steps, ["train.warmup"]).train.warmup == how.warmup


def test_a_class_of_a_few_images_is_not_overlooked() -> None:
    class Many(Source):
        kind, classes = Labels, ("often", "rare")

        def __len__(self) -> int:
            return 3000

        def __getitem__(self, index: int) -> Sample:
            truth = Labels.of([int(index in (5, 15))], self.classes)
            return Sample(np.zeros((2, 2, 3), np.uint8), truth, f"{index}")

    assert facts(Many()).shown[1] == pytest.approx(2 / 3000)


class Masks(Source):
    """Masks of 4 pixels; the class "rare" is in the fifth of 3,000 alone."""

    kind, classes, read = Mask, ("background", "often", "rare"), 0

    def __init__(self) -> None:
        self.truth_files = [Path("mask.png")] * len(self)

    def __len__(self) -> int:
        return 3000

    def __getitem__(self, index: int) -> Sample:
        self.read += 1
        ids = np.full((2, 2), 1 + (index == 5), np.uint8)
        return Sample(np.zeros((2, 2, 3), np.uint8), Mask(ids, self.classes), f"{index}")


def test_a_class_of_one_mask_is_not_overlooked() -> None:
    assert facts(Masks()).shown.tolist() == [0, 2999 / 3000, 1 / 3000]
    said: list[str] = []
    choices = chosen(segment(), Masks(), (), say=said.append)[1]
    (choice,) = [one for one in choices if one.key == "data.repeat"]
    assert [line.partition(":")[2] for line in said] == [
        " one image to train on alone shows rare: too few to learn from. Add images of it, or "
        "leave it out: name the other classes alone (`classes`)."
    ]
    assert "0.033% the rarest" in choice.reason and choice.value > 0


def test_of_masks_beyond_a_bound_some_are_looked_at_which_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cvtasks.training.choices._PIXELS", 4 * 500)
    source = Masks()
    said: list[str] = []
    choices = chosen(segment(), source, (), say=said.append)[1]
    (choice,) = [one for one in choices if one.key == "data.repeat"]
    assert said == [], "others may show it"
    assert choice.reason == "no class is rare in the 500 masks that were looked at, of 3,000"
    assert choice.value == 0 and source.read < 2000


def segment() -> Recipe:
    return parse_recipe(
        {"task": "segment", "backbone": "tiny", "size": 32, "classes": [*Masks.classes]}
    )


def test_rare_classes_are_not_weighed_and_repeated_unless_both_are_asked_for(
    tmp_path: Path,
) -> None:
    root = flowers(tmp_path / "odd", {"rose": 60, "tulip": 5}, 8)
    weighed, said = plan("classify", root, "train.class_weights=balanced")
    assert weighed.recipe.data.repeat == 0
    assert "data.repeat" not in said
    given, said = plan("classify", root, ("head.class_weights", [1.0, 5.0]))
    assert given.recipe.data.repeat == 0
    both, _ = plan("classify", root, "train.class_weights=balanced", "data.repeat=0.5")
    rare = [
        tomllib.loads(made.recipe.to_toml())["head"]["class_weights"][1] for made in (weighed, both)
    ]
    assert rare[1] < 0.6 * rare[0]


def test_the_rate_goes_with_the_batch_whoever_chose_it(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 30, "tulip": 30}, 8)
    usual, said = plan("classify", root)
    assert usual.recipe.train.batch == 8
    same, also = plan("classify", root, "train.batch=8")
    assert same.recipe.train.learning_rate == usual.recipe.train.learning_rate == 7.1e-4
    assert also["train.learning_rate"] == said["train.learning_rate"]
    assert plan("classify", root, "train.batch=16")[0].recipe.train.learning_rate == 1e-3
    own, _ = plan("classify", root, "train.batch=4", "train.learning_rate=0.003")
    assert own.recipe.train.learning_rate == 0.003
    again = planned(usual.recipe, ["train.batch=4"]).recipe
    assert again.train.learning_rate == usual.recipe.train.learning_rate, "a recipe keeps its own"


def test_a_batch_beyond_the_data_is_said(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 30, "tulip": 30}, 8)
    made, said = plan("classify", root, "train.batch=500")
    assert said["train.batch"].startswith("500: more than the 48 images")
    assert made.recipe.train.learning_rate == pytest.approx(1e-3 * math.sqrt(48 / 16), rel=0.02)
    assert "train.batch" not in plan("classify", root, "train.batch=48")[1]
    rates = [next(_rate_choice(made.recipe, batch)).value for batch in (64, 500)]
    assert rates[0] == rates[1], "the rule is not followed beyond the largest batch that is chosen"


@pytest.mark.parametrize(
    ("epochs", "patience"), [(1, 0), (2, 0), (5, 0), (6, 0), (7, 5), (10, 5), (14, 5), (30, 10)]
)
def test_patience_is_as_it_is_said(epochs: int, patience: int, tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 6, "tulip": 6}, 8)
    made, said = plan("classify", root, ("train.epochs", epochs))
    assert made.recipe.train.patience == patience
    looks = "1 look" if epochs == 1 else f"{epochs} looks"
    if patience:
        assert f"after {patience} looks in vain, of {epochs} in all" in said["train.patience"]
    else:
        assert f"does not end early, with {looks}" in said["train.patience"]


def test_patience_is_for_the_looks_that_are_asked_for(tmp_path: Path) -> None:
    root = flowers(tmp_path / "few", {"rose": 6, "tulip": 6}, 8)
    made, said = plan("classify", root, "train.epochs=90", "train.validate_every=10")
    assert made.recipe.train.patience == 5
    assert "of 9 in all" in said["train.patience"]


@pytest.mark.parametrize(("names", "mirrored"), [("0123456789", False), ("01234", True)])
def test_digits_are_not_mirrored(names: str, mirrored: bool, tmp_path: Path) -> None:
    made, said = plan("classify", flowers(tmp_path / "digits", dict.fromkeys(names, 4)))
    assert (made.recipe.data.flip > 0) == mirrored == ("data.flip" not in said)


def test_balanced_weights_are_written_into_the_recipe(tmp_path: Path) -> None:
    root = flowers(tmp_path / "odd", {"rose": 60, "tulip": 5})
    made, _ = plan("classify", root, "train.class_weights=balanced")
    table = tomllib.loads(made.recipe.to_toml())["head"]["class_weights"]
    assert table[1] > 5 * table[0]
    again = planned(made.recipe)
    assert tomllib.loads(again.recipe.to_toml())["head"]["class_weights"] == table
    with pytest.raises(ModelError, match=r"`data.repeat`"):
        plan("detect", boxes(tmp_path / "b", 6, 20, 64), "train.class_weights=balanced")


@pytest.mark.parametrize("epochs", [1, 3, 100])
@pytest.mark.parametrize("steps", [1, 7, 400])
@pytest.mark.parametrize("seconds", [1.0, 60.0, 900.0, 10_000.0])
@pytest.mark.parametrize("look", [3.0, 40.0])
def test_what_fits_fits(epochs: int, steps: int, seconds: float, look: float) -> None:
    pace = Pace(start=2.0, step=0.5, look=look, save=0.5)
    made = fitted(Train(epochs=epochs, minutes=1.0), steps, seconds, pace)
    assert made.minutes == 0
    assert 1 <= made.epochs <= epochs
    each = made.epoch_steps or steps
    took = pace.start + made.epochs * (each * pace.step + pace.look + pace.save)
    assert took <= seconds or each == made.epochs == 1
    if made.epoch_steps and made.epochs > 1:  # looks do not take the time to learn
        assert made.epochs * (pace.look + pace.save) <= seconds / 2
    if made.epochs < epochs and not made.epoch_steps:
        assert took + steps * pace.step + 2 * pace.look + 20 > seconds  # and no more would


def told(
    made: Plan, monkeypatch: pytest.MonkeyPatch, pace: Pace, **how: float
) -> tuple[Train, list[str]]:
    """The table with what fits, and what was said, on a machine of this pace."""
    said: list[str] = []
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, pace))
    recipe = replace(made.recipe, train=replace(made.recipe.train, **how))
    turned = budgeted(replace(made, recipe=recipe), Report(on_message=said.append))
    return turned.recipe.train, said


def test_minutes_that_hold_nothing_are_said_not_to_be_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = plan("classify", flowers(tmp_path, {"rose": 30, "tulip": 30}, 8))
    pace = Pace(start=20.0, step=1.0, look=4.0, save=1.0)
    how, said = told(made, monkeypatch, pace, minutes=0.3)
    assert (how.epochs, how.epoch_steps) == (1, 1)
    assert "0.3 min are not enough: 1 epoch of 1 step is made all the same" in said[1]
    assert "A whole epoch, of 6 steps, takes about 0.8 min" in said[1]
    assert "as there is no time for a whole one" in said[2]
    assert said[3].startswith("only 1 update is made")
    how, said = told(made, monkeypatch, pace, minutes=1)
    assert (how.epochs, how.epoch_steps) == (2, 0)
    assert "so 1 min holds 2 epochs" in said[1]
    how, said = told(made, monkeypatch, pace, minutes=1, epochs=1)
    assert said[1].endswith("so 1 min holds 1 epoch")


def test_few_epochs_are_looked_at_more_often_and_fit_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = plan("classify", flowers(tmp_path, {"rose": 30, "tulip": 30}, 8))
    assert made.recipe.train.validate_every > 1
    pace = Pace(start=20.0, step=1.0, look=20.0, save=1.0)
    how, said = told(made, monkeypatch, pace, minutes=30)
    assert how.validate_every < made.recipe.train.validate_every
    assert needed(how, 6, pace) <= 30 * 60
    assert needed(replace(how, epochs=how.epochs + 1), 6, pace) > 30 * 60 - 1
    assert f"hold {how.epochs} epochs" in said[1]


def test_slow_steps_are_measured_a_few_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They teach nothing: of a small budget they take no more than they must."""
    made, _ = plan("classify", flowers(tmp_path, {"rose": 30, "tulip": 30}, 8))
    own, steps = budget.Learner.step, list[float]()

    def step(self: budget.Learner, batch: Batch, rate: float) -> None:
        own(self, batch, rate)
        steps.append(rate)

    monkeypatch.setattr(budget.Learner, "step", step)
    assert budget.measured(made, 0.0).step > 0
    assert len(steps) == 4


def test_minutes_become_epochs_once(shapes: Path, tmp_path: Path) -> None:
    """The run's recipe has the number, so that going on and repeating measure nothing."""
    wishes = [("data.path", str(shapes)), *FAST, "size=64", "head.channels=[16, 16]"]
    made = planned("segment", [*wishes, "train.minutes=0.5"])
    assert made.recipe.train.epochs > 50
    said: list[str] = []
    turned = budgeted(made, Report(on_message=said.append))
    how = turned.recipe.train
    assert how.minutes == 0
    assert how.epochs <= made.recipe.train.epochs
    assert any(str(how.epochs) in line for line in said)
    assert how.patience <= how.epochs
    assert budgeted(turned, Report()) is turned


def trained_as_unmeasured(turned: Plan, place: Path) -> budget.Learner:
    """What was measured, and learned for a moment: to the same bits as what was not measured."""
    how = replace(turned.recipe.train, epochs=2, epoch_steps=2, validate_every=1, patience=0)
    recipe = replace(turned.recipe, train=how)
    learner, sources = turned.learner, turned.sources
    assert learner
    learner.turn_to(recipe)
    seen = []
    for kept in (learner, None):
        checkpoints = place / str(kept is None)
        train(recipe, sources.train, sources.validate, checkpoints, learner=kept)
        stored = read_safetensors(checkpoints / CHECKPOINT)
        seen.append({key: array.read() for key, array in stored.items()})
    assert seen[0].keys() == seen[1].keys()
    for key, array in seen[0].items():
        np.testing.assert_array_equal(array, seen[1][key], err_msg=key)
    return learner


def test_what_was_measured_goes_on_as_what_was_not(shapes: Path, tmp_path: Path) -> None:
    """The bits of a run do not tell whether its learner was measured before."""
    wishes = [("data.path", str(shapes)), *FAST, "size=64", "head.channels=[16, 16]"]
    turned = budgeted(planned("segment", [*wishes, "train.minutes=0.5"]), Report())
    trained_as_unmeasured(turned, tmp_path)


def test_a_run_of_some_seconds_keeps_its_minutes_in_its_recipe(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, Pace(0.0, 1.0, 1.0, 0.0)))
    wishes = [("data.path", str(shapes)), *FAST, "size=64", "head.channels=[16, 16]"]
    made = planned("segment", [*wishes, "train.minutes=0.3", "train.epochs=40"])
    run(made, tmp_path / "run", "", Report())
    kept = read_recipe(tmp_path / "run" / "recipe.toml").train
    assert kept.minutes == 0
    assert kept.epochs < 40
    rows = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert len(rows) - 1 <= kept.epochs


def test_a_run_that_is_stopped_while_it_is_measured_goes_on_with_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the run that was not stopped: what was chosen for more epochs fits those that it has."""
    data, folder = flowers(tmp_path / "data", {"rose": 30, "tulip": 30}), tmp_path / "run"
    made, _ = plan("classify", data, "size=32", "train.minutes=1", "train.patience=9")

    def stopped(*plan: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(budget, "measured_learner", stopped)
    with pytest.raises(Stopped, match="can be resumed"):
        run(made, folder, "", Report())
    monkeypatch.setattr(budget, "measured_learner", lambda *plan: (None, Pace(2.0, 0.5, 1.0, 0.1)))
    again = resumed(folder)
    assert again.chosen == made.chosen
    whole = budgeted(made, Report()).recipe.train
    assert whole.warmup < made.recipe.train.warmup
    assert whole.patience == 9
    assert budgeted(again, Report()).recipe.train == whole
    facts = json.loads((folder / FACTS).read_text())
    for odd in (None, 3, [[]], {}):
        (folder / FACTS).write_text(json.dumps({**facts, "chosen": odd}))
        assert not noted_choices(folder) & made.chosen
    del facts["chosen"]
    (folder / FACTS).write_text(json.dumps(facts))
    assert resumed(folder).chosen == frozenset(), "a run of an older version"
