"""What an exported file says of itself, so that whoever has nothing but the file can feed it and
read its answers.
"""

import json
from collections.abc import Mapping
from dataclasses import fields

from cvtasks import __version__
from cvtasks.export import INPUT, OUTPUT
from cvtasks.geometry.letterbox import GREY
from cvtasks.heads.arrays import Shapes
from cvtasks.recipe.recipe import Recipe

_TRAINING = ("weight", "dice", "dropout")  # what a key of a head is called that training alone has


def facts_of(recipe: Recipe, model: str, precision: str) -> dict[str, str]:
    """Name → text, JSON where it is more than a word or a number.

    `letterbox` says where an image lies on the input that it does not fill, `border` which grey is
    around it; `head_settings` has what decoding needs, such as strides and the overlap above which
    two boxes are one.
    """
    height, width = recipe.input_size
    settings = {
        one.name: getattr(recipe.head, one.name)
        for one in fields(recipe.head)
        if one.name != "task" and not any(word in one.name for word in _TRAINING)
    }
    return {
        "cvtasks": __version__,
        "model": model,
        "task": recipe.task.name,
        "head": recipe.head.name,
        "head_settings": json.dumps(settings),
        "classes": json.dumps(recipe.classes, ensure_ascii=False),
        "input": INPUT,
        "input_size": json.dumps([height, width]),
        "input_layout": "NHWC",
        "input_values": "RGB, 0 to 255",
        "outputs": json.dumps({name: list(shape) for name, shape in named(recipe).items()}),
        "letterbox": recipe.placement,
        "border": str(GREY),
        "threshold": f"{recipe.task.threshold:g}",
        "precision": precision,
    }


def named(recipe: Recipe) -> Mapping[str, tuple[int, ...]]:
    """The shapes of one image's outputs by the names that an exported file has for them."""
    shapes: Shapes = recipe.head.outputs(recipe.input_size, recipe.classes)
    return shapes if isinstance(shapes, Mapping) else {OUTPUT: shapes}
