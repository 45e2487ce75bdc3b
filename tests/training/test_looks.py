"""What is looked at after an epoch: the loss and the scores of validation, and those of a fixed
sample of the training images.
"""

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from cvtasks.data.opening import open_sources
from cvtasks.engines.keras_engine import KerasEngine
from cvtasks.evaluation.evaluate import evaluate
from cvtasks.files.writing import sha256
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.checkpoint import progress_in
from cvtasks.training.layout import BEST, CHECKPOINT
from cvtasks.training.looks import Looks, judge_of, watched
from cvtasks.training.loop import train
from cvtasks.training.progress import Epoch, Progress
from cvtasks.training.run_folder import write_history
from cvtasks.weights.safetensors_file import write_safetensors


def small(shapes: Path, **how: object) -> Recipe:
    return parse_recipe(
        {
            "format": 1,
            "task": {"name": "segment"},
            "backbone": "tiny",
            "size": 64,
            "classes": ["background", "square", "disc"],
            "head": {"name": "unet", "channels": [16, 16]},
            "data": {"path": str(shapes), "workers": 0},
            "train": {"epochs": 2, "batch": 8, "ema": 0.9, "precision": "f32", **how},
        }
    )


def test_a_look_tells_the_loss_and_the_scores_of_both_splits(shapes: Path) -> None:
    """Beside the same reckoned image by image."""
    import keras

    recipe = small(shapes)
    sources = open_sources(recipe)
    keras.utils.set_random_seed(0)
    network = build_network(recipe, recipe.input_size)
    look = Looks(judge_of(network, recipe), recipe, sources.train, sources.validate, 24).look()
    sample = watched(recipe, sources.train, len(sources.validate), 24)
    assert sample is not None
    engine = KerasEngine(network, recipe.head, "f32")
    for source, scores, loss in (
        (sources.validate, look.scores, look.losses["validation"]),
        (sample, look.train_scores, look.losses["training"]),
    ):
        losses = []
        for index in range(len(source)):
            image = source[index].image
            letterbox = recipe.letterbox(image.shape[:2])
            target = recipe.head.encode(source[index].truth, letterbox)[None]
            logits = network.predict_on_batch(letterbox.to_input(image)[None])
            losses.append(np.asarray(keras.ops.convert_to_numpy(recipe.head.loss(target, logits))))
        assert loss == pytest.approx(float(np.mean(losses)), rel=1e-4)
        alone = evaluate(engine, recipe.head, recipe.letterbox, source).result()
        assert scores == pytest.approx(alone, abs=1e-6)


def test_the_sample_is_fixed_and_small(shapes: Path) -> None:
    recipe = small(shapes, watch_train=5)
    source = open_sources(recipe).train
    names = [[one.name(i) for i in range(len(one))] for one in _samples(recipe, source)]
    assert names[0] == names[1] and len(names[0]) == 5 and len(set(names[0])) == 5
    other = replace(recipe, train=replace(recipe.train, seed=1))
    assert [one.name(i) for one in _samples(other, source)[:1] for i in range(5)] != names[0]
    many = replace(recipe, train=replace(recipe.train, watch_train=200))
    for most, images, expected in ((3, 24, 3), (100, 24, 16), (100, 80, 20), (100, 1000, 24)):
        sample = watched(many, source, most, images)
        assert sample is not None and len(sample) == expected
    none = replace(recipe, train=replace(recipe.train, watch_train=0))
    assert watched(none, source, 100, 100) is None


def _samples(recipe: Recipe, source) -> list:
    return [watched(recipe, source, 100, 100) for _ in range(2)]


def test_to_watch_changes_nothing_about_what_is_learned(shapes: Path, tmp_path: Path) -> None:
    found = {}
    for number in (0, 7):
        recipe = small(shapes, watch_train=number)
        sources = open_sources(recipe)
        folder = tmp_path / f"{number}"
        folder.mkdir()
        found[number] = train(recipe, sources.train, sources.validate, folder)
    assert sha256(tmp_path / "0" / BEST) == sha256(tmp_path / "7" / BEST)
    for plain, seen in zip(found[0].history, found[7].history, strict=True):
        assert (plain.loss, plain.scores) == (seen.loss, seen.scores)
        assert plain.losses == {"validation": seen.losses["validation"]}
        assert not plain.train_scores and seen.train_scores.keys() == seen.scores.keys()
    write_history(tmp_path, found[7])
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert list(rows[0])[:4] == ["epoch", "loss", "learning_rate", "seconds"]
    for row, epoch in zip(rows, found[7].history, strict=True):
        assert float(row["val_loss"]) == pytest.approx(epoch.losses["validation"], abs=1e-6)
        assert float(row["train_loss"]) == pytest.approx(epoch.losses["training"], abs=1e-6)
        score = epoch.train_scores["VOC mean IoU"]
        assert float(row["train VOC mean IoU"]) == pytest.approx(score, abs=1e-6)


def test_a_run_of_before_that_knew_no_losses_goes_on(tmp_path: Path) -> None:
    old = asdict(Epoch(0, 1.5, 0.1, 2.0, {"AP": 0.5}))
    del old["losses"], old["train_scores"]
    said = {**asdict(Progress(epoch=1, best=0.5)), "history": [old]}
    path = tmp_path / CHECKPOINT
    write_safetensors(path, {"x": np.zeros(1)}, {"progress": json.dumps(said)})
    progress = progress_in(path)
    assert progress.history == (Epoch(0, 1.5, 0.1, 2.0, {"AP": 0.5}),)
    later = Epoch(1, 1.0, 0.1, 2.0, {"AP": 0.6}, {"validation": 2.0}, {"AP": 0.75})
    write_history(tmp_path, replace(progress, history=(*progress.history, later)))
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["val_loss"] for row in rows] == ["", "2.000000"]
    assert [row["train AP"] for row in rows] == ["", "0.750000"]
