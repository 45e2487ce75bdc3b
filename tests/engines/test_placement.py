"""Where an image lies on the network input is the recipe's, whoever asks a model."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from cvtasks.engines.predict import predict
from cvtasks.geometry.letterbox import GREY
from cvtasks.recipe.recipe import parse_recipe

RECIPE = parse_recipe(
    {
        "format": 1,
        "backbone": "tiny",
        "size": 64,
        "classes": ["cat", "dog"],
        "placement": "corner",
        "task": {"name": "localize"},
    }
)
ANSWER = np.array([0, 0, 1, 0.5, 0, 1], np.float32)  # a dog in the upper half of the input


class Recorded:
    """Keeps what it is given."""

    name, precision = "recorded", "f32"

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def stream(self, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for image in images:
            self.seen.append(image)
            yield ANSWER


def test_the_network_sees_the_image_where_the_recipe_puts_it() -> None:
    image = np.full((32, 64, 3), 200, np.uint8)
    for recipe, top in ((RECIPE, 0), (replace(RECIPE, placement="centre"), 16)):
        engine = Recorded()
        ((_, _, answer),) = predict(
            engine, recipe.head, recipe.classes, recipe.letterbox, [("a", image)], 0.5
        )
        (seen,) = engine.seen
        assert (seen[top : top + 32] == 200).all()
        assert (np.delete(seen, slice(top, top + 32), axis=0) == GREY).all()
        # the upper half of the input is all of the image that lies there
        assert answer.xyxy.tolist() == [[0, 0, 64, 32 - top]]


def test_an_explanation_sees_it_there_too() -> None:
    from cvtasks.insight.explaining.explainer import Explainer
    from cvtasks.networks.build import build_network

    network = build_network(RECIPE, RECIPE.input_size)
    explainer = Explainer(network, RECIPE.head, RECIPE.classes, placement=RECIPE.placement)
    scene = explainer.look(np.full((32, 64, 3), 200, np.uint8))
    assert (scene.input[:32] == 200).all()
    assert (scene.input[32:] == GREY).all()
