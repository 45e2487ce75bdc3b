"""What a run begins with: the best start on the machine, a model that is fine-tuned or goes on, and
the file that the recipe means.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import cvtasks
from cvtasks.errors import ModelError
from cvtasks.files.writing import sha256
from cvtasks.insight.open import open_network
from cvtasks.networks.backbones import build_backbone
from cvtasks.networks.folded_norms import folded_norms
from cvtasks.recipe.recipe import read_recipe
from cvtasks.training.fine_tuning import with_start
from cvtasks.training.first_weights import best_start
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of
from cvtasks.training.plan import planned
from cvtasks.training.progress import Report
from cvtasks.weights import imagenet
from cvtasks.zoo import RECIPE, WEIGHTS, zoo_folder

SMALL = {"backbone": "tiny", "size": 64, "data.workers": 0, "train.batch": 8}


def wishes(data: Path, **changes: object) -> list:
    return [("data.path", str(data)), *{**SMALL, **changes}.items()]


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models"


def test_the_best_start_on_the_machine(keras_home: Path, monkeypatch) -> None:
    """The order: same task and backbone, ImageNet where it is there, another task, random."""
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None)
    assert best_start("detect").weights == "detect-yolox-nano-voc"
    assert best_start("segment", "efficientnet-lite0").weights == "segment-efficientnet-lite0-voc"
    assert best_start("classify").weights == "classify-efficientnet-lite0-voc"
    assert best_start("instances").weights == "detect-yolox-nano-voc", "not the one for nuclei"
    assert best_start("detect", "resnet18").weights == ""
    assert best_start("detect", "mobilenet").weights == "", "no model of the zoo stands on it"
    file = keras_home / "mobilenet_1_0_224_tf_no_top.h5"
    file.write_text("<html>Log in</html>")
    assert best_start("detect", "mobilenet").weights == "", "no file of weights"
    with h5py.File(file, "w") as content:
        content["conv1/kernel:0"] = np.zeros(1, "float32")
    assert best_start("detect").weights == "detect-yolox-nano-voc"
    assert best_start("detect", "mobilenet").weights == "imagenet"
    assert best_start("classify").weights == "classify-efficientnet-lite0-voc"
    assert best_start("classify", "mobilenet-12").weights == "imagenet"
    assert best_start("classify", "mobilenet", norm="group").weights == ""
    (keras_home / "package").write_text("weights")
    monkeypatch.setattr(imagenet, "_installed", lambda name: keras_home / "package")
    best = best_start("classify")
    assert best.weights == "imagenet", "a classifier has nothing but its backbone"
    assert best_start("segment").weights == "segment-efficientnet-lite0-voc"
    made = with_start({"backbone": "mobilenet"}, best, "classify", {})
    assert made["backbone"] == best.backbone == "efficientnet-lite0"
    assert made["train"]["weights_sha256"] == sha256(keras_home / "package")


def test_a_new_recipe_names_its_start_and_says_it(shapes: Path) -> None:
    said: list[str] = []
    data = [("data.path", str(shapes)), ("data.workers", 0)]
    recipe = planned("segment", data, said.append).recipe
    zoo = read_recipe(zoo_folder() / "segment-efficientnet-lite0-voc" / RECIPE)
    assert recipe.train.weights == "segment-efficientnet-lite0-voc"
    assert recipe.train.weights_sha256 == zoo.files[WEIGHTS]
    assert (recipe.backbone, replace(recipe.head, task=zoo.task)) == (zoo.backbone, zoo.head)
    assert recipe.classes == ("background", "square", "disc")
    assert recipe.train.backbone_rate < 1
    assert (
        sum(text.startswith("start: segment-efficientnet-lite0-voc, the best") for text in said)
        == 1
    )
    assert planned(recipe).recipe == recipe, "the same again"


def test_without_a_start_it_says_how_to_get_one(shapes: Path, keras_home: Path) -> None:
    said: list[str] = []
    recipe = planned("segment", wishes(shapes, backbone="vgg16"), said.append).recipe
    assert (recipe.train.weights, recipe.train.weights_sha256) == ("", "")
    assert recipe.train.backbone_rate == 1
    assert any('`train.weights = "imagenet"`' in text and "59 MB" in text for text in said)
    planned("segment", wishes(shapes), said.append)
    assert any("no ImageNet weights are published for tiny" in text for text in said)


def test_what_is_asked_for_is_kept(shapes: Path, trained: Path) -> None:
    asked = {"train.weights": str(trained), "head.channels": [8], "train.backbone_rate": 0.7}
    recipe = planned("segment", wishes(shapes, **asked)).recipe
    assert recipe.train.weights_sha256 == sha256(trained / WEIGHTS)
    assert recipe.head.channels == (8,)
    assert recipe.train.backbone_rate == 0.7
    assert planned("segment", wishes(shapes, **{"train.weights": str(trained)})).recipe.head == (
        read_recipe(trained / RECIPE).head
    ), "of the same task the head is the model's"
    for none in ("none", ""):
        recipe = planned("segment", [*wishes(shapes), f"train.weights={none}"]).recipe
        assert (recipe.train.weights, recipe.train.backbone_rate) == (none, 1)
    other = planned("segment", [*wishes(shapes), f'train.weights="{trained}"', "backbone=tiny"])
    assert other.recipe.train.weights == str(trained)


@pytest.mark.parametrize(
    ("weights", "fragment"),
    [
        ("imagnet", 'Did you mean "imagenet"?'),
        ("detect-yolox-nan-voc", 'Did you mean "detect-yolox-nano-voc"?'),
        ("detect-mobilenet-voc", "shipped no longer; detect-yolox-nano-voc took its place"),
        ("nowhere.npz", "there is none at 'nowhere.npz'"),
        ("no/where", "'no/where' is neither"),
        ("detect-vgg16-voc0712", "a recipe without weights"),
        ("detect-yolox-nano-voc", "has cspdarknet-nano, the recipe tiny"),
    ],
)
def test_a_start_that_is_none_is_refused(shapes: Path, weights: str, fragment: str) -> None:
    with pytest.raises(ModelError) as refused:
        planned("segment", wishes(shapes, **{"train.weights": weights}))
    assert fragment in str(refused.value)


def test_another_file_under_the_name_of_the_start_is_refused(
    shapes: Path, trained: Path, tmp_path: Path
) -> None:
    start = shutil.copytree(trained, tmp_path / "start")
    recipe = planned("segment", wishes(shapes, **{"train.weights": str(start)})).recipe
    recipe.save(tmp_path / "recipe.toml")
    other = b"".join([(start / WEIGHTS).read_bytes()[:-4], b"\0\0\0\0"])
    (start / WEIGHTS).write_bytes(other)
    made = read_recipe(start / RECIPE)
    files = {**made.files, WEIGHTS: sha256(start / WEIGHTS)}
    replace(made, files=files).save(start / RECIPE)
    with pytest.raises(ModelError, match=r"of SHA-256 .*Bring that file"):
        planned(tmp_path / "recipe.toml")
    with pytest.raises(ModelError, match=r"of SHA-256 .*Bring that file"):
        Learner(recipe).start()  # a run that is resumed, and had saved nothing yet
    anew = planned(tmp_path / "recipe.toml", ['train.weights_sha256=""']).recipe
    assert anew.train.weights_sha256 == files[WEIGHTS]
    changed = planned(tmp_path / "recipe.toml", [("train.weights", str(trained))]).recipe
    assert changed.train.weights_sha256 == sha256(trained / WEIGHTS)


def test_a_model_is_fine_tuned_on_other_data(shapes: Path, trained: Path, tmp_path: Path) -> None:
    data = shutil.copytree(shapes, tmp_path / "other")
    (data / "classes.txt").write_text("background\ndisc\nstar\n", encoding="utf-8")
    said: list[str] = []
    asked = [("data.path", str(data)), ("train.epochs", 1)]
    made, own = planned(trained, asked, said.append).recipe, read_recipe(trained / RECIPE)
    assert made.classes == ("background", "disc", "star")
    assert (made.backbone, made.size, made.train.batch) == (own.backbone, own.size, own.train.batch)
    assert (made.train.epochs, made.train.backbone_rate) == (1, 0.2)
    assert made.train.learning_rate == own.train.learning_rate
    assert made.train.weights_sha256 == sha256(trained / WEIGHTS)
    assert f"start: {trained} is fine-tuned by its own recipe for 1 epoch:" in "\n".join(said)
    assert Learner(made).start() == (
        f"start: {trained}: backbone whole, neck and head 25 of 27 tensors, classes background, "
        "disc; new: star"
    )


def test_a_published_file_whose_layers_have_numbers_gives_all_by_its_path(
    shapes: Path, tmp_path: Path, monkeypatch
) -> None:
    path, source = tmp_path / "mine.h5", build_backbone("tiny", (64, 64))
    with h5py.File(path, "w") as file:
        layers = [layer for layer in source.layers if layer.weights]
        file.attrs["layer_names"] = [f"layer_{number}".encode() for number in range(len(layers))]
        for name, layer in zip(file.attrs["layer_names"], layers, strict=True):
            names = [f"{variable.name}:0" for variable in layer.weights]
            file.create_group(name).attrs["weight_names"] = [one.encode() for one in names]
            for one, variable in zip(names, layer.weights, strict=True):
                file[name][one] = np.array(variable.numpy())
    monkeypatch.setattr(imagenet, "NUMBERED", ("tiny",))
    told = f"{len(source.weights)} variables taken over."
    recipe = planned("segment", wishes(shapes, **{"train.weights": str(path)})).recipe
    assert Learner(recipe).start() == f"backbone: {told}"
    assert open_network("tiny", weights=str(path)).weights == f"weights of mine.h5: {told}"
    np.savez(tmp_path / "some.npz", **{"conv1_bn/gamma": np.ones(16, "float32")})
    some = open_network("tiny", weights=str(tmp_path / "some.npz")).weights
    assert "1 variables taken over" in some, "any other goes by its names"


@pytest.mark.parametrize("own", ["one", "many"])
@pytest.mark.parametrize("theirs", ["one", "many"])
def test_a_model_learns_one_label_or_many_as_other_data_have_them(
    tmp_path: Path, own: str, theirs: str
) -> None:
    start = shutil.copytree(zoo_folder() / "classify-efficientnet-lite0-voc", tmp_path / "start")
    text = (start / RECIPE).read_text(encoding="utf-8")
    assert 'labels = "many"' in text
    text = text.replace('labels = "many"', f'labels = "{own}"')
    (start / RECIPE).write_text(text, encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    for number in range(8):
        Image.effect_noise((40, 40), 20 + number).save(data / f"{number}.png")
    rows = [f"{n}.png,{n % 2},{int(n % 2 == 0 or theirs == 'many')}" for n in range(8)]
    (data / "labels.csv").write_text("\n".join(["image,car,star", *rows]), encoding="utf-8")
    said: list[str] = []
    asked = [("data.path", str(data)), ("train.epochs", 1)]
    task = planned(start, asked, said.append).recipe.task
    assert task.labels == theirs
    tuned = read_recipe(start / RECIPE).task.threshold
    assert tuned != 0.01
    assert task.threshold == (tuned if own == theirs else 0.01)
    told = [line for line in said if line.startswith("task.")]
    assert [line.partition(":")[0] for line in told] == [f'task.labels = "{theirs}"'] * (
        own != theirs
    )
    asked += [("task.labels", "many"), ("task.threshold", 0.3)]
    task = planned(start, asked).recipe.task
    assert (task.labels, task.threshold) == ("many", 0.3), "what was asked for stays"


def test_a_finished_run_goes_on(shapes: Path, trained: Path, tmp_path: Path) -> None:
    """It begins where it ended, and a gentle rate keeps it there: random weights score far less."""
    said: list[str] = []
    changes = {"train.epochs": 1, "data.workers": 0}
    model = cvtasks.train(
        str(trained),
        folder=tmp_path / "run",
        changes=changes,
        report=Report(on_message=said.append),
    )
    own = read_recipe(trained / RECIPE)
    assert model.recipe.classes == own.classes
    assert model.recipe.train.learning_rate == pytest.approx(own.train.learning_rate / 5)
    assert model.recipe.train.warmup == 0.5
    assert any("goes on with its own data for 1 epoch more" in text for text in said)
    assert any(
        text.startswith(f"start: {trained}: backbone whole, neck and head whole") for text in said
    )
    card = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert f"what fits of the model `{trained.name}` (SHA-256 {sha256(trained / WEIGHTS)})" in card
    assert not any("flatter" in text for text in said), "that it has seen them is what is wanted"
    before, after = (
        json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["metrics"]["VOC mean IoU"]
        for folder in (trained, tmp_path / "run")
    )
    assert after > before - 0.1
    again = planned(str(trained), [("data.path", str(shapes)), ("train.epochs", 2)]).recipe
    assert again.train.learning_rate == model.recipe.train.learning_rate


def test_images_that_were_set_aside_are_set_aside_again(
    shapes: Path, trained: Path, tmp_path: Path
) -> None:
    start = shutil.copytree(trained, tmp_path / "start")
    made = read_recipe(start / RECIPE)
    data = replace(made.data, validate="", held_out=0.25)
    replace(made, data=data).save(start / RECIPE)
    names = sorted(path.stem for path in (shapes / "images" / "train").iterdir())
    (start / "validation.txt").write_text("".join(f"{name}\n" for name in names[3:7]))
    validate = planned(str(start)).sources.validate
    assert [validate.name(index) for index in range(len(validate))] == names[3:7]


def test_a_start_that_has_seen_the_data_is_told(
    shapes: Path, trained: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    asked = {"train.weights": str(trained)}
    planned("segment", wishes(shapes, **asked), said.append)
    assert [text for text in said if "flatter" in text] == [
        f"start: {trained} was trained on this very data set ({shapes}:train), and its best epoch "
        "chosen on val: scores on these images flatter"
    ]
    said.clear()
    copied = shutil.copytree(shapes, tmp_path / "copied")
    planned("segment", wishes(copied, **asked), said.append)
    assert any("flatter" in text for text in said), "by the fingerprint that its run noted"
    said.clear()
    (copied / "images" / "train" / "000.png").unlink()
    (copied / "masks" / "train" / "000.png").unlink()
    (copied / "images" / "val" / "000.png").unlink()
    (copied / "masks" / "val" / "000.png").unlink()
    planned("segment", wishes(copied, **asked), said.append)
    assert not any("flatter" in text for text in said)


def test_images_of_a_shipped_models_data_set_are_known_by_their_names(
    shapes: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(shapes, tmp_path / "mine")
    for kind in ("images", "masks"):
        for number, file in enumerate(sorted((data / kind / "train").iterdir())):
            file.rename(file.with_name(f"2008_{number:06d}.png"))
    said: list[str] = []
    asked = {"backbone": "efficientnet-lite0", "train.weights": "segment-efficientnet-lite0-voc"}
    planned("segment", wishes(data, **asked), said.append)
    assert any("flatter" in text for text in said)
    said.clear()
    planned("segment", wishes(shapes, **asked), said.append)
    assert not any("flatter" in text for text in said)


def test_a_name_that_is_nothing_is_refused(shapes: Path) -> None:
    with pytest.raises(ModelError, match='Did you mean "detect-yolox-nano-voc"'):
        planned("detect-yolox-nan-voc", wishes(shapes))
    with pytest.raises(ModelError, match="segment-efficientnet-lite0-voc took its place"):
        planned("segment-mobilenet-voc", wishes(shapes))


def test_folded_norms_of_a_start_get_statistics(shapes: Path) -> None:
    plan = planned("segment", wishes(shapes))
    learner, batches = Learner(plan.recipe), batches_of(plan.recipe, plan.sources.train)
    assert learner.settle(batches) == "", "fresh ones are not folded"
    norms = [
        layer
        for layer in learner.network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for norm in norms:
        norm.beta.assign(np.full(norm.beta.shape, 0.5))
    assert len(folded_norms(learner.network)) == len(norms) > 3
    said = learner.settle(batches)
    assert said.startswith(f"start: {len(norms)} batch norms came folded")
    assert said.endswith(f"measured on {8 * 8} images")
    assert all(np.ptp(keras.ops.convert_to_numpy(norm.moving_mean)) > 0 for norm in norms)
