"""What suits a run whose minutes hold few updates: a backbone that keeps its weights, and a higher
rate. Measured by `benchmarks/defaults.py`.
"""

import math

import keras
import numpy as np

from cvtasks.networks.backbones import BACKBONES, layers_up_to
from cvtasks.networks.build import backbone_of
from cvtasks.networks.network import Network
from cvtasks.networks.quick_training import layers_within
from cvtasks.recipe.recipe import Recipe
from cvtasks.text import agreeing, counted
from cvtasks.training.choice import Choice

FREEZE, RATE = "train.freeze", "train.learning_rate"
SHORT = 300
"""Updates; a run with fewer is short."""
_HIGHER = 3.0  # times the usual rate
_SHARE = 0.65  # of the work, at least, that a backbone must be to be worth it


def frozen(recipe: Recipe, updates: int) -> Choice:
    """All of the backbone from the first epoch on, as so few updates would fit without."""
    return Choice(
        FREEZE,
        ((0, BACKBONES[recipe.backbone].strides[-1]),),
        f"{counted(updates, 'update')} of all weights would be few; without those of the backbone, "
        "which has learned before, more fit",
    )


def quickened(recipe: Recipe, updates: int) -> Choice:
    """A higher rate, as so few updates are made."""
    return Choice(
        RATE,
        float(f"{recipe.train.learning_rate * _HIGHER:.2g}"),
        f"{_HIGHER:g} times the usual one, as only {counted(updates, 'update')} "
        f"{agreeing(updates)} made",
    )


def is_worth_it(network: Network, recipe: Recipe) -> bool:
    """Whether a step is far quicker where the backbone is frozen: it is most of the work, by its
    share of the multiply-adds and of the numbers that layers write, in the mean.

    Args:
        network: the recipe's, of a fixed input size.
    """
    backbone = backbone_of(network)
    stride = BACKBONES[recipe.backbone].strides[-1]
    kept = {id(layer) for layer in layers_up_to(backbone, recipe.backbone, stride)}
    work = {id(layer): _work(layer) for layer in layers_within(network)}
    whole = np.sum(list(work.values()), axis=0)
    own = np.sum([one for key, one in work.items() if key in kept], axis=0)
    return bool(np.mean(own / whole) >= _SHARE)


def _work(layer: keras.Layer) -> tuple[int, int]:
    """Multiply-adds of a convolution or a dense layer, 0 of others, which have far fewer; and the
    numbers that a layer writes: for one image.
    """
    shapes = [
        tuple(side or 1 for side in one.shape[1:]) for one in keras.tree.flatten(layer.output)
    ]
    written = sum(math.prod(shape) for shape in shapes)
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0, written
    return math.prod(kernel.shape) * math.prod(shapes[0][:-1]), written
