"""Opening what can be looked into: a network of a paper by its name, or a model of the zoo or a
folder.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cvtasks import zoo
from cvtasks.engines.keras_engine import load_network
from cvtasks.errors import ModelError, UsageError
from cvtasks.model import check_files
from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.text import counted
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder

if TYPE_CHECKING:
    import keras

_SIZES = {  # of the papers that took neither 224 nor 32
    "alexnet": 227,
    "alexnet-one-tower": 227,
    "alexnet-small": 28,
    "inception-small": 28,
    "inception-small-050": 28,
    "inception-v3": 299,
    "mlp": 28,
    "xception": 299,
}
_IMAGENET, _CIFAR = (224, 1000), (32, 10)
_OF_CLASSES = ("class_map", "logits", "logits_enlarged", "score_logits", "class_logits")
"""Layers of heads that may have a unit for each class, some at each stride."""


@dataclass(frozen=True)
class Opened:
    """A network that can be looked into.

    Attributes:
        name: what it is called.
        network: of one input and one output: logits, or a backbone's coarsest map.
        recipe: the model's; None of a backbone.
        said: what it is, in words.
        weights: where its weights are from, in words.
    """

    name: str
    network: "keras.Model"
    recipe: Recipe | None
    said: str
    weights: str

    def unit_names(self, layer: str, units: int) -> tuple[str, ...]:
        """The classes that a layer's units stand for, in their order; () where they stand for
        none.
        """
        classes = self.recipe.classes if self.recipe else ()
        known = layer.rstrip("0123456789") in _OF_CLASSES and len(classes) == units
        return classes if known else ()


def default_size(name: str) -> tuple[int, int]:
    """The image's side and the classes of a network's paper: 224 and 1000 of ImageNet, 32 and 10 of
    CIFAR-10 and MNIST.
    """
    side, classes = _IMAGENET if BACKBONES[name].strides[-1] == 32 else _CIFAR
    return _SIZES.get(name, side), classes


def is_backbone(name: str) -> bool:
    """Whether the name is that of a network of a paper, not a model; found out without loading
    Keras.

    Raises:
        ModelError: it is neither; names the nearest.
        UsageError: it is both.
    """
    folder = name in zoo.names() or _has_recipe(name)
    if name in BACKBONES and folder:
        raise UsageError(
            f"{name!r} is a network and a model folder. Write ./{name} for the folder, or rename "
            "it."
        )
    if name in BACKBONES:
        return True
    if not folder and not any(mark in name for mark in "/\\"):
        hint = zoo.unknown(name, [*BACKBONES, *zoo.names()])
        raise ModelError(
            f"what to look into is a network, a model of the zoo or a folder; {name[:100]!r} is "
            f"none. {hint}"
        )
    model_folder(name)
    return False


def _has_recipe(name: str) -> bool:
    with suppress(OSError, ValueError):  # a name that no folder can have
        return (Path(name) / RECIPE).is_file()
    return False


Values = Literal["needed", "any", "none"]
"""Whether a model must have weights, gets random ones where it has none, or is there in a fraction
of the time and memory without any, to be inspected and not computed with.
"""


def open_network(
    name: str,
    size: tuple[int, int] | None = None,
    *,
    weights: str = "",
    seed: int = 0,
    values: Values = "needed",
    top: bool = False,
) -> Opened:
    """Open a network of a paper or a model.

    Args:
        name: of `BACKBONES` or of the zoo, or a model folder.
        size: (height, width) of the image; the paper's or the recipe's by default.
        weights: for a backbone: "imagenet", or a file as training takes it; random ones by default.
        seed: of random weights.
        top: a backbone with the classifier of its paper, where it has one.

    Raises:
        ModelError: it is none of these, or its files are not usable; a size that does not fit.
        UsageError: it is both a network and a model; or weights are given for a model, which has
            its own.
    """
    build: Callable[[], Opened]
    if is_backbone(name):
        build = partial(_backbone, name, size, weights, seed, top)
    elif weights:
        raise UsageError(
            f"weights are for a backbone such as mobilenet; {name} has its own. Leave them out."
        )
    else:
        build = partial(_model, model_folder(name), size, seed, values)
    return _without_values(build) if values == "none" else build()


def _without_values(build: Callable[[], Opened]) -> Opened:
    """What `build` builds, its variables without values.

    Keras remembers such variables to give them values later, and keeps that in the thread; a thread
    of its own forgets them.
    """
    import keras

    def inside() -> Opened:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


def _backbone(
    name: str, size: tuple[int, int] | None, weights: str, seed: int, top: bool
) -> Opened:
    import keras

    from cvtasks.weights.imagenet import load_file, load_imagenet

    row, (side, classes) = BACKBONES[name], default_size(name)
    keras.utils.set_random_seed(seed)
    backbone = build_backbone(name, size or (side, side))
    given = f"random weights (seed {seed})"
    if weights == "imagenet":
        load_imagenet(backbone, name)
        given = "weights of ImageNet"
    elif weights:
        given = f"weights of {Path(weights).name}: {load_file(backbone, name, weights)}"
    if top and row.top:
        output = build_top(name, backbone.outputs, classes, 0.0, False)[0]
        said = f"{name} with the classifier of its paper for {counted(classes, 'class')}"
    else:
        output = backbone.outputs[len(row.strides) - 1]
        said = f"{name} without a classifier{'' if row.top else ', as it has none of its own'}"
    return Opened(name, keras.Model(backbone.input, output, name=backbone.name), None, said, given)


def _model(folder: Path, size: tuple[int, int] | None, seed: int, values: Values) -> Opened:
    import keras

    from cvtasks.networks.build import build_network
    from cvtasks.weights.transfer import load_weights

    own = values == "needed" or (values == "any" and zoo.has_weights(folder))
    folder = zoo.with_weights(folder) if own else folder
    recipe = read_recipe(folder / RECIPE)
    if own:
        check_files(folder, recipe)
    if own and size is None:
        network = load_network(folder / WEIGHTS, recipe)
    else:
        keras.utils.set_random_seed(seed)
        network = build_network(recipe, size or recipe.input_size)
        if own:
            load_weights(network, folder / WEIGHTS)
    said = (
        f"{folder.name}: {recipe.task.name}, {recipe.backbone}, "
        f"{counted(len(recipe.classes), 'class')}"
    )
    given = f"weights of {folder.name}" if own else f"random weights (seed {seed})"
    return Opened(folder.name, network, recipe, said, given)
