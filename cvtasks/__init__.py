"""cvtasks: computer vision in Keras 3. `load` a model and `predict` an image, `train`,
`cross_validate` and `evaluate` models; `zoo.names()` says which there are. Everything else has its
module.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvtasks import zoo
    from cvtasks.answers import Boxes, Instances, Labels, Mask, Sample
    from cvtasks.errors import CVTasksError
    from cvtasks.evaluation.of_model import evaluate
    from cvtasks.model import Model, load
    from cvtasks.recipe.recipe import Recipe, read_recipe
    from cvtasks.training.start import cross_validate, train

__all__ = [
    "Boxes",
    "CVTasksError",
    "Instances",
    "Labels",
    "Mask",
    "Model",
    "Recipe",
    "Sample",
    "cross_validate",
    "evaluate",
    "load",
    "read_recipe",
    "train",
    "zoo",
]
__version__ = "0.1.0"

_HOME = {
    "Boxes": "cvtasks.answers",
    "CVTasksError": "cvtasks.errors",
    "Instances": "cvtasks.answers",
    "Labels": "cvtasks.answers",
    "Mask": "cvtasks.answers",
    "Model": "cvtasks.model",
    "Recipe": "cvtasks.recipe.recipe",
    "Sample": "cvtasks.answers",
    "cross_validate": "cvtasks.training.start",
    "evaluate": "cvtasks.evaluation.of_model",
    "load": "cvtasks.model",
    "read_recipe": "cvtasks.recipe.recipe",
    "train": "cvtasks.training.start",
    "zoo": "cvtasks",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that `import cvtasks` itself loads nothing
    heavy.
    """
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if _HOME[name] == __name__:
        return import_module(f"{__name__}.{name}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
