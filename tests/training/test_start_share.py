"""A share of the start's weights in those that are kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cvtasks.data.opening import open_sources
from cvtasks.errors import ModelError
from cvtasks.networks.build import build_network, set_weights, weights_of
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.training.layout import BEGINNING, BEST
from cvtasks.training.loop import train
from cvtasks.training.plan import planned
from cvtasks.training.start_share import StartShare
from cvtasks.weights.safetensors_file import read_safetensors
from cvtasks.weights.transfer import by_path
from cvtasks.zoo import RECIPE, WEIGHTS


def again(trained: Path, **how: object) -> Recipe:
    """A recipe that goes on from the trained segmenter."""
    recipe = read_recipe(trained / RECIPE)
    its = {"weights": str(trained), "precision": "f32", "batch": 4, "epochs": 1, **how}
    return replace(recipe, files={}, train=replace(recipe.train, weights_sha256="", **its))


def kept(recipe: Recipe, folder: Path) -> dict[str, np.ndarray]:
    """The weights that a run of the recipe keeps."""
    sources = open_sources(recipe)
    folder.mkdir()
    train(recipe, sources.train, sources.validate, folder)
    return {name: stored.read() for name, stored in read_safetensors(folder / BEST).items()}


def test_what_is_kept_lies_between_the_start_and_what_was_learned(
    trained: Path, tmp_path: Path
) -> None:
    start = {name: stored.read() for name, stored in read_safetensors(trained / WEIGHTS).items()}
    learned = kept(again(trained), tmp_path / "learned")
    between = kept(again(trained, start_share=0.25), tmp_path / "between")
    whole = kept(again(trained, start_share=1.0), tmp_path / "whole")
    assert any(np.abs(learned[name] - start[name]).max() > 1e-4 for name in start)
    for name, value in start.items():
        expected = 0.25 * value + 0.75 * learned[name]
        np.testing.assert_allclose(between[name], expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(whole[name], value, rtol=1e-6, atol=1e-7)
    assert not (tmp_path / "learned" / BEGINNING).exists()


def test_a_resumed_run_knows_its_start_by_the_file(trained: Path, tmp_path: Path) -> None:
    network = build_network(again(trained), (64, 64))
    begun, file = weights_of(network), tmp_path / BEGINNING
    given = set(list(by_path(network))[::2])
    StartShare(network, 0.5, given, file)
    set_weights(network, [value + 1 for value in begun])
    learned = [value + 3 for value in begun]
    drawn = StartShare(network, 0.5, given, file).drawn(learned)
    for path, value, first in zip(by_path(network), drawn, begun, strict=True):
        np.testing.assert_allclose(value, first + (1.5 if path in given else 3), atol=1e-5)


def test_a_start_that_has_no_head_is_refused(trained: Path) -> None:
    with pytest.raises(ModelError, match="of the same task and head"):
        planned(again(trained, start_share=0.5, weights="none"), [])
