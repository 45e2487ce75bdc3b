"""Opening a network with its weights: a model of the zoo or a folder, or a backbone by its name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cvtasks.errors import UsageError
from cvtasks.insight.open import check_subject, default_size
from cvtasks.model import check_files, load_network
from cvtasks.networks.backbones import BACKBONES, build_backbone
from cvtasks.recipe.recipe import Recipe, read_recipe
from cvtasks.weights.imagenet import load_imagenet
from cvtasks.weights.transfer import transfer
from cvtasks.zoo import RECIPE, model_folder

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Opened:
    """A network that can be looked into.

    Attributes:
        name: what it is called.
        network: of one input and one output: a model's logits, a backbone's coarsest map.
        recipe: the model's; None of a backbone.
        weights: where its weights are from, in words.
    """

    name: str
    network: "keras.Model"
    recipe: Recipe | None
    weights: str


def open_network(name: str, weights: str = "", seed: int = 0) -> Opened:
    """Open MODEL of the command line.

    Args:
        name: of the zoo, a folder, or of `BACKBONES`.
        weights: for a backbone: "imagenet", or a file as training takes it; random ones by default.
        seed: of random weights.

    Raises:
        ModelError: it is none of these, or has no weights or damaged ones.
        UsageError: it is both a network and a model; or weights are given for a model, which has
            its own.
    """
    if check_subject(name):
        return _backbone(name, weights, seed)
    folder = model_folder(name)
    recipe = read_recipe(folder / RECIPE)
    if weights:
        raise UsageError(
            f"--weights is for a backbone such as mobilenet; {folder.name} has its own. Leave it "
            "out."
        )
    check_files(folder, recipe)
    return Opened(folder.name, load_network(folder, recipe), recipe, f"weights of {folder.name}")


def _backbone(name: str, weights: str, seed: int) -> Opened:
    import keras

    side, _ = default_size(name)
    keras.utils.set_random_seed(seed)
    backbone = build_backbone(name, (side, side))
    if weights == "imagenet":
        load_imagenet(backbone, name)
        said = "weights of ImageNet"
    elif weights:
        said = f"weights of {Path(weights).name}: {transfer(backbone, weights)}"
    else:
        said = f"random weights (seed {seed}); --weights imagenet or a file gives others"
    coarsest = backbone.outputs[len(BACKBONES[name].strides) - 1]
    return Opened(name, keras.Model(backbone.input, coarsest, name=backbone.name), None, said)
