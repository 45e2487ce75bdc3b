"""Folded batch norms get statistics back, and the network answers as before."""

import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.networks.build import build_network
from cvtasks.networks.folded_norms import folded_norms, unfold_norms
from cvtasks.recipe.recipe import parse_recipe

RECIPE = parse_recipe(
    {
        "task": {"name": "detect"},
        "backbone": "mobilenet-025",
        "size": 64,
        "classes": ["disc", "square"],
        "head": {"name": "dense", "width": 8, "depth": 1},
    }
)


def norms_of(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """All, also the backbone's."""
    layers = network._flatten_layers()
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def folded_network() -> keras.Model:
    """With offsets alone in its norms, as a network for inference has them."""
    keras.utils.set_random_seed(0)
    network = build_network(RECIPE, (64, 64))
    for norm in norms_of(network):
        norm.moving_variance.assign(np.full(norm.moving_variance.shape, 1 - norm.epsilon))
        norm.beta.assign(np.random.default_rng(1).normal(0, 0.5, norm.beta.shape))
    return network


def answers(network: keras.Model, images: np.ndarray, training: bool) -> np.ndarray:
    """The logits. Training changes the norms' statistics."""
    return ops.convert_to_numpy(network(ops.convert_to_tensor(images), training=training))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """A batch (8, 64, 64, 3) of smooth noise."""
    coarse = np.random.default_rng(2).uniform(0, 255, (8, 8, 8, 3)).astype(np.float32)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


def test_it_answers_as_before_and_training_sees_the_same(images: np.ndarray) -> None:
    network = folded_network()
    assert len(folded_norms(network)) == len(norms_of(network)) > 20
    before = answers(network, images, training=False)
    apart = np.abs(answers(folded_network(), images, training=True) - before).max()
    unfold_norms(network, [images])
    assert not folded_norms(network)
    np.testing.assert_allclose(answers(network, images, training=False), before, atol=2e-4)
    assert np.abs(answers(network, images, training=True) - before).max() < apart / 50


def test_statistics_are_over_all_batches(images: np.ndarray) -> None:
    whole, parts = folded_network(), folded_network()
    unfold_norms(whole, [images])
    unfold_norms(parts, [images[:4], images[4:]])
    for one, other in zip(norms_of(whole), norms_of(parts), strict=True):
        for name in ("moving_mean", "moving_variance"):
            np.testing.assert_allclose(
                *(ops.convert_to_numpy(getattr(norm, name)) for norm in (one, other)), atol=1e-3
            )


def test_fresh_and_learned_norms_are_left_alone() -> None:
    network = build_network(RECIPE, (64, 64))
    assert not folded_norms(network)
    norm = norms_of(network)[3]
    norm.beta.assign(np.ones(norm.beta.shape))
    assert folded_norms(network) == [norm]
    norm.moving_mean.assign(np.full(norm.moving_mean.shape, 0.1))
    assert not folded_norms(network)
