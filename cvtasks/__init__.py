"""cvtasks: computer vision in Keras 3. `load` a model, `predict` an image; everything else has its
module.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks.answers import Boxes, Labels, Mask, Sample
    from cvtasks.errors import CVTasksError
    from cvtasks.model import Model, load
    from cvtasks.recipe.recipe import Recipe, read_recipe

__all__ = [
    "Boxes",
    "CVTasksError",
    "Labels",
    "Mask",
    "Model",
    "Recipe",
    "Sample",
    "load",
    "read_recipe",
]
__version__ = "0.1.0"

_HOME = {
    "Boxes": "cvtasks.answers",
    "CVTasksError": "cvtasks.errors",
    "Labels": "cvtasks.answers",
    "Mask": "cvtasks.answers",
    "Model": "cvtasks.model",
    "Recipe": "cvtasks.recipe.recipe",
    "Sample": "cvtasks.answers",
    "load": "cvtasks.model",
    "read_recipe": "cvtasks.recipe.recipe",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import cvtasks` itself loads nothing
    heavy.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
