"""What can be looked into: a network of a paper by its name, or a model folder."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import ModelError, UsageError, did_you_mean
from cvtasks.model import check_files, load_network
from cvtasks.networks.backbones import BACKBONES, build_backbone, build_top
from cvtasks.recipe.recipe import read_recipe
from cvtasks.zoo import RECIPE, WEIGHTS, model_folder, zoo_names

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
}
_IMAGENET, _CIFAR = (224, 1000), (32, 10)


@dataclass(frozen=True)
class Subject:
    """A network and what is to be known about it.

    Attributes:
        name: as the user gave it.
        network: Keras' own.
        said: what was built, in a sentence.
        trained: it has the weights of a model folder. If it has none at all, it can be inspected,
            not computed with.
    """

    name: str
    network: "keras.Model"
    said: str
    trained: bool


def default_size(name: str) -> tuple[int, int]:
    """The image's side and the classes of a network's paper: 224 and 1000 of ImageNet, 32 and 10 of
    CIFAR-10 and MNIST.
    """
    side, classes = _IMAGENET if BACKBONES[name].strides[-1] == 32 else _CIFAR
    return _SIZES.get(name, side), classes


def check_subject(name: str) -> bool:
    """Whether the name is that of a network (True) or a model; found out without loading Keras.

    Raises:
        ModelError: it is neither; names the nearest.
        UsageError: it is both.
    """
    folder = name in zoo_names() or _has_recipe(name)
    if name in BACKBONES and folder:
        raise UsageError(
            f"{name!r} is a network and a model folder. Write ./{name} for the folder, or rename "
            "it."
        )
    if name in BACKBONES:
        return True
    if not folder and not any(mark in name for mark in "/\\"):
        hint = did_you_mean(name, [*BACKBONES, *zoo_names()])
        raise ModelError(
            f"what to look into is a network, a model of the zoo or a folder; {name[:100]!r} is "
            f"none. {hint}"
        )
    model_folder(name)
    return False


def _has_recipe(name: str) -> bool:
    try:
        return (Path(name) / RECIPE).is_file()
    except (OSError, ValueError):  # a name that no folder can have
        return False


def subject(name: str, size: tuple[int, int] | None = None, weights: bool = False) -> Subject:
    """Build what NETWORK | MODEL of the command line names.

    Args:
        name: a key of `BACKBONES`, a name of the zoo, or a model folder.
        size: (height, width) of the image; the paper's or the recipe's by default.
        weights: give it values: those of the model folder, random ones where there are none.
            Without them it is there in a fraction of the time and memory, and has shapes alone.

    Raises:
        ModelError: it is none of them, or its files are not usable; a size that does not fit.
        UsageError: it is both a network and a model.
    """
    known = check_subject(name)
    build = (
        partial(_network, name, size, weights) if known else partial(_model, name, size, weights)
    )
    return build() if weights else _without_values(build)


def _without_values(build: Callable[[], Subject]) -> Subject:
    """What `build` builds, its variables without values.

    Keras remembers such variables to give them values later, and keeps that in the thread; a thread
    of its own forgets them.
    """
    import keras

    def inside() -> Subject:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(inside).result()


def _network(name: str, size: tuple[int, int] | None, weights: bool) -> Subject:
    import keras

    row = BACKBONES[name]
    side, classes = default_size(name)
    backbone = build_backbone(name, size or (side, side))
    if row.top:
        logits = build_top(name, backbone.outputs, classes, 0.0, False)[0]
        network = keras.Model(backbone.inputs, logits, name=backbone.name)
        said = f"{name} with the classifier of its paper for {classes} classes"
    else:
        network, said = backbone, f"{name} without a classifier, as it has none of its own"
    return Subject(name, network, f"{said}, random weights" if weights else said, False)


def _model(name: str, size: tuple[int, int] | None, weights: bool) -> Subject:
    from cvtasks.networks.build import build_network
    from cvtasks.weights.transfer import load_weights

    folder = model_folder(name)
    recipe = read_recipe(folder / RECIPE)
    trained = weights and (folder / WEIGHTS).is_file()
    if trained:
        check_files(folder, recipe)
    if trained and size is None:
        network = load_network(folder, recipe)
    else:
        network = build_network(recipe, size or recipe.canvas)
        if trained:
            load_weights(network, folder / WEIGHTS)
    what = f"{folder.name}: {recipe.task.name}, {recipe.backbone}, {len(recipe.classes)} classes"
    given = f", {'its own' if trained else 'random'} weights" if weights else ""
    return Subject(folder.name, network, what + given, trained)
