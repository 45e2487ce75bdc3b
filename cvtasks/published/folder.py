"""The folder of a published model: its weights under our names, recipe, graph, card and licence."""

from dataclasses import replace
from pathlib import Path

from cvtasks.engines.table import ready_engine
from cvtasks.errors import ModelError, OutputError
from cvtasks.files.writing import as_meant, sha256, write_text
from cvtasks.formats.coco_names import COCO_NAMES
from cvtasks.media.images import read_image
from cvtasks.model import load
from cvtasks.published.card import card
from cvtasks.recipe.recipe import Recipe, parse_recipe, read_recipe
from cvtasks.recipe.translation import FORMAT
from cvtasks.tasks import TASKS
from cvtasks.weights.published import OWNER, PROJECT, Published
from cvtasks.zoo import RECIPE, WEIGHTS

CARD, LICENCE = "README.md", "LICENSE"

_HERE = Path(__file__).parent
_PHOTOGRAPH, _SHOWS = "coffee.jpg", "cup"
"""A photograph of Rachel Michetti's, in the public domain (CC0), as scikit-image has it; smaller
here.
"""


def recipe_of(row: Published) -> Recipe:
    """The recipe of a published detector: the network, and how it is fine-tuned here."""
    start = TASKS["detect"].task.start
    return parse_recipe(
        {
            "format": FORMAT,
            "task": {"name": "detect"},
            "head": {"name": "yolox"},
            "backbone": row.backbone,
            "size": row.size,
            "classes": list(COCO_NAMES),
            "placement": "corner",  # where its authors put an image
            "data": {
                **start.get("data", {}),
                "path": "coco",
                "train": "train2017",
                "validate": "val2017",
            },
            "train": {
                **start.get("train", {}),
                "weights": "none",
                "weights_precision": "f32",
            },
        }
    )


def made_into(folder: Path, name: str, row: Published, source: Path, url: str, digest: str) -> Path:
    """Make a new folder of a model from its published file; returns the folder.

    Args:
        name: of the model.
        source: the file; it is distrusted.
        url: where it is published.
        digest: its SHA-256.

    Raises:
        ModelError: the file is damaged, or does not have exactly the network's weights.
        OutputError: the folder cannot be written.
    """
    # Keras takes seconds to load, and nothing else here wants it.
    import keras

    from cvtasks.engines.export import export_graph
    from cvtasks.engines.keras_engine import load_network
    from cvtasks.networks.build import build_network
    from cvtasks.weights.transfer import save_weights
    from cvtasks.weights.yolox import load_yolox

    recipe = recipe_of(row)
    network = build_network(recipe, recipe.input_size)
    load_yolox(network, source)
    try:
        folder.mkdir(parents=True)
        save_weights(network, folder / WEIGHTS)
        files = [folder / WEIGHTS]
        if keras.config.backend() == "tensorflow":  # no other exports
            network = load_network(folder / WEIGHTS, recipe)
            files += export_graph(network, recipe.head, folder / WEIGHTS, folder)
        recipe = replace(recipe, files={file.name: sha256(file) for file in files})
        recipe.save(folder / RECIPE)
        write_text(folder / LICENCE, _licence(url))
        write_text(folder / CARD, card(name, row, recipe, url, digest, LICENCE))
    except OutputError as error:
        raise as_meant(folder, error) from error
    return folder


def tried(folder: Path) -> str:
    """What a model says of a photograph of a cup, in a few words.

    Raises:
        ModelError: it does not find the cup, so that its weights are not what they should be.
    """
    recipe = read_recipe(folder / RECIPE)
    model = load(folder, engine=ready_engine(recipe.files))
    answer = model.predict(read_image(_HERE / _PHOTOGRAPH))
    said = recipe.task.summary(answer)
    if _SHOWS not in answer.names:
        raise ModelError(
            f"a published detector must find the {_SHOWS} in a photograph of one; {folder.name} "
            f"finds {said}. Its file is not the published one, or is damaged: fetch it again."
        )
    return said


def _licence(url: str) -> str:
    """The licence that the weights are under, and what was changed."""
    notice = (
        f"YOLOX, {PROJECT}\n{OWNER}\n\nThe file {WEIGHTS} beside this one holds the weights of "
        f"{url},\nunder other names and in another layout; {RECIPE} and the graph were made from "
        "it.\nThey are licensed under the Apache License, Version 2.0, which follows.\n\n"
    )
    return notice + (_HERE / "apache-2.0.txt").read_text(encoding="utf-8")
