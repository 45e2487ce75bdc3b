"""Models side by side: the same images, the same standard, paired intervals."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cvtasks.data.shared_classes import Shared
from cvtasks.errors import ModelError
from cvtasks.evaluation.compare import _check_classes, recipe_differences
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, zoo_folder


@pytest.fixture(scope="module")
def other(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model that sees images half as large, and says so."""
    folder = tmp_path_factory.mktemp("other") / "segment-small"
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns("checkpoints", "graph.*"))
    recipe = read_recipe(folder / RECIPE)
    files = {name: sha for name, sha in recipe.files.items() if not name.startswith("graph")}
    train = replace(recipe.train, epochs=7)
    replace(recipe, size=32, files=files, train=train).save(folder / RECIPE)
    return folder


def test_a_comparison(cli, trained: Path, other: Path) -> None:
    code, out, err = cli("compare", trained, other, trained, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["images"], found["split"]) == (8, "val")
    first, second, third = found["models"]
    assert [one["letter"] for one in found["models"]] == ["A", "B", "C"]
    measured = json.loads((trained / "metrics.json").read_text())
    assert first["metrics"] == measured["metrics"]
    assert first["intervals"] == measured["intervals"]
    assert first["differences"] == {}
    for name, apart in third["differences"].items():
        assert apart == {"value": 0.0, "interval": [0.0, 0.0]}, name
    for name, apart in second["differences"].items():
        lost = second["metrics"][name] - first["metrics"][name]
        assert apart["value"] == pytest.approx(lost, abs=2e-6)
        low, high = apart["interval"]
        assert low <= apart["value"] <= high
        assert low < high
    assert found["recipe"] == {"size": [64, 32, 64], "train.epochs": [24, 7, 24]}
    assert all(one["ms_an_image"] > 0 for one in found["models"])
    assert first["bytes"] > 1000
    assert first["epochs"] == 24


def test_models_that_call_one_class_by_two_names_are_compared(
    cli, trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained, tmp_path / "same", ignore=shutil.ignore_patterns("checkpoints"))
    recipe = read_recipe(trained / RECIPE)
    assert recipe.classes == ("background", "square", "disc")
    called = replace(recipe, classes=("background", "Square", "DISC"))
    called.save(tmp_path / "same" / RECIPE)
    code, out, err = cli("compare", trained, tmp_path / "same", "--json")
    assert code == 0, err
    first, second = json.loads(out)["models"]
    assert second["metrics"] == first["metrics"] and second["classes"] == first["classes"]
    assert {apart["value"] for apart in second["differences"].values()} == {0}
    replace(recipe, classes=("background", "Square", "dish")).save(tmp_path / "same" / RECIPE)
    code, out, err = cli("compare", trained, tmp_path / "same")
    assert (code, out) == (4, "") and "only one knows disc." in err


def test_the_data_may_call_classes_otherwise_than_the_models(
    cli, trained: Path, tmp_path: Path
) -> None:
    for name in ("one", "other"):
        shutil.copytree(trained, tmp_path / name, ignore=shutil.ignore_patterns("checkpoints"))
        recipe = read_recipe(trained / RECIPE)
        replace(recipe, classes=("background", "square", "dish")).save(tmp_path / name / RECIPE)
    models = (tmp_path / "one", tmp_path / "other")
    code, out, err = cli("compare", *models, "--map", "disc=dish", "--json")
    assert code == 0, err
    measured = json.loads((trained / "metrics.json").read_text())["metrics"]
    assert [one["metrics"] for one in json.loads(out)["models"]] == [measured, measured]
    code, out, err = cli("compare", *models, "--map", "disk=dish")
    assert (code, out) == (2, "") and "disk" in err


def test_classes_that_the_data_no_longer_have_play_no_part() -> None:
    def asked(*names: str) -> Any:
        return SimpleNamespace(classes=Shared(names, ("Pfred",), ()))

    _check_classes(["old", "new"], [asked("cow", "Pferd"), asked("Pferd", "cow")])
    with pytest.raises(ModelError, match="only one knows cow"):
        _check_classes(["old", "new"], [asked("cow", "Pferd"), asked("Pferd")])


def test_a_comparison_as_a_table(cli, trained: Path, other: Path) -> None:
    code, out, err = cli("compare", trained, other)
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    assert f"A  {trained}" in out
    assert re.search(r"VOC mean IoU\n  A +0\.\d{4}  \[0\.\d{3}, [01]\.\d{3}\]\n", out)
    assert re.search(r"\n +B +0\.\d{4} .* [-+]0\.\d{3}\*? ? +\[[-+]0\.\d{3}, [-+]0\.\d{3}\]\n", out)
    assert re.search(r"\ntrain.epochs +24 +7\n", out)
    assert re.search(r"\nms an image +\d+\.\d +\d+\.\d\n", out)


def test_a_model_that_has_seen_the_images_is_named(
    cli, trained: Path, other: Path, tmp_path: Path
) -> None:
    shutil.copytree(other, tmp_path / "seen")
    recipe = read_recipe(other / RECIPE)
    swapped = replace(recipe.data, train="val", validate="train")
    replace(recipe, data=swapped).save(tmp_path / "seen" / RECIPE)
    code, _, err = cli("compare", trained, tmp_path / "seen")
    assert code == 0, err
    assert f"'{tmp_path / 'seen'}' was trained on 8 of these 8 images" in err
    assert err.count("was trained on") == 1
    code, _, err = cli("evaluate", tmp_path / "seen", "--data", f"{recipe.data.path}:val")
    assert (code, "was trained on 8 of these 8 images" in err) == (0, True), err
    code, _, err = cli("evaluate", other, "--data", f"{recipe.data.path}:val")
    assert (code, "was trained on" in err) == (0, False), err


def zoo(name: str) -> Path:
    return zoo_folder() / name


@pytest.mark.parametrize(
    ("models", "code", "words"),
    [
        (["detect-yolox-nano-voc"], 2, "two to 26 models; got 1"),
        (
            ["detect-yolox-nano-voc", "segment-efficientnet-lite0-voc"],
            4,
            "the same task; 'detect-yolox-nano-voc' and 'segment-efficientnet-lite0-voc' answer "
            "detect and",
        ),
        (["classify-lenet-mnist", "nothing"], 4, "nothing"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(cli, models, code, words) -> None:
    left, out, err = cli("compare", *models)
    assert (left, out) == (code, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_recipes_differ_by_key() -> None:
    recipe = read_recipe(zoo("detect-yolox-nano-voc") / RECIPE)
    same = replace(recipe, files={})
    assert recipe_differences([recipe, same]) == {}
    changed = replace(recipe, size=320, train=replace(recipe.train, epochs=3))
    assert recipe_differences([recipe, changed]) == {
        "size": [recipe.size, 320],
        "train.epochs": [recipe.train.epochs, 3],
    }
