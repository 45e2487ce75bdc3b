"""Models of every head that have learned nothing: what an export says of them must be the same all
the same.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HEADS = {
    "classify": {"task": {"name": "classify"}, "size": 32},
    "own": {
        "task": {"name": "classify"},
        "head": {"name": "own"},
        "backbone": "lenet5",
        "size": 32,
    },
    "localize": {"task": {"name": "localize"}},
    "segment": {"task": {"name": "segment"}, "head": {"channels": [16, 8]}},
    "dense": {"task": {"name": "detect"}, "head": {"width": 8, "depth": 1}},
    "yolox": {
        "task": {"name": "detect"},
        "head": {"name": "yolox", "width": 8, "depth": 1, "min_score": 1e-5},
    },
    "two-stage": {
        "task": {"name": "detect"},
        "head": {"name": "two-stage", "width": 8, "proposals": 8, "units": 16, "pool": 3},
    },
    "prototypes": {
        "task": {"name": "instances"},
        "head": {"width": 8, "depth": 1, "prototypes": 4, "mask_width": 8},
    },
    "prototypes-yolox": {
        "task": {"name": "instances"},
        "head": {
            "cells": "yolox",
            "width": 8,
            "depth": 1,
            "prototypes": 4,
            "mask_width": 8,
            "min_score": 1e-5,
        },
    },
}
"""What a case is called → what its recipe has beside a tiny backbone and three classes."""


def write_model(folder: Path, document: dict[str, Any], seed: int = 0) -> Path:
    """A folder of a model with weights drawn by the seed, spread so that answers differ."""
    import keras

    from cvtasks.files.writing import sha256
    from cvtasks.networks.build import build_network
    from cvtasks.recipe.recipe import parse_recipe
    from cvtasks.weights.transfer import save_weights
    from cvtasks.zoo import RECIPE, WEIGHTS

    given = {"backbone": "tiny", "size": 64, "classes": ["background", "square", "disc"]}
    recipe = parse_recipe({**given, "format": 1, **document})
    keras.utils.set_random_seed(seed)
    network = build_network(recipe, recipe.input_size)
    rng = np.random.default_rng(seed)
    for weight in network.trainable_weights:
        value = np.asarray(weight)
        weight.assign(value + rng.normal(0, 0.05, value.shape).astype(np.float32))
    folder.mkdir(parents=True)
    save_weights(network, folder / WEIGHTS)
    kept = parse_recipe(
        {**given, "format": 1, **document, "files": {WEIGHTS: sha256(folder / WEIGHTS)}}
    )
    kept.save(folder / RECIPE)
    return folder


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`untrained(case)`: the folder of a model of a case of `HEADS`, made once."""
    root, made = tmp_path_factory.mktemp("untrained"), {}

    def model(case: str) -> Path:
        if case not in made:
            made[case] = write_model(root / f"{case}-tiny", HEADS[case])
        return made[case]

    return model
