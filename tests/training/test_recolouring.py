"""Colours that change on the device: what becomes of a pixel, and which change each image gets."""

from dataclasses import replace
from pathlib import Path

import albumentations.augmentations.pixel.functional as albumentations
import keras
import numpy as np
import pytest
from keras import ops

from cvtasks.data.loading.batches import Batch
from cvtasks.data.loading.colours import drawn_colours
from cvtasks.data.opening import open_sources
from cvtasks.errors import ModelError
from cvtasks.recipe.recipe import Recipe, parse_recipe
from cvtasks.training.learner import Learner
from cvtasks.training.loop import batches_of
from cvtasks.training.progress import Progress
from cvtasks.training.recolouring import Recolouring

SAME = [1, 1, 1, 0]


def small(shapes: Path, **data: object) -> Recipe:
    return parse_recipe(
        {
            "task": "segment",
            "backbone": "tiny",
            "size": 32,
            "classes": ["background", "square", "disc"],
            "segment": {"channels": [8, 8]},
            "data": {"path": str(shapes), "workers": 0, "colour": 0.5, **data},
            "train": {"epochs": 1, "batch": 4, "precision": "f32", "seed": 3},
        }
    )


def changed(images: np.ndarray, colours: object) -> np.ndarray:
    found = Recolouring().changed(images, np.array(colours, np.float32))
    return ops.convert_to_numpy(found)


@pytest.mark.parametrize(
    "change",
    [
        SAME,
        [0.6, 1, 1, 0],
        [1.4, 1, 1, 0],
        [1, 0.6, 1, 0],
        [1, 1.4, 1, 0],
        [1, 1, 0.3, 0],
        [1, 1, 1.7, 0],
        [1, 1, 1, 0.1],
        [1, 1, 1, -0.1],
        [1.2, 0.8, 1.3, 0.05],
    ],
)
def test_colours_are_those_of_albumentations(change: list[float]) -> None:
    """But for rounding: it keeps whole levels between two changes, and hues of two degrees."""
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    expected = image
    for name, value in zip(("brightness", "contrast", "saturation", "hue"), change, strict=True):
        expected = getattr(albumentations, f"adjust_{name}_torchvision")(expected, value)
    (found,) = changed(image[None], [change])
    away = np.abs(found.astype(int) - expected)
    assert found.dtype == np.uint8
    assert away.max() <= (9 if change[3] else 2) and away.mean() <= (2 if change[3] else 0.7)
    if change == SAME:
        np.testing.assert_array_equal(found, image)


def test_each_image_has_its_own_change_and_the_grey_around_it_stays() -> None:
    images = np.full((2, 8, 8, 3), 114, np.uint8)
    images[:, 2:6, 2:6] = [200, 100, 50]
    found = changed(images, [[0.5, 1, 1, 0], [1, 1, 0, 0]])
    np.testing.assert_array_equal(found[:, :2], 114)
    np.testing.assert_array_equal(found[0, 3, 3], [100, 50, 25])
    np.testing.assert_array_equal(found[1, 3, 3], [124, 124, 124])  # its grey
    # the mean that contrast goes around is that of the image, and not of what is around it
    np.testing.assert_array_equal(changed(images, [[1, 0, 1, 0]] * 2)[0, 3, 3], [124] * 3)


def test_workers_leave_colours_to_the_device_and_say_which(shapes: Path) -> None:
    left, none = (small(shapes, **how) for how in ({"colour_on": "device"}, {"colour": 0}))
    source = open_sources(left).train
    for batch, plain in zip(
        batches_of(left, source).epoch(1), batches_of(none, source).epoch(1), strict=True
    ):
        np.testing.assert_array_equal(batch.images, plain.images)
        assert plain.colours is None
    assert all(batch.colours is None for batch in batches_of(small(shapes), source).epoch(1))


def test_changes_depend_on_seed_epoch_and_step_alone(shapes: Path) -> None:
    recipe = small(shapes, colour_on="device")
    source = open_sources(recipe).train
    whole = [batch.colours for batch in batches_of(recipe, source).epoch(2)]
    assert len({colours.tobytes() for colours in whole}) == len(whole)
    later = [batch.colours for batch in batches_of(recipe, source).epoch(2, first=1)]
    np.testing.assert_array_equal(later, whole[1:])
    threads = replace(recipe, data=replace(recipe.data, workers=2))
    found = [batch.colours for batch in batches_of(threads, source).epoch(2)]
    np.testing.assert_array_equal(found, whole)
    parts = [
        [batch.colours for batch in batches_of(recipe, source, (part, 2)).epoch(2)]
        for part in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_changes_reach_as_far_as_the_recipe_says() -> None:
    drawn = drawn_colours(0.4, 0, 0, 0, 2000)
    same = (drawn == np.array(SAME, np.float32)).all(axis=1)
    assert 0.17 < same.mean() < 0.23
    low, high = drawn[~same].min(axis=0), drawn[~same].max(axis=0)
    np.testing.assert_allclose(low, [0.6, 0.6, 0.6, -0.1], atol=0.01)
    np.testing.assert_allclose(high, [1.4, 1.4, 1.4, 0.1], atol=0.01)


def test_a_step_learns_from_the_images_in_their_colours(shapes: Path) -> None:
    recipe = small(shapes, colour_on="device")
    batch = next(iter(batches_of(recipe, open_sources(recipe).train).epoch(0)))

    def loss(batch: Batch) -> float:
        keras.utils.set_random_seed(0)
        learner = Learner(recipe)
        learner.restore(None, Progress())
        learner.step(batch, 1e-3)
        return float(learner.recent()[0, 0])

    by_hand = changed(batch.images, batch.colours)
    assert loss(batch) == pytest.approx(loss(replace(batch, images=by_hand, colours=None)))
    assert loss(batch) != pytest.approx(loss(replace(batch, colours=None)))


def test_a_policy_has_colours_of_its_own_on_the_cpu() -> None:
    with pytest.raises(ModelError, match=r'`data.colour_on = "device"`\. Leave one of them out'):
        parse_recipe(
            {
                "task": "classify",
                "backbone": "tiny",
                "size": 32,
                "classes": ["a", "b"],
                "data": {"policy": "randaugment", "colour_on": "device"},
            }
        )
