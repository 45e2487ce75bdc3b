"""An image that moves, and the tensors that it becomes: networks whose answers are known."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from cvtasks.errors import UsageError
from cvtasks.insight.units.flow import flow_page, tensors_of
from cvtasks.insight.units.shifts import SCORES, shift_page, shifted_answers
from cvtasks.media.images import write_image
from cvtasks.networks.build import build_network
from cvtasks.recipe.recipe import parse_recipe

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def network() -> keras.Model:
    """A convolution, a pooling of 4 and the largest answer of each unit."""
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Conv2D(5, 3, padding="same", name="conv")(image)
    x = layers.ReLU(name="conv_relu")(x)
    x = layers.MaxPooling2D(4, name="pool")(x)
    x = layers.GlobalMaxPooling2D(name="most")(x)
    return keras.Model(image, layers.Dense(3, name="logits")(x))


@pytest.fixture(scope="module")
def square() -> np.ndarray:
    """A white square far from the borders of a black image."""
    image = np.zeros((32, 32, 3), np.uint8)
    image[12:18, 9:15] = 255
    return image


def test_a_convolution_moves_along_a_pooling_by_whole_strides_and_a_global_maximum_stays(square):
    keras.utils.set_random_seed(0)
    names = ["conv_relu", "pool"]
    found = shifted_answers(network(), square, 4, names, activate=keras.ops.softmax)
    conv, pool, scores = found.layers
    assert found.pixels.tolist() == [0, 1, 2, 3, 4]
    assert (conv.stride, pool.stride, scores.layer) == (1, 4, SCORES)
    np.testing.assert_allclose(conv.along, 0, atol=1e-6)
    assert np.isnan(pool.along).tolist() == [False, True, True, True, False]
    assert pool.along[4] < 1e-6 < pool.changed[1] < conv.changed[1]  # pooling takes some of it away
    assert (np.diff(conv.changed[:3]) > 0).all() and conv.changed[0] == 0
    np.testing.assert_allclose(scores.changed, 0, atol=1e-5)


def test_many_pixels_are_moved_in_powers_of_two(square):
    found = shifted_answers(network(), square, 31, ["pool"])
    assert found.pixels.tolist() == [0, 8, 16, 24, 31]
    assert found.layers[0].along[1] < 1e-6
    assert (found.images[1][:, 8:] == found.images[0][:, :-8]).all()


@pytest.mark.parametrize("most", [0, 32])
def test_a_move_that_is_none_or_leaves_nothing_is_refused(square, most):
    with pytest.raises(UsageError, match="less than its width, 32"):
        shifted_answers(network(), square, most)


def test_a_layer_without_places_is_refused(square):
    with pytest.raises(UsageError, match="places"):
        shifted_answers(network(), square, 2, ["logits"])


def test_tensors_are_those_of_the_lecture_for_lenet(cli, square, tmp_path: Path):
    """28×28×6, 14×14×6, 10×10×16, 5×5×16, 120, 84, 10."""
    write_image(tmp_path / "image.png", square)
    given = ("features", "classify-lenet-mnist", tmp_path / "image.png", "-o", tmp_path / "out")
    code, out, said = cli(*given, "--flow", "--json")
    assert code == 0, said
    found = json.loads(out)
    shapes = [28, 28, 6], [14, 14, 6], [10, 10, 16], [5, 5, 16], [120], [84], [10]
    assert [one["shape"] for one in found["tensors"]] == list(shapes)
    assert sum(found["scores"]) == pytest.approx(1, abs=1e-5)
    assert Path(found["file"]).is_file()
    code, out, said = cli(*given, "--shift", "2", "--json")
    assert code == 0, said
    assert [one["step"] for one in json.loads(out)["layers"]] == [1, 2, 2, 4, 0]


def test_a_map_is_shown_behind_its_activation_and_its_maker_is_named(square):
    found = tensors_of(network(), square)
    assert [(one.layer, one.made_by) for one in found.tensors] == [
        ("conv_relu", "3×3 conv"),
        ("pool", "4×4 max pool, /4"),
        ("most", "global max"),
        ("logits", "dense"),
    ]
    assert found.scores is None


@pytest.mark.parametrize("task", ["detect", "instances"])
def test_of_a_detector_the_maps_are_shown(task: str):
    recipe = parse_recipe({"task": task, "backbone": "tiny", "size": 64, "classes": ["disc"]})
    built = build_network(recipe, recipe.input_size)
    found = tensors_of(built, np.full((64, 64, 3), 90, np.uint8))
    assert len(found.tensors) > 3
    assert {one.values.ndim for one in found.tensors} == {3}, "cells have no places"
    assert flow_page(found, task).std() > 0


def test_pages_are_drawn_of_a_blank_image_too(square):
    blank = np.zeros_like(square)
    scores = keras.ops.softmax
    moves = shifted_answers(network(), blank, 1, ["pool"], activate=scores)
    for page in (
        shift_page(moves, "blank", ["a", "b", "c"]),
        flow_page(tensors_of(network(), blank, activate=scores), "blank"),
    ):
        assert page.dtype == np.uint8 and page.ndim == 3 and page.std() > 0


@pytest.mark.parametrize(
    "given",
    [("--shift", "2"), ("x.png", "--shift", "2", "--flow"), ("x.png", "--flow", "--layer", "a")],
)
def test_what_does_not_fit_is_refused_before_anything_is_opened(cli, given):
    code, _, said = cli("features", "classify-lenet-mnist", *given)
    assert code == 2 and "cvtasks:" in said
