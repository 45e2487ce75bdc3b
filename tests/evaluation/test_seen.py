"""What a model has seen of images: one rule for training, evaluation and review."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cvtasks.data.checking.statistics import fingerprint
from cvtasks.data.held_out import NAMES
from cvtasks.data.opening import open_sources
from cvtasks.data.run_facts import FACTS
from cvtasks.evaluation.of_model import evaluation_data
from cvtasks.evaluation.review.run import learned_words
from cvtasks.evaluation.seen import Seen, seen, seen_words
from cvtasks.model import load
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.zoo import RECIPE, zoo_folder

NOTHING = Seen(False, 0)


def asked_of(recipe: Recipe, folder: Path, data: str) -> Seen:
    return evaluation_data(recipe, folder, data).seen_by(recipe, folder)


@pytest.mark.parametrize(
    ("split", "known"), [("train", Seen(True, 24)), ("val", Seen(True, 0)), ("", Seen(True, 0))]
)
def test_data_at_their_place(trained: Path, shapes: Path, split: str, known: Seen) -> None:
    data = f"{shapes}:{split}" if split else ""
    assert asked_of(read_recipe(trained / RECIPE), trained, data) == known


def test_data_that_were_moved(trained: Path, shapes: Path, tmp_path: Path) -> None:
    """By the fingerprints that the run noted."""
    moved = shutil.copytree(shapes, tmp_path / "moved")
    recipe = read_recipe(trained / RECIPE)
    assert asked_of(recipe, trained, f"{moved}:train") == Seen(True, 24)
    assert asked_of(recipe, trained, f"{moved}:val") == Seen(True, 0)
    assert asked_of(recipe, tmp_path, f"{moved}:train") == NOTHING, "nothing was noted there"
    (moved / "images" / "train" / "000.png").unlink()
    (moved / "masks" / "train" / "000.png").unlink()
    assert asked_of(recipe, trained, f"{moved}:train") == NOTHING


def test_images_that_were_set_aside(trained: Path, shapes: Path, tmp_path: Path) -> None:
    """By the list of their names; the others were learned."""
    recipe = read_recipe(trained / RECIPE)
    recipe = replace(recipe, data=replace(recipe.data, validate="", held_out=0.25))
    names = [f"{number:03d}" for number in range(8)]
    (tmp_path / NAMES).write_text("".join(f"{name}\n" for name in names[2:5]))
    assert asked_of(recipe, tmp_path, "") == Seen(True, 0)
    assert asked_of(recipe, tmp_path, f"{shapes}:train") == Seen(True, 21)
    whole = read_recipe(trained / RECIPE)
    three = evaluation_data(recipe, tmp_path, "")
    assert three.seen_by(whole, trained) == Seen(True, 3), "another model has learned those three"


@pytest.mark.parametrize("how", [{"tiles": (32, 32)}, {"held_out": 0.25}])
def test_data_that_were_moved_and_seen_in_part_or_in_tiles(
    trained: Path, shapes: Path, tmp_path: Path, how: dict
) -> None:
    """The run noted the fingerprints of what it learned from: tiles, or what was not set aside."""
    recipe = read_recipe(trained / RECIPE)
    data = replace(recipe.data, validate="" if "held_out" in how else "val", **how)
    recipe = replace(recipe, data=data)
    sources = open_sources(recipe)
    run = tmp_path / "run"
    run.mkdir()
    prints = {"train": fingerprint(sources.train), "validate": fingerprint(sources.validate)}
    (run / FACTS).write_text(json.dumps({"data": prints}))
    learned = 24
    if "held_out" in how:
        learned = len(sources.train)
        aside = [sources.validate.name(index) for index in range(len(sources.validate))]
        (run / NAMES).write_text("".join(f"{name}\n" for name in aside))
        assert 0 < len(aside) == 24 - learned
    moved = shutil.copytree(shapes, tmp_path / "moved")
    assert asked_of(recipe, run, f"{moved}:train") == Seen(True, learned)
    assert asked_of(recipe, run, str(moved)) == Seen(True, 0)
    assert asked_of(read_recipe(trained / RECIPE), run, f"{moved}:train") == NOTHING
    if "held_out" in how:
        left = min({f"{number:03d}" for number in range(24)} - set(aside))
        for kind in ("images", "masks"):
            (moved / kind / "train" / f"{left}.png").unlink()
        assert asked_of(recipe, run, f"{moved}:train") == Seen(True, None)


def test_a_recipe_of_joined_splits_is_measured_on_data_without_any(
    trained: Path, shapes: Path, tmp_path: Path
) -> None:
    for kind in ("images", "masks"):
        shutil.copytree(shapes / kind / "val", tmp_path / "data" / kind)
    shutil.copy(shapes / "classes.txt", tmp_path / "data")
    recipe = read_recipe(trained / RECIPE)
    data = replace(recipe.data, train="2012-train+2017-train", validate="", held_out=0.2)
    recipe = replace(recipe, data=data)
    assert len(evaluation_data(recipe, tmp_path, str(tmp_path / "data")).source) == 8


@pytest.mark.parametrize(
    ("train", "asked", "known"),
    [
        ("2007+2012-trainval", "2007-val", 24),
        ("2007+2012-trainval", "2007-test", 0),
        ("2007-train", "2007-trainval", None),
        ("2007-train", "2012-trainval", 0),
        ("train", "train_aug", None),
        ("train", "all", None),
        ("", "val", None),
        ("val", "valid", 24),
        ("Train", "train", 24),
    ],
)
def test_splits_within_splits(
    trained: Path, shapes: Path, train: str, asked: str, known: int | None
) -> None:
    recipe = read_recipe(trained / RECIPE)
    source = evaluation_data(recipe, trained, f"{shapes}:train").source
    recipe = replace(recipe, data=replace(recipe.data, train=train))
    assert seen(recipe, None, recipe.data.path, asked, source) == Seen(True, known)


@pytest.mark.parametrize(
    ("name", "path", "split", "known"),
    [
        ("segment-efficientnet-lite0-voc", "/data/VOCdevkit/VOC2012", "train_aug", Seen(True, 24)),
        ("segment-efficientnet-lite0-voc", "/data/VOCdevkit/VOC2012", "val", Seen(True, 0)),
        ("segment-efficientnet-lite0-voc", "/data/VOCdevkit", "2012-val", Seen(True, 0)),
        ("segment-efficientnet-lite0-voc", "voc2012", "train", Seen(True, None)),
        (
            "segment-efficientnet-lite0-voc",
            "/data/VOCdevkit",
            "2007+2012-trainval",
            Seen(True, None),
        ),
        ("segment-efficientnet-lite0-voc", "/VOC2007", "train", NOTHING),
        ("segment-efficientnet-lite0-voc", "", "", NOTHING),
        ("detect-yolox-nano-voc", "/data/VOCdevkit/VOC2012", "val", Seen(True, 0)),
        ("detect-yolox-nano-voc", "/data/VOCdevkit/VOC2012", "train", Seen(True, 24)),
        ("detect-yolox-nano-voc", "/data/VOCdevkit/VOC2012", "trainval", Seen(True, None)),
        ("detect-yolox-nano-voc", "/data/VOCdevkit", "2012-train", Seen(True, 24)),
        ("detect-yolox-nano-voc", "/data/VOCdevkit", "2007+2012-train", Seen(True, None)),
    ],
)
def test_a_model_of_the_zoo_knows_its_data_set_by_name(
    trained: Path, shapes: Path, name: str, path: str, split: str, known: Seen
) -> None:
    own = read_recipe(trained / RECIPE)
    source = evaluation_data(own, trained, f"{shapes}:train").source
    folder = zoo_folder() / name
    recipe = read_recipe(folder / RECIPE)
    assert seen(recipe, folder, path, split, source) == known
    assert seen(recipe, trained.parent, path, split, source) == NOTHING, "a name says nothing else"


def test_a_model_of_the_zoo_knows_its_images_by_their_names(
    trained: Path, shapes: Path, tmp_path: Path
) -> None:
    mine = shutil.copytree(shapes, tmp_path / "mine")
    for kind in ("images", "masks"):
        for number, file in enumerate(sorted((mine / kind / "train").iterdir())):
            file.rename(file.with_name(f"2008_{number:06d}.png"))
    source = evaluation_data(read_recipe(trained / RECIPE), trained, f"{mine}:train").source
    folder = zoo_folder() / "segment-efficientnet-lite0-voc"
    recipe = read_recipe(folder / RECIPE)
    known = seen(recipe, folder, str(mine), "train", source)
    assert known == Seen(True, None)
    words = seen_words("segment-efficientnet-lite0-voc", known, recipe, 24)
    assert words.endswith(
        "(VOCdevkit/VOC2012:train_aug), and perhaps trained on some of these 24 images"
    )


def test_a_review_says_what_was_learned(trained: Path, shapes: Path) -> None:
    model = load(trained, many=True)
    found = evaluation_data(model.recipe, trained, f"{shapes}:train")
    assert "was trained on 24 of these 24 images: it has learned" in learned_words(model, found)
    assert not learned_words(model, evaluation_data(model.recipe, trained, f"{shapes}:val"))
