"""What suits a run whose minutes hold few updates: a backbone that keeps its weights, and a higher
rate. Measured by `benchmarks/defaults.py`.
"""

import math

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
_SHARE = 0.6  # of the work, at least, that a backbone must be to be worth it


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
    """Whether a step is far quicker where the backbone is frozen: it is most of the work.

    Args:
        network: the recipe's, of a fixed input size.
    """
    backbone = backbone_of(network)
    stride = BACKBONES[recipe.backbone].strides[-1]
    kept = {id(layer) for layer in layers_up_to(backbone, recipe.backbone, stride)}
    own = whole = 0
    for layer in layers_within(network):
        work = _multiply_adds(layer)
        whole += work
        own += work if id(layer) in kept else 0
    return own >= _SHARE * whole


def _multiply_adds(layer: object) -> int:
    """Of a convolution or a dense layer, for one image; 0 of others, which are far less work."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    places = layer.output.shape[1:-1]  # type: ignore[attr-defined]
    return math.prod(kernel.shape) * math.prod(side or 1 for side in places)
